//! The loop that carries out a block's codes.

use super::bits::Bits;
use super::codes::{FixedTables, OwnTables, Tables};
use super::entry::Entry;
use super::{BLOCK, Damaged, WINDOW};
use crate::vectorized::vectorized;

/// Positions in the buffer, a power of two: an index cut to it needs no check.
pub(super) const PLACES: usize = 1 << 18;
/// Bytes that one turn of the loop may make: the longest match, after literals.
pub(super) const TURN: usize = 258 + 8;
/// What has been made of a stream. Bytes copied to the last position still have room.
pub(super) type Buffer = [u8; PLACES + WIDE];
/// Bytes copied at a time of matches that are looked up in two steps, among which are the long ones.
const WIDE: usize = 64;

/// Bytes that a block makes before its tables are packed, which takes about as long as making so many: many blocks end sooner.
const LONG: usize = 1 << 13;

/// What the loop works on.
pub(super) struct Work<'a, 'b> {
    pub bits: Bits<'a>,
    pub buffer: &'b mut Buffer,
    /// Where the stream begins in the buffer, or 0 once that is more than a window behind.
    pub begin: usize,
    /// Made up to here, from a window on.
    pub made: usize,
    /// Make no more once so much is made, at most [`PLACES`] less [`TURN`].
    pub enough: usize,
}

impl Work<'_, '_> {
    /// Decodes until enough is made or the block ends, and says whether it ended.
    pub(super) fn own(&mut self, tables: &mut OwnTables) -> Result<bool, Damaged> {
        if tables.packs {
            let enough = self.enough;
            self.enough = enough.min(self.made + LONG);
            if self.decode(tables)? {
                return Ok(true);
            }
            self.enough = enough;
            tables.pack();
        }
        self.decode(tables)
    }

    fn decode(&mut self, tables: &OwnTables) -> Result<bool, Damaged> {
        if self.made < self.begin + WINDOW {
            decode_beginning(self, tables)
        } else if tables.mostly_literals {
            decode_literals(self, tables)
        } else {
            decode_matches(self, tables)
        }
    }

    /// The same for a block of the fixed codes.
    pub(super) fn fixed(&mut self, tables: &FixedTables) -> Result<bool, Damaged> {
        decode_fixed(self, tables)
    }
}

vectorized! {
    /// Where a distance may lead to before the stream's begin.
    fn decode_beginning(work: &mut Work<'_, '_>, tables: &OwnTables) -> Result<bool, Damaged> {
        decode::<true, false, _>(work, tables)
    }
}

vectorized! {
    /// Where matches are as usual as literals.
    fn decode_matches(work: &mut Work<'_, '_>, tables: &OwnTables) -> Result<bool, Damaged> {
        decode::<false, false, _>(work, tables)
    }
}

vectorized! {
    /// Where a literal is followed by more of them: such as noise.
    fn decode_literals(work: &mut Work<'_, '_>, tables: &OwnTables) -> Result<bool, Damaged> {
        decode::<false, true, _>(work, tables)
    }
}

vectorized! {
    /// Where the codes are not the block's own, at the beginning or not.
    fn decode_fixed(work: &mut Work<'_, '_>, tables: &FixedTables) -> Result<bool, Damaged> {
        decode::<true, false, _>(work, tables)
    }
}

#[inline(always)]
fn decode<const BEGINNING: bool, const LITERALS: bool, const SIZE: usize>(
    work: &mut Work<'_, '_>,
    tables: &Tables<SIZE>,
) -> Result<bool, Damaged> {
    // In variables of its own, the state stays in registers.
    let (mut bits, mut made) = (work.bits, work.made);
    let (begin, enough) = (work.begin, work.enough.min(PLACES - TURN));
    let (literals, distances, out) = (&tables.literals, &tables.distances, &mut *work.buffer);
    let outcome = loop {
        if made >= enough {
            break Ok(false);
        }
        // 56 bits: four literals of 11 and an entry, or two matches of 12 and 13 more, or a length of 15 and 5 more.
        bits.refill();
        let mut entry = literals.first(bits.peek());
        if LITERALS {
            let mut left = 4;
            while left > 0 && entry.is_literal() {
                out[made & (PLACES - 1)] = entry.bytes()[0];
                made += 1;
                bits.skip(entry.raw_bits());
                entry = literals.first(bits.peek());
                left -= 1;
            }
            if left == 0 {
                continue;
            }
            bits.refill();
        }
        if !entry.is_other() {
            if !step::<BEGINNING>(&mut bits, entry, out, begin, &mut made) {
                break Err(Damaged::Distance);
            }
            let entry = literals.first(bits.peek());
            if !entry.is_other() && !step::<BEGINNING>(&mut bits, entry, out, begin, &mut made) {
                break Err(Damaged::Distance);
            }
            continue;
        }
        cold();
        if entry.is_longer() {
            entry = literals.second(entry, bits.peek());
            if entry.is_literal() {
                write(out, &mut made, entry);
                bits.skip(entry.raw_bits());
                continue;
            }
        }
        let (length, ahead) = (entry, bits.peek());
        bits.skip(length.raw_bits());
        if !length.is_base() {
            break if length.is_end() { Ok(true) } else { Err(Damaged::Symbol) };
        }
        bits.refill();
        let mut distance = distances.first(bits.peek());
        if distance.is_longer() {
            distance = distances.second(distance, bits.peek());
        }
        let (length, back) = (length.value(ahead), distance.value(bits.peek()));
        // Before anything is found wrong, since bits that are missing may be what is wrong.
        bits.skip(distance.raw_bits());
        if !distance.is_base() {
            break Err(Damaged::Symbol);
        }
        if BEGINNING && back > made - begin {
            break Err(Damaged::Distance);
        }
        repeat(out, made, back, length);
        made += length;
    };
    (work.bits, work.made) = (bits, made);
    outcome
}

/// Carries out literals and a match that does not overlap itself and is not longer than a block, and says whether its distance
/// is allowed.
#[inline(always)]
fn step<const BEGINNING: bool>(
    bits: &mut Bits<'_>,
    entry: Entry,
    out: &mut Buffer,
    begin: usize,
    made: &mut usize,
) -> bool {
    write(out, made, entry);
    let (length, back) = (entry.length(), entry.value(bits.peek()));
    bits.skip(entry.raw_bits());
    if BEGINNING && length > 0 && back > *made - begin {
        return false;
    }
    copy::<BLOCK>(out, *made - back, *made);
    *made += length;
    true
}

/// Writes an entry's literals, and anything where it has none.
#[inline(always)]
fn write(out: &mut Buffer, made: &mut usize, entry: Entry) {
    out[*made & (PLACES - 1)..][..2].copy_from_slice(&entry.bytes());
    *made += entry.literals();
}

#[inline(always)]
fn copy<const BYTES: usize>(out: &mut Buffer, from: usize, to: usize) {
    const { assert!(BYTES <= WIDE) };
    let (from, to) = (from & (PLACES - 1), to & (PLACES - 1));
    let mut bytes = [0; BYTES];
    bytes.copy_from_slice(&out[from..][..BYTES]);
    out[to..][..BYTES].copy_from_slice(&bytes);
}

/// Repeats what was made so many bytes ago, and writes up to [`WIDE`] bytes more than it is long.
#[inline(always)]
fn repeat(out: &mut Buffer, made: usize, back: usize, length: usize) {
    let from = made - back;
    if back >= WIDE {
        for done in (0..length).step_by(WIDE) {
            copy::<WIDE>(out, from + done, made + done);
        }
    } else if back >= BLOCK {
        for done in (0..length).step_by(BLOCK) {
            copy::<BLOCK>(out, from + done, made + done);
        }
    } else if back == 1 {
        let byte = out[from];
        out[made..made + length].fill(byte);
    } else {
        // The pattern as often as it fits into a block.
        let mut block = [0; BLOCK];
        let mut filled = back;
        block[..back].copy_from_slice(&out[from..made]);
        while filled < BLOCK {
            block.copy_within(..filled.min(BLOCK - filled), filled);
            filled *= 2;
        }
        for done in (0..length).step_by(BLOCK - BLOCK % back) {
            out[made + done..][..BLOCK].copy_from_slice(&block);
        }
    }
}

/// Marks a way that is seldom taken, so that registers are kept for the others.
#[cold]
#[inline(never)]
fn cold() {}
