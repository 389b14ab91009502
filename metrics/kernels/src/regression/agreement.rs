//! Agreement of two measurements.

use super::errors::{Pairs, is_constant, mean};
use crate::calibration::critical_value;
use crate::inference::student_upper_quantile;
use crate::{InputError, Undefined};

/// Bland and Altman's limits of agreement of predicted minus reference values.
///
/// Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8; intervals: Bland and Altman 1999,
/// doi:10.1177/096228029900800204.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlandAltman {
    /// Mean difference, in the values' unit.
    pub bias: f64,
    /// Interval of the bias.
    pub bias_interval: [f64; 2],
    /// Standard deviation of the differences (n - 1).
    pub standard_deviation: f64,
    /// Lower and upper limit of agreement: bias -/+ z x standard deviation, z the normal quantile of the agreement.
    pub limits: [f64; 2],
    /// Interval of the lower limit.
    pub lower_interval: [f64; 2],
    /// Interval of the upper limit.
    pub upper_interval: [f64; 2],
}

/// Lin's concordance correlation coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concordance {
    /// The coefficient, from -1 to 1.
    pub value: f64,
    /// Its interval by Fisher's z transformation; `None` with fewer than three pairs, or if the coefficient is -1,
    /// 0 or 1 or the correlation 0, where the variance is not defined.
    pub interval: Option<[f64; 2]>,
}

impl BlandAltman {
    /// The same as [`Pairs::bland_altman`] from the number of pairs, the mean of their differences and the mean of the squared
    /// distances from it.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for fewer than two pairs; [`InputError::Setting`] for shares outside (0, 1).
    ///
    /// ```
    /// # use fiel_kernels::regression::{BlandAltman, Pairs};
    /// let limits = Pairs::new(&[1.0, 3.0], &[1.0, 1.0])?.bland_altman(0.95, 0.95)?;
    /// assert_eq!(BlandAltman::of_moments(2.0, 1.0, 1.0, 0.95, 0.95)?, limits);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_moments(
        n: f64,
        bias: f64,
        mean_square: f64,
        agreement: f64,
        level: f64,
    ) -> Result<Result<Self, Undefined>, InputError> {
        let z = critical_value(agreement)?;
        critical_value(level)?;
        if n < 2.0 {
            return Ok(Err(Undefined::TooFew));
        }
        let deviation = (mean_square * n / (n - 1.0)).sqrt();
        let t = student_upper_quantile(0.5 * (1.0 - level), n - 1.0);
        let around = |centre: f64, half: f64| [centre - half, centre + half];
        let limits = around(bias, z * deviation);
        let half = t * deviation * (1.0 / n + z * z / (2.0 * (n - 1.0))).sqrt();
        Ok(Ok(Self {
            bias,
            bias_interval: around(bias, t * deviation / n.sqrt()),
            standard_deviation: deviation,
            limits,
            lower_interval: around(limits[0], half),
            upper_interval: around(limits[1], half),
        }))
    }
}

impl Pairs<'_> {
    /// Bias and limits of agreement.
    ///
    /// `agreement` is the share of differences that the limits enclose (0.95: z = 1.96), `level` the coverage of the
    /// intervals (Student's t with n - 1 degrees of freedom; variance of a limit s^2 (1/n + z^2 / (2 (n - 1)))); both
    /// strictly between 0 and 1.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for a single pair; [`InputError::Setting`] for shares outside (0, 1).
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// let limits = Pairs::new(&[1.0, 3.0], &[1.0, 1.0])?.bland_altman(0.95, 0.95)??;
    /// assert_eq!((limits.bias, limits.standard_deviation), (1.0, 2f64.sqrt()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bland_altman(
        &self,
        agreement: f64,
        level: f64,
    ) -> Result<Result<BlandAltman, Undefined>, InputError> {
        let bias = self.bias();
        let variance = mean(self.differences().map(|d| (d - bias).powi(2)));
        BlandAltman::of_moments(self.count() as f64, bias, variance, agreement, level)
    }

    /// Lin's concordance correlation coefficient: 2 s12 / (s1^2 + s2^2 + (m1 - m2)^2), moments divided by n, with the
    /// interval of coverage `level` (strictly between 0 and 1).
    ///
    /// Lin 1989, doi:10.2307/2532051, with the variance as corrected in 2000, doi:10.1111/j.0006-341X.2000.00324.x.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for a single pair; [`Undefined::Constant`] if all values of both lists are the same
    /// number; [`InputError::Setting`] for a level outside (0, 1).
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// let ccc = Pairs::new(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0])?.concordance(0.95)??;
    /// assert!((ccc.value - 4.0 / 7.0).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn concordance(&self, level: f64) -> Result<Result<Concordance, Undefined>, InputError> {
        critical_value(level)?;
        if self.count() < 2 {
            return Ok(Err(Undefined::TooFew));
        }
        let n = self.count() as f64;
        let (m1, m2) = (mean(self.predicted.iter().copied()), mean(self.reference.iter().copied()));
        let s1 = mean(self.predicted.iter().map(|p| (p - m1).powi(2)));
        let s2 = mean(self.reference.iter().map(|r| (r - m2).powi(2)));
        let s12 = mean(self.predicted.iter().zip(self.reference).map(|(p, r)| (p - m1) * (r - m2)));
        let all_equal = is_constant(self.predicted) && is_constant(self.reference);
        if all_equal && self.predicted[0] == self.reference[0] {
            return Ok(Err(Undefined::Constant));
        }
        SecondMoments { n, predicted: s1, reference: s2, covariance: s12, shift: m1 - m2 }.concordance(level)
    }
}

/// Moments of two lists of numbers, divided by n: what sites can add up without showing a number.
///
/// ```
/// use fiel_kernels::regression::SecondMoments;
///
/// // Predicted 1, 2, 3 where the reference is 2, 3, 4.
/// let third = 2.0 / 3.0;
/// let moments = SecondMoments { n: 3.0, predicted: third, reference: third, covariance: third, shift: -1.0 };
/// assert!((moments.concordance(0.95)??.value - 4.0 / 7.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondMoments {
    /// Number of pairs.
    pub n: f64,
    /// Variance of the predicted values.
    pub predicted: f64,
    /// Variance of the reference values.
    pub reference: f64,
    /// Covariance of both.
    pub covariance: f64,
    /// Difference of the means.
    pub shift: f64,
}

impl SecondMoments {
    /// Lin's concordance correlation coefficient, as [`Pairs::concordance`].
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for less than two pairs; [`Undefined::Constant`] where nothing varies or differs;
    /// [`InputError::Setting`] for a level outside (0, 1).
    ///
    /// ```
    /// use fiel_kernels::Undefined;
    /// use fiel_kernels::regression::{Pairs, SecondMoments};
    /// // Predicted 1, 2, 3 where the reference is 2, 3, 4.
    /// let third = 2.0 / 3.0;
    /// let moments = SecondMoments { n: 3.0, predicted: third, reference: third, covariance: third, shift: -1.0 };
    /// let of_pairs = Pairs::new(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0])?.concordance(0.95)??;
    /// assert!((moments.concordance(0.95)??.value - of_pairs.value).abs() < 1e-15);
    /// let constant = SecondMoments { predicted: 0.0, reference: 0.0, covariance: 0.0, shift: 0.0, ..moments };
    /// assert_eq!(constant.concordance(0.95)?, Err(Undefined::Constant));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn concordance(&self, level: f64) -> Result<Result<Concordance, Undefined>, InputError> {
        let z = critical_value(level)?;
        let Self { n, predicted: s1, reference: s2, covariance: s12, shift } = *self;
        if n < 2.0 {
            return Ok(Err(Undefined::TooFew));
        }
        let shift = shift.powi(2);
        if s1 + s2 + shift == 0.0 {
            return Ok(Err(Undefined::Constant));
        }
        let value = (2.0 * s12 / (s1 + s2 + shift)).clamp(-1.0, 1.0);
        let r = s12 / (s1.sqrt() * s2.sqrt());
        let defined = n >= 3.0 && r.is_finite() && r != 0.0 && value.abs() < 1.0 && value != 0.0;
        let interval = defined.then(|| {
            let u = shift / (s1.sqrt() * s2.sqrt());
            let (c2, r2) = (value * value, r * r);
            let variance = ((1.0 - r2) * c2 / ((1.0 - c2) * r2)
                + 2.0 * value.powi(3) * (1.0 - value) * u / (r * (1.0 - c2).powi(2))
                - value.powi(4) * u * u / (2.0 * r2 * (1.0 - c2).powi(2)))
                / (n - 2.0);
            let half = z * variance.max(0.0).sqrt();
            [(value.atanh() - half).tanh(), (value.atanh() + half).tanh()]
        });
        Ok(Ok(Concordance { value, interval }))
    }
}
