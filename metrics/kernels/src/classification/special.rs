//! Normal and beta distribution: tails and quantiles to the last digits.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// Complementary error function, to about 1e-15 relative.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x < 1.5 {
        return 1.0 - erf_series(x);
    }
    // Continued fraction from far enough down, since its tail then no longer matters: sqrt(pi) exp(x^2) erfc(x)
    // = 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))).
    let tail = (1..=120).rev().fold(0.0, |tail, k| f64::from(k) / 2.0 / (x + tail));
    (-x * x).exp() / (PI.sqrt() * (x + tail))
}

/// Error function for small arguments: a series of positive terms.
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * 1e-17 {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// Probability that a standard normal variable exceeds `z` in absolute value.
pub(super) fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() * FRAC_1_SQRT_2)
}

/// Standard normal quantile of a probability between 0 and 1.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    // First guess: Abramowitz and Stegun 26.2.23, off by 4.5e-4 at most; then Halley's steps, each tripling digits.
    let t = (-2.0 * tail.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = t - numerator / denominator;
    for _ in 0..3 {
        let excess = 0.5 * erfc(x / SQRT_2) - tail;
        let step = excess * (2.0 * PI).sqrt() * (0.5 * x * x).exp();
        x += step / (1.0 - 0.5 * x * step);
    }
    if p < 0.5 { -x } else { x }
}

/// `ln(Gamma(a)) - [(a - 1/2) ln a - a + ln(2 pi)/2]`, Stirling's remainder, for positive `a`.
fn stirling_remainder(a: f64) -> f64 {
    if a >= 10.0 {
        let inverse = 1.0 / a;
        let square = inverse * inverse;
        let coefficients =
            [-3617.0 / 122_400.0, 1.0 / 156.0, -691.0 / 360_360.0, 1.0 / 1188.0, -1.0 / 1680.0, 1.0 / 1260.0];
        let series = coefficients.iter().fold(0.0, |sum, c| (sum + c) * square);
        return inverse * (1.0 / 12.0 + square * (-1.0 / 360.0) + square * series);
    }
    // Gamma(a + 1) = a Gamma(a), with the logarithms of Stirling's formula on both sides.
    stirling_remainder(a + 1.0) + (a + 0.5) * (1.0 / a).ln_1p() - 1.0
}

/// `x^a (1 - x)^b / B(a, b)`.
fn beta_kernel(x: f64, a: f64, b: f64) -> f64 {
    // Logarithms less their linear terms: those cancel, and taking them along would cost digits of large shapes.
    let n = a + b;
    let part = |share: f64, shape: f64| shape * log_minus(share * n / shape);
    let remainders = stirling_remainder(n) - stirling_remainder(a) - stirling_remainder(b);
    (a * b / (2.0 * PI * n)).sqrt() * (part(x, a) + part(1.0 - x, b) + remainders).exp()
}

/// `ln(ratio) - (ratio - 1)`.
fn log_minus(ratio: f64) -> f64 {
    let x = ratio - 1.0;
    if x.abs() > 0.3 {
        return ratio.ln() - x;
    }
    // ln(1 + x) = 2 atanh(r).
    let r = x / (2.0 + x);
    let series = (0..=14).rev().fold(0.0, |sum, k| sum * r * r + 1.0 / f64::from(2 * k + 3));
    r * (2.0 * r * r * series - x)
}

/// Regularised incomplete beta function and its complement: `I_x(a, b)` and `1 - I_x(a, b)`.
fn beta_tails(x: f64, a: f64, b: f64) -> [f64; 2] {
    if x > (a + 1.0) / (a + b + 2.0) {
        let [upper, lower] = beta_tails_fraction(1.0 - x, b, a);
        return [lower, upper];
    }
    beta_tails_fraction(x, a, b)
}

/// Stands in for a zero denominator.
const TINY: f64 = 1e-300;

/// The same by a continued fraction (Lentz's method) that converges for `x` below the mean.
#[allow(clippy::many_single_char_names, reason = "the field's names")]
fn beta_tails_fraction(x: f64, a: f64, b: f64) -> [f64; 2] {
    if x <= 0.0 {
        return [0.0, 1.0];
    }
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..100_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for numerator in [even, odd] {
            d = 1.0 / guard(1.0 + numerator * d);
            c = guard(1.0 + numerator / c);
            change *= c * d;
        }
        fraction *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    let lower = beta_kernel(x, a, b) / a * fraction;
    [lower, 1.0 - lower]
}

/// Quantile of the beta distribution: `x` with `I_x(a, b) = p`, for `p` between 0 and 1.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    // Whichever tail is smaller is solved for, so that digits are not lost in its complement.
    let excess = |x: f64| {
        let [lower, upper] = beta_tails(x, a, b);
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
        let density = beta_kernel(x, a, b) / (x * (1.0 - x));
        let step = off / density;
        if step.abs() <= 1e-15 * x {
            return x;
        }
        // Newton's step where it stays inside the bracket, a bisection elsewhere.
        let newton = x - step;
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-14 * expected.abs(), "{found:e} instead of {expected:e}");
    }

    #[test]
    fn normal_tails_and_quantiles_agree_with_tables() {
        close(normal_two_sided(1.959_963_984_540_054), 0.05);
        close(normal_two_sided(-1.0), 0.317_310_507_862_914_1);
        close(normal_two_sided(5.0), 5.733_031_437_583_869e-7);
        assert_eq!(normal_two_sided(0.0), 1.0);
        close(normal_quantile(0.975), 1.959_963_984_540_054);
        close(normal_quantile(0.025), -1.959_963_984_540_054);
        close(normal_quantile(0.995), 2.575_829_303_548_900_4);
        close(normal_quantile(0.75), 0.674_489_750_196_081_7);
        close(normal_quantile(1e-10), -6.361_340_902_404_056);
    }

    #[test]
    fn beta_quantiles_agree_with_closed_forms() {
        // I_x(a, 1) = x^a, I_x(1, b) = 1 - (1 - x)^b, and the arcsine law for a = b = 1/2.
        for p in [0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999_f64] {
            for shape in [0.5, 1.0, 3.0, 40.0, 1000.0_f64] {
                close(beta_quantile(p, shape, 1.0), p.powf(1.0 / shape));
                close(beta_quantile(p, 1.0, shape), -((-p).ln_1p() / shape).exp_m1());
            }
            close(beta_quantile(p, 0.5, 0.5), (PI * p / 2.0).sin().powi(2));
        }
    }

    #[test]
    fn beta_quantiles_of_large_shapes_are_symmetric() {
        for (a, b) in [(1e6, 2e6), (1e4, 3.0), (250.5, 1e5)] {
            for p in [0.025, 0.4, 0.975] {
                let x = beta_quantile(p, a, b);
                assert!((x - (1.0 - beta_quantile(1.0 - p, b, a))).abs() < 1e-14 * x.max(1.0));
                assert!((beta_tails(x, a, b)[0] - p).abs() < 1e-11);
            }
        }
    }
}
