//! The ranking of the FeTS challenge: per case, metric and institution.

use super::ranks::{average_ranks, rank_row};
use super::table::{Direction, Table};
use crate::InputError;

/// What one institution measured: one table per metric, in the same order everywhere.
///
/// Missing values must have been filled before, in FeTS with 0 for Dice and 1000 for HD95 ([`Table::fill`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Institution {
    metrics: Vec<Table>,
}

impl Institution {
    /// Takes the tables of the metrics, in the order that all institutions have.
    ///
    /// # Errors
    /// No metric, tables of different numbers of algorithms, a missing value.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Institution, Table};
    /// let dice = Table::new(&[Some(0.9), None], 2, Direction::HigherIsBetter)?;
    /// let hd95 = Table::complete(&[3.0, 5.0], 2, Direction::LowerIsBetter)?;
    /// assert!(Institution::new(vec![dice.clone(), hd95.clone()]).is_err());
    /// assert!(Institution::new(vec![dice.fill(0.0)?, hd95]).is_ok());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(metrics: Vec<Table>) -> Result<Self, InputError> {
        let algorithms =
            metrics.first().ok_or(InputError::Empty("the metrics of an institution"))?.algorithms;
        for table in &metrics {
            if table.algorithms != algorithms {
                return Err(InputError::Length {
                    left: "the algorithms of the first metric",
                    left_len: algorithms,
                    right: "those of another",
                    right_len: table.algorithms,
                });
            }
            if table.has_missing() {
                return Err(InputError::Setting {
                    what: "the number of missing values",
                    value: table.missing() as f64,
                    expected: "0: fill them first",
                });
            }
        }
        Ok(Self { metrics })
    }

    /// Sum over the metrics of each algorithm's rank: ranks within each case, their mean over the cases, ranked
    /// again; ties share the smallest rank both times.
    fn rank_sums(&self) -> Vec<u64> {
        let algorithms = self.metrics[0].algorithms;
        let mut sums = vec![0; algorithms];
        let mut ranks = vec![0; algorithms];
        for table in &self.metrics {
            // Sums rank as means do, and sums of whole numbers are exact.
            let mut totals = vec![0.0; algorithms];
            for row in table.ranked_cases().rows() {
                totals.iter_mut().zip(row).for_each(|(sum, rank)| *sum += rank);
            }
            rank_row(&totals, Direction::LowerIsBetter, &mut ranks);
            sums.iter_mut().zip(&ranks).for_each(|(sum, rank)| *sum += u64::from(*rank));
        }
        sums
    }
}

/// A ranking over institutions.
#[derive(Debug, Clone, PartialEq)]
pub struct Fets {
    /// Per institution, the mean rank of each algorithm over the metrics.
    pub institution_ranks: Vec<Vec<f64>>,
    /// Mean over the institutions, which all count the same whatever their number of cases.
    pub mean_ranks: Vec<f64>,
    /// Final ranks from 1 (best); ties share the mean of their positions, as R's `rank` does.
    pub ranks: Vec<f64>,
}

/// Ranks algorithms as the second task of the FeTS challenge does (per institution, then over institutions;
/// `FeTS-AI/Challenge`, `Task_2/ranking`).
///
/// # Errors
/// No institution, different numbers of algorithms or metrics.
///
/// ```
/// use fiel_kernels::ranking::{Direction, Institution, Table, fets};
/// let dice = |values: &[f64]| Table::complete(values, 2, Direction::HigherIsBetter);
/// let sites = [
///     Institution::new(vec![dice(&[0.9, 0.8, 0.7, 0.6])?])?,
///     Institution::new(vec![dice(&[0.5, 0.5])?])?,
/// ];
/// let ranking = fets(&sites)?;
/// assert_eq!(ranking.mean_ranks, [1.0, 1.5]);
/// assert_eq!(ranking.ranks, [1.0, 2.0]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn fets(institutions: &[Institution]) -> Result<Fets, InputError> {
    let first = institutions.first().ok_or(InputError::Empty("the institutions"))?;
    let algorithms = first.metrics[0].algorithms;
    let differing = |left, left_len, right_len| InputError::Length {
        left,
        left_len,
        right: "those of another",
        right_len,
    };
    for other in institutions {
        if other.metrics.len() != first.metrics.len() {
            let left = "the metrics of the first institution";
            return Err(differing(left, first.metrics.len(), other.metrics.len()));
        }
        if other.metrics[0].algorithms != algorithms {
            let left = "the algorithms of the first institution";
            return Err(differing(left, algorithms, other.metrics[0].algorithms));
        }
    }
    let sums: Vec<Vec<u64>> = institutions.iter().map(Institution::rank_sums).collect();
    let (metrics, count) = (first.metrics.len() as f64, institutions.len() as f64);
    let mean = |sums: &Vec<u64>| sums.iter().map(|&sum| sum as f64 / metrics).collect();
    // Whole numbers: a mean that rounds would break ties, or make some.
    let totals: Vec<f64> =
        (0..algorithms).map(|a| sums.iter().map(|sums| sums[a]).sum::<u64>() as f64).collect();
    Ok(Fets {
        institution_ranks: sums.iter().map(mean).collect(),
        mean_ranks: totals.iter().map(|total| total / (metrics * count)).collect(),
        ranks: average_ranks(&totals),
    })
}
