//! The headers of NIfTI-1 and NIfTI-2, checked field by field before anything is allocated for the voxels.

use super::super::raster::check_size;
use super::super::stored::{Encoding, Stored};
use super::super::{Geometry, ReadLimits};
use super::grid;
use crate::error::ImageError;

/// Length of a NIfTI-1 header.
pub(super) const HEADER: usize = 348;
/// First byte of the voxels in a single NIfTI-1 file without extensions.
pub(super) const DATA_START: usize = 352;
/// The same for NIfTI-2.
pub(super) const DATA_START_2: usize = 544;
/// Extensions are skipped unread, up to this many bytes.
const MAX_EXTENSIONS: f64 = 1_048_576.0;

/// NIfTI's number of a type.
pub(super) fn code(kind: Stored) -> i16 {
    match kind {
        Stored::U8 => 2,
        Stored::I16 => 4,
        Stored::I32 => 8,
        Stored::F32 => 16,
        Stored::F64 => 64,
        Stored::I8 => 256,
        Stored::U16 => 512,
        Stored::U32 => 768,
        Stored::I64 => 1024,
        Stored::U64 => 1280,
    }
}

/// What a checked header says.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub geometry: Geometry,
    pub encoding: Encoding,
    /// First byte of the voxels.
    pub offset: usize,
}

/// Bytes that the header takes, extension flags included, by its first four bytes.
pub(super) fn length(bytes: &[u8]) -> usize {
    match bytes.first_chunk::<4>() {
        Some(size) if i32::from_le_bytes(*size) == 540 || i32::from_be_bytes(*size) == 540 => DATA_START_2,
        _ => DATA_START,
    }
}

impl Header {
    /// Reads and checks a header.
    pub(super) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Self, ImageError> {
        let fields = Fields::new(bytes)?;
        let shape = shape(&fields)?;
        let kind = kind(&fields)?;
        check_size(shape, kind, limits)?;
        let offset = offset(&fields)?;
        let scale = scaling(&fields)?;
        let geometry = Geometry { plane: fields.dim(0) < 3, ..grid::geometry(&fields, shape)? };
        Ok(Self { geometry, encoding: Encoding { kind, big_endian: fields.big_endian, scale }, offset })
    }
}

/// Reads fields of either version.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    two: bool,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let Some(size) = bytes.first_chunk::<4>().filter(|_| bytes.len() >= length(bytes)) else {
            let problem =
                format!("is cut off: {} bytes are too few for a header of {}", bytes.len(), length(bytes));
            return Err(ImageError::Field { format: "NIfTI-1", field: "the header", problem });
        };
        let (big_endian, two) = match (i32::from_le_bytes(*size), i32::from_be_bytes(*size)) {
            (348, _) => (false, false),
            (_, 348) => (true, false),
            (540, _) => (false, true),
            (_, 540) => (true, true),
            (found, _) => {
                let problem = format!("is {found}, neither 348 (NIfTI-1) nor 540 (NIfTI-2)");
                return Err(ImageError::Field { format: "NIfTI-1", field: "sizeof_hdr", problem });
            }
        };
        let fields = Self { bytes, big_endian, two };
        let (magic, single): (&[u8], &[u8]) =
            if two { (&bytes[4..12], b"n+2\0\r\n\x1a\n") } else { (&bytes[344..348], b"n+1\0") };
        if magic == single {
            Ok(fields)
        } else if magic.starts_with(b"ni") {
            fields
                .bad("magic", "says that data are in a second file (.hdr/.img); join them as .nii".to_owned())
        } else {
            fields.bad("magic", format!("is \"{}\", not that of a single file", magic.escape_ascii()))
        }
    }

    pub(super) fn bad<T>(&self, field: &'static str, problem: String) -> Result<T, ImageError> {
        Err(ImageError::Field { format: self.format(), field, problem })
    }

    pub(super) fn format(&self) -> &'static str {
        if self.two { "NIfTI-2" } else { "NIfTI-1" }
    }

    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[at..at + N]);
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.take(at))
    }

    /// A code: 16 bits in NIfTI-1, 32 in NIfTI-2.
    pub(super) fn code(&self, one: usize, two: usize) -> i32 {
        if self.two { i32::from_le_bytes(self.take(two)) } else { i32::from(self.i16(one)) }
    }

    /// The number at `index` of a list of floating-point numbers: single precision in NIfTI-1, double in NIfTI-2.
    pub(super) fn float(&self, one: usize, two: usize, index: usize) -> f64 {
        if self.two {
            f64::from_le_bytes(self.take(two + 8 * index))
        } else {
            f64::from(f32::from_le_bytes(self.take(one + 4 * index)))
        }
    }

    /// The low three bits of `xyzt_units`, in millimetres.
    pub(super) fn unit_mm(&self) -> f64 {
        let units = if self.two { i32::from_le_bytes(self.take(500)) } else { i32::from(self.bytes[123]) };
        match units & 7 {
            1 => 1000.0,
            3 => 0.001,
            _ => 1.0,
        }
    }

    pub(super) fn dim(&self, index: usize) -> i64 {
        if self.two {
            i64::from_le_bytes(self.take(16 + 8 * index))
        } else {
            i64::from(self.i16(40 + 2 * index))
        }
    }
}

const DIM: [&str; 8] = ["dim[0]", "dim[1]", "dim[2]", "dim[3]", "dim[4]", "dim[5]", "dim[6]", "dim[7]"];

fn shape(fields: &Fields) -> Result<[usize; 3], ImageError> {
    let Ok(axes @ 1..=7) = usize::try_from(fields.dim(0)) else {
        return fields.bad(DIM[0], format!("is {}, which is not 1 to 7 axes", fields.dim(0)));
    };
    let mut shape = [1usize; 3];
    for axis in 1..=axes {
        let found = fields.dim(axis);
        let length = match usize::try_from(found) {
            Ok(n) if n > 0 => n,
            _ => return fields.bad(DIM[axis], format!("is {found}, which is not a positive length")),
        };
        if axis <= 3 {
            shape[axis - 1] = length;
        } else if length > 1 {
            return fields
                .bad(DIM[axis], format!("is {length}: images of more than three dimensions are not read"));
        }
    }
    Ok(shape)
}

fn kind(fields: &Fields) -> Result<Stored, ImageError> {
    let (at, bits_at) = if fields.two { (12, 14) } else { (70, 72) };
    let (found, bits) = (fields.i16(at), fields.i16(bits_at));
    let kinds = [
        Stored::U8,
        Stored::I8,
        Stored::U16,
        Stored::I16,
        Stored::U32,
        Stored::I32,
        Stored::U64,
        Stored::I64,
        Stored::F32,
        Stored::F64,
    ];
    let Some(kind) = kinds.into_iter().find(|&kind| code(kind) == found) else {
        return fields
            .bad("datatype", format!("is {found}; integers of 8 to 64 bits, float32 and float64 are read"));
    };
    if usize::try_from(bits).ok() != Some(kind.size() * 8) {
        return fields.bad("bitpix", format!("is {bits} but datatype {found} has {} bits", kind.size() * 8));
    }
    Ok(kind)
}

fn offset(fields: &Fields) -> Result<usize, ImageError> {
    // Numbers that lose precision are far too large.
    let offset =
        if fields.two { i64::from_le_bytes(fields.take(168)) as f64 } else { fields.float(108, 0, 0) };
    let start = if fields.two { DATA_START_2 } else { DATA_START };
    let (low, high) = (start as f64, start as f64 + MAX_EXTENSIONS);
    if !(low..=high).contains(&offset) || offset.fract() != 0.0 {
        return fields
            .bad("vox_offset", format!("is {offset}; it must be a whole number from {low} to {high}"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    Ok(offset as usize)
}

fn scaling(fields: &Fields) -> Result<Option<(f64, f64)>, ImageError> {
    let (slope, intercept) = (fields.float(112, 176, 0), fields.float(116, 184, 0));
    // nibabel writes NaN, and reads it, as values that are not scaled; the intercept then says nothing.
    if slope.is_nan() {
        return Ok(None);
    }
    if !slope.is_finite() {
        return fields.bad("scl_slope", format!("is {slope}; it must be finite"));
    }
    if !intercept.is_finite() {
        return fields.bad("scl_inter", format!("is {intercept}; it must be finite"));
    }
    // The standard: a slope of zero means that the values are not scaled.
    Ok((slope != 0.0 && (slope, intercept) != (1.0, 0.0)).then_some((slope, intercept)))
}
