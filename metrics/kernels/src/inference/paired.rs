//! Paired comparisons of two algorithms on the same cases.

use super::bootstrap::{Confidence, check_finite};
use super::distributions::{chi_squared_upper, fair_binomial_lower, student_upper, student_upper_quantile};
use super::ranks::same;
use super::signed_rank::Alternative;
use crate::{InputError, Undefined};

/// Checked differences, one per case: first algorithm minus second.
///
/// ```
/// use fiel_kernels::inference::{Alternative, Differences};
/// let d = Differences::between(&[0.9, 0.8, 0.7], &[0.85, 0.82, 0.60])?;
/// assert_eq!(d.values().len(), 3);
/// assert!(d.paired_t(Alternative::TwoSided).expect("they vary").p > 0.05);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Differences(Vec<f64>);

/// Student's paired test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// Mean difference.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Mean over standard error.
    pub t: f64,
    /// Degrees of freedom: cases less one.
    pub df: f64,
    /// Probability, under no difference, of such a t or one further out.
    pub p: f64,
}

impl Differences {
    /// Subtracts case by case in double precision; differences are ties only when equal to the last bit.
    ///
    /// # Errors
    /// Lists of unequal length, no case, a value that is not finite, a difference that overflows.
    ///
    /// ```
    /// use fiel_kernels::inference::Differences;
    /// assert_eq!(Differences::between(&[3.0, 1.0], &[1.0, 5.0])?.values(), [2.0, -4.0]);
    /// assert!(Differences::between(&[3.0, 1.0], &[1.0]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn between(first: &[f64], second: &[f64]) -> Result<Self, InputError> {
        if first.len() != second.len() {
            return Err(InputError::Length {
                left: "the first algorithm",
                left_len: first.len(),
                right: "the second algorithm",
                right_len: second.len(),
            });
        }
        check_finite("the first algorithm", first)?;
        check_finite("the second algorithm", second)?;
        Self::new(first.iter().zip(second).map(|(a, b)| a - b).collect())
    }

    /// Takes differences.
    ///
    /// # Errors
    /// No case, a value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::inference::{Alternative, Differences};
    /// let test = Differences::new(vec![1.0, 2.0, 3.0])?.paired_t(Alternative::TwoSided).expect("they vary");
    /// assert_eq!((test.mean, test.df), (2.0, 2.0));
    /// assert!(Differences::new(vec![]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(values: Vec<f64>) -> Result<Self, InputError> {
        if values.is_empty() {
            return Err(InputError::Empty("the differences"));
        }
        check_finite("the differences", &values)?;
        Ok(Self(values))
    }

    /// Takes differences of values that were checked before; may be empty.
    pub(crate) fn tested(values: Vec<f64>) -> Self {
        Self(values)
    }

    /// The differences, in the order of the cases.
    ///
    /// ```
    /// use fiel_kernels::inference::Differences;
    /// assert_eq!(Differences::between(&[3.0, 1.0], &[1.0, 5.0])?.values(), [2.0, -4.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// Student's paired test of a mean difference of zero.
    ///
    /// # Errors
    /// Fewer than two cases; differences that are all equal.
    ///
    /// ```
    /// use fiel_kernels::inference::{Alternative, Differences};
    /// let d = Differences::new(vec![1.0, 2.0, 3.0])?;
    /// let test = d.paired_t(Alternative::Greater).expect("they vary");
    /// assert!((test.t - 12.0f64.sqrt()).abs() < 1e-12);
    /// assert!((test.p - 0.037_089_950_113_724_2).abs() < 1e-12);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn paired_t(&self, alternative: Alternative) -> Result<PairedT, Undefined> {
        let n = self.0.len() as f64;
        if self.0.len() < 2 {
            return Err(Undefined::TooFew);
        }
        let mean = self.0.iter().sum::<f64>() / n;
        let squares: f64 = self.0.iter().map(|d| (d - mean) * (d - mean)).sum();
        let standard_error = (squares / (n - 1.0) / n).sqrt();
        if self.0.iter().all(|d| same(*d, self.0[0])) || standard_error <= 0.0 {
            return Err(Undefined::Constant);
        }
        let (t, df) = (mean / standard_error, n - 1.0);
        let p = match alternative {
            Alternative::Greater => student_upper(t, df),
            Alternative::Less => student_upper(-t, df),
            Alternative::TwoSided => 2.0 * student_upper(t.abs(), df),
        };
        Ok(PairedT { mean, standard_error, t, df, p })
    }
}

impl PairedT {
    /// Interval of the mean difference by Student's t.
    ///
    /// ```
    /// use fiel_kernels::inference::{Alternative, Confidence, Differences};
    /// let test = Differences::new(vec![1.0, 2.0, 3.0])?.paired_t(Alternative::TwoSided).expect("they vary");
    /// let [low, high] = test.interval(Confidence::P95);
    /// assert!((low - -0.484_137_711_750_33).abs() < 1e-10 && (high - 4.484_137_711_750_33).abs() < 1e-10);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn interval(&self, confidence: Confidence) -> [f64; 2] {
        let half = student_upper_quantile(confidence.tail(), self.df) * self.standard_error;
        [self.mean - half, self.mean + half]
    }
}

/// McNemar's test of two classifiers on the same cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Exact two-sided p-value: sign test of the discordant cases.
    pub exact_p: f64,
    /// (b - c)^2 / (b + c).
    pub chi_squared: f64,
    /// Its p-value (one degree of freedom).
    pub p: f64,
    /// (|b - c| - 1)^2 / (b + c), Edwards' continuity correction.
    pub corrected_chi_squared: f64,
    /// Its p-value.
    pub corrected_p: f64,
}

/// Tests whether two classifiers err equally often, from the cases that only one of them got right (McNemar 1947,
/// <https://doi.org/10.1007/BF02295996>).
///
/// # Errors
/// No discordant case.
///
/// ```
/// use fiel_kernels::inference::mcnemar;
/// let test = mcnemar(10, 2)?;
/// assert!((test.exact_p - 0.038_574_218_75).abs() < 1e-15);
/// assert!((test.chi_squared - 16.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), fiel_kernels::Undefined>(())
/// ```
pub fn mcnemar(only_first_right: u64, only_second_right: u64) -> Result<McNemar, Undefined> {
    let total = only_first_right.saturating_add(only_second_right);
    if total == 0 {
        return Err(Undefined::NoPairs);
    }
    let gap = only_first_right.abs_diff(only_second_right) as f64;
    let n = total as f64;
    let chi_squared = gap * gap / n;
    let corrected = (gap - 1.0).max(0.0);
    let corrected_chi_squared = corrected * corrected / n;
    Ok(McNemar {
        exact_p: (2.0 * fair_binomial_lower(only_first_right.min(only_second_right), total)).min(1.0),
        chi_squared,
        p: chi_squared_upper(chi_squared, 1.0),
        corrected_chi_squared,
        corrected_p: chi_squared_upper(corrected_chi_squared, 1.0),
    })
}
