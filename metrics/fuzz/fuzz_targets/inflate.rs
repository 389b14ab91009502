//! The decompressor of the image readers against zlib-rs: the same bytes, and the same streams refused.
#![no_main]

use fiel_kernels::image::parse_labels;
use fiel_kernels_fuzz::limits;
use flate2::{Decompress, FlushDecompress, Status};
use libfuzzer_sys::fuzz_target;
use std::num::Wrapping;

/// Most bytes that a stream may hold here.
const MOST: usize = 1 << 20;

fuzz_target!(|stream: &[u8]| {
    let mut expected = vec![0; MOST];
    let mut inflate = Decompress::new(false);
    let status = inflate.decompress(stream, &mut expected, FlushDecompress::Finish);
    expected.truncate(inflate.total_out() as usize);
    let used = inflate.total_in() as usize;
    match status {
        // An image has voxels.
        Ok(Status::StreamEnd) if expected.is_empty() => {}
        Ok(Status::StreamEnd) => {
            let mut image = image(&stream[..used], expected.len());
            image.extend_from_slice(&adler32(&expected).to_be_bytes());
            let read = parse_labels::<u8>(&image, &limits()).expect("zlib reads it");
            assert!(read.data == expected);
        }
        Ok(_) if expected.len() == MOST => {}
        _ => {
            // More voxels than zlib found before it gave up. Without a checksum: who takes the stream for whole misses that.
            let image = image(stream, expected.len() + 1000);
            let found = parse_labels::<u8>(&image, &limits()).expect_err("zlib refuses it").to_string();
            let refusals = ["damaged compressed data", "end too early", "cannot hold"];
            assert!(refusals.iter().any(|text| found.contains(text)), "{found}");
        }
    }
});

/// A MetaImage of so many voxels, compressed as that stream, without the checksum at its end.
fn image(stream: &[u8], voxels: usize) -> Vec<u8> {
    let mut image = format!(
        "ObjectType = Image\nNDims = 3\nDimSize = {voxels} 1 1\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n\
         CompressedData = True\nElementDataFile = LOCAL\n"
    )
    .into_bytes();
    image.extend_from_slice(&[0x78, 0x01]);
    image.extend_from_slice(stream);
    image
}

/// RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (Wrapping(1u32), Wrapping(0u32));
    for &byte in bytes {
        a = (a + Wrapping(u32::from(byte))) % Wrapping(65521);
        b = (b + a) % Wrapping(65521);
    }
    b.0 << 16 | a.0
}
