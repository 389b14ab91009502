//! Thresholds chosen by what they achieve.

use super::{Confusion, roc::Step, scores::Scores};
use crate::{InputError, Undefined};

/// A threshold and the counts of decisions there.
///
/// ```
/// use fiel_kernels::classification::Scores;
/// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
/// let point = scores.sensitivity_at_specificity(0.5)?.unwrap();
/// assert_eq!(point.threshold, Some(0.6));
/// assert_eq!(point.counts.sensitivity(), Ok(1.0));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// Cases with at least this score are called positive; `None`: no case is.
    pub threshold: Option<f64>,
    /// The decisions' counts.
    pub counts: Confusion,
}

fn check_share(what: &'static str, value: f64) -> Result<(), InputError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(InputError::Setting { what, value, expected: "between 0 and 1" })
}

impl Scores<'_> {
    /// Counts of decisions when cases with at least this score are called positive.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a threshold that is NaN.
    ///
    /// ```
    /// use fiel_kernels::classification::{Confusion, Scores};
    /// let scores = Scores::new(&[0.9, 0.5, 0.2], &[true, false, false])?;
    /// let counts = Confusion { true_positives: 1, false_positives: 1, false_negatives: 0, true_negatives: 1 };
    /// assert_eq!(scores.confusion(0.5)?, counts);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn confusion(&self, threshold: f64) -> Result<Confusion, InputError> {
        if threshold.is_nan() {
            return Err(InputError::Setting {
                what: "the threshold",
                value: threshold,
                expected: "a number",
            });
        }
        let (true_positives, false_positives) = self.at_least(threshold);
        Ok(self.counts(true_positives, false_positives))
    }

    pub(super) fn counts(&self, true_positives: u64, false_positives: u64) -> Confusion {
        Confusion {
            true_positives,
            false_positives,
            false_negatives: self.positives() as u64 - true_positives,
            true_negatives: self.negatives() as u64 - false_positives,
        }
    }

    /// The highest sensitivity at which specificity is at least `specificity` (0 to 1).
    ///
    /// Among thresholds of that sensitivity, the strictest. Calling no case positive counts as a threshold, so the
    /// answer is never missing. The inner result is [`Undefined::OneClass`] if all cases are of one class.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a specificity that is not from 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
    /// assert_eq!(scores.sensitivity_at_specificity(0.95)?.unwrap().counts.sensitivity(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn sensitivity_at_specificity(
        &self,
        specificity: f64,
    ) -> Result<Result<OperatingPoint, Undefined>, InputError> {
        check_share("the specificity", specificity)?;
        Ok(self.both_classes().map(|(_, negatives)| {
            let negatives = negatives as f64;
            let allowed = |s: &Step| (negatives - s.false_positives as f64) / negatives >= specificity;
            self.best(self.steps().filter(allowed), |best, step| step.true_positives > best.true_positives)
        }))
    }

    /// The highest specificity at which sensitivity is at least `sensitivity` (0 to 1).
    ///
    /// Among thresholds of that specificity, the laxest, which has the most sensitivity. The inner result is
    /// [`Undefined::OneClass`] if all cases are of one class.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a sensitivity that is not from 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
    /// assert_eq!(scores.specificity_at_sensitivity(0.6)?.unwrap().counts.specificity(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn specificity_at_sensitivity(
        &self,
        sensitivity: f64,
    ) -> Result<Result<OperatingPoint, Undefined>, InputError> {
        check_share("the sensitivity", sensitivity)?;
        Ok(self.both_classes().map(|(positives, _)| {
            let reached = |tp: u64| tp as f64 / positives as f64 >= sensitivity;
            let nothing = Step { threshold: 0.0, true_positives: 0, false_positives: 0 };
            let start = reached(0).then_some(nothing).into_iter();
            let fewest = start
                .chain(self.steps().filter(|s| reached(s.true_positives)))
                .map(|s| s.false_positives)
                .min()
                .unwrap_or(0);
            self.best(self.steps().filter(|s| s.false_positives <= fewest), |_, _| true)
        }))
    }

    /// The highest positive predictive value at which sensitivity is at least `sensitivity` (0 to 1).
    ///
    /// Among thresholds of that value, the laxest. At least one case is called positive. The inner result is
    /// [`Undefined::NoPositive`] if no case is positive.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a sensitivity that is not from 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
    /// assert_eq!(scores.ppv_at_sensitivity(0.6)?.unwrap().counts.ppv(), Ok(2.0 / 3.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn ppv_at_sensitivity(
        &self,
        sensitivity: f64,
    ) -> Result<Result<OperatingPoint, Undefined>, InputError> {
        check_share("the sensitivity", sensitivity)?;
        Ok(self.some_positive().map(|positives| {
            let reached = |s: &Step| s.true_positives as f64 / positives >= sensitivity;
            self.best(self.steps().filter(reached), |best, step| {
                // Shares compared as products of counts; nothing called yet loses to anything.
                let called = |s: &Step| u128::from(s.true_positives + s.false_positives);
                u128::from(step.true_positives) * called(best)
                    >= u128::from(best.true_positives) * called(step)
            })
        }))
    }

    /// The highest sensitivity at which the positive predictive value is at least `ppv` (0 to 1).
    ///
    /// If no threshold reaches it, the answer is to call no case positive (sensitivity 0). The inner result is
    /// [`Undefined::NoPositive`] if no case is positive.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a value that is not from 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
    /// assert_eq!(scores.sensitivity_at_ppv(0.9)?.unwrap().counts.sensitivity(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn sensitivity_at_ppv(&self, ppv: f64) -> Result<Result<OperatingPoint, Undefined>, InputError> {
        check_share("the positive predictive value", ppv)?;
        Ok(self.some_positive().map(|_| {
            let reached =
                |s: &Step| s.true_positives as f64 / (s.true_positives + s.false_positives) as f64 >= ppv;
            self.best(self.steps().filter(reached), |best, step| step.true_positives > best.true_positives)
        }))
    }

    /// The threshold with the highest Youden index, sensitivity + specificity - 1; of several, the strictest.
    ///
    /// Source: W. J. Youden, Cancer 3 (1950),
    /// <https://doi.org/10.1002/1097-0142(1950)3:1%3C32::AID-CNCR2820030106%3E3.0.CO;2-3>.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if all cases are positive or all negative.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, true, false, false])?;
    /// assert_eq!(scores.youden_threshold().unwrap().threshold, Some(0.7));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn youden_threshold(&self) -> Result<OperatingPoint, Undefined> {
        let (positives, negatives) = self.both_classes()?;
        let index = |s: &Step| {
            i128::from(s.true_positives) * i128::from(negatives)
                - i128::from(s.false_positives) * i128::from(positives)
        };
        Ok(self.best(self.steps(), |best, step| index(step) > index(best)))
    }

    /// The step that beats all before it, starting from calling no case positive.
    fn best(
        &self,
        steps: impl Iterator<Item = Step>,
        better: impl Fn(&Step, &Step) -> bool,
    ) -> OperatingPoint {
        let nothing = Step { threshold: f64::INFINITY, true_positives: 0, false_positives: 0 };
        let best = steps.fold(nothing, |best, step| if better(&best, &step) { step } else { best });
        OperatingPoint {
            threshold: best.threshold.is_finite().then_some(best.threshold),
            counts: self.counts(best.true_positives, best.false_positives),
        }
    }
}
