//! Which format a file is of.

use super::{check_field, file, folder, options};
use fiel_kernels::ImageError;
use fiel_kernels::image::*;

#[test]
fn content_decides_and_the_extension_must_agree() {
    let temporary = tempfile::tempdir().unwrap();
    let place = |from: &str, to: &str| {
        let path = temporary.path().join(to);
        std::fs::copy(folder().join(from), &path).unwrap();
        path
    };
    for (from, to) in [
        ("mask.nii.gz", "a.nii"),
        ("nifti2_uint8_be.nii", "a.NII.GZ"),
        ("mask.nii.gz", "without_extension"),
        ("meta_uint8.mha", "b.mhd"),
        ("meta_uint8.mha", "b.unknown"),
        ("npy_uint8_C_le.npy", "c"),
        ("seg_binary.dcm", "1.2.3"),
    ] {
        assert!(read_image_f32(&place(from, to), options()).is_ok(), "{from} as {to}");
    }
    for (from, to) in [
        ("mask.nii.gz", "a.mha"),
        ("mask.nii.gz", "a.dcm"),
        ("meta_uint8.mha", "b.nii.gz"),
        ("npy_uint8_C_le.npy", "c.nii"),
        ("seg_binary.dcm", "d.npy"),
        ("make.py", "e.nii"),
        ("make.py", "e.py"),
    ] {
        match read_image_f32(&place(from, to), options()).unwrap_err() {
            ImageError::File { path, source } => {
                assert!(path.ends_with(to));
                assert!(matches!(*source, ImageError::Field { field: "the content", .. }), "{source}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn formats_are_told_by_their_first_bytes() {
    for (name, format) in [
        ("mask.nii.gz", Format::Nifti),
        ("nifti1_int8_le.nii", Format::Nifti),
        ("nifti1_int8_be.nii", Format::Nifti),
        ("nifti2_int8_le.nii", Format::Nifti),
        ("nifti2_int8_be.nii", Format::Nifti),
        ("meta_int8.mha", Format::MetaImage),
        ("meta_mask.mhd", Format::MetaImage),
        ("npy_bool_C_le.npy", Format::Npy),
        ("seg_mask.dcm", Format::DicomSeg),
    ] {
        assert_eq!(Format::of_bytes(&file(name)), Some(format), "{name}");
        assert_eq!(Format::of_name(name.as_ref()), Some(format), "{name}");
    }
    for bytes in [&b""[..], b"abc", b"NDims", b"= NDims", &[0; 600]] {
        assert_eq!(Format::of_bytes(bytes), None, "{bytes:?}");
        check_field(bytes, "the content", "unknown bytes");
    }
    assert_eq!(Format::of_name("..".as_ref()), None);
}

#[test]
fn files_that_are_missing_or_too_large_or_folders_are_refused_by_name() {
    let temporary = tempfile::tempdir().unwrap();
    let missing = temporary.path().join("missing.nii");
    assert!(
        matches!(read_mask(&missing, options()).unwrap_err(), ImageError::Io { path, .. } if path == missing)
    );
    assert!(matches!(read_mask(temporary.path(), options()).unwrap_err(), ImageError::Io { .. }));
    let length = file("mask.nii.gz").len() as u64;
    for (file_bytes, fine) in [(length, true), (length - 1, false)] {
        let limits = ReadLimits { file_bytes, ..ReadLimits::default() };
        assert_eq!(read_mask(&folder().join("mask.nii.gz"), &limits).is_ok(), fine);
        assert_eq!(parse_mask(&file("mask.nii.gz"), &limits).is_ok(), fine);
    }
    let segments = parse_image_i16(&file("seg_binary.dcm"), options()).unwrap_err();
    assert!(matches!(segments, ImageError::Field { format: "DICOM", .. }), "{segments}");
}
