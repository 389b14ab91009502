//! Leaderboards: what goes onto them, and the cached result.

use super::submissions::document;
use crate::error::{Code, Error};
use crate::leaderboard::{Board, Entry, RunPart, Task};
use crate::state::{AppState, time};
use crate::store::{assessments, challenges, entities, runs, submissions};
use fiel_schemas::assessment::Assessment;
use fiel_schemas::challenge::Challenge;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// The phase a leaderboard is for: the one asked for, else the first that is open, else the last.
fn phase_of(challenge: &Challenge, asked: Option<&str>, now: i64) -> Result<String, Error> {
    if let Some(id) = asked {
        let known = challenge.phases.iter().any(|p| p.id == id);
        return if known { Ok(id.into()) } else { Err(Error::not_found("The phase")) };
    }
    let open = super::submissions::open_phase(challenge, None, now).ok();
    open.or(challenge.phases.last())
        .map(|p| p.id.clone())
        .ok_or_else(|| Error::new(Code::NotFound, "The challenge has no phase, so there is no leaderboard."))
}

/// The leaderboard of a challenge, from the cache where there is one.
///
/// A change makes the background task build it anew; until that is done the former one is answered, so that reading
/// never waits for building except the first time.
pub async fn get(state: &AppState, challenge: &str, phase: Option<&str>) -> Result<Arc<Board>, Error> {
    if let Some(board) = state.boards.current(challenge, phase) {
        return Ok(board);
    }
    let row =
        challenges::get(&state.db.read, challenge).await?.ok_or_else(|| Error::not_found("The challenge"))?;
    let document: Challenge = serde_json::from_str(&row.document)?;
    phase_of(&document, phase, state.now())?;
    state.boards.refresh(state, challenge, phase).await
}

/// What changes of a challenge's boards leave in the database, whichever hub made them: equal marks, equal boards.
pub(crate) async fn marks(state: &AppState) -> Result<HashMap<String, String>, Error> {
    let db = &state.db.read;
    // Writing to a string cannot fail.
    let mut marks: HashMap<String, String> = HashMap::new();
    for (challenge, updated_at) in challenges::updates(db).await? {
        marks.insert(challenge, updated_at.to_string());
    }
    for (challenge, count) in submissions::counts(db).await? {
        let mark = marks.entry(challenge).or_default();
        let _ = write!(mark, "|{count}");
    }
    for (challenge, state, runs, fences, ended) in runs::marks(db).await? {
        let mark = marks.entry(challenge).or_default();
        let _ = write!(mark, "|{state} {runs} {fences} {}", ended.unwrap_or_default());
    }
    Ok(marks)
}

/// Everything a build needs. Assessments are read only for rows that `known` does not have in their present form.
pub(crate) async fn gather(
    state: &AppState,
    challenge: &str,
    phase: Option<&str>,
    known: &HashMap<String, String>,
) -> Result<Task, Error> {
    let db = &state.db.read;
    let row = challenges::get(db, challenge).await?.ok_or_else(|| Error::not_found("The challenge"))?;
    let document_of: Challenge = serde_json::from_str(&row.document)?;
    let phase = phase_of(&document_of, phase, state.now())?;
    let mut by_submission: HashMap<String, Vec<entities::run::Model>> = HashMap::new();
    // Runs first: a submission that comes in between has no runs here and is left to the next build.
    let mut sets: HashMap<String, HashSet<String>> = HashMap::new();
    for run in runs::of_challenge(db, challenge).await? {
        sets.entry(run.site.clone()).or_default().insert(run.reference_set.clone());
        by_submission.entry(run.submission.clone()).or_default().push(run);
    }
    let digests: HashMap<(String, String), String> =
        challenges::sets(db, challenge).await?.into_iter().map(|s| ((s.site, s.id), s.digest)).collect();
    let mut entries = Vec::new();
    let mut wanted = Vec::new();
    for submission in submissions::of_challenge(db, challenge).await? {
        if submission.phase != phase {
            continue;
        }
        let own = by_submission.remove(&submission.id).unwrap_or_default();
        let fingerprint = fingerprint(&own);
        let fresh = known.get(&submission.id) != Some(&fingerprint);
        if fresh {
            wanted.extend(own.iter().filter(|r| r.state == runs::REPORTED).map(|r| r.id.clone()));
        }
        let parts = own.into_iter().map(|r| part(r, &sets, &digests)).collect();
        entries.push(Entry { submission: document(submission), runs: parts, fingerprint, fresh });
    }
    let mut found: HashMap<String, entities::assessment::Model> =
        assessments::of_runs(db, &wanted).await?.into_iter().map(|a| (a.run.clone(), a)).collect();
    for run in entries.iter_mut().filter(|e| e.fresh).flat_map(|e| e.runs.iter_mut()) {
        if let Some(row) = found.remove(&run.run) {
            let assessment: Assessment = serde_json::from_str(&row.document)?;
            run.assessment = Some((row.digest, assessment));
            run.received_at = Some(time(row.received_at));
        }
    }
    Ok(Task { challenge: document_of, digest: row.digest, phase, entries })
}

fn fingerprint(own: &[entities::run::Model]) -> String {
    let words = own.iter().flat_map(|r| [&*r.id, &*r.state, r.reason.as_deref().unwrap_or("")]);
    words.collect::<Vec<_>>().join(":")
}

fn part(
    run: entities::run::Model,
    sets: &HashMap<String, HashSet<String>>,
    digests: &HashMap<(String, String), String>,
) -> RunPart {
    let several = sets.get(&run.site).is_some_and(|s| s.len() > 1);
    let column = if several { format!("{}/{}", run.site, run.reference_set) } else { run.site.clone() };
    let reference_set_digest = digests.get(&(run.site, run.reference_set)).cloned();
    RunPart {
        run: run.id,
        column,
        state: run.state,
        reason: run.reason,
        reference_set_digest,
        assessment: None,
        received_at: None,
    }
}
