//! Agreement of two numbers per case from exact sums: coefficient of determination, concordance, intraclass correlation.
//!
//! Sums hold values and products to 2^-73 each, so that for values above a thousandth or so nothing is lost that
//! doubles hold. Variances are differences of such sums, taken exactly in 256 bits: they do not cancel.

use crate::error::MetricError;
use crate::fixed;
use crate::ranking::Answer;
use crate::registry::MetricId;
use crate::wide::Wide;
use fiel_kernels::regression::{BlandAltman, IccForm, MeanSquares, SecondMoments};
use fiel_schemas::assessment::Estimate;
use fiel_schemas::summary::Agreement;

/// Predicted and reference numbers of the cases that have both.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) prediction: Vec<f64>,
    pub(crate) reference: Vec<f64>,
    /// Cases without a prediction.
    pub(crate) undefined: u64,
    /// Each case's row in its table, from 0.
    pub(crate) row: Vec<usize>,
}

impl Numbers {
    /// Each case's value of a per-case metric.
    pub(crate) fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        let value = |(p, r): (&f64, &f64)| {
            let difference = p - r;
            match metric.spec.id {
                "mae" => difference.abs(),
                "rmse" => difference * difference,
                _ => difference,
            }
        };
        self.prediction.iter().zip(&self.reference).map(|pair| Some(value(pair))).collect()
    }

    /// The cases of these numbers.
    pub(crate) fn chosen(&self, cases: &[usize]) -> Self {
        let of = |values: &[f64]| cases.iter().map(|&i| values[i]).collect();
        Self {
            prediction: of(&self.prediction),
            reference: of(&self.reference),
            undefined: 0,
            row: Vec::new(),
        }
    }
}

/// A product in fixed point with the digits that its double loses.
fn add_product(sum: i128, a: f64, b: f64) -> Result<i128, MetricError> {
    let product = a * b;
    let sum = fixed::add(sum, fixed::from_f64(product, "a product of values")?, "a sum of products")?;
    fixed::add(sum, fixed::from_f64(a.mul_add(b, -product), "a product of values")?, "a sum of products")
}

/// Sums over the cases.
pub(crate) fn build(numbers: &Numbers) -> Result<Agreement, MetricError> {
    let mut s = Sums::default();
    for (&p, &r) in numbers.prediction.iter().zip(&numbers.reference) {
        s.p = fixed::add(s.p, fixed::from_f64(p, "a prediction")?, "the sum of predictions")?;
        s.r = fixed::add(s.r, fixed::from_f64(r, "a reference value")?, "the sum of reference values")?;
        s.pp = add_product(s.pp, p, p)?;
        s.rr = add_product(s.rr, r, r)?;
        s.pr = add_product(s.pr, p, r)?;
    }
    s.n = numbers.prediction.len() as u64;
    Ok(s.document(numbers.undefined))
}

/// Adds two states.
pub(crate) fn merge(a: &Agreement, b: &Agreement) -> Result<Agreement, MetricError> {
    let (x, y) = (Sums::of(a)?, Sums::of(b)?);
    let add = |x, y| fixed::add(x, y, "a sum of values");
    let sums = Sums {
        n: fixed::count(x.n, y.n)?,
        p: add(x.p, y.p)?,
        r: add(x.r, y.r)?,
        pp: add(x.pp, y.pp)?,
        rr: add(x.rr, y.rr)?,
        pr: add(x.pr, y.pr)?,
    };
    Ok(sums.document(fixed::count(a.undefined, b.undefined)?))
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: u64,
    p: i128,
    r: i128,
    pp: i128,
    rr: i128,
    pr: i128,
}

impl Sums {
    fn of(a: &Agreement) -> Result<Self, MetricError> {
        let sums = Self {
            n: a.n,
            p: fixed::parse(&a.sum_p)?,
            r: fixed::parse(&a.sum_r)?,
            pp: fixed::parse(&a.sum_pp)?,
            rr: fixed::parse(&a.sum_rr)?,
            pr: fixed::parse(&a.sum_pr)?,
        };
        if sums.pp < 0 || sums.rr < 0 || (a.n == 0 && [sums.p, sums.r, sums.pp, sums.rr, sums.pr] != [0; 5]) {
            return Err(MetricError::Malformed("the sums do not fit the number of cases".to_owned()));
        }
        Ok(sums)
    }

    fn document(&self, undefined: u64) -> Agreement {
        Agreement {
            n: self.n,
            undefined,
            sum_p: self.p.to_string(),
            sum_r: self.r.to_string(),
            sum_pp: self.pp.to_string(),
            sum_rr: self.rr.to_string(),
            sum_pr: self.pr.to_string(),
        }
    }

    /// n times the sum of products less the product of the sums, over n squared: a (co)variance.
    fn covariance(&self, products: i128, a: i128, b: i128) -> f64 {
        let n = self.n as f64;
        // 2^53 cases at most (the schema's counts): the product stays far below 2^127.
        let scale = i128::from(self.n) << 72;
        (Wide::product(products, scale) - Wide::product(a, b)).to_f64()
            / (n * n)
            / (fixed::UNIT * fixed::UNIT)
    }

    /// Sum of squared differences.
    fn squares(&self) -> Result<i128, MetricError> {
        let overflow = MetricError::Overflow("the sum of squared differences");
        let both = self.pp.checked_add(self.rr).and_then(|s| s.checked_sub(self.pr.checked_mul(2)?));
        both.ok_or(overflow)
    }
}

/// The metric of the sums, with its interval where there is a closed form.
pub(crate) fn estimate(metric: &MetricId, a: &Agreement) -> Result<Estimate, MetricError> {
    if a.n >= 1 << 53 {
        return Err(MetricError::Overflow("a number of cases"));
    }
    let answer = answer(metric, &Sums::of(a)?)?;
    Ok(Estimate {
        value: answer.value,
        ci95: answer.ci95,
        bound: Some(0.0),
        n: a.n,
        undefined: fixed::count(a.undefined, u64::from(answer.value.is_none()))?,
        pooling: None,
        quartiles: None,
    })
}

/// A variance of at most this, 2^-70, is what rounding leaves of equal values.
const CONSTANT: f64 = 8.5e-22;

fn answer(metric: &MetricId, s: &Sums) -> Result<Answer, MetricError> {
    if s.n < 2 {
        return Ok(Answer::default());
    }
    let n = s.n as f64;
    let of = |value: f64, ci95| Answer { value: Some(value).filter(|v| v.is_finite()), ci95, bound: 0.0 };
    let (vp, vr, cov) =
        (s.covariance(s.pp, s.p, s.p), s.covariance(s.rr, s.r, s.r), s.covariance(s.pr, s.p, s.r));
    let squares = s.squares()?;
    if vp < -CONSTANT || vr < -CONSTANT || squares < -i128::from(s.n) * 4 {
        return Err(MetricError::Malformed("a sum of squares is smaller than its values allow".to_owned()));
    }
    let still = |v: f64| if v <= CONSTANT { 0.0 } else { v };
    let (vp, vr) = (still(vp), still(vr));
    let cov = if vp > 0.0 && vr > 0.0 { cov } else { 0.0 };
    let shift = fixed::mean(s.p - s.r, s.n);
    Ok(match metric.spec.id {
        limit @ ("loa_lower" | "loa_upper") => {
            let apart = s.covariance(squares, s.p - s.r, s.p - s.r).max(0.0);
            match BlandAltman::of_moments(n, shift, apart, 0.95, 0.95)? {
                Ok(found) if limit == "loa_lower" => of(found.limits[0], Some(found.lower_interval)),
                Ok(found) => of(found.limits[1], Some(found.upper_interval)),
                Err(_) => Answer::default(),
            }
        }
        "r2" if vr <= 0.0 => Answer::default(),
        "r2" => of(1.0 - fixed::mean(squares.max(0), s.n) / vr, None),
        "ccc" => {
            let moments = SecondMoments { n, predicted: vp, reference: vr, covariance: cov, shift };
            match moments.concordance(0.95)? {
                Ok(found) => of(found.value, found.interval),
                Err(_) => Answer::default(),
            }
        }
        _ => match mean_squares(n, vp, vr, cov, shift).icc(icc_form(metric), 0.95)? {
            Ok(found) => of(found.value, found.interval),
            Err(_) => Answer::default(),
        },
    })
}

/// The analysis of variance of two numbers per case.
fn mean_squares(n: f64, vp: f64, vr: f64, cov: f64, shift: f64) -> MeanSquares {
    let (of_sums, of_differences) = (vp + vr + 2.0 * cov, (vp + vr - 2.0 * cov).max(0.0));
    MeanSquares {
        cases: n,
        rater_count: 2.0,
        subjects: 0.5 * n * of_sums / (n - 1.0),
        raters: 0.5 * n * shift * shift,
        residual: 0.5 * n * of_differences / (n - 1.0),
        within: 0.5 * (of_differences + shift * shift),
    }
}

/// The form of the intraclass correlation that an id such as `icc.consistency` asks for.
pub(crate) fn icc_form(metric: &MetricId) -> IccForm {
    match metric.convention() {
        Some("consistency") => IccForm::TwoWayMixedSingle,
        Some("one_way") => IccForm::OneWaySingle,
        _ => IccForm::TwoWayRandomSingle,
    }
}
