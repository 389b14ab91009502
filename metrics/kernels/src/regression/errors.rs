//! Errors of predicted against reference values.

use crate::calibration::sums::{quantile_sorted, sum};
use crate::{InputError, Undefined};

/// Predicted values with their reference values: equally many, at least one, all finite and below 1e150 in size (so
/// that no square overflows).
///
/// ```
/// use fiel_kernels::regression::Pairs;
///
/// let pairs = Pairs::new(&[1.0, 3.0], &[1.0, 2.0])?;
/// assert_eq!(pairs.mean_absolute_error(), 0.5);
/// assert!(Pairs::new(&[f64::INFINITY], &[1.0]).is_err());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a> {
    pub(super) predicted: &'a [f64],
    pub(super) reference: &'a [f64],
}

/// What the mean absolute percentage error does about reference values of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ZeroReference {
    /// The error is [`Undefined::ZeroDenominator`].
    Undefined,
    /// Cases with a reference of 0 are left out; without any other case the error is [`Undefined::TooFew`].
    Skip,
    /// The reference's size is taken as 2.2e-16 at least, as scikit-learn does; the result may be huge.
    Epsilon,
}

/// Largest size of a value.
const LARGEST: f64 = 1e150;

pub(super) fn refuse(what: &'static str, values: &[f64]) -> Result<(), InputError> {
    match values.iter().position(|v| v.is_nan() || v.abs() > LARGEST) {
        None => Ok(()),
        Some(index) => Err(InputError::Value {
            what,
            index,
            value: values[index],
            expected: "finite and at most 1e150 in size",
        }),
    }
}

pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    sum(values) / n
}

fn finite(value: f64) -> Result<f64, Undefined> {
    if value.is_finite() { Ok(value) } else { Err(Undefined::Infinite) }
}

impl<'a> Pairs<'a> {
    /// Checks the input.
    ///
    /// # Errors
    /// [`InputError::Length`] and [`InputError::Empty`] for lists of unequal length or without values,
    /// [`InputError::Value`], with its place, for a value that is NaN or beyond 1e150 in size.
    ///
    /// ```
    /// use fiel_kernels::regression::Pairs;
    ///
    /// assert!(Pairs::new(&[1.0], &[2.0]).is_ok());
    /// assert!(Pairs::new(&[1.0], &[2.0, 3.0]).is_err());
    /// ```
    pub fn new(predicted: &'a [f64], reference: &'a [f64]) -> Result<Self, InputError> {
        if predicted.len() != reference.len() {
            return Err(InputError::Length {
                left: "predicted values",
                left_len: predicted.len(),
                right: "reference values",
                right_len: reference.len(),
            });
        }
        if predicted.is_empty() {
            return Err(InputError::Empty("predicted values"));
        }
        refuse("predicted value", predicted)?;
        refuse("reference value", reference)?;
        Ok(Self { predicted, reference })
    }

    /// Number of pairs.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0], &[2.0])?.count(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn count(&self) -> usize {
        self.predicted.len()
    }

    /// Predicted minus reference value of each pair.
    pub(super) fn differences(&self) -> impl ExactSizeIterator<Item = f64> + Clone + 'a {
        self.predicted.iter().zip(self.reference).map(|(p, r)| p - r)
    }

    /// Mean absolute error (MAE), in the values' unit; 0 is best.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0, 0.0], &[2.0, 3.0])?.mean_absolute_error(), 2.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mean_absolute_error(&self) -> f64 {
        mean(self.differences().map(f64::abs))
    }

    /// Mean squared error (MSE), in the values' unit squared; 0 is best.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0, 0.0], &[2.0, 3.0])?.mean_squared_error(), 5.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mean_squared_error(&self) -> f64 {
        mean(self.differences().map(|d| d * d))
    }

    /// Root of the mean squared error (RMSE), in the values' unit; 0 is best.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[3.0, 4.0], &[0.0, 0.0])?.root_mean_squared_error(), 12.5f64.sqrt());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn root_mean_squared_error(&self) -> f64 {
        self.mean_squared_error().sqrt()
    }

    /// Median absolute error, in the values' unit; 0 is best.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0, 0.0], &[2.0, 3.0])?.median_absolute_error(), 2.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn median_absolute_error(&self) -> f64 {
        let mut errors: Vec<f64> = self.differences().map(f64::abs).collect();
        errors.sort_by(f64::total_cmp);
        quantile_sorted(&errors, 0.5)
    }

    /// Bias: the mean of predicted minus reference, in the values' unit; 0 is best.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0, 0.0], &[2.0, 3.0])?.bias(), -2.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bias(&self) -> f64 {
        mean(self.differences())
    }

    /// Coefficient of determination (R squared): 1 minus squared errors over squared deviations of the reference from
    /// its mean; 1 is best, below 0 is worse than always giving the mean.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for a single pair, [`Undefined::Constant`] if all reference values are equal.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0, 2.0], &[1.0, 3.0])?.r2()?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn r2(&self) -> Result<f64, Undefined> {
        if self.count() < 2 {
            return Err(Undefined::TooFew);
        }
        let centre = mean(self.reference.iter().copied());
        let spread = mean(self.reference.iter().map(|r| (r - centre).powi(2)));
        if is_constant(self.reference) || spread == 0.0 {
            return Err(Undefined::Constant);
        }
        finite(1.0 - self.mean_squared_error() / spread)
    }

    /// Mean absolute percentage error (MAPE) as a fraction (1 = 100 %); 0 is best.
    ///
    /// # Errors
    /// See [`ZeroReference`]; [`Undefined::Infinite`] if a quotient overflows.
    ///
    /// de Myttenaere et al. 2016, doi:10.1016/j.neucom.2015.12.114.
    ///
    /// ```
    /// # use fiel_kernels::regression::{Pairs, ZeroReference};
    /// let pairs = Pairs::new(&[1.0, 3.0], &[2.0, 2.0])?;
    /// assert_eq!(pairs.mean_absolute_percentage_error(ZeroReference::Undefined)?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mean_absolute_percentage_error(&self, zeros: ZeroReference) -> Result<f64, Undefined> {
        let has_zero = self.reference.contains(&0.0);
        if has_zero && zeros == ZeroReference::Undefined {
            return Err(Undefined::ZeroDenominator);
        }
        let least = if zeros == ZeroReference::Epsilon { f64::EPSILON } else { 0.0 };
        let kept = self.differences().zip(self.reference).filter(|&(_, &r)| r != 0.0 || least > 0.0);
        let errors: Vec<f64> = kept.map(|(d, r)| d.abs() / r.abs().max(least)).collect();
        if errors.is_empty() {
            return Err(Undefined::TooFew);
        }
        finite(mean(errors.into_iter()))
    }
}

pub(super) fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|v| *v == values[0])
}
