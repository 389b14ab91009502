//! Resamples of the cases: how often each case counts in each bootstrap replicate.

use crate::InputError;
use crate::draws::poisson_weight;
use crate::vectorized::vectorized;

/// Odd constant of the Weyl sequence (2^64 divided by the golden ratio), as in SplitMix64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bijection of 64 bits that scatters neighbours (the finaliser of SplitMix64, Steele et al. 2014,
/// <https://doi.org/10.1145/2660193.2660195>).
#[allow(clippy::inline_always, reason = "must be compiled into each vector version of its callers")]
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Start of the numbers of one replicate.
pub(crate) fn replicate_key(seed: u64, replicate: u64) -> u64 {
    mix(mix(seed.wrapping_add(GOLDEN)) ^ replicate.wrapping_mul(GOLDEN))
}

/// The `position`-th number of a replicate: 64 random bits.
#[allow(clippy::inline_always, reason = "must be compiled into each vector version of its callers")]
#[inline(always)]
pub(crate) fn bits(key: u64, position: u64) -> u64 {
    mix(key.wrapping_add(position.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Numbers drawn at once: small enough to stay in the first-level cache.
const BLOCK: usize = 256;

vectorized! {
    /// Fills `drawn` with whole numbers below `cases`, each the high part of 64 random bits times `cases`.
    fn draw_block(key: u64, first: u64, cases: u64, drawn: &mut [u32; BLOCK]) -> () {
        for (i, index) in drawn.iter_mut().enumerate() {
            let random = bits(key, first + i as u64);
            let low = (random & 0xFFFF_FFFF) * cases;
            let high = (random >> 32) * cases;
            *index = ((high + (low >> 32)) >> 32) as u32;
        }
    }
}

#[derive(Debug, Clone)]
enum Scheme {
    Multinomial {
        seed: u64,
    },
    Poisson {
        seed: u64,
    },
    /// One row of drawn case numbers per replicate, in drawing order.
    Indices {
        drawn: Vec<u32>,
        per_replicate: usize,
    },
}

/// How often each case counts in each replicate of a bootstrap.
///
/// Weights are made when asked for, each a pure function of the seed, the replicate and the position, so that they
/// do not depend on threads or order and are the same for every algorithm that is resampled.
///
/// ```
/// use fiel_kernels::inference::Resamples;
/// let resamples = Resamples::multinomial(1, 100, 20)?;
/// let weights = resamples.weights(0);
/// assert_eq!(weights.iter().map(|&w| u32::from(w)).sum::<u32>(), 20);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Resamples {
    replicates: usize,
    cases: usize,
    scheme: Scheme,
}

/// Most replicates of a bootstrap.
const REPLICATES_MAX: usize = 10_000_000;

impl Resamples {
    /// The usual bootstrap: each replicate draws as many cases as there are, with replacement (Efron 1979,
    /// <https://doi.org/10.1214/aos/1176344552>). Each case has its probability to within 2^-32 of a draw.
    ///
    /// # Errors
    /// No replicate, more than 10,000,000, no case, or 2^32 cases and more.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// let resamples = Resamples::multinomial(7, 1_000, 20)?;
    /// let weights = resamples.weights(999);
    /// assert_eq!(weights.iter().map(|&w| u32::from(w)).sum::<u32>(), 20);
    /// // The same seed draws the same, whatever else is drawn; another replicate draws something else.
    /// assert_eq!(Resamples::multinomial(7, 1_001, 20)?.weights(999), weights);
    /// assert_ne!(resamples.weights(998), weights);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn multinomial(seed: u64, replicates: usize, cases: usize) -> Result<Self, InputError> {
        Self::checked(replicates, cases, Scheme::Multinomial { seed })
    }

    /// The Poisson bootstrap: every case counts 0, 1, 2, ... times on its own, see [`super::poisson_weight`].
    ///
    /// # Errors
    /// As [`Resamples::multinomial`].
    ///
    /// ```
    /// use fiel_kernels::inference::{Resamples, poisson_weight};
    /// let weights = Resamples::poisson(5, 10, 30)?.weights(9);
    /// assert_eq!(weights[29], poisson_weight(5, 9, 29));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn poisson(seed: u64, replicates: usize, cases: usize) -> Result<Self, InputError> {
        Self::checked(replicates, cases, Scheme::Poisson { seed })
    }

    /// Draws given by their case numbers (from 0), one list per replicate, all equally long.
    ///
    /// Means over such resamples are summed in the order of the draws.
    ///
    /// # Errors
    /// No replicate or case, lists of unequal length, an empty list, a case number out of range, a case drawn
    /// more than 255 times in one replicate.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// let resamples = Resamples::from_indices(3, &[vec![2, 2, 0]])?;
    /// assert_eq!(resamples.weights(0), [1, 0, 2]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_indices(cases: usize, lists: &[Vec<usize>]) -> Result<Self, InputError> {
        let per_replicate = lists.first().ok_or(InputError::Empty("the replicates"))?.len();
        if per_replicate == 0 {
            return Err(InputError::Empty("the draws of a replicate"));
        }
        let mut drawn = Vec::with_capacity(lists.len() * per_replicate);
        for row in lists {
            if row.len() != per_replicate {
                return Err(InputError::Length {
                    left: "the first replicate",
                    left_len: per_replicate,
                    right: "another replicate",
                    right_len: row.len(),
                });
            }
            let mut counts = vec![0u32; cases];
            for (index, &case) in row.iter().enumerate() {
                let count = counts.get_mut(case).ok_or(InputError::Value {
                    what: "a drawn case number",
                    index,
                    value: case as f64,
                    expected: "below the number of cases",
                })?;
                *count += 1;
                if *count > 255 {
                    return Err(InputError::TooLarge { what: "draws of one case", found: 256, limit: 255 });
                }
                drawn.push(u32::try_from(case).unwrap_or(u32::MAX));
            }
        }
        Self::checked(lists.len(), cases, Scheme::Indices { drawn, per_replicate })
    }

    fn checked(replicates: usize, cases: usize, scheme: Scheme) -> Result<Self, InputError> {
        if cases == 0 {
            return Err(InputError::Empty("the cases"));
        }
        if replicates == 0 {
            return Err(InputError::Empty("the replicates"));
        }
        let too_large = |what, found: usize, limit: usize| InputError::TooLarge {
            what,
            found: found as u64,
            limit: limit as u64,
        };
        if replicates > REPLICATES_MAX {
            return Err(too_large("bootstrap replicates", replicates, REPLICATES_MAX));
        }
        if u32::try_from(cases).is_err() {
            return Err(too_large("cases", cases, u32::MAX as usize));
        }
        Ok(Self { replicates, cases, scheme })
    }

    /// Number of replicates.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// assert_eq!(Resamples::multinomial(1, 100, 20)?.replicates(), 100);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn replicates(&self) -> usize {
        self.replicates
    }

    /// Number of cases.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// assert_eq!(Resamples::multinomial(1, 100, 20)?.cases(), 20);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn cases(&self) -> usize {
        self.cases
    }

    /// Case numbers in drawing order where they were given.
    pub(crate) fn drawn(&self, replicate: usize) -> Option<&[u32]> {
        match &self.scheme {
            Scheme::Indices { drawn, per_replicate } => {
                Some(&drawn[replicate * per_replicate..(replicate + 1) * per_replicate])
            }
            _ => None,
        }
    }

    /// How often each case counts in the given replicate (from 0).
    ///
    /// # Panics
    /// Draws that were given ([`Resamples::from_indices`]) have no replicate beyond the last.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// let resamples = Resamples::from_indices(3, &[vec![0, 1, 2], vec![2, 2, 0]])?;
    /// assert_eq!(resamples.weights(1), [1, 0, 2]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn weights(&self, replicate: usize) -> Vec<u8> {
        let mut weights = vec![0; self.cases];
        self.fill(replicate, &mut weights);
        weights
    }

    /// Writes the weights of a replicate into `weights`, one per case.
    pub(crate) fn fill(&self, replicate: usize, weights: &mut [u8]) {
        match &self.scheme {
            Scheme::Poisson { seed } => {
                for (case, weight) in weights.iter_mut().enumerate() {
                    *weight = poisson_weight(*seed, replicate as u64, case as u64);
                }
            }
            Scheme::Multinomial { seed } => {
                weights.fill(0);
                let key = replicate_key(*seed, replicate as u64);
                let mut block = [0; BLOCK];
                let mut first = 0;
                while first < self.cases {
                    draw_block(key, first as u64, self.cases as u64, &mut block);
                    for &case in &block[..BLOCK.min(self.cases - first)] {
                        // More than 255 draws of one case do not happen: the chance is below 1e-500.
                        weights[case as usize] = weights[case as usize].wrapping_add(1);
                    }
                    first += BLOCK;
                }
            }
            Scheme::Indices { .. } => {
                weights.fill(0);
                for &case in self.drawn(replicate).unwrap_or_default() {
                    weights[case as usize] += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        // SplitMix64 with seed 0: first two numbers.
        assert_eq!(bits(0, 0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(bits(0, 1), 0x6E78_9E6A_A1B9_65F4);
    }
}
