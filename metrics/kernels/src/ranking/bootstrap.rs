//! Rankings of resampled cases.

use super::methods::{Method, Ranking, middle_of, share_of_others};
use super::ranks::rank_row;
use super::stability::BootstrappedRanks;
use super::table::{Direction, Table};
use super::test_replicates::beaten_in_replicates;
use crate::InputError;
use crate::inference::Resamples;
use crate::inference::weighted_sums::{Columns, for_each_replicate};
use rayon::prelude::*;

/// What a bootstrap replicate makes of a case that was drawn several times.
///
/// Means and medians of the values are the same under both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepeatedCases {
    /// Each draw is a case of its own: ranks are found once per case and counted as often as it was drawn, tests
    /// see the repeated case.
    Correct,
    /// As challengeR 1.0 does: all draws of one case are ranked together, so that a case drawn k times gives ranks
    /// 1 + k (r - 1); tests see each drawn case once.
    ChallengeR,
}

/// Ranks of one replicate; none where the weights of all cases are zero.
type Ranks = Option<Vec<u32>>;

impl Table {
    /// Ranks every resample of the cases.
    ///
    /// The result is the same for any number of threads. Replicates without a single case (the Poisson bootstrap of
    /// few cases has such) are left out and counted. Means over draws given as indices are summed in their order,
    /// others in the order of the cases.
    ///
    /// # Errors
    /// Resamples of another number of cases.
    ///
    /// ```
    /// use fiel_kernels::inference::Resamples;
    /// use fiel_kernels::ranking::{Direction, Method, RepeatedCases, Table};
    /// let values: Vec<f64> = (0..40).flat_map(|i| [0.8, 0.7 + 0.005 * f64::from(i % 7)]).collect();
    /// let table = Table::complete(&values, 2, Direction::HigherIsBetter)?;
    /// let resamples = Resamples::multinomial(1, 200, table.cases())?;
    /// let ranks = table.bootstrap(Method::RankThenMean, &resamples, RepeatedCases::Correct)?;
    /// assert_eq!(ranks.share_at_rank(0, 1), 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bootstrap(
        &self,
        method: Method,
        resamples: &Resamples,
        repeated: RepeatedCases,
    ) -> Result<BootstrappedRanks, InputError> {
        if resamples.cases() != self.cases() {
            return Err(InputError::Length {
                left: "the resampled cases",
                left_len: resamples.cases(),
                right: "the cases of the table",
                right_len: self.cases(),
            });
        }
        let pooled = repeated == RepeatedCases::ChallengeR;
        let ranks = match method {
            Method::MeanThenRank => self.ranks_of_means(resamples),
            Method::MedianThenRank => self.ranks_of_medians(resamples),
            Method::RankThenMean if !pooled => self.ranked_cases().ranks_of_means(resamples),
            Method::RankThenMean if !self.has_missing() => {
                PooledRanks::of(self).ranks_of_means_without_missing(resamples)
            }
            Method::RankThenMean => PooledRanks::of(self).ranks_of(resamples, weighted_mean),
            Method::RankThenMedian if !pooled => self.ranked_cases().ranks_of_medians(resamples),
            Method::RankThenMedian => PooledRanks::of(self).ranks_of(resamples, weighted_median),
            Method::TestThenRank(alpha) => {
                let beaten = beaten_in_replicates(self, resamples, alpha, pooled);
                let rank = |beaten: Option<Vec<u32>>| {
                    beaten.map(|b| ranks_of(&share_of_others(&b), Direction::HigherIsBetter))
                };
                beaten.into_iter().map(rank).collect()
            }
        };
        Ok(BootstrappedRanks::new(self.rank(method), ranks))
    }

    fn ranks_of_means(&self, resamples: &Resamples) -> Vec<Ranks> {
        if self.has_missing() {
            return self.ranks_of_known_means(resamples);
        }
        let columns = Columns::new(&self.values, self.cases(), self.algorithms);
        for_each_replicate(&columns, resamples, None, |sums| {
            (sums.total > 0.0).then(|| {
                let means: Vec<f64> = sums.columns.iter().map(|sum| sum / sums.total).collect();
                ranks_of(&means, self.direction)
            })
        })
    }

    /// Means over the values there are: sums of the values, and of the weights of those that are known.
    fn ranks_of_known_means(&self, resamples: &Resamples) -> Vec<Ranks> {
        let known = |v: &f64| if v.is_nan() { 0.0 } else { 1.0 };
        let both: Vec<f64> = self
            .rows()
            .flat_map(|row| {
                row.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).chain(row.iter().map(known))
            })
            .collect();
        let columns = Columns::new(&both, self.cases(), 2 * self.algorithms);
        for_each_replicate(&columns, resamples, None, |sums| {
            (sums.total > 0.0).then(|| {
                let (values, weights) = sums.columns.split_at(self.algorithms);
                let mean = |(v, w): (&f64, &f64)| if *w > 0.0 { v / w } else { f64::NAN };
                let means: Vec<f64> = values.iter().zip(weights).map(mean).collect();
                ranks_of(&means, self.direction)
            })
        })
    }

    fn ranks_of_medians(&self, resamples: &Resamples) -> Vec<Ranks> {
        let sorted: Vec<Vec<(f64, usize)>> = (0..self.algorithms)
            .map(|algorithm| {
                let cells = self.column(algorithm).enumerate().filter(|(_, v)| !v.is_nan());
                let mut cells: Vec<(f64, usize)> = cells.map(|(case, v)| (v, case)).collect();
                cells.sort_by(|a, b| a.0.total_cmp(&b.0));
                cells
            })
            .collect();
        each_weighted(resamples, |weights| {
            let median = |cells: &Vec<(f64, usize)>| {
                median_of_sorted(cells.iter().map(|&(value, case)| (value, u64::from(weights[case]))))
            };
            ranks_of(&sorted.iter().map(median).collect::<Vec<_>>(), self.direction)
        })
    }
}

/// What challengeR needs of each cell to rank all draws of a case together.
struct PooledRanks {
    algorithms: usize,
    cases: usize,
    /// Rank less one of a value; for a missing one the largest rank of a value less one.
    steps: Vec<u32>,
    /// Whether the cell is missing (and the case has values at all): ranked one below the largest.
    below: Vec<bool>,
}

impl PooledRanks {
    fn of(table: &Table) -> Self {
        let mut ranks = vec![0; table.algorithms];
        let (mut steps, mut below) = (Vec::new(), Vec::new());
        for row in table.rows() {
            rank_row(row, table.direction, &mut ranks);
            let known = row.iter().zip(&ranks).filter(|(v, _)| !v.is_nan());
            let largest = known.map(|(_, rank)| *rank).max();
            for (value, rank) in row.iter().zip(&ranks) {
                let missing = value.is_nan();
                steps.push(if missing { largest.unwrap_or(1) - 1 } else { rank - 1 });
                below.push(missing && largest.is_some());
            }
        }
        Self { algorithms: table.algorithms, cases: table.cases(), steps, below }
    }

    /// Sum over the draws of 1 + k (r - 1), k draws of each case: the ones are the same for all.
    fn ranks_of_means_without_missing(&self, resamples: &Resamples) -> Vec<Ranks> {
        let steps: Vec<f64> = self.steps.iter().map(|&step| f64::from(step)).collect();
        let columns = Columns::new(&steps, self.cases, self.algorithms);
        let squared = |draws: u8| f64::from(draws) * f64::from(draws);
        for_each_replicate(&columns, resamples, Some(&squared), |sums| {
            (sums.total > 0.0).then(|| ranks_of(sums.columns, Direction::LowerIsBetter))
        })
    }

    fn ranks_of(&self, resamples: &Resamples, aggregate: fn(&mut [(f64, u64)]) -> f64) -> Vec<Ranks> {
        each_weighted(resamples, |weights| {
            let one = |algorithm: usize| {
                let mut ranks: Vec<(f64, u64)> = (weights.iter().enumerate())
                    .filter(|(_, draws)| **draws > 0)
                    .map(|(case, &draws)| {
                        let cell = case * self.algorithms + algorithm;
                        let rank = 1 + u32::from(draws) * self.steps[cell] + u32::from(self.below[cell]);
                        (f64::from(rank), u64::from(draws))
                    })
                    .collect();
                aggregate(&mut ranks)
            };
            ranks_of(&(0..self.algorithms).map(one).collect::<Vec<_>>(), Direction::LowerIsBetter)
        })
    }
}

fn ranks_of(aggregates: &[f64], direction: Direction) -> Vec<u32> {
    let mut ranks = vec![0; aggregates.len()];
    rank_row(aggregates, direction, &mut ranks);
    ranks
}

/// Ranks every replicate by its weights, in parallel.
fn each_weighted(resamples: &Resamples, rank: impl Fn(&[u8]) -> Vec<u32> + Sync) -> Vec<Ranks> {
    (0..resamples.replicates())
        .into_par_iter()
        .map_init(
            || vec![0; resamples.cases()],
            |weights, replicate| {
                resamples.fill(replicate, weights);
                weights.iter().any(|w| *w > 0).then(|| rank(weights))
            },
        )
        .collect()
}

fn weighted_mean(values: &mut [(f64, u64)]) -> f64 {
    let (sum, weights) = values.iter().fold((0.0, 0), |(s, n), (v, w)| (s + v * *w as f64, n + w));
    sum / weights as f64
}

fn weighted_median(values: &mut [(f64, u64)]) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    median_of_sorted(values.iter().copied())
}

/// Median of values in ascending order, each as often as its weight says; NaN if all weights are zero.
fn median_of_sorted(cells: impl Iterator<Item = (f64, u64)> + Clone) -> f64 {
    let total: u64 = cells.clone().map(|(_, weight)| weight).sum();
    if total == 0 {
        return f64::NAN;
    }
    let (first, second) = ((total - 1) / 2, total / 2);
    let mut low = None;
    let mut passed = 0;
    for (value, weight) in cells {
        passed += weight;
        if low.is_none() && passed > first {
            low = Some(value);
        }
        if passed > second {
            return middle_of(low.unwrap_or(value), value);
        }
    }
    f64::NAN
}

impl BootstrappedRanks {
    fn new(full: Ranking, ranks: Vec<Ranks>) -> Self {
        let all = ranks.len();
        let known: Vec<Vec<u32>> = ranks.into_iter().flatten().collect();
        let skipped = all - known.len();
        Self { full, ranks: known.concat(), skipped }
    }
}
