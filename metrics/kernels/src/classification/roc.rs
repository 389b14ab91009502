//! ROC curves and parts of the area under them.

use super::scores::Scores;
use crate::{InputError, Undefined};

/// A receiver operating characteristic curve, from the strictest threshold to the laxest.
///
/// All three lists have the same length. A case is called positive if its score is at least the threshold; the
/// first threshold is positive infinity, at which no case is.
///
/// ```
/// use fiel_kernels::classification::Scores;
/// let curve = Scores::new(&[0.9, 0.7, 0.6], &[true, false, true])?.roc_curve().unwrap();
/// assert_eq!(curve.thresholds, [f64::INFINITY, 0.9, 0.7, 0.6]);
/// assert_eq!(curve.true_positive_rates, [0.0, 0.5, 0.5, 1.0]);
/// assert_eq!(curve.false_positive_rates, [0.0, 0.0, 1.0, 1.0]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// Thresholds, falling.
    pub thresholds: Vec<f64>,
    /// Share of the negatives called positive (1 - specificity), rising from 0 to 1.
    pub false_positive_rates: Vec<f64>,
    /// Share of the positives called positive (sensitivity), rising from 0 to 1.
    pub true_positive_rates: Vec<f64>,
}

/// A threshold with the number of cases called positive there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) threshold: f64,
    pub(super) true_positives: u64,
    pub(super) false_positives: u64,
}

impl Scores<'_> {
    /// Each distinct score as a threshold, from the highest.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        self.groups_descending().scan((0, 0), |(tp, fp), group| {
            *tp += group.positives;
            *fp += group.negatives;
            Some(Step { threshold: group.score, true_positives: *tp, false_positives: *fp })
        })
    }

    /// The ROC curve at every distinct score.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if all cases are positive or all negative.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let curve = Scores::new(&[0.5, 0.5], &[true, false])?.roc_curve().unwrap();
    /// assert_eq!(curve.true_positive_rates, [0.0, 1.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn roc_curve(&self) -> Result<RocCurve, Undefined> {
        self.both_classes()?;
        Ok(self.curve_of(&self.steps().collect::<Vec<_>>()))
    }

    /// The ROC curve without the points that lie on a straight line between their neighbours: the same curve to the
    /// eye, with fewer points (scikit-learn's `drop_intermediate`).
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if all cases are positive or all negative.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.8, 0.7, 0.1], &[true, true, true, false])?;
    /// assert_eq!(scores.roc_corners().unwrap().thresholds, [f64::INFINITY, 0.9, 0.7, 0.1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn roc_corners(&self) -> Result<RocCurve, Undefined> {
        self.both_classes()?;
        let steps: Vec<Step> = self.steps().collect();
        let gain = |from: &Step, to: &Step| {
            (to.true_positives - from.true_positives, to.false_positives - from.false_positives)
        };
        let is_corner = |i: usize| {
            i == 0 || i + 1 == steps.len() || gain(&steps[i - 1], &steps[i]) != gain(&steps[i], &steps[i + 1])
        };
        let corners: Vec<Step> =
            steps.iter().enumerate().filter(|(i, _)| is_corner(*i)).map(|(_, step)| *step).collect();
        Ok(self.curve_of(&corners))
    }

    fn curve_of(&self, steps: &[Step]) -> RocCurve {
        let (positives, negatives) = (self.positives() as f64, self.negatives() as f64);
        let from = |start: f64, f: &dyn Fn(&Step) -> f64| {
            std::iter::once(start).chain(steps.iter().map(f)).collect()
        };
        RocCurve {
            thresholds: from(f64::INFINITY, &|step| step.threshold),
            false_positive_rates: from(0.0, &|step| step.false_positives as f64 / negatives),
            true_positive_rates: from(0.0, &|step| step.true_positives as f64 / positives),
        }
    }

    /// The area under the part of the ROC curve with a false-positive rate of at most `fpr_max`, interpolating
    /// linearly (0 to `fpr_max`).
    ///
    /// The inner result is [`Undefined::OneClass`] if all cases are positive or all negative.
    ///
    /// # Errors
    /// [`InputError::Setting`] for an `fpr_max` that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
    /// assert_eq!(scores.partial_auc(0.5)?, Ok(0.25));
    /// assert_eq!(scores.partial_auc(1.0)?, scores.auc());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn partial_auc(&self, fpr_max: f64) -> Result<Result<f64, Undefined>, InputError> {
        if !(fpr_max > 0.0 && fpr_max <= 1.0) {
            let expected = "above 0 and at most 1";
            return Err(InputError::Setting {
                what: "the highest false-positive rate",
                value: fpr_max,
                expected,
            });
        }
        if fpr_max >= 1.0 {
            return Ok(self.auc());
        }
        Ok(self.both_classes().map(|(positives, negatives)| self.area_up_to(fpr_max, positives, negatives)))
    }

    fn area_up_to(&self, fpr_max: f64, positives: u64, negatives: u64) -> f64 {
        // Whole trapezia are summed in counts; only the one that is cut needs fractions.
        let (mut doubled, mut before) =
            (0_u128, Step { threshold: 0.0, true_positives: 0, false_positives: 0 });
        let area = |doubled: u128| doubled as f64 / (2.0 * positives as f64 * negatives as f64);
        for step in self.steps() {
            if step.false_positives as f64 / negatives as f64 > fpr_max {
                let [left, right] = [before, step].map(|s| s.false_positives as f64 / negatives as f64);
                let [low, high] = [before, step].map(|s| s.true_positives as f64 / positives as f64);
                let cut = low + (high - low) * ((fpr_max - left) / (right - left));
                return area(doubled) + (fpr_max - left) * (low + cut) / 2.0;
            }
            doubled += u128::from(step.false_positives - before.false_positives)
                * u128::from(step.true_positives + before.true_positives);
            before = step;
        }
        area(doubled)
    }

    /// The partial area under the ROC curve on McClish's scale: 0.5 for chance, 1 for perfect separation
    /// (scikit-learn's `max_fpr`).
    ///
    /// Source: D. K. McClish, Medical Decision Making 9 (1989), <https://doi.org/10.1177/0272989X8900900307>. The
    /// inner result is [`Undefined::OneClass`] if all cases are positive or all negative.
    ///
    /// # Errors
    /// [`InputError::Setting`] for an `fpr_max` that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let chance = Scores::new(&[0.5, 0.5], &[true, false])?;
    /// assert!((chance.partial_auc_mcclish(0.2)?.unwrap() - 0.5).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn partial_auc_mcclish(&self, fpr_max: f64) -> Result<Result<f64, Undefined>, InputError> {
        let area = self.partial_auc(fpr_max)?;
        if fpr_max >= 1.0 {
            return Ok(area);
        }
        let chance = fpr_max * fpr_max / 2.0;
        Ok(area.map(|area| 0.5 * (1.0 + (area - chance) / (fpr_max - chance))))
    }
}
