//! Bootstrap weights that anyone can recompute from a seed, a replicate's number and a case's number.
//!
//! No generator is stepped: every weight is a hash of its coordinates. So models that are scored on the same cases
//! can be resampled alike at different times and places, and any number of threads gives the same bytes.

/// Below these of 65,536 equally likely draws a case's weight is at most 0, 1, 2, ..., 7; above all, it is 8.
///
/// The numbers follow Poisson(1) within 4 in 65,536 and are chosen so that mean and variance are 1 exactly.
pub(crate) const POISSON_BOUNDS: [u16; 8] = [24_107, 48_220, 60_275, 64_292, 65_296, 65_497, 65_530, 65_535];

/// The highest weight of a case in a Poisson replicate.
pub(crate) const POISSON_MAX: u64 = 8;

/// Spreads every bit of a number over all bits of another (the finaliser of splitmix64: G. L. Steele, D. Lea,
/// C. H. Flood, OOPSLA 2014, <https://doi.org/10.1145/2660193.2660195>).
#[allow(clippy::inline_always, reason = "the hot loops must see through it")]
#[inline(always)]
fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// What kind of draw a key is for, so that no two kinds share keys.
#[derive(Clone, Copy)]
enum Purpose {
    Case = 1,
    Replicate = 2,
    Draw = 3,
}

fn key(purpose: Purpose, seed: u64, number: u64) -> u64 {
    let step = 0x9e37_79b9_7f4a_7c15_u64;
    mix(mix(seed.wrapping_add(step.wrapping_mul(purpose as u64))) ^ number.wrapping_add(1).wrapping_mul(step))
}

/// A case's share of the hash.
pub(crate) fn case_key(seed: u64, case: u64) -> u64 {
    key(Purpose::Case, seed, case)
}

/// The share of four neighbouring replicates in the hash.
pub(crate) fn quartet_key(seed: u64, quartet: u64) -> u64 {
    key(Purpose::Replicate, seed, quartet)
}

/// Four draws of 16 bits, one for each replicate of a quartet, lowest bits first.
#[allow(clippy::inline_always, reason = "the hot loops must see through it")]
#[inline(always)]
pub(crate) fn draws(case_key: u64, quartet_key: u64) -> u64 {
    // Both keys are well mixed; what they have in common with other pairs of keys is what must go.
    let x = (case_key ^ quartet_key).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 32).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 29
}

/// The weight of a draw.
#[allow(clippy::inline_always, reason = "the hot loops must see through it")]
#[inline(always)]
pub(crate) fn poisson(draw: u16) -> u16 {
    POISSON_BOUNDS.iter().map(|&bound| u16::from(draw >= bound)).sum()
}

/// How often a case (numbered from 0) counts in a replicate (numbered from 0) of the Poisson bootstrap, 0 to 8.
///
/// Weights of different cases or replicates are independent, with mean 1 and variance 1 and the Poisson
/// distribution's probabilities within 0.0001. They do not depend on how many cases there are, so that sites of a
/// federation, or several models, can draw the same ones. Source: N. Chamandy, O. Muralidharan, A. Najmi, S. Naidu,
/// Estimating uncertainty for massive data streams (Google, 2012).
///
/// ```
/// use fiel_kernels::inference::poisson_weight;
/// assert_eq!(poisson_weight(7, 0, 0), poisson_weight(7, 0, 0));
/// let sum: u32 = (0..1000).map(|case| u32::from(poisson_weight(7, 3, case))).sum();
/// assert!((900..1100).contains(&sum));
/// ```
pub fn poisson_weight(seed: u64, replicate: u64, case: u64) -> u8 {
    let four = draws(case_key(seed, case), quartet_key(seed, replicate / 4));
    #[allow(clippy::cast_possible_truncation, reason = "16 bits are asked for")]
    let draw = (four >> (16 * (replicate % 4))) as u16;
    poisson_of(draw)
}

/// The weight (0 to 8) that sixteen random bits give a case, for draws that come from elsewhere: a site of a federation
/// draws them from a secret. As [`poisson_weight`], mean and variance are 1 exactly.
///
/// ```
/// use fiel_kernels::inference::poisson_of;
/// assert_eq!((poisson_of(0), poisson_of(30_000), poisson_of(u16::MAX)), (0, 1, 8));
/// ```
pub fn poisson_of(draw: u16) -> u8 {
    // At most 8.
    u8::try_from(poisson(draw)).unwrap_or(u8::MAX)
}

/// How often each case counts in a replicate of the ordinary bootstrap, which draws as many cases as there are, with
/// replacement.
///
/// The weights sum to the number of cases.
///
/// ```
/// use fiel_kernels::classification::multinomial_weights;
/// let weights = multinomial_weights(7, 0, 100);
/// assert_eq!(weights.iter().sum::<u32>(), 100);
/// assert_ne!(weights, multinomial_weights(7, 1, 100));
/// ```
pub fn multinomial_weights(seed: u64, replicate: u64, cases: usize) -> Vec<u32> {
    let mut weights = vec![0; cases];
    let stream = key(Purpose::Draw, seed, replicate);
    for draw in 0..cases as u64 {
        // The high half of a product is evenly spread over the cases.
        let random = u128::from(mix(stream.wrapping_add(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        let case = usize::try_from((random * cases as u128) >> 64).unwrap_or(0);
        weights[case] += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_give_mean_one_and_variance_one_exactly() {
        let weights = || (0..=u16::MAX).map(|draw| u64::from(poisson(draw)));
        assert_eq!(weights().sum::<u64>(), 65_536);
        assert_eq!(weights().map(|w| w * w).sum::<u64>(), 2 * 65_536);
        assert_eq!(weights().max(), Some(POISSON_MAX));
    }

    #[test]
    fn bounds_follow_the_poisson_distribution() {
        let mut share = (-1.0_f64).exp();
        for k in 0..=8_u16 {
            let count = (0..=u16::MAX).filter(|&draw| poisson(draw) == k).count();
            assert!((count as f64 - 65_536.0 * share).abs() < 4.0, "{count} of weight {k}");
            share /= f64::from(k + 1);
        }
    }

    #[test]
    fn draws_are_uncorrelated_between_cases_and_replicates() {
        let weight = |replicate, case| f64::from(poisson_weight(1, replicate, case)) - 1.0;
        let n = 40_000;
        for (replicate, case) in [(1, 0), (2, 0), (3, 0), (4, 0), (0, 1), (1, 1), (4, 1), (0, 2), (0, 64)] {
            let product = |i: u64| weight(i % 200, i / 200) * weight(i % 200 + replicate, i / 200 + case);
            let mean = (0..n).map(product).sum::<f64>() / n as f64;
            // Five standard errors of a mean of products with variance 1.
            assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "({replicate}, {case}): {mean}");
        }
    }

    #[test]
    fn weights_stay_what_they_are() {
        // Federated summaries of different versions are compared: these bytes are a promise.
        let found: Vec<u8> = (0..16).map(|i| poisson_weight(42, i, 1000 + i)).collect();
        assert_eq!(found, WEIGHTS_OF_SEED_42);
        assert_eq!(multinomial_weights(42, 5, 10), MULTINOMIAL_OF_SEED_42);
    }

    const WEIGHTS_OF_SEED_42: [u8; 16] = [0, 0, 2, 1, 2, 3, 1, 1, 1, 2, 2, 1, 1, 1, 0, 2];
    const MULTINOMIAL_OF_SEED_42: [u32; 10] = [0, 1, 1, 0, 4, 2, 0, 0, 1, 1];
}
