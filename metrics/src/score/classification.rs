//! Probabilities against 0/1 labels.

use super::columns::Columns;
use super::measured::{self, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport, compare, curves};
use crate::assess::{self, Data};
use crate::registry::{MetricId, MetricTask};
use crate::table::{self, Cases};
use fiel_kernels::Undefined;
use fiel_kernels::classification::PairedScores;
use std::path::Path;

/// Where probabilities and labels stand.
#[derive(Debug, Clone, Copy)]
pub struct ClassificationFiles<'a> {
    /// A CSV or Parquet table with a row per case.
    pub table: &'a Path,
    /// Column of 0/1 labels.
    pub label: &'a str,
    /// Column of probabilities.
    pub score: &'a str,
    /// Column of the probabilities of another model, to compare.
    pub compare: Option<&'a str>,
    /// Column of case names; by default `case_id`, without one the row's number.
    pub case: Option<&'a str>,
}

/// Scores probabilities against 0/1 labels.
///
/// With the probabilities of another model on the same cases ([`ClassificationFiles::compare`]) the report says how
/// both differ and how sure that is; with [`Request::by`] it has every metric within each stratum as well.
///
/// # Errors
/// [`ScoreError::Table`] for a file that cannot be read, a column that it does not have, or no row;
/// [`ScoreError::Row`], with its number, for a label that is neither 0 nor 1, a score that is no probability, an
/// empty stratum or a case that stands twice. A metric that is undefined for these cases is no error: its value is
/// `None`, with the reason.
///
/// ```
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{ClassificationFiles, Request, classification};
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("answers.csv");
/// std::fs::write(&table, "case_id,site,y,p\na,north,1,0.9\nb,north,0,0.25\nc,south,1,0.5\nd,south,0,0.5\n")?;
/// let files = ClassificationFiles { table: &table, label: "y", score: "p", compare: None, case: None };
/// let ids = ["auc".to_owned(), "brier".to_owned(), "sensitivity@0.8".to_owned()];
/// let request = Request { by: Some("site".to_owned()), ..Request::new(MetricTask::Classification, &ids)? };
/// let report = classification(&files, &request)?;
///
/// assert_eq!(report.metrics["auc"].value, Some(0.875)); // of four pairs one ties
/// assert_eq!(report.metrics["sensitivity@0.8"].value, Some(0.5));
/// assert_eq!(report.cases[1].values["brier"], Some(0.0625));
/// let by_site = report.by.expect("strata were asked for");
/// assert_eq!((by_site.gaps["auc"].worst.as_str(), by_site.gaps["auc"].gap), ("south", 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn classification(files: &ClassificationFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    let columns = Columns::read(files.table)?;
    let label = columns.numbers(files.label, "a label, 0 or 1", table::is_label)?;
    let label: Vec<bool> = label.into_iter().map(|y| y > 0.5).collect();
    let names = columns.names(files.case)?;
    let set = |column: &str| -> Result<Forecast, ScoreError> {
        let score = columns.numbers(column, "a probability from 0 to 1", |v| (0.0..=1.0).contains(&v))?;
        // Adding zero turns -0 into 0, so that equal scores have equal bits.
        let score = score.into_iter().map(|s| s + 0.0).collect();
        Ok(Forecast { names: names.clone(), score, label: label.clone() })
    };
    let own = set(files.score)?;
    let strata = request.by.as_ref().map(|by| columns.words(by)).transpose()?;
    let mut report = measured::report(&own, request, strata)?;
    if let Some(other) = files.compare {
        report.comparison = Some(compare::compare(&own, &set(other)?, other, request)?);
    }
    if request.curves {
        report.curves = Some(curves::of_forecasts(&own.score, &own.label)?);
    }
    Ok(report)
}

struct Forecast {
    names: Vec<String>,
    score: Vec<f64>,
    label: Vec<bool>,
}

impl Forecast {
    fn chosen(&self, cases: &[usize]) -> Cases {
        let score: Vec<f64> = cases.iter().map(|&i| self.score[i]).collect();
        let label: Vec<bool> = cases.iter().map(|&i| self.label[i]).collect();
        Cases::new(score, label)
    }
}

impl measured::Cases for Forecast {
    const TASK: MetricTask = MetricTask::Classification;

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.iter().map(|n| (n.clone(), None)).collect()
    }

    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue> {
        let chosen = self.chosen(cases);
        if let Some(estimate) = assess::exact(metric, &chosen)? {
            let value = estimate.value.ok_or(why(metric, &chosen))?;
            return Ok(Valued { value, interval: estimate.ci95 });
        }
        Ok(assess::index(metric, &chosen)??.into())
    }

    fn paired_test(&self, other: &Self, metric: &MetricId) -> Option<(&'static str, f64, Option<[f64; 2]>)> {
        if metric.spec.id != "auc" {
            return None;
        }
        let paired = PairedScores::new(&self.score, &other.score, &self.label).ok()?.delong().ok()?;
        Some(("delong", paired.p_two_sided().ok()?, paired.interval(0.95).ok()))
    }

    fn data(&self) -> Option<Data> {
        Some(Data::Forecasts(self.chosen(&(0..self.names.len()).collect::<Vec<_>>())))
    }

    fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        let all: Vec<usize> = (0..self.names.len()).collect();
        let cases = self.chosen(&all);
        if metric.spec.id == "brier" { cases.brier } else { cases.log_losses() }
    }
}

/// Why a metric has no value on these cases.
fn why(metric: &MetricId, cases: &Cases) -> Undefined {
    let (pos, neg) = cases.classes();
    match metric.spec.id {
        "average_precision" | "sensitivity" if pos == 0 => Undefined::NoPositive,
        _ if metric.spec.undefined.contains(&Undefined::OneClass) && (pos == 0 || neg == 0) => {
            Undefined::OneClass
        }
        "calibration_slope" if cases.score.windows(2).all(|w| w[0].to_bits() == w[1].to_bits()) => {
            Undefined::Constant
        }
        "calibration_slope" => Undefined::Separated,
        _ => Undefined::ZeroDenominator,
    }
}
