//! Tails and quantiles of the normal, Student's t, chi-squared and binomial distributions.
//!
//! Tails agree with arbitrary-precision values to 1e-12 relative, far tails included (Student's t with up to 10,000
//! degrees of freedom; 1e-11 with 100,000); quantiles are found on them.

use super::special::{beta_quantile, incomplete_beta, incomplete_gamma};
use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};

/// Probability that a standard normal value is at least `z`.
///
/// ```
/// use fiel_kernels::inference::normal_upper;
/// assert!((normal_upper(1.959963984540054) - 0.025).abs() < 1e-15);
/// ```
pub fn normal_upper(z: f64) -> f64 {
    let x = z.abs() * FRAC_1_SQRT_2;
    let upper = 0.5 * erfc(x);
    if z >= 0.0 { upper } else { 1.0 - upper }
}

/// Probability that a standard normal value is at most `z`.
///
/// ```
/// use fiel_kernels::inference::normal_lower;
/// assert_eq!(normal_lower(0.0), 0.5);
/// ```
pub fn normal_lower(z: f64) -> f64 {
    normal_upper(-z)
}

/// Complementary error function for `x` >= 0.
fn erfc(x: f64) -> f64 {
    if x > 27.3 {
        return 0.0;
    }
    // exp(-x^2) with the rounding error of the square put back.
    let square = x * x;
    let gauss = (-square).exp() * (1.0 - x.mul_add(x, -square));
    if x < 1.7 {
        // Kummer's series: all terms positive.
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * square / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return 1.0 - 2.0 / PI.sqrt() * gauss * sum;
    }
    // Continued fraction 1 / (x + (1/2) / (x + 1 / (x + (3/2) / ...))), from its tail.
    let terms = if x < 3.0 { 160 } else { 60 };
    let tail = (1..=terms).rev().fold(x, |below, k| x + 0.5 * f64::from(k) / below);
    gauss / (tail * PI.sqrt())
}

/// The value that a standard normal value exceeds with probability `upper`; infinite at 0 and 1.
///
/// Returns NaN-free values for probabilities only: anything outside 0 to 1 is taken to the nearer end.
///
/// ```
/// use fiel_kernels::inference::normal_upper_quantile;
/// assert!((normal_upper_quantile(0.025) - 1.959963984540054).abs() < 1e-14);
/// ```
pub fn normal_upper_quantile(upper: f64) -> f64 {
    if upper > 0.5 {
        return -quantile_of_tail(1.0 - upper);
    }
    quantile_of_tail(upper)
}

fn quantile_of_tail(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::INFINITY;
    }
    // Start: Abramowitz & Stegun 26.2.23, good to 4.5e-4; then Halley's steps.
    let t = (-2.0 * p.ln()).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let bottom = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = t - top / bottom;
    for _ in 0..4 {
        let density = (-0.5 * z * z).exp() / TAU.sqrt();
        if density == 0.0 {
            break;
        }
        let error = (normal_upper(z) - p) / density;
        z += error / (1.0 - 0.5 * z * error);
    }
    z
}

/// Probability that a value of Student's t distribution with `df` > 0 degrees of freedom is at least `t`.
///
/// ```
/// use fiel_kernels::inference::student_upper;
/// assert!((student_upper(1.0, 1.0) - 0.25).abs() < 1e-15);
/// ```
pub fn student_upper(t: f64, df: f64) -> f64 {
    if df == f64::INFINITY {
        return normal_upper(t);
    }
    let t2 = t * t;
    if t2 == f64::INFINITY {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let (x, y) = (df / (df + t2), t2 / (df + t2));
    let tail = 0.5 * incomplete_beta(0.5 * df, 0.5, x, y).0;
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// The value that Student's t exceeds with probability `upper`.
///
/// ```
/// use fiel_kernels::inference::student_upper_quantile;
/// assert!((student_upper_quantile(0.025, 10.0) - 2.2281388519862753).abs() < 1e-12);
/// ```
pub fn student_upper_quantile(upper: f64, df: f64) -> f64 {
    if upper > 0.5 {
        return -student_upper_quantile(1.0 - upper, df);
    }
    if upper <= 0.0 {
        return f64::INFINITY;
    }
    let mut high = 1.0;
    while student_upper(high, df) > upper && high < 1e300 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if student_upper(middle, df) > upper { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Probability that a standard normal value lies at least as far from 0 as `z`.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    2.0 * normal_upper(z.abs())
}

/// The value that the F distribution exceeds with probability `upper` (above 0 and below 1).
pub(crate) fn f_upper_quantile(upper: f64, d1: f64, d2: f64) -> f64 {
    // In the variable d2 / (d2 + d1 F) the upper tail is the lower one, so that no digits cancel.
    let x = beta_quantile(upper, 0.5 * d2, 0.5 * d1);
    d2 * (1.0 - x) / (d1 * x)
}

/// The value below which the share `p` (above 0 and below 1) of the beta distribution of shapes `a`, `b` lies.
pub(crate) fn beta_lower_quantile(p: f64, a: f64, b: f64) -> f64 {
    beta_quantile(p, a, b)
}

/// Probability that a chi-squared value with `df` > 0 degrees of freedom is at least `x`.
///
/// ```
/// use fiel_kernels::inference::chi_squared_upper;
/// assert!((chi_squared_upper(2.0, 2.0) - (-1.0f64).exp()).abs() < 1e-15);
/// ```
pub fn chi_squared_upper(x: f64, df: f64) -> f64 {
    incomplete_gamma(0.5 * df, 0.5 * x).1
}

/// Probability of at most `k` heads in `n` tosses of a fair coin.
///
/// ```
/// use fiel_kernels::inference::fair_binomial_lower;
/// assert!((fair_binomial_lower(1, 4) - 5.0 / 16.0).abs() < 1e-15);
/// ```
pub fn fair_binomial_lower(k: u64, n: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    incomplete_beta((n - k) as f64, k as f64 + 1.0, 0.5, 0.5).0
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::super::special::ln_gamma;
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-13 * expected.abs(), "{found:e} instead of {expected:e}");
    }

    #[test]
    fn tails_and_quantiles_have_their_tabulated_values() {
        // Values from SciPy 1.17.1: norm.isf, norm.sf, chi2.sf, f.isf, t.isf, gammaln.
        check(normal_upper_quantile(0.025), 1.959_963_984_540_054);
        check(normal_upper_quantile(0.975), -1.959_963_984_540_054);
        check(normal_upper_quantile(0.005), 2.575_829_303_548_900_4);
        check(normal_upper_quantile(0.25), 0.674_489_750_196_081_7);
        check(normal_upper_quantile(1e-10), 6.361_340_902_404_056);
        check(normal_two_sided(1.959_963_984_540_054), 0.05);
        check(normal_two_sided(-1.0), 0.317_310_507_862_914_1);
        check(normal_two_sided(5.0), 5.733_031_437_583_869e-7);
        assert_eq!(normal_two_sided(0.0), 1.0);
        check(normal_upper(-1.0), 0.841_344_746_068_542_9);
        check(normal_upper(1.0), 0.158_655_253_931_457_07);
        check(chi_squared_upper(15.507_313_055_865_453, 8.0), 0.05);
        check(chi_squared_upper(7.814_727_903_251_179, 3.0), 0.05);
        check(chi_squared_upper(36.575_960_536_873_175, 1.0), 1.468_313_735_909_964_3e-9);
        check(chi_squared_upper(0.111_111_111_111_111_09, 1.0), 0.738_882_680_363_527_3);
        assert_eq!(chi_squared_upper(0.0, 1.0), 1.0);
        check(ln_gamma(0.5), PI.sqrt().ln());
        check(ln_gamma(0.25), 1.288_022_524_698_077_5);
        check(ln_gamma(5.0), 24.0_f64.ln());
        check(student_upper_quantile(0.025, 1.0), 12.706_204_736_174_7);
        check(student_upper_quantile(0.025, 9.0), 2.262_157_162_798_205);
        check(f_upper_quantile(0.05, 1.0, 1.0), 161.447_638_797_588_1);
        check(f_upper_quantile(0.5, 3.0, 3.0), 1.0);
        check(f_upper_quantile(0.025, 5.0, 18.0), 3.381_967_805_875_243);
    }

    #[test]
    fn chi_squared_tails_of_even_degrees_have_a_closed_form() {
        for value in [0.01, 0.5, 1.0, 3.0, 3.999, 4.0, 6.0, 10.0, 80.0_f64] {
            let x = value / 2.0;
            check(chi_squared_upper(value, 2.0), (-x).exp());
            check(chi_squared_upper(value, 4.0), (-x).exp() * (1.0 + x));
            check(chi_squared_upper(value, 6.0), (-x).exp() * (1.0 + x + x * x / 2.0));
        }
    }

    #[test]
    fn beta_quantiles_agree_with_closed_forms_and_are_symmetric() {
        // I_x(a, 1) = x^a, I_x(1, b) = 1 - (1 - x)^b, and the arcsine law for a = b = 1/2.
        for p in [0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999_f64] {
            for shape in [0.5, 1.0, 3.0, 40.0, 1000.0_f64] {
                check(beta_lower_quantile(p, shape, 1.0), p.powf(1.0 / shape));
                check(beta_lower_quantile(p, 1.0, shape), -((-p).ln_1p() / shape).exp_m1());
            }
            check(beta_lower_quantile(p, 0.5, 0.5), (PI * p / 2.0).sin().powi(2));
        }
        for (a, b) in [(1e6, 2e6), (1e4, 3.0), (250.5, 1e5)] {
            for p in [0.025, 0.4, 0.975] {
                let x = beta_lower_quantile(p, a, b);
                assert!((x - (1.0 - beta_lower_quantile(1.0 - p, b, a))).abs() < 1e-13 * x.max(1.0));
                assert!((incomplete_beta(a, b, x, 1.0 - x).0 - p).abs() < 1e-11);
            }
        }
    }
}
