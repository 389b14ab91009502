//! Writing NIfTI-1: little-endian, a clean header, the same bytes for the same image every time.

use super::super::stored::{Encoding, Stored};
use super::super::{Geometry, Volume};
use super::header::{DATA_START, HEADER, code};
use crate::error::ImageError;
use flate2::{Compression, GzBuilder};
use std::io::Write;
use std::path::Path;

/// Writes a floating-point image, compressed if the name ends in `.gz`.
///
/// # Errors
/// As [`encode_nifti_f32`]; [`ImageError::Io`] if the file cannot be written.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_nifti_f32, write_nifti_f32};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let image = Volume { geometry: Geometry::axis_aligned([2, 1, 1], [1.0; 3]), data: vec![0.5, -1.5f32] };
/// write_nifti_f32(&path, &image).unwrap();
/// assert_eq!(read_nifti_f32(&path, &ReadLimits::default()).unwrap(), image);
/// ```
pub fn write_nifti_f32(path: &Path, volume: &Volume<f32>) -> Result<(), ImageError> {
    to_file(path, &encode_nifti_f32(volume)?)
}

/// Writes an image of 16-bit integers, compressed if the name ends in `.gz`.
///
/// # Errors
/// As [`encode_nifti_i16`]; [`ImageError::Io`] if the file cannot be written.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_image_i16, write_nifti_i16};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let image = Volume { geometry: Geometry::axis_aligned([2, 1, 1], [1.0; 3]), data: vec![40, -1000i16] };
/// write_nifti_i16(&path, &image).unwrap();
/// assert_eq!(read_image_i16(&path, &ReadLimits::default()).unwrap(), image);
/// ```
pub fn write_nifti_i16(path: &Path, volume: &Volume<i16>) -> Result<(), ImageError> {
    to_file(path, &encode_nifti_i16(volume)?)
}

/// Writes a mask, compressed if the name ends in `.gz`.
///
/// # Errors
/// As [`encode_nifti_mask`]; [`ImageError::Io`] if the file cannot be written.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_nifti_mask, write_nifti_mask};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// write_nifti_mask(&path, &mask).unwrap();
/// assert_eq!(read_nifti_mask(&path, &ReadLimits::default()).unwrap(), mask);
/// ```
pub fn write_nifti_mask(path: &Path, volume: &Volume<u8>) -> Result<(), ImageError> {
    to_file(path, &encode_nifti_mask(volume)?)
}

/// The bytes of an uncompressed floating-point image.
///
/// # Errors
/// [`ImageError::Data`] if there is not a voxel for each place of the grid, [`ImageError::Header`] for an axis of no
/// or of more than 32,767 voxels.
///
/// ```
/// use fiel_kernels::image::{Geometry, Volume, encode_nifti_f32};
/// let image = Volume { geometry: Geometry::axis_aligned([2, 1, 1], [1.0; 3]), data: vec![0.5, -1.5f32] };
/// assert_eq!(encode_nifti_f32(&image).unwrap().len(), 352 + 2 * 4);
/// ```
pub fn encode_nifti_f32(volume: &Volume<f32>) -> Result<Vec<u8>, ImageError> {
    encode(volume, Stored::F32, f32::to_le_bytes)
}

/// The bytes of an uncompressed image of 16-bit integers.
///
/// # Errors
/// As [`encode_nifti_f32`].
///
/// ```
/// use fiel_kernels::image::{Geometry, Volume, encode_nifti_i16};
/// let image = Volume { geometry: Geometry::axis_aligned([2, 1, 1], [1.0; 3]), data: vec![40, -1000i16] };
/// assert_eq!(encode_nifti_i16(&image).unwrap().len(), 352 + 2 * 2);
/// ```
pub fn encode_nifti_i16(volume: &Volume<i16>) -> Result<Vec<u8>, ImageError> {
    encode(volume, Stored::I16, i16::to_le_bytes)
}

/// The bytes of an uncompressed mask.
///
/// # Errors
/// As [`encode_nifti_f32`].
///
/// ```
/// use fiel_kernels::image::{Geometry, Volume, encode_nifti_mask};
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// assert_eq!(encode_nifti_mask(&mask).unwrap().len(), 352 + 4);
/// ```
pub fn encode_nifti_mask(volume: &Volume<u8>) -> Result<Vec<u8>, ImageError> {
    encode(volume, Stored::U8, |v| [v])
}

fn encode<T: Copy, const N: usize>(
    volume: &Volume<T>,
    kind: Stored,
    bytes: impl Fn(T) -> [u8; N],
) -> Result<Vec<u8>, ImageError> {
    let geometry = &volume.geometry;
    if volume.data.len() != geometry.voxels() {
        return Err(ImageError::Data(format!(
            "{} voxels for a grid of {}",
            volume.data.len(),
            geometry.voxels()
        )));
    }
    check_axes(geometry)?;
    let data: Vec<u8> = volume.data.iter().flat_map(|&v| bytes(v)).collect();
    Ok(assemble(geometry, Encoding { kind, big_endian: false, scale: None }, &data))
}

/// Whether NIfTI-1 can tell the axes' lengths.
pub(super) fn check_axes(geometry: &Geometry) -> Result<(), ImageError> {
    match geometry.shape.iter().find(|&&n| n == 0 || i16::try_from(n).is_err()) {
        Some(n) => Err(ImageError::Header(format!("an axis of {n} voxels; NIfTI-1 allows 1 to 32767"))),
        None => Ok(()),
    }
}

/// Whether the scaling is the same in single precision.
#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "what is lost is the question")]
pub(super) fn keeps_scale(encoding: Encoding) -> bool {
    encoding.scale.is_none_or(|(slope, intercept)| {
        f64::from(slope as f32) == slope && f64::from(intercept as f32) == intercept
    })
}

/// A header for this grid, followed by the voxels.
pub(super) fn assemble(geometry: &Geometry, encoding: Encoding, data: &[u8]) -> Vec<u8> {
    let (slope, intercept) = encoding.scale.unwrap_or((1.0, 0.0));
    let mut out = vec![0u8; DATA_START];
    out.reserve_exact(data.len());
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the header stores single precision")]
    let float = |v: f64| (v as f32).to_le_bytes();
    put(0, &348i32.to_le_bytes());
    put(40, &if geometry.plane { 2i16 } else { 3 }.to_le_bytes());
    for axis in 0..3 {
        // Both callers have checked that every axis fits.
        let length = i16::try_from(geometry.shape[axis]).unwrap_or(i16::MAX);
        put(42 + 2 * axis, &length.to_le_bytes());
        put(80 + 4 * axis, &float(geometry.spacing_mm[axis]));
    }
    for axis in 3..7 {
        put(42 + 2 * axis, &1i16.to_le_bytes());
    }
    put(70, &code(encoding.kind).to_le_bytes());
    let bits = [8i16, 16, 32, 64][encoding.kind.size().ilog2() as usize];
    put(72, &bits.to_le_bytes());
    put(76, &float(1.0));
    put(108, &float(DATA_START as f64));
    put(112, &float(slope));
    put(116, &float(intercept));
    // Millimetres.
    put(123, &[2]);
    // Scanner-anatomical sform; the qform stays unset, so that the two cannot disagree.
    put(254, &1i16.to_le_bytes());
    for row in 0..3 {
        for axis in 0..3 {
            let value = geometry.direction[row * 3 + axis] * geometry.spacing_mm[axis];
            put(280 + 16 * row + 4 * axis, &float(value));
        }
        put(280 + 16 * row + 12, &float(geometry.origin_mm[row]));
    }
    put(HEADER - 4, b"n+1\0");
    out.extend_from_slice(data);
    out
}

fn to_file(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")) {
        // No time, no name, a fixed operating-system byte: the bytes depend on the image alone.
        let mut gz = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
        gz.write_all(bytes).map_err(io)?;
        std::fs::write(path, gz.finish().map_err(io)?).map_err(io)
    } else {
        std::fs::write(path, bytes).map_err(io)
    }
}
