//! `/submit/{challenge}`

use super::respond::{Answer, html, see_other, sign_in_first};
use super::upload::{self, Upload};
use super::views::challenge::{is_open, phase_words, quota_words};
use super::views::forms::{SubmitFacts, SubmitForm, render_submit};
use super::views::layout::{Frame, page};
use crate::app;
use crate::app::challenges::ChallengeEntry;
use crate::auth::{Actor, Role, Viewer};
use crate::error::{Code, Error};
use crate::state::{AppState, time};
use actix_multipart::Multipart;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, http::StatusCode};
use fiel_schemas::api::NewSubmission;
use fiel_schemas::submission::ArtifactKind;

async fn facts(state: &AppState, actor: &Actor, entry: &ChallengeEntry) -> Result<SubmitFacts, Error> {
    let now = time(state.now());
    let challenge = &entry.challenge;
    let phase = challenge.phases.iter().find(|p| is_open(p, now));
    let left = match phase {
        Some(phase) => Some(app::submissions::left(state, actor, &challenge.id, phase).await?),
        None => None,
    };
    Ok(SubmitFacts {
        challenge: challenge.id.clone(),
        title: challenge.title.clone(),
        phase: phase.map(|p| format!("{}, {}", p.title, phase_words(p, now))),
        quota: phase.map(quota_words).unwrap_or_default(),
        left,
        kinds: kinds_words(challenge.accepted()),
        artifact_mib: challenge.limits.artifact_mib,
    })
}

/// The kinds of files a challenge takes, as the beginning of a sentence.
fn kinds_words(kinds: &[ArtifactKind]) -> String {
    let words: Vec<&str> = kinds
        .iter()
        .map(|kind| match kind {
            ArtifactKind::Wasm => "a WebAssembly module (.wasm)",
            ArtifactKind::Image => "a container image archive (of docker save, or OCI; plain, gzip or zstd)",
            ArtifactKind::Onnx => "an ONNX bundle (tar of manifest.json and model.onnx)",
            ArtifactKind::Predictions => "predictions (tar of <case>/<output>)",
        })
        .collect();
    let all = match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    };
    let mut letters = all.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn submit_page(status: StatusCode, actor: &Actor, facts: &SubmitFacts, form: &SubmitForm) -> HttpResponse {
    let viewer = super::respond::viewer(Some(actor));
    let csrf = actor.csrf.as_deref().unwrap_or_default();
    let frame = Frame { title: "Submit a model", viewer: viewer.as_ref(), ..Frame::default() };
    html(status, page(&frame, &render_submit(csrf, facts, form)))
}

/// Readers look only. A page rather than the API's guard says so, because a person reads it.
fn may_submit(actor: &Actor) -> Result<(), Error> {
    if actor.at_least(Role::Participant) {
        return Ok(());
    }
    Err(Error::new(
        Code::WrongRole,
        "Submitting needs the role participant. Ask the administrator of this hub.",
    ))
}

/// The form.
pub(super) async fn form(state: Data<AppState>, viewer: Viewer, id: Path<String>) -> Answer {
    let entry = app::challenges::get(&state, &id).await?;
    let Some(actor) = &viewer.0 else { return Ok(sign_in_first(&format!("/submit/{id}"))) };
    may_submit(actor)?;
    let facts = facts(&state, actor, &entry).await?;
    let form = SubmitForm { key: state.new_id(), ..SubmitForm::default() };
    Ok(submit_page(StatusCode::OK, actor, &facts, &form))
}

/// Receives the form with the model, checks it and enters the submission.
pub(super) async fn receive(
    state: Data<AppState>,
    viewer: Viewer,
    id: Path<String>,
    body: Multipart,
) -> Answer {
    let Some(actor) = &viewer.0 else { return Ok(sign_in_first(&format!("/submit/{id}"))) };
    may_submit(actor)?;
    let entry = app::challenges::get(&state, &id).await?;
    let bytes_max = (entry.challenge.limits.artifact_mib << 20).min(state.config.artifact_bytes_max);
    let Upload { mut form, file } = upload::read(&state, actor, body, bytes_max).await?;
    form.check();
    if let (true, Some(file)) = (form.is_fine(), &file) {
        match enter(&state, actor, &entry, &form, file).await {
            Ok(submission) => return Ok(see_other(&format!("/submissions/{submission}"))),
            Err(error) => place(&mut form, error)?,
        }
    } else if file.is_none() && form.artifact_error.is_none() {
        form.artifact_error = Some("Choose the file of the model.".into());
    }
    // The refused form gets a key of its own, because its contents will differ.
    form.key = state.new_id();
    let facts = facts(&state, actor, &entry).await?;
    Ok(submit_page(StatusCode::UNPROCESSABLE_ENTITY, actor, &facts, &form))
}

async fn enter(
    state: &AppState,
    actor: &Actor,
    entry: &ChallengeEntry,
    form: &SubmitForm,
    file: &upload::Spooled,
) -> Result<String, Error> {
    app::artifacts::receive(state, actor, &file.sha256, file.stream().await?).await?;
    let new = NewSubmission {
        phase: None,
        tool: form.tool.trim().to_owned(),
        version: form.version.trim().to_owned(),
        description: form.description.clone(),
        artifact: file.sha256.clone(),
        image: None,
    };
    let (status, _) =
        app::submissions::create(state, actor, &entry.challenge.id, Some(&form.key), new).await?;
    Ok(status.submission.id)
}

/// Puts what was wrong beside the field it is about; faults of the hub are passed on.
fn place(form: &mut SubmitForm, error: Error) -> Result<(), Error> {
    if error.code.status() >= 500 {
        return Err(error);
    }
    let detail = Some(error.detail.clone());
    match error.code {
        Code::ArtifactTooLarge
        | Code::ArtifactUnknown
        | Code::ArtifactKindRefused
        | Code::DigestMismatch
        | Code::UploadCut => form.artifact_error = detail,
        _ => form.error = detail,
    }
    Ok(())
}
