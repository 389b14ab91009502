//! How stable a ranking is over the replicates of a bootstrap.

use super::methods::Ranking;
use crate::inference::{RankedPairs, quantile_sorted};
use crate::{InputError, Undefined};

/// Ranks of the algorithms in every replicate of a bootstrap, beside the ranking of all cases.
///
/// ```
/// use fiel_kernels::inference::Resamples;
/// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
/// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?; // two cases
/// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 1], vec![1, 1]])?;
/// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
/// assert_eq!(ranks.replicate(0), [1, 2]);
/// assert_eq!(ranks.distribution(0), [2, 1]); // first, first together with the other, second
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrappedRanks {
    pub(super) full: Ranking,
    /// Replicate after replicate.
    pub(super) ranks: Vec<u32>,
    pub(super) skipped: usize,
}

impl BootstrappedRanks {
    /// The ranking of all cases.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.75], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// // All cases put the first algorithm first; the one replicate, of the second case alone, puts it second.
    /// assert_eq!((&ranks.full().ranks[..], ranks.replicate(0)), (&[1, 2][..], &[2, 1][..]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn full(&self) -> &Ranking {
        &self.full
    }

    /// Number of algorithms.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.algorithms(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn algorithms(&self) -> usize {
        self.full.ranks.len()
    }

    /// Number of replicates that were ranked.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.replicates(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn replicates(&self) -> usize {
        self.ranks.len() / self.algorithms()
    }

    /// Number of replicates without a single case, which were left out.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8], 2, Direction::HigherIsBetter)?;
    /// // The Poisson bootstrap of a single case often draws none.
    /// let resamples = Resamples::poisson(1, 100, 1)?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.skipped(), (0..100).filter(|&replicate| resamples.weights(replicate) == [0]).count());
    /// assert_eq!(ranks.replicates() + ranks.skipped(), 100);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Ranks of one replicate, one per algorithm; empty if there is no such replicate.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.replicate(2), [2, 1]);
    /// assert!(ranks.replicate(3).is_empty());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn replicate(&self, replicate: usize) -> &[u32] {
        self.ranks.chunks_exact(self.algorithms()).nth(replicate).unwrap_or_default()
    }

    /// How often an algorithm had each rank from 1 to the number of algorithms; all 0 if there is no such algorithm.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!((ranks.distribution(0), ranks.distribution(1)), (vec![2, 1], vec![1, 2]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn distribution(&self, algorithm: usize) -> Vec<u64> {
        let mut counts = vec![0; self.algorithms()];
        for rank in self.of_algorithm(algorithm) {
            counts[rank as usize - 1] += 1;
        }
        counts
    }

    /// Share of the replicates in which an algorithm had a rank, from 0 to 1; 0 without replicates.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!((ranks.share_at_rank(0, 1), ranks.share_at_rank(0, 2)), (2.0 / 3.0, 1.0 / 3.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn share_at_rank(&self, algorithm: usize, rank: u32) -> f64 {
        let count = self.of_algorithm(algorithm).filter(|r| *r == rank).count();
        count as f64 / self.replicates().max(1) as f64
    }

    /// Quantile of the ranks of an algorithm (linear interpolation, type 7).
    ///
    /// # Errors
    /// A level outside 0 to 1; inside, no replicate.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.quantile(0, 0.5)?, Ok(1.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn quantile(&self, algorithm: usize, level: f64) -> Result<Result<f64, Undefined>, InputError> {
        if !(0.0..=1.0).contains(&level) {
            let expected = "from 0 to 1";
            return Err(InputError::Setting { what: "the level of the quantile", value: level, expected });
        }
        let mut ranks: Vec<f64> = self.of_algorithm(algorithm).map(f64::from).collect();
        ranks.sort_unstable_by(f64::total_cmp);
        Ok(quantile_sorted(&ranks, level))
    }

    /// Kendall's tau-b of every replicate against the ranking of all cases.
    ///
    /// Each is undefined with fewer than two algorithms or where one of the two rankings ties all of them.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let table = Table::complete(&[0.9, 0.6, 0.7, 0.8], 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![1, 1]])?;
    /// let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.kendall_tau(), [Ok(1.0), Ok(-1.0)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn kendall_tau(&self) -> Vec<Result<f64, Undefined>> {
        let as_numbers = |ranks: &[u32]| ranks.iter().map(|&r| f64::from(r)).collect::<Vec<_>>();
        let full = as_numbers(&self.full.ranks);
        let one = |ranks: &[u32]| match RankedPairs::new(&full, &as_numbers(ranks)) {
            Ok(pairs) => pairs.kendall().tau_b(),
            Err(_) => Err(Undefined::TooFew),
        };
        self.ranks.chunks_exact(self.algorithms()).map(one).collect()
    }

    fn of_algorithm(&self, algorithm: usize) -> impl Iterator<Item = u32> {
        self.ranks.chunks_exact(self.algorithms()).filter_map(move |row| row.get(algorithm).copied())
    }
}
