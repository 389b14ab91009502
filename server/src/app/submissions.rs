//! Submissions: quota, idempotency, status.

use super::audit;
use crate::auth::{Actor, Role};
use crate::blobs::is_digest;
use crate::error::{Code, Error};
use crate::state::{AppState, time};
use crate::store::{challenges, entities, registry, runs, submissions};
use fiel_schemas::api::{ExternalImage, NewSubmission, RunStatus, SubmissionStatus};
use fiel_schemas::challenge::{Challenge, Phase};
use fiel_schemas::digest::{canonical_json, sha256_hex};
use fiel_schemas::reference::{is_registry, is_repository};
use fiel_schemas::submission::{Artifact, MediaType, Source, Submission};
use std::collections::{BTreeMap, HashMap};

const DAY_MS: i64 = 86_400_000;

/// The submission document of a row.
pub(crate) fn document(row: entities::submission::Model) -> Submission {
    Submission {
        schema: "fiel/submission/v1".into(),
        id: row.id,
        challenge: row.challenge,
        phase: row.phase,
        tool: row.tool,
        version: row.version,
        description: row.description,
        participant: row.participant,
        artifact: Artifact {
            // Rows hold only what the hub wrote; a name of a newer hub is shown as the oldest kind.
            media_type: MediaType::parse(&row.media_type).unwrap_or(MediaType::Wasm),
            sha256: row.artifact,
            size: u64::try_from(row.artifact_size).unwrap_or_default(),
            source: row
                .registry
                .zip(row.repository)
                .map(|(registry, repository)| Source { registry, repository }),
        },
        submitted_at: time(row.submitted_at),
    }
}

fn run_status(run: entities::run::Model) -> RunStatus {
    let count = |n: i64| u64::try_from(n).unwrap_or_default();
    let cases: BTreeMap<String, u64> =
        run.cases.as_deref().and_then(|c| serde_json::from_str(c).ok()).unwrap_or_default();
    RunStatus {
        run: run.id,
        site: run.site,
        state: run.state,
        attempt: u32::try_from(run.attempt).unwrap_or_default(),
        done: count(run.done),
        total: count(run.total),
        reason: run.reason,
        cases,
    }
}

fn assemble(row: entities::submission::Model, mut own: Vec<entities::run::Model>) -> SubmissionStatus {
    own.sort_by(|a, b| (&a.site, &a.reference_set).cmp(&(&b.site, &b.reference_set)));
    let state = if own.is_empty() || own.iter().any(|r| !runs::is_final(&r.state)) {
        "running"
    } else if own.iter().any(|r| r.state == runs::REPORTED) {
        "done"
    } else {
        "failed"
    };
    SubmissionStatus {
        submission: document(row),
        state: state.into(),
        runs: own.into_iter().map(run_status).collect(),
    }
}

/// Submissions an account has left in a phase's window. Only to be shown: what counts is decided when a submission is
/// entered.
pub async fn left(state: &AppState, actor: &Actor, challenge: &str, phase: &Phase) -> Result<u64, Error> {
    let since = state.now() - i64::from(phase.quota.days) * DAY_MS;
    let used = submissions::slots_used(&state.db.read, challenge, &phase.id, &actor.id, since).await?;
    Ok(u64::from(phase.quota.submissions).saturating_sub(used))
}

/// Status of a submission for its participant or an organizer; for anybody else it does not exist.
pub async fn status(state: &AppState, actor: &Actor, id: &str) -> Result<SubmissionStatus, Error> {
    let row = submissions::get(&state.db.read, id)
        .await?
        .filter(|s| s.account == actor.id || actor.at_least(Role::Organizer))
        .ok_or_else(|| Error::not_found("The submission"))?;
    let own = runs::of_submission(&state.db.read, id).await?;
    Ok(assemble(row, own))
}

/// The acting account's submissions, newest first.
pub async fn list_mine(state: &AppState, actor: &Actor) -> Result<Vec<SubmissionStatus>, Error> {
    let rows = submissions::of_account(&state.db.read, &actor.id).await?;
    let ids: Vec<String> = rows.iter().map(|s| s.id.clone()).collect();
    let mut by_submission: HashMap<String, Vec<entities::run::Model>> = HashMap::new();
    for run in runs::of_submissions(&state.db.read, &ids).await? {
        by_submission.entry(run.submission.clone()).or_default().push(run);
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            let own = by_submission.remove(&row.id).unwrap_or_default();
            assemble(row, own)
        })
        .collect())
}

fn check_form(new: &NewSubmission, key: &str) -> Result<(), Error> {
    let wrong = |detail: &str| Err(Error::new(Code::BadRequest, detail));
    let plain = |text: &str, max: usize| {
        let n = text.chars().count();
        n >= 1 && n <= max && !text.chars().any(char::is_control) && !text.trim().is_empty()
    };
    if !plain(&new.tool, 80) {
        return wrong("`tool` must be 1 to 80 characters without control characters.");
    }
    if !plain(&new.version, 40) {
        return wrong("`version` must be 1 to 40 characters without control characters.");
    }
    if new.description.chars().count() > 4000 {
        return wrong("`description` must have 4,000 characters or fewer.");
    }
    if !is_digest(&new.artifact) {
        return wrong("`artifact` must be a SHA-256: 64 lower-case hexadecimal digits.");
    }
    if !plain(key, 200) {
        return wrong("`Idempotency-Key` must be 1 to 200 printable characters.");
    }
    new.image.as_ref().map_or(Ok(()), check_image)
}

fn check_image(image: &ExternalImage) -> Result<(), Error> {
    let wrong = |detail: &str| Err(Error::new(Code::BadRequest, detail));
    if !is_registry(&image.registry) {
        return wrong(
            "`image/registry` must be a host in lower case, with a port or without, for instance \
             `registry.example.org:5000`.",
        );
    }
    if !is_repository(&image.repository) {
        return wrong(
            "`image/repository` must be the name of a repository without a tag, for instance `group/tool`; \
             `artifact` says which image it is.",
        );
    }
    if image.size == 0 {
        return wrong("`image/size` must be the size of configuration and layers together, by the manifest.");
    }
    Ok(())
}

/// The phase a submission enters: the one asked for, or the first that is open.
pub fn open_phase<'a>(
    challenge: &'a Challenge,
    asked: Option<&str>,
    now_ms: i64,
) -> Result<&'a Phase, Error> {
    let now = time(now_ms);
    let open = |p: &&Phase| p.opens <= now && p.closes.is_none_or(|c| now < c);
    match asked {
        None => challenge.phases.iter().find(open).ok_or_else(|| {
            Error::new(
                Code::PhaseClosed,
                format!("No phase of `{}` is open now; see the dates on its page.", challenge.id),
            )
        }),
        Some(id) => {
            let phase =
                challenge.phases.iter().find(|p| p.id == id).ok_or_else(|| {
                    Error::new(Code::BadRequest, format!("`phase`: there is no phase `{id}`."))
                })?;
            if open(&phase) {
                return Ok(phase);
            }
            Err(Error::new(
                Code::PhaseClosed,
                format!("The phase `{id}` is not open now; see its dates on the challenge's page."),
            ))
        }
    }
}

/// Enters a submission; `true` where it is new, `false` where the key had been used for the same request.
///
/// Everything is decided in one transaction under the challenge's lock, so that neither the quota nor the pairing
/// with reference sets can be raced.
pub async fn create(
    state: &AppState,
    actor: &Actor,
    challenge: &str,
    key: Option<&str>,
    new: NewSubmission,
) -> Result<(SubmissionStatus, bool), Error> {
    let key = key.map_or_else(|| format!("none-{}", state.new_id()), |k| format!("key-{k}"));
    check_form(&new, &key)?;
    let request_digest = sha256_hex(&canonical_json(&(challenge, &new)));
    let tx = state.db.begin().await?;
    let Some(found) = challenges::lock(&tx, challenge).await? else {
        return Err(Error::not_found("The challenge"));
    };
    if let Some(known) = submissions::by_key(&tx, &actor.id, &key).await? {
        if known.request_digest == request_digest {
            let own = runs::of_submission(&tx, &known.id).await?;
            return Ok((assemble(known, own), false));
        }
        return Err(Error::new(
            Code::KeyReused,
            "This `Idempotency-Key` was used for a submission with other contents. Use a new key for a new submission.",
        ));
    }
    let document: Challenge = serde_json::from_str(&found.document)?;
    let row = admit(state, &tx, actor, &document, key, request_digest, new).await?;
    if row.registry.is_some() {
        submissions::insert_elsewhere(&tx, &row.artifact, &actor.id, row.submitted_at).await?;
    }
    submissions::insert(&tx, row.clone()).await?;
    let sets = challenges::sets(&tx, challenge).await?;
    let own: Vec<_> = sets.iter().map(|set| super::runs::new_run(state, &row, set)).collect();
    runs::insert_many(&tx, own.clone()).await?;
    audit(state, &tx, actor, "submission.create", &row.id).await?;
    tx.commit().await?;
    state.work.notify_waiters();
    state.boards.touch(challenge);
    Ok((assemble(row, own), true))
}

/// What is entered: what was uploaded or pushed here, or an image that stays elsewhere. What is said of that one is
/// taken as it is said, and the sites hold the registry to it. An image here is entered by who pushed it.
async fn entered<C: sea_orm::ConnectionTrait>(
    db: &C,
    actor: &Actor,
    new: &NewSubmission,
) -> Result<Artifact, Error> {
    if let Some(image) = &new.image {
        let source = Source { registry: image.registry.clone(), repository: image.repository.clone() };
        return Ok(Artifact {
            media_type: MediaType::ImageManifest,
            sha256: new.artifact.clone(),
            size: image.size,
            source: Some(source),
        });
    }
    let row = submissions::artifact(db, &new.artifact).await?.ok_or_else(|| {
        Error::new(
            Code::ArtifactMissing,
            format!("Upload the file first: PUT /api/v1/artifacts/{}, then submit again.", new.artifact),
        )
    })?;
    let media_type = MediaType::parse(&row.media_type).unwrap_or(MediaType::Wasm);
    if media_type == MediaType::ImageManifest && !registry::has_manifest(db, &actor.id, &row.sha256).await? {
        return Err(Error::new(
            Code::ArtifactMissing,
            "You have not pushed this image. Push it, for instance with `skopeo copy`; that enters it.",
        ));
    }
    let size = u64::try_from(row.size).map_err(Error::internal)?;
    Ok(Artifact { media_type, sha256: row.sha256, size, source: None })
}

/// Whether the challenge and its phase take this kind of artifact.
fn check_kind(challenge: &Challenge, phase: &Phase, media: MediaType) -> Result<(), Error> {
    let refused = |detail: String| Err(Error::new(Code::ArtifactKindRefused, detail));
    if !challenge.accepted().contains(&media.kind()) {
        let taken: Vec<&str> = challenge.accepted().iter().map(|kind| kind.words()).collect();
        return refused(format!(
            "The challenge `{}` takes {}; it does not take {}.",
            challenge.id,
            taken.join(", "),
            media.kind().words()
        ));
    }
    if media == MediaType::Predictions && !phase.public_inputs {
        return refused(format!(
            "The inputs of the phase `{}` are not public, so it takes models, not predictions.",
            phase.id
        ));
    }
    Ok(())
}

async fn admit<C: sea_orm::ConnectionTrait>(
    state: &AppState,
    db: &C,
    actor: &Actor,
    challenge: &Challenge,
    key: String,
    request_digest: String,
    new: NewSubmission,
) -> Result<entities::submission::Model, Error> {
    let now = state.now();
    let phase = open_phase(challenge, new.phase.as_deref(), now)?;
    let artifact = entered(db, actor, &new).await?;
    check_kind(challenge, phase, artifact.media_type)?;
    let size_max = challenge.limits.artifact_mib << 20;
    if artifact.size > size_max {
        return Err(Error::new(
            Code::ArtifactTooLarge,
            format!("The artifact has {} bytes; this challenge allows {size_max}.", artifact.size),
        ));
    }
    let since = now - i64::from(phase.quota.days) * DAY_MS;
    let used = submissions::slots_used(db, &challenge.id, &phase.id, &actor.id, since).await?;
    if used >= u64::from(phase.quota.submissions) {
        return Err(Error::new(
            Code::QuotaExceeded,
            format!(
                "The phase `{}` allows {} submissions in {} days and {used} are used. Wait until the oldest is \
                 out of the window.",
                phase.id, phase.quota.submissions, phase.quota.days
            ),
        ));
    }
    Ok(entities::submission::Model {
        id: state.new_id(),
        challenge: challenge.id.clone(),
        phase: phase.id.clone(),
        account: actor.id.clone(),
        participant: actor.name.clone(),
        idempotency_key: key,
        request_digest,
        tool: new.tool,
        version: new.version,
        description: new.description,
        artifact: artifact.sha256,
        artifact_size: i64::try_from(artifact.size).map_err(Error::internal)?,
        media_type: artifact.media_type.as_str().into(),
        slot_returned: false,
        submitted_at: now,
        registry: artifact.source.as_ref().map(|source| source.registry.clone()),
        repository: artifact.source.map(|source| source.repository),
    })
}
