//! NumPy's `.npy` files, versions 1 to 3.
//!
//! Source: the format as laid down in NumPy Enhancement Proposal 1 and in `numpy.lib.format`.

use super::raster::{Raster, check_size};
use super::stored::{Encoding, Stored};
use super::stream::Stream;
use super::{Geometry, ReadLimits, Spacing};
use crate::error::ImageError;

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// A header of three axes is some hundred bytes long.
const MAX_HEADER: usize = 1 << 16;

/// Axis `i` of the array is axis `i` of the image.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    spacing: Option<Spacing>,
    limits: &ReadLimits,
) -> Result<Raster<'a>, ImageError> {
    let (header, data) = split(bytes)?;
    let header = Header::parse(header)?;
    check_size(header.shape, header.encoding.kind, limits)?;
    let [x, y, z] = match spacing {
        Some(Spacing::Volume(spacing)) => spacing,
        Some(Spacing::Plane([x, y])) if header.axes < 3 => [x, y, 1.0],
        Some(Spacing::Plane(_)) => {
            return bad("spacing", "as given has two numbers, the array three axes; give a number for each axis".to_owned());
        }
        None => return bad("spacing", "is not part of the format; give it beside the file (`--spacing X,Y,Z` of `fiel score segmentation`)".to_owned()),
    };
    let matrix = [x, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, z];
    if ![x, y, z].iter().all(|v| *v > 0.0) {
        return bad("spacing", format!("as given is ({x}, {y}, {z}) mm; it must be above 0"));
    }
    let geometry = Geometry {
        plane: header.axes < 3,
        ..Geometry::from_affine(header.shape, matrix, [0.0; 3], FORMAT, "spacing")?
    };
    // An array of one axis longer than 1 is the same in both orders.
    let last_axis_first = !header.fortran_order && header.shape.iter().filter(|&&n| n > 1).count() > 1;
    Ok(Raster { geometry, encoding: header.encoding, last_axis_first, stream: Stream::plain(data) })
}

const FORMAT: &str = "NumPy";

fn bad<T>(field: &'static str, problem: String) -> Result<T, ImageError> {
    Err(ImageError::Field { format: FORMAT, field, problem })
}

/// The text of the header and the bytes behind it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), ImageError> {
    let short = || ImageError::Data(format!("the file ends within its header ({} bytes)", bytes.len()));
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return bad("magic", "is not \"\\x93NUMPY\"".to_owned());
    };
    let ([major, _minor], rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (length, rest) = match *major {
        1 => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        other => return bad("version", format!("is {other}; 1, 2 and 3 are read")),
    };
    if length > MAX_HEADER {
        return bad("HEADER_LEN", format!("is {length}; at most {MAX_HEADER} is read"));
    }
    rest.split_at_checked(length).ok_or_else(short)
}

struct Header {
    shape: [usize; 3],
    /// Axes of the array, at most 3.
    axes: usize,
    encoding: Encoding,
    fortran_order: bool,
}

impl Header {
    /// Reads the Python dictionary `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4), }`.
    fn parse(text: &[u8]) -> Result<Self, ImageError> {
        let mut text = Text(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        text.token(b'{')?;
        while !text.found(b'}') {
            let key = text.quoted()?;
            text.token(b':')?;
            match key {
                b"descr" if descr.is_none() => descr = Some(encoding(text.quoted()?)?),
                b"fortran_order" if fortran.is_none() => fortran = Some(text.boolean()?),
                b"shape" if shape.is_none() => shape = Some(text.shape()?),
                _ => {
                    let key = String::from_utf8_lossy(&key[..key.len().min(32)]).into_owned();
                    return bad("header", format!("has the key {key:?} that is unknown or there twice"));
                }
            }
            if !text.found(b',') {
                text.token(b'}')?;
                break;
            }
        }
        text.spaces();
        if !text.0.is_empty() {
            return bad("header", "goes on behind its dictionary".to_owned());
        }
        match (descr, fortran, shape) {
            (Some(encoding), Some(fortran_order), Some((shape, axes))) => {
                Ok(Self { shape, axes, encoding, fortran_order })
            }
            _ => bad("header", "lacks one of descr, fortran_order and shape".to_owned()),
        }
    }
}

fn encoding(descr: &[u8]) -> Result<Encoding, ImageError> {
    let (order, name) = descr.split_first().map_or((b' ', &b""[..]), |(first, rest)| (*first, rest));
    let kind = match name {
        b"b1" | b"u1" => Stored::U8,
        b"i1" => Stored::I8,
        b"u2" => Stored::U16,
        b"i2" => Stored::I16,
        b"u4" => Stored::U32,
        b"i4" => Stored::I32,
        b"u8" => Stored::U64,
        b"i8" => Stored::I64,
        b"f4" => Stored::F32,
        b"f8" => Stored::F64,
        _ => {
            let descr = String::from_utf8_lossy(&descr[..descr.len().min(32)]).into_owned();
            return bad(
                "descr",
                format!("is {descr:?}; bool, integers of 8 to 64 bits, float32 and float64 are read"),
            );
        }
    };
    let big_endian = match order {
        b'<' => false,
        b'>' => true,
        b'|' if kind.size() == 1 => false,
        other => return bad("descr", format!("has the byte order {:?}", char::from(other))),
    };
    Ok(Encoding { kind, big_endian, scale: None })
}

/// What is left of the header's text.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn found(&mut self, token: u8) -> bool {
        self.spaces();
        let found = self.0.first() == Some(&token);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn token(&mut self, token: u8) -> Result<(), ImageError> {
        if self.found(token) { Ok(()) } else { bad("header", format!("lacks {:?}", char::from(token))) }
    }

    fn quoted(&mut self) -> Result<&'a [u8], ImageError> {
        self.spaces();
        if let Some((&quote @ (b'\'' | b'"'), rest)) = self.0.split_first()
            && let Some(end) = rest.iter().position(|&b| b == quote)
        {
            self.0 = &rest[end + 1..];
            return Ok(&rest[..end]);
        }
        bad("descr", "or a key is not a string; structured types are not read".to_owned())
    }

    fn boolean(&mut self) -> Result<bool, ImageError> {
        self.spaces();
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Ok(value);
            }
        }
        bad("fortran_order", "is neither True nor False".to_owned())
    }

    /// The lengths of the axes, and how many there are.
    fn shape(&mut self) -> Result<([usize; 3], usize), ImageError> {
        let mut shape = [1; 3];
        let mut axes = 0;
        self.token(b'(')?;
        while !self.found(b')') {
            let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
            let (number, rest) = self.0.split_at(digits);
            let length = str::from_utf8(number).ok().and_then(|n| n.parse::<u32>().ok());
            match length {
                Some(n) if n > 0 => {
                    if axes == 3 {
                        return bad("shape", "has more than three axes; one to three are read".to_owned());
                    }
                    shape[axes] = n as usize;
                    axes += 1;
                }
                _ => {
                    return bad(
                        "shape",
                        "has an axis that is not a whole number from 1 to 2^32 - 1".to_owned(),
                    );
                }
            }
            self.0 = rest;
            if !self.found(b',') {
                self.token(b')')?;
                break;
            }
        }
        if axes == 0 {
            return bad("shape", "is (); one to three axes are read".to_owned());
        }
        Ok((shape, axes))
    }
}
