//! Decompresses deflate (RFC 1951) from memory in pieces, in safe code.
//!
//! Reading a compressed image is decompressing it: nine tenths of the time. The streams are strangers', so the decoder must be
//! written in a language that checks it; of such, zlib-rs and zune-inflate took 1.3 times as long and more for a CT as
//! libdeflate, in C. This one takes less than libdeflate, because of how images compress: to matches of a few bytes, and to
//! literals of few bits. A table's entry is a whole match where a length and its distance fit into 11 bits, or up to two
//! literals, or both, and all of these are carried out without a branch between them. Figures: `docs/performance.md`,
//! `cargo bench -p fiel-kernels --bench images`.

#![expect(
    clippy::cast_possible_truncation,
    reason = "codes, symbols, lengths and distances have at most 16 bits, positions in the buffer at most 18"
)]
#![expect(
    clippy::inline_always,
    reason = "the decoder's state stays in registers only if nothing of its loop is called"
)]

mod bits;
mod codes;
mod decode;
mod entry;
#[cfg(test)]
mod tests;

use bits::Bits;
use codes::{CodeLengths, FIXED, OwnTables};
use decode::{Buffer, PLACES, TURN, Work};
use thiserror::Error;

/// How far back a stream may refer.
const WINDOW: usize = 1 << 15;
/// Bytes copied at a time.
const BLOCK: usize = 16;
/// Most bytes that are taken at once: half of a usual second-level cache, with the window, a multiple of every voxel's size.
pub(super) const PIECE: usize = 1 << 17;

/// Why a stream cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Damaged {
    #[error("the compressed data end too early")]
    End,
    #[error("damaged compressed data: a block is of no known kind")]
    Kind,
    #[error("damaged compressed data: the length of a stored block does not match its complement")]
    Stored,
    #[error("damaged compressed data: a block declares too many symbols")]
    Counts,
    #[error("damaged compressed data: lengths of codes repeat before the first or past the last one")]
    Repeat,
    #[error("damaged compressed data: the lengths of a block's codes make no code")]
    Code,
    #[error("damaged compressed data: a block has no code for its end")]
    NoEnd,
    #[error("damaged compressed data: bits that are no code")]
    Symbol,
    #[error("damaged compressed data: a distance leads to before the beginning")]
    Distance,
}

/// What a stream is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Before a block, or after the last one.
    Between { last: bool },
    /// A block with so many bytes left as they are.
    Stored { left: usize, last: bool },
    /// A block that brings its own codes.
    Own { last: bool },
    /// A block of the fixed codes.
    Fixed { last: bool },
    /// After the last block.
    Ended,
}

/// A stream in memory with what has been made of it.
pub(super) struct Inflate<'a> {
    bits: Bits<'a>,
    block: Block,
    lengths: CodeLengths,
    own: OwnTables,
    /// The window, then what has been made and not taken.
    buffer: Box<Buffer>,
    /// Where the stream begins in the buffer, or 0 once that is more than a window behind.
    begin: usize,
    /// Taken up to here, from a window on.
    taken: usize,
    /// Made up to here.
    made: usize,
}

impl<'a> Inflate<'a> {
    /// A stream that begins with the input and ends in it.
    pub(super) fn new(input: &'a [u8]) -> Self {
        let buffer = vec![0; size_of::<Buffer>()].into_boxed_slice();
        Self {
            bits: Bits::new(input),
            block: Block::Between { last: false },
            lengths: CodeLengths::new(),
            own: OwnTables::new(),
            buffer: buffer.try_into().expect("made of that size"),
            begin: WINDOW,
            taken: WINDOW,
            made: WINDOW,
        }
    }

    /// Goes on with another stream, whose bytes follow those made.
    pub(super) fn restart(&mut self, input: &'a [u8]) {
        self.bits = Bits::new(input);
        self.block = Block::Between { last: false };
        self.begin = self.made;
    }

    /// Whether the stream has ended; what has been made may not be taken yet.
    pub(super) fn ended(&self) -> bool {
        self.block == Block::Ended
    }

    /// What follows the stream in the input, once it has ended.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bits.rest()
    }

    /// How many bytes are made and not taken.
    pub(super) fn ready(&self) -> usize {
        self.made - self.taken
    }

    /// The next bytes of those made, as many as wanted or as there are.
    pub(super) fn take(&mut self, wanted: usize) -> &[u8] {
        let from = self.taken;
        self.taken = self.made.min(from + wanted);
        &self.buffer[from..self.taken]
    }

    /// Makes bytes until as many are ready as wanted, at most [`PIECE`], or the stream ends. Gives the bytes that are new.
    pub(super) fn make(&mut self, wanted: usize) -> Result<&[u8], Damaged> {
        let wanted = wanted.min(PIECE);
        if self.taken + wanted > PLACES - TURN {
            let gone = self.taken - WINDOW;
            self.buffer.copy_within(gone..self.made, 0);
            self.taken -= gone;
            self.made -= gone;
            self.begin = self.begin.saturating_sub(gone);
        }
        let (before, enough) = (self.made, self.taken + wanted);
        while self.made < enough && !self.ended() {
            let done = self.go_on(enough);
            // Zeros stand in for what is missing, and may themselves be found wrong.
            if self.bits.overrun() {
                return Err(Damaged::End);
            }
            done?;
        }
        Ok(&self.buffer[before..self.made])
    }

    fn go_on(&mut self, enough: usize) -> Result<(), Damaged> {
        self.block = match self.block {
            Block::Between { last: true } => {
                self.bits.align();
                Block::Ended
            }
            Block::Between { last: false } => self.head()?,
            Block::Stored { left: 0, last } => Block::Between { last },
            Block::Stored { left, last } => {
                let now = left.min(enough - self.made);
                let bytes = self.bits.bytes(now).ok_or(Damaged::End)?;
                self.buffer[self.made..self.made + now].copy_from_slice(bytes);
                self.made += now;
                Block::Stored { left: left - now, last }
            }
            Block::Own { last } | Block::Fixed { last } => {
                let mut work = Work {
                    bits: self.bits,
                    buffer: &mut self.buffer,
                    begin: self.begin,
                    made: self.made,
                    enough,
                };
                let ended = match self.block {
                    Block::Fixed { .. } => work.fixed(&FIXED),
                    _ => work.own(&mut self.own),
                };
                (self.bits, self.made) = (work.bits, work.made);
                if ended? { Block::Between { last } } else { self.block }
            }
            Block::Ended => Block::Ended,
        };
        Ok(())
    }

    /// The beginning of a block.
    fn head(&mut self) -> Result<Block, Damaged> {
        self.bits.refill();
        let last = self.bits.take(1) == 1;
        match self.bits.take(2) {
            0 => {
                self.bits.align();
                let head = self.bits.bytes(4).ok_or(Damaged::End)?;
                let [length, complement] = [0, 2].map(|i| u16::from_le_bytes([head[i], head[i + 1]]));
                if length != !complement {
                    return Err(Damaged::Stored);
                }
                Ok(Block::Stored { left: usize::from(length), last })
            }
            1 => Ok(Block::Fixed { last }),
            2 => {
                self.own_codes()?;
                Ok(Block::Own { last })
            }
            _ => Err(Damaged::Kind),
        }
    }

    /// The codes of a block that brings its own (RFC 1951, 3.2.7).
    fn own_codes(&mut self) -> Result<(), Damaged> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = self.bits.take(5) + 257;
        let distances = self.bits.take(5) + 1;
        let counted = self.bits.take(4) + 4;
        if literals > 286 || distances > 30 {
            return Err(Damaged::Counts);
        }
        let mut of_lengths = [0; 19];
        for &symbol in &ORDER[..counted] {
            self.bits.refill();
            of_lengths[symbol] = self.bits.take(3) as u8;
        }
        self.lengths.code_lengths(&of_lengths)?;
        let mut lengths = [0; 286 + 30];
        let total = literals + distances;
        let mut at = 0;
        while at < total {
            self.bits.refill();
            let entry = self.lengths.first(self.bits.peek());
            self.bits.skip(entry.bits());
            if !entry.is_base() {
                return Err(Damaged::Symbol);
            }
            let (length, times) = match entry.number() {
                16 => (*lengths[..at].last().ok_or(Damaged::Repeat)?, 3 + self.bits.take(2)),
                17 => (0, 3 + self.bits.take(3)),
                18 => (0, 11 + self.bits.take(7)),
                length => (length as u8, 1),
            };
            lengths[..total].get_mut(at..at + times).ok_or(Damaged::Repeat)?.fill(length);
            at += times;
        }
        if lengths[256] == 0 {
            return Err(Damaged::NoEnd);
        }
        self.own.build(&lengths[..literals], &lengths[literals..total])
    }
}
