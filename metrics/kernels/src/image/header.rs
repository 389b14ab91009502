//! The NIfTI-1 header, checked field by field before anything is allocated for the voxels.

use super::{Geometry, ReadLimits, determinant};
use crate::error::ImageError;

/// Length of the header.
pub(super) const HEADER: usize = 348;
/// First byte of the voxels in a single file without extensions.
pub(super) const DATA_START: usize = 352;
/// Extensions are skipped unread, up to this many bytes.
const MAX_EXTENSIONS: f64 = 1_048_576.0;
/// `U3`: no image may have more voxels, whatever the caller allows.
const MAX_VOXELS: u64 = 1 << 31;

/// Type of the stored voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    U8,
    I8,
    I16,
    U16,
    I32,
    F32,
    F64,
}

impl Datatype {
    fn from_code(code: i16) -> Option<Self> {
        Some(match code {
            2 => Self::U8,
            4 => Self::I16,
            8 => Self::I32,
            16 => Self::F32,
            64 => Self::F64,
            256 => Self::I8,
            512 => Self::U16,
            _ => return None,
        })
    }

    /// NIfTI's number of the type.
    pub(super) fn code(self) -> i16 {
        match self {
            Self::U8 => 2,
            Self::I16 => 4,
            Self::I32 => 8,
            Self::F32 => 16,
            Self::F64 => 64,
            Self::I8 => 256,
            Self::U16 => 512,
        }
    }

    /// Bytes of one voxel.
    pub(super) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// What a checked header says.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub geometry: Geometry,
    pub datatype: Datatype,
    pub big_endian: bool,
    /// First byte of the voxels.
    pub offset: usize,
    /// Stored value times `slope` plus `intercept` is the value.
    pub slope: f64,
    pub intercept: f64,
}

impl Header {
    /// Bytes of the voxels as stored.
    pub(super) fn data_bytes(&self) -> usize {
        self.geometry.voxels() * self.datatype.size()
    }

    /// Reads and checks a header.
    pub(super) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Self, ImageError> {
        let fields = Fields::new(bytes)?;
        let shape = shape(&fields, limits)?;
        let datatype = datatype(&fields)?;
        let voxels: u64 = shape.iter().map(|&n| n as u64).product();
        // Values are returned as f32 or u8: what they take counts as well as what is stored.
        let needed = voxels * datatype.size().max(4) as u64;
        if needed > limits.bytes {
            return Err(ImageError::TooLarge {
                what: "the declared size in bytes",
                found: needed,
                limit: limits.bytes,
            });
        }
        let offset = offset(&fields)?;
        let (slope, intercept) = scaling(&fields)?;
        let geometry = geometry(&fields, shape)?;
        Ok(Self { geometry, datatype, big_endian: fields.big_endian, offset, slope, intercept })
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if bytes.len() < DATA_START {
            return bad(format!("{} bytes are too few for a header of {DATA_START}", bytes.len()));
        }
        let size = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let big_endian = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348, _) => false,
            (_, 348) => true,
            (540, _) | (_, 540) => return bad("this is NIfTI-2; convert it to NIfTI-1".to_owned()),
            (found, _) => return bad(format!("sizeof_hdr is {found}, not 348")),
        };
        match &bytes[344..348] {
            b"n+1\0" => Ok(Self { bytes, big_endian }),
            b"ni1\0" => bad("header and data are in two files (.hdr/.img); join them as .nii".to_owned()),
            other => bad(format!("magic is {other:?}, not \"n+1\\0\"")),
        }
    }

    fn i16(&self, at: usize) -> i16 {
        let b = [self.bytes[at], self.bytes[at + 1]];
        if self.big_endian { i16::from_be_bytes(b) } else { i16::from_le_bytes(b) }
    }

    fn f32(&self, at: usize) -> f64 {
        let b = [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]];
        f64::from(if self.big_endian { f32::from_be_bytes(b) } else { f32::from_le_bytes(b) })
    }
}

fn bad<T>(what: String) -> Result<T, ImageError> {
    Err(ImageError::Header(what))
}

fn shape(fields: &Fields, limits: &ReadLimits) -> Result<[usize; 3], ImageError> {
    let axes = fields.i16(40);
    if !(1..=7).contains(&axes) {
        return bad(format!("dim[0] is {axes}, which is not 1 to 7 axes"));
    }
    let mut shape = [1usize; 3];
    let mut voxels = 1u64;
    for axis in 1..=axes {
        let n = fields.i16(40 + 2 * usize::from(axis.unsigned_abs()));
        let n = match usize::try_from(n) {
            Ok(n) if n > 0 => n,
            _ => return bad(format!("dim[{axis}] is {n}, which is not a positive length")),
        };
        if axis > 3 && n > 1 {
            return bad(format!("dim[{axis}] is {n}: images of more than three dimensions are not read"));
        }
        if axis <= 3 {
            shape[usize::from(axis.unsigned_abs()) - 1] = n;
        }
        voxels *= n as u64;
    }
    let limit = limits.voxels.min(MAX_VOXELS);
    if voxels > limit {
        return Err(ImageError::TooLarge { what: "the number of voxels", found: voxels, limit });
    }
    Ok(shape)
}

fn datatype(fields: &Fields) -> Result<Datatype, ImageError> {
    let (code, bits) = (fields.i16(70), fields.i16(72));
    let Some(datatype) = Datatype::from_code(code) else {
        return bad(format!(
            "datatype {code} is not read; use uint8, int8, int16, uint16, int32, float32 or float64"
        ));
    };
    if usize::try_from(bits).ok() != Some(datatype.size() * 8) {
        return bad(format!("bitpix is {bits} but datatype {code} has {} bits", datatype.size() * 8));
    }
    Ok(datatype)
}

fn offset(fields: &Fields) -> Result<usize, ImageError> {
    let offset = fields.f32(108);
    let start = DATA_START as f64;
    if !offset.is_finite() || offset < start || offset > start + MAX_EXTENSIONS || offset.fract() != 0.0 {
        return bad(format!("vox_offset is {offset}; it must be a whole number from 352 to 1048928"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be 352 to 1048928"
    )]
    Ok(offset as usize)
}

fn scaling(fields: &Fields) -> Result<(f64, f64), ImageError> {
    let (slope, intercept) = (fields.f32(112), fields.f32(116));
    if !slope.is_finite() || !intercept.is_finite() {
        return bad(format!("scl_slope is {slope} and scl_inter {intercept}; both must be finite"));
    }
    // The standard: a slope of zero means that the values are not scaled.
    Ok(if slope == 0.0 { (1.0, 0.0) } else { (slope, intercept) })
}

fn geometry(fields: &Fields, shape: [usize; 3]) -> Result<Geometry, ImageError> {
    let (matrix, mut origin) = if fields.i16(254) > 0 {
        sform(fields)
    } else if fields.i16(252) > 0 {
        qform(fields)?
    } else {
        let d = pixdim(fields)?;
        ([d[0], 0.0, 0.0, 0.0, d[1], 0.0, 0.0, 0.0, d[2]], [0.0; 3])
    };
    let unit = match fields.bytes[123] & 7 {
        1 => 1000.0,
        3 => 0.001,
        _ => 1.0,
    };
    let mut spacing = [0.0; 3];
    let mut direction = [0.0; 9];
    for axis in 0..3 {
        let column = [matrix[axis], matrix[3 + axis], matrix[6 + axis]];
        let length = column.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !length.is_finite() || length * unit < 1e-6 || length * unit > 1e6 {
            return bad(format!("axis {axis} of the affine has a spacing of {} mm", length * unit));
        }
        spacing[axis] = length * unit;
        for row in 0..3 {
            direction[row * 3 + axis] = column[row] / length;
        }
    }
    for value in &mut origin {
        *value *= unit;
    }
    if !origin.iter().all(|v| v.is_finite() && v.abs() <= 1e9) {
        return bad(format!("the affine's origin {origin:?} is not finite or far outside"));
    }
    if determinant(&direction).abs() < 1e-4 {
        return bad("the affine is not invertible: its axes are parallel".to_owned());
    }
    Ok(Geometry { shape, spacing_mm: spacing, origin_mm: origin, direction })
}

fn sform(fields: &Fields) -> ([f64; 9], [f64; 3]) {
    let row = |r: usize, c: usize| fields.f32(280 + 16 * r + 4 * c);
    (std::array::from_fn(|i| row(i / 3, i % 3)), std::array::from_fn(|r| row(r, 3)))
}

fn pixdim(fields: &Fields) -> Result<[f64; 3], ImageError> {
    let d: [f64; 3] = std::array::from_fn(|i| fields.f32(80 + 4 * i).abs());
    if d.iter().all(|v| v.is_finite()) { Ok(d) } else { bad(format!("pixdim {d:?} is not finite")) }
}

fn qform(fields: &Fields) -> Result<([f64; 9], [f64; 3]), ImageError> {
    let [b, c, d]: [f64; 3] = std::array::from_fn(|i| fields.f32(256 + 4 * i));
    let rest = 1.0 - (b * b + c * c + d * d);
    if !rest.is_finite() || rest < -1e-3 {
        return bad(format!("the quaternion ({b}, {c}, {d}) of the qform is longer than 1"));
    }
    let (a, norm) = if rest < 1e-7 { (0.0, (b * b + c * c + d * d).sqrt()) } else { (rest.sqrt(), 1.0) };
    let (b, c, d) = (b / norm, c / norm, d / norm);
    let mut size = pixdim(fields)?;
    // pixdim[0] tells the handedness of the third axis.
    if fields.f32(76) < 0.0 {
        size[2] = -size[2];
    }
    let rotation = [
        a * a + b * b - c * c - d * d,
        2.0 * (b * c - a * d),
        2.0 * (b * d + a * c),
        2.0 * (b * c + a * d),
        a * a + c * c - b * b - d * d,
        2.0 * (c * d - a * b),
        2.0 * (b * d - a * c),
        2.0 * (c * d + a * b),
        a * a + d * d - b * b - c * c,
    ];
    let matrix = std::array::from_fn(|i| rotation[i] * size[i % 3]);
    Ok((matrix, std::array::from_fn(|i| fields.f32(268 + 4 * i))))
}
