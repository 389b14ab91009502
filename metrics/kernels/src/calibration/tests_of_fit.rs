//! Tests of calibration.

use super::bins::{Grouping, TieRule};
use super::forecasts::Forecasts;
use super::sums::sum;
use crate::inference::{chi_squared_upper, normal_two_sided};
use crate::{InputError, Undefined};

/// A test's statistic and its p value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic: z or chi-squared.
    pub statistic: f64,
    /// The p value, from 0 to 1.
    pub p_value: f64,
}

impl Forecasts<'_> {
    /// Spiegelhalter's test: z of the Brier score if the forecasts are calibrated, with its two-sided p value.
    ///
    /// Spiegelhalter 1986, doi:10.1002/sim.4780050506.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] if every probability is 0, 0.5 or 1, so that the score cannot vary.
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let test = Forecasts::new(&[0.2, 0.8], &[false, true])?.spiegelhalter()?;
    /// assert!((test.statistic - -0.5 * 2f64.sqrt()).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spiegelhalter(&self) -> Result<Test, Undefined> {
        let deviation = sum(self.cases().map(|(p, y)| (y - p) * (1.0 - 2.0 * p)));
        let variance = sum(self.cases().map(|(p, _)| (1.0 - 2.0 * p).powi(2) * p * (1.0 - p)));
        let statistic = deviation / variance.sqrt();
        if variance > 0.0 && statistic.is_finite() {
            Ok(Test { statistic, p_value: normal_two_sided(statistic) })
        } else {
            Err(Undefined::ZeroDenominator)
        }
    }

    /// Hosmer and Lemeshow's test over `groups` (3 to 1,024) groups of equally many cases, with `groups` - 2 degrees
    /// of freedom. Ties may straddle two groups ([`TieRule::Straddle`]).
    ///
    /// Hosmer and Lemeshow 1980, doi:10.1080/03610928008827941.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] if there are fewer cases than groups; [`Undefined::ZeroDenominator`] if all
    /// probabilities of a group are 0 or all are 1.
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let probabilities = [0.2, 0.2, 0.5, 0.5, 0.8, 0.8];
    /// let forecasts = Forecasts::new(&probabilities, &[false, false, false, true, true, true])?;
    /// assert!((forecasts.hosmer_lemeshow(3)??.statistic - 1.0).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hosmer_lemeshow(&self, groups: usize) -> Result<Result<Test, Undefined>, InputError> {
        if !(3..=1024).contains(&groups) {
            let expected = "from 3 to 1024";
            return Err(InputError::Setting { what: "the number of groups", value: groups as f64, expected });
        }
        let bins = self.bins(Grouping::EqualMass { bins: groups, ties: TieRule::Straddle })?;
        if bins.bins().len() < groups {
            return Ok(Err(Undefined::TooFew));
        }
        let terms = bins.bins().iter().map(|b| {
            let (expected, count) = (b.sum_probability, b.count as f64);
            (b.positives as f64 - expected).powi(2) / (expected * (1.0 - expected / count))
        });
        let statistic = sum(terms);
        Ok(if statistic.is_finite() && statistic >= 0.0 {
            Ok(Test { statistic, p_value: chi_squared_upper(statistic, groups as f64 - 2.0) })
        } else {
            Err(Undefined::ZeroDenominator)
        })
    }
}
