//! How stable a ranking is, from replicates of the algorithms' pooled values: what a federation can make without a case
//! leaving its site.

use crate::inference::{RankedPairs, quantile_sorted};
use crate::{InputError, Undefined};

/// One metric of all algorithms, smaller being better, over all cases and in each replicate.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricReplicates {
    /// Value of each algorithm.
    pub full: Vec<f64>,
    /// For each replicate, the value of each algorithm over the same resampled cases.
    pub replicates: Vec<Vec<f64>>,
}

/// A ranking by one metric, or by the mean of the ranks in several, in each replicate.
///
/// ```
/// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
///
/// let errors = MetricReplicates {
///     full: vec![0.1, 0.2, 0.4],
///     replicates: vec![vec![0.1, 0.2, 0.4], vec![0.3, 0.2, 0.5], vec![0.1, 0.3, 0.4], vec![0.2, 0.3, 0.6]],
/// };
/// let ranking = ReplicatedRanking::new(&[errors])?;
/// assert_eq!((ranking.rank_range(0), ranking.rank_range(2)), ([1, 2], [3, 3]));
/// assert_eq!(ranking.share_first(0), 0.75);
/// let [low, high] = ranking.lead(0, 1);
/// assert!(low < 0.0 && high > 0.0, "the first two cannot be told apart");
/// assert_eq!(ranking.groups(&[0, 1, 2]), [1, 1, 2]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicatedRanking {
    /// What orders the algorithms, smaller being better.
    full: Vec<f64>,
    replicates: Vec<Vec<f64>>,
    ranks: Vec<Vec<u32>>,
}

impl ReplicatedRanking {
    /// Checks and ranks the metrics; the first one alone orders by its values.
    ///
    /// # Errors
    /// No metric, algorithm or replicate; lists of unequal length; a value that is NaN.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// let error = MetricReplicates { full: vec![1.0, 2.0], replicates: vec![vec![1.0, 3.0], vec![2.0, 1.0]] };
    /// let seconds = MetricReplicates { full: vec![9.0, 4.0], replicates: vec![vec![9.0, 4.0]; 2] };
    /// assert_eq!(ReplicatedRanking::new(std::slice::from_ref(&error))?.share_first(0), 0.5);
    /// // With both metrics the first algorithm is ahead in one and behind in the other, or behind in both.
    /// assert_eq!(ReplicatedRanking::new(&[error, seconds])?.rank_range(0), [1, 2]);
    /// assert!(ReplicatedRanking::new(&[]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(metrics: &[MetricReplicates]) -> Result<Self, InputError> {
        let first = metrics.first().ok_or(InputError::Empty("the metrics"))?;
        let (algorithms, count) = (first.full.len(), first.replicates.len());
        if algorithms == 0 || count == 0 {
            return Err(InputError::Empty("the replicates"));
        }
        for metric in metrics {
            check_length("the replicates of a metric", metric.replicates.len(), count)?;
            for row in metric.replicates.iter().chain([&metric.full]) {
                check_length("the values of a replicate", row.len(), algorithms)?;
                if let Some(index) = row.iter().position(|v| v.is_nan()) {
                    let (what, expected) = ("a replicate's values", "a number");
                    return Err(InputError::Value { what, index, value: row[index], expected });
                }
            }
        }
        let full = order(&metrics.iter().map(|m| m.full.as_slice()).collect::<Vec<_>>());
        let of = |b: usize| order(&metrics.iter().map(|m| m.replicates[b].as_slice()).collect::<Vec<_>>());
        let replicates: Vec<Vec<f64>> = (0..count).map(of).collect();
        let ranks = replicates.iter().map(|row| competition(row)).collect();
        Ok(Self { full, replicates, ranks })
    }

    /// Number of replicates.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// let error = MetricReplicates { full: vec![1.0, 2.0], replicates: vec![vec![1.0, 2.0]; 40] };
    /// assert_eq!(ReplicatedRanking::new(&[error])?.replicates(), 40);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn replicates(&self) -> usize {
        self.replicates.len()
    }

    /// The ranks that an algorithm has in the middle 95 % of the replicates: lowest and highest.
    ///
    /// # Panics
    /// There is no such algorithm.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// // Ahead in 38 of 40 replicates: of the two others one is left out.
    /// let replicates = [vec![vec![1.0, 2.0]; 38], vec![vec![2.0, 1.0]; 2]].concat();
    /// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![1.0, 2.0], replicates }])?;
    /// assert_eq!(ranking.rank_range(0), [1, 2]);
    /// let replicates = [vec![vec![1.0, 2.0]; 39], vec![vec![2.0, 1.0]]].concat();
    /// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![1.0, 2.0], replicates }])?;
    /// assert_eq!(ranking.rank_range(0), [1, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn rank_range(&self, algorithm: usize) -> [u32; 2] {
        let mut ranks: Vec<u32> = self.ranks.iter().map(|row| row[algorithm]).collect();
        ranks.sort_unstable();
        // Of 40 replicates one may be left out at each end.
        let outside = ranks.len() / 40;
        [ranks[outside], ranks[ranks.len() - 1 - outside]]
    }

    /// Share of the replicates in which an algorithm has rank 1, alone or not.
    ///
    /// # Panics
    /// There is no such algorithm.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// let replicates = vec![vec![1.0, 2.0], vec![1.0, 2.0], vec![1.0, 1.0], vec![2.0, 1.0]];
    /// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![1.0, 2.0], replicates }])?;
    /// assert_eq!((ranking.share_first(0), ranking.share_first(1)), (0.75, 0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn share_first(&self, algorithm: usize) -> f64 {
        self.ranks.iter().filter(|row| row[algorithm] == 1).count() as f64 / self.ranks.len() as f64
    }

    /// 95 % percentile interval of how much better `a` is than `b` over the same replicates: in the metric's unit, or in
    /// mean ranks where several metrics order.
    ///
    /// # Panics
    /// There is no such algorithm.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// // Leads of 0, 1, 2, ..., 40 over the same replicates.
    /// let replicates = (0..=40).map(|lead| vec![5.0, 5.0 + f64::from(lead)]).collect();
    /// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![5.0, 25.0], replicates }])?;
    /// assert_eq!(ranking.lead(0, 1), [1.0, 39.0]);
    /// assert_eq!(ranking.lead(1, 0), [-39.0, -1.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn lead(&self, a: usize, b: usize) -> [f64; 2] {
        let mut leads: Vec<f64> = self.replicates.iter().map(|row| row[b] - row[a]).collect();
        leads.sort_unstable_by(f64::total_cmp);
        // There is at least one replicate.
        [0.025, 0.975].map(|level| quantile_sorted(&leads, level).unwrap_or(0.0))
    }

    /// Groups of algorithms in the given order (best first), from 1: an algorithm belongs to the group of the one above
    /// unless its distance to the group's first has an interval above zero.
    ///
    /// # Panics
    /// There is no such algorithm.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// let replicates = vec![vec![4.0, 1.0, 2.0], vec![4.0, 2.0, 1.0]];
    /// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![4.0, 1.0, 2.0], replicates }])?;
    /// // Algorithms 1 and 2 change places; 0 is behind both always.
    /// assert_eq!(ranking.groups(&[1, 2, 0]), [1, 1, 2]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn groups(&self, best_first: &[usize]) -> Vec<u32> {
        let mut groups = Vec::with_capacity(best_first.len());
        let (mut group, mut leader) = (0, None);
        for &algorithm in best_first {
            let apart = leader.is_none_or(|leader| self.lead(leader, algorithm)[0] > 0.0);
            if apart {
                group += 1;
                leader = Some(algorithm);
            }
            groups.push(group);
        }
        groups
    }

    /// Mean, and range of the middle 95 %, of Kendall's tau-b between the order of all cases and that of a replicate.
    ///
    /// # Errors
    /// [`Undefined::Constant`] where all algorithms tie over all cases, or in every replicate.
    ///
    /// ```
    /// use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
    /// let replicates = vec![vec![1.0, 2.0], vec![1.0, 2.0], vec![1.0, 2.0], vec![2.0, 1.0]];
    /// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![1.0, 2.0], replicates }])?;
    /// let (mean, [_, high]) = ranking.kendall_tau().expect("the algorithms differ");
    /// assert_eq!((mean, high), (0.5, 1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn kendall_tau(&self) -> Result<(f64, [f64; 2]), Undefined> {
        let tau = |row: &Vec<f64>| RankedPairs::new(&self.full, row).ok()?.kendall().tau_b().ok();
        let mut found: Vec<f64> = self.replicates.iter().filter_map(tau).collect();
        if found.is_empty() {
            return Err(Undefined::Constant);
        }
        found.sort_unstable_by(f64::total_cmp);
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        Ok((mean, [quantile_sorted(&found, 0.025)?, quantile_sorted(&found, 0.975)?]))
    }
}

/// What orders the algorithms: the one metric's values, or the mean of the ranks in each.
fn order(metrics: &[&[f64]]) -> Vec<f64> {
    if let [only] = metrics {
        return only.to_vec();
    }
    let ranks: Vec<Vec<u32>> = metrics.iter().map(|values| competition(values)).collect();
    let mean = |i: usize| ranks.iter().map(|r| f64::from(r[i])).sum::<f64>() / metrics.len() as f64;
    (0..metrics[0].len()).map(mean).collect()
}

/// Competition ranks, the smallest value first.
#[expect(clippy::cast_possible_truncation, reason = "fewer than 2^32 algorithms")]
fn competition(values: &[f64]) -> Vec<u32> {
    let mut sorted: Vec<usize> = (0..values.len()).collect();
    sorted.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut start = 0;
    for tied in sorted.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        for &i in tied {
            ranks[i] = start as u32 + 1;
        }
        start += tied.len();
    }
    ranks
}

fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), InputError> {
    if found == expected {
        return Ok(());
    }
    Err(InputError::Length {
        left: what,
        left_len: found,
        right: "those of the first metric",
        right_len: expected,
    })
}
