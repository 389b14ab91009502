//! Binary forecasts, checked.

use super::fused::ForecastSummary;
use super::sums::sum;
use crate::{InputError, Undefined};

/// What is done about forecasts of 0 and 1 before their logarithm is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LogLossPolicy {
    /// Probabilities are first moved into [e, 1 - e]; e must lie in (0, 0.5).
    Clip(f64),
    /// Probabilities stay as they are; an event forecast with probability 0 makes the loss
    /// [`Undefined::Infinite`].
    Unclipped,
}

impl LogLossPolicy {
    /// Clips at the machine epsilon of 64-bit numbers, as scikit-learn's `log_loss` does.
    pub const SCIKIT_LEARN: Self = Self::Clip(f64::EPSILON);

    /// How far probabilities stay away from 0 and 1.
    pub(super) fn bound(self) -> Result<f64, InputError> {
        match self {
            Self::Unclipped => Ok(0.0),
            Self::Clip(e) if e > 0.0 && e < 0.5 => Ok(e),
            Self::Clip(value) => {
                let (what, expected) = ("the clipping bound of log loss", "above 0 and below 0.5");
                Err(InputError::Setting { what, value, expected })
            }
        }
    }
}

/// Probabilities of an event, each with whether it happened: at least one, all probabilities in [0, 1].
///
/// ```
/// use fiel_kernels::calibration::Forecasts;
///
/// let forecasts = Forecasts::new(&[0.1, 0.8], &[false, true])?;
/// assert!((forecasts.brier() - 0.025).abs() < 1e-15);
/// assert!(Forecasts::new(&[f64::NAN], &[true]).is_err());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Forecasts<'a> {
    pub(super) probabilities: &'a [f64],
    pub(super) labels: &'a [bool],
}

pub(super) const PROBABILITY: &str = "a probability from 0 to 1";

pub(super) fn is_probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

pub(super) fn check_lengths(probabilities: usize, labels: usize) -> Result<(), InputError> {
    if probabilities == labels {
        return Ok(());
    }
    Err(InputError::Length {
        left: "probabilities",
        left_len: probabilities,
        right: "labels",
        right_len: labels,
    })
}

/// The first value that is no probability, as an error.
pub(super) fn refuse(probabilities: &[f64]) -> Result<(), InputError> {
    match probabilities.iter().position(|&p| !is_probability(p)) {
        None => Ok(()),
        Some(index) => Err(InputError::Value {
            what: "probability",
            index,
            value: probabilities[index],
            expected: PROBABILITY,
        }),
    }
}

impl<'a> Forecasts<'a> {
    /// Checks the input: equally many probabilities and labels, at least one, all probabilities in [0, 1].
    ///
    /// # Errors
    /// [`InputError::Length`] and [`InputError::Empty`] for lists of unequal length or without values,
    /// [`InputError::Value`], with its place, for a probability outside [0, 1] or NaN.
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// assert!(Forecasts::new(&[0.5], &[true]).is_ok());
    /// assert!(Forecasts::new(&[1.5], &[true]).is_err());
    /// ```
    pub fn new(probabilities: &'a [f64], labels: &'a [bool]) -> Result<Self, InputError> {
        check_lengths(probabilities.len(), labels.len())?;
        if probabilities.is_empty() {
            return Err(InputError::Empty("probabilities"));
        }
        // A search that may stop anywhere is not vectorised; a count is, and the place is only sought if needed.
        let bad = probabilities.iter().filter(|&&p| !is_probability(p)).count();
        if bad > 0 {
            refuse(probabilities)?;
        }
        Ok(Self { probabilities, labels })
    }

    /// Number of forecasts.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Forecasts;
    /// assert_eq!(Forecasts::new(&[0.5, 0.1], &[true, true])?.count(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Number of events.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Forecasts;
    /// assert_eq!(Forecasts::new(&[0.5, 0.1], &[true, false])?.positives(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn positives(&self) -> usize {
        self.labels.iter().filter(|&&y| y).count()
    }

    pub(super) fn cases(&self) -> impl Iterator<Item = (f64, f64)> + Clone + 'a {
        self.probabilities.iter().zip(self.labels).map(|(&p, &y)| (p, f64::from(u8::from(y))))
    }

    /// Share of events.
    pub(super) fn base_rate(&self) -> f64 {
        self.positives() as f64 / self.count() as f64
    }

    /// Fails unless both classes are present.
    pub(super) fn both_classes(&self) -> Result<(), Undefined> {
        let positives = self.positives();
        if positives == 0 || positives == self.count() { Err(Undefined::OneClass) } else { Ok(()) }
    }

    /// Brier score: mean squared difference of probability and outcome; from 0 (best) to 1.
    ///
    /// Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Forecasts;
    /// assert_eq!(Forecasts::new(&[0.5, 1.0], &[true, false])?.brier(), 0.625);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn brier(&self) -> f64 {
        ForecastSummary::over(self).brier()
    }

    /// Log loss: mean negative logarithm (nats) of the probability given to what happened; from 0 (best) up.
    ///
    /// # Errors
    /// [`Undefined::Infinite`] without clipping, if something happened that was given probability 0.
    /// A clipping bound outside (0, 0.5) is refused by [`InputError::Setting`].
    ///
    /// Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{Forecasts, LogLossPolicy};
    /// let loss = Forecasts::new(&[0.5, 0.5], &[true, false])?.log_loss(LogLossPolicy::SCIKIT_LEARN)?;
    /// assert!((loss? - 2f64.ln()).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log_loss(&self, policy: LogLossPolicy) -> Result<Result<f64, Undefined>, InputError> {
        let clip = policy.bound()?;
        if policy == LogLossPolicy::SCIKIT_LEARN {
            return Ok(Ok(ForecastSummary::over(self).log_loss()));
        }
        let loss = sum(self.probabilities.iter().zip(self.labels).map(|(&p, &y)| surprise(p, y, clip)));
        let mean = loss / self.count() as f64;
        Ok(if mean.is_finite() { Ok(mean) } else { Err(Undefined::Infinite) })
    }

    /// Observed over expected events; 1 is best, above 1 means that too few events were forecast.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] if all probabilities are 0.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Forecasts;
    /// assert_eq!(Forecasts::new(&[0.5, 0.5], &[true, true])?.observed_over_expected()?, 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observed_over_expected(&self) -> Result<f64, Undefined> {
        let expected = sum(self.probabilities.iter().copied());
        let ratio = self.positives() as f64 / expected;
        if expected > 0.0 && ratio.is_finite() { Ok(ratio) } else { Err(Undefined::ZeroDenominator) }
    }
}

/// Negative logarithm of the probability given to what happened, without the digits that 1 - p would lose.
pub(super) fn surprise(p: f64, label: bool, clip: f64) -> f64 {
    let p = p.max(clip).min(1.0 - clip);
    if label { -p.ln() } else { -(-p).ln_1p() }
}
