//! Leaderboards: rows from assessments, pooled by `fiel-metrics`, ranked with polars, cached as finished bytes.

mod boards;
mod csv;
mod ranking;
mod rows;
mod stability;

pub use boards::{Board, Boards};
pub(crate) use boards::{keep_fresh, keep_in_step};
pub use csv::to_csv;

use crate::error::Error;
use chrono::{DateTime, Utc};
use fiel_schemas::assessment::Assessment;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::Leaderboard;
use fiel_schemas::submission::Submission;
use rows::Rows;
use std::collections::HashSet;

/// One submission to be put on a board.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The submission.
    pub(crate) submission: Submission,
    /// Its runs.
    pub(crate) runs: Vec<RunPart>,
    /// Changes whenever a run of it changes its state.
    pub(crate) fingerprint: String,
    /// True where the row must be made anew; then the runs carry their assessments.
    pub(crate) fresh: bool,
}

/// One run of a submission.
#[derive(Debug, Clone)]
pub(crate) struct RunPart {
    /// Run id.
    pub(crate) run: String,
    /// Name of the site's column; `site/set` where a site has several reference sets.
    pub(crate) column: String,
    /// State of the run.
    pub(crate) state: String,
    /// Reason code where it failed.
    pub(crate) reason: Option<String>,
    /// Digest of the reference set.
    pub(crate) reference_set_digest: Option<String>,
    /// Digest of the envelope, and what was assessed.
    pub(crate) assessment: Option<(String, Assessment)>,
    /// When the assessment arrived.
    pub(crate) received_at: Option<DateTime<Utc>>,
}

/// Everything a build needs.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// The challenge.
    pub(crate) challenge: Challenge,
    /// Digest of its definition.
    pub(crate) digest: String,
    /// Phase of the board.
    pub(crate) phase: String,
    /// The submissions, oldest first.
    pub(crate) entries: Vec<Entry>,
}

/// Builds a leaderboard. `rows` keeps what need not be computed again.
pub(crate) fn build(task: Task, rows: &mut Rows) -> Result<Leaderboard, Error> {
    let alive: HashSet<String> = task.entries.iter().map(|e| e.submission.id.clone()).collect();
    rows.keep(&alive);
    for entry in &task.entries {
        if entry.fresh {
            rows.put(entry, rows::make(&task.challenge, entry));
        }
    }
    let made: Vec<&rows::Made> = task.entries.iter().filter_map(|e| rows.get(&e.submission.id)).collect();
    let (leaderboard, stability) = ranking::rank(&task.challenge, &made)?;
    Ok(Leaderboard {
        schema: "fiel/leaderboard/v1".into(),
        challenge: task.challenge.id,
        challenge_version: task.challenge.version,
        challenge_digest: task.digest,
        phase: task.phase,
        primary_metric: task.challenge.ranking.metric,
        updated_at: made.iter().filter_map(|m| m.received_at).max(),
        stability,
        leaderboard,
    })
}
