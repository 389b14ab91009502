//! What the next bits of a deflate stream mean, in one word.

/// Up to two literals and then a match (a length with its distance), or something else that takes a second look.
///
/// From the lowest bit: bits to use up, including those that follow the codes (6), a flag for anything else, how many literals
/// (2), bits of the codes alone (6), the match's length (9), its least distance (15), the literals (16).
///
/// All of them are carried out in the same way, without a branch between them, since which of them comes next cannot be
/// foretold: literals alone are followed by a match of no length, a match alone is preceded by no literal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Entry(u64);

const OTHER: u64 = 1 << 6;
const LITERALS: u32 = 7;
const CODE: u32 = 9;
const LENGTH: u32 = 15;
const NUMBER: u32 = 24;
const BYTES: u32 = 39;
// Kinds of anything else, where a match has its length.
const BASE: u64 = OTHER | 1 << LENGTH;
const LONGER: u64 = OTHER | 2 << LENGTH;
const END: u64 = OTHER | 3 << LENGTH;
const KIND: u64 = END;

/// Distance of the match without length that follows literals: far enough behind that the bytes copied for nothing have
/// reached the cache, and less than a window.
const APART: u64 = 1024 << NUMBER;

impl Entry {
    /// Bits that are no code.
    pub(super) const NONE: Self = Self(OTHER);

    /// The end of a block.
    pub(super) const BLOCK_ENDS: Self = Self(END);

    /// A byte as it is.
    pub(super) const fn literal(byte: u8) -> Self {
        Self(1 << LITERALS | APART | (byte as u64) << BYTES)
    }

    /// A number below 32,768 to which the value of `extra` further bits is added: a length, or a distance.
    pub(super) const fn base(number: u16, extra: u32) -> Self {
        Self(BASE | (number as u64) << NUMBER | extra as u64)
    }

    /// The rest of the code is looked up by its next bits, from `start` of the second table.
    pub(super) fn longer(start: u16, bits: u32) -> Self {
        Self(LONGER | u64::from(start) << NUMBER | u64::from(bits))
    }

    /// The same with a code of so many bits.
    pub(super) const fn of_code(self, bits: u32) -> Self {
        Self(self.0 + bits as u64 + ((bits as u64) << CODE))
    }

    /// A length without further bits, and the distance that follows it, as a match.
    pub(super) fn and_distance(self, distance: Self) -> Self {
        let code = u64::from(self.bits() + distance.code_bits());
        let bits = u64::from(self.bits() + distance.bits());
        Self(bits | code << CODE | (self.number() as u64) << LENGTH | (distance.number() as u64) << NUMBER)
    }

    /// Literals, and what follows them: a match, or a second literal.
    pub(super) fn and(self, next: Self) -> Self {
        let (fields, bytes) = (next.0 & ((1 << BYTES) - 1), next.0 >> BYTES);
        Self(self.0 - APART + fields + (bytes << (BYTES + 8)))
    }

    /// Bits to use up, in the lowest six bits; above them stands anything.
    #[inline(always)]
    pub(super) fn raw_bits(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// Bits to use up.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.raw_bits() & 63
    }

    /// Bits of the code alone.
    pub(super) fn code_bits(self) -> u32 {
        (self.0 >> CODE & 63) as u32
    }

    /// Whether it is neither a literal nor a match.
    #[inline(always)]
    pub(super) fn is_other(self) -> bool {
        self.0 & OTHER != 0
    }

    /// Whether it is one or two literals and no match.
    #[inline(always)]
    pub(super) fn is_literal(self) -> bool {
        self.0 & (OTHER | 511 << LENGTH) == 0
    }

    /// Whether it is a number, to which bits may be added.
    #[inline(always)]
    pub(super) fn is_base(self) -> bool {
        self.0 & KIND == BASE
    }

    /// Whether the rest of the code is in the second table.
    #[inline(always)]
    pub(super) fn is_longer(self) -> bool {
        self.0 & KIND == LONGER
    }

    /// Whether the block ends.
    pub(super) fn is_end(self) -> bool {
        self.0 & KIND == END
    }

    /// The literals.
    #[inline(always)]
    pub(super) fn bytes(self) -> [u8; 2] {
        ((self.0 >> BYTES) as u16).to_le_bytes()
    }

    /// How many literals: 2 at most.
    #[inline(always)]
    pub(super) fn literals(self) -> usize {
        (self.0 >> LITERALS & 3) as usize
    }

    /// Length of the match.
    #[inline(always)]
    pub(super) fn length(self) -> usize {
        (self.0 >> LENGTH & 511) as usize
    }

    /// A length, the least distance, or where the second table continues.
    #[inline(always)]
    pub(super) fn number(self) -> usize {
        (self.0 >> NUMBER & 0x7fff) as usize
    }

    /// The number and what the bits behind the code add to it; `ahead` begins with the code.
    #[inline(always)]
    pub(super) fn value(self, ahead: u64) -> usize {
        let with_code = ahead & ((1 << self.bits()) - 1);
        self.number() + (with_code >> (self.0 >> CODE & 63)) as usize
    }
}
