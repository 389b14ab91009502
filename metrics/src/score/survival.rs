//! Risks against censored times.

use super::columns::Columns;
use super::measured::{self, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport, curves};
use crate::registry::{MetricId, MetricTask};
use crate::table;
use fiel_kernels::survival::{
    CensoringDistribution, Confidence, Horizon, PredictedSurvival, RiskConcordance, SurvivalTimes, TimeGrid,
    time_dependent_auc,
};
use std::path::Path;

/// Where times, events and predictions stand.
#[derive(Debug, Clone, Copy)]
pub struct SurvivalFiles<'a> {
    /// A CSV or Parquet table with a row per patient.
    pub table: &'a Path,
    /// Column of times until the event or the end of observation.
    pub time: &'a str,
    /// Column of events: 1 where the event was observed, 0 where the patient was censored.
    pub event: &'a str,
    /// Column of risks: higher means an earlier event.
    pub risk: &'a str,
    /// Start of the names of columns that hold the predicted probability of being free of the event at a time, the
    /// rest of the name being that time, which it must be; for `integrated_brier`.
    pub curve: Option<&'a str>,
    /// A table with the same columns of times and events whose censoring gives the weights; the table itself otherwise.
    pub training: Option<&'a Path>,
    /// Column of case names; by default `case_id`, without one the row's number.
    pub case: Option<&'a str>,
}

/// Scores risks, and predicted survival curves, against censored times. Times are in any one unit, which the names
/// of the curves' columns and the parameters of `td_auc@TIME` and `c_index_uno@TAU` are then in as well.
///
/// # Errors
/// [`ScoreError::Table`] for a file that cannot be read, a column that it does not have, a column of curves that
/// names no time, or no row; [`ScoreError::Row`], with its number, for a time below 0, an event that is neither 0
/// nor 1, a risk that is no finite number, a curve's value that is no probability, or a case that stands twice;
/// [`ScoreError::Missing`] for `integrated_brier` without curves, and for `td_auc` without a time.
///
/// ```
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{Request, SurvivalFiles, survival};
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("patients.csv");
/// std::fs::write(&table, "case_id,months,died,risk\na,1,1,0.9\nb,2,1,0.5\nc,3,1,0.6\nd,4,0,0.1\n")?;
/// let files = SurvivalFiles {
///     table: &table, time: "months", event: "died", risk: "risk", curve: None, training: None, case: None,
/// };
/// let request = Request::new(MetricTask::Survival, &["c_index_harrell".to_owned()])?;
/// let report = survival(&files, &request)?;
/// // Of six pairs only `b` and `c` are in the wrong order.
/// assert_eq!(report.metrics["c_index_harrell"].value, Some(5.0 / 6.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn survival(files: &SurvivalFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    // A time that nobody named would be in the unit of the table by chance.
    if request.metrics.iter().any(|(asked, _)| asked == "td_auc") {
        let what = "a time, in the unit of the table's times, such as `td_auc@365`";
        return Err(ScoreError::Missing { id: "td_auc".to_owned(), what });
    }
    let columns = Columns::read(files.table)?;
    let read = |columns: &Columns| -> Result<(Vec<f64>, Vec<bool>), ScoreError> {
        let time =
            columns.numbers(files.time, "a finite time of at least 0", |t| t.is_finite() && t >= 0.0)?;
        let event = columns.numbers(files.event, "0 (censored) or 1 (event)", table::is_label)?;
        Ok((time, event.into_iter().map(|e| e > 0.5).collect()))
    };
    let (time, event) = read(&columns)?;
    let censoring = match files.training {
        Some(path) => {
            let (time, event) = read(&Columns::read(path)?)?;
            CensoringDistribution::new(&SurvivalTimes::new(&time, &event)?)
        }
        None => CensoringDistribution::new(&SurvivalTimes::new(&time, &event)?),
    };
    let set = Patients {
        names: columns.names(files.case)?,
        risk: columns.numbers(files.risk, "a finite risk", f64::is_finite)?,
        curve: files
            .curve
            .map(|prefix| Curve::read(&columns, prefix, &others(files, request)))
            .transpose()?,
        time,
        event,
        censoring,
    };
    let strata = request.by.as_ref().map(|by| columns.words(by)).transpose()?;
    let curves =
        request.curves.then(|| curves::of_times(&set.time, &set.event, strata.as_deref())).transpose()?;
    Ok(ScoreReport { curves, ..measured::report(&set, request, strata)? })
}

/// The columns that are something else than points of a predicted curve.
fn others<'a>(files: &SurvivalFiles<'a>, request: &'a Request) -> Vec<&'a str> {
    let named = [Some(files.time), Some(files.event), Some(files.risk), files.case, request.by.as_deref()];
    named.into_iter().flatten().chain(["case_id"]).collect()
}

/// Predicted probabilities of being free of the event, at times in ascending order.
struct Curve {
    grid: TimeGrid,
    at: Vec<Vec<f64>>,
}

impl Curve {
    /// The columns `PREFIX<time>`, leaving out those that are known to be others.
    fn read(columns: &Columns, prefix: &str, others: &[&str]) -> Result<Self, ScoreError> {
        let mut found: Vec<(f64, String)> = Vec::new();
        for name in columns.columns().into_iter().filter(|name| !others.contains(&name.as_str())) {
            let Some(rest) = name.strip_prefix(prefix) else { continue };
            let Some(time) = rest.parse::<f64>().ok().filter(|time| time.is_finite()) else {
                let problem = format!(
                    "the column `{name}` begins with `{prefix}`, but {rest:?} is no time; rename it, or give a prefix \
                     that only predicted curves have"
                );
                return Err(ScoreError::Table { path: columns.path().to_owned(), problem });
            };
            found.push((time, name));
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        if found.is_empty() {
            let problem =
                format!("no column is named `{prefix}` followed by a time, for instance `{prefix}365`");
            return Err(ScoreError::Table { path: columns.path().to_owned(), problem });
        }
        let times: Vec<f64> = found.iter().map(|f| f.0).collect();
        let probability = |v: f64| (0.0..=1.0).contains(&v);
        let at = found.iter().map(|f| columns.numbers(&f.1, "a probability from 0 to 1", probability));
        Ok(Self { grid: TimeGrid::new(&times)?, at: at.collect::<Result<_, _>>()? })
    }
}

struct Patients {
    names: Vec<String>,
    time: Vec<f64>,
    event: Vec<bool>,
    risk: Vec<f64>,
    curve: Option<Curve>,
    censoring: CensoringDistribution,
}

impl measured::Cases for Patients {
    const TASK: MetricTask = MetricTask::Survival;

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.iter().map(|n| (n.clone(), None)).collect()
    }

    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue> {
        let time: Vec<f64> = cases.iter().map(|&i| self.time[i]).collect();
        let event: Vec<bool> = cases.iter().map(|&i| self.event[i]).collect();
        let risk: Vec<f64> = cases.iter().map(|&i| self.risk[i]).collect();
        let times = SurvivalTimes::new(&time, &event)?;
        Ok(match metric.spec.id {
            "c_index_harrell" => {
                let concordance = RiskConcordance::new(&times, &risk, 0.0)?;
                let confidence = Confidence::new(0.95)?;
                let interval = concordance.interval_harrell(confidence).ok();
                Valued { value: concordance.c_index_harrell()?, interval }
            }
            "c_index_uno" => {
                let tau = metric.parameter.map(Horizon::new).transpose()?;
                RiskConcordance::new(&times, &risk, 0.0)?.c_index_uno(&self.censoring, tau)?.into()
            }
            "td_auc" => {
                let grid = TimeGrid::new(&[metric.parameter.unwrap_or(1.0)])?;
                time_dependent_auc(&times, &self.censoring, &risk, &grid, 0.0)?.mean?.into()
            }
            _ => {
                let curve = self.curve.as_ref().ok_or_else(|| ScoreError::Missing {
                    id: metric.to_string(),
                    what: "predicted survival curves: name their columns with `--curve PREFIX`",
                })?;
                let predicted: Vec<f64> =
                    cases.iter().flat_map(|&i| curve.at.iter().map(move |column| column[i])).collect();
                PredictedSurvival::new(&times, &curve.grid, &predicted)?
                    .integrated_brier(&self.censoring)?
                    .into()
            }
        })
    }

    fn of_cases(&self, _: &MetricId) -> Vec<Option<f64>> {
        vec![None; self.names.len()]
    }
}
