//! The table that is ranked: cases x algorithms for one metric.

use crate::inference::{Friedman, friedman_of_rows};
use crate::{InputError, Undefined};

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Such as Dice.
    HigherIsBetter,
    /// Such as a distance.
    LowerIsBetter,
}

/// Most cases of a table (a case number and two flags share 32 bits).
const CASES_MAX: usize = 1 << 30;

/// Checked values of one metric: one row per case, one column per algorithm; single values may be missing.
///
/// ```
/// use fiel_kernels::ranking::{Direction, Method, Table};
/// let dice = [0.91, 0.80, 0.85, 0.88, 0.93, 0.79]; // three cases, two algorithms
/// let table = Table::complete(&dice, 2, Direction::HigherIsBetter)?;
/// assert_eq!(table.rank(Method::MeanThenRank).ranks, [1, 2]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Row after row; NaN where a value is missing, which never leaves this module.
    pub(super) values: Vec<f64>,
    pub(super) algorithms: usize,
    pub(super) direction: Direction,
}

impl Table {
    /// Takes a table with missing values, row after row.
    ///
    /// # Errors
    /// No value, no algorithm, rows that are not full, a value that is not finite, more than 2^30 cases.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// let table = Table::new(&[Some(0.9), None], 2, Direction::HigherIsBetter)?;
    /// assert_eq!((table.cases(), table.algorithms(), table.missing()), (1, 2, 1));
    /// assert!(Table::new(&[Some(f64::NAN)], 1, Direction::HigherIsBetter).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(values: &[Option<f64>], algorithms: usize, direction: Direction) -> Result<Self, InputError> {
        if values.is_empty() || algorithms == 0 {
            return Err(InputError::Empty("the table"));
        }
        if !values.len().is_multiple_of(algorithms) {
            return Err(InputError::Length {
                left: "the table",
                left_len: values.len(),
                right: "its full rows",
                right_len: values.len() / algorithms * algorithms,
            });
        }
        let cases = values.len() / algorithms;
        if cases > CASES_MAX {
            let (what, found, limit) = ("cases", cases as u64, CASES_MAX as u64);
            return Err(InputError::TooLarge { what, found, limit });
        }
        for (index, value) in values.iter().enumerate() {
            if let Some(value) = *value
                && !value.is_finite()
            {
                return Err(InputError::Value {
                    what: "the table",
                    index,
                    value,
                    expected: "finite or missing",
                });
            }
        }
        let values = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        Ok(Self { values, algorithms, direction })
    }

    /// Takes a table without missing values, row after row.
    ///
    /// # Errors
    /// As [`Table::new`].
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// let table = Table::complete(&[0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 2, Direction::HigherIsBetter)?;
    /// assert_eq!((table.cases(), table.algorithms(), table.missing()), (3, 2, 0));
    /// assert!(Table::complete(&[0.9, 0.8, 0.7], 2, Direction::HigherIsBetter).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn complete(values: &[f64], algorithms: usize, direction: Direction) -> Result<Self, InputError> {
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        Self::new(&values, algorithms, direction)
    }

    /// The same table with `value` in place of what is missing (challengeR's `na.treat`, such as 0 for Dice).
    ///
    /// # Errors
    /// A value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// let table = Table::new(&[Some(0.9), None], 2, Direction::HigherIsBetter)?.fill(0.0)?;
    /// assert_eq!(table.value(0, 1), Some(0.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn fill(&self, value: f64) -> Result<Self, InputError> {
        if !value.is_finite() {
            let what = "what stands for missing values";
            return Err(InputError::Setting { what, value, expected: "finite" });
        }
        let values = self.values.iter().map(|v| if v.is_nan() { value } else { *v }).collect();
        Ok(Self { values, ..*self })
    }

    /// Number of cases.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// assert_eq!(Table::complete(&[0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 2, Direction::HigherIsBetter)?.cases(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn cases(&self) -> usize {
        self.values.len() / self.algorithms
    }

    /// Number of algorithms.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// assert_eq!(Table::complete(&[0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 2, Direction::HigherIsBetter)?.algorithms(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn algorithms(&self) -> usize {
        self.algorithms
    }

    /// Which values are better.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// assert_eq!(Table::complete(&[3.0, 5.0], 2, Direction::LowerIsBetter)?.direction(), Direction::LowerIsBetter);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Number of missing values.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// let table = Table::new(&[Some(0.9), None, Some(0.8), Some(0.7)], 2, Direction::HigherIsBetter)?;
    /// assert_eq!((table.missing(), table.fill(0.0)?.missing()), (1, 0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn missing(&self) -> usize {
        self.values.iter().filter(|v| v.is_nan()).count()
    }

    /// The value of an algorithm on a case; `None` where it is missing or there is no such cell.
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// let table = Table::new(&[Some(0.9), None, Some(0.8), Some(0.7)], 2, Direction::HigherIsBetter)?;
    /// assert_eq!((table.value(1, 0), table.value(0, 1), table.value(2, 0)), (Some(0.8), None, None));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn value(&self, case: usize, algorithm: usize) -> Option<f64> {
        if algorithm >= self.algorithms {
            return None;
        }
        self.values.get(case * self.algorithms + algorithm).copied().filter(|v| !v.is_nan())
    }

    /// Friedman's test of whether the algorithms differ; cases with a missing value are left out.
    ///
    /// # Errors
    /// Fewer than three algorithms or no complete case ([`Undefined::TooFew`]); ties throughout
    /// ([`Undefined::Constant`]).
    ///
    /// ```
    /// use fiel_kernels::ranking::{Direction, Table};
    /// let values = [0.1, 0.2, 0.3, 0.2, 0.4, 0.6, 0.5, 0.6, 0.9];
    /// let test = Table::complete(&values, 3, Direction::HigherIsBetter)?.friedman().expect("three algorithms");
    /// assert!((test.chi_squared - 6.0).abs() < 1e-12);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn friedman(&self) -> Result<Friedman, Undefined> {
        friedman_of_rows(self.rows().filter(|row| row.iter().all(|v| !v.is_nan())), self.algorithms)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.algorithms)
    }

    pub(super) fn column(&self, algorithm: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(algorithm).step_by(self.algorithms).copied()
    }

    pub(super) fn has_missing(&self) -> bool {
        self.values.iter().any(|v| v.is_nan())
    }
}
