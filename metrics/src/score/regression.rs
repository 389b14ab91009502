//! Numbers against numbers.

use super::columns::Columns;
use super::measured::{self, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport};
use crate::registry::{MetricId, MetricTask};
use fiel_kernels::regression::{IccForm, Pairs, Ratings};
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
    /// Column of case names; by default `case_id`, without one the row's number.
    pub case: Option<&'a str>,
}

/// Scores predicted numbers against reference numbers.
pub fn regression(files: &RegressionFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    let columns = Columns::read(files.table)?;
    let set = Numbers {
        names: columns.names(files.case)?,
        reference: columns.numbers(files.reference, "a finite number", f64::is_finite)?,
        prediction: columns.numbers(files.prediction, "a finite number", f64::is_finite)?,
    };
    let strata = request.by.as_ref().map(|by| columns.words(by)).transpose()?;
    measured::report(&set, request, strata)
}

struct Numbers {
    names: Vec<String>,
    reference: Vec<f64>,
    prediction: Vec<f64>,
}

impl measured::Cases for Numbers {
    const TASK: MetricTask = MetricTask::Regression;

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.iter().map(|n| (n.clone(), None)).collect()
    }

    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue> {
        let chosen = |values: &[f64]| cases.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let (prediction, reference) = (chosen(&self.prediction), chosen(&self.reference));
        let pairs = Pairs::new(&prediction, &reference)?;
        Ok(match (metric.spec.id, metric.convention()) {
            ("rmse", _) => pairs.root_mean_squared_error().into(),
            ("r2", _) => pairs.r2()?.into(),
            ("ccc", _) => {
                let found = pairs.concordance(0.95)??;
                Valued { value: found.value, interval: found.interval }
            }
            (_, convention) => {
                let form = match convention {
                    Some("consistency") => IccForm::TwoWayMixedSingle,
                    Some("one_way") => IccForm::OneWaySingle,
                    _ => IccForm::TwoWayRandomSingle,
                };
                let ratings: Vec<f64> =
                    reference.iter().zip(&prediction).flat_map(|(r, p)| [*r, *p]).collect();
                let found = Ratings::new(&ratings, 2)?.icc(form, 0.95)??;
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
