//! Tails and quantiles of the normal, chi-squared, F and t distributions.
//!
//! Own implementations (incomplete gamma and beta functions by series and continued fractions), accurate to about
//! 1e-13 relative for the degrees of freedom met here.

#![expect(clippy::many_single_char_names, reason = "the names of the functions' own formulas")]

use std::f64::consts::{PI, SQRT_2};

/// Coefficients of Lanczos' approximation for g = 607/128 (Godfrey), good to 1e-15 relative.
const LANCZOS: [f64; 15] = [
    0.999_999_999_999_997_1,
    57.156_235_665_862_92,
    -59.597_960_355_475_49,
    14.136_097_974_741_746,
    -0.491_913_816_097_620_2,
    3.399_464_998_481_188_6e-5,
    4.652_362_892_704_858e-5,
    -9.837_447_530_487_956e-5,
    1.580_887_032_249_125e-4,
    -2.102_644_417_241_048_8e-4,
    2.174_396_181_152_126_5e-4,
    -1.643_181_065_367_639e-4,
    8.441_822_398_385_275e-5,
    -2.619_083_840_158_140_7e-5,
    3.689_918_265_953_162_5e-6,
];

/// Logarithm of the gamma function for arguments above zero.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        // Reflection keeps the series in the range where it is accurate.
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let t = x + 607.0 / 128.0 + 0.5;
    let series = LANCZOS[1..].iter().zip(1_u8..).fold(LANCZOS[0], |sum, (c, i)| sum + c / (x + f64::from(i)));
    (x + 0.5) * t.ln() - t + (series * (2.0 * PI).sqrt()).ln()
}

/// Steps after which a series or continued fraction is taken as converged.
const STEPS_MAX: u32 = 10_000;

/// Regularised upper incomplete gamma function Q(a, x), for a above zero and x not below zero.
pub(crate) fn gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..STEPS_MAX {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (1.0 - sum * scale).max(0.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..STEPS_MAX {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = 1.0 / away_from_zero(an * d + b);
        c = away_from_zero(b + an / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    scale * h
}

fn away_from_zero(x: f64) -> f64 {
    if x.abs() < 1e-300 { 1e-300 } else { x }
}

/// Upper tail of the chi-squared distribution.
pub(crate) fn chi_squared_upper(x: f64, degrees: f64) -> f64 {
    gamma_upper(0.5 * degrees, 0.5 * x)
}

/// Upper tail of the standard normal distribution.
pub(crate) fn normal_upper(z: f64) -> f64 {
    let half = 0.5 * gamma_upper(0.5, 0.5 * z * z);
    if z >= 0.0 { half } else { 1.0 - half }
}

/// Two-sided tail of the standard normal distribution.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    gamma_upper(0.5, 0.5 * z * z)
}

/// The z above which the share `upper` (in (0, 1)) of the standard normal distribution lies.
pub(crate) fn normal_quantile_upper(upper: f64) -> f64 {
    if upper > 0.5 {
        return -normal_quantile_upper(1.0 - upper);
    }
    // Abramowitz and Stegun 26.2.23 starts within 5e-4; Newton's steps in the tail's logarithm do the rest.
    let t = (-2.0 * upper.ln()).sqrt();
    let mut z = t
        - (2.515_517 + t * (0.802_853 + t * 0.010_328))
            / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    for _ in 0..4 {
        let tail = normal_upper(z);
        let density = (-0.5 * z * z).exp() / (SQRT_2 * PI.sqrt());
        z += tail * (tail / upper).ln() / density;
    }
    z
}

/// Regularised incomplete beta function I_x(a, b).
pub(crate) fn beta_regularised(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let scale = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        scale * beta_fraction(x, a, b) / a
    } else {
        1.0 - scale * beta_fraction(1.0 - x, b, a) / b
    }
}

fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..STEPS_MAX {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// The x at which I_x(a, b) is `share`.
fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // Bisection to the last bit: a few hundred evaluations at most, and no case where it goes astray.
    for _ in 0..200 {
        // Near zero the geometric middle halves the exponents.
        let middle = if low > 0.0 && low < 1e-3 { (low * high).sqrt() } else { 0.5 * (low + high) };
        if middle <= low || middle >= high {
            break;
        }
        if beta_regularised(middle, a, b) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The value above which the share `upper` of the F distribution lies.
pub(crate) fn f_quantile_upper(upper: f64, d1: f64, d2: f64) -> f64 {
    // In the variable d2 / (d2 + d1 F) the upper tail is the lower one, so that no digits cancel.
    let x = beta_quantile(upper, 0.5 * d2, 0.5 * d1);
    d2 * (1.0 - x) / (d1 * x)
}

/// The value above which the share `upper` (below one half) of Student's t distribution lies.
pub(crate) fn t_quantile_upper(upper: f64, degrees: f64) -> f64 {
    let x = beta_quantile(2.0 * upper, 0.5 * degrees, 0.5);
    (degrees * (1.0 - x) / x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-13 * expected.abs(), "{found:?} instead of {expected:?}");
    }

    #[test]
    fn tails_and_quantiles_have_their_tabulated_values() {
        // Values from SciPy 1.17.1: norm.isf, norm.sf, chi2.sf, f.isf, f.sf, t.isf, gammaln.
        check(normal_quantile_upper(0.025), 1.959_963_984_540_054);
        check(normal_quantile_upper(0.975), -1.959_963_984_540_054);
        check(normal_quantile_upper(0.005), 2.575_829_303_548_900_4);
        check(normal_two_sided(1.959_963_984_540_054), 0.05);
        check(normal_upper(-1.0), 0.841_344_746_068_542_9);
        check(normal_upper(1.0), 0.158_655_253_931_457_07);
        check(chi_squared_upper(15.507_313_055_865_453, 8.0), 0.05);
        check(chi_squared_upper(2.0, 4.0), 0.735_758_882_342_884_7);
        check(ln_gamma(0.5), PI.sqrt().ln());
        check(ln_gamma(0.25), 1.288_022_524_698_077_5);
        check(ln_gamma(5.0), 24.0_f64.ln());
        check(t_quantile_upper(0.025, 1.0), 12.706_204_736_174_7);
        check(t_quantile_upper(0.025, 9.0), 2.262_157_162_798_205);
        check(f_quantile_upper(0.05, 1.0, 1.0), 161.447_638_797_588_1);
        check(f_quantile_upper(0.5, 3.0, 3.0), 1.0);
        check(f_quantile_upper(0.025, 5.0, 18.0), 3.381_967_805_875_243);
    }

    #[test]
    fn tails_at_the_ends_are_whole() {
        assert_eq!(gamma_upper(2.0, 0.0), 1.0);
        assert_eq!(beta_regularised(0.0, 2.0, 3.0), 0.0);
        assert_eq!(beta_regularised(1.0, 2.0, 3.0), 1.0);
    }
}
