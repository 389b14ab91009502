//! Incomplete gamma and beta functions, the ground of the tails in [`super::distributions`].
//!
//! The leading factors are written as deviations from the mode (Loader 2000, "Fast and accurate computation of
//! binomial probabilities"), since differences of log-gamma values lose digits for large arguments.

#![expect(clippy::many_single_char_names, reason = "the names of the formulas")]

use std::f64::consts::TAU;

/// Terms after which a series or continued fraction is taken as it is; never reached for tails used here.
const TERMS_MAX: usize = 1_000_000;

/// What Stirling's formula leaves out: ln gamma(x + 1) - ((x + 1/2) ln x - x + ln(2 pi) / 2), for x > 0.
fn stirling_error(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 15.0 {
        below += (x + 0.5) * (1.0 / x).ln_1p() - 1.0;
        x += 1.0;
    }
    let x2 = x * x;
    let series = 1.0 / 1260.0 - (1.0 / 1680.0 - (1.0 / 1188.0 - 691.0 / 360_360.0 / x2) / x2) / x2;
    below + (1.0 / 12.0 - (1.0 / 360.0 - series / x2) / x2) / x
}

/// x ln(x / mean) + mean - x, without cancellation near the mean.
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    let v = difference / (x + mean);
    let (mut sum, mut term) = (difference * v, 2.0 * x * v);
    for j in 1..1000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}

/// x^a e^-x / gamma(a + 1).
fn gamma_factor(a: f64, x: f64) -> f64 {
    (-stirling_error(a) - deviance(a, x)).exp() / (TAU * a).sqrt()
}

/// Regularised incomplete gamma functions (lower, upper) of `a` > 0 at `x` >= 0; the smaller keeps its digits.
pub(super) fn incomplete_gamma(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    let factor = gamma_factor(a, x);
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0, 1.0);
        for n in 1..TERMS_MAX {
            term *= x / (a + n as f64);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        let lower = (factor * sum).min(1.0);
        return (lower, 1.0 - lower);
    }
    // Lentz's evaluation of the continued fraction of the upper function.
    let mut b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in 1..TERMS_MAX {
        let n = n as f64;
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let step = c * d;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    let upper = (factor * a * fraction).min(1.0);
    (1.0 - upper, upper)
}

/// Regularised incomplete beta functions (lower, upper) of `a`, `b` > 0 at `x`, with `y` = 1 - x given apart so
/// that neither end loses digits.
pub(super) fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let n = a + b;
    let factor = beta_kernel(a, b, x, y) * n / (a * b);
    if x < (a + 1.0) / (n + 2.0) {
        let lower = (factor * b / n * beta_fraction(a, b, x)).min(1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (factor * a / n * beta_fraction(b, a, y)).min(1.0);
        (1.0 - upper, upper)
    }
}

/// x^a y^b / B(a, b), for x + y = 1.
fn beta_kernel(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let exponent =
        stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
    exponent.exp() * (a * b / (TAU * n)).sqrt()
}

/// The `x` below which the share `p` (above 0 and below 1) of the beta distribution lies.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if !a.is_finite() || !b.is_finite() {
        // Degrees of freedom of nothing over nothing.
        return f64::NAN;
    }
    // Whichever tail is smaller is solved for, so that digits are not lost in its complement.
    let excess = |x: f64| {
        let (lower, upper) = incomplete_beta(a, b, x, 1.0 - x);
        if p <= 0.5 { lower - p } else { (1.0 - p) - upper }
    };
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let off = excess(x);
        if off > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let step = off * x * (1.0 - x) / beta_kernel(a, b, x, 1.0 - x);
        if step.abs() <= 1e-16 * x {
            return x;
        }
        // Newton's step where it stays inside the bracket; elsewhere the middle, near zero that of the exponents.
        let newton = x - step;
        let middle = if low > 0.0 && low < 1e-3 { (low * high).sqrt() } else { 0.5 * (low + high) };
        let next = if newton > low && newton < high { newton } else { middle };
        if next.to_bits() == x.to_bits() {
            return x;
        }
        x = next;
    }
    x
}

/// Logarithm of the gamma function for arguments above zero, to about 1e-15 absolute where it is small.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    // Gamma(x) = Gamma(x + 1) / x.
    stirling_error(x) + (x + 0.5) * x.ln() - x + 0.5 * TAU.ln() - x.ln()
}

/// Continued fraction of the incomplete beta function (Lentz).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let floor = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / floor(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..TERMS_MAX {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / floor(1.0 + even * d);
        c = floor(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / floor(1.0 + odd * d);
        c = floor(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}
