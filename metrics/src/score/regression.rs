//! Numbers against numbers.

use super::columns::Columns;
use super::measured::{self, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport, compare};
use crate::agreement::{self, icc_form};
use crate::assess::Data;
use crate::fixed;
use crate::registry::{MetricId, MetricTask};
use fiel_kernels::Undefined;
use fiel_kernels::regression::{Pairs, Ratings};
use std::path::Path;

/// Where references and predictions stand.
#[derive(Debug, Clone, Copy)]
pub struct RegressionFiles<'a> {
    /// A CSV or Parquet table with a row per case.
    pub table: &'a Path,
    /// Column of reference values.
    pub reference: &'a str,
    /// Column of predicted values.
    pub prediction: &'a str,
    /// Column of the predictions of another model, to compare.
    pub compare: Option<&'a str>,
    /// Column of case names; by default `case_id`, without one the row's number.
    pub case: Option<&'a str>,
}

/// Scores predicted numbers against reference numbers, both in one unit, which errors are then in as well.
///
/// With the predictions of another model on the same cases ([`RegressionFiles::compare`]) the report says how both
/// differ and how sure that is; with [`Request::by`] it has every metric within each stratum as well.
///
/// # Errors
/// [`ScoreError::Table`] for a file that cannot be read, a column that it does not have, or no row;
/// [`ScoreError::Row`], with its number, for a value that is no finite number or beyond 1e150 in size, an empty
/// stratum or a case that stands twice; [`ScoreError::Metric`] for references so small that exact sums would lose them.
///
/// ```
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{RegressionFiles, Request, regression};
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("ages.csv");
/// std::fs::write(&table, "case_id,age,guess,other\na,40,42,41\nb,50,50,51\nc,60,58,61\n")?;
/// let files = RegressionFiles {
///     table: &table, reference: "age", prediction: "guess", compare: Some("other"), case: None,
/// };
/// let ids = ["mae".to_owned(), "bias".to_owned()];
/// let report = regression(&files, &Request::new(MetricTask::Regression, &ids)?)?;
/// assert_eq!(report.metrics["mae"].value, Some(4.0 / 3.0)); // years
/// assert_eq!(report.metrics["bias"].value, Some(0.0));
/// assert!(report.comparison.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn regression(files: &RegressionFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    let columns = Columns::read(files.table)?;
    let names = columns.names(files.case)?;
    let expected = "a finite number of at most 1e150 in size";
    let number = |column: &str| columns.numbers(column, expected, |v| v.abs() <= LARGEST);
    let reference = number(files.reference)?;
    fixed::check_scale(&reference, "the reference")?;
    let set = |column: &str| -> Result<Numbers, ScoreError> {
        Ok(Numbers { names: names.clone(), reference: reference.clone(), prediction: number(column)? })
    };
    let own = set(files.prediction)?;
    let strata = request.by.as_ref().map(|by| columns.words(by)).transpose()?;
    let mut report = measured::report(&own, request, strata)?;
    if let Some(other) = files.compare {
        report.comparison = Some(compare::compare(&own, &set(other)?, other, request)?);
    }
    Ok(report)
}

/// Largest size of a value: the kernels' limit, beyond which squares overflow, refused here where the row is known.
const LARGEST: f64 = 1e150;

struct Numbers {
    names: Vec<String>,
    reference: Vec<f64>,
    prediction: Vec<f64>,
}

impl measured::Cases for Numbers {
    const TASK: MetricTask = MetricTask::Regression;

    fn data(&self) -> Option<Data> {
        let row = (0..self.names.len()).collect();
        let (prediction, reference) = (self.prediction.clone(), self.reference.clone());
        Some(Data::Numbers(agreement::Numbers { prediction, reference, undefined: 0, row }))
    }

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.iter().map(|n| (n.clone(), None)).collect()
    }

    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue> {
        let chosen = |values: &[f64]| cases.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let (prediction, reference) = (chosen(&self.prediction), chosen(&self.reference));
        let pairs = Pairs::new(&prediction, &reference)?;
        Ok(match metric.spec.id {
            "rmse" => pairs.root_mean_squared_error().into(),
            "r2" => pairs.r2()?.into(),
            limit @ ("loa_lower" | "loa_upper") => {
                let found = pairs.bland_altman(0.95, 0.95)??;
                let (at, interval) = match limit {
                    "loa_lower" => (0, found.lower_interval),
                    _ => (1, found.upper_interval),
                };
                Valued { value: found.limits[at], interval: Some(interval) }
            }
            "ccc" => {
                let found = pairs.concordance(0.95)??;
                Valued { value: found.value, interval: found.interval }
            }
            _ if reference.len() < 2 => return Err(Undefined::TooFew.into()),
            _ => {
                let ratings: Vec<f64> =
                    reference.iter().zip(&prediction).flat_map(|(r, p)| [*r, *p]).collect();
                let found = Ratings::new(&ratings, 2)?.icc(icc_form(metric), 0.95)??;
                Valued { value: found.value, interval: found.interval }
            }
        })
    }

    fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        let difference =
            |(p, r): (&f64, &f64)| Some(if metric.spec.id == "mae" { (p - r).abs() } else { p - r });
        self.prediction.iter().zip(&self.reference).map(difference).collect()
    }
}
