//! NIfTI files that lie, and files that must read back as written.

use super::{check_field, check_truncated, file, gz};
use fiel_kernels::ImageError;
use fiel_kernels::image::*;

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
                    let v = i as $type;
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
    assert!(matches!(
        parse_nifti_mask(&encode_nifti_f32(&image()).unwrap(), &ReadLimits::default()).unwrap_err(),
        ImageError::Label { .. }
    ));
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

#[test]
fn an_error_names_the_field_of_the_header() {
    let float = |v: f32| v.to_le_bytes();
    let plain = |at: usize, bytes: &[u8]| {
        let mut file = with(254, &0i16.to_le_bytes());
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let turned = |at: usize, bytes: &[u8]| {
        let mut file = plain(252, &1i16.to_le_bytes());
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    for (bytes, field) in [
        (with(344, b"ni1\0"), "magic"),
        (with(40, &8i16.to_le_bytes()), "dim[0]"),
        (with(46, &(-1i16).to_le_bytes()), "dim[3]"),
        (with(70, &32i16.to_le_bytes()), "datatype"),
        (with(72, &8i16.to_le_bytes()), "bitpix"),
        (with(108, &float(353.5)), "vox_offset"),
        (with(108, &float(351.0)), "vox_offset"),
        (with(108, &float(1_048_929.0)), "vox_offset"),
        (with(112, &float(f32::INFINITY)), "scl_slope"),
        (with(116, &float(f32::NAN)), "scl_inter"),
        (with(280, &[0; 48]), "sform"),
        (plain(80, &float(0.0)), "pixdim[1]"),
        (plain(84, &float(-1.0)), "pixdim[2]"),
        (plain(88, &float(f32::NAN)), "pixdim[3]"),
        (plain(88, &float(2e6)), "pixdim"),
        (turned(76, &float(f32::NAN)), "pixdim[0]"),
        (turned(256, &float(1.5)), "quatern_b"),
        (turned(268, &float(f32::INFINITY)), "qform"),
    ] {
        check_field(&bytes, field, field);
        check_field(&gz(&bytes), field, field);
    }
    // What is not compressed is told by this field to be a NIfTI file at all.
    check_field(&gz(&with(0, &349i32.to_le_bytes())), "sizeof_hdr", "compressed");
    let refused = parse_nifti_f32(&with(0, &349i32.to_le_bytes()), &ReadLimits::default()).unwrap_err();
    assert!(matches!(refused, ImageError::Field { field: "sizeof_hdr", .. }), "{refused}");
}

#[test]
fn a_nifti_2_header_is_held_against_the_same_rules() {
    let good = file("nifti2_int16_le.nii");
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    for (bytes, field) in [
        (with(4, b"n+1\0"), "magic"),
        (with(4, b"ni2\0\r\n\x1a\n"), "magic"),
        (with(16, &0i64.to_le_bytes()), "dim[0]"),
        (with(24, &i64::MIN.to_le_bytes()), "dim[1]"),
        (with(12, &1536i16.to_le_bytes()), "datatype"),
        (with(14, &8i16.to_le_bytes()), "bitpix"),
        (with(168, &543i64.to_le_bytes()), "vox_offset"),
        (with(168, &i64::MAX.to_le_bytes()), "vox_offset"),
        (with(176, &f64::INFINITY.to_le_bytes()), "scl_slope"),
        (with(184, &f64::INFINITY.to_le_bytes()), "scl_inter"),
        (with(400, &[0; 96]), "sform"),
        (with(400, &f64::MAX.to_le_bytes()), "sform"),
    ] {
        check_field(&bytes, field, field);
    }
    let many = with(24, &[i64::MAX, i64::MAX, i64::MAX].map(i64::to_le_bytes).concat());
    assert!(matches!(
        parse_image_f32(&many, &ReadLimits::default()).unwrap_err(),
        ImageError::TooLarge { .. }
    ));
    let limits = ReadLimits { voxels: u64::MAX, bytes: u64::MAX, ..ReadLimits::default() };
    let many = with(24, &[1i64 << 16, 1 << 15, 2].map(i64::to_le_bytes).concat());
    let refused = parse_image_f32(&many, &limits).unwrap_err();
    assert!(
        matches!(refused, ImageError::TooLarge { found: 4_294_967_296, limit: 2_147_483_648, .. }),
        "{refused}"
    );
}

#[test]
fn a_scaling_that_nifti_1_cannot_hold_is_applied_when_recoding() {
    let mut file = file("nifti2_int16_le.nii");
    file[176..184].copy_from_slice(&0.1f64.to_le_bytes());
    file[184..192].copy_from_slice(&0.3f64.to_le_bytes());
    let before = parse_image_f32(&file, &ReadLimits::default()).unwrap();
    let clean = recode_nifti(&file, &ReadLimits::default()).unwrap();
    assert_eq!(parse_image_f32(&clean, &ReadLimits::default()).unwrap().data, before.data);
    assert_eq!(clean[70..74], [64, 0, 64, 0]);
    // One that it can hold is kept.
    file[176..184].copy_from_slice(&0.5f64.to_le_bytes());
    file[184..192].copy_from_slice(&0.25f64.to_le_bytes());
    let clean = recode_nifti(&file, &ReadLimits::default()).unwrap();
    assert_eq!((clean.len(), &clean[112..116]), (352 + 120, &0.5f32.to_le_bytes()[..]));
}

#[test]
fn no_beginning_of_a_file_is_read() {
    for name in ["nifti1_int16_be.nii", "nifti2_float64_le.nii", "mask.nii.gz", "extension.nii"] {
        check_truncated(&file(name));
    }
}

#[test]
fn gzip_members_follow_each_other_and_nothing_else_does() {
    let bytes = encode_nifti_mask(&mask()).unwrap();
    let limits = ReadLimits::default();
    let parts: Vec<u8> = bytes.chunks(100).flat_map(gz).collect();
    assert_eq!(parse_nifti_mask(&parts, &limits).unwrap().data, mask().data);
    let refused = |bytes: &[u8]| parse_nifti_mask(bytes, &limits).unwrap_err().to_string();
    assert!(refused(&[gz(&bytes), vec![0; 3]].concat()).contains("3 bytes follow"));
    assert!(refused(&[gz(&bytes), vec![0x1f, 0x8b]].concat()).contains("header is damaged"));
    let empty = [gz(&bytes), gz(&[]).repeat(1025)].concat();
    assert!(refused(&empty).contains("are too many"), "{}", refused(&empty));
    assert!(parse_nifti_mask(&[gz(&bytes), gz(&[]).repeat(1000)].concat(), &limits).is_ok());
    // A wrong length with the right checksum.
    let mut damaged = gz(&bytes);
    let length = damaged.len() - 4;
    damaged[length] ^= 1;
    assert!(refused(&damaged).contains("checksum does not match"));
    // Name, remark, extra field and header checksum.
    let compressed = gz(&bytes);
    let mut named = compressed[..10].to_vec();
    named[3] = 2 | 4 | 8 | 16;
    named.extend_from_slice(&[3, 0, 7, 7, 7]);
    named.extend_from_slice(b"mask.nii\0a remark\0");
    let sum = crc32fast::hash(&named).to_le_bytes();
    named.extend_from_slice(&sum[..2]);
    named.extend_from_slice(&compressed[10..]);
    assert_eq!(parse_nifti_mask(&named, &limits).unwrap().data, mask().data);
    for end in 0..36 {
        assert!(parse_nifti_mask(&named[..end], &limits).is_err());
    }
    named[11] ^= 1;
    assert!(refused(&named).contains("is damaged"), "{}", refused(&named));
    named[11] ^= 1;
    named[16] ^= 1;
    assert!(refused(&named).contains("the header's checksum does not match"));
    named[3] |= 32;
    assert!(refused(&named).contains("header is damaged"));
}
