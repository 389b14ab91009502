//! From a table to a ranking.

use super::ranks::rank_row;
use super::significance::{Adjustment, Significance};
use super::table::{Direction, Table};
use crate::InputError;

/// Significance level of a test: above 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alpha(f64);

impl Alpha {
    /// 5 %.
    pub const P05: Self = Self(0.05);

    /// Takes a level such as 0.05.
    ///
    /// # Errors
    /// Anything that is not above 0 and below 1.
    ///
    /// ```
    /// # use fiel_kernels::ranking::Alpha;
    /// assert!(Alpha::new(0.01).is_ok() && Alpha::new(5.0).is_err());
    /// ```
    pub fn new(level: f64) -> Result<Self, InputError> {
        if level > 0.0 && level < 1.0 {
            return Ok(Self(level));
        }
        Err(InputError::Setting {
            what: "the significance level",
            value: level,
            expected: "above 0 and below 1",
        })
    }

    /// The level, above 0 and below 1.
    ///
    /// ```
    /// # use fiel_kernels::ranking::Alpha;
    /// assert_eq!((Alpha::P05.level(), Alpha::new(0.01)?.level()), (0.05, 0.01));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn level(self) -> f64 {
        self.0
    }
}

/// How a table becomes one ranking (Wiesenfarth et al. 2021, <https://doi.org/10.1038/s41598-021-82017-6>).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Mean over the cases, then rank.
    MeanThenRank,
    /// Median over the cases, then rank.
    MedianThenRank,
    /// Rank within each case (missing values last), mean of the ranks, then rank.
    RankThenMean,
    /// Rank within each case (missing values last), median of the ranks, then rank.
    RankThenMedian,
    /// Share of the other algorithms that are beaten in a one-sided paired signed-rank test (normal approximation
    /// with continuity and tie correction, no correction for the number of tests, p <= alpha), then rank.
    TestThenRank(Alpha),
}

/// A ranking of the algorithms of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Mean, median, mean rank, median rank or share of beaten algorithms; `None` for an algorithm without values.
    pub aggregates: Vec<Option<f64>>,
    /// Competition ranks from 1 (best); an algorithm without values is last.
    pub ranks: Vec<u32>,
}

impl Ranking {
    /// Ranks aggregates (NaN for none).
    pub(super) fn of(aggregates: &[f64], direction: Direction) -> Self {
        let mut ranks = vec![0; aggregates.len()];
        rank_row(aggregates, direction, &mut ranks);
        let known = |v: &f64| if v.is_nan() { None } else { Some(*v) };
        Self { aggregates: aggregates.iter().map(known).collect(), ranks }
    }

    /// Groups of algorithms that share a rank, best first; within a group in ascending order.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Method, Table};
    /// let table = Table::complete(&[0.7, 0.9, 0.7], 3, Direction::HigherIsBetter)?;
    /// assert_eq!(table.rank(Method::MeanThenRank).tie_groups(), [vec![1], vec![0, 2]]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tie_groups(&self) -> Vec<Vec<usize>> {
        super::ranks::tie_groups(&self.ranks)
    }
}

impl Method {
    /// Which aggregates of this method are better.
    pub(super) fn direction(self, metric: Direction) -> Direction {
        match self {
            Self::MeanThenRank | Self::MedianThenRank => metric,
            Self::RankThenMean | Self::RankThenMedian => Direction::LowerIsBetter,
            Self::TestThenRank(_) => Direction::HigherIsBetter,
        }
    }
}

impl Table {
    /// Ranks the algorithms.
    ///
    /// Means and medians leave missing values out; use [`Table::fill`] first to count them as a value. Means are
    /// compared as they are, to the last bit, but summed with twice the digits and rounded once: algorithms that have the
    /// same values on other cases tie.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Alpha, Direction, Method, Table};
    /// let hd95 = [3.0, 5.0, 9.0, 2.0, 6.0, 8.0, 4.0, 4.0, 9.0]; // three cases, three algorithms
    /// let table = Table::complete(&hd95, 3, Direction::LowerIsBetter)?;
    /// let ranking = table.rank(Method::RankThenMean);
    /// assert_eq!(ranking.aggregates, [Some(1.0), Some(5.0 / 3.0), Some(3.0)]);
    /// assert_eq!(ranking.ranks, [1, 2, 3]);
    /// assert_eq!(table.rank(Method::TestThenRank(Alpha::P05)).ranks, [1, 1, 1]); // too few cases to tell
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn rank(&self, method: Method) -> Ranking {
        let aggregates = match method {
            Method::MeanThenRank => self.each_column(mean),
            Method::MedianThenRank => self.each_column(median),
            Method::RankThenMean => self.ranked_cases().each_column(mean),
            Method::RankThenMedian => self.ranked_cases().each_column(median),
            Method::TestThenRank(alpha) => {
                let beaten = Significance::of(self, alpha, Adjustment::None).beaten();
                share_of_others(&beaten)
            }
        };
        Ranking::of(&aggregates, method.direction(self.direction))
    }

    /// Aggregate of the values that each algorithm has, NaN where it has none.
    fn each_column(&self, aggregate: fn(&mut [f64]) -> f64) -> Vec<f64> {
        let one = |algorithm| {
            let mut known: Vec<f64> = self.column(algorithm).filter(|v| !v.is_nan()).collect();
            if known.is_empty() { f64::NAN } else { aggregate(&mut known) }
        };
        (0..self.algorithms).map(one).collect()
    }

    /// Ranks within each case.
    pub(super) fn ranked_cases(&self) -> Self {
        let mut ranks = vec![0; self.algorithms];
        let mut values = Vec::with_capacity(self.values.len());
        for row in self.rows() {
            rank_row(row, self.direction, &mut ranks);
            values.extend(ranks.iter().map(|&rank| f64::from(rank)));
        }
        Self { values, algorithms: self.algorithms, direction: Direction::LowerIsBetter }
    }
}

/// Share of the other algorithms that each beats; 0 for one that has no other.
pub(super) fn share_of_others(beaten: &[u32]) -> Vec<f64> {
    let others = (beaten.len() - 1).max(1) as f64;
    beaten.iter().map(|&count| f64::from(count) / others).collect()
}

/// The mean of a sum held in two numbers (Knuth's two-sum), divided and then rounded.
fn mean(values: &mut [f64]) -> f64 {
    let (mut sum, mut rest) = (0.0, 0.0);
    for &value in &*values {
        let next: f64 = sum + value;
        let part = next - sum;
        rest += (sum - (next - part)) + (value - part);
        sum = next;
    }
    let count = values.len() as f64;
    let quotient = sum / count;
    let mean = quotient + (quotient.mul_add(-count, sum) + rest) / count;
    // Beyond the largest number nothing can be corrected.
    if mean.is_finite() { mean } else { quotient }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    middle_of(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// Mean of the two middle values; halved first where the sum would overflow.
pub(super) fn middle_of(low: f64, high: f64) -> f64 {
    let sum = low + high;
    if sum.is_finite() { sum / 2.0 } else { low / 2.0 + high / 2.0 }
}
