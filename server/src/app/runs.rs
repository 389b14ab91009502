//! Runs as nodes drive them: heartbeat, assessment, failure; and how they end.

use super::audit;
use crate::auth::Actor;
use crate::blobs::is_digest;
use crate::error::{Code, Error};
use crate::queue::ERRORS_MAX;
use crate::state::AppState;
use crate::store::runs::{self, AWAITING, Ending, FAILED, Held, LEASED, REFUSED, REPORTED};
use crate::store::{assessments, challenges, entities, sites, submissions};
use fiel_metrics::registry::MetricId;
use fiel_schemas::api::{Failure, FailureReason, Heartbeat, Report};
use fiel_schemas::assessment::{Assessment, Statement};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::digest::{canonical_json, sha256_hex};
use fiel_schemas::dsse;
use fiel_schemas::validate::{self, Kind};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer to an accepted assessment; the same for the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Accepted {
    /// Run id.
    pub run: String,
    /// SHA-256 of the envelope in canonical JSON.
    pub statement: String,
}

/// Until when a renewed lease lasts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Renewed {
    /// The lease ends at this time unless it is renewed again.
    pub lease_until: chrono::DateTime<chrono::Utc>,
}

pub(crate) fn new_run(
    state: &AppState,
    submission: &entities::submission::Model,
    set: &entities::reference_set::Model,
) -> entities::run::Model {
    entities::run::Model {
        id: state.new_id(),
        submission: submission.id.clone(),
        site: set.site.clone(),
        reference_set: set.id.clone(),
        challenge: submission.challenge.clone(),
        artifact: submission.artifact.clone(),
        state: runs::QUEUED.into(),
        fence: 0,
        lease_until: 0,
        attempt: 0,
        errors: 0,
        done: 0,
        total: 0,
        reason: None,
        cases: None,
        created_at: state.now(),
        ended_at: None,
    }
}

fn lease_lost() -> Error {
    Error::new(
        Code::LeaseLost,
        "The lease of this run ended and the run was given to another attempt. Stop working on it and claim anew.",
    )
}

async fn own_run(state: &AppState, site: &Actor, id: &str) -> Result<entities::run::Model, Error> {
    let run = runs::get(&state.db.read, id).await?;
    run.filter(|r| r.site == site.id).ok_or_else(|| Error::not_found("The run"))
}

/// Renews a lease and notes the progress.
pub async fn heartbeat(state: &AppState, site: &Actor, id: &str, beat: Heartbeat) -> Result<Renewed, Error> {
    let run = own_run(state, site, id).await?;
    let until = state.now() + state.config.lease_ms();
    let to_state = if beat.awaiting_release { AWAITING } else { LEASED };
    let held = Held { run: id, site: &site.id, fence: beat.fence };
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let tx = state.db.begin().await?;
    if runs::renew(&tx, &held, to_state, until, count(beat.done), count(beat.total)).await? != 1 {
        return Err(lease_lost());
    }
    tx.commit().await?;
    state.events.announce(&run.submission);
    if run.state != to_state {
        state.boards.touch(&run.challenge);
    }
    Ok(Renewed { lease_until: crate::state::time(until) })
}

fn mismatch(field: &str, expected: &str) -> Error {
    Error::new(
        Code::StatementMismatch,
        format!(
            "`{field}` of the statement is not that of the run; expected `{expected}`. Sign the run that was leased."
        ),
    )
}

fn check_fields(
    run: &entities::run::Model,
    submission: &entities::submission::Model,
    challenge: &entities::challenge::Model,
    set_digest: &str,
    statement: &Statement,
) -> Result<(), Error> {
    let subject = match statement.subject.as_slice() {
        [one] => one.digest.get("sha256").map_or("", String::as_str),
        _ => return Err(mismatch("/subject", "exactly one artifact")),
    };
    let a = &statement.predicate;
    let fields = [
        ("/subject/0/digest/sha256", subject, submission.artifact.as_str()),
        ("/predicate/run", &a.run, &run.id),
        ("/predicate/submission", &a.submission, &run.submission),
        ("/predicate/challenge", &a.challenge, &run.challenge),
        ("/predicate/challenge_version", &a.challenge_version, &challenge.version),
        ("/predicate/challenge_digest", &a.challenge_digest, &challenge.digest),
        ("/predicate/site", &a.site, &run.site),
        ("/predicate/reference_set", &a.reference_set, &run.reference_set),
        ("/predicate/reference_set_digest", &a.reference_set_digest, set_digest),
    ];
    for (field, found, expected) in fields {
        if found != expected {
            return Err(mismatch(field, expected));
        }
    }
    Ok(())
}

/// Every metric of the challenge must be there, in a form that can be pooled, and no other. Technical ones are
/// computed from the costs.
fn check_metrics(challenge: &Challenge, assessment: &Assessment) -> Result<(), Error> {
    let invalid = |detail: String| Error::new(Code::DocumentInvalid, detail);
    let is_technical = |id: &str| MetricId::parse(id).is_ok_and(|metric| metric.is_technical());
    for id in challenge.metrics.iter().filter(|id| !is_technical(id)) {
        let metric = assessment.metrics.get(id).ok_or_else(|| {
            invalid(format!("`/predicate/metrics/{id}` is missing; the challenge asks for it."))
        })?;
        fiel_metrics::estimate(id, &metric.summary)
            .map_err(|e| invalid(format!("`/predicate/metrics/{id}/summary` cannot be pooled: {e}.")))?;
        if metric.estimate.pooling.is_some() {
            return Err(invalid(format!(
                "`/predicate/metrics/{id}/estimate/pooling` is not a site's to say."
            )));
        }
    }
    if let Some(id) = assessment.metrics.keys().find(|id| !challenge.metrics.contains(id) || is_technical(id))
    {
        return Err(invalid(format!("`/predicate/metrics/{id}` is not asked for by the challenge.")));
    }
    Ok(())
}

async fn check_report(
    state: &AppState,
    run: &entities::run::Model,
    report: &Report,
) -> Result<Statement, Error> {
    let db = &state.db.read;
    let missing = || Error::internal(format!("run {} refers to what is not there", run.id));
    let site = sites::get(db, &run.site).await?.ok_or_else(missing)?;
    let key = site.public_key.as_deref().and_then(super::sites::parse_key).ok_or_else(missing)?;
    let payload = dsse::verify(&report.envelope, &key).map_err(|e| {
        Error::new(
            Code::SignatureInvalid,
            format!("{e}. The envelope must be signed with the key the site enrolled with."),
        )
    })?;
    let statement: Statement = validate::from_json(Kind::Statement, &payload)
        .map_err(|e| Error::new(Code::DocumentInvalid, e.to_string()))?;
    let submission = submissions::get(db, &run.submission).await?.ok_or_else(missing)?;
    let challenge = challenges::get(db, &run.challenge).await?.ok_or_else(missing)?;
    let set = challenges::set(db, &run.site, &run.reference_set).await?.ok_or_else(missing)?;
    check_fields(run, &submission, &challenge, &set.digest, &statement)?;
    check_metrics(&serde_json::from_str(&challenge.document)?, &statement.predicate)?;
    Ok(statement)
}

/// The answer where an assessment of the run was accepted before.
async fn answered<C: ConnectionTrait>(db: &C, run: &str, digest: &str) -> Result<Option<Accepted>, Error> {
    match assessments::get(db, run).await? {
        None => Ok(None),
        Some(known) if known.digest == digest => {
            Ok(Some(Accepted { run: run.into(), statement: digest.into() }))
        }
        Some(known) => Err(Error::new(
            Code::ResultDiffers,
            format!("The statement {} was accepted for this run; another one is not taken.", known.digest),
        )),
    }
}

/// Accepts the assessment of a run, once.
pub async fn report(state: &AppState, site: &Actor, id: &str, report: Report) -> Result<Accepted, Error> {
    let run = own_run(state, site, id).await?;
    let envelope = canonical_json(&report.envelope);
    let digest = sha256_hex(&envelope);
    if let Some(answer) = answered(&state.db.read, id, &digest).await? {
        return Ok(answer);
    }
    let statement = check_report(state, &run, &report).await?;
    let cases = &statement.predicate.cases;
    let total = i64::try_from(cases.values().sum::<u64>()).unwrap_or(i64::MAX);
    let now = state.now();
    let ending = Ending {
        state: REPORTED,
        reason: None,
        cases: Some(serde_json::to_string(cases)?),
        total: Some(total),
        at: now,
    };
    let row = entities::assessment::Model {
        run: id.into(),
        envelope: String::from_utf8(envelope).map_err(Error::internal)?,
        digest: digest.clone(),
        document: serde_json::to_string(&statement.predicate)?,
        received_at: now,
    };
    let tx = state.db.begin().await?;
    runs::lock(&tx, id).await?;
    let held = Held { run: id, site: &site.id, fence: report.fence };
    if runs::end(&tx, &held, ending).await? != 1 {
        // The same bytes may have arrived twice at once.
        return match answered(&tx, id, &digest).await? {
            Some(answer) => Ok(answer),
            None => Err(lease_lost()),
        };
    }
    assessments::insert(&tx, row).await?;
    settle(&tx, &run.submission).await?;
    audit(state, &tx, site, "run.report", id).await?;
    tx.commit().await?;
    changed(state, &run);
    Ok(Accepted { run: id.into(), statement: digest })
}

/// Notes that a run could not be done; an error at the site gives it back to the queue a few times.
pub async fn fail(state: &AppState, site: &Actor, id: &str, failure: Failure) -> Result<(), Error> {
    let run = own_run(state, site, id).await?;
    let reason = reason_code(failure.reason);
    let held = Held { run: id, site: &site.id, fence: failure.fence };
    let retry = matches!(failure.reason, FailureReason::SiteError | FailureReason::DigestMismatch);
    let tx = state.db.begin().await?;
    let current = runs::lock(&tx, id).await?.ok_or_else(|| Error::not_found("The run"))?;
    if runs::is_final(&current.state)
        && current.fence == failure.fence
        && current.reason.as_deref() == Some(reason)
    {
        return Ok(());
    }
    let touched = if retry && current.errors + 1 < ERRORS_MAX {
        runs::requeue(&tx, &held, failure.fence).await?
    } else {
        let to_state = match failure.reason {
            FailureReason::PolicyRefused | FailureReason::TooFewCases | FailureReason::EngineUnavailable => {
                REFUSED
            }
            _ => FAILED,
        };
        let ending =
            Ending { state: to_state, reason: Some(reason), cases: None, total: None, at: state.now() };
        runs::end(&tx, &held, ending).await?
    };
    if touched != 1 {
        return Err(lease_lost());
    }
    settle(&tx, &run.submission).await?;
    audit(state, &tx, site, "run.fail", &format!("{id} {reason}")).await?;
    tx.commit().await?;
    state.work.notify_waiters();
    changed(state, &run);
    Ok(())
}

fn changed(state: &AppState, run: &entities::run::Model) {
    state.events.announce(&run.submission);
    state.boards.touch(&run.challenge);
}

/// Reason code as clients see it.
pub(crate) fn reason_code(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::ArtifactInvalid => "artifact-invalid",
        FailureReason::ImageInvalid => "image-invalid",
        FailureReason::StartFailed => "start-failed",
        FailureReason::EngineUnavailable => "engine-unavailable",
        FailureReason::ImportRefused => "import-refused",
        FailureReason::CompileLimit => "compile-limit",
        FailureReason::DigestMismatch => "digest-mismatch",
        FailureReason::PullFailed => "pull-failed",
        FailureReason::PolicyRefused => "policy-refused",
        FailureReason::TooFewCases => "too-few-cases",
        FailureReason::ReferenceSetMissing => "reference-set-missing",
        FailureReason::SiteError => "site-error",
    }
}

/// Reasons that are not the model's.
fn is_platform(reason: &str) -> bool {
    !matches!(
        reason,
        "artifact-invalid"
            | "image-invalid"
            | "start-failed"
            | "import-refused"
            | "compile-limit"
            | "pull-failed"
    )
}

/// Gives the quota slot back when every run of the submission ended and all failed for reasons of the platform.
pub(crate) async fn settle<C: ConnectionTrait>(db: &C, submission: &str) -> Result<(), Error> {
    // Locked first: two last runs that end at once must see each other.
    submissions::lock(db, submission).await?;
    let all = runs::of_submission(db, submission).await?;
    let returned = !all.is_empty()
        && all.iter().all(|r| {
            matches!(r.state.as_str(), FAILED | REFUSED) && r.reason.as_deref().is_some_and(is_platform)
        });
    if returned {
        submissions::return_slot(db, submission).await?;
    }
    Ok(())
}

/// A signed envelope by the digest of its statement.
pub async fn envelope_of_statement(state: &AppState, digest: &str) -> Result<dsse::Envelope, Error> {
    let missing = || Error::not_found("The statement");
    if !is_digest(digest) {
        return Err(missing());
    }
    let row = assessments::by_digest(&state.db.read, digest).await?.ok_or_else(missing)?;
    Ok(serde_json::from_str(&row.envelope)?)
}

/// The signed envelope of a run.
pub async fn envelope(state: &AppState, run: &str) -> Result<dsse::Envelope, Error> {
    let row =
        assessments::get(&state.db.read, run).await?.ok_or_else(|| Error::not_found("The assessment"))?;
    Ok(serde_json::from_str(&row.envelope)?)
}
