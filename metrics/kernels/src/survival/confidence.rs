//! Confidence levels.

use crate::InputError;
use crate::inference::normal_upper_quantile;

/// A two-sided confidence level strictly between 0 and 1.
///
/// ```
/// use fiel_kernels::survival::Confidence;
/// assert!((Confidence::new(0.95)?.z() - 1.959963984540054).abs() < 1e-14);
/// assert!(Confidence::new(1.0).is_err());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence {
    z: f64,
}

impl Confidence {
    /// Checks a level such as 0.95.
    ///
    /// # Errors
    /// A level that is not strictly between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::survival::Confidence;
    /// assert!(Confidence::new(0.9).is_ok());
    /// ```
    pub fn new(level: f64) -> Result<Self, InputError> {
        if !(level > 0.0 && level < 1.0) {
            return Err(InputError::Setting {
                what: "confidence level",
                value: level,
                expected: "strictly between 0 and 1",
            });
        }
        Ok(Self { z: normal_upper_quantile((1.0 - level) / 2.0) })
    }

    /// The normal quantile that bounds the level on either side, 1.96 for 95 %.
    ///
    /// ```
    /// use fiel_kernels::survival::Confidence;
    /// assert!((Confidence::new(0.99)?.z() - 2.5758293035489004).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn z(self) -> f64 {
        self.z
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_give_their_quantile() {
        for (level, z) in [(0.5, 0.674_489_750_196_081_7), (0.99, 2.575_829_303_548_900_4)] {
            assert!((Confidence::new(level).unwrap().z() - z).abs() < 1e-14);
        }
        for level in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(Confidence::new(level).is_err());
        }
    }
}
