//! DICOM data elements in little-endian order with explicit or implicit types, read without trust.
//!
//! An own reader of the few elements that a segmentation needs: it borrows from the file, keeps no more than those
//! elements, and bounds nesting, which a general library's object tree would not.
//!
//! Source: DICOM PS3.5, chapter 7, and PS3.10, chapter 7.

use crate::error::ImageError;

/// Sequences within sequences that are followed.
const MAX_DEPTH: usize = 16;
const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
const SEQUENCE_END: u32 = 0xfffe_e0dd;
const UNDEFINED: u32 = u32::MAX;

pub(super) fn bad<T>(field: &'static str, problem: String) -> Result<T, ImageError> {
    Err(ImageError::Field { format: "DICOM", field, problem })
}

/// An element's tag, written `0xggggeeee`, with its name for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub u32, pub &'static str);

/// The elements of one level, of those that were asked for.
#[derive(Debug, Clone)]
pub(super) struct Dataset<'a> {
    elements: Vec<(u32, &'a [u8])>,
    explicit: bool,
}

impl<'a> Dataset<'a> {
    /// Reads a level and keeps the elements in `wanted`.
    pub(super) fn parse(bytes: &'a [u8], explicit: bool, wanted: &[Tag]) -> Result<Self, ImageError> {
        let mut reader = Reader { bytes, at: 0, explicit };
        let mut elements = Vec::with_capacity(wanted.len());
        let mut last = None;
        while reader.at < bytes.len() {
            let (tag, value) = reader.element(0)?;
            // Ascending order also means that no element is there twice.
            if last.is_some_and(|last| last >= tag) {
                return bad(
                    "a tag",
                    format!("({:04x},{:04x}) is out of order or there twice", tag >> 16, tag & 0xffff),
                );
            }
            last = Some(tag);
            if wanted.iter().any(|w| w.0 == tag) {
                elements.push((tag, value));
            }
        }
        Ok(Self { elements, explicit })
    }

    /// The bytes of an element, without those of its header.
    pub(super) fn bytes(&self, tag: Tag) -> Option<&'a [u8]> {
        self.elements.iter().find(|(found, _)| *found == tag.0).map(|(_, value)| *value)
    }

    /// Text without padding.
    pub(super) fn text(&self, tag: Tag) -> Option<&'a str> {
        let text = str::from_utf8(self.bytes(tag)?).ok()?;
        Some(text.trim_matches([' ', '\0']))
    }

    /// A 16-bit number.
    pub(super) fn short(&self, tag: Tag) -> Result<Option<u16>, ImageError> {
        match self.bytes(tag) {
            None => Ok(None),
            Some([a, b]) => Ok(Some(u16::from_le_bytes([*a, *b]))),
            Some(other) => bad(tag.1, format!("has {} bytes instead of 2", other.len())),
        }
    }

    /// The same for one that must be there.
    pub(super) fn required_short(&self, tag: Tag) -> Result<u16, ImageError> {
        match self.short(tag)? {
            Some(number) => Ok(number),
            None => bad(tag.1, "is missing".to_owned()),
        }
    }

    /// Finite decimal numbers written as text, so many.
    pub(super) fn decimals<const N: usize>(&self, tag: Tag) -> Result<Option<[f64; N]>, ImageError> {
        if self.bytes(tag).is_none() {
            return Ok(None);
        }
        let mut numbers = [0.0; N];
        let mut parts = self.text(tag).unwrap_or_default().split('\\');
        for number in &mut numbers {
            match parts.next().and_then(|part| part.trim().parse().ok()) {
                Some(found) if f64::is_finite(found) => *number = found,
                _ => return bad(tag.1, format!("is not a list of {N} finite numbers")),
            }
        }
        if parts.next().is_some() {
            return bad(tag.1, format!("has more than {N} numbers"));
        }
        Ok(Some(numbers))
    }

    /// The items of a sequence; none if it is not there.
    pub(super) fn items(&self, tag: Tag) -> Result<Vec<&'a [u8]>, ImageError> {
        let mut items = Vec::new();
        let bytes = self.bytes(tag).unwrap_or_default();
        let mut reader = Reader { bytes, at: 0, explicit: self.explicit };
        while reader.at < bytes.len() {
            match reader.item(0)? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        Ok(items)
    }

    /// The only item of a sequence, `None` if the sequence is not there or empty.
    pub(super) fn item(&self, tag: Tag, wanted: &[Tag]) -> Result<Option<Dataset<'a>>, ImageError> {
        match self.items(tag)?.as_slice() {
            [] => Ok(None),
            [item] => Self::parse(item, self.explicit, wanted).map(Some),
            more => bad(tag.1, format!("has {} items instead of one", more.len())),
        }
    }
}

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) explicit: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], ImageError> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(count).ok().and_then(|count| rest.get(..count)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(ImageError::Data(format!(
                "DICOM: an element declares {count} bytes where {} are left",
                rest.len()
            ))),
        }
    }

    fn u16(&mut self) -> Result<u16, ImageError> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Result<u32, ImageError> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn tag(&mut self) -> Result<u32, ImageError> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// The tag that comes next, without reading it.
    pub(super) fn peek(&self) -> Option<u32> {
        Reader { bytes: self.bytes, at: self.at, explicit: true }.tag().ok()
    }

    /// The next element: its tag and its value. The value of a sequence holds its items.
    pub(super) fn element(&mut self, depth: usize) -> Result<(u32, &'a [u8]), ImageError> {
        let tag = self.tag()?;
        if tag >> 16 == 0xfffe {
            return bad("a tag", format!("(fffe,{:04x}) stands outside a sequence", tag & 0xffff));
        }
        let mut inner = self.explicit;
        let length = if self.explicit {
            let kind = self.take(2)?;
            match kind {
                b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR"
                | b"UT" | b"UV" => {
                    self.take(2)?;
                    // PS3.5, 6.2.2: what is of unknown type and undefined length has implicit types.
                    inner &= kind != b"UN";
                    self.u32()?
                }
                [b'A'..=b'Z', b'A'..=b'Z'] => u32::from(self.u16()?),
                other => return bad("a value representation", format!("is \"{}\"", other.escape_ascii())),
            }
        } else {
            self.u32()?
        };
        if length != UNDEFINED {
            return Ok((tag, self.take(u64::from(length))?));
        }
        let start = self.at;
        let mut sequence = Reader { bytes: self.bytes, at: start, explicit: inner };
        while sequence.item(depth + 1)?.is_some() {}
        self.at = sequence.at;
        // Without the delimiter of eight bytes.
        Ok((tag, &self.bytes[start..self.at - 8]))
    }

    /// The next item of a sequence, `None` at its delimiter.
    fn item(&mut self, depth: usize) -> Result<Option<&'a [u8]>, ImageError> {
        if depth > MAX_DEPTH {
            return bad("a sequence", format!("lies more than {MAX_DEPTH} levels deep"));
        }
        let (tag, length) = (self.tag()?, self.u32()?);
        match (tag, length) {
            (SEQUENCE_END, 0) => return Ok(None),
            (ITEM, UNDEFINED) => {}
            (ITEM, length) => return self.take(u64::from(length)).map(Some),
            _ => return bad("a sequence", format!("holds {tag:08x} instead of an item")),
        }
        let start = self.at;
        while self.peek() != Some(ITEM_END) {
            self.element(depth)?;
        }
        let item = &self.bytes[start..self.at];
        self.take(8)?;
        Ok(Some(item))
    }
}
