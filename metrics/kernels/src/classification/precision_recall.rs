//! Precision-recall curves and the area under them.

use super::{auc::any_tie, scores::Scores};
use crate::Undefined;

/// A precision-recall curve, from the laxest threshold to the strictest.
///
/// `precisions` and `recalls` have one value more than `thresholds`: the last point is precision 1 at recall 0 by
/// convention and belongs to no threshold.
///
/// ```
/// use fiel_kernels::classification::Scores;
/// let scores = Scores::new(&[0.9, 0.7, 0.6], &[true, false, true])?;
/// let curve = scores.precision_recall_curve().unwrap();
/// assert_eq!(curve.thresholds, [0.6, 0.7, 0.9]);
/// assert_eq!(curve.precisions, [2.0 / 3.0, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.recalls, [1.0, 0.5, 0.5, 0.0]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Thresholds, rising; a case is called positive if its score is at least the threshold.
    pub thresholds: Vec<f64>,
    /// Share of the cases called positive that are positive.
    pub precisions: Vec<f64>,
    /// Share of the positives called positive, falling.
    pub recalls: Vec<f64>,
}

impl Scores<'_> {
    /// The precision-recall curve at every distinct score.
    ///
    /// # Errors
    /// [`Undefined::NoPositive`] if no case is positive.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::Scores};
    /// assert_eq!(Scores::new(&[0.9], &[false])?.precision_recall_curve(), Err(Undefined::NoPositive));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn precision_recall_curve(&self) -> Result<PrecisionRecallCurve, Undefined> {
        let positives = self.some_positive()?;
        let mut curve =
            PrecisionRecallCurve { thresholds: Vec::new(), precisions: vec![1.0], recalls: vec![0.0] };
        for step in self.steps() {
            let called = step.true_positives + step.false_positives;
            curve.thresholds.push(step.threshold);
            curve.precisions.push(step.true_positives as f64 / called as f64);
            curve.recalls.push(step.true_positives as f64 / positives);
        }
        curve.thresholds.reverse();
        curve.precisions.reverse();
        curve.recalls.reverse();
        Ok(curve)
    }

    /// Average precision: the sum over thresholds of the gain in recall times precision, cases of equal score taken
    /// together (0 to 1, higher is better).
    ///
    /// This is the step sum of scikit-learn; see [`Scores::precision_recall_auc`] for the trapezia of others.
    ///
    /// # Errors
    /// [`Undefined::NoPositive`] if no case is positive.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6], &[true, false, true])?;
    /// assert!((scores.average_precision().unwrap() - 5.0 / 6.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn average_precision(&self) -> Result<f64, Undefined> {
        let positives = self.some_positive()?;
        let (packed, split) = (self.sorted().packed(), self.sorted().split());
        // The cases called positive at a threshold are those from its group on.
        let mut left = Remaining { positives: self.positives() as u64, cases: packed.len() as u64 };
        Ok((left.precision_sum(&packed[..split]) + left.precision_sum(&packed[split..])) / positives)
    }

    /// The area under the precision-recall curve by trapezia (0 to 1, higher is better).
    ///
    /// Linear interpolation between the curve's points is known to flatter; it is here since MetricsReloaded and
    /// others report it.
    ///
    /// # Errors
    /// [`Undefined::NoPositive`] if no case is positive.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6], &[true, false, true])?;
    /// assert!((scores.precision_recall_auc().unwrap() - 19.0 / 24.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn precision_recall_auc(&self) -> Result<f64, Undefined> {
        let positives = self.some_positive()?;
        let (mut doubled, mut before, mut precision_before) = (0.0, 0, 1.0);
        for step in self.steps() {
            let called = step.true_positives + step.false_positives;
            let precision = step.true_positives as f64 / called as f64;
            doubled += (step.true_positives - before) as f64 * (precision + precision_before);
            (before, precision_before) = (step.true_positives, precision);
        }
        Ok(doubled / (2.0 * positives))
    }

    pub(super) fn some_positive(&self) -> Result<f64, Undefined> {
        if self.positives() == 0 { Err(Undefined::NoPositive) } else { Ok(self.positives() as f64) }
    }
}

/// What has not been passed on the way up.
struct Remaining {
    positives: u64,
    cases: u64,
}

/// Cases that are summed at a time: partial sums keep the rounding error small.
const CHUNK: usize = 2048;

impl Remaining {
    /// Sum over positives of the precision at their score, in a run where equal distances mean equal scores.
    fn precision_sum(&mut self, packed: &[u64]) -> f64 {
        let (mut sum, mut start) = (0.0, 0);
        while start < packed.len() {
            let end = packed.len().min(start + CHUNK);
            let part;
            (start, part) = if any_tie(&packed[start..packed.len().min(end + 1)]) {
                self.groups(packed, start, end)
            } else {
                (end, self.distinct(&packed[start..end]))
            };
            sum += part;
        }
        sum
    }

    fn distinct(&mut self, packed: &[u64]) -> f64 {
        let mut sum = 0.0;
        for &p in packed {
            let positive = p & 1;
            sum += positive as f64 * (self.positives as f64 / self.cases as f64);
            self.positives -= positive;
            self.cases -= 1;
        }
        sum
    }

    /// Whole groups from `start` until `end` is reached; where the last ended, and the sum.
    fn groups(&mut self, packed: &[u64], mut start: usize, end: usize) -> (usize, f64) {
        let mut sum = 0.0;
        while start < end {
            let rest = &packed[start..];
            let size = rest.iter().position(|&p| p >> 1 != rest[0] >> 1).unwrap_or(rest.len());
            let positives: u64 = rest[..size].iter().map(|&p| p & 1).sum();
            sum += positives as f64 * (self.positives as f64 / self.cases as f64);
            self.positives -= positives;
            self.cases -= size as u64;
            start += size;
        }
        (start, sum)
    }
}
