//! Costs of wrong decisions.

use super::ConfusionMatrix;
use crate::{InputError, Undefined};

/// What each decision costs, and how common the classes are where the model will be used.
///
/// ```
/// use fiel_kernels::classification::{ConfusionMatrix, Costs};
/// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
/// // Missing class 1 costs ten times as much as a false alarm, and one case in five is of class 1.
/// let costs = Costs::new(vec![0.0, 1.0, 10.0, 0.0], vec![0.8, 0.2])?;
/// assert_eq!(costs.normalised_expected(&matrix)?, Ok(0.5));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    costs: Vec<f64>,
    priors: Vec<f64>,
}

impl Costs {
    /// Costs, class of the reference by class decided (row by row), and the classes' prior probabilities.
    ///
    /// Priors need not sum to 1.
    ///
    /// # Errors
    /// [`InputError::Empty`] without priors, [`InputError::Length`] unless there are as many costs as pairs of
    /// classes, [`InputError::Value`] for a cost or prior that is negative or not finite.
    ///
    /// ```
    /// use fiel_kernels::classification::Costs;
    /// assert!(Costs::new(vec![0.0, 1.0, 1.0, 0.0], vec![0.5, 0.5]).is_ok());
    /// assert!(Costs::new(vec![0.0, 1.0, -1.0, 0.0], vec![0.5, 0.5]).is_err());
    /// ```
    pub fn new(costs: Vec<f64>, priors: Vec<f64>) -> Result<Self, InputError> {
        if priors.is_empty() {
            return Err(InputError::Empty("priors"));
        }
        if costs.len() != priors.len() * priors.len() {
            return Err(InputError::Length {
                left: "costs",
                left_len: costs.len(),
                right: "pairs of classes",
                right_len: priors.len() * priors.len(),
            });
        }
        for (what, values) in [("costs", &costs), ("priors", &priors)] {
            if let Some(index) = values.iter().position(|v| !(*v >= 0.0 && v.is_finite())) {
                let value = values[index];
                return Err(InputError::Value { what, index, value, expected: "a finite number from 0 up" });
            }
        }
        Ok(Self { costs, priors })
    }

    /// Every wrong decision costs 1 and every class is equally common.
    ///
    /// # Errors
    /// [`InputError::Empty`] without classes.
    ///
    /// ```
    /// use fiel_kernels::classification::{ConfusionMatrix, Costs};
    /// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
    /// assert_eq!(Costs::uniform(2)?.expected(&matrix)?, Ok(0.25));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn uniform(classes: usize) -> Result<Self, InputError> {
        let costs =
            (0..classes).flat_map(|r| (0..classes).map(move |c| f64::from(u8::from(r != c)))).collect();
        Self::new(costs, vec![1.0 / classes.max(1) as f64; classes])
    }

    /// The expected cost of a decision (0 upwards, lower is better).
    ///
    /// The inner result is [`Undefined::ReferenceEmpty`] if a class with a prior above 0 does not occur.
    ///
    /// # Errors
    /// [`InputError::Length`] for a matrix with another number of classes.
    ///
    /// ```
    /// use fiel_kernels::classification::{ConfusionMatrix, Costs};
    /// let matrix = ConfusionMatrix::from_labels(&[0, 1], &[0, 1], 2)?;
    /// assert_eq!(Costs::uniform(2)?.expected(&matrix)?, Ok(0.0));
    /// assert!(Costs::uniform(3)?.expected(&matrix).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn expected(&self, matrix: &ConfusionMatrix) -> Result<Result<f64, Undefined>, InputError> {
        let classes = self.priors.len();
        if matrix.classes() != classes {
            let (left_len, right_len) = (classes, matrix.classes());
            return Err(InputError::Length {
                left: "priors",
                left_len,
                right: "the matrix's classes",
                right_len,
            });
        }
        let mut sum = 0.0;
        for (reference, &prior) in self.priors.iter().enumerate().filter(|(_, prior)| **prior > 0.0) {
            let row = matrix.row(reference);
            let cases: u64 = row.iter().sum();
            if cases == 0 {
                return Ok(Err(Undefined::ReferenceEmpty));
            }
            let costs = &self.costs[reference * classes..][..classes];
            let cost: f64 = row.iter().zip(costs).map(|(&n, cost)| n as f64 * cost).sum();
            sum += prior * cost / cases as f64;
        }
        Ok(Ok(sum))
    }

    /// The expected cost over that of the best decision made without looking at the case (0 upwards, 1: no better
    /// than not looking, lower is better).
    ///
    /// Source: L. Ferrer, arXiv 2209.05355 (2022), <https://doi.org/10.48550/arXiv.2209.05355>. The inner result is
    /// [`Undefined::ReferenceEmpty`] if a class with a prior above 0 does not occur, and
    /// [`Undefined::ZeroDenominator`] if one decision costs nothing whatever the class.
    ///
    /// # Errors
    /// [`InputError::Length`] for a matrix with another number of classes.
    ///
    /// ```
    /// use fiel_kernels::classification::{ConfusionMatrix, Costs};
    /// let matrix = ConfusionMatrix::from_labels(&[0, 0, 1, 1], &[0, 1, 1, 1], 2)?;
    /// assert_eq!(Costs::uniform(2)?.normalised_expected(&matrix)?, Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn normalised_expected(
        &self,
        matrix: &ConfusionMatrix,
    ) -> Result<Result<f64, Undefined>, InputError> {
        let classes = self.priors.len();
        let always = |decision: usize| -> f64 {
            self.priors.iter().enumerate().map(|(r, prior)| prior * self.costs[r * classes + decision]).sum()
        };
        let naive = (0..classes).map(always).fold(f64::INFINITY, f64::min);
        let ratio = |expected: f64| super::confusion::ratio(expected, naive, Undefined::ZeroDenominator);
        Ok(self.expected(matrix)?.and_then(ratio))
    }
}
