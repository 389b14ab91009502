//! The ranking of Grand Challenge: per-metric competition ranks joined to one.

use super::ranks::rank_row;
use super::table::Direction;
use crate::InputError;

/// How the ranks of the metrics become one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overall {
    /// The rank of the first metric alone ("absolute").
    First,
    /// The mean of the ranks.
    Mean,
    /// The median of the ranks.
    Median,
}

/// Ranks of results over several metrics; `None` throughout for a result that misses any metric.
#[derive(Debug, Clone, PartialEq)]
pub struct GrandChallenge {
    /// Per result, its competition rank in each metric.
    pub metric_ranks: Vec<Option<Vec<u32>>>,
    /// Per result, what the ranks were joined to.
    pub scores: Vec<Option<f64>>,
    /// Per result, its competition rank from 1 (best).
    pub ranks: Vec<Option<u32>>,
}

/// Ranks results as grand-challenge.org does: results that miss any metric are dropped, ranks within each metric
/// share the smallest position among ties, and so do the final ranks.
///
/// `metrics` is results x metrics, row after row; `directions` has one entry per metric.
///
/// # Errors
/// No result, no metric, rows that are not full, a value that is not finite.
///
/// ```
/// use fiel_kernels::ranking::{Direction::{HigherIsBetter, LowerIsBetter}, Overall, grand_challenge};
/// let dice_and_hd = [Some(0.9), Some(3.0), Some(0.8), Some(2.0), Some(0.7), None, Some(0.85), Some(2.0)];
/// let board = grand_challenge(&dice_and_hd, &[HigherIsBetter, LowerIsBetter], Overall::Mean)?;
/// assert_eq!(board.metric_ranks[0], Some(vec![1, 3]));
/// assert_eq!(board.scores, [Some(2.0), Some(2.0), None, Some(1.5)]);
/// assert_eq!(board.ranks, [Some(2), Some(2), None, Some(1)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn grand_challenge(
    metrics: &[Option<f64>],
    directions: &[Direction],
    overall: Overall,
) -> Result<GrandChallenge, InputError> {
    let width = directions.len();
    if metrics.is_empty() || width == 0 {
        return Err(InputError::Empty("the results"));
    }
    if !metrics.len().is_multiple_of(width) {
        return Err(InputError::Length {
            left: "the results",
            left_len: metrics.len(),
            right: "their full rows",
            right_len: metrics.len() / width * width,
        });
    }
    for (index, value) in metrics.iter().enumerate() {
        if let Some(value) = *value
            && !value.is_finite()
        {
            return Err(InputError::Value {
                what: "the results",
                index,
                value,
                expected: "finite or missing",
            });
        }
    }
    let results = metrics.len() / width;
    let row = |result: usize| &metrics[result * width..(result + 1) * width];
    let kept: Vec<usize> = (0..results).filter(|&r| row(r).iter().all(Option::is_some)).collect();
    let mut metric_ranks = vec![None; results];
    for &r in &kept {
        metric_ranks[r] = Some(Vec::with_capacity(width));
    }
    let mut ranks = vec![0; kept.len()];
    for (metric, &direction) in directions.iter().enumerate() {
        let values: Vec<f64> = kept.iter().filter_map(|&r| row(r)[metric]).collect();
        rank_row(&values, direction, &mut ranks);
        for (&r, &rank) in kept.iter().zip(&ranks) {
            metric_ranks[r].get_or_insert_default().push(rank);
        }
    }
    let joined: Vec<f64> =
        kept.iter().filter_map(|&r| metric_ranks[r].as_deref()).map(|r| join(r, overall)).collect();
    rank_row(&joined, Direction::LowerIsBetter, &mut ranks);
    let (mut scores, mut final_ranks) = (vec![None; results], vec![None; results]);
    for ((&r, &score), &rank) in kept.iter().zip(&joined).zip(&ranks) {
        scores[r] = Some(score);
        final_ranks[r] = Some(rank);
    }
    Ok(GrandChallenge { metric_ranks, scores, ranks: final_ranks })
}

/// One score of the ranks of one result (at least one).
fn join(ranks: &[u32], overall: Overall) -> f64 {
    match overall {
        Overall::First => f64::from(ranks[0]),
        Overall::Mean => ranks.iter().map(|&r| f64::from(r)).sum::<f64>() / ranks.len() as f64,
        Overall::Median => {
            let mut sorted = ranks.to_vec();
            sorted.sort_unstable();
            f64::from(sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
        }
    }
}
