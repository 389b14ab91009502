//! Readers that count, digest and bound what passes through them.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use fiel_schemas::digest::to_hex;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::limits::{RATIO, RATIO_FROM_BYTES, ZSTD_WINDOW_LOG};
use super::refusal::invalid;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// What has passed through a [`Metered`] reader.
#[derive(Debug, Default)]
struct Tally {
    hash: Sha256,
    bytes: u64,
}

/// The other end of a [`Metered`] reader.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Rc<RefCell<Tally>>);

impl Meter {
    /// Bytes that passed so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.borrow().bytes
    }

    /// SHA-256 of the bytes that passed so far, lower-case hexadecimal.
    pub(super) fn sha256(&self) -> String {
        to_hex(&self.0.borrow().hash.clone().finalize())
    }

    /// A reader measured by this.
    pub(super) fn measure<R: Read>(&self, from: R) -> Metered<R> {
        Metered { from, meter: self.clone() }
    }
}

/// A reader whose bytes are counted and digested.
#[derive(Debug)]
pub(super) struct Metered<R> {
    from: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        let mut tally = self.meter.0.borrow_mut();
        tally.hash.update(&buffer[..count]);
        tally.bytes += count as u64;
        Ok(count)
    }
}

/// A decompressed stream that ends with a refusal when more comes out of it than may.
struct Bounded<R> {
    from: R,
    /// Measures what goes in.
    packed: Meter,
    out: u64,
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.out += count as u64;
        if self.out > self.limit {
            return Err(io::Error::other(invalid(format!(
                "unpacks to more than the {} MiB that an image may have",
                self.limit >> 20
            ))));
        }
        if self.out > RATIO_FROM_BYTES && self.out / RATIO > self.packed.bytes() {
            return Err(io::Error::other(invalid(format!(
                "unpacks to more than {RATIO} times its size and more than {} MiB, as a decompression bomb does",
                RATIO_FROM_BYTES >> 20
            ))));
        }
        Ok(count)
    }
}

/// What compresses a stream; told from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// Told from the first four bytes.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// Decompresses what `packed` measures, if it is compressed; at most `limit` bytes come out.
pub(super) fn unpacked<'a>(
    from: impl Read + 'a,
    packed: &Meter,
    limit: u64,
) -> io::Result<Box<dyn Read + 'a>> {
    let mut from = BufReader::with_capacity(CHUNK, packed.measure(from));
    let head = from.fill_buf()?;
    let packing = Packing::of(&head[..head.len().min(4)]);
    let packed = packed.clone();
    let bounded = |from: Box<dyn Read + 'a>| Box::new(Bounded { from, packed, out: 0, limit });
    Ok(match packing {
        Packing::Plain => bounded(Box::new(from)),
        Packing::Gzip => bounded(Box::new(MultiGzDecoder::new(from))),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            bounded(Box::new(decoder))
        }
    })
}
