//! Tails and quantiles of the normal, Student's t, chi-squared and binomial distributions.
//!
//! Tails agree with arbitrary-precision values to 1e-12 relative, far tails included (Student's t with up to 10,000
//! degrees of freedom; 1e-11 with 100,000); quantiles are found on them.

use super::special::{incomplete_beta, incomplete_gamma};
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
