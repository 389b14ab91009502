//! Writing MetaImage: one uncompressed `.mha`, the same bytes for the same image every time.

use super::super::raster::{Raster, check_size};
use super::super::stored::{Single, Stored};
use super::super::{Geometry, ReadLimits, nifti};
use crate::error::ImageError;

/// Writes the voxels of a NIfTI file below a clean MetaImage header (`.mha`, uncompressed): in the type they are stored
/// in, or in single precision where the NIfTI header scales them, since readers disagree about scaling in MetaImage.
/// Only the grid survives of the original header, turned from NIfTI's RAS+ to the LPS+ of ITK.
///
/// # Errors
/// As [`parse_nifti_f32`](super::super::parse_nifti_f32).
///
/// ```
/// use fiel_kernels::image::*;
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// let bytes = encode_meta_image(&encode_nifti_mask(&mask).unwrap(), &ReadLimits::default()).unwrap();
/// assert!(bytes.starts_with(b"ObjectType = Image\n"));
/// assert_eq!(parse_mask(&bytes, &ReadLimits::default()).unwrap(), mask);
/// ```
pub fn encode_meta_image(nifti: &[u8], limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    let raster = nifti::open(nifti, limits)?;
    let (geometry, encoding) = (raster.geometry.clone(), raster.encoding);
    let (kind, data) = if encoding.scale.is_none() {
        (encoding.kind, raster.little_endian_bytes()?)
    } else {
        (Stored::F32, scaled(raster, limits)?)
    };
    let mut bytes = header(&geometry, kind).into_bytes();
    bytes.extend_from_slice(&data);
    Ok(bytes)
}

fn scaled(raster: Raster<'_>, limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    check_size(raster.geometry.shape, Stored::F32, limits)?;
    Ok(raster.volume::<Single>()?.data.into_iter().flat_map(f32::to_le_bytes).collect())
}

fn header(geometry: &Geometry, kind: Stored) -> String {
    let Geometry { shape, spacing_mm, origin_mm, direction, .. } = geometry;
    // Not a negation: zero must not become minus zero.
    let turned = |row: usize, value: f64| if row < 2 { 0.0 - value } else { value };
    // The direction of the first axis, then that of the second, ...
    let matrix: [f64; 9] = std::array::from_fn(|i| turned(i % 3, direction[i % 3 * 3 + i / 3]));
    let origin: [f64; 3] = std::array::from_fn(|row| turned(row, origin_mm[row]));
    format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
         TransformMatrix = {}\nOffset = {}\nCenterOfRotation = 0 0 0\nElementSpacing = {}\nDimSize = {}\n\
         ElementType = {}\nElementDataFile = LOCAL\n",
        list(&matrix),
        list(&origin),
        list(spacing_mm),
        list(shape),
        element_type(kind)
    )
}

fn list(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn element_type(kind: Stored) -> &'static str {
    match kind {
        Stored::U8 => "MET_UCHAR",
        Stored::I8 => "MET_CHAR",
        Stored::U16 => "MET_USHORT",
        Stored::I16 => "MET_SHORT",
        Stored::U32 => "MET_UINT",
        Stored::I32 => "MET_INT",
        Stored::U64 => "MET_ULONG_LONG",
        Stored::I64 => "MET_LONG_LONG",
        Stored::F32 => "MET_FLOAT",
        Stored::F64 => "MET_DOUBLE",
    }
}
