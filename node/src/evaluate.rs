//! Evaluation: every case of a reference set through the sandbox, outputs checked, cases measured.

use crate::cases::{CasePlan, CaseSource, image_limits};
use crate::logs::{CaseLog, LogRing};
use crate::reference_set::LoadedReferenceSet;
use crate::{NodeError, outputs};
use fiel_metrics::image::{self, Volume};
use fiel_metrics::registry::MetricId;
use fiel_metrics::segmentation::{self, SegmentationCase};
use fiel_sandbox::{CaseResult, Expected, Model, Sandbox, Usage};
use fiel_schemas::assessment::Costs;
use fiel_schemas::challenge::{Challenge, Port, PortKind, Task};
use fiel_schemas::outcome::Outcome;
use polars::prelude::{Column, DataFrame, NamedFrom as _, Series};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The result of a run; all of it stays at the site.
#[derive(Debug)]
pub struct Evaluation {
    /// One row per case, in the order of the reference set. Classification: `case_id`, `outcome`, `label`, `score`,
    /// `seconds`; segmentation: `case_id`, `outcome`, a column per metric of the challenge, `reference_ml`,
    /// `prediction_ml`, `diagonal_mm`, `seconds`; then `pseudonym` and `reason`.
    pub table: DataFrame,
    /// Cases by outcome; absent means none.
    pub cases: BTreeMap<String, u64>,
    /// What the run cost.
    pub costs: Costs,
    /// What the model printed, bounded.
    pub logs: Vec<CaseLog>,
    /// Seed of the case names and their order.
    pub seed: String,
}

/// What is known of one case.
#[derive(Debug, Clone, Default)]
struct Row {
    outcome: Option<Outcome>,
    reason: String,
    score: Option<f64>,
    segmentation: Option<SegmentationCase>,
    seconds: f64,
    usage: Usage,
}

/// Runs an artifact on every case of a set and measures it. `on_progress` is called with cases done and in all.
pub fn evaluate(
    challenge: &Challenge,
    set: &LoadedReferenceSet,
    sandbox: &Sandbox,
    model: &Model,
    on_progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Evaluation, NodeError> {
    evaluate_until(challenge, set, sandbox, model, on_progress, &|| false)
}

/// As [`evaluate`], given up with [`NodeError::Abandoned`] soon after `stop` answers true.
pub fn evaluate_until(
    challenge: &Challenge,
    set: &LoadedReferenceSet,
    sandbox: &Sandbox,
    model: &Model,
    on_progress: &(dyn Fn(u64, u64) + Sync),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Evaluation, NodeError> {
    set.check_against(challenge)?;
    let judge = Judge::new(challenge, set)?;
    let plan = CasePlan::random(set.cases())?;
    let prepared = sandbox
        .prepare(model)
        .map_err(|refusal| NodeError::refused(refusal.reason, refusal.message))?;
    let failure = Mutex::new(None);
    let source = CaseSource::new(challenge, set, &plan, stop, &failure)?;
    let expected: Vec<Expected> =
        challenge.interface.outputs.iter().map(|port| Expected::File(port.path.clone())).collect();
    let total = set.cases() as u64;
    let done = AtomicU64::new(0);
    let collected = Mutex::new((vec![Row::default(); set.cases()], LogRing::default()));
    let case_ids = set.column("case_id")?;
    on_progress(0, total);
    let ran =
        sandbox.run_cases(&prepared, &challenge.limits, source, &expected, &|mut result: CaseResult| {
            let Some(&row_index) = plan.order.get(result.index) else { return };
            let log = std::mem::take(&mut result.log);
            match judge.judge(row_index, result) {
                Ok(row) => {
                    let mut kept = collected.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.1.push(case_ids[row_index], &plan.pseudonyms[row_index], log);
                    kept.0[row_index] = row;
                }
                Err(e) => *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(e),
            }
            on_progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        });
    if let Some(e) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(e);
    }
    if stop() {
        return Err(NodeError::Abandoned("asked to stop"));
    }
    ran.map_err(|e| NodeError::Task(e.to_string()))?;
    let (rows, ring) = collected.into_inner().unwrap_or_else(PoisonError::into_inner);
    finish(&judge, &plan, &case_ids, &rows, ring, prepared.load_s)
}

/// Checks outputs against the interface and the truth.
struct Judge<'a> {
    challenge: &'a Challenge,
    metrics: Vec<MetricId>,
    set: &'a LoadedReferenceSet,
    output: &'a Port,
    truth: Vec<&'a str>,
    pseudonyms_in_tables: bool,
}

impl<'a> Judge<'a> {
    fn new(challenge: &'a Challenge, set: &'a LoadedReferenceSet) -> Result<Self, NodeError> {
        let wanted = match challenge.task {
            Task::Classification => PortKind::Table,
            Task::Segmentation => PortKind::Mask,
        };
        let wrong = |message: String| NodeError::Challenge { challenge: challenge.id.clone(), message };
        let [output] = challenge.interface.outputs.as_slice() else {
            return Err(wrong(format!(
                "{} output ports; this node measures one",
                challenge.interface.outputs.len()
            )));
        };
        if output.kind != wanted || (wanted == PortKind::Table && output.columns.len() != 1) {
            return Err(wrong(format!(
                "output `{}` does not fit the task {:?}",
                output.name, challenge.task
            )));
        }
        let truth = set.column(&set.doc.truth)?;
        let metrics = challenge.metrics.iter().map(|id| MetricId::parse(id)).collect::<Result<_, _>>();
        let metrics = metrics.map_err(|e| wrong(e.to_string()))?;
        Ok(Self { challenge, metrics, set, output, truth, pseudonyms_in_tables: wanted == PortKind::Table })
    }

    /// The row of a case. An error is the site's fault (a truth that cannot be read), never the model's.
    fn judge(&self, row: usize, result: CaseResult) -> Result<Row, NodeError> {
        let mut judged = Row {
            outcome: Some(result.outcome),
            reason: result.reason,
            seconds: result.seconds,
            usage: result.usage,
            ..Row::default()
        };
        if result.outcome != Outcome::Ok {
            if !self.pseudonyms_in_tables {
                judged.segmentation = Some(self.unanswered(row)?);
            }
            return Ok(judged);
        }
        let Some(bytes) = result.outputs.get(&self.output.path) else {
            judged.outcome = Some(Outcome::MissingOutput);
            judged.reason = format!("`{}` was not written", self.output.path);
            if !self.pseudonyms_in_tables {
                judged.segmentation = Some(self.unanswered(row)?);
            }
            return Ok(judged);
        };
        if self.pseudonyms_in_tables {
            match outputs::probability(bytes, &result.name, &self.output.columns[0]) {
                Ok(score) => judged.score = Some(score),
                Err(rule) => judged.break_rule(rule),
            }
        } else {
            let reference = self.reference_mask(row)?;
            match outputs::mask(bytes, &reference) {
                Ok(prediction) => {
                    judged.segmentation = Some(measure(&reference, &prediction, &self.metrics)?);
                }
                Err(rule) => {
                    judged.break_rule(rule);
                    judged.segmentation = Some(self.unanswered(row)?);
                }
            }
        }
        Ok(judged)
    }

    fn reference_mask(&self, row: usize) -> Result<Volume<u8>, NodeError> {
        let path = self.truth[row];
        let bytes = self.set.read_listed(path)?;
        image::parse_nifti_mask(&bytes, &image_limits())
            .map_err(|e| NodeError::ReferenceSet { path: self.set.dir.join(path), message: e.to_string() })
    }

    /// A case without a valid answer: only the reference's volume and grid are known.
    fn unanswered(&self, row: usize) -> Result<SegmentationCase, NodeError> {
        let reference = self.reference_mask(row)?;
        let itself = measure(&reference, &reference, &[])?;
        Ok(SegmentationCase { prediction_ml: f64::NAN, ..itself })
    }
}

impl Row {
    fn break_rule(&mut self, rule: outputs::BrokenRule) {
        self.outcome = Some(Outcome::InvalidOutput);
        rule.0.clone_into(&mut self.reason);
    }
}

fn measure(
    reference: &Volume<u8>,
    prediction: &Volume<u8>,
    metrics: &[MetricId],
) -> Result<SegmentationCase, NodeError> {
    segmentation::measure(reference, prediction, metrics).map_err(|e| NodeError::Metric(e.to_string()))
}

fn finish(
    judge: &Judge<'_>,
    plan: &CasePlan,
    case_ids: &[&str],
    rows: &[Row],
    ring: LogRing,
    load_s: f64,
) -> Result<Evaluation, NodeError> {
    let mut cases = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(rows.len());
    for row in rows {
        let outcome = row.outcome.ok_or_else(|| NodeError::Task("the sandbox left a case out".to_owned()))?;
        *cases.entry(outcome.as_str().to_owned()).or_insert(0) += 1;
        outcomes.push(outcome.as_str());
    }
    let mut columns = vec![
        Column::from(Series::new("case_id".into(), case_ids)),
        Column::from(Series::new("outcome".into(), outcomes)),
    ];
    let number = |name: &str, value: &dyn Fn(&Row) -> Option<f64>| {
        let values: Vec<Option<f64>> = rows.iter().map(|r| value(r).filter(|v| v.is_finite())).collect();
        Column::from(Series::new(name.into(), values))
    };
    if judge.pseudonyms_in_tables {
        let labels: Vec<i32> = judge.truth.iter().map(|t| i32::from(*t == "1")).collect();
        columns.push(Column::from(Series::new("label".into(), labels)));
        columns.push(number("score", &|r| r.score));
    } else {
        for (i, id) in judge.challenge.metrics.iter().enumerate() {
            let value = |r: &Row| r.segmentation.as_ref()?.values.get(i)?.ok();
            columns.push(number(id, &value));
        }
        columns.push(number("reference_ml", &|r| r.segmentation.as_ref().map(|s| s.reference_ml)));
        columns.push(number("prediction_ml", &|r| r.segmentation.as_ref().map(|s| s.prediction_ml)));
        columns.push(number("diagonal_mm", &|r| r.segmentation.as_ref().map(|s| s.diagonal_mm)));
    }
    columns.push(number("seconds", &|r| Some(r.seconds)));
    columns.push(Column::from(Series::new("pseudonym".into(), plan.pseudonyms.as_slice())));
    let reasons: Vec<&str> = rows.iter().map(|r| r.reason.as_str()).collect();
    columns.push(Column::from(Series::new("reason".into(), reasons)));
    Ok(Evaluation {
        table: DataFrame::new(rows.len(), columns)?,
        cases,
        costs: costs(rows, load_s),
        logs: ring.into_entries(),
        seed: plan.seed.clone(),
    })
}

/// Median and 95th percentile (nearest rank) of the seconds per case; three significant digits, so that a clock
/// reading carries no more than people can use.
fn costs(rows: &[Row], load_s: f64) -> Costs {
    let mut seconds: Vec<f64> = rows.iter().map(|r| r.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let rank =
        |percent: usize| seconds.get((seconds.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let fuel = rows.iter().filter_map(|r| r.usage.fuel).reduce(u64::saturating_add);
    let total = |value: &dyn Fn(&Row) -> Option<f64>| rows.iter().filter_map(value).reduce(|a, b| a + b);
    Costs {
        load_s: three_digits(load_s),
        case_s_p50: three_digits(rank(50).unwrap_or(0.0)),
        case_s_p95: three_digits(rank(95).unwrap_or(0.0)),
        fuel,
        cpu_s: total(&|r| r.usage.cpu_s).map(three_digits),
        memory_mib_peak: rows.iter().filter_map(|r| r.usage.memory_bytes_peak).max().map(|b| three_digits(mebibytes(b))),
        output_mib: Some(three_digits(mebibytes(rows.iter().map(|r| r.usage.output_bytes).sum()))),
    }
}

/// Bytes in MiB; counts stay far below 2^53.
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn three_digits(value: f64) -> f64 {
    format!("{:.2e}", value.max(0.0)).parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_nearest_rank_with_three_digits() {
        let rows: Vec<Row> =
            (1..=20).map(|i| Row { seconds: f64::from(i) + 0.123_456, ..Row::default() }).collect();
        let costs = costs(&rows, 0.012_345_6);
        assert!((costs.load_s - 0.0123).abs() < 1e-12);
        assert!((costs.case_s_p50 - 10.1).abs() < 1e-12);
        assert!((costs.case_s_p95 - 19.1).abs() < 1e-12);
        assert_eq!(costs.fuel, None);
    }
}
