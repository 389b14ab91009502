//! From a case table to a site's metric, from sites' metrics to the pooled one.

use crate::agreement::{self, Numbers};
use crate::error::MetricError;
use crate::ranking::Answer;
use crate::registry::{Level, MetricId, MetricTask};
use crate::table::{self, Cases, Values};
use crate::{calibration, confusion, equal_mass, fixed, logistic, moments, per_site, ranking, scores};
use fiel_kernels::calibration::{Forecasts, Smoother};
use fiel_kernels::{InputError, Undefined};
use fiel_schemas::assessment::{Estimate, SiteMetric};
use fiel_schemas::challenge::FailedCases;
use fiel_schemas::summary::{Calibration, ExactValue, Scores, Summary};
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

/// Which summary carries a metric over sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mean,
    Scores,
    Bins,
    Confusion,
    Agreement,
    PerSite,
}

fn kind_of(metric: &MetricId) -> Kind {
    match (metric.spec.task, metric.spec.id) {
        (MetricTask::Regression, "rmse") => Kind::Mean,
        _ if metric.spec.level == Level::Case => Kind::Mean,
        (MetricTask::Regression, _) => Kind::Agreement,
        (MetricTask::Classification, "ece" | "mce") if !metric.is("equal_mass") => Kind::Bins,
        (MetricTask::Classification, "ici" | "e50" | "e90" | "smece") => Kind::PerSite,
        (
            MetricTask::Classification,
            "accuracy" | "balanced_accuracy" | "sensitivity" | "specificity" | "ppv" | "npv" | "f1" | "mcc"
            | "kappa" | "lr_positive" | "lr_negative" | "net_benefit",
        ) => Kind::Confusion,
        (MetricTask::Classification, _) => Kind::Scores,
        _ => Kind::PerSite,
    }
}

/// Whether a metric is a mean over cases (or the root of one), whose replicates pool exactly.
pub(crate) fn is_mean(metric: &MetricId) -> bool {
    kind_of(metric) == Kind::Mean
}

/// What a mean over cases becomes as the metric.
pub(crate) fn of_mean(metric: &MetricId, mean: f64) -> f64 {
    if metric.spec.id == "rmse" { mean.max(0.0).sqrt() } else { mean }
}

/// What a case table holds for a metric.
#[derive(Debug)]
pub(crate) enum Data {
    /// Probabilities and labels.
    Forecasts(Cases),
    /// The metric's value of each case.
    Values(Values),
    /// Predicted and reference numbers.
    Numbers(Numbers),
}

impl Data {
    pub(crate) fn read(
        metric_id: &str,
        metric: &MetricId,
        table: &DataFrame,
        options: &Options,
    ) -> Result<Self, MetricError> {
        Ok(match metric.spec.task {
            MetricTask::Classification => Self::Forecasts(table::classification(table, options)?),
            MetricTask::Segmentation => Self::Values(table::segmentation(table, metric_id, options)?),
            MetricTask::Regression => Self::Numbers(table::regression(table, metric_id, options)?),
            MetricTask::Multiclass | MetricTask::Detection | MetricTask::Survival | MetricTask::Technical => {
                return Err(MetricError::OtherTask {
                    id: metric_id.to_owned(),
                    found: metric.spec.task.as_str(),
                    wanted: "classification, segmentation or regression",
                });
            }
        })
    }

    /// Each case's row in the table, from 0.
    pub(crate) fn rows(&self) -> &[usize] {
        match self {
            Self::Forecasts(cases) => &cases.row,
            Self::Values(values) => &values.row,
            Self::Numbers(numbers) => &numbers.row,
        }
    }

    /// Each case's value of a metric that is a mean.
    pub(crate) fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        match self {
            Self::Forecasts(cases) if metric.spec.id == "brier" => cases.brier.clone(),
            Self::Forecasts(cases) => cases.log_losses(),
            Self::Values(values) => values.value.clone(),
            Self::Numbers(numbers) => numbers.of_cases(metric),
        }
    }

    /// A metric that is not a mean over the cases of these numbers, with repetitions; `None` where it is undefined.
    pub(crate) fn of_chosen(&self, metric: &MetricId, cases: &[usize]) -> Result<Option<f64>, MetricError> {
        match self {
            Self::Forecasts(all) => of_forecasts(metric, &all.chosen(cases)),
            Self::Values(_) => Ok(None),
            Self::Numbers(all) => {
                Ok(agreement::estimate(metric, &agreement::build(&all.chosen(cases))?)?.value)
            }
        }
    }

    /// The metric's summary.
    pub(crate) fn summary(&self, metric: &MetricId, options: &Options) -> Result<Summary, MetricError> {
        match (kind_of(metric), self) {
            (Kind::Mean, Self::Forecasts(_)) => Ok(Summary::Moments(moments::build(&self.of_cases(metric))?)),
            (Kind::Mean, data) => {
                let mut sums = moments::build_sketched(&data.of_cases(metric), options.min_cell)?;
                if let Self::Numbers(numbers) = data {
                    sums.undefined = numbers.undefined;
                }
                Ok(Summary::Moments(sums))
            }
            (_, Self::Forecasts(cases)) => summarise(metric, cases, options),
            (_, Self::Numbers(numbers)) => Ok(Summary::Agreement(agreement::build(numbers)?)),
            (_, Self::Values(_)) => {
                Err(MetricError::Malformed("a metric of masks is one of cases".to_owned()))
            }
        }
    }
}

/// Computes one metric over a case table: the exact estimate, and the summary that merges with other sites'.
///
/// A table has the columns `case_id` and `outcome`, and for classification `label` and `score`, for regression
/// `reference` and `prediction`, for segmentation one named after the metric and those that [`crate::segmentation`]
/// measures beside it.
///
/// What a case without a valid answer counts as, and how few cases a released cell may describe, is in the options.
///
/// # Errors
/// [`MetricError::UnknownMetric`], [`MetricError::Form`] and [`MetricError::Parameter`] for the id;
/// [`MetricError::OtherTask`] for a metric of a task that has no case tables; [`MetricError::Column`] for a column that
/// is missing or of another type; [`MetricError::Case`], with the case's name and row, for a value outside its range;
/// [`MetricError::NoWorst`] where a case failed and no value is the worst; [`MetricError::Overflow`] and
/// [`MetricError::Underflow`] for numbers that cannot be summed exactly.
///
/// ```
/// use fiel_metrics::{Options, assess};
/// use fiel_schemas::challenge::FailedCases;
/// use polars::prelude::df;
///
/// // The model crashed on the third case.
/// let table = df!(
///     "case_id" => ["a", "b", "c", "d"], "outcome" => ["ok", "ok", "crashed", "ok"],
///     "label" => [1, 0, 1, 0], "score" => [Some(0.9), Some(0.2), None, Some(0.4)],
/// )?;
/// // It counts as wrong as can be: as a score of 0 where the label is 1, behind both negative cases.
/// let site = assess("auc", &table, &Options::default())?;
/// assert_eq!((site.estimate.value, site.estimate.n), (Some(0.5), 4));
/// let without = Options { failed_cases: FailedCases::Exclude, ..Options::default() };
/// let site = assess("auc", &table, &without)?;
/// assert_eq!((site.estimate.value, site.estimate.n), (Some(1.0), 3));
/// // What is wrong is named.
/// let refused = assess("mae", &table, &without).unwrap_err().to_string();
/// assert!(refused.contains("`reference`"), "{refused}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn assess(metric_id: &str, table: &DataFrame, options: &Options) -> Result<SiteMetric, MetricError> {
    let metric = MetricId::parse(metric_id)?;
    site_metric(metric_id, &metric, &Data::read(metric_id, &metric, table, options)?, options)
}

/// Estimate and summary of one site.
pub(crate) fn site_metric(
    metric_id: &str,
    metric: &MetricId,
    data: &Data,
    options: &Options,
) -> Result<SiteMetric, MetricError> {
    let summary = data.summary(metric, options)?;
    let estimate = estimate(metric_id, &summary)?;
    Ok(SiteMetric { estimate, summary, replicates: None })
}

/// The summary of a metric of a whole set of forecasts.
fn summarise(metric: &MetricId, cases: &Cases, options: &Options) -> Result<Summary, MetricError> {
    Ok(match kind_of(metric) {
        Kind::Bins => {
            let exact = released(calibration::exact(metric, cases)?);
            let bins = calibration::build(metric, cases, options.min_cell)?;
            Summary::Calibration(Calibration { exact, ..bins })
        }
        Kind::Confusion => Summary::Confusion(confusion::build(metric, cases, options.min_cell)),
        Kind::PerSite => {
            let value = index(metric, cases)?.ok();
            let over = |drawn: &[usize]| match index(metric, &cases.chosen(drawn)) {
                Ok(value) => value,
                // A sample of valid cases is valid, but it may be too poor for the metric.
                Err(_) => Err(Undefined::TooFew),
            };
            Summary::PerSite(per_site::build(cases.score.len(), value, over)?)
        }
        _ => {
            let mut summary = scores::build(cases, options.min_cell)?;
            let one_class_is_enough = matches!(metric.spec.id, "average_precision" | "ece" | "mce");
            if one_class_is_enough {
                let defined = if metric.spec.id == "average_precision" {
                    summary.pos
                } else {
                    summary.pos + summary.neg
                };
                summary.one_class = u64::from(defined == 0);
            }
            summary.exact = released(scores_exact(metric, cases)?);
            Summary::Scores(summary)
        }
    })
}

/// The number after `@`, where the metric has one.
fn parameter(metric: &MetricId) -> f64 {
    metric.parameter.unwrap_or(0.95)
}

#[expect(clippy::unnecessary_wraps, reason = "the form of the document")]
fn released(answer: Answer) -> Option<ExactValue> {
    Some(ExactValue { value: answer.value, ci95: answer.ci95 })
}

/// A metric of a whole set over forecasts in one place, with an interval in closed form or by bootstrap; `None` for
/// metrics that have neither here.
pub(crate) fn exact(metric: &MetricId, cases: &Cases) -> Result<Option<Estimate>, MetricError> {
    let answer = match kind_of(metric) {
        Kind::Bins => calibration::exact(metric, cases)?,
        Kind::Scores => scores_exact(metric, cases)?,
        Kind::Confusion => {
            return confusion::estimate(metric, &confusion::build(metric, cases, 1)).map(Some);
        }
        Kind::Mean | Kind::Agreement | Kind::PerSite => return Ok(None),
    };
    let undefined = u64::from(answer.value.is_none());
    Ok(Some(answer.estimate(cases.score.len() as u64, undefined)))
}

fn scores_exact(metric: &MetricId, cases: &Cases) -> Result<Answer, MetricError> {
    Ok(match metric.spec.id {
        "auc" => ranking::auc(&cases.groups()),
        "average_precision" => ranking::average_precision(&cases.groups()),
        "partial_auc" => ranking::partial_auc(&cases.groups(), parameter(metric)),
        "calibration_slope" => logistic::slope(cases),
        "calibration_intercept" => logistic::intercept(cases),
        "specificity@sensitivity" => ranking::specificity(&cases.groups(), parameter(metric)),
        "sensitivity@specificity" => ranking::sensitivity(&cases.groups(), parameter(metric)),
        _ => equal_mass::exact(metric, cases)?,
    })
}

/// A metric of a whole set over forecasts, without the cost of an interval; `None` where it is undefined.
fn of_forecasts(metric: &MetricId, cases: &Cases) -> Result<Option<f64>, MetricError> {
    Ok(match (kind_of(metric), metric.spec.id) {
        (Kind::Bins, _) => calibration::value(metric, cases)?,
        (Kind::Confusion, _) => confusion::of_cases(metric, cases),
        (Kind::PerSite, _) => index(metric, cases)?.ok(),
        (_, "average_precision") => ranking::precision(&cases.groups()),
        (_, "partial_auc") => ranking::partial_area(&cases.groups(), parameter(metric)),
        (_, "ece" | "mce") => equal_mass::value(metric, cases)?,
        _ => scores_exact(metric, cases)?.value,
    })
}

/// A metric of forecasts that has neither mergeable sums nor an interval in closed form.
pub(crate) fn index(metric: &MetricId, cases: &Cases) -> Result<Result<f64, Undefined>, InputError> {
    if cases.score.is_empty() {
        return Ok(Err(Undefined::TooFew));
    }
    let (pos, neg) = cases.classes();
    if metric.spec.undefined.contains(&Undefined::OneClass) && (pos == 0 || neg == 0) {
        return Ok(Err(Undefined::OneClass));
    }
    let forecasts = Forecasts::new(&cases.score, &cases.label)?;
    if metric.spec.id == "smece" {
        return Ok(Ok(forecasts.smooth_ece().value));
    }
    Ok(forecasts.calibration_index(Smoother::R)?.map(|index| match metric.spec.id {
        "e50" => index.e50,
        "e90" => index.e90,
        _ => index.ici,
    }))
}

/// Merges two summaries of one metric: associative and commutative, the same bytes in any order.
///
/// # Errors
/// [`MetricError::Mismatch`] for summaries of different kinds (of two metrics with the same kind of summary only the
/// caller knows); [`MetricError::Overflow`] for sums that leave their range; [`MetricError::Malformed`] for a summary
/// that contradicts itself.
///
/// ```
/// use fiel_metrics::{Options, assess, estimate, merge};
/// use polars::prelude::df;
///
/// let site = |scores: [f64; 2]| {
///     df!("case_id" => ["a", "b"], "outcome" => ["ok"; 2], "label" => [1, 0], "score" => scores)
/// };
/// let of = |id: &str, scores| Ok::<_, Box<dyn std::error::Error>>(assess(id, &site(scores)?, &Options::default())?);
/// // Brier scores 0.25 and 0.25 at one site, 0 and 1 at the other.
/// let (left, right) = (of("brier", [0.5, 0.5])?, of("brier", [1.0, 1.0])?);
/// let both = merge(&left.summary, &right.summary)?;
/// assert_eq!(estimate("brier", &both)?.value, Some(0.375));
/// assert_eq!(both, merge(&right.summary, &left.summary)?);
/// assert!(merge(&left.summary, &of("auc", [0.5, 0.5])?.summary).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn merge(a: &Summary, b: &Summary) -> Result<Summary, MetricError> {
    Ok(match (a, b) {
        (Summary::Moments(a), Summary::Moments(b)) => Summary::Moments(moments::merge(a, b)?),
        (Summary::Scores(a), Summary::Scores(b)) => Summary::Scores(scores::merge(a, b)?),
        (Summary::Calibration(a), Summary::Calibration(b)) => Summary::Calibration(calibration::merge(a, b)?),
        (Summary::Confusion(a), Summary::Confusion(b)) => Summary::Confusion(confusion::merge(a, b)?),
        (Summary::Agreement(a), Summary::Agreement(b)) => Summary::Agreement(agreement::merge(a, b)?),
        (Summary::PerSite(a), Summary::PerSite(b)) => Summary::PerSite(per_site::merge(a, b)?),
        _ => return Err(MetricError::Mismatch { left: kind(a).to_owned(), right: kind(b).to_owned() }),
    })
}

/// The metric's value from a summary, with its interval and the certified bound on its distance from the
/// value over the same cases held centrally; for metrics that no sums give, random effects over the sites, labelled so.
///
/// # Errors
/// [`MetricError::UnknownMetric`], [`MetricError::Form`] and [`MetricError::Parameter`] for the id,
/// [`MetricError::Mismatch`] for a summary of another kind than the metric's, [`MetricError::Malformed`] for one that contradicts
/// itself.
///
/// ```
/// use fiel_metrics::{Options, assess, estimate, merge};
/// use polars::prelude::df;
///
/// let site = |labels: [i32; 4], scores: [f64; 4]| {
///     df!("case_id" => ["a", "b", "c", "d"], "outcome" => ["ok"; 4], "label" => labels, "score" => scores)
/// };
/// let options = Options::default();
/// let left = assess("f1@0.5", &site([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1])?, &options)?; // one of each decision
/// let right = assess("f1@0.5", &site([1, 1, 1, 0], [0.9, 0.8, 0.7, 0.2])?, &options)?; // all right
/// let pooled = estimate("f1@0.5", &merge(&left.summary, &right.summary)?)?;
/// // Four true positives, one false positive, one missed; decisions are counted, so that nothing is open.
/// assert_eq!((pooled.value, pooled.n, pooled.bound), (Some(0.8), 8, Some(0.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn estimate(metric_id: &str, summary: &Summary) -> Result<Estimate, MetricError> {
    let metric = MetricId::parse(metric_id)?;
    match (kind_of(&metric), summary) {
        (Kind::Mean, Summary::Moments(m)) => mean_estimate(&metric, m),
        (Kind::Bins, Summary::Calibration(c)) => calibration_estimate(&metric, c),
        (Kind::Scores, Summary::Scores(s)) => scores_estimate(&metric, s),
        (Kind::Confusion, Summary::Confusion(c)) => confusion::estimate(&metric, c),
        (Kind::Agreement, Summary::Agreement(a)) => agreement::estimate(&metric, a),
        (Kind::PerSite, Summary::PerSite(p)) => per_site::estimate(&metric, p),
        _ => Err(MetricError::Mismatch {
            left: format!("the metric `{metric_id}`"),
            right: kind(summary).to_owned(),
        }),
    }
}

fn mean_estimate(metric: &MetricId, m: &fiel_schemas::summary::Moments) -> Result<Estimate, MetricError> {
    let mean = moments::estimate(m, metric.spec.range)?;
    Ok(Estimate {
        value: mean.value.map(|v| of_mean(metric, v)),
        ci95: mean.ci95.map(|ends| ends.map(|v| of_mean(metric, v))),
        // Quartiles of squares are those of no error that the metric is in.
        quartiles: mean.quartiles.filter(|_| metric.spec.level == Level::Case),
        ..mean
    })
}

fn calibration_estimate(metric: &MetricId, c: &Calibration) -> Result<Estimate, MetricError> {
    let n = c.bins.iter().try_fold(c.suppressed, |n, b| fixed::count(n, b.n))?;
    let merged = calibration::merged(metric, c)?;
    Ok(finish(merged, c.exact.as_ref(), n, u64::from(n == 0)))
}

fn scores_estimate(metric: &MetricId, s: &Scores) -> Result<Estimate, MetricError> {
    scores::check(s)?;
    let answer = match (metric.spec.id, &s.exact) {
        (_, Some(_)) => Answer::default(),
        ("auc", None) => ranking::auc_merged(s)?,
        ("average_precision", None) => ranking::average_precision_merged(s),
        ("partial_auc", None) => ranking::partial_auc_merged(s, parameter(metric)),
        ("calibration_slope", None) => logistic::slope_merged(&s.cells),
        ("calibration_intercept", None) => logistic::intercept_merged(&s.cells),
        ("specificity@sensitivity", None) => ranking::specificity_merged(s, parameter(metric)),
        ("sensitivity@specificity", None) => ranking::sensitivity_merged(s, parameter(metric)),
        _ => equal_mass::merged(metric, s)?,
    };
    Ok(finish(answer, s.exact.as_ref(), fixed::count(s.pos, s.neg)?, s.one_class))
}

/// The exact value where there is one; then the metric is undefined for this set or defined, nothing between.
fn finish(merged: Answer, exact: Option<&ExactValue>, n: u64, undefined: u64) -> Estimate {
    match exact {
        Some(e) => {
            let answer = Answer { value: e.value, ci95: e.ci95, bound: 0.0 };
            answer.estimate(n, u64::from(e.value.is_none()))
        }
        None => merged.estimate(n, undefined),
    }
}

fn kind(summary: &Summary) -> &'static str {
    match summary {
        Summary::Moments(_) => "a summary of moments",
        Summary::Scores(_) => "a summary of scores",
        Summary::Calibration(_) => "a summary of calibration bins",
        Summary::Confusion(_) => "a summary of decisions",
        Summary::Agreement(_) => "a summary of pairs of numbers",
        Summary::PerSite(_) => "a summary of sites' values",
    }
}
