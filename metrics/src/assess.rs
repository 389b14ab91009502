//! From a case table to a site's metric, from sites' metrics to the pooled one.

use crate::error::MetricError;
use crate::ranking::Answer;
use crate::registry::{MetricId, MetricTask};
use crate::table::{self, Cases};
use crate::{calibration, confusion, logistic, moments, ranking, scores};
use fiel_schemas::assessment::{Estimate, SiteMetric};
use fiel_schemas::challenge::FailedCases;
use fiel_schemas::summary::{Calibration, ExactValue, Moments, Scores, Summary};
use polars::prelude::DataFrame;

/// How a table becomes a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Fewest cases in a released histogram cell or calibration bin.
    pub min_cell: u64,
    /// What a case without a valid answer counts as.
    pub failed_cases: FailedCases,
}

impl Default for Options {
    /// Cells of any size; failed cases get the worst score.
    fn default() -> Self {
        Self { min_cell: 1, failed_cases: FailedCases::Worst }
    }
}

/// Whether sites can pool a metric: whether [`assess`] and [`estimate`] know its summary.
pub fn is_pooled(metric: &MetricId) -> bool {
    kind_of(metric).is_some()
}

/// Which summary carries a metric over sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moments,
    Scores,
    Bins,
    Confusion,
}

fn kind_of(metric: &MetricId) -> Option<Kind> {
    match (metric.spec.task, metric.spec.id) {
        (MetricTask::Segmentation, _) | (MetricTask::Classification, "brier" | "log_loss") => {
            Some(Kind::Moments)
        }
        (
            MetricTask::Classification,
            "auc"
            | "average_precision"
            | "sensitivity@specificity"
            | "calibration_slope"
            | "calibration_intercept",
        ) => Some(Kind::Scores),
        (MetricTask::Classification, "ece" | "mce") if metric.is("left_closed") => Some(Kind::Bins),
        (
            MetricTask::Classification,
            "accuracy" | "balanced_accuracy" | "sensitivity" | "specificity" | "ppv" | "npv" | "f1" | "mcc"
            | "kappa" | "net_benefit",
        ) => Some(Kind::Confusion),
        _ => None,
    }
}

/// Computes one metric over a case table: the exact estimate, and the summary that merges with other sites'.
pub fn assess(metric_id: &str, table: &DataFrame, options: &Options) -> Result<SiteMetric, MetricError> {
    let metric = MetricId::parse(metric_id)?;
    let kind = kind_of(&metric).ok_or_else(|| MetricError::NotPooled(metric_id.to_owned()))?;
    let summary = if metric.spec.task == MetricTask::Segmentation {
        Summary::Moments(moments::build(&table::segmentation(table, metric_id, options)?)?)
    } else {
        let cases = table::classification(table, options)?;
        match kind {
            Kind::Moments if metric.spec.id == "brier" => Summary::Moments(moments::build(&cases.brier)?),
            Kind::Moments => Summary::Moments(moments::build(&cases.log_losses())?),
            Kind::Bins => {
                let exact = released(calibration::exact(&metric, &cases)?);
                let bins = calibration::build(&metric, &cases, options.min_cell)?;
                Summary::Calibration(Calibration { exact, ..bins })
            }
            Kind::Confusion => Summary::Confusion(confusion::build(&metric, &cases, options.min_cell)),
            Kind::Scores => Summary::Scores(summarise_scores(&metric, &cases, options)?),
        }
    };
    let estimate = estimate(metric_id, &summary)?;
    Ok(SiteMetric { estimate, summary })
}

fn summarise_scores(metric: &MetricId, cases: &Cases, options: &Options) -> Result<Scores, MetricError> {
    let answer = scores_exact(metric, cases);
    let mut summary = scores::build(cases, options.min_cell)?;
    if metric.spec.id == "average_precision" {
        // Defined for a set of positives only.
        summary.one_class = u64::from(summary.pos == 0);
    }
    summary.exact = released(answer);
    Ok(summary)
}

/// The operating point of `sensitivity@specificity=...`.
fn specificity(metric: &MetricId) -> f64 {
    metric.parameter.unwrap_or(0.95)
}

#[expect(clippy::unnecessary_wraps, reason = "the form of the document")]
fn released(answer: Answer) -> Option<ExactValue> {
    Some(ExactValue { value: answer.value, ci95: answer.ci95 })
}

/// A metric that sites can pool over cases in one place; `None` for the others.
pub(crate) fn exact(metric: &MetricId, cases: &Cases) -> Result<Option<Estimate>, MetricError> {
    let answer = match kind_of(metric) {
        Some(Kind::Bins) => calibration::exact(metric, cases)?,
        Some(Kind::Scores) => scores_exact(metric, cases),
        Some(Kind::Confusion) => {
            return confusion::estimate(metric, &confusion::build(metric, cases, 1)).map(Some);
        }
        Some(Kind::Moments) | None => return Ok(None),
    };
    let n = cases.score.len() as u64;
    let undefined = u64::from(answer.value.is_none());
    Ok(Some(Estimate { value: answer.value, ci95: answer.ci95, bound: 0.0, n, undefined }))
}

fn scores_exact(metric: &MetricId, cases: &Cases) -> Answer {
    match metric.spec.id {
        "auc" => ranking::auc(&cases.groups()),
        "average_precision" => ranking::average_precision(&cases.groups()),
        "calibration_slope" => logistic::slope(cases),
        "calibration_intercept" => logistic::intercept(cases),
        _ => ranking::sensitivity(&cases.groups(), specificity(metric)),
    }
}

/// Merges two summaries of one metric; the order of merging does not matter.
pub fn merge(a: &Summary, b: &Summary) -> Result<Summary, MetricError> {
    Ok(match (a, b) {
        (Summary::Moments(a), Summary::Moments(b)) => Summary::Moments(moments::merge(a, b)?),
        (Summary::Scores(a), Summary::Scores(b)) => Summary::Scores(scores::merge(a, b)?),
        (Summary::Calibration(a), Summary::Calibration(b)) => Summary::Calibration(calibration::merge(a, b)?),
        (Summary::Confusion(a), Summary::Confusion(b)) => Summary::Confusion(confusion::merge(a, b)?),
        _ => return Err(MetricError::Mismatch { left: kind(a).to_owned(), right: kind(b).to_owned() }),
    })
}

/// The metric's value from a summary, with its interval and the certified bound on its distance from the
/// value over the same cases held centrally.
pub fn estimate(metric_id: &str, summary: &Summary) -> Result<Estimate, MetricError> {
    let metric = MetricId::parse(metric_id)?;
    match (kind_of(&metric), summary) {
        (Some(Kind::Moments), Summary::Moments(m)) => moments::estimate(m, metric.spec.range),
        (Some(Kind::Bins), Summary::Calibration(c)) => calibration_estimate(&metric, c),
        (Some(Kind::Scores), Summary::Scores(s)) => scores_estimate(&metric, s),
        (Some(Kind::Confusion), Summary::Confusion(c)) => confusion::estimate(&metric, c),
        _ => Err(MetricError::Mismatch {
            left: format!("the metric `{metric_id}`"),
            right: kind(summary).to_owned(),
        }),
    }
}

fn calibration_estimate(metric: &MetricId, c: &Calibration) -> Result<Estimate, MetricError> {
    let n = c.bins.iter().try_fold(c.suppressed, |n, b| crate::fixed::count(n, b.n))?;
    let merged = calibration::merged(metric, c)?;
    Ok(finish(merged, c.exact.as_ref(), n, u64::from(n == 0)))
}

fn scores_estimate(metric: &MetricId, s: &Scores) -> Result<Estimate, MetricError> {
    scores::check(s)?;
    let answer = match (metric.spec.id, &s.exact) {
        (_, Some(_)) => Answer::default(),
        ("auc", None) => ranking::auc_merged(s)?,
        ("average_precision", None) => ranking::average_precision_merged(s),
        ("calibration_slope", None) => logistic::slope_merged(&s.cells),
        ("calibration_intercept", None) => logistic::intercept_merged(&s.cells),
        _ => ranking::sensitivity_merged(s, specificity(metric)),
    };
    Ok(finish(answer, s.exact.as_ref(), crate::fixed::count(s.pos, s.neg)?, s.one_class))
}

/// The exact value where there is one; then the metric is undefined for this set or defined, nothing between.
fn finish(merged: Answer, exact: Option<&ExactValue>, n: u64, undefined: u64) -> Estimate {
    match exact {
        Some(e) => {
            Estimate { value: e.value, ci95: e.ci95, bound: 0.0, n, undefined: u64::from(e.value.is_none()) }
        }
        None => Estimate { value: merged.value, ci95: merged.ci95, bound: merged.bound, n, undefined },
    }
}

fn kind(summary: &Summary) -> &'static str {
    match summary {
        Summary::Moments(Moments { .. }) => "a summary of moments",
        Summary::Scores(_) => "a summary of scores",
        Summary::Calibration(_) => "a summary of calibration bins",
        Summary::Confusion(_) => "a summary of decisions",
    }
}
