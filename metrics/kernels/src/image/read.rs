//! Reading voxels, never more than the header declared and the caller allows.

use super::header::{DATA_START, Datatype, Header};
use super::write::assemble;
use super::{ReadLimits, Volume};
use crate::error::ImageError;
use flate2::read::GzDecoder;
use rayon::prelude::*;
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

/// No deflate stream expands more than this: a larger claim cannot be true.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Reads an image as floating-point values, scaled as its header says.
pub fn read_nifti_f32(path: &Path, limits: &ReadLimits) -> Result<Volume<f32>, ImageError> {
    from_file(path, limits, parse_nifti_f32)
}

/// Reads a mask: every voxel must be 0 or 1, whatever type they are stored in.
pub fn read_nifti_mask(path: &Path, limits: &ReadLimits) -> Result<Volume<u8>, ImageError> {
    from_file(path, limits, parse_nifti_mask)
}

/// [`read_nifti_f32`] for the bytes of a `.nii` or `.nii.gz` file.
pub fn parse_nifti_f32(bytes: &[u8], limits: &ReadLimits) -> Result<Volume<f32>, ImageError> {
    let (header, data) = open(bytes, limits)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "values are returned in single precision by contract"
    )]
    let data = values(&header, &data).map(|v| v as f32).collect();
    Ok(Volume { geometry: header.geometry, data })
}

/// [`read_nifti_mask`] for the bytes of a `.nii` or `.nii.gz` file.
pub fn parse_nifti_mask(bytes: &[u8], limits: &ReadLimits) -> Result<Volume<u8>, ImageError> {
    let (header, data) = open(bytes, limits)?;
    let [x, y, _] = header.geometry.shape;
    let data = values(&header, &data)
        .enumerate()
        .map(|(i, v)| match v {
            0.0 => Ok(0),
            1.0 => Ok(1),
            _ => Err(ImageError::Label { index: [i % x, i / x % y, i / x / y], value: v }),
        })
        .collect::<Result<Vec<u8>, _>>()?;
    Ok(Volume { geometry: header.geometry, data })
}

/// Writes the same voxels, in the same type and scaling, below a clean uncompressed header: nothing of the
/// original header but its grid survives (no description, no extension, no file name).
pub fn recode_nifti(bytes: &[u8], limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    let (header, data) = open(bytes, limits)?;
    let mut data = data.into_owned();
    if header.big_endian {
        for voxel in data.chunks_exact_mut(header.datatype.size()) {
            voxel.reverse();
        }
    }
    Ok(assemble(&header.geometry, header.datatype, header.slope, header.intercept, &data))
}

fn from_file<T>(
    path: &Path,
    limits: &ReadLimits,
    parse: impl Fn(&[u8], &ReadLimits) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let bytes = file_bytes(path, limits)?;
    parse(&bytes, limits).map_err(|e| ImageError::File { path: path.to_owned(), source: Box::new(e) })
}

fn file_bytes(path: &Path, limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(io)?;
    if !found.is_file() {
        return Err(io(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let too_large = |found| ImageError::File {
        path: path.to_owned(),
        source: Box::new(ImageError::TooLarge {
            what: "the file's size in bytes",
            found,
            limit: limits.file_bytes,
        }),
    };
    if found.len() > limits.file_bytes {
        return Err(too_large(found.len()));
    }
    let file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    file.take(limits.file_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limits.file_bytes {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// The checked header and exactly the bytes of the voxels.
fn open<'a>(bytes: &'a [u8], limits: &ReadLimits) -> Result<(Header, Cow<'a, [u8]>), ImageError> {
    if bytes.len() as u64 > limits.file_bytes {
        return Err(ImageError::TooLarge {
            what: "the file's size in bytes",
            found: bytes.len() as u64,
            limit: limits.file_bytes,
        });
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let (header, data) = inflate(bytes, limits)?;
        return Ok((header, Cow::Owned(data)));
    }
    let header = Header::parse(bytes, limits)?;
    let declared = header.offset + header.data_bytes();
    if bytes.len() != declared {
        return Err(ImageError::Data(format!(
            "the file has {} bytes, its header declares {declared}",
            bytes.len()
        )));
    }
    let data = &bytes[header.offset..];
    Ok((header, Cow::Borrowed(data)))
}

fn inflate(bytes: &[u8], limits: &ReadLimits) -> Result<(Header, Vec<u8>), ImageError> {
    let damaged = |e: std::io::Error| ImageError::Data(format!("gzip: {e}"));
    let mut stream = GzDecoder::new(bytes);
    let mut head = [0u8; DATA_START];
    stream.read_exact(&mut head).map_err(damaged)?;
    let header = Header::parse(&head, limits)?;
    let declared = (header.offset + header.data_bytes()) as u64;
    if declared > (bytes.len() as u64).saturating_mul(MAX_DEFLATE_RATIO) {
        return Err(ImageError::Data(format!(
            "{} compressed bytes cannot hold the {declared} that the header declares",
            bytes.len()
        )));
    }
    let extensions = (header.offset - DATA_START) as u64;
    let skipped =
        std::io::copy(&mut (&mut stream).take(extensions), &mut std::io::sink()).map_err(damaged)?;
    let mut data = Vec::with_capacity(header.data_bytes());
    (&mut stream).take(header.data_bytes() as u64).read_to_end(&mut data).map_err(damaged)?;
    if skipped < extensions || data.len() < header.data_bytes() {
        return Err(ImageError::Data(format!(
            "the file decompresses to {} bytes, its header declares {declared}",
            DATA_START as u64 + skipped + data.len() as u64
        )));
    }
    // Reading past the end also lets the decoder verify its checksum.
    if stream.read(&mut [0u8]).map_err(damaged)? != 0 {
        return Err(ImageError::Data(format!(
            "the file holds more than the {declared} bytes that its header declares"
        )));
    }
    Ok((header, data))
}

/// The scaled values, in file order.
#[expect(clippy::float_cmp, reason = "a header without scaling says exactly 1 and 0")]
fn values<'a>(header: &Header, data: &'a [u8]) -> impl IndexedParallelIterator<Item = f64> + 'a {
    let (datatype, big, slope, intercept) =
        (header.datatype, header.big_endian, header.slope, header.intercept);
    let plain = slope == 1.0 && intercept == 0.0;
    data.par_chunks_exact(datatype.size()).with_min_len(1 << 14).map(move |voxel| {
        let stored = stored(datatype, big, voxel);
        if plain { stored } else { stored * slope + intercept }
    })
}

fn stored(datatype: Datatype, big_endian: bool, voxel: &[u8]) -> f64 {
    macro_rules! number {
        ($type:ty) => {{
            // Chunks are exactly as long as the type.
            let mut bytes = [0u8; size_of::<$type>()];
            bytes.copy_from_slice(voxel);
            f64::from(if big_endian { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) })
        }};
    }
    match datatype {
        Datatype::U8 => f64::from(voxel[0]),
        Datatype::I8 => number!(i8),
        Datatype::I16 => number!(i16),
        Datatype::U16 => number!(u16),
        Datatype::I32 => number!(i32),
        Datatype::F32 => number!(f32),
        Datatype::F64 => number!(f64),
    }
}
