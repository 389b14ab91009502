//! Tails of the chi-squared and the normal distribution, and confidence levels.

use crate::InputError;

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
        // Halving finds the last place in some sixty steps, and this is done once per analysis.
        let beyond = (1.0 - level) / 2.0;
        let (mut low, mut high) = (0.0, 40.0);
        loop {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                return Ok(Self { z: middle });
            }
            let tail = 0.5 * chi_squared_tail(middle * middle, 1);
            if tail > beyond { low = middle } else { high = middle }
        }
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

/// Probability that a chi-squared variable of some degrees of freedom (at least one) exceeds a value (at least zero).
pub(super) fn chi_squared_tail(value: f64, degrees: usize) -> f64 {
    let (a, x) = (degrees as f64 / 2.0, value / 2.0);
    if x <= 0.0 {
        return 1.0;
    }
    // x^a exp(-x) / Gamma(a), the factor common to both expansions of the incomplete gamma function.
    let factor = (a * x.ln() - x - ln_gamma_of_half(degrees)).exp();
    if x < a + 1.0 { 1.0 - factor * lower_series(a, x) } else { factor * upper_fraction(a, x) }
}

/// Sum of x^n / (a (a+1) ... (a+n)).
fn lower_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
    while term > sum * f64::EPSILON / 4.0 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum
}

/// The continued fraction of Gamma(a, x) x^-a exp(x), by Lentz's method; x is larger than a + 1.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let mut partial = x + 1.0 - a;
    let mut above = f64::INFINITY;
    let mut below = 1.0 / partial;
    let mut value = below;
    for n in 1..1000 {
        let n = f64::from(n);
        let numerator = n * (a - n);
        partial += 2.0;
        below = 1.0 / (numerator * below + partial);
        above = partial + numerator / above;
        value *= above * below;
        if (above * below - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// Logarithm of Gamma(k / 2), by its recursion.
fn ln_gamma_of_half(k: usize) -> f64 {
    let mut ln = if k.is_multiple_of(2) { 0.0 } else { std::f64::consts::PI.ln() / 2.0 };
    let mut a = if k.is_multiple_of(2) { 1.0 } else { 0.5 };
    while a < k as f64 / 2.0 - 0.25 {
        ln += f64::ln(a);
        a += 1.0;
    }
    ln
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, degrees: usize, expected: f64) {
        let found = chi_squared_tail(value, degrees);
        assert!((found / expected - 1.0).abs() < 1e-13, "{found:e} instead of {expected:e}");
    }

    #[test]
    fn tails_of_two_and_four_degrees_have_a_closed_form() {
        for value in [0.01, 0.5, 1.0, 3.0, 3.999, 4.0, 6.0, 10.0, 80.0] {
            let x: f64 = value / 2.0;
            check(value, 2, (-x).exp());
            check(value, 4, (-x).exp() * (1.0 + x));
            check(value, 6, (-x).exp() * (1.0 + x + x * x / 2.0));
        }
    }

    #[test]
    fn tails_of_one_and_three_degrees_are_those_of_the_tables() {
        check(1.0, 1, 0.317_310_507_862_914_15);
        check(36.575_960_536_873_175, 1, 1.468_313_735_909_964_3e-9);
        check(0.111_111_111_111_111_09, 1, 0.738_882_680_363_527_3);
        check(7.814_727_903_251_179, 3, 0.05);
        assert!((chi_squared_tail(0.0, 1) - 1.0).abs() < 1e-15);
    }

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
