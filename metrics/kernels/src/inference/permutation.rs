//! Sign-flip permutation test of a mean difference of zero.

use super::paired::Differences;
use super::resamples::{bits, replicate_key};
use super::signed_rank::Alternative;
use crate::InputError;
use rayon::prelude::*;

/// Result of the sign-flip test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Mean difference.
    pub mean: f64,
    /// Probability, under differences symmetric around zero, of such a mean or one further out.
    pub p: f64,
    /// Whether all sign patterns were counted.
    pub exact: bool,
}

/// Most differences (zeros aside) whose sign patterns are all counted.
const EXACT_CASES_MAX: usize = 32;

impl Differences {
    /// Flips the signs of the differences (Fisher 1935): all patterns for at most 32 differences other than zero,
    /// `flips` seeded ones beyond that, for which p = (1 + as extreme) / (1 + `flips`) (Phipson & Smyth 2010,
    /// <https://doi.org/10.2202/1544-6115.1585>).
    ///
    /// Sums that differ by less than 1e-12 of the sum of all sizes count as equal.
    ///
    /// # Errors
    /// No flips.
    ///
    /// ```
    /// use fiel_kernels::inference::{Alternative, Differences};
    /// let test = Differences::new(vec![0.3, 0.1, 0.2])?.sign_flip(Alternative::Greater, 1_000, 1)?;
    /// assert_eq!((test.p, test.exact), (0.125, true));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn sign_flip(&self, alternative: Alternative, flips: u32, seed: u64) -> Result<SignFlip, InputError> {
        if flips == 0 {
            return Err(InputError::Setting {
                what: "the number of flips",
                value: 0.0,
                expected: "at least 1",
            });
        }
        let kept: Vec<f64> = self.values().iter().copied().filter(|d| *d != 0.0).collect();
        let sum: f64 = self.values().iter().sum();
        let mean = sum / self.values().len() as f64;
        let close = 1e-12 * kept.iter().map(|d| d.abs()).sum::<f64>();
        let exact = kept.len() <= EXACT_CASES_MAX;
        let reached = |bound: f64| {
            if exact {
                share_at_least(&kept, bound - close)
            } else {
                let count = count_at_least(&kept, bound - close, alternative, flips, seed);
                (1 + count) as f64 / (1 + u64::from(flips)) as f64
            }
        };
        let p = match alternative {
            Alternative::Greater => reached(sum),
            // The patterns come in mirrored pairs, so that one tail serves both.
            Alternative::Less => reached(-sum),
            // Of a sum of zero every pattern is at least as extreme.
            Alternative::TwoSided if exact && sum.abs() <= close => 1.0,
            Alternative::TwoSided if exact => (2.0 * reached(sum.abs())).min(1.0),
            Alternative::TwoSided => reached(sum.abs()),
        };
        Ok(SignFlip { mean, p, exact })
    }
}

/// Share of all sign patterns whose sum is at least `bound`: the sums of the two halves are sorted and met.
fn share_at_least(sizes: &[f64], bound: f64) -> f64 {
    let (left, right) = sizes.split_at(sizes.len() / 2);
    let (left, right) = (signed_sums(left), signed_sums(right));
    let mut reached = 0u64;
    let mut from = right.len();
    // Ascending on the left: ever more of the right, taken from its end, are large enough.
    for sum in &left {
        while from > 0 && sum + right[from - 1] >= bound {
            from -= 1;
        }
        reached += (right.len() - from) as u64;
    }
    reached as f64 / (left.len() as f64 * right.len() as f64)
}

/// Sums over all sign patterns, ascending.
fn signed_sums(sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for size in sizes {
        sums = sums.iter().flat_map(|sum| [sum - size, sum + size]).collect();
    }
    sums.sort_unstable_by(f64::total_cmp);
    sums
}

/// Number of seeded sign patterns whose sum (its size, if two-sided) is at least `bound`.
fn count_at_least(sizes: &[f64], bound: f64, alternative: Alternative, flips: u32, seed: u64) -> u64 {
    let one = |flip: u32| {
        let key = replicate_key(seed, u64::from(flip));
        let mut sum = 0.0;
        for (word, part) in sizes.chunks(64).enumerate() {
            let signs = bits(key, word as u64);
            for (i, size) in part.iter().enumerate() {
                sum += if signs >> i & 1 == 1 { -size } else { *size };
            }
        }
        let extent: f64 = if alternative == Alternative::TwoSided { f64::abs(sum) } else { sum };
        u64::from(extent >= bound)
    };
    (0..flips).into_par_iter().map(one).sum()
}
