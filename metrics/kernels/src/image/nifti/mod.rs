//! NIfTI-1 and NIfTI-2 in a single file, plain or compressed.
//!
//! Source: the headers `nifti1.h` and `nifti2.h` of the NIfTI Data Format Working Group.

mod grid;
mod header;
mod write;

pub use write::{
    encode_nifti_f32, encode_nifti_i16, encode_nifti_mask, write_nifti_f32, write_nifti_i16, write_nifti_mask,
};

use super::raster::{Raster, check_size};
use super::read::{check_file_size, from_file};
use super::stored::{Double, Encoding, Mask, Single, Stored};
use super::stream::Stream;
use super::{ReadLimits, Volume};
use crate::error::ImageError;
use header::Header;
use std::path::Path;

/// Reads an image as floating-point values, scaled as its header says.
///
/// # Errors
/// [`ImageError::Io`] if the file cannot be read, else [`ImageError::File`], naming it, around what
/// [`parse_nifti_f32`] says.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_nifti_f32, write_nifti_i16};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, -300, 0] };
/// write_nifti_i16(&path, &map).unwrap();
/// assert_eq!(read_nifti_f32(&path, &ReadLimits::default()).unwrap().data, [0.0, 1.0, -300.0, 0.0]);
/// ```
pub fn read_nifti_f32(path: &Path, limits: &ReadLimits) -> Result<Volume<f32>, ImageError> {
    from_file(path, limits, |bytes| parse_nifti_f32(bytes, limits))
}

/// Reads a mask: every voxel must be 0 or 1, whatever type they are stored in.
///
/// # Errors
/// [`ImageError::Io`] if the file cannot be read, else [`ImageError::File`], naming it, around what
/// [`parse_nifti_mask`] says.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_nifti_mask, write_nifti_mask};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// write_nifti_mask(&path, &mask).unwrap();
/// assert_eq!(read_nifti_mask(&path, &ReadLimits::default()).unwrap(), mask);
/// ```
pub fn read_nifti_mask(path: &Path, limits: &ReadLimits) -> Result<Volume<u8>, ImageError> {
    from_file(path, limits, |bytes| parse_nifti_mask(bytes, limits))
}

/// [`read_nifti_f32`] for the bytes of a `.nii` or `.nii.gz` file.
///
/// # Errors
/// [`ImageError::Field`] for a header that is damaged or of a kind that is not read, [`ImageError::TooLarge`] beyond
/// the limits, [`ImageError::Data`] for voxels that are damaged or missing. Values may be NaN or infinite.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_i16, parse_nifti_f32};
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, -300, 0] };
/// let bytes = encode_nifti_i16(&map).unwrap();
/// assert_eq!(parse_nifti_f32(&bytes, &ReadLimits::default()).unwrap().data, [0.0, 1.0, -300.0, 0.0]);
/// ```
pub fn parse_nifti_f32(bytes: &[u8], limits: &ReadLimits) -> Result<Volume<f32>, ImageError> {
    open(bytes, limits)?.volume::<Single>()
}

/// [`read_nifti_mask`] for the bytes of a `.nii` or `.nii.gz` file.
///
/// # Errors
/// As [`parse_nifti_f32`], but [`ImageError::Label`], with its place, for a voxel that is neither 0 nor 1.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_mask, parse_nifti_mask};
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// let bytes = encode_nifti_mask(&mask).unwrap();
/// assert_eq!(parse_nifti_mask(&bytes, &ReadLimits::default()).unwrap(), mask);
/// ```
pub fn parse_nifti_mask(bytes: &[u8], limits: &ReadLimits) -> Result<Volume<u8>, ImageError> {
    open(bytes, limits)?.volume::<Mask>()
}

/// Writes the same voxels, in the same type and scaling, below a clean uncompressed NIfTI-1 header: nothing of
/// the original header but its grid survives (no description, no extension, no file name). Where NIfTI-1 cannot hold
/// a NIfTI-2 file's scaling, the scaled values are written in double precision.
///
/// # Errors
/// As [`parse_nifti_f32`]; [`ImageError::Header`] for an axis that NIfTI-1 cannot tell (more than 32,767 voxels).
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_mask, recode_nifti};
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// let mut bytes = encode_nifti_mask(&mask).unwrap();
/// let clean = bytes.clone();
/// bytes[148..156].copy_from_slice(b"Jane Doe");
/// assert_eq!(recode_nifti(&bytes, &ReadLimits::default()).unwrap(), clean);
/// ```
pub fn recode_nifti(bytes: &[u8], limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    let raster = open(bytes, limits)?;
    write::check_axes(&raster.geometry)?;
    let (geometry, mut encoding) = (raster.geometry.clone(), raster.encoding);
    let data = if write::keeps_scale(encoding) {
        raster.little_endian_bytes()?
    } else {
        check_size(geometry.shape, Stored::F64, limits)?;
        encoding = Encoding { kind: Stored::F64, big_endian: false, scale: None };
        raster.volume::<Double>()?.data.into_iter().flat_map(f64::to_le_bytes).collect()
    };
    Ok(write::assemble(&geometry, encoding, &data))
}

/// The checked header, before the voxels are read.
pub(super) fn open<'a>(bytes: &'a [u8], limits: &ReadLimits) -> Result<Raster<'a>, ImageError> {
    check_file_size(bytes.len() as u64, limits)?;
    let mut stream =
        if bytes.starts_with(&[0x1f, 0x8b]) { Stream::gzip(bytes)? } else { Stream::plain(bytes) };
    let mut head = [0u8; header::DATA_START_2];
    let mut known = stream.read(&mut head[..header::DATA_START])?;
    let length = header::length(&head[..known]);
    if known == header::DATA_START {
        known += stream.read(&mut head[known..length])?;
    }
    let header = Header::parse(&head[..known], limits)?;
    stream.skip(header.offset - length)?;
    Ok(Raster { geometry: header.geometry, encoding: header.encoding, last_axis_first: false, stream })
}
