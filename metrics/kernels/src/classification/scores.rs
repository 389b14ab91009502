//! Scores of cases with a binary label, checked and sorted once.

use super::sort::{self, Sorted};
use crate::{InputError, Undefined};
use std::borrow::Cow;

/// The largest number of cases: sums of squared ranks then fit 128 bits with room to spare.
const CASES_MAX: usize = (1 << 31) - 1;

/// One score per case and whether the case is positive; a higher score means "more positive".
///
/// Any finite score will do, a probability is not needed (but see [`Scores::decision_curve`]); -0.0 equals 0.0.
/// The cases are sorted on construction, in time that grows with their number and with memory of eight bytes a case
/// besides the input.
///
/// ```
/// use fiel_kernels::{InputError, classification::Scores};
/// let scores = Scores::new(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?;
/// assert_eq!((scores.positives(), scores.negatives()), (2, 2));
/// assert!(matches!(
///     Scores::new(&[f64::NAN], &[true]),
///     Err(InputError::Value { what: "scores", index: 0, .. })
/// ));
/// # Ok::<(), InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scores<'a> {
    values: &'a [f64],
    labels: Cow<'a, [bool]>,
    positives: usize,
    sorted: Sorted,
}

/// Cases that share one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    /// The score.
    pub(super) score: f64,
    /// Number of positive cases.
    pub(super) positives: u64,
    /// Number of negative cases.
    pub(super) negatives: u64,
}

impl<'a> Scores<'a> {
    /// Checks and sorts scores with labels (`true`: the case is positive).
    ///
    /// # Errors
    /// [`InputError::Empty`], [`InputError::Length`] for lists of different lengths, [`InputError::Value`] for a
    /// score that is NaN or infinite (the first such is named), [`InputError::TooLarge`] from 2^31 cases on.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// assert!(Scores::new(&[0.5, 0.7], &[true, false]).is_ok());
    /// assert!(Scores::new(&[0.5, 0.7], &[true]).is_err());
    /// ```
    pub fn new(scores: &'a [f64], labels: &'a [bool]) -> Result<Self, InputError> {
        Self::checked(scores, Cow::Borrowed(labels))
    }

    /// The same with labels 0 (negative) and 1 (positive).
    ///
    /// # Errors
    /// Those of [`Scores::new`], and [`InputError::Value`] for a label other than 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// assert_eq!(Scores::from_bytes(&[0.5, 0.7], &[0, 1])?.auc(), Ok(1.0));
    /// assert!(Scores::from_bytes(&[0.5, 0.7], &[0, 2]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_bytes(scores: &'a [f64], labels: &[u8]) -> Result<Self, InputError> {
        if let Some(index) = labels.iter().position(|&label| label > 1) {
            let value = f64::from(labels[index]);
            return Err(InputError::Value { what: "labels", index, value, expected: "0 or 1" });
        }
        Self::checked(scores, Cow::Owned(labels.iter().map(|&label| label == 1).collect()))
    }

    fn checked(scores: &'a [f64], labels: Cow<'a, [bool]>) -> Result<Self, InputError> {
        check_lists(scores.len(), labels.len())?;
        let range = sort::finite_range(scores).map_err(|index| InputError::Value {
            what: "scores",
            index,
            value: scores[index],
            expected: "a finite number",
        })?;
        let positives = sort::count_positives(&labels);
        let sorted = Sorted::new(scores, &labels, range);
        Ok(Self { values: scores, labels, positives, sorted })
    }

    /// Number of positive cases.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// assert_eq!(Scores::new(&[0.5, 0.7, 0.8], &[true, false, true])?.positives(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn positives(&self) -> usize {
        self.positives
    }

    /// Number of negative cases.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// assert_eq!(Scores::new(&[0.5, 0.7, 0.8], &[true, false, true])?.negatives(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn negatives(&self) -> usize {
        self.labels.len() - self.positives
    }

    /// The scores, in the order of the cases.
    pub(super) fn scores(&self) -> &[f64] {
        self.values
    }

    /// The labels, in the order of the cases.
    pub(super) fn labels(&self) -> &[bool] {
        &self.labels
    }

    pub(super) fn sorted(&self) -> &Sorted {
        &self.sorted
    }

    /// Positives and negatives, when there are both.
    pub(super) fn both_classes(&self) -> Result<(u64, u64), Undefined> {
        let (positives, negatives) = (self.positives as u64, self.negatives() as u64);
        if positives == 0 || negatives == 0 { Err(Undefined::OneClass) } else { Ok((positives, negatives)) }
    }

    /// Cases of equal score together, from the highest score to the lowest.
    pub(super) fn groups_descending(&self) -> impl Iterator<Item = Group> {
        self.sorted.groups_descending()
    }

    /// How many positives and negatives have at least this score.
    pub(super) fn at_least(&self, threshold: f64) -> (u64, u64) {
        self.sorted.at_least(threshold)
    }
}

/// Refuses empty lists, lists of different lengths and lists that are too long.
pub(super) fn check_lists(scores: usize, labels: usize) -> Result<(), InputError> {
    if scores != labels {
        return Err(InputError::Length {
            left: "scores",
            left_len: scores,
            right: "labels",
            right_len: labels,
        });
    }
    if scores == 0 {
        return Err(InputError::Empty("scores"));
    }
    if scores > CASES_MAX {
        return Err(InputError::TooLarge { what: "scores", found: scores as u64, limit: CASES_MAX as u64 });
    }
    Ok(())
}
