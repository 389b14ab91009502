//! Runs that wait for a person: listing, approving, refusing. Everything is a file, so that it survives restarts
//! and the command line needs no connection to the running node.

use crate::NodeError;
use crate::folder::{self, Access};
use chrono::{DateTime, Utc};
use fiel_schemas::assessment::{Estimate, Statement};
use fiel_schemas::run_order::RunOrder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A run whose result waits for a person at the site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingRun {
    /// Run id.
    pub run: String,
    /// The order under which it was last leased.
    pub order: RunOrder,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// Cases by outcome that would be released.
    pub cases: BTreeMap<String, u64>,
    /// Estimates that would be released, by metric.
    pub estimates: BTreeMap<String, Estimate>,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The result may leave.
    Approved,
    /// It must not.
    Refused,
}

/// The runs that wait for a decision, oldest first.
pub fn pending(data_dir: &Path) -> Result<Vec<PendingRun>, NodeError> {
    let mut runs = all(data_dir)?;
    runs.retain(|run| matches!(decision(data_dir, &run.run), Ok(None)));
    Ok(runs)
}

/// Lets the result of a pending run leave the site.
pub fn approve(data_dir: &Path, run: &str) -> Result<(), NodeError> {
    decide(data_dir, run, "approved")
}

/// Keeps the result of a pending run at the site; the hub is told `policy-refused`.
pub fn refuse(data_dir: &Path, run: &str) -> Result<(), NodeError> {
    decide(data_dir, run, "refused")
}

fn decide(data_dir: &Path, run: &str, word: &str) -> Result<(), NodeError> {
    if !folder::is_plain_name(run)
        || !record_path(data_dir, run).exists()
        || decision(data_dir, run)?.is_some()
    {
        return Err(NodeError::NotPending(run.to_owned()));
    }
    folder::write_atomic(&decision_path(data_dir, run), word.as_bytes(), Access::Shared)
}

/// Every run with a pending record, decided or not, oldest first.
pub(crate) fn all(data_dir: &Path) -> Result<Vec<PendingRun>, NodeError> {
    let folder = data_dir.join("pending");
    let mut runs = Vec::new();
    if folder.exists() {
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if !hidden && path.extension().is_some_and(|e| e == "json") {
                runs.push(folder::read_json::<PendingRun>(&path)?);
            }
        }
    }
    runs.sort_by(|a, b| (a.since, &a.run).cmp(&(b.since, &b.run)));
    Ok(runs)
}

/// Stores a finished run for a person to look at.
pub(crate) fn store(data_dir: &Path, order: &RunOrder, statement: &Statement) -> Result<(), NodeError> {
    let metrics = &statement.predicate.metrics;
    let record = PendingRun {
        run: order.run.clone(),
        order: order.clone(),
        since: Utc::now(),
        cases: statement.predicate.cases.clone(),
        estimates: metrics.iter().map(|(id, metric)| (id.clone(), metric.estimate.clone())).collect(),
    };
    folder::write_json(&record_path(data_dir, &order.run), &record, Access::Shared)
}

/// What was decided about a run, if anything.
pub(crate) fn decision(data_dir: &Path, run: &str) -> Result<Option<Decision>, NodeError> {
    let path = decision_path(data_dir, run);
    if !path.exists() {
        return Ok(None);
    }
    match fs_err::read_to_string(&path)?.trim() {
        "approved" => Ok(Some(Decision::Approved)),
        "refused" => Ok(Some(Decision::Refused)),
        other => Err(NodeError::Document {
            path,
            message: format!("`{}` is neither `approved` nor `refused`", other.escape_default()),
        }),
    }
}

/// Forgets a pending run once the hub knows.
pub(crate) fn clear(data_dir: &Path, run: &str) -> Result<(), NodeError> {
    folder::remove_if_there(&record_path(data_dir, run))?;
    folder::remove_if_there(&decision_path(data_dir, run))
}

fn record_path(data_dir: &Path, run: &str) -> PathBuf {
    data_dir.join("pending").join(format!("{run}.json"))
}

fn decision_path(data_dir: &Path, run: &str) -> PathBuf {
    data_dir.join("pending").join(format!("{run}.decision"))
}
