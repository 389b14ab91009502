//! Areas under the curve for more than two classes.

use super::{matrix::check_labels, scores::Scores};
use crate::{InputError, Undefined};

/// How values of classes or of pairs of classes are averaged.
///
/// ```
/// use fiel_kernels::classification::{Average, ClassScores};
/// let scores = ClassScores::new(&[0.8, 0.2, 0.3, 0.7], &[0, 1], 2)?;
/// assert_eq!(scores.auc_one_vs_rest(Average::Macro), Ok(1.0));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Average {
    /// All alike.
    Macro,
    /// By prevalence.
    Weighted,
}

/// One score per case and class, and each case's class.
///
/// ```
/// use fiel_kernels::classification::ClassScores;
/// let scores = ClassScores::new(&[0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.2, 0.3, 0.5], &[0, 1, 2], 3)?;
/// assert_eq!(scores.top_k_accuracy(1)?, 1.0);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClassScores<'a> {
    scores: &'a [f64],
    labels: &'a [usize],
    classes: usize,
}

impl<'a> ClassScores<'a> {
    /// Checks scores (case by case, each with one score per class) and labels (from 0 to `classes - 1`).
    ///
    /// # Errors
    /// [`InputError::Empty`], [`InputError::Length`] unless there are `classes` scores per label,
    /// [`InputError::Value`] for a score that is not finite or a label outside the set, [`InputError::TooLarge`]
    /// above 4,096 classes.
    ///
    /// ```
    /// use fiel_kernels::classification::ClassScores;
    /// assert!(ClassScores::new(&[0.8, 0.2, 0.3, 0.7], &[0, 1], 2).is_ok());
    /// assert!(ClassScores::new(&[0.8, 0.2, 0.3], &[0, 1], 2).is_err());
    /// ```
    pub fn new(scores: &'a [f64], labels: &'a [usize], classes: usize) -> Result<Self, InputError> {
        check_labels("labels", labels, classes)?;
        let right_len = labels.len().saturating_mul(classes);
        if scores.len() != right_len {
            let left_len = scores.len();
            return Err(InputError::Length {
                left: "scores",
                left_len,
                right: "labels times classes",
                right_len,
            });
        }
        if scores.is_empty() {
            return Err(InputError::Empty("scores"));
        }
        if let Some(index) = scores.iter().position(|s| !s.is_finite()) {
            let value = scores[index];
            return Err(InputError::Value { what: "scores", index, value, expected: "a finite number" });
        }
        Ok(Self { scores, labels, classes })
    }

    /// The scores of one class.
    fn column(&self, class: usize) -> impl Iterator<Item = f64> {
        self.scores.iter().skip(class).step_by(self.classes).copied()
    }

    fn support(&self) -> Vec<usize> {
        let mut support = vec![0; self.classes];
        for &label in self.labels {
            support[label] += 1;
        }
        support
    }

    /// The area under the ROC curve of each class against the rest, averaged (0 to 1, higher is better).
    ///
    /// The weighted average leaves out classes that do not occur.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if a class that is to be averaged has no case, or all.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::{Average, ClassScores}};
    /// let scores = ClassScores::new(&[0.8, 0.1, 0.1, 0.3, 0.5, 0.2], &[0, 1], 3)?;
    /// assert_eq!(scores.auc_one_vs_rest(Average::Weighted), Ok(1.0));
    /// assert_eq!(scores.auc_one_vs_rest(Average::Macro), Err(Undefined::OneClass));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn auc_one_vs_rest(&self, average: Average) -> Result<f64, Undefined> {
        let mut mean = Mean::default();
        for (class, &support) in self.support().iter().enumerate() {
            let weight = match average {
                Average::Macro => 1.0,
                Average::Weighted => support as f64,
            };
            if weight > 0.0 {
                let scores: Vec<f64> = self.column(class).collect();
                let labels: Vec<bool> = self.labels.iter().map(|&label| label == class).collect();
                mean.add(auc(&scores, &labels)?, weight);
            }
        }
        mean.value()
    }

    /// The area under the ROC curve of each pair of classes that occur, averaged (0 to 1, higher is better).
    ///
    /// Of a pair, only its cases count; the area by the first class's scores and that by the second's are averaged.
    /// Source: D. J. Hand, R. J. Till, Machine Learning 45 (2001), <https://doi.org/10.1023/A:1010920819831>. The
    /// weighted average weighs pairs by their number of cases.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if a single class occurs.
    ///
    /// ```
    /// use fiel_kernels::classification::{Average, ClassScores};
    /// let scores = ClassScores::new(&[0.8, 0.1, 0.1, 0.3, 0.5, 0.2], &[0, 1], 3)?;
    /// assert_eq!(scores.auc_one_vs_one(Average::Macro), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn auc_one_vs_one(&self, average: Average) -> Result<f64, Undefined> {
        let support = self.support();
        let occurring: Vec<usize> = (0..self.classes).filter(|&class| support[class] > 0).collect();
        let mut mean = Mean::default();
        for (i, &first) in occurring.iter().enumerate() {
            for &second in &occurring[i + 1..] {
                let weight = match average {
                    Average::Macro => 1.0,
                    Average::Weighted => (support[first] + support[second]) as f64,
                };
                let both = self.pair_auc(first, second)? + self.pair_auc(second, first)?;
                mean.add(both / 2.0, weight);
            }
        }
        mean.value()
    }

    /// The area by the first class's scores, among cases of two classes.
    fn pair_auc(&self, first: usize, second: usize) -> Result<f64, Undefined> {
        let of_pair = self.column(first).zip(self.labels).filter(|(_, l)| **l == first || **l == second);
        let (scores, labels): (Vec<f64>, Vec<bool>) = of_pair.map(|(s, &label)| (s, label == first)).unzip();
        auc(&scores, &labels)
    }

    /// Share of the cases whose class is among the `k` with the highest scores (0 to 1, higher is better).
    ///
    /// Of classes with equal scores the later comes first, as in scikit-learn.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a `k` of 0.
    ///
    /// ```
    /// use fiel_kernels::classification::ClassScores;
    /// let scores = ClassScores::new(&[0.5, 0.3, 0.2, 0.5, 0.3, 0.2], &[0, 1], 3)?;
    /// assert_eq!((scores.top_k_accuracy(1)?, scores.top_k_accuracy(2)?), (0.5, 1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn top_k_accuracy(&self, k: usize) -> Result<f64, InputError> {
        if k == 0 {
            return Err(InputError::Setting { what: "k", value: 0.0, expected: "at least 1" });
        }
        let hit = |&(row, &label): &(&[f64], &usize)| {
            let own = row[label];
            #[allow(clippy::float_cmp, reason = "a tie is exact")]
            let ahead = |(class, &score): (usize, &f64)| score > own || (score == own && class > label);
            row.iter().enumerate().filter(|&(class, score)| ahead((class, score))).count() < k
        };
        let hits = self.scores.chunks_exact(self.classes).zip(self.labels).filter(hit).count();
        Ok(hits as f64 / self.labels.len() as f64)
    }
}

/// A weighted mean that grows.
#[derive(Default)]
struct Mean {
    sum: f64,
    weights: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weights += weight;
    }

    fn value(&self) -> Result<f64, Undefined> {
        super::confusion::ratio(self.sum, self.weights, Undefined::OneClass)
    }
}

/// The area of scores that were checked before.
fn auc(scores: &[f64], labels: &[bool]) -> Result<f64, Undefined> {
    Scores::new(scores, labels).map_err(|_| Undefined::TooFew)?.auc()
}
