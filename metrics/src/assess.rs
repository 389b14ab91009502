//! From a case table to a site's metric, from sites' metrics to the pooled one.

use crate::error::MetricError;
use crate::ranking::Answer;
use crate::registry::{self, MetricSpec, MetricTask};
use crate::table::{self, Cases};
use crate::{calibration, logistic, moments, ranking, scores};
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

/// Computes one metric over a case table: the exact estimate, and the summary that merges with other sites'.
pub fn assess(metric_id: &str, table: &DataFrame, options: &Options) -> Result<SiteMetric, MetricError> {
    let spec = spec(metric_id)?;
    let summary = match (spec.task, spec.id) {
        (MetricTask::Segmentation, id) => {
            Summary::Moments(moments::build(&table::segmentation(table, id, options)?)?)
        }
        (MetricTask::Classification, id) => {
            let cases = table::classification(table, options)?;
            match id {
                "brier" => Summary::Moments(moments::build(&cases.brier)?),
                "ece@15" => {
                    let exact = released(calibration::exact(&cases)?);
                    Summary::Calibration(Calibration {
                        exact,
                        ..calibration::build(&cases, options.min_cell)?
                    })
                }
                _ => Summary::Scores(summarise_scores(spec, &cases, options)?),
            }
        }
    };
    let estimate = estimate(metric_id, &summary)?;
    Ok(SiteMetric { estimate, summary })
}

fn summarise_scores(spec: &MetricSpec, cases: &Cases, options: &Options) -> Result<Scores, MetricError> {
    let answer = match spec.id {
        "auc" => ranking::auc(&cases.groups()),
        "average_precision" => ranking::average_precision(&cases.groups()),
        "calibration_slope" => logistic::slope(cases),
        "calibration_intercept" => logistic::intercept(cases),
        _ => ranking::sensitivity(&cases.groups()),
    };
    let mut summary = scores::build(cases, options.min_cell)?;
    if spec.id == "average_precision" {
        // Defined for a set of positives only.
        summary.one_class = u64::from(summary.pos == 0);
    }
    summary.exact = released(answer);
    Ok(summary)
}

#[expect(clippy::unnecessary_wraps, reason = "the form of the document")]
fn released(answer: Answer) -> Option<ExactValue> {
    Some(ExactValue { value: answer.value, ci95: answer.ci95 })
}

/// Merges two summaries of one metric; the order of merging does not matter.
pub fn merge(a: &Summary, b: &Summary) -> Result<Summary, MetricError> {
    Ok(match (a, b) {
        (Summary::Moments(a), Summary::Moments(b)) => Summary::Moments(moments::merge(a, b)?),
        (Summary::Scores(a), Summary::Scores(b)) => Summary::Scores(scores::merge(a, b)?),
        (Summary::Calibration(a), Summary::Calibration(b)) => Summary::Calibration(calibration::merge(a, b)?),
        _ => return Err(MetricError::Mismatch { left: kind(a).to_owned(), right: kind(b).to_owned() }),
    })
}

/// The metric's value from a summary, with its interval and the certified bound on its distance from the
/// value over the same cases held centrally.
pub fn estimate(metric_id: &str, summary: &Summary) -> Result<Estimate, MetricError> {
    let spec = spec(metric_id)?;
    match (spec.id, summary) {
        ("brier" | "dice" | "iou" | "volume_error_ml", Summary::Moments(m)) => {
            moments::estimate(m, spec.range)
        }
        ("ece@15", Summary::Calibration(c)) => calibration_estimate(c),
        (
            "auc"
            | "average_precision"
            | "sensitivity@specificity=0.95"
            | "calibration_slope"
            | "calibration_intercept",
            Summary::Scores(s),
        ) => scores_estimate(spec, s),
        _ => Err(MetricError::Mismatch {
            left: format!("the metric `{metric_id}`"),
            right: kind(summary).to_owned(),
        }),
    }
}

fn calibration_estimate(c: &Calibration) -> Result<Estimate, MetricError> {
    let n = c.bins.iter().try_fold(c.suppressed, |n, b| crate::fixed::count(n, b.n))?;
    let merged = calibration::merged(c)?;
    Ok(finish(merged, c.exact.as_ref(), n, u64::from(n == 0)))
}

fn scores_estimate(spec: &MetricSpec, s: &Scores) -> Result<Estimate, MetricError> {
    scores::check(s)?;
    let answer = match (spec.id, &s.exact) {
        (_, Some(_)) => Answer::default(),
        ("auc", None) => ranking::auc_merged(s)?,
        ("average_precision", None) => ranking::average_precision_merged(s),
        ("calibration_slope", None) => logistic::slope_merged(&s.cells),
        ("calibration_intercept", None) => logistic::intercept_merged(&s.cells),
        _ => ranking::sensitivity_merged(s),
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

fn spec(metric_id: &str) -> Result<&'static MetricSpec, MetricError> {
    registry::find(metric_id).ok_or_else(|| MetricError::UnknownMetric(metric_id.to_owned()))
}

fn kind(summary: &Summary) -> &'static str {
    match summary {
        Summary::Moments(Moments { .. }) => "a summary of moments",
        Summary::Scores(_) => "a summary of scores",
        Summary::Calibration(_) => "a summary of calibration bins",
    }
}
