//! Blobs on their way in: one request, or parts that may be resumed.

use super::refused::{Oci, Pusher, Refused};
use super::{DIGEST, State, open, unhurried};
use crate::app::registry::{self as app, Part};
use crate::error::Code;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, LOCATION, RANGE};
use actix_web::web::{Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, delete, get, patch, post, put};
use serde::Deserialize;
use utoipa::IntoParams;

/// How an upload is started.
#[derive(Deserialize, IntoParams)]
pub(super) struct StartQuery {
    /// Digest of the blob that this request carries as a whole.
    digest: Option<String>,
    /// Digest of a blob that the account may have pushed to another repository.
    mount: Option<String>,
}

/// How an upload is finished.
#[derive(Deserialize, IntoParams)]
pub(super) struct FinishQuery {
    /// Digest of the blob.
    digest: String,
}

fn created(name: &str, sha256: &str) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((DIGEST, format!("sha256:{sha256}")))
        .insert_header((LOCATION, format!("/v2/{name}/blobs/sha256:{sha256}")))
        .finish()
}

/// Says where the next part goes and begins.
fn progress(mut answer: HttpResponseBuilder, name: &str, id: &str, arrived: u64) -> HttpResponse {
    answer
        .insert_header((LOCATION, format!("/v2/{name}/blobs/uploads/{id}")))
        .insert_header((RANGE, format!("0-{}", arrived.saturating_sub(1))))
        .insert_header(("Docker-Upload-UUID", id))
        .finish()
}

/// What the headers say of a part: `Content-Range: <first>-<last>`, and its length.
fn part(headers: &HeaderMap) -> Result<Part, Refused> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let Some(range) = text(CONTENT_RANGE) else { return Ok(Part { range: None, length }) };
    let ends = range.trim().strip_prefix("bytes ").unwrap_or(range.trim());
    let ends = ends.split('/').next().and_then(|ends| ends.split_once('-'));
    let ends = ends.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let Some(range) = ends else {
        return Err(Refused::new(
            Oci::BlobUploadInvalid,
            "`Content-Range` must be `<first byte>-<last byte>`.".into(),
        ));
    };
    Ok(Part { range: Some(range), length })
}

/// Starts an upload, or takes in the blob that comes with the request, or finds that the account has it.
#[utoipa::path(
    params(StartQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "Taken in"), (status = 202, description = "Started"), (status = 429, body = Object))
)]
#[post("/{challenge}/{tool}/blobs/uploads/")]
pub(super) async fn start(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String)>,
    query: Query<StartQuery>,
    body: Payload,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool) = at.into_inner();
    let repository = open(&state, &challenge, &tool).await?;
    if let Some(digest) = &query.digest {
        let sha256 = app::sha256_of(digest)?;
        app::receive(&state, &actor, &repository, sha256, unhurried(body)).await?;
        return Ok(created(&repository.name(), sha256));
    }
    if let Some(sha256) = query.mount.as_deref().and_then(|digest| app::sha256_of(digest).ok())
        && app::has_blob(&state, &actor, sha256).await?
    {
        return Ok(created(&repository.name(), sha256));
    }
    let id = app::start(&state, &actor)?;
    Ok(progress(HttpResponse::Accepted(), &repository.name(), &id, 0))
}

/// How much of an upload has arrived: a push that broke off goes on from there.
#[utoipa::path(responses((status = 204, description = "In progress"), (status = 404, body = Object)))]
#[get("/{challenge}/{tool}/blobs/uploads/{id}")]
pub(super) async fn status(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, id) = at.into_inner();
    let repository = open(&state, &challenge, &tool).await?;
    let arrived = app::arrived(&state, &actor, &id).await?;
    Ok(progress(HttpResponse::NoContent(), &repository.name(), &id, arrived))
}

/// Adds a part.
#[utoipa::path(
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, description = "Added"), (status = 404, body = Object), (status = 416, body = Object))
)]
#[patch("/{challenge}/{tool}/blobs/uploads/{id}")]
pub(super) async fn append(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, id) = at.into_inner();
    let repository = open(&state, &challenge, &tool).await?;
    let part = part(request.headers())?;
    match app::append(&state, &actor, &repository, &id, part, unhurried(body)).await {
        Ok(arrived) => Ok(progress(HttpResponse::Accepted(), &repository.name(), &id, arrived)),
        Err(e) if e.code == Code::UploadOutOfStep => {
            let arrived = app::arrived(&state, &actor, &id).await?;
            Ok(Refused::from(e).out_of_step(&repository.name(), &id, arrived))
        }
        Err(e) => Err(e.into()),
    }
}

/// Adds the last part, if it carries one, and takes the blob in.
#[utoipa::path(
    params(FinishQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "Taken in"), (status = 400, body = Object), (status = 404, body = Object))
)]
#[put("/{challenge}/{tool}/blobs/uploads/{id}")]
pub(super) async fn finish(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
    query: Query<FinishQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, id) = at.into_inner();
    let repository = open(&state, &challenge, &tool).await?;
    let sha256 = app::sha256_of(&query.digest)?;
    let part = part(request.headers())?;
    app::finish(&state, &actor, &repository, &id, sha256, part, unhurried(body)).await?;
    Ok(created(&repository.name(), sha256))
}

/// Cancels an upload.
#[utoipa::path(responses((status = 204, description = "Cancelled"), (status = 404, body = Object)))]
#[delete("/{challenge}/{tool}/blobs/uploads/{id}")]
pub(super) async fn cancel(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, id) = at.into_inner();
    open(&state, &challenge, &tool).await?;
    app::cancel(&state, &actor, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}
