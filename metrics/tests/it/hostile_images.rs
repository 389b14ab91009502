//! NIfTI files that lie, and files that must read back as written.

use fiel_metrics::ImageError;
use fiel_metrics::image::*;
use fiel_metrics::segmentation::measure;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn oblique() -> Geometry {
    let (c, s) = (0.8, 0.6);
    Geometry {
        shape: [3, 4, 2],
        spacing_mm: [0.75, 1.5, 2.5],
        origin_mm: [-12.5, 30.25, 7.0],
        direction: [c, -s, 0.0, s, c, 0.0, 0.0, 0.0, -1.0],
        plane: false,
    }
}

fn image() -> Volume<f32> {
    Volume { geometry: oblique(), data: (0..24u8).map(|i| f32::from(i) - 7.5).collect() }
}

fn mask() -> Volume<u8> {
    Volume { geometry: oblique(), data: (0..24).map(|i| u8::from(i % 5 == 0)).collect() }
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = encode_nifti_f32(&image()).unwrap();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn images_read_back_as_written_compressed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ReadLimits::default();
    for name in ["a.nii", "a.nii.gz"] {
        let path = folder.path().join(name);
        write_nifti_f32(&path, &image()).unwrap();
        let read = read_nifti_f32(&path, &limits).unwrap();
        assert_eq!(read.data, image().data);
        assert!(read.geometry.same_grid(&oblique()), "{}", read.geometry);
        let first = std::fs::read(&path).unwrap();
        write_nifti_f32(&path, &image()).unwrap();
        assert_eq!(first, std::fs::read(&path).unwrap());
        write_nifti_mask(&path, &mask()).unwrap();
        assert_eq!(read_nifti_mask(&path, &limits).unwrap().data, mask().data);
        let ct = Volume { geometry: oblique(), data: (0..24).map(|i| i * 100 - 1000).collect::<Vec<i16>>() };
        write_nifti_i16(&path, &ct).unwrap();
        let read = read_nifti_f32(&path, &limits).unwrap();
        assert!(read.data.iter().zip(&ct.data).all(|(a, b)| *a == f32::from(*b)));
    }
}

#[test]
fn every_type_in_both_byte_orders_with_scaling_reads_the_same() {
    macro_rules! bytes {
        ($type:ty, $big:expr) => {
            (0..24u8)
                .flat_map(|i| {
                    let v = <$type>::try_from(i).unwrap();
                    if $big { v.to_be_bytes().to_vec() } else { v.to_le_bytes().to_vec() }
                })
                .collect::<Vec<u8>>()
        };
    }
    for big in [false, true] {
        let types: [(i16, i16, Vec<u8>); 7] = [
            (2, 8, bytes!(u8, big)),
            (256, 8, bytes!(i8, big)),
            (4, 16, bytes!(i16, big)),
            (512, 16, bytes!(u16, big)),
            (8, 32, bytes!(i32, big)),
            (16, 32, bytes!(f32, big)),
            (64, 64, bytes!(f64, big)),
        ];
        for (code, bits, data) in types {
            let mut file = encode_nifti_f32(&image()).unwrap()[..352].to_vec();
            file[70..72].copy_from_slice(&code.to_le_bytes());
            file[72..74].copy_from_slice(&bits.to_le_bytes());
            file[112..116].copy_from_slice(&2f32.to_le_bytes());
            file[116..120].copy_from_slice(&(-3f32).to_le_bytes());
            if big {
                swap(&mut file);
            }
            file.extend_from_slice(&data);
            let expected: Vec<f32> = (0..24u8).map(|i| 2.0 * f32::from(i) - 3.0).collect();
            for bytes in [file.clone(), gz(&file), recode_nifti(&file, &ReadLimits::default()).unwrap()] {
                let read = parse_nifti_f32(&bytes, &ReadLimits::default()).unwrap();
                assert_eq!(read.data, expected, "datatype {code}, big-endian {big}");
                assert!(read.geometry.same_grid(&oblique()));
            }
        }
    }
}

/// Turns the fields that the reader looks at around.
fn swap(file: &mut [u8]) {
    file[0..4].reverse();
    for at in (40..56).chain(70..74).chain(252..256).step_by(2) {
        file[at..at + 2].reverse();
    }
    for at in (76..124).chain(256..328).step_by(4).filter(|&at| at != 120) {
        file[at..at + 4].reverse();
    }
}

#[test]
fn nothing_but_the_grid_survives_recoding() {
    let mut file = with(148, b"patient: Jane Doe");
    file[108..112].copy_from_slice(&368f32.to_le_bytes());
    file.splice(352..352, *b"SECRET EXTENSION");
    assert_eq!(parse_nifti_f32(&file, &ReadLimits::default()).unwrap().data, image().data);
    let clean = recode_nifti(&gz(&file), &ReadLimits::default()).unwrap();
    assert_eq!(clean, encode_nifti_f32(&image()).unwrap());
}

#[test]
fn headers_that_lie_are_refused_before_anything_is_allocated() {
    let nan = f32::NAN.to_le_bytes();
    let many = [7i16, 32767, 32767, 32767, 1, 1, 1, 1].map(i16::to_le_bytes).concat();
    let lies: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("half a header", encode_nifti_f32(&image()).unwrap()[..200].to_vec()),
        ("sizeof_hdr", with(0, &349i32.to_le_bytes())),
        ("NIfTI-2", with(0, &540i32.to_le_bytes())),
        ("magic", with(344, b"nope")),
        ("two files", with(344, b"ni1\0")),
        ("no axes", with(40, &0i16.to_le_bytes())),
        ("eight axes", with(40, &8i16.to_le_bytes())),
        ("negative length", with(42, &(-1i16).to_le_bytes())),
        ("zero length", with(44, &0i16.to_le_bytes())),
        ("32767 cubed", with(40, &many)),
        ("four dimensions", with(40, &[4i16, 3, 4, 1, 2].map(i16::to_le_bytes).concat())),
        ("complex numbers", with(70, &32i16.to_le_bytes())),
        ("bitpix", with(72, &8i16.to_le_bytes())),
        ("offset NaN", with(108, &nan)),
        ("offset negative", with(108, &(-5f32).to_le_bytes())),
        ("offset in the header", with(108, &100f32.to_le_bytes())),
        ("offset far outside", with(108, &1e9f32.to_le_bytes())),
        ("offset broken", with(108, &352.5f32.to_le_bytes())),
        ("slope infinite", with(112, &f32::INFINITY.to_le_bytes())),
        ("intercept infinite", with(116, &f32::INFINITY.to_le_bytes())),
        ("affine NaN", with(280, &nan)),
        ("origin infinite", with(292, &f32::INFINITY.to_le_bytes())),
        ("affine of zeros", with(280, &[0; 48])),
        ("parallel axes", {
            let row = [1f32, 2.0, 0.0, 0.0].map(f32::to_le_bytes).concat();
            with(280, &[row.clone(), row, [0f32, 0.0, 1.0, 0.0].map(f32::to_le_bytes).concat()].concat())
        }),
        ("one byte short", encode_nifti_f32(&image()).unwrap()[..352 + 95].to_vec()),
        ("one byte long", [encode_nifti_f32(&image()).unwrap(), vec![0]].concat()),
    ];
    for (what, file) in lies {
        for bytes in [file.clone(), gz(&file)] {
            assert!(parse_nifti_f32(&bytes, &ReadLimits::default()).is_err(), "{what}");
            assert!(recode_nifti(&bytes, &ReadLimits::default()).is_err(), "{what}");
        }
    }
}

#[test]
fn declared_sizes_are_held_against_the_limits_and_against_what_deflate_can_do() {
    let file = encode_nifti_f32(&image()).unwrap();
    let limits = ReadLimits { voxels: 23, ..ReadLimits::default() };
    let refused = parse_nifti_f32(&file, &limits).unwrap_err();
    assert!(matches!(refused, ImageError::TooLarge { found: 24, limit: 23, .. }), "{refused}");
    let limits = ReadLimits { bytes: 95, file_bytes: 1 << 20, ..ReadLimits::default() };
    assert!(matches!(parse_nifti_f32(&file, &limits).unwrap_err(), ImageError::TooLarge { .. }));
    let limits = ReadLimits { file_bytes: 100, ..ReadLimits::default() };
    assert!(matches!(parse_nifti_f32(&file, &limits).unwrap_err(), ImageError::TooLarge { .. }));
    // A kilobyte that claims 400 MB of voxels: no deflate stream can hold them.
    let bomb = gz(&with(40, &[3i16, 1000, 1000, 100].map(i16::to_le_bytes).concat()));
    let refused = parse_nifti_f32(&bomb, &ReadLimits::default()).unwrap_err().to_string();
    assert!(refused.contains("cannot hold"), "{refused}");
    // More data than declared is not read.
    let mut long = file.clone();
    long.resize(64 << 20, 0);
    assert!(
        parse_nifti_f32(&gz(&long), &ReadLimits::default()).unwrap_err().to_string().contains("more than")
    );
}

#[test]
fn a_damaged_checksum_is_noticed() {
    let mut bytes = gz(&encode_nifti_f32(&image()).unwrap());
    let crc = bytes.len() - 6;
    bytes[crc] ^= 1;
    assert!(matches!(parse_nifti_f32(&bytes, &ReadLimits::default()).unwrap_err(), ImageError::Data(_)));
}

#[test]
fn masks_hold_zero_and_one_only() {
    let mut volume = mask();
    volume.data[13] = 2;
    let refused = parse_nifti_mask(&encode_nifti_mask(&volume).unwrap(), &ReadLimits::default()).unwrap_err();
    assert!(matches!(refused, ImageError::Label { index: [1, 0, 1], .. }), "{refused}");
    assert!(matches!(measure(&mask(), &volume, &[]).unwrap_err(), ImageError::Label { .. }));
    assert!(matches!(
        parse_nifti_mask(&encode_nifti_f32(&image()).unwrap(), &ReadLimits::default()).unwrap_err(),
        ImageError::Label { .. }
    ));
}

#[test]
fn grids_that_differ_are_an_error_that_shows_both() {
    let mut near = mask();
    near.geometry.origin_mm[0] += 5e-4;
    assert!(measure(&mask(), &near, &[]).is_ok());
    let mut far = mask();
    far.geometry.spacing_mm[2] = 2.6;
    let refused = measure(&mask(), &far, &[]).unwrap_err().to_string();
    assert!(refused.contains("2.5000 mm") && refused.contains("2.6000 mm"), "{refused}");
}

#[test]
fn quaternions_and_plain_pixel_sizes_give_the_grid_when_there_is_no_sform() {
    let mut file = with(254, &0i16.to_le_bytes());
    let plain = parse_nifti_f32(&file, &ReadLimits::default()).unwrap().geometry;
    assert!(plain.same_grid(&Geometry::axis_aligned([3, 4, 2], [0.75, 1.5, 2.5])), "{plain}");
    file[252..254].copy_from_slice(&1i16.to_le_bytes());
    file[76..80].copy_from_slice(&(-1f32).to_le_bytes());
    // Rotation about z with cosine 0.8: half-angle sine sqrt(0.1).
    let quaternion = [0.0, 0.0, 0.1f32.sqrt(), -12.5, 30.25, 7.0].map(f32::to_le_bytes).concat();
    file[256..280].copy_from_slice(&quaternion);
    let turned = parse_nifti_f32(&file, &ReadLimits::default()).unwrap().geometry;
    assert!(turned.same_grid(&oblique()), "{turned}");
}
