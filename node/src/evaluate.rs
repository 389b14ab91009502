//! Evaluation: every case of a reference set through the sandbox, or out of a file of predictions; outputs checked,
//! cases measured.

use crate::NodeError;
use crate::case_table;
use crate::cases::{CasePlan, CaseSource};
use crate::dialect::Layout;
use crate::judge::{Judge, Row};
use crate::logs::{CaseLog, LogRing};
use crate::predictions;
use crate::reference_set::LoadedReferenceSet;
use fiel_sandbox::{CaseResult, Dialect, Model, Sandbox};
use fiel_schemas::assessment::{Costs, EngineInfo};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::submission::MediaType;
use polars::prelude::DataFrame;
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
    /// Which engine ran the model, and how it was confined.
    pub engine: EngineInfo,
    /// How files passed between the platform and the model.
    pub dialect: Dialect,
    /// What the model printed, bounded.
    pub logs: Vec<CaseLog>,
    /// Seed of the case names and their order; empty where nothing was drawn.
    pub seed: String,
}

impl Evaluation {
    /// SHA-256 over what was measured: the same for repeated runs of a model that always answers the same.
    /// Times, random names and the words of reasons do not enter.
    pub fn table_digest(&self) -> Result<String, NodeError> {
        case_table::digest(&self.table)
    }
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

/// As [`evaluate`], given up with [`NodeError::Abandoned`] soon after `stop` answers true: once the cases, or batches of
/// cases, that run have ended.
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
    let case_ids = set.column("case_id")?;
    let are_answers = model.media_type == MediaType::Predictions;
    let plan = if are_answers { CasePlan::published(&case_ids) } else { CasePlan::random(set.cases())? };
    let tally = Tally {
        judge: &judge,
        plan: &plan,
        case_ids: &case_ids,
        on_progress,
        done: AtomicU64::new(0),
        kept: Mutex::new((vec![Row::default(); set.cases()], LogRing::default())),
        failure: Mutex::new(None),
    };
    on_progress(0, set.cases() as u64);
    let ran = if are_answers {
        read_answers(challenge, set, model, &tally, stop)?
    } else {
        run_model(challenge, set, sandbox, model, &tally, stop)?
    };
    let (rows, ring) = tally.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (table, cases) = case_table::build(&judge, &plan, &case_ids, &rows)?;
    Ok(Evaluation {
        table,
        cases,
        costs: case_table::costs(&rows, ran.load_s),
        engine: ran.engine,
        dialect: ran.dialect,
        logs: ring.into_entries(),
        seed: plan.seed,
    })
}

/// What is known of a run besides its cases.
struct Ran {
    engine: EngineInfo,
    dialect: Dialect,
    load_s: f64,
}

fn run_model(
    challenge: &Challenge,
    set: &LoadedReferenceSet,
    sandbox: &Sandbox,
    model: &Model,
    tally: &Tally<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Ran, NodeError> {
    let prepared =
        sandbox.prepare(model).map_err(|refusal| NodeError::refused(refusal.reason, refusal.message))?;
    let prepared = prepared.in_batches_of(challenge.interface.batch);
    let layout = Layout::new(prepared.dialect, challenge);
    let source = CaseSource::new(challenge, set, tally.plan, layout, stop, &tally.failure)?;
    let take = |result| tally.take(&layout, result);
    let (limits, expected) = (&challenge.limits, layout.expected());
    let ran = sandbox.run_cases_until(&prepared, limits, source, &expected, &take, stop);
    tally.check()?;
    if stop() {
        return Err(NodeError::Abandoned("asked to stop"));
    }
    ran.map_err(|e| NodeError::Task(e.to_string()))?;
    Ok(Ran { engine: sandbox.info(&prepared), dialect: prepared.dialect, load_s: prepared.load_s })
}

/// Takes the answers of a file of predictions as they stand; no model runs.
fn read_answers(
    challenge: &Challenge,
    set: &LoadedReferenceSet,
    model: &Model,
    tally: &Tally<'_>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Ran, NodeError> {
    let layout = Layout::new(Dialect::Fiel, challenge);
    let started = std::time::Instant::now();
    let mut answers = predictions::open(model, challenge, &set.doc.id, tally.case_ids)?;
    let load_s = started.elapsed().as_secs_f64();
    for index in 0..tally.case_ids.len() {
        if stop() {
            return Err(NodeError::Abandoned("asked to stop"));
        }
        tally.take(&layout, answers.case(index)?);
        tally.check()?;
    }
    Ok(Ran { engine: predictions::engine(), dialect: Dialect::Fiel, load_s })
}

/// Takes results in whatever order they come.
struct Tally<'a> {
    judge: &'a Judge<'a>,
    plan: &'a CasePlan,
    case_ids: &'a [&'a str],
    on_progress: &'a (dyn Fn(u64, u64) + Sync),
    done: AtomicU64,
    kept: Mutex<(Vec<Row>, LogRing)>,
    failure: Mutex<Option<NodeError>>,
}

impl Tally<'_> {
    /// Judges a result and keeps its row and its log.
    fn take(&self, layout: &Layout<'_>, mut result: CaseResult) {
        let Some(&row_index) = self.plan.order.get(result.index) else { return };
        let log = std::mem::take(&mut result.log);
        match self.judge.judge(layout, row_index, result) {
            Ok(row) => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.1.push(self.case_ids[row_index], &self.plan.names[row_index], log);
                kept.0[row_index] = row;
            }
            Err(e) => *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(e),
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.on_progress)(done, self.case_ids.len() as u64);
    }

    /// The site's own fault in any of the cases, if there was one.
    fn check(&self) -> Result<(), NodeError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
