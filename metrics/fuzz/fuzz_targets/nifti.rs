//! NIfTI-1 and NIfTI-2, plain and compressed.
#![no_main]

use fiel_kernels::image::{parse_image_f32, recode_nifti};
use fiel_kernels_fuzz::{gzip, limits, read_in_every_way};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read_in_every_way(bytes);
    let (plain, compressed) = (parse_image_f32(bytes, &limits()), parse_image_f32(&gzip(bytes), &limits()));
    match (plain, compressed) {
        (Ok(plain), Ok(compressed)) => {
            assert_eq!(plain.geometry, compressed.geometry);
            assert!(plain.data.iter().zip(&compressed.data).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        // What is compressed twice is not read.
        (Ok(_), Err(_)) => assert!(bytes.starts_with(&[0x1f, 0x8b])),
        (Err(_), Ok(_)) => panic!("only the compressed file is read"),
        (Err(_), Err(_)) => {}
    }
    if let Ok(clean) = recode_nifti(bytes, &limits()) {
        let (before, after) = (parse_image_f32(bytes, &limits()), parse_image_f32(&clean, &limits()));
        if let (Ok(before), Ok(after)) = (before, after) {
            assert!(before.data.iter().zip(&after.data).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan()));
        }
    }
});
