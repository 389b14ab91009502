//! Scoring files at once, for the command line: no server, no challenge.

mod classification;
pub(crate) mod columns;
mod compare;
mod curves;
mod detection;
mod measured;
mod multiclass;
mod pairs;
mod regression;
mod segmentation;
mod survival;

pub use classification::{ClassificationFiles, classification};
pub use compare::{Compared, Comparison};
pub use curves::{
    Curves, DecisionCurve, FrocCurve, PrecisionRecall, ReliabilityCurve, Roc, SurvivalCurves, SurvivalGroup,
};
pub use detection::{DetectionFiles, detection};
pub use multiclass::{MulticlassFiles, multiclass};
pub use regression::{RegressionFiles, regression};
pub use segmentation::{SegmentationFiles, segmentation};
pub use survival::{SurvivalFiles, survival};

use crate::assess::Options;
use crate::error::ScoreError;
use crate::registry::{MetricId, MetricTask};
use fiel_schemas::assessment::SiteMetric;
use polars::prelude::{Column, DataFrame};
use polars_io::prelude::ParquetWriter;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The metrics of a set of files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreReport {
    /// `classification`, `multiclass`, `segmentation`, `detection`, `survival` or `regression`.
    pub task: &'static str,
    /// Cases, the unit of every interval.
    pub n: u64,
    /// Rows of cases that hold several labels, one per label; none where every case is one row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Every metric that was asked for, by its id as asked.
    pub metrics: BTreeMap<String, ScoreMetric>,
    /// Every case, or every label of it: its name under `case`, and its own value of each metric that has one.
    pub cases: Vec<ScoreCase>,
    /// The same metrics within strata, where these were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Strata>,
    /// The same metrics of other answers to the same cases, where these were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Curves, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curves: Option<Curves>,
    /// For each metric an estimate and a summary that merges with other sites', where these were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summaries: Option<BTreeMap<String, SiteMetric>>,
}

/// One metric over all cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreMetric {
    /// Id with convention, parameter and version.
    pub id: String,
    /// The value; `null` where it is undefined.
    pub value: Option<f64>,
    /// 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
    /// Unit symbol, `1` for pure numbers.
    pub unit: &'static str,
    /// Rows (for metrics of a whole set: sets) for which it is undefined.
    pub undefined: u64,
    /// Why the metric of a whole set is undefined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreCase {
    /// Its name.
    pub case: String,
    /// Its label, where cases hold several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<u8>,
    /// Its value of each per-case metric; `null` where undefined.
    #[serde(flatten)]
    pub values: BTreeMap<String, Option<f64>>,
}

/// The metrics within each stratum of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strata {
    /// The column.
    pub column: String,
    /// The strata, by the column's value.
    pub groups: BTreeMap<String, Stratum>,
    /// Per metric, the stratum where it is worst and how far it lies from the best.
    pub gaps: BTreeMap<String, Gap>,
}

/// One stratum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stratum {
    /// Cases, the unit of every interval.
    pub n: u64,
    /// Rows of cases that hold several labels, one per label; none where every case is one row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Metrics by id as asked.
    pub metrics: BTreeMap<String, ScoreMetric>,
}

/// How unequal a metric is over strata.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// The worst stratum.
    pub worst: String,
    /// The best stratum.
    pub best: String,
    /// Difference of their values, never negative.
    pub gap: f64,
}

/// Writes every case's own values to a Parquet table: `case`, `label` where cases hold several, a column per metric.
///
/// # Errors
/// [`ScoreError::Table`] where the file cannot be written, with the reason.
///
/// ```
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{ClassificationFiles, Request, classification, write_cases};
/// use fiel_metrics::table::read_f64_column;
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("answers.csv");
/// std::fs::write(&table, "case_id,y,p\na,1,0.75\nb,0,0.5\n")?;
/// let files = ClassificationFiles { table: &table, label: "y", score: "p", compare: None, case: None };
/// let request = Request::new(MetricTask::Classification, &["brier".to_owned(), "auc".to_owned()])?;
/// let report = classification(&files, &request)?;
/// // AUC belongs to the whole set: it has no column.
/// let path = folder.path().join("cases.parquet");
/// write_cases(&report, &["brier", "auc"], &path)?;
/// assert_eq!(read_f64_column(&path, "brier")?, [Some(0.0625), Some(0.25)]);
/// assert!(read_f64_column(&path, "auc").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_cases(report: &ScoreReport, metrics: &[&str], path: &Path) -> Result<(), ScoreError> {
    let failed = |problem: String| ScoreError::Table { path: path.to_owned(), problem };
    let names: Vec<&str> = report.cases.iter().map(|c| c.case.as_str()).collect();
    let mut columns = vec![Column::new("case".into(), names)];
    if report.cases.iter().any(|c| c.label.is_some()) {
        let labels: Vec<Option<u32>> = report.cases.iter().map(|c| c.label.map(u32::from)).collect();
        columns.push(Column::new("label".into(), labels));
    }
    for id in metrics.iter().filter(|id| report.cases.iter().any(|c| c.values.contains_key(**id))) {
        let values: Vec<Option<f64>> =
            report.cases.iter().map(|c| c.values.get(*id).copied().flatten()).collect();
        columns.push(Column::new((*id).into(), values));
    }
    let mut frame = DataFrame::new(report.cases.len(), columns).map_err(|e| failed(e.to_string()))?;
    let file = std::fs::File::create(path).map_err(|e| failed(e.to_string()))?;
    ParquetWriter::new(file).finish(&mut frame).map_err(|e| failed(e.to_string()))?;
    Ok(())
}

/// How uncertainty is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intervals {
    /// None.
    Off,
    /// In closed form where there is one (DeLong, Wilson, Student, Wald), else by bootstrap.
    Auto,
    /// By percentile bootstrap over cases, always.
    Bootstrap,
    /// By bias-corrected and accelerated bootstrap over at most 20,000 cases, always.
    Bca,
}

/// What to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Metrics, with their ids as asked.
    pub metrics: Vec<(String, MetricId)>,
    /// How uncertainty is computed.
    pub intervals: Intervals,
    /// Bootstrap samples.
    pub replicates: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Column that divides the cases into strata.
    pub by: Option<String>,
    /// Whether curves are given: for classification decisions and reliability, for survival Kaplan-Meier.
    pub curves: bool,
    /// How summaries that merge with other sites' are made, where they are asked for.
    pub summaries: Option<Options>,
}

impl Request {
    /// The metrics that a task is scored with where none are asked for, and 1,000 bootstrap samples where needed.
    ///
    /// # Errors
    /// None: every id is in the registry. The type is that of [`Request::new`].
    ///
    /// ```
    /// use fiel_metrics::registry::MetricTask;
    /// use fiel_metrics::score::{Intervals, Request};
    /// let request = Request::default_of(MetricTask::Survival)?;
    /// let ids: Vec<&str> = request.metrics.iter().map(|(id, _)| id.as_str()).collect();
    /// assert_eq!(ids, ["c_index_harrell", "c_index_uno"]);
    /// assert_eq!((request.intervals, request.replicates), (Intervals::Auto, 1000));
    /// # Ok::<(), fiel_metrics::ScoreError>(())
    /// ```
    pub fn default_of(task: MetricTask) -> Result<Self, ScoreError> {
        let ids: &[&str] = match task {
            MetricTask::Classification => &[
                "auc",
                "average_precision",
                "sensitivity@specificity=0.95",
                "f1@0.5",
                "mcc@0.5",
                "brier",
                "log_loss",
                "ece@15",
                "calibration_slope",
                "calibration_intercept",
            ],
            MetricTask::Multiclass => &[
                "multiclass_accuracy",
                "multiclass_balanced_accuracy",
                "multiclass_f1",
                "multiclass_mcc",
                "multiclass_kappa",
            ],
            MetricTask::Segmentation => &["dice", "iou", "nsd@1.0", "hd95", "assd", "volume_error_ml"],
            MetricTask::Detection => &["map", "ap@0.5"],
            MetricTask::Survival => &["c_index_harrell", "c_index_uno"],
            MetricTask::Regression => &["mae", "rmse", "bias", "r2", "ccc"],
            // Files hold answers and not what they cost.
            MetricTask::Technical => &[],
        };
        Self::new(task, &ids.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// These metrics of a task, with intervals in closed form where there are such and else by 1,000 bootstrap
    /// samples; no strata, no curves, no summaries.
    ///
    /// # Errors
    /// [`ScoreError::Metric`] for what is no id, [`ScoreError::OtherTask`] for an id of another task.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricTask;
    /// use fiel_metrics::score::{Intervals, Request};
    /// let ids = ["dice".to_owned(), "nsd@2".to_owned()];
    /// let request = Request::new(MetricTask::Segmentation, &ids)?;
    /// assert_eq!(request.metrics[1].1.parameter, Some(2.0));
    /// // What else is wanted is set on top.
    /// let request = Request { intervals: Intervals::Bootstrap, replicates: 10_000, seed: 7, ..request };
    /// assert_eq!(request.metrics.len(), 2);
    /// let refused = Request::new(MetricTask::Regression, &ids).unwrap_err().to_string();
    /// assert!(refused.contains("`dice` is a metric of segmentation"), "{refused}");
    /// # Ok::<(), fiel_metrics::ScoreError>(())
    /// ```
    pub fn new(task: MetricTask, ids: &[String]) -> Result<Self, ScoreError> {
        let mut metrics = Vec::with_capacity(ids.len());
        for id in ids {
            let metric = MetricId::parse(id)?;
            if metric.spec.task != task {
                return Err(ScoreError::OtherTask {
                    id: id.clone(),
                    found: metric.spec.task.as_str(),
                    wanted: task.as_str(),
                });
            }
            metrics.push((id.clone(), metric));
        }
        Ok(Self {
            metrics,
            intervals: Intervals::Auto,
            replicates: 1000,
            seed: 1,
            by: None,
            curves: false,
            summaries: None,
        })
    }
}
