//! Which algorithm is better than which beyond chance.

use super::methods::Alpha;
use super::table::{Direction, Table};
use crate::inference::{Differences, PValues, benjamini_hochberg, holm};
use rayon::prelude::*;

/// How p-values are corrected for the number of tests, over all ordered pairs of different algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Adjustment {
    /// Not at all.
    None,
    /// Holm: family-wise error (challengeR's significance maps).
    Holm,
    /// Benjamini and Hochberg: false discovery rate.
    BenjaminiHochberg,
}

/// One-sided paired tests between all algorithms of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Significance {
    algorithms: usize,
    alpha: Alpha,
    p: Vec<Option<f64>>,
    adjusted: Vec<Option<f64>>,
}

impl Significance {
    /// Tests every algorithm against every other: one-sided paired signed-rank test, normal approximation with
    /// continuity and tie correction, over the cases on which both have values.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Significance, Table};
    /// let values: Vec<f64> = (0..20).flat_map(|i| [0.8 + 0.001 * f64::from(i), 0.7]).collect();
    /// let table = Table::complete(&values, 2, Direction::HigherIsBetter)?;
    /// let tests = Significance::of(&table, Alpha::P05, Adjustment::Holm);
    /// assert!(tests.beats(0, 1) && !tests.beats(1, 0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of(table: &Table, alpha: Alpha, adjustment: Adjustment) -> Self {
        let count = table.algorithms;
        let columns: Vec<Vec<f64>> = (0..count).map(|a| table.column(a).collect()).collect();
        let pairs: Vec<(usize, usize)> =
            (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))).collect();
        let tested: Vec<Option<[f64; 2]>> =
            pairs.par_iter().map(|&(i, j)| both_ways(&columns[i], &columns[j], table.direction)).collect();
        let mut p = vec![None; count * count];
        for (&(i, j), found) in pairs.iter().zip(tested) {
            p[i * count + j] = found.map(|[first, _]| first);
            p[j * count + i] = found.map(|[_, second]| second);
        }
        let adjusted = match adjustment {
            Adjustment::None => p.clone(),
            Adjustment::Holm => holm(&PValues::tested(p.clone())),
            Adjustment::BenjaminiHochberg => benjamini_hochberg(&PValues::tested(p.clone())),
        };
        Self { algorithms: count, alpha, p, adjusted }
    }

    /// p-value of `first` being better than `second`; `None` for one algorithm and itself, and where all
    /// differences are zero.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Significance, Table};
    /// let values: Vec<f64> = (0..20).flat_map(|i| [0.8 + 0.001 * f64::from(i), 0.7]).collect();
    /// let table = Table::complete(&values, 2, Direction::HigherIsBetter)?;
    /// let tests = Significance::of(&table, Alpha::P05, Adjustment::None);
    /// // Twenty differences, all positive: 3.90 standard deviations out.
    /// assert!(tests.p(0, 1).is_some_and(|p| (p - 4.78e-5).abs() < 1e-7));
    /// assert!(tests.p(1, 0).is_some_and(|p| p > 0.999));
    /// assert_eq!(tests.p(0, 0), None);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn p(&self, first: usize, second: usize) -> Option<f64> {
        self.cell(&self.p, first, second)
    }

    /// The same, corrected for the number of tests as [`Significance::of`] was told.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Significance, Table};
    /// let values: Vec<f64> = (0..20).flat_map(|i| [0.8 + 0.001 * f64::from(i), 0.7]).collect();
    /// let table = Table::complete(&values, 2, Direction::HigherIsBetter)?;
    /// let tests = Significance::of(&table, Alpha::P05, Adjustment::Holm);
    /// // The smaller of two p-values counts twice.
    /// assert_eq!(tests.adjusted_p(0, 1), tests.p(0, 1).map(|p| 2.0 * p));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn adjusted_p(&self, first: usize, second: usize) -> Option<f64> {
        self.cell(&self.adjusted, first, second)
    }

    /// Whether `first` is significantly better than `second`: corrected p at most alpha.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Significance, Table};
    /// let values: Vec<f64> = (0..20).flat_map(|i| [0.8 + 0.001 * f64::from(i), 0.7]).collect();
    /// let table = Table::complete(&values, 2, Direction::LowerIsBetter)?;
    /// let tests = Significance::of(&table, Alpha::P05, Adjustment::Holm);
    /// assert!(tests.beats(1, 0) && !tests.beats(0, 1));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn beats(&self, first: usize, second: usize) -> bool {
        self.adjusted_p(first, second).is_some_and(|p| p <= self.alpha.level())
    }

    /// Number of algorithms that each algorithm beats.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Significance, Table};
    /// let values: Vec<f64> = (0..20).flat_map(|i| [0.7, 0.8 + 0.001 * f64::from(i), 0.6]).collect();
    /// let table = Table::complete(&values, 3, Direction::HigherIsBetter)?;
    /// let tests = Significance::of(&table, Alpha::P05, Adjustment::Holm);
    /// assert_eq!(tests.beaten(), [1, 2, 0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn beaten(&self) -> Vec<u32> {
        let wins = |i| (0..self.algorithms).map(|j| u32::from(self.beats(i, j))).sum();
        (0..self.algorithms).map(wins).collect()
    }

    /// Groups of algorithms that the data do not tell apart: down the ranking, a new group begins with the first
    /// algorithm that the first of the running group significantly beats.
    ///
    /// `ranks` is a ranking of the same algorithms, as in [`super::Ranking::ranks`]; further entries are ignored.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Significance, Table};
    /// let wave = |i: u32| 0.01 * f64::from(i % 3);
    /// let values: Vec<f64> = (0..30).flat_map(|i| [0.8 + wave(i), 0.8 + wave(i + 1), 0.6 + wave(i)]).collect();
    /// let table = Table::complete(&values, 3, Direction::HigherIsBetter)?;
    /// let tests = Significance::of(&table, Alpha::P05, Adjustment::Holm);
    /// assert_eq!(tests.tie_groups(&[1, 2, 3]), [vec![0, 1], vec![2]]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tie_groups(&self, ranks: &[u32]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..ranks.len().min(self.algorithms)).collect();
        order.sort_by_key(|&i| ranks[i]);
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for algorithm in order {
            match groups.last_mut() {
                Some(group) if !self.beats(group[0], algorithm) => group.push(algorithm),
                _ => groups.push(vec![algorithm]),
            }
        }
        groups
    }

    fn cell(&self, cells: &[Option<f64>], first: usize, second: usize) -> Option<f64> {
        if first >= self.algorithms || second >= self.algorithms {
            return None;
        }
        cells[first * self.algorithms + second]
    }
}

/// p-values of the first being better, and of the second being better.
fn both_ways(first: &[f64], second: &[f64], direction: Direction) -> Option<[f64; 2]> {
    let known = first.iter().zip(second).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let advantage = known.map(|(a, b)| if direction == Direction::HigherIsBetter { a - b } else { b - a });
    Differences::tested(advantage.collect()).one_sided_both_ways().ok()
}
