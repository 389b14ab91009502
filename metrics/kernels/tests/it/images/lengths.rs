//! An error about a file's length says how many bytes there are and how many there should be.

use super::gz;
use fiel_kernels::ImageError;
use fiel_kernels::image::*;

/// A header of 352 bytes and 24 voxels of 4: 448 bytes.
fn image() -> Vec<u8> {
    let geometry = Geometry::axis_aligned([4, 3, 2], [1.0; 3]);
    encode_nifti_f32(&Volume { data: vec![1.5; geometry.voxels()], geometry }).unwrap()
}

#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    match parse_image_f32(bytes, &ReadLimits::default()) {
        Err(ImageError::Data(message)) => assert!(message.contains(expected), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_too_short_says_by_how_much() {
    check(&image()[..447], "the file has 447 bytes, its header declares 448");
    check(&[image(), vec![0; 5]].concat(), "the file has 453 bytes, its header declares 448");
    check(&gz(&image()[..447]), "the file holds 447 bytes, its header declares 448");
    check(&gz(&[image(), vec![0; 5]].concat()), "the file holds more than the 448 bytes");
}

#[test]
fn extensions_that_are_cut_off_say_by_how_much() {
    for (offset, length) in [(368, 360), (352 + 4096 + 16, 352 + 4096 + 9), (352 + 8192, 352 + 8191)] {
        let mut file = image();
        file[108..112].copy_from_slice(&(offset as f32).to_le_bytes());
        file.splice(352..352, vec![7; offset - 352]);
        assert!(parse_image_f32(&file, &ReadLimits::default()).is_ok());
        assert!(parse_image_f32(&gz(&file), &ReadLimits::default()).is_ok());
        let expected = format!("the file holds {length} bytes, its header declares {offset}");
        check(&file[..length], &expected);
        check(&gz(&file[..length]), &expected);
    }
}

#[test]
fn compressed_bytes_are_believed_as_far_as_deflate_goes() {
    let mut file = image();
    let declared = 1000 * 1000 * 100 * 4u64 + 352;
    file[40..48].copy_from_slice(&[3i16, 1000, 1000, 100].map(i16::to_le_bytes).concat());
    let compressed = gz(&file);
    let refused = parse_image_f32(&compressed, &ReadLimits::default()).unwrap_err().to_string();
    // The header of a gzip member takes ten bytes.
    let expected = format!("{} compressed bytes cannot hold the {declared}", compressed.len() - 10);
    assert!(refused.contains(&expected), "{refused}");
}
