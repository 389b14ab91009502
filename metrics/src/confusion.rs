//! Decisions at a threshold against labels: counts add exactly, and every metric of them follows.

use crate::error::MetricError;
use crate::fixed::count;
use crate::ranking::Answer;
use crate::registry::MetricId;
use crate::stats::{self, Rng};
use crate::table::Cases;
use fiel_schemas::assessment::Estimate;
use fiel_schemas::summary::Confusion;

const REPLICATES: usize = 1000;

/// The threshold that an id such as `f1@0.5` names: a score at or above it is called positive.
fn threshold(metric: &MetricId) -> f64 {
    metric.parameter.unwrap_or(0.5)
}

/// Counts decisions. Where fewer than `min_cell` cases are called positive, or negative, but not none, the counts would
/// tell about those few: they stay at the site, and the cases are counted as suppressed.
pub(crate) fn build(metric: &MetricId, cases: &Cases, min_cell: u64) -> Confusion {
    let threshold = threshold(metric);
    let mut c = Confusion::default();
    for (&score, &label) in cases.score.iter().zip(&cases.label) {
        *match (label, score >= threshold) {
            (true, true) => &mut c.tp,
            (false, true) => &mut c.fp,
            (true, false) => &mut c.r#fn,
            (false, false) => &mut c.tn,
        } += 1;
    }
    let too_few = |n: u64| n > 0 && n < min_cell;
    if too_few(c.tp + c.fp) || too_few(c.tn + c.r#fn) {
        return Confusion { suppressed: cases.score.len() as u64, ..Confusion::default() };
    }
    c
}

/// Adds two tables.
pub(crate) fn merge(a: &Confusion, b: &Confusion) -> Result<Confusion, MetricError> {
    Ok(Confusion {
        tp: count(a.tp, b.tp)?,
        fp: count(a.fp, b.fp)?,
        r#fn: count(a.r#fn, b.r#fn)?,
        tn: count(a.tn, b.tn)?,
        suppressed: count(a.suppressed, b.suppressed)?,
    })
}

/// The metric with its interval: Wilson's for proportions, Simel's for their ratios, a percentile bootstrap of the counts
/// for the others.
pub(crate) fn estimate(metric: &MetricId, c: &Confusion) -> Result<Estimate, MetricError> {
    let n = [c.fp, c.r#fn, c.tn].into_iter().try_fold(c.tp, count)?;
    let all = count(n, c.suppressed)?;
    let Some(value) = value(metric, [c.tp, c.fp, c.r#fn, c.tn].map(|v| v as f64)) else {
        return Ok(Answer::default().estimate(all, 1));
    };
    let ci95 = match metric.spec.id {
        "accuracy" => Some(stats::wilson(c.tp + c.tn, n)),
        "sensitivity" => Some(stats::wilson(c.tp, c.tp + c.r#fn)),
        "specificity" => Some(stats::wilson(c.tn, c.tn + c.fp)),
        "ppv" => Some(stats::wilson(c.tp, c.tp + c.fp)),
        "npv" => Some(stats::wilson(c.tn, c.tn + c.r#fn)),
        "lr_positive" => stats::risk_ratio([c.tp, c.tp + c.r#fn], [c.fp, c.tn + c.fp]),
        "lr_negative" => stats::risk_ratio([c.r#fn, c.tp + c.r#fn], [c.tn, c.tn + c.fp]),
        _ => bootstrap(metric, c, value),
    };
    // Nothing is known of suppressed cases: the value over all of them could be any.
    if c.suppressed > 0 && width(metric).is_infinite() {
        return Ok(Answer::default().estimate(all, 1));
    }
    let bound = if c.suppressed > 0 { width(metric) } else { 0.0 };
    Ok(Answer { value: Some(value), ci95, bound }.estimate(all, 0))
}

/// Distance of the metric's largest and smallest value.
fn width(metric: &MetricId) -> f64 {
    let (low, high) = metric.spec.range;
    let t = threshold(metric);
    if low.is_finite() { high - low } else { 1.0 + t / (1.0 - t).max(f64::EPSILON) }
}

fn bootstrap(metric: &MetricId, c: &Confusion, centre: f64) -> Option<[f64; 2]> {
    let mut rng = Rng::new(0x000f_1e1b);
    let draw = |_| value(metric, [c.tp, c.fp, c.r#fn, c.tn].map(|v| rng.poisson(v)));
    stats::percentile_interval((0..REPLICATES).filter_map(draw).collect(), centre)
}

/// The metric over the cases themselves.
pub(crate) fn of_cases(metric: &MetricId, cases: &Cases) -> Option<f64> {
    let c = build(metric, cases, 1);
    value(metric, [c.tp, c.fp, c.r#fn, c.tn].map(|v| v as f64))
}

/// The metric of tp, fp, fn, tn; `None` where its denominator is zero.
fn value(metric: &MetricId, [tp, fp, r#fn, tn]: [f64; 4]) -> Option<f64> {
    let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    let n = tp + fp + r#fn + tn;
    match metric.spec.id {
        "accuracy" => ratio(tp + tn, n),
        "sensitivity" => ratio(tp, tp + r#fn),
        "specificity" => ratio(tn, tn + fp),
        "ppv" => ratio(tp, tp + fp),
        "npv" => ratio(tn, tn + r#fn),
        "balanced_accuracy" => Some(0.5 * (ratio(tp, tp + r#fn)? + ratio(tn, tn + fp)?)),
        "f1" => ratio(2.0 * tp, 2.0 * tp + fp + r#fn),
        "mcc" => {
            let product = (tp + fp) * (tp + r#fn) * (tn + fp) * (tn + r#fn);
            ratio(tp * tn - fp * r#fn, product.sqrt())
        }
        "kappa" => {
            let expected = ((tp + fp) * (tp + r#fn) + (tn + fp) * (tn + r#fn)) / n;
            ratio(tp + tn - expected, n - expected)
        }
        "lr_positive" => ratio(tp * (tn + fp), fp * (tp + r#fn)),
        "lr_negative" => ratio(r#fn * (tn + fp), tn * (tp + r#fn)),
        "net_benefit" => {
            let t = threshold(metric);
            ratio(tp - fp * t / (1.0 - t), n).filter(|v| v.is_finite())
        }
        _ => None,
    }
}
