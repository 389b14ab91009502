//! Confusion matrices of any number of classes.

use super::confusion::{Confusion, ratio};
use crate::{InputError, Undefined};

/// The most classes: the matrix has the square of that many cells.
const CLASSES_MAX: usize = 1 << 12;

/// How much a disagreement weighs in Cohen's kappa.
///
/// ```
/// use fiel_kernels::classification::{ConfusionMatrix, KappaWeights};
/// let matrix = ConfusionMatrix::from_labels(&[0, 1, 2], &[0, 1, 1], 3)?;
/// assert!(matrix.kappa(KappaWeights::Quadratic).unwrap() > matrix.kappa(KappaWeights::Plain).unwrap());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KappaWeights {
    /// Every disagreement weighs the same.
    Plain,
    /// By the distance of the classes.
    Linear,
    /// By the square of the distance of the classes.
    Quadratic,
}

impl KappaWeights {
    fn weight(self, a: usize, b: usize) -> f64 {
        let distance = a.abs_diff(b) as f64;
        match self {
            Self::Plain => f64::from(u8::from(a != b)),
            Self::Linear => distance,
            Self::Quadratic => distance * distance,
        }
    }
}

/// Counts of decisions: class of the reference (row) by class decided (column).
///
/// ```
/// use fiel_kernels::classification::ConfusionMatrix;
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 2], &[0, 1, 1, 2], 3)?;
/// assert_eq!(matrix.row(0), [1, 1, 0]);
/// assert_eq!(matrix.accuracy(), Ok(0.75));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

/// Refuses lists that are empty or differ in length.
pub(super) fn check_lengths(reference: usize, predicted: usize) -> Result<(), InputError> {
    if reference != predicted {
        return Err(InputError::Length {
            left: "reference labels",
            left_len: reference,
            right: "predicted labels",
            right_len: predicted,
        });
    }
    if reference == 0 { Err(InputError::Empty("reference labels")) } else { Ok(()) }
}

/// Refuses labels outside `0..classes` and settings without classes or with too many.
pub(super) fn check_labels(what: &'static str, labels: &[usize], classes: usize) -> Result<(), InputError> {
    if classes == 0 {
        return Err(InputError::Empty("classes"));
    }
    if classes > CLASSES_MAX {
        return Err(InputError::TooLarge {
            what: "classes",
            found: classes as u64,
            limit: CLASSES_MAX as u64,
        });
    }
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(index) => Err(InputError::Value {
            what,
            index,
            value: labels[index] as f64,
            expected: "below the number of classes",
        }),
    }
}

impl ConfusionMatrix {
    /// Counts decisions; labels are numbers from 0 to `classes - 1`.
    ///
    /// # Errors
    /// [`InputError::Length`], [`InputError::Empty`] without cases or classes, [`InputError::Value`] for a label
    /// outside the set, [`InputError::TooLarge`] above 4,096 classes.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert!(ConfusionMatrix::from_labels(&[0, 1], &[1, 1], 2).is_ok());
    /// assert!(ConfusionMatrix::from_labels(&[0, 2], &[1, 1], 2).is_err());
    /// ```
    pub fn from_labels(reference: &[usize], predicted: &[usize], classes: usize) -> Result<Self, InputError> {
        check_lengths(reference.len(), predicted.len())?;
        check_labels("reference labels", reference, classes)?;
        check_labels("predicted labels", predicted, classes)?;
        let mut counts = vec![0; classes * classes];
        for (&r, &p) in reference.iter().zip(predicted) {
            counts[r * classes + p] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// A matrix of known counts, row by row.
    ///
    /// # Errors
    /// [`InputError::Empty`] without classes, [`InputError::TooLarge`] above 4,096 classes, [`InputError::Length`]
    /// unless there are as many counts as pairs of classes.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::from_counts(2, vec![3, 1, 0, 4])?.accuracy(), Ok(0.875));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_counts(classes: usize, counts: Vec<u64>) -> Result<Self, InputError> {
        check_labels("labels", &[], classes)?;
        if counts.len() == classes * classes {
            return Ok(Self { classes, counts });
        }
        let (left_len, right_len) = (counts.len(), classes * classes);
        Err(InputError::Length { left: "counts", left_len, right: "pairs of classes", right_len })
    }

    /// Number of classes.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::from_labels(&[0], &[0], 3)?.classes(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Counts of the decisions on cases of one class; empty for a class that does not exist.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::from_labels(&[1, 1], &[0, 1], 2)?.row(1), [1, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn row(&self, reference: usize) -> &[u64] {
        self.counts.chunks_exact(self.classes).nth(reference).unwrap_or(&[])
    }

    /// Counts of one class against the rest; all 0 for a class that does not exist.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 2], &[0, 1, 1, 2], 3)?;
    /// assert_eq!(matrix.one_vs_rest(1).false_positives, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn one_vs_rest(&self, class: usize) -> Confusion {
        if class >= self.classes {
            return Confusion::default();
        }
        let (of_class, called) = (self.support(class), self.called(class));
        let true_positives = self.counts[class * self.classes + class];
        Confusion {
            true_positives,
            false_positives: called - true_positives,
            false_negatives: of_class - true_positives,
            true_negatives: self.total() + true_positives - of_class - called,
        }
    }

    fn support(&self, class: usize) -> u64 {
        self.row(class).iter().sum()
    }

    fn called(&self, class: usize) -> u64 {
        self.counts.iter().skip(class).step_by(self.classes).sum()
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn correct(&self) -> u64 {
        self.counts.iter().step_by(self.classes + 1).sum()
    }

    /// Share of the cases decided rightly (0 to 1, higher is better); also micro-averaged F1, precision and recall.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::from_labels(&[0, 1, 2, 2], &[0, 1, 2, 0], 3)?.accuracy(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn accuracy(&self) -> Result<f64, Undefined> {
        ratio(self.correct() as f64, self.total() as f64, Undefined::TooFew)
    }

    /// Balanced accuracy: mean sensitivity of the classes that occur in the reference (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1], &[0, 1, 1], 3)?;
    /// assert_eq!(matrix.balanced_accuracy(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn balanced_accuracy(&self) -> Result<f64, Undefined> {
        let occurring = (0..self.classes).filter_map(|class| self.one_vs_rest(class).sensitivity().ok());
        let (sum, count) = occurring.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
        ratio(sum, count, Undefined::TooFew)
    }

    /// F1 averaged over the classes that occur in the reference or among the decisions (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1], &[0, 1, 1], 3)?;
    /// assert!((matrix.macro_f1().unwrap() - 2.0 / 3.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn macro_f1(&self) -> Result<f64, Undefined> {
        self.mean_f1(|_| 1.0)
    }

    /// F1 averaged over classes, each weighing by its cases in the reference (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1], &[0, 0, 0], 2)?;
    /// assert!((matrix.weighted_f1().unwrap() - 8.0 / 15.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn weighted_f1(&self) -> Result<f64, Undefined> {
        self.mean_f1(|class| self.support(class) as f64)
    }

    /// F1 of all decisions together: true positives, false positives and false negatives are summed over classes
    /// first (0 to 1, higher is better). With one label per case it equals accuracy.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::from_labels(&[0, 1, 2, 2], &[0, 1, 2, 0], 3)?.micro_f1(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn micro_f1(&self) -> Result<f64, Undefined> {
        self.accuracy()
    }

    fn mean_f1(&self, weight: impl Fn(usize) -> f64) -> Result<f64, Undefined> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for class in 0..self.classes {
            if let Ok(f1) = self.one_vs_rest(class).f1() {
                sum += weight(class) * f1;
                weights += weight(class);
            }
        }
        ratio(sum, weights, Undefined::TooFew)
    }

    /// Matthews correlation coefficient for any number of classes (at most 1, higher is better).
    ///
    /// Source: J. Gorodkin, Computational Biology and Chemistry 28 (2004),
    /// <https://doi.org/10.1016/j.compbiolchem.2004.09.006>.
    ///
    /// # Errors
    /// [`Undefined::Constant`] if all cases are of one class or are decided alike (scikit-learn says 0).
    ///
    /// ```
    /// use fiel_kernels::classification::ConfusionMatrix;
    /// assert_eq!(ConfusionMatrix::from_counts(2, vec![3, 1, 1, 3])?.mcc(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mcc(&self) -> Result<f64, Undefined> {
        let wide = |n: u64| i128::from(n);
        let (total, correct) = (wide(self.total()), wide(self.correct()));
        let (mut agreement, mut reference, mut decided) = (correct * total, total * total, total * total);
        for class in 0..self.classes {
            let (of_class, called) = (wide(self.support(class)), wide(self.called(class)));
            agreement -= of_class * called;
            reference -= of_class * of_class;
            decided -= called * called;
        }
        ratio(agreement as f64, (reference as f64 * decided as f64).sqrt(), Undefined::Constant)
    }

    /// Cohen's kappa: agreement beyond chance, disagreements weighing as told (at most 1, higher is better).
    ///
    /// Distances are those of the class numbers, also across classes that do not occur.
    ///
    /// Source: J. Cohen, Psychological Bulletin 70 (1968), <https://doi.org/10.1037/h0026256>.
    ///
    /// # Errors
    /// [`Undefined::Constant`] if reference and decisions are all of one and the same class.
    ///
    /// ```
    /// use fiel_kernels::classification::{ConfusionMatrix, KappaWeights};
    /// let matrix = ConfusionMatrix::from_counts(2, vec![3, 1, 1, 3])?;
    /// assert_eq!(matrix.kappa(KappaWeights::Plain), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn kappa(&self, weights: KappaWeights) -> Result<f64, Undefined> {
        let called: Vec<f64> = (0..self.classes).map(|class| self.called(class) as f64).collect();
        let (mut observed, mut expected) = (0.0, 0.0);
        for reference in 0..self.classes {
            let support = self.support(reference) as f64;
            for (decided, &count) in self.row(reference).iter().enumerate() {
                let weight = weights.weight(reference, decided);
                observed += weight * count as f64;
                expected += weight * support * called[decided];
            }
        }
        ratio(observed * self.total() as f64, expected, Undefined::Constant).map(|share| 1.0 - share)
    }
}
