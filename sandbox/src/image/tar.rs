//! Reads tar archives that nobody trusts, entry by entry, in bounded memory.
//!
//! The `tar` crate reads the fields of a header. The walk from header to header is our own: long names and extended
//! headers have a limit, a size that two headers disagree on is refused, and damage is called by its name.

use std::io::{self, BufReader, Read};

use tar::{EntryType, Header};

use super::limits::EXTENDED_HEADER_BYTES;
use super::refusal::{invalid, quote, unreadable};
use crate::types::Refusal;

const BLOCK: usize = 512;

/// One entry; its content, if it has any, is read from the [`TarReader`].
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: EntryType,
    /// Bytes of content; 0 for what has none.
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) user: u64,
    pub(super) group: u64,
    /// Seconds since 1970.
    pub(super) modified: i64,
}

/// What the extended headers before an entry say about it.
#[derive(Debug, Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    user: Option<u64>,
    group: Option<u64>,
}

/// A tar archive being read.
#[derive(Debug)]
pub(super) struct TarReader<R> {
    from: R,
    /// Bytes read so far.
    position: u64,
    /// Content of the current entry not yet read.
    left: u64,
    /// Bytes that fill up its last block.
    padding: u64,
}

impl<R: Read> TarReader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, position: 0, left: 0, padding: 0 }
    }

    /// Goes to the next entry; `None` at the end, after which nothing but zeros may follow.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Refusal> {
        self.pass_content()?;
        let mut extended = Extended::default();
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            if block.iter().all(|byte| *byte == 0) {
                return self.end().map(|()| None);
            }
            let header = Header::from_byte_slice(&block);
            check_sum(header)?;
            let size = header.entry_size().map_err(|_| invalid("a tar header whose size is no number"))?;
            match header.entry_type() {
                EntryType::GNULongName => extended.name = Some(until_nul(self.extension(size)?)),
                EntryType::GNULongLink => extended.link = Some(until_nul(self.extension(size)?)),
                EntryType::XHeader => extended.read(&self.extension(size)?)?,
                // Says something about every entry; nothing of what it may say is used.
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                kind => {
                    let entry = entry(header, kind, size, extended)?;
                    self.set_content(entry.size);
                    return Ok(Some(entry));
                }
            }
        }
    }

    fn set_content(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    /// One block; `None` at a clean end.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Refusal> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.from.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(invalid("the tar archive is cut short within a header")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    /// The content of an extended header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Refusal> {
        if size > EXTENDED_HEADER_BYTES {
            return Err(invalid(format!(
                "an extended tar header of {size} bytes; at most {EXTENDED_HEADER_BYTES} are read"
            )));
        }
        self.set_content(size);
        let mut content = Vec::new();
        self.read_to_end(&mut content).map_err(unreadable)?;
        self.pass_content()?;
        Ok(content)
    }

    /// Reads what is left of the current entry.
    fn pass_content(&mut self) -> Result<(), Refusal> {
        let left = self.left;
        if io::copy(self, &mut io::sink()).map_err(unreadable)? < left {
            return Err(invalid("the tar archive is cut short within a file"));
        }
        let padding = std::mem::take(&mut self.padding);
        let passed = io::copy(&mut (&mut self.from).take(padding), &mut io::sink()).map_err(unreadable)?;
        self.position += passed;
        if passed < padding {
            return Err(invalid(
                "the tar archive ends without filling its last block, as umoci 0.4 writes it; build the image with \
                 buildah, podman or docker",
            ));
        }
        Ok(())
    }

    /// After the end only zeros may follow.
    fn end(&mut self) -> Result<(), Refusal> {
        let mut chunk = [0; 8192];
        loop {
            match self.from.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) if chunk[..count].iter().all(|byte| *byte == 0) => {}
                Ok(_) => return Err(invalid("data follows the end of the tar archive")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
    }
}

impl<R: Read + io::Seek> TarReader<BufReader<R>> {
    /// Passes over the content of the current entry and says where in the archive it begins. Whether the archive is
    /// that long is for the caller to check.
    pub(super) fn locate(&mut self) -> Result<u64, Refusal> {
        let (start, length) = (self.position, self.left + self.padding);
        (self.left, self.padding) = (0, 0);
        let distance = i64::try_from(length).map_err(|_| invalid("a size beyond all bounds"))?;
        self.from.seek_relative(distance).map_err(unreadable)?;
        self.position += length;
        Ok(start)
    }
}

/// Reads the content of the current entry.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.from).take(self.left).read(buffer)?;
        self.left -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

impl Extended {
    /// Reads `length key=value\n` again and again. Values may hold any byte, so that only the lengths divide them.
    fn read(&mut self, mut content: &[u8]) -> Result<(), Refusal> {
        while !content.is_empty() {
            let (key, value, rest) =
                record(content).ok_or_else(|| invalid("an extended tar header that cannot be read"))?;
            self.set(key, value)?;
            content = rest;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let number = || {
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            number.ok_or_else(|| invalid(format!("an extended tar header whose {} is no number", quote(key))))
        };
        match key {
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"uid" => self.user = Some(number()?),
            b"gid" => self.group = Some(number()?),
            key if key.starts_with(b"GNU.sparse") => {
                return Err(invalid(
                    "a sparse file in a tar archive; write it in full (tar without --sparse)",
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Key, value and what follows of the first record.
fn record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().take(8).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&content[..space]).ok()?.parse().ok()?;
    let (record, rest) = content.split_at_checked(length)?;
    let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some((&pair[..equals], &pair[equals + 1..], rest))
}

fn entry(header: &Header, kind: EntryType, size: u64, extended: Extended) -> Result<Entry, Refusal> {
    let name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
    let size = match extended.size {
        // A writer that cannot fit the size into the old header leaves it at 0.
        Some(said) if size != 0 && said != size => {
            return Err(invalid(format!("two sizes for {}: {size} and {said}", quote(&name))));
        }
        Some(said) => said,
        None => size,
    };
    // Old writers call a folder a file whose name ends so.
    let folder = kind == EntryType::Regular && name.ends_with(b"/");
    let kind = if folder { EntryType::Directory } else { kind };
    let content = matches!(kind, EntryType::Regular | EntryType::Continuous);
    Ok(Entry {
        link: extended.link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
        name,
        kind,
        size: if content { size } else { 0 },
        mode: header.mode().unwrap_or(0o644),
        user: extended.user.or(header.uid().ok()).unwrap_or(0),
        group: extended.group.or(header.gid().ok()).unwrap_or(0),
        modified: header.mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or(0),
    })
}

/// The sum of a header's bytes, its own eight counted as spaces.
fn check_sum(header: &Header) -> Result<(), Refusal> {
    let bytes = header.as_bytes();
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = bytes[148..156].iter().map(|byte| u32::from(*byte)).sum();
    if header.cksum().is_ok_and(|said| said == sum - own + 8 * 32) {
        return Ok(());
    }
    Err(invalid("not a tar header where one is expected (its checksum does not fit)"))
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}
