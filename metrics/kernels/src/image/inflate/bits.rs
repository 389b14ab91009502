//! The bits of a deflate stream, lowest first.

/// Reads bits ahead of their use, so that a decoder need not ask for every code how many are left.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    /// What has not been taken into `ahead`.
    rest: &'a [u8],
    /// The next bits. Above the valid ones there may be more, which are those that the next refill brings once more: laid over
    /// them, they change nothing.
    ahead: u64,
    /// The lowest six bits say how many are valid; the others mean nothing.
    count: u32,
    /// Zero bytes imagined behind the end of the input; where they are more than what is valid, some have been used.
    imagined: u32,
    /// The whole input.
    input: &'a [u8],
}

/// Valid bits after [`Bits::refill`], at least.
const REFILLED: u32 = 56;

impl<'a> Bits<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, ahead: 0, count: 0, imagined: 0, input }
    }

    /// Makes sure of 56 bits. Behind the end of the input they are zeros, which [`Self::overrun`] tells.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if let Some(next) = self.rest.first_chunk() {
            self.ahead |= u64::from_le_bytes(*next) << (self.count & 63);
            self.rest = &self.rest[((!self.count & 63) / 8) as usize..];
            self.count |= REFILLED;
        } else {
            *self = self.refilled_at_the_end();
        }
    }

    /// By value: a decoder's copy whose address is never taken stays in registers.
    #[cold]
    #[inline(never)]
    fn refilled_at_the_end(mut self) -> Self {
        self.count &= 63;
        // What stands above the valid bits would be taken twice.
        self.ahead &= (1 << self.count) - 1;
        while self.count < REFILLED {
            match self.rest.split_first() {
                Some((&byte, rest)) => {
                    self.ahead |= u64::from(byte) << self.count;
                    self.rest = rest;
                }
                None => self.imagined = self.imagined.saturating_add(1),
            }
            self.count += 8;
        }
        self
    }

    /// Whether bits were used that the input does not have.
    pub(super) fn overrun(&self) -> bool {
        self.imagined.saturating_mul(8) > self.count & 63
    }

    /// The next bits, without using them up.
    #[inline(always)]
    pub(super) fn peek(&self) -> u64 {
        self.ahead
    }

    /// Uses up as many bits as the lowest six bits of a number say; so many must be valid.
    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.ahead >>= bits & 63;
        self.count = self.count.wrapping_sub(bits);
    }

    /// The next bits, at most 16.
    #[inline]
    pub(super) fn take(&mut self, bits: u32) -> usize {
        let value = self.ahead & ((1 << bits) - 1);
        self.skip(bits);
        usize::from(value as u16)
    }

    /// Drops what is left of a byte begun, and gives back the bytes read ahead.
    pub(super) fn align(&mut self) {
        let ahead = (self.count & 63) / 8;
        let unread = self.rest.len() + ahead.saturating_sub(self.imagined) as usize;
        self.rest = &self.input[self.input.len() - unread..];
        self.imagined = self.imagined.saturating_sub(ahead);
        (self.ahead, self.count) = (0, 0);
    }

    /// What follows; complete after [`Self::align`].
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next bytes, if there are so many; after [`Self::align`].
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn bits_come_lowest_first_and_end_with_the_input() {
        let input: Vec<u8> = (1..=12).collect();
        let mut bits = Bits::new(&input);
        bits.refill();
        assert_eq!((bits.take(1), bits.take(7), bits.take(8)), (1, 0, 2));
        bits.refill();
        assert_eq!(bits.take(3), 3);
        bits.align();
        assert_eq!(bits.rest(), &input[3..]);
        assert_eq!(bits.bytes(2), Some(&input[3..5]));
        bits.refill();
        for byte in 6..=12 {
            bits.refill();
            assert_eq!(bits.take(8), byte);
        }
        assert!(!bits.overrun());
        bits.refill();
        assert!(!bits.overrun());
        assert_eq!(bits.take(1), 0);
        assert!(bits.overrun());
        bits.align();
        assert!(bits.overrun() || bits.rest().is_empty());
    }
}
