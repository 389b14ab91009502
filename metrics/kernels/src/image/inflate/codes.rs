//! Tables that decode Huffman codes, a whole match at a time.

use super::entry::Entry;
use super::{BLOCK, Damaged};
use std::sync::LazyLock;

/// Longest code of deflate, in bits.
const LONGEST: usize = 15;

/// The tables of distances.
type Distances = Codes<{ 1 << 9 }>;
/// The tables of the lengths of codes.
pub(super) type CodeLengths = Codes<{ 1 << 7 }>;
/// The tables of a block that brings its own codes. 2,048 entries of 8 bytes fit a processor's first cache along with the window.
pub(super) type OwnTables = Tables<{ 1 << 11 }>;
/// The tables of blocks that use the fixed codes, of which a length (7 bits) and its distance (5) make one entry.
pub(super) type FixedTables = Tables<{ 1 << 12 }>;

/// What the symbols of literals and lengths mean (RFC 1951, 3.2.5).
const LITERALS_AND_LENGTHS: [Entry; 288] = {
    let mut entries = [Entry::NONE; 288];
    let mut symbol = 0;
    while symbol < 256 {
        entries[symbol] = Entry::literal(symbol as u8);
        symbol += 1;
    }
    entries[256] = Entry::BLOCK_ENDS;
    let mut length = 3;
    while symbol < 284 {
        symbol += 1;
        let extra = if symbol < 265 { 0 } else { (symbol as u32 - 261) / 4 };
        entries[symbol] = Entry::base(length, extra);
        length += 1 << extra;
    }
    entries[285] = Entry::base(258, 0);
    entries
};

/// What the symbols of distances mean (RFC 1951, 3.2.5).
const DISTANCES: [Entry; 32] = {
    let mut entries = [Entry::NONE; 32];
    let (mut symbol, mut distance) = (0, 1u32);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { (symbol as u32 - 2) / 2 };
        entries[symbol] = Entry::base(distance as u16, extra);
        distance += 1 << extra;
        symbol += 1;
    }
    entries
};

/// What the symbols of the lengths of codes mean: themselves.
const CODE_LENGTHS: [Entry; 19] = {
    let mut entries = [Entry::NONE; 19];
    let mut symbol = 0;
    while symbol < 19 {
        entries[symbol] = Entry::base(symbol as u16, 0);
        symbol += 1;
    }
    entries
};

/// A canonical Huffman code: its symbols in the order of their codes.
struct Order {
    symbols: [u16; 288],
    /// Where the symbols begin whose code has so many bits.
    begin: [usize; LONGEST + 2],
    /// Bits of the longest code.
    longest: usize,
}

impl Order {
    /// The code whose symbols have codes of so many bits (0: does not occur, at most 15).
    ///
    /// Takes incomplete codes as zlib does: a single symbol of one bit, and one without symbols. Both are wrong only if bits
    /// are met that are no code. (Of the lengths of codes zlib refuses them at once; here no block can follow that ends.)
    fn new(lengths: &[u8]) -> Result<Self, Damaged> {
        let mut count = [0usize; LONGEST + 1];
        for &length in lengths {
            count[usize::from(length)] += 1;
        }
        count[0] = 0;
        let mut free = 1usize;
        for &count in &count[1..] {
            free = (2 * free).checked_sub(count).ok_or(Damaged::Code)?;
        }
        let longest = (1..=LONGEST).rev().find(|&l| count[l] > 0).unwrap_or(0);
        if free > 0 && longest > 1 {
            return Err(Damaged::Code);
        }
        let mut begin = [0; LONGEST + 2];
        for length in 1..=LONGEST {
            begin[length + 1] = begin[length] + count[length];
        }
        let (mut symbols, mut next) = ([0; 288], begin);
        for (symbol, &length) in (0..).zip(lengths) {
            if length > 0 {
                let at = &mut next[usize::from(length)];
                symbols[*at] = symbol;
                *at += 1;
            }
        }
        Ok(Self { symbols, begin, longest })
    }

    /// The symbols whose code has so many bits.
    fn of_length(&self, bits: usize) -> &[u16] {
        &self.symbols[self.begin[bits]..self.begin[bits + 1]]
    }
}

/// Tables of one code: the first by as many of the next bits as its size has, the second for longer codes.
pub(super) struct Codes<const SIZE: usize> {
    first: Box<[Entry; SIZE]>,
    second: Vec<Entry>,
    /// Codes that may be part of a match in one entry, and their entries, by their bits.
    joining: Vec<(usize, Entry)>,
    /// Where in `joining` the codes of so many bits begin.
    begin: [usize; LONGEST + 2],
}

impl<const SIZE: usize> Codes<SIZE> {
    const BITS: usize = SIZE.trailing_zeros() as usize;

    pub(super) fn new() -> Self {
        Self {
            first: Box::new([Entry::NONE; SIZE]),
            second: Vec::new(),
            joining: Vec::new(),
            begin: [0; LONGEST + 2],
        }
    }

    /// The entry of the first table for the next bits.
    #[inline(always)]
    pub(super) fn first(&self, ahead: u64) -> Entry {
        self.first[ahead as usize & (SIZE - 1)]
    }

    /// The entry of the second table that one of the first leads to.
    #[inline]
    pub(super) fn second(&self, longer: Entry, ahead: u64) -> Entry {
        let index = (ahead >> Self::BITS) as usize & ((1 << longer.bits()) - 1);
        self.second.get(longer.number() + index).copied().unwrap_or(Entry::NONE)
    }

    /// Builds the tables of the code with these lengths. `joins` says which of its entries may be part of a match in one
    /// entry; `distances` are those that may follow them.
    fn build(
        &mut self,
        lengths: &[u8],
        meanings: &[Entry],
        joins: impl Fn(Entry) -> bool,
        distances: Option<&Distances>,
    ) -> Result<(), Damaged> {
        let order = Order::new(lengths)?;
        self.first[0] = Entry::NONE;
        self.second.clear();
        self.joining.clear();
        let mut code = 0;
        for bits in 1..=Self::BITS {
            // With one bit more, what has been placed is there twice.
            let half = 1 << (bits - 1);
            self.first.copy_within(..half, half);
            code <<= 1;
            self.begin[bits] = self.joining.len();
            for &symbol in order.of_length(bits) {
                let (index, entry) =
                    (reversed(code, bits), meanings[usize::from(symbol)].of_code(bits as u32));
                self.first[index] = entry;
                if joins(entry) {
                    self.joining.push((index, entry));
                }
                code += 1;
            }
            if let Some(distances) = distances {
                self.join(bits, distances);
            }
        }
        self.begin[Self::BITS + 1] = self.joining.len();
        let more = order.longest.saturating_sub(Self::BITS);
        for bits in Self::BITS + 1..=order.longest {
            code <<= 1;
            for &symbol in order.of_length(bits) {
                let entry = meanings[usize::from(symbol)].of_code(bits as u32);
                self.place_longer(reversed(code, bits), entry, more);
                code += 1;
            }
        }
        Ok(())
    }

    /// Places the matches whose two codes have so many bits together.
    fn join(&mut self, bits: usize, distances: &Distances) {
        for &(code, length) in &self.joining[..self.begin[bits]] {
            let used = length.bits() as usize;
            for &(next, distance) in distances.joining(bits - used) {
                // A match that overlaps itself is not copied by one block.
                if length.number() <= distance.number() {
                    self.first[code | next << used] = length.and_distance(distance);
                }
            }
        }
    }

    /// Makes an entry of a literal hold what follows it too, as far as its bits tell: another literal, a match, or both.
    fn pack(&mut self) {
        // From the last one, since what follows is looked up further down.
        for index in (0..SIZE).rev() {
            let mut entry = self.first[index];
            while entry.is_literal() {
                let bits = entry.code_bits() as usize;
                let next = self.first[index >> bits];
                if next.is_other()
                    || bits + next.code_bits() as usize > Self::BITS
                    || entry.literals() + next.literals() > 2
                {
                    break;
                }
                entry = entry.and(next);
            }
            self.first[index] = entry;
        }
    }

    /// Codes of so many bits that may be part of a match in one entry.
    fn joining(&self, bits: usize) -> &[(usize, Entry)] {
        if bits > Self::BITS { &[] } else { &self.joining[self.begin[bits]..self.begin[bits + 1]] }
    }

    /// Places a code that is longer than the first table's bits, by as many as `more` at most.
    fn place_longer(&mut self, code: usize, entry: Entry, more: usize) {
        let first = &mut self.first[code & (SIZE - 1)];
        if !first.is_longer() {
            // At most 144 parts of 16 entries, or 15 of 64: in a complete code, two or more codes lead to each.
            *first = Entry::longer(self.second.len() as u16, more as u32);
            self.second.resize(self.second.len() + (1 << more), Entry::NONE);
        }
        let (begin, step) = (first.number(), 1 << (entry.code_bits() as usize - Self::BITS));
        for index in (code >> Self::BITS..1 << more).step_by(step) {
            self.second[begin + index] = entry;
        }
    }
}

impl CodeLengths {
    /// The tables of the code with these lengths.
    pub(super) fn code_lengths(&mut self, lengths: &[u8; 19]) -> Result<(), Damaged> {
        self.build(lengths, &CODE_LENGTHS, |_| false, None)
    }
}

/// The two codes of a block, the first one in a first table of so many entries.
pub(super) struct Tables<const SIZE: usize> {
    pub literals: Codes<SIZE>,
    pub distances: Distances,
    /// Whether packing the tables would be worthwhile and is not done.
    pub packs: bool,
    /// Whether most symbols will be literals, each in an entry of its own.
    pub mostly_literals: bool,
}

/// The fixed codes (RFC 1951, 3.2.6).
pub(super) static FIXED: LazyLock<FixedTables> = LazyLock::new(|| {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    let mut tables = Tables::new();
    tables.build(&lengths, &[5; 32]).expect("both codes are complete");
    tables
});

impl<const SIZE: usize> Tables<SIZE> {
    pub(super) fn new() -> Self {
        Self { literals: Codes::new(), distances: Codes::new(), packs: false, mostly_literals: false }
    }

    /// Builds the tables of the codes with these lengths, of which there are 257 and 1 at least. Where the bits of an entry hold
    /// a length and its distance, it is made a match.
    pub(super) fn build(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), Damaged> {
        self.distances.build(distances, &DISTANCES, Entry::is_base, None)?;
        // Longer lengths are not copied by one block.
        let joins = |length: Entry| {
            length.is_base() && length.bits() == length.code_bits() && length.number() <= BLOCK
        };
        self.literals.build(literals, &LITERALS_AND_LENGTHS, joins, Some(&self.distances))?;
        // What share of the symbols is literals with codes of so many bits, if bits are 0 as often as 1, in units of 2^-15.
        let mut shares = [0; LONGEST + 1];
        for &bits in literals[..256].iter().filter(|&&bits| bits > 0) {
            shares[usize::from(bits)] += 1usize << LONGEST >> bits;
        }
        let up_to = |bits: usize| shares[..=bits].iter().sum::<usize>();
        self.mostly_literals = up_to(LONGEST) > (1 << LONGEST) / 5 * 4;
        let pairs: usize =
            (1..Codes::<SIZE>::BITS).map(|bits| shares[bits] * up_to(Codes::<SIZE>::BITS - bits)).sum();
        self.packs = pairs > 1 << (2 * LONGEST - 3);
        Ok(())
    }

    /// Puts several symbols into an entry, where its bits hold them.
    pub(super) fn pack(&mut self) {
        self.literals.pack();
        (self.packs, self.mostly_literals) = (false, false);
    }
}

/// A code as it comes out of the stream, its first bit lowest.
fn reversed(code: u32, bits: usize) -> usize {
    (code.reverse_bits() >> (32 - bits)) as usize
}
