//! Decision curves.

use super::scores::Scores;
use crate::InputError;

/// Net benefit at one threshold probability, beside those of treating all and none (the latter is 0).
///
/// ```
/// use fiel_kernels::classification::Scores;
/// let curve = Scores::new(&[0.9, 0.6, 0.2, 0.1], &[true, false, true, false])?.decision_curve(&[0.5])?;
/// assert_eq!((curve[0].net_benefit, curve[0].treat_all), (0.0, 0.0));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecisionPoint {
    /// The probability from which on a case is treated.
    pub threshold: f64,
    /// Net benefit of treating cases with at least that probability, in true positives per case.
    pub net_benefit: f64,
    /// Net benefit of treating every case.
    pub treat_all: f64,
}

impl Scores<'_> {
    /// Net benefit at each threshold probability: true positives per case less false positives per case weighted by
    /// the threshold's odds.
    ///
    /// Source: A. J. Vickers, E. B. Elkin, Medical Decision Making 26 (2006), <https://doi.org/10.1177/0272989X06295361>.
    ///
    /// # Errors
    /// [`InputError::Value`] if a score is not a probability or a threshold is not at least 0 and below 1;
    /// [`InputError::Empty`] without thresholds.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.6, 0.2, 0.1], &[true, true, false, false])?;
    /// let curve = scores.decision_curve(&[0.0, 0.15, 0.5])?;
    /// assert_eq!(curve[0].net_benefit, 0.5);
    /// assert!(curve[1].net_benefit < 0.5 && curve[2].net_benefit == 0.5);
    /// assert!(Scores::new(&[1.5], &[true])?.decision_curve(&[0.5]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn decision_curve(&self, thresholds: &[f64]) -> Result<Vec<DecisionPoint>, InputError> {
        if thresholds.is_empty() {
            return Err(InputError::Empty("thresholds"));
        }
        let refuse = |what, values: &[f64], allowed: &dyn Fn(f64) -> bool, expected| match values
            .iter()
            .position(|&value| !allowed(value))
        {
            Some(index) => Err(InputError::Value { what, index, value: values[index], expected }),
            None => Ok(()),
        };
        refuse("scores", self.scores(), &|p| (0.0..=1.0).contains(&p), "a probability")?;
        refuse("thresholds", thresholds, &|t| (0.0..1.0).contains(&t), "at least 0 and below 1")?;
        let all = self.counts(self.positives() as u64, self.negatives() as u64);
        let point = |&threshold: &f64| {
            let (true_positives, false_positives) = self.at_least(threshold);
            let counts = self.counts(true_positives, false_positives);
            let odds = threshold / (1.0 - threshold);
            DecisionPoint { threshold, net_benefit: counts.benefit(odds), treat_all: all.benefit(odds) }
        };
        Ok(thresholds.iter().map(point).collect())
    }
}
