//! The bytes of the voxels, plain or compressed, in pieces that stay in the processor's cache.

use super::inflate::{Damaged, Inflate, PIECE};
use crate::error::ImageError;
use zlib_rs::adler32::adler32;

/// No deflate stream expands more than this: a larger claim cannot be true.
const MAX_DEFLATE_RATIO: u64 = 1032;
/// Gzip members allowed apart from one for every 512 bytes (block compressors write one for every 64 KiB).
const MAX_MEMBERS: u64 = 1024;

/// A file's bytes as stored or as they decompress.
pub(super) struct Stream<'a> {
    source: Source<'a>,
    /// Bytes given so far.
    given: u64,
}

enum Source<'a> {
    Plain(&'a [u8]),
    Deflate(Box<Deflate<'a>>),
}

impl<'a> Stream<'a> {
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self { source: Source::Plain(bytes), given: 0 }
    }

    /// One or more gzip members.
    pub(super) fn gzip(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let rest = gzip_header(bytes)?;
        let wrapper = Wrapper::Gzip { crc: crc32fast::Hasher::new(), length: 0 };
        Ok(Self { source: Source::Deflate(Box::new(Deflate::new(rest, wrapper))), given: 0 })
    }

    /// A zlib stream.
    pub(super) fn zlib(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let rest = zlib_header(bytes)?;
        Ok(Self {
            source: Source::Deflate(Box::new(Deflate::new(rest, Wrapper::Zlib { adler: 1 }))),
            given: 0,
        })
    }

    /// Refuses a declared number of bytes that cannot follow, before anything is allocated for them.
    pub(super) fn expect(&self, bytes: u64) -> Result<(), ImageError> {
        let declared = self.given + bytes;
        match &self.source {
            Source::Plain(rest) if rest.len() as u64 != bytes => Err(ImageError::Data(format!(
                "the file has {} bytes, its header declares {declared}",
                self.given + rest.len() as u64
            ))),
            Source::Deflate(d) if declared > (d.compressed as u64).saturating_mul(MAX_DEFLATE_RATIO) => {
                Err(ImageError::Data(format!(
                    "{} compressed bytes cannot hold the {declared} that the header declares",
                    d.compressed
                )))
            }
            _ => Ok(()),
        }
    }

    /// The next bytes, as many as `out` holds or as there are.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, ImageError> {
        let count = match &mut self.source {
            Source::Plain(rest) => {
                let count = rest.len().min(out.len());
                let (now, later) = rest.split_at(count);
                out[..count].copy_from_slice(now);
                *rest = later;
                count
            }
            Source::Deflate(deflate) => {
                let mut count = 0;
                while count < out.len() {
                    let bytes = deflate.take(out.len() - count)?;
                    if bytes.is_empty() {
                        break;
                    }
                    out[count..count + bytes.len()].copy_from_slice(bytes);
                    count += bytes.len();
                }
                count
            }
        };
        self.given += count as u64;
        Ok(count)
    }

    /// Passes over bytes.
    pub(super) fn skip(&mut self, mut bytes: usize) -> Result<(), ImageError> {
        let mut buffer = [0u8; 4096];
        let declared = self.given + bytes as u64;
        while bytes > 0 {
            let wanted = bytes.min(buffer.len());
            if self.read(&mut buffer[..wanted])? < wanted {
                return Err(self.short(declared));
            }
            bytes -= wanted;
        }
        Ok(())
    }

    /// The next `bytes` bytes in pieces of [`PIECE`] bytes, the last one shorter. With `swap`, every group of so
    /// many bytes is turned around.
    pub(super) fn pieces(
        &mut self,
        bytes: u64,
        swap: usize,
        mut piece: impl FnMut(&[u8]) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let mut buffer = Vec::new();
        let mut left = bytes;
        let declared = self.given + bytes;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
            match &mut self.source {
                Source::Plain(rest) if swap < 2 && rest.len() >= wanted => {
                    let (now, later) = rest.split_at(wanted);
                    piece(now)?;
                    *rest = later;
                    self.given += wanted as u64;
                }
                Source::Deflate(deflate) if swap < 2 => {
                    let now = deflate.take(wanted)?;
                    self.given += now.len() as u64;
                    if now.len() < wanted {
                        return Err(self.short(declared));
                    }
                    piece(now)?;
                }
                _ => {
                    buffer.resize(wanted, 0);
                    if self.read(&mut buffer)? < wanted {
                        return Err(self.short(declared));
                    }
                    if swap > 1 {
                        buffer.chunks_exact_mut(swap).for_each(<[u8]>::reverse);
                    }
                    piece(&buffer)?;
                }
            }
            left -= wanted as u64;
        }
        Ok(())
    }

    /// Makes sure that nothing follows and that the checksums are right.
    pub(super) fn finish(&mut self) -> Result<(), ImageError> {
        let declared = self.given;
        // Reading past the end also lets the decoder verify its checksum.
        if self.read(&mut [0u8])? == 0 {
            return Ok(());
        }
        Err(ImageError::Data(format!(
            "the file holds more than the {declared} bytes that its header declares"
        )))
    }

    fn short(&self, declared: u64) -> ImageError {
        ImageError::Data(format!("the file holds {} bytes, its header declares {declared}", self.given))
    }
}

/// What is around a deflate stream, with the checksum of what has been made of it.
enum Wrapper {
    Gzip { crc: crc32fast::Hasher, length: u32 },
    Zlib { adler: u32 },
}

struct Deflate<'a> {
    inflate: Inflate<'a>,
    /// Bytes of the compressed data.
    compressed: usize,
    wrapper: Wrapper,
    ended: bool,
    /// Gzip members begun after the first one.
    members: u64,
    /// Bytes decompressed so far.
    made: u64,
}

impl<'a> Deflate<'a> {
    fn new(input: &'a [u8], wrapper: Wrapper) -> Self {
        let inflate = Inflate::new(input);
        Self { inflate, compressed: input.len(), wrapper, ended: false, members: 0, made: 0 }
    }

    /// The next bytes: as many as wanted, at most [`PIECE`], or as there are.
    fn take(&mut self, wanted: usize) -> Result<&[u8], ImageError> {
        let wanted = wanted.min(PIECE);
        while self.inflate.ready() < wanted && !self.ended {
            let new = self
                .inflate
                .make(wanted)
                .map_err(|damaged: Damaged| ImageError::Data(damaged.to_string()))?;
            match &mut self.wrapper {
                Wrapper::Gzip { crc, length } => {
                    crc.update(new);
                    // The trailer counts modulo 2^32.
                    *length = length.wrapping_add(u32::try_from(new.len()).unwrap_or(u32::MAX));
                }
                Wrapper::Zlib { adler } => *adler = adler32(*adler, new),
            }
            self.made += new.len() as u64;
            if self.inflate.ended() {
                self.end_of_stream()?;
            }
        }
        Ok(self.inflate.take(wanted))
    }

    fn end_of_stream(&mut self) -> Result<(), ImageError> {
        let rest = self.inflate.rest();
        let (kind, right, rest) = match &mut self.wrapper {
            Wrapper::Gzip { crc, length } => {
                let (crc, length) = (std::mem::take(crc).finalize(), std::mem::take(length));
                let (sums, rest) = rest.split_first_chunk::<8>().ok_or_else(|| cut_off("gzip"))?;
                ("gzip", sums[..4] == crc.to_le_bytes() && sums[4..] == length.to_le_bytes(), rest)
            }
            Wrapper::Zlib { adler } => {
                let (sum, rest) = rest.split_first_chunk::<4>().ok_or_else(|| cut_off("zlib"))?;
                ("zlib", *sum == adler.to_be_bytes(), rest)
            }
        };
        if !right {
            return Err(ImageError::Data(format!("{kind}: the checksum does not match")));
        }
        if rest.is_empty() {
            self.ended = true;
        } else if matches!(self.wrapper, Wrapper::Gzip { .. }) && rest.starts_with(&[0x1f, 0x8b]) {
            self.inflate.restart(gzip_header(rest)?);
            // Millions of members without content would cost time and hold nothing.
            self.members += 1;
            if self.members > MAX_MEMBERS + self.made / 512 {
                return Err(ImageError::Data(format!("gzip: {} members are too many", self.members)));
            }
        } else {
            // Zeros too, which gzip(1) passes over: a file that was padded has been changed by something.
            return Err(ImageError::Data(format!("{} bytes follow the compressed data", rest.len())));
        }
        Ok(())
    }
}

fn cut_off(kind: &str) -> ImageError {
    ImageError::Data(format!("{kind}: the checksum is cut off"))
}

/// What follows a zlib stream's header (RFC 1950): deflate, with no dictionary.
fn zlib_header(bytes: &[u8]) -> Result<&[u8], ImageError> {
    match bytes {
        [method, flags, rest @ ..]
            if method & 15 == 8
                && method >> 4 <= 7
                && flags & 0x20 == 0
                && u16::from_be_bytes([*method, *flags]) % 31 == 0 =>
        {
            Ok(rest)
        }
        _ => Err(ImageError::Data("zlib: the header is damaged".to_owned())),
    }
}

/// What follows a gzip member's header (RFC 1952).
fn gzip_header(bytes: &[u8]) -> Result<&[u8], ImageError> {
    let damaged = || ImageError::Data("gzip: the header is damaged".to_owned());
    let (head, mut rest) = bytes.split_first_chunk::<10>().ok_or_else(damaged)?;
    let flags = head[3];
    if head[..3] != [0x1f, 0x8b, 8] || flags & 0xe0 != 0 {
        return Err(damaged());
    }
    if flags & 4 != 0 {
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..).ok_or_else(damaged)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|&b| b == 0).ok_or_else(damaged)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        let (sum, after) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let header = &bytes[..bytes.len() - rest.len()];
        if crc32fast::hash(header).to_le_bytes()[..2] != *sum {
            return Err(ImageError::Data("gzip: the header's checksum does not match".to_owned()));
        }
        rest = after;
    }
    Ok(rest)
}
