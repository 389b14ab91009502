//! Probabilities against 0/1 labels.

use super::columns::Columns;
use super::measured::{self, Cases as _, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport};
use crate::assess;
use crate::registry::{MetricId, MetricTask};
use crate::table::{self, Cases};
use fiel_kernels::Undefined;
use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping, Smoother, TieRule};
use fiel_kernels::classification::Scores;
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
    /// Column of case names; by default `case_id`, without one the row's number.
    pub case: Option<&'a str>,
}

/// Scores probabilities against 0/1 labels.
pub fn classification(files: &ClassificationFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    let columns = Columns::read(files.table)?;
    let label = columns.numbers(files.label, "a label, 0 or 1", table::is_label)?;
    let score = columns.numbers(files.score, "a probability from 0 to 1", |v| (0.0..=1.0).contains(&v))?;
    let names = columns.names(files.case)?;
    let set = Forecast {
        names,
        // Adding zero turns -0 into 0, so that equal scores have equal bits.
        score: score.into_iter().map(|s| s + 0.0).collect(),
        label: label.into_iter().map(|y| y > 0.5).collect(),
    };
    let strata = request.by.as_ref().map(|by| columns.words(by)).transpose()?;
    measured::report(&set, request, strata)
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
        let forecasts = Forecasts::new(&chosen.score, &chosen.label)?;
        let index = || forecasts.calibration_index(Smoother::R);
        Ok(match metric.spec.id {
            "partial_auc" => {
                let most = metric.parameter.unwrap_or(1.0);
                Scores::new(&chosen.score, &chosen.label)?.partial_auc_mcclish(most)??.into()
            }
            "specificity@sensitivity" => {
                let least = metric.parameter.unwrap_or(0.95);
                let scores = Scores::new(&chosen.score, &chosen.label)?;
                scores.specificity_at_sensitivity(least)??.counts.specificity()?.into()
            }
            "ece" => forecasts.bins(grouping(metric))?.ece().into(),
            "mce" => forecasts.bins(grouping(metric))?.mce().into(),
            "ici" => index()??.ici.into(),
            "e50" => index()??.e50.into(),
            "e90" => index()??.e90.into(),
            _ => forecasts.smooth_ece().value.into(),
        })
    }

    fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        let all: Vec<usize> = (0..self.names.len()).collect();
        let cases = self.chosen(&all);
        if metric.spec.id == "brier" { cases.brier } else { cases.log_losses() }
    }
}

/// The bins that an id such as `ece.equal_mass@15` asks for.
fn grouping(metric: &MetricId) -> Grouping {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 1000")]
    let bins = metric.parameter.unwrap_or(15.0) as usize;
    match metric.convention() {
        Some("equal_mass") => Grouping::EqualMass { bins, ties: TieRule::Straddle },
        Some("right_closed") => Grouping::EqualWidth { bins, edges: BinEdges::RightClosed },
        _ => Grouping::EqualWidth { bins, edges: BinEdges::LeftClosed },
    }
}

/// Why a metric that sites can pool has no value on these cases.
fn why(metric: &MetricId, cases: &Cases) -> Undefined {
    let (pos, neg) = cases.classes();
    match metric.spec.id {
        "average_precision" | "sensitivity" if pos == 0 => Undefined::NoPositive,
        _ if metric.spec.undefined.contains(&Undefined::OneClass) && (pos == 0 || neg == 0) => Undefined::OneClass,
        "calibration_slope" if cases.score.windows(2).all(|w| w[0].to_bits() == w[1].to_bits()) => {
            Undefined::Constant
        }
        "calibration_slope" => Undefined::Separated,
        _ => Undefined::ZeroDenominator,
    }
}
