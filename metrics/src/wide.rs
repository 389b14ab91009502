//! Whole numbers of 256 bits: exact products of sums in fixed point, for variances without cancellation.

use std::ops::{Add, Sub};

/// A signed number of 256 bits in two's complement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide {
    high: i128,
    low: u128,
}

impl Wide {
    /// The product of two numbers.
    pub(crate) fn product(a: i128, b: i128) -> Self {
        let half = u128::from(u64::MAX);
        let (x, y) = (a.unsigned_abs(), b.unsigned_abs());
        let (x1, x0, y1, y0) = (x >> 64, x & half, y >> 64, y & half);
        let (outer, inner, low) = (x1 * y0, x0 * y1, x0 * y0);
        let carry = (low >> 64) + (outer & half) + (inner & half);
        // Magnitudes of at most 2^127 each: the high half is at most 2^126.
        #[expect(clippy::cast_possible_wrap, reason = "at most 2^126")]
        let high = (x1 * y1 + (outer >> 64) + (inner >> 64) + (carry >> 64)) as i128;
        let found = Self { high, low: (low & half) | (carry << 64) };
        if (a < 0) == (b < 0) { found } else { Self { high: 0, low: 0 } - found }
    }

    /// The nearest double, up to two roundings.
    pub(crate) fn to_f64(self) -> f64 {
        if self.high < 0 {
            return -(Self { high: 0, low: 0 } - self).to_f64();
        }
        self.high as f64 * 2f64.powi(128) + self.low as f64
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high.wrapping_add(other.high).wrapping_add(i128::from(carry)), low }
    }
}

impl Sub for Wide {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self { high: self.high.wrapping_sub(other.high).wrapping_sub(i128::from(borrow)), low }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "powers of two are exact")]
    fn products_and_differences_are_exact() {
        for (a, b) in [(3, -7), (i128::from(u64::MAX), i128::from(u64::MAX)), (-(1 << 100), 1 << 20), (0, -5)]
        {
            let small = a.checked_mul(b);
            let found = Wide::product(a, b);
            if let Some(product) = small {
                let high = if product < 0 { -1 } else { 0 };
                assert_eq!((found.high, found.low), (high, product.cast_unsigned()), "{a} {b}");
            }
            assert_eq!(found - Wide::product(b, a), Wide { high: 0, low: 0 });
        }
        let square = |x: i128| Wide::product(x, x);
        // (2^100 + 1)^2 - 2^200 - 2 * 2^100 = 1.
        let big = 1_i128 << 100;
        let one = square(big + 1) - square(big) - Wide::product(2, big);
        assert_eq!(one, Wide { high: 0, low: 1 });
        assert_eq!((square(big) + Wide::product(2, big) - square(big + 1)).to_f64(), -1.0);
        assert_eq!((Wide::product(-big, big) + Wide { high: 0, low: 0 }).to_f64(), -(2f64.powi(200)));
    }
}
