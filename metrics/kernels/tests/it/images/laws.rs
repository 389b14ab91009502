//! What must hold for every image.

use super::{gz, options};
use fiel_kernels::InputError;
use fiel_kernels::image::*;
use proptest::prelude::*;

fn grid() -> impl Strategy<Value = Geometry> {
    (1usize..12, 1usize..9, 1usize..7, 0.3f64..3.0, -1.0f64..1.0).prop_map(|(x, y, z, spacing, angle)| {
        let (s, c) = angle.sin_cos();
        Geometry {
            shape: [x, y, z],
            spacing_mm: [spacing, 2.0 * spacing, 0.7],
            origin_mm: [10.0 * angle, -3.0, 5.0],
            direction: [c, -s, 0.0, s, c, 0.0, 0.0, 0.0, -1.0],
            plane: false,
        }
    })
}

fn label_map() -> impl Strategy<Value = Volume<u8>> {
    grid().prop_flat_map(|geometry| {
        let count = geometry.voxels();
        let runs = prop::collection::vec((prop_oneof![Just(0u8), Just(1), any::<u8>()], 1usize..200), 1..40);
        runs.prop_map(move |runs| {
            let data: Vec<u8> =
                runs.into_iter().flat_map(|(v, n)| std::iter::repeat_n(v, n)).cycle().take(count).collect();
            Volume { geometry: geometry.clone(), data }
        })
    })
}

proptest! {
    #[test]
    fn runs_hold_what_the_voxels_hold(map in label_map()) {
        let bytes = encode_nifti_mask(&map).unwrap();
        let wide = Volume { geometry: map.geometry.clone(), data: map.data.iter().map(|&v| u16::from(v)).collect() };
        for bytes in [gz(&bytes), bytes] {
            let runs = parse_label_runs(&bytes, options()).unwrap();
            prop_assert_eq!(&runs.to_volume().data, &wide.data);
            let from_volume = LabelRuns::from_volume(&wide).unwrap();
            prop_assert!(runs.iter().eq(from_volume.iter()));
            // As few as there can be.
            let changes = map.data.windows(2).filter(|pair| pair[0] != pair[1]).count();
            prop_assert_eq!(runs.len(), changes + 1);
            prop_assert_eq!(parse_labels::<u8>(&bytes, options()).unwrap().data, map.data.clone());
        }
    }

    #[test]
    fn resampling_onto_the_same_grid_changes_nothing(map in label_map()) {
        prop_assert_eq!(resample_nearest(&map, &map.geometry).unwrap(), map);
    }

    #[test]
    fn resampling_agrees_with_a_search_for_the_nearest_voxel(map in label_map(), grid in grid()) {
        let found = resample_nearest(&map, &grid).unwrap();
        let Geometry { shape, spacing_mm, .. } = &map.geometry;
        for (place, label) in found.data.iter().enumerate() {
            let at = [place % grid.shape[0], place / grid.shape[0] % grid.shape[1], place / grid.shape[0] / grid.shape[1]];
            let point = grid.position(at.map(|v| v as f64));
            // In voxels of the map, by projecting on its axes.
            let voxel: [f64; 3] = std::array::from_fn(|axis| {
                let along: f64 = (0..3).map(|r| (point[r] - map.geometry.origin_mm[r]) * map.geometry.direction[r * 3 + axis]).sum();
                along / spacing_mm[axis]
            });
            if voxel.iter().any(|v| ((v + 0.5) - (v + 0.5).round()).abs() < 1e-6) {
                continue;
            }
            let inside = (0..3).all(|i| voxel[i] > -0.5 && voxel[i] < shape[i] as f64 - 0.5);
            let nearest = voxel.map(|v| v.round().max(0.0) as usize);
            let expected = if inside { map.data[nearest[0] + shape[0] * (nearest[1] + shape[1] * nearest[2])] } else { 0 };
            prop_assert_eq!(*label, expected);
        }
    }

    #[test]
    fn damaged_files_are_refused_or_read_but_never_panic(
        which in 0usize..8, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let names = [
            "nifti1_int16_le.nii", "nifti2_float32_be.nii", "mask.nii.gz", "meta_int16.mha", "meta_mask_zlib.mha",
            "npy_int16_C_le.npy", "seg_mask.dcm", "seg_undefined_lengths.dcm",
        ];
        let mut bytes = super::file(names[which]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let limits = ReadLimits { voxels: 1 << 16, bytes: 1 << 20, ..ReadLimits::default() };
        let options = ReadOptions { limits, ..options() };
        if let Ok(image) = parse_image_f32(&bytes, options) {
            prop_assert_eq!(image.data.len(), image.geometry.voxels());
        }
        if let Ok(labels) = parse_labels::<u16>(&bytes, options) {
            prop_assert_eq!(parse_label_runs(&bytes, options).unwrap().to_volume(), labels);
        }
    }
}

#[test]
fn runs_end_where_labels_change_across_blocks_and_pieces() {
    // Changes at and around the borders of 8, 64 and 2^18 voxels.
    let count = (1 << 18) + 200;
    let geometry = Geometry::axis_aligned([count, 1, 1], [1.0; 3]);
    let places = [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, count - 1];
    for shorts in [false, true] {
        for place in places {
            let mut data = vec![3u16; count];
            data[place] = 9;
            let bytes = npy(&data, shorts);
            let runs = parse_label_runs(&bytes, options()).unwrap();
            let volume = Volume { geometry: geometry.clone(), data };
            assert!(runs.iter().eq(LabelRuns::from_volume(&volume).unwrap().iter()), "{place}");
            assert_eq!(runs.to_volume().data, volume.data, "{place}");
            assert_eq!(parse_labels::<u16>(&bytes, options()).unwrap().data, volume.data, "{place}");
        }
    }
}

fn npy(data: &[u16], shorts: bool) -> Vec<u8> {
    let kind = if shorts { "<u2" } else { "|u1" };
    let header = format!("{{'descr': '{kind}', 'fortran_order': True, 'shape': ({},), }}", data.len());
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let bytes = data.iter().flat_map(|v| v.to_le_bytes().into_iter().take(if shorts { 2 } else { 1 }));
    b"\x93NUMPY\x01\x00".iter().chain(&length).chain(header.as_bytes()).copied().chain(bytes).collect()
}

#[test]
fn positions_in_errors_count_across_pieces() {
    let count = (1 << 18) + 50;
    for place in [0, 4095, 4096, (1 << 18) - 1, 1 << 18, count - 1] {
        let mut data = vec![0u16; count];
        data[place] = 2;
        for shorts in [false, true] {
            let refused = parse_mask(&npy(&data, shorts), options()).unwrap_err();
            let expected = [place, 0, 0];
            assert!(
                matches!(refused, fiel_kernels::ImageError::Label { index, value: 2.0 } if index == expected),
                "{refused}"
            );
        }
    }
}

#[test]
fn runs_stay_within_the_limits() {
    let data: Vec<u16> = (0..100).map(|i| i % 2).collect();
    for (bytes, fine) in [(800, true), (792, true), (791, false)] {
        let limits = ReadLimits { bytes, ..ReadLimits::default() };
        let options = ReadOptions { limits, ..options() };
        // The last run ends with the voxels and is not counted.
        assert_eq!(parse_label_runs(&npy(&data, false), options).is_ok(), fine, "{bytes}");
        assert_eq!(parse_label_runs(&npy(&data, true), options).is_ok(), fine, "{bytes}");
    }
    let geometry = Geometry::axis_aligned([2, 1, 1], [1.0; 3]);
    assert!(LabelRuns::from_volume(&Volume { geometry, data: vec![1u16; 3] }).is_err());
}

#[test]
fn resampling_moves_labels_by_whole_voxels_and_refuses_what_is_no_grid() {
    let map = Volume { geometry: Geometry::axis_aligned([3, 1, 1], [2.0, 1.0, 1.0]), data: vec![5u8, 6, 7] };
    let mut moved = map.geometry.clone();
    moved.origin_mm[0] = 2.0;
    assert_eq!(resample_nearest(&map, &moved).unwrap().data, [6, 7, 0]);
    moved.origin_mm[0] = -2.0;
    assert_eq!(resample_nearest(&map, &moved).unwrap().data, [0, 5, 6]);
    // Half-way, the larger index; half a voxel beyond the last centre is outside.
    moved.origin_mm[0] = 1.0;
    assert_eq!(resample_nearest(&map, &moved).unwrap().data, [6, 7, 0]);
    let mut turned = map.geometry.clone();
    turned.direction[0] = -1.0;
    turned.origin_mm[0] = 4.0;
    assert_eq!(resample_nearest(&map, &turned).unwrap().data, [7, 6, 5]);

    let wrong = |change: fn(&mut Geometry)| {
        let mut grid = map.geometry.clone();
        change(&mut grid);
        resample_nearest(&map, &grid).unwrap_err()
    };
    assert!(matches!(
        wrong(|g| g.spacing_mm[1] = 0.0),
        InputError::Value { what: "spacing_mm", index: 1, .. }
    ));
    assert!(matches!(wrong(|g| g.spacing_mm[1] = f64::NAN), InputError::Value { what: "spacing_mm", .. }));
    assert!(matches!(
        wrong(|g| g.origin_mm[2] = f64::NAN),
        InputError::Value { what: "origin_mm", index: 2, .. }
    ));
    assert!(matches!(
        wrong(|g| g.direction[8] = f64::INFINITY),
        InputError::Value { what: "direction", index: 8, .. }
    ));
    assert!(matches!(wrong(|g| g.direction[8] = 0.0), InputError::Setting { .. }));
    assert!(matches!(wrong(|g| g.shape = [1 << 16, 1 << 16, 1]), InputError::TooLarge { .. }));
    assert!(matches!(wrong(|g| g.shape = [usize::MAX, 2, 2]), InputError::TooLarge { .. }));
    let short = Volume { geometry: map.geometry.clone(), data: vec![1] };
    assert!(matches!(
        resample_nearest(&short, &map.geometry).unwrap_err(),
        InputError::Length { left_len: 1, .. }
    ));
}

#[test]
fn resampling_gives_the_same_bytes_for_any_number_of_threads() {
    let geometry = Geometry::axis_aligned([40, 30, 20], [1.0, 1.5, 2.0]);
    let data = (0..24_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let map = Volume { geometry, data };
    let (c, s) = (0.8, 0.6);
    let grid = Geometry {
        shape: [50, 50, 30],
        spacing_mm: [0.9, 0.8, 1.1],
        origin_mm: [-3.0, 2.0, 1.0],
        direction: [c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0],
        plane: false,
    };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| resample_nearest(&map, &grid).unwrap().data)
    };
    assert!(run(1).iter().any(|v| *v != 0));
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(8));
}
