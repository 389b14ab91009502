//! Competition ranks: 1 for the best, ties share the smallest rank, missing values come last.

use super::table::Direction;
use crate::vectorized::vectorized;

/// Ranks from 1 (best); ties share the smallest rank of their positions ("1224"), and missing values share the
/// largest rank given to a value plus one (1 if all are missing), as in challengeR.
///
/// NaN counts as missing.
///
/// ```
/// use fiel_kernels::ranking::{Direction, competition_ranks};
/// let ranks = competition_ranks(&[Some(0.8), None, Some(0.9), Some(0.8)], Direction::HigherIsBetter);
/// assert_eq!(ranks, [2, 3, 1, 2]);
/// ```
pub fn competition_ranks(values: &[Option<f64>], direction: Direction) -> Vec<u32> {
    let values: Vec<f64> = values.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
    let mut ranks = vec![0; values.len()];
    rank_row(&values, direction, &mut ranks);
    ranks
}

/// As [`competition_ranks`], with NaN for missing values.
pub(super) fn rank_row(values: &[f64], direction: Direction, ranks: &mut [u32]) {
    match direction {
        Direction::HigherIsBetter => count_larger(values, ranks),
        Direction::LowerIsBetter => count_smaller(values, ranks),
    }
    if values.iter().any(|v| v.is_nan()) {
        let known = values.iter().zip(ranks.iter()).filter(|(v, _)| !v.is_nan());
        let last = known.map(|(_, rank)| *rank).max().unwrap_or(0) + 1;
        values.iter().zip(ranks).filter(|(v, _)| v.is_nan()).for_each(|(_, rank)| *rank = last);
    }
}

vectorized! {
    /// One more than the number of larger values.
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 2^32 algorithms")]
    fn count_larger(values: &[f64], ranks: &mut [u32]) -> () {
        for (rank, value) in ranks.iter_mut().zip(values) {
            // Sums of 64-bit flags: as wide as what is compared.
            *rank = 1 + values.iter().map(|other| u64::from(other > value)).sum::<u64>() as u32;
        }
    }
}

vectorized! {
    /// One more than the number of smaller values.
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 2^32 algorithms")]
    fn count_smaller(values: &[f64], ranks: &mut [u32]) -> () {
        for (rank, value) in ranks.iter_mut().zip(values) {
            *rank = 1 + values.iter().map(|other| u64::from(other < value)).sum::<u64>() as u32;
        }
    }
}

/// Groups of positions that share a rank, best first; within a group in ascending order.
///
/// ```
/// use fiel_kernels::ranking::tie_groups;
/// assert_eq!(tie_groups(&[2, 1, 2, 4]), [vec![1], vec![0, 2], vec![3]]);
/// ```
pub fn tie_groups(ranks: &[u32]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    order.sort_by_key(|&i| ranks[i]);
    order.chunk_by(|&i, &j| ranks[i] == ranks[j]).map(<[usize]>::to_vec).collect()
}

/// Ranks from 1 (best) in which ties share the mean of their positions.
pub(super) fn average_ranks(scores: &[f64]) -> Vec<f64> {
    crate::inference::midranks(scores)
}
