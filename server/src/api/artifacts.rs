//! Artifacts by SHA-256.

use super::{State, unhurried};
use crate::app::{artifacts as app, registry};
use crate::auth::{Participant, Site};
use crate::error::Error;
use actix_web::body::SizedStream;
use actix_web::http::header::{CONTENT_RANGE, ContentLength, RANGE};
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse, get, put};
use fiel_schemas::api::Problem;
use fiel_schemas::submission::Artifact;

/// Uploads an artifact under its digest. What it is, the hub finds out from its bytes.
#[utoipa::path(
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Artifact), (status = 413, body = Problem), (status = 422, body = Problem))
)]
#[put("/artifacts/{sha256}")]
pub(crate) async fn put(
    state: State,
    Participant(actor): Participant,
    sha256: Path<String>,
    body: Payload,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(app::receive(&state, &actor, &sha256, unhurried(body)).await?))
}

/// Downloads the artifact of a run that is leased to the asking site.
#[utoipa::path(responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, body = Problem)
))]
#[get("/artifacts/{sha256}")]
pub(crate) async fn get(state: State, Site(site): Site, sha256: Path<String>) -> Result<HttpResponse, Error> {
    let blob = app::read_for_site(&state, &site, &sha256).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(ContentLength(usize::try_from(blob.size).map_err(Error::internal)?))
        .body(actix_web::body::SizedStream::new(blob.size, blob.bytes)))
}

/// Downloads a blob of the image whose manifest is the artifact of a run that is leased to the asking site.
/// `Range: bytes=<offset>-` gives what is missing of a download that broke off.
#[utoipa::path(responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, body = Problem)
))]
#[get("/artifacts/{manifest}/blobs/{sha256}")]
pub(crate) async fn get_blob(
    state: State,
    Site(site): Site,
    at: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let (manifest, sha256) = at.into_inner();
    let offset = offset(&request);
    let blob = registry::read_for_site(&state, &site, &manifest, &sha256, offset).await?;
    if offset == 0 {
        return Ok(HttpResponse::Ok()
            .content_type("application/octet-stream")
            .body(SizedStream::new(blob.size, blob.bytes)));
    }
    if offset >= blob.size {
        return Ok(HttpResponse::RangeNotSatisfiable()
            .insert_header((CONTENT_RANGE, format!("bytes */{}", blob.size)))
            .finish());
    }
    Ok(HttpResponse::PartialContent()
        .content_type("application/octet-stream")
        .insert_header((CONTENT_RANGE, format!("bytes {offset}-{}/{}", blob.size - 1, blob.size)))
        .body(SizedStream::new(blob.size - offset, blob.bytes)))
}

/// Where an open-ended range begins; other ranges count as none, as HTTP allows.
fn offset(request: &HttpRequest) -> u64 {
    let range = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
    let begin = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    begin.and_then(|begin| begin.parse().ok()).unwrap_or_default()
}
