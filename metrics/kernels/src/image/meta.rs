//! MetaImage: `.mha` with its data behind the header, `.mhd` with its data in a file of the same folder.
//!
//! Source: the MetaIO documentation of the Insight Toolkit. Its world is LPS+; grids are given in RAS+ as for
//! all formats.

mod write;

pub use write::encode_meta_image;

use super::raster::{Raster, check_size};
use super::read::contents;
use super::stored::{Encoding, Stored};
use super::stream::Stream;
use super::{Geometry, ReadLimits};
use crate::error::ImageError;
use std::path::Path;

const FORMAT: &str = "MetaImage";
/// The header is text of a few hundred bytes; remarks may make it longer.
const MAX_HEADER: usize = 1 << 16;
/// Bytes that may stand before the voxels in a data file.
const MAX_SKIP: i64 = 1 << 20;

/// Whether the first line is one that such a header starts with.
pub(super) fn looks_like_it(bytes: &[u8]) -> bool {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = &line[..line.len().min(64)];
    let key = line.split(|&b| b == b'=').next().unwrap_or_default().trim_ascii();
    line.contains(&b'=') && [&b"ObjectType"[..], b"NDims", b"Comment", b"ObjectSubType"].contains(&key)
}

/// The header, and its voxels in `data` or, for `ElementDataFile = LOCAL`, behind the header.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    data: Option<&'a [u8]>,
    limits: &ReadLimits,
) -> Result<Raster<'a>, ImageError> {
    let header = Header::parse(bytes)?;
    let shape = shape(&header)?;
    let encoding = encoding(&header)?;
    check_size(shape, encoding.kind, limits)?;
    let geometry = Geometry { plane: header.axes()? < 3, ..geometry(&header, shape)? };
    let data = match (header.data_file()?, data) {
        (None, _) => header.rest,
        (Some(_), Some(data)) => data,
        (Some(name), None) => {
            return bad(
                "ElementDataFile",
                format!("is {name:?}: the data are in another file, which is not given"),
            );
        }
    };
    let compressed = header.flag("CompressedData")?.unwrap_or(false);
    let data = skip(&header, data, geometry.voxels() as u64 * encoding.kind.size() as u64, compressed)?;
    let stream = if compressed { Stream::zlib(data)? } else { Stream::plain(data) };
    Ok(Raster { geometry, encoding, last_axis_first: false, stream })
}

/// The bytes of the data file that the header names, `None` if the data are behind the header.
///
/// The file must lie in the folder of the header under a plain name and must not be a link.
pub(super) fn data_file(
    bytes: &[u8],
    path: &Path,
    limits: &ReadLimits,
) -> Result<Option<Vec<u8>>, ImageError> {
    let Some(name) = Header::parse(bytes)?.data_file()? else { return Ok(None) };
    let path = path.with_file_name(name);
    let io = |source| ImageError::Io { path: path.clone(), source };
    let link = std::fs::symlink_metadata(&path).map_err(io)?;
    if !link.is_file() {
        return bad("ElementDataFile", format!("is {name:?}, which is a link or not a regular file"));
    }
    let file = std::fs::File::open(&path).map_err(io)?;
    let found = file.metadata().map_err(io)?;
    if !same_file(&link, &found) {
        return bad("ElementDataFile", format!("is {name:?}, which was replaced while it was read"));
    }
    contents(file, &path, found.len(), limits).map(Some)
}

/// Whether what was opened is what was looked at before: no link was followed in between.
#[cfg(unix)]
fn same_file(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    b.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    b.is_file()
}

fn bad<T>(field: &'static str, problem: String) -> Result<T, ImageError> {
    Err(ImageError::Field { format: FORMAT, field, problem })
}

/// The lines `Key = Value` up to `ElementDataFile`, and what follows.
struct Header<'a> {
    lines: Vec<(&'a str, &'a str)>,
    rest: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let mut lines: Vec<(&str, &str)> = Vec::new();
        let mut at = 0;
        loop {
            let head = &bytes[at..bytes.len().min(MAX_HEADER)];
            if head.trim_ascii().is_empty() {
                return bad("ElementDataFile", format!("is not found in the first {MAX_HEADER} bytes"));
            }
            let end = head.iter().position(|&b| b == b'\n').unwrap_or(head.len());
            let Some((key, value)) = str::from_utf8(&head[..end]).ok().and_then(|line| line.split_once('='))
            else {
                return bad("the header", format!("has a line at byte {at} that is not `Key = Value`"));
            };
            let (key, value) = (key.trim(), value.trim());
            at += end + usize::from(end < head.len());
            // A key that is there twice could be read in two ways; remarks may repeat.
            if key != "Comment" && lines.iter().any(|(known, _)| *known == key) {
                return bad("the header", format!("has a key twice, in the line before byte {at}"));
            }
            lines.push((key, value));
            if key == "ElementDataFile" {
                return Ok(Self { lines, rest: &bytes[at..] });
            }
            if lines.len() > 256 {
                return bad("the header", "has more than 256 lines".to_owned());
            }
        }
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.lines.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    fn flag(&self, key: &'static str) -> Result<Option<bool>, ImageError> {
        match self.text(key).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "t" | "1") => Ok(Some(true)),
            Some("false" | "f" | "0") => Ok(Some(false)),
            Some(_) => bad(key, "is neither True nor False".to_owned()),
        }
    }

    /// The first of the keys that is there, with its numbers.
    fn numbers(&self, keys: &[&'static str], count: usize) -> Result<Option<Vec<f64>>, ImageError> {
        let Some((key, text)) = keys.iter().find_map(|key| Some((*key, self.text(key)?))) else {
            return Ok(None);
        };
        let numbers: Option<Vec<f64>> =
            text.split_ascii_whitespace().map(|v| v.parse().ok().filter(|v: &f64| v.is_finite())).collect();
        match numbers {
            Some(numbers) if numbers.len() == count => Ok(Some(numbers)),
            _ => bad(key, format!("is not a list of {count} finite numbers")),
        }
    }

    fn integer(&self, key: &'static str) -> Result<Option<i64>, ImageError> {
        match self.text(key).map(str::parse) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => bad(key, "is not a whole number".to_owned()),
        }
    }

    fn axes(&self) -> Result<usize, ImageError> {
        match self.integer("NDims")? {
            Some(2) => Ok(2),
            Some(3) => Ok(3),
            Some(n) => bad("NDims", format!("is {n}; images of two and three axes are read")),
            None => bad("NDims", "is missing".to_owned()),
        }
    }

    /// The checked name of the data file, `None` for `LOCAL`.
    fn data_file(&self) -> Result<Option<&'a str>, ImageError> {
        let name = self.text("ElementDataFile").unwrap_or_default();
        if ["LOCAL", "Local", "local"].contains(&name) {
            return Ok(None);
        }
        let plain = !name.is_empty()
            && name.len() <= 255
            && !name.starts_with('.')
            && !name.contains(|c: char| c.is_control() || ['/', '\\', ':', '%', '*', '?'].contains(&c));
        if !plain || name == "LIST" || name.starts_with("LIST ") {
            return bad(
                "ElementDataFile",
                "is neither LOCAL nor the plain name of one file in the same folder".to_owned(),
            );
        }
        Ok(Some(name))
    }
}

fn shape(header: &Header) -> Result<[usize; 3], ImageError> {
    match header.text("ObjectType") {
        None | Some("Image") => {}
        Some(_) => return bad("ObjectType", "is not Image".to_owned()),
    }
    let axes = header.axes()?;
    let Some(text) = header.text("DimSize") else { return bad("DimSize", "is missing".to_owned()) };
    let mut shape = [1; 3];
    let mut found = 0;
    for length in text.split_ascii_whitespace() {
        match length.parse::<u32>() {
            Ok(n) if n > 0 && found < axes => shape[found] = n as usize,
            _ => {
                return bad("DimSize", format!("is not a list of {axes} whole numbers from 1 to 2^32 - 1"));
            }
        }
        found += 1;
    }
    if found < axes {
        return bad("DimSize", format!("is not a list of {axes} whole numbers from 1 to 2^32 - 1"));
    }
    Ok(shape)
}

fn encoding(header: &Header) -> Result<Encoding, ImageError> {
    let kind = match header.text("ElementType") {
        Some("MET_UCHAR") => Stored::U8,
        Some("MET_CHAR") => Stored::I8,
        Some("MET_USHORT") => Stored::U16,
        Some("MET_SHORT") => Stored::I16,
        // MetaIO stores its "long" in four bytes whatever the machine.
        Some("MET_UINT" | "MET_ULONG") => Stored::U32,
        Some("MET_INT" | "MET_LONG") => Stored::I32,
        Some("MET_ULONG_LONG") => Stored::U64,
        Some("MET_LONG_LONG") => Stored::I64,
        Some("MET_FLOAT") => Stored::F32,
        Some("MET_DOUBLE") => Stored::F64,
        Some(_) => {
            return bad("ElementType", "is not one of integers of 8 to 64 bits, float and double".to_owned());
        }
        None => return bad("ElementType", "is missing".to_owned()),
    };
    if header.integer("ElementNumberOfChannels")?.unwrap_or(1) != 1 {
        return bad("ElementNumberOfChannels", "is not 1; images of one channel are read".to_owned());
    }
    if header.flag("BinaryData")? == Some(false) {
        return bad("BinaryData", "is False; voxels written as text are not read".to_owned());
    }
    for (key, identity) in
        [("ElementToIntensityFunctionSlope", 1.0), ("ElementToIntensityFunctionOffset", 0.0)]
    {
        if header.numbers(&[key], 1)?.is_some_and(|v| (v[0] - identity).abs() > 0.0) {
            return bad(key, format!("is not {identity}; images scaled by their header are not read"));
        }
    }
    let order = (header.flag("BinaryDataByteOrderMSB")?, header.flag("ElementByteOrderMSB")?);
    let big_endian = match order {
        (Some(a), Some(b)) if a != b => {
            return bad("ElementByteOrderMSB", "contradicts BinaryDataByteOrderMSB".to_owned());
        }
        (a, b) => a.or(b).unwrap_or(false),
    };
    Ok(Encoding { kind, big_endian, scale: None })
}

fn geometry(header: &Header, shape: [usize; 3]) -> Result<Geometry, ImageError> {
    let axes = header.axes()?;
    let spacing =
        header.numbers(&["ElementSpacing", "ElementSize"], axes)?.unwrap_or_else(|| vec![1.0; axes]);
    if !spacing.iter().all(|v| *v > 0.0) {
        return bad("ElementSpacing", format!("is {spacing:?}; it must be above 0"));
    }
    let origin = header.numbers(&["Offset", "Position", "Origin"], axes)?.unwrap_or_else(|| vec![0.0; axes]);
    let directions = header.numbers(&["TransformMatrix", "Rotation", "Orientation"], axes * axes)?;
    let mut matrix = [0.0; 9];
    for axis in 0..3 {
        for row in 0..3 {
            // The list gives the direction of the first axis, then that of the second, ...
            let cosine = match &directions {
                Some(list) if axis < axes && row < axes => list[axis * axes + row],
                _ => f64::from(u8::from(axis == row)),
            };
            matrix[row * 3 + axis] = cosine * spacing.get(axis).copied().unwrap_or(1.0);
        }
    }
    if let Some(list) = &directions {
        for axis in list.chunks_exact(axes) {
            let length = axis.iter().map(|v| v * v).sum::<f64>().sqrt();
            if (length - 1.0).abs() > 1e-3 {
                return bad("TransformMatrix", format!("has an axis of length {length}; it must be 1"));
            }
        }
    }
    let origin = std::array::from_fn(|i| origin.get(i).copied().unwrap_or(0.0));
    Geometry::from_lps(shape, matrix, origin, FORMAT, "TransformMatrix")
}

/// What follows the `HeaderSize` bytes of a data file.
fn skip<'a>(
    header: &Header,
    data: &'a [u8],
    declared: u64,
    compressed: bool,
) -> Result<&'a [u8], ImageError> {
    let cut = match header.integer("HeaderSize")?.unwrap_or(0) {
        -1 if !compressed => {
            // The voxels are the last bytes of the file.
            (data.len() as u64).checked_sub(declared).filter(|cut| *cut <= MAX_SKIP.unsigned_abs())
        }
        size @ 0..=MAX_SKIP => Some(size.unsigned_abs()),
        _ => None,
    };
    let Some(data) = cut.and_then(|cut| data.get(usize::try_from(cut).ok()?..)) else {
        return bad("HeaderSize", "is not a number of bytes that the data file can begin with".to_owned());
    };
    match header.integer("CompressedDataSize")? {
        Some(size) if compressed && size != 0 && u64::try_from(size).ok() != Some(data.len() as u64) => {
            bad("CompressedDataSize", format!("is {size} but the file has {} bytes of data", data.len()))
        }
        _ => Ok(data),
    }
}
