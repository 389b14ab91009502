//! The grid that a NIfTI header gives, and the header that a grid gives, by the standard's own words.

use super::check_field;
use fiel_kernels::image::*;
use proptest::prelude::*;

const SHAPE: [usize; 3] = [3, 4, 2];

fn volume<T: Clone>(geometry: Geometry, value: T) -> Volume<T> {
    let data = vec![value; geometry.voxels()];
    Volume { geometry, data }
}

/// A file whose grid is given by a quaternion alone.
fn turned(quaternion: [f64; 3], offset: [f64; 3], sizes: [f64; 3], qfac: f32) -> Vec<u8> {
    let mut file = encode_nifti_f32(&volume(Geometry::axis_aligned(SHAPE, sizes), 0.0f32)).unwrap();
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(252, &1i16.to_le_bytes());
    put(254, &0i16.to_le_bytes());
    put(76, &qfac.to_le_bytes());
    for (i, value) in quaternion.into_iter().chain(offset).enumerate() {
        put(256 + 4 * i, &(value as f32).to_le_bytes());
    }
    file
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Turns a vector by Rodrigues' formula: no entry of a rotation matrix is written down.
fn rotate(v: [f64; 3], axis: [f64; 3], angle: f64) -> [f64; 3] {
    let (sin, cos) = angle.sin_cos();
    let (across, along) = (cross(axis, v), axis.iter().zip(v).map(|(a, b)| a * b).sum::<f64>());
    std::array::from_fn(|i| v[i] * cos + across[i] * sin + axis[i] * along * (1.0 - cos))
}

#[track_caller]
fn check_turned(axis: [f64; 3], angle: f64, scale: f64, sizes: [f64; 3], left_handed: bool) {
    let quaternion = axis.map(|v| v * (angle / 2.0).sin() * scale);
    let offset = [-12.5, 30.25, 7.0];
    let file = turned(quaternion, offset, sizes, if left_handed { -1.0 } else { 1.0 });
    let found = parse_nifti_f32(&file, &ReadLimits::default()).unwrap().geometry;
    assert!(found.spacing_mm.iter().zip(sizes).all(|(a, b)| (a - b).abs() < 1e-5), "{found}");
    assert_eq!(found.origin_mm, offset);
    for i in 0..3 {
        let sign = if i == 2 && left_handed { -1.0 } else { 1.0 };
        let expected = rotate(std::array::from_fn(|k| if k == i { sign } else { 0.0 }), axis, angle);
        for row in 0..3 {
            let entry = found.direction[row * 3 + i];
            assert!((entry - expected[row]).abs() < 2e-4, "{found}: {entry} instead of {}", expected[row]);
        }
    }
}

proptest! {
    #[test]
    fn a_quaternion_turns_the_axes_by_its_angle_around_its_axis(
        axis in [-1.0f64..1.0, -1.0f64..1.0, -1.0f64..1.0], angle in 0.0f64..3.0,
        sizes in [0.3f64..3.0, 0.3f64..3.0, 0.3f64..3.0], left_handed: bool,
    ) {
        let length = axis.iter().map(|v| v * v).sum::<f64>().sqrt();
        prop_assume!(length > 0.1);
        check_turned(axis.map(|v| v / length), angle, 1.0, sizes.map(|v| f64::from(v as f32)), left_handed);
    }
}

#[test]
fn half_turns_and_quaternions_that_rounding_made_too_long_are_read() {
    let (axis, half_turn) = ([2.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0], std::f64::consts::PI);
    for scale in [1.0, 1.0004, 0.999_999_99] {
        check_turned(axis, half_turn, scale, [1.0, 2.0, 0.5], false);
    }
    for axis in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
        check_turned(axis, half_turn, 1.0, [1.0, 2.0, 0.5], true);
    }
    let long = |length: f64| turned(axis.map(|v| v * length), [0.0; 3], [1.0; 3], 1.0);
    // Squared lengths of 1.0009 and 1.0011.
    assert!(parse_nifti_f32(&long(1.000_45), &ReadLimits::default()).is_ok());
    check_field(&long(1.000_55), "quatern_b", "a quaternion longer than 1");
    // Zero does not turn the third axis around.
    let file = turned([0.0; 3], [0.0; 3], [1.0; 3], 0.0);
    assert!(parse_nifti_f32(&file, &ReadLimits::default()).unwrap().geometry.direction[8] > 0.0);
}

#[test]
fn a_written_header_has_each_field_where_the_standard_puts_it() {
    let geometry = Geometry {
        shape: SHAPE,
        spacing_mm: [0.75, 1.5, 2.5],
        origin_mm: [-12.5, 30.25, 7.0],
        direction: [0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, -1.0],
        plane: false,
    };
    for (file, datatype, bits) in [
        (encode_nifti_mask(&volume(geometry.clone(), 1u8)).unwrap(), 2, 8),
        (encode_nifti_i16(&volume(geometry.clone(), 1i16)).unwrap(), 4, 16),
        (encode_nifti_f32(&volume(geometry.clone(), 1f32)).unwrap(), 16, 32),
    ] {
        let short = |at: usize| i16::from_le_bytes([file[at], file[at + 1]]);
        let float = |at: usize| f32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!(file.len(), 352 + 24 * bits as usize / 8);
        assert_eq!(file[..4], 348i32.to_le_bytes());
        assert_eq!([40, 42, 44, 46, 48, 50, 52, 54].map(short), [3, 3, 4, 2, 1, 1, 1, 1]);
        assert_eq!((short(70), short(72)), (datatype, bits));
        assert_eq!([76, 80, 84, 88].map(float), [1.0, 0.75, 1.5, 2.5]);
        assert_eq!((float(108), float(112), float(116)), (352.0, 1.0, 0.0));
        assert_eq!((file[123], short(252), short(254)), (2, 0, 1));
        let rows = [[0.6f32, -0.9, 0.0, -12.5], [0.45, 1.2, 0.0, 30.25], [0.0, 0.0, -2.5, 7.0]];
        for (i, expected) in rows.concat().into_iter().enumerate() {
            assert!((float(280 + 4 * i) - expected).abs() < 1e-6, "srow {i}");
        }
        assert_eq!(file[344..348], *b"n+1\0");
    }
}

#[test]
fn an_image_of_two_axes_is_a_plane_and_stays_one() {
    let layer = volume(Geometry::axis_aligned([3, 4, 1], [0.5, 1.5, 2.0]), 1u8);
    let mut file = encode_nifti_mask(&layer).unwrap();
    assert!(!parse_nifti_mask(&file, &ReadLimits::default()).unwrap().geometry.plane);
    // Two axes, of which the file says no thickness, and no affine: dim[0], pixdim[3], sform_code.
    file[40] = 2;
    file[88..92].fill(0);
    file[254] = 0;
    let plane = parse_nifti_mask(&file, &ReadLimits::default()).unwrap();
    let expected = Geometry { plane: true, ..Geometry::axis_aligned([3, 4, 1], [0.5, 1.5, 1.0]) };
    assert_eq!(plane.geometry, expected);
    assert_eq!(parse_nifti_mask(&encode_nifti_mask(&plane).unwrap(), &ReadLimits::default()).unwrap(), plane);
    // Of three axes each has a size.
    file[40] = 3;
    assert!(parse_nifti_mask(&file, &ReadLimits::default()).is_err());
    let meta = b"NDims = 2\nDimSize = 3 2\nElementSpacing = 0.5 1.5\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n";
    let meta = parse_mask(&[&meta[..], &[0, 1, 1, 0, 1, 0]].concat(), &ReadLimits::default()).unwrap();
    assert!(meta.geometry.plane);
    assert_eq!(meta.geometry.spacing_mm[..2], [0.5, 1.5]);
}

#[test]
fn an_axis_longer_than_a_short_is_not_written() {
    let long = |n: usize| volume(Geometry::axis_aligned([1, n, 1], [1.0; 3]), 0u8);
    let written = encode_nifti_mask(&long(32_767)).unwrap();
    assert_eq!(parse_nifti_mask(&written, &ReadLimits::default()).unwrap(), long(32_767));
    assert!(encode_nifti_mask(&long(32_768)).is_err());
    assert!(encode_nifti_mask(&long(0)).is_err());
    let short = Volume { data: vec![0u8; 3], ..long(4) };
    assert!(encode_nifti_mask(&short).is_err());
}

#[test]
fn a_voxel_has_the_volume_of_its_box_whichever_way_it_lies() {
    let straight = Geometry::axis_aligned([2, 3, 4], [0.5, 2.0, 3.0]);
    assert_eq!((straight.voxels(), straight.voxel_mm3()), (24, 3.0));
    let mirrored = Geometry { direction: [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0], ..straight.clone() };
    assert_eq!(mirrored.voxel_mm3(), 3.0);
    // A sheared grid: the second axis leans by 60 degrees towards the first, the third a little towards both.
    let half = 0.75f64.sqrt();
    let direction = [1.0, half, 0.48, 0.0, 0.5, 0.64, 0.0, 0.0, 0.6];
    let sheared = Geometry { direction, ..straight.clone() };
    assert!((sheared.voxel_mm3() - 3.0 * 0.5 * 0.6).abs() < 1e-12);
    let cyclic = Geometry { direction: [0.48, 1.0, half, 0.64, 0.0, 0.5, 0.6, 0.0, 0.0], ..straight };
    assert!((cyclic.voxel_mm3() - 3.0 * 0.5 * 0.6).abs() < 1e-12);
}

#[test]
fn grids_are_the_same_when_no_corner_is_a_micrometre_apart() {
    let grid = Geometry::axis_aligned([11, 21, 31], [1.0, 0.5, 2.0]);
    let changed = |change: &dyn Fn(&mut Geometry)| {
        let mut other = grid.clone();
        change(&mut other);
        assert_eq!(grid.same_grid(&other), other.same_grid(&grid));
        grid.same_grid(&other)
    };
    assert!(changed(&|_| ()));
    for axis in 0..3 {
        assert!(changed(&|g| g.origin_mm[axis] += 0.9e-3));
        assert!(!changed(&|g| g.origin_mm[axis] += 1.1e-3));
        assert!(!changed(&|g| g.origin_mm[axis] -= 1.1e-3));
        // The far corner moves by the number of voxels less a half, the near one by a half.
        let steps = grid.shape[axis] as f64 - 0.5;
        assert!(changed(&|g| g.spacing_mm[axis] += 0.9e-3 / steps));
        assert!(!changed(&|g| g.spacing_mm[axis] += 1.1e-3 / steps));
        assert!(!changed(&|g| g.shape[axis] += 1));
    }
    // Turned a little around an axis in the middle of nowhere.
    assert!(!changed(&|g| g.direction[1] = 1e-3));
    assert!(changed(&|g| g.direction[1] = 0.9e-3 / (20.5 * 0.5)));
}

#[test]
fn a_position_is_the_origin_and_the_steps_along_the_axes() {
    let grid = Geometry {
        shape: SHAPE,
        spacing_mm: [0.5, 2.0, 4.0],
        origin_mm: [1.0, 10.0, 100.0],
        direction: [0.0, -1.0, 0.0, 0.6, 0.0, -0.8, 0.8, 0.0, 0.6],
        plane: false,
    };
    assert_eq!(grid.position([0.0; 3]), [1.0, 10.0, 100.0]);
    let found = grid.position([10.0, 3.0, -5.0]);
    let expected = [1.0 - 6.0, 10.0 + 3.0 + 16.0, 100.0 + 4.0 - 12.0];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
}

/// A small grid whose axes are turned in any way, around a common centre.
fn any_grid() -> impl Strategy<Value = Geometry> {
    let axis = [-1.0f64..1.0, -1.0f64..1.0, 0.2f64..1.0];
    let shape = [2usize..7, 2usize..7, 2usize..6];
    (shape, [0.5f64..2.0, 0.5f64..2.0, 0.5f64..2.0], axis, 0.1f64..3.0, any::<bool>()).prop_map(
        |(shape, spacing_mm, axis, angle, mirrored)| {
            let length = axis.iter().map(|v| v * v).sum::<f64>().sqrt();
            let axis = axis.map(|v| v / length);
            let mut grid = Geometry::axis_aligned(shape, spacing_mm);
            for i in 0..3 {
                let sign = if i == 2 && mirrored { -1.0 } else { 1.0 };
                let turned = rotate(std::array::from_fn(|k| if k == i { sign } else { 0.0 }), axis, angle);
                (0..3).for_each(|row| grid.direction[row * 3 + i] = turned[row]);
            }
            let middle = grid.position(shape.map(|n| n as f64 / 2.0));
            grid.origin_mm = middle.map(|v| 0.3 - v);
            grid
        },
    )
}

proptest! {
    #[test]
    fn resampling_finds_the_voxel_that_each_point_lies_in(source in any_grid(), grid in any_grid()) {
        let data: Vec<u8> = (1..=source.voxels()).map(|i| i as u8).collect();
        let map = Volume { geometry: source, data };
        let found = resample_nearest(&map, &grid).unwrap();
        let [nx, ny, _] = grid.shape;
        let source = &map.geometry;
        for (place, label) in found.data.iter().enumerate() {
            let at = [place % nx, place / nx % ny, place / nx / ny].map(|v| v as f64);
            let point = grid.position(at);
            // The axes are perpendicular: a point's place along each is its projection.
            let voxel: [f64; 3] = std::array::from_fn(|i| {
                let along = |row: usize| (point[row] - source.origin_mm[row]) * source.direction[row * 3 + i];
                (0..3).map(along).sum::<f64>() / source.spacing_mm[i]
            });
            if voxel.iter().any(|v| ((v + 0.5) - (v + 0.5).round()).abs() < 1e-6) {
                continue;
            }
            let inside = (0..3).all(|i| voxel[i] > -0.5 && voxel[i] < source.shape[i] as f64 - 0.5);
            let [x, y, z] = voxel.map(|v| v.round().max(0.0) as usize);
            let expected =
                if inside { map.data[x + source.shape[0] * (y + source.shape[1] * z)] } else { 0 };
            prop_assert_eq!(*label, expected, "{:?}", voxel);
        }
        prop_assert!((grid.voxel_mm3() - grid.spacing_mm.iter().product::<f64>()).abs() < 1e-9);
    }
}

#[test]
fn one_corner_apart_is_enough_for_another_grid() {
    let grid = Geometry::axis_aligned([11, 21, 31], [1.0, 0.5, 2.0]);
    for corner in 0..8usize {
        let high = |axis: usize| corner & (1 << axis) != 0;
        // What the grids differ by is largest there, falls along each edge, and is below 0.6 of that elsewhere.
        let apart_by = |most: f64, row: usize| {
            let mut other = grid.clone();
            other.origin_mm[row] += most;
            for axis in 0..3 {
                let fall = 0.8 / 1.5 * most / grid.shape[axis] as f64;
                let (slope, end) =
                    if high(axis) { (fall, grid.shape[axis] as f64 - 0.5) } else { (-fall, -0.5) };
                other.direction[row * 3 + axis] += slope / grid.spacing_mm[axis];
                other.origin_mm[row] -= slope * end;
            }
            grid.same_grid(&other)
        };
        for row in 0..3 {
            assert!(apart_by(0.98e-3, row), "corner {corner}, row {row}");
            assert!(!apart_by(1.02e-3, row), "corner {corner}, row {row}");
            assert!(!apart_by(-1.5e-3, row), "corner {corner}, row {row}");
        }
    }
}

#[test]
fn sheared_grids_are_refused_and_rounded_right_angles_are_not() {
    let file = |lean: f64| {
        let direction = [1.0, lean, 0.0, 0.0, (1.0 - lean * lean).sqrt(), 0.0, 0.0, 0.0, 1.0];
        let geometry = Geometry { direction, ..Geometry::axis_aligned(SHAPE, [1.0, 2.0, 3.0]) };
        volume(geometry, 1)
    };
    for lean in [0.0, 9e-4, -9e-4] {
        assert!(
            parse_mask(&encode_nifti_mask(&file(lean)).unwrap(), &ReadLimits::default()).is_ok(),
            "{lean}"
        );
    }
    for lean in [1.1e-3, -0.5] {
        check_field(&encode_nifti_mask(&file(lean)).unwrap(), "sform", "sheared");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leaning.nii");
    std::fs::write(&path, encode_nifti_mask(&file(0.3)).unwrap()).unwrap();
    let refused = read_mask(&path, &ReadLimits::default()).unwrap_err().to_string();
    assert!(refused.contains("leaning.nii") && refused.contains("is sheared"), "{refused}");
    let header = "ObjectType = Image\nNDims = 3\nDimSize = 1 1 1\nElementType = MET_UCHAR\n\
                  TransformMatrix = 1 0 0 0.6 0.8 0 0 0 1\nElementDataFile = LOCAL\n\u{1}";
    check_field(header.as_bytes(), "TransformMatrix", "sheared");
}

#[test]
fn a_slope_that_is_no_number_scales_nothing() {
    let mut file = encode_nifti_mask(&volume(Geometry::axis_aligned(SHAPE, [1.0; 3]), 1)).unwrap();
    // As nibabel, whose own headers hold NaN in both.
    file[112..116].copy_from_slice(&f32::NAN.to_le_bytes());
    file[116..120].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(parse_mask(&file, &ReadLimits::default()).unwrap().data.iter().all(|&v| v == 1));
}
