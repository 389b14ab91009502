//! Corrections of p-values for many tests.

use crate::InputError;

/// Checked p-values; `None` where a test had none, which is then not counted as a test.
///
/// ```
/// use fiel_kernels::inference::{PValues, holm};
/// let p = PValues::new(&[Some(0.01), None, Some(0.04)])?;
/// assert_eq!(holm(&p), [Some(0.02), None, Some(0.04)]);
/// assert!(PValues::new(&[Some(1.5)]).is_err());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PValues(Vec<Option<f64>>);

impl PValues {
    /// Takes p-values.
    ///
    /// # Errors
    /// A value outside 0 to 1, or NaN.
    ///
    /// ```
    /// use fiel_kernels::inference::{PValues, benjamini_hochberg};
    /// let p = PValues::new(&[Some(0.25), None, Some(0.125)])?;
    /// assert_eq!(benjamini_hochberg(&p), [Some(0.25), None, Some(0.25)]);
    /// let refused = PValues::new(&[Some(0.25), Some(1.5)]).unwrap_err().to_string();
    /// assert!(refused.contains("1.5"), "{refused}");
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(values: &[Option<f64>]) -> Result<Self, InputError> {
        for (index, value) in values.iter().enumerate() {
            if let Some(value) = *value
                && !(0.0..=1.0).contains(&value)
            {
                return Err(InputError::Value {
                    what: "the p-values",
                    index,
                    value,
                    expected: "from 0 to 1",
                });
            }
        }
        Ok(Self(values.to_vec()))
    }

    /// Takes p-values that a test of this crate gave.
    pub(crate) fn tested(values: Vec<Option<f64>>) -> Self {
        Self(values)
    }

    /// Positions of the values there are, smallest first, with the values.
    fn ascending(&self) -> Vec<(usize, f64)> {
        let mut known: Vec<(usize, f64)> =
            self.0.iter().enumerate().filter_map(|(i, p)| p.map(|p| (i, p))).collect();
        known.sort_by(|a, b| a.1.total_cmp(&b.1));
        known
    }
}

/// Holm's step-down adjusted p-values (controls the family-wise error; Holm 1979,
/// <https://www.jstor.org/stable/4615733>).
///
/// ```
/// use fiel_kernels::inference::{PValues, holm};
/// let p = PValues::new(&[Some(0.03), Some(0.01), Some(0.02)])?;
/// assert_eq!(holm(&p), [Some(0.04), Some(0.03), Some(0.04)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn holm(p: &PValues) -> Vec<Option<f64>> {
    let ascending = p.ascending();
    let mut adjusted = vec![None; p.0.len()];
    let mut largest = 0.0f64;
    for (step, &(index, value)) in ascending.iter().enumerate() {
        largest = largest.max((ascending.len() - step) as f64 * value).min(1.0);
        adjusted[index] = Some(largest);
    }
    adjusted
}

/// Benjamini and Hochberg's step-up adjusted p-values (controls the false discovery rate; 1995,
/// <https://doi.org/10.1111/j.2517-6161.1995.tb02031.x>).
///
/// ```
/// use fiel_kernels::inference::{PValues, benjamini_hochberg};
/// let p = PValues::new(&[Some(0.5), Some(0.01), Some(0.02), Some(0.25)])?;
/// assert_eq!(benjamini_hochberg(&p), [Some(0.5), Some(0.04), Some(0.04), Some(1.0 / 3.0)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn benjamini_hochberg(p: &PValues) -> Vec<Option<f64>> {
    let ascending = p.ascending();
    let count = ascending.len() as f64;
    let mut adjusted = vec![None; p.0.len()];
    let mut smallest = 1.0f64;
    for (step, &(index, value)) in ascending.iter().enumerate().rev() {
        smallest = smallest.min(value * count / (step + 1) as f64);
        adjusted[index] = Some(smallest);
    }
    adjusted
}
