//! Image files of the field's own writers, files that lie, and laws.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_imports,
    clippy::too_many_lines,
    clippy::format_collect,
    clippy::cast_possible_wrap,
    reason = "a test stops at the first surprise, values are exact, and tables of cases are long"
)]

mod choosing;
mod grids;
mod hostile_dicom;
mod hostile_meta;
mod hostile_nifti;
mod hostile_npy;
mod laws;
mod lengths;
mod written_by_others;

use fiel_kernels::ImageError;
use fiel_kernels::image::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::PathBuf;

/// The folder of files that other packages have written.
fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/files"))
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Limits, and a spacing for files that have none.
fn options() -> ReadOptions {
    ReadOptions { spacing: Some(Spacing::Volume([0.75, 1.25, 2.5])), ..ReadOptions::default() }
}

/// Asserts that bytes are refused because of this field.
#[track_caller]
fn check_field(bytes: &[u8], expected: &str, what: &str) {
    match parse_image_f32(bytes, options()) {
        Err(ImageError::Field { field, .. }) => assert_eq!(field, expected, "{what}"),
        Err(other) => panic!("{what}: {other:?} instead of the field {expected}"),
        Ok(_) => panic!("{what} is read"),
    }
}

/// Asserts that no beginning of a file is read, and that none makes a reader panic.
fn check_truncated(bytes: &[u8]) {
    let steps = (bytes.len() / 997).max(1);
    for end in (0..bytes.len()).step_by(steps) {
        assert!(parse_image_f32(&bytes[..end], options()).is_err(), "{end} of {} bytes", bytes.len());
        assert!(parse_label_runs(&bytes[..end], options()).is_err(), "{end} of {} bytes", bytes.len());
    }
}
