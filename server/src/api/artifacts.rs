//! Artifacts by SHA-256.

use super::{State, unhurried};
use crate::app::artifacts as app;
use crate::auth::{Participant, Site};
use crate::error::Error;
use actix_web::http::header::ContentLength;
use actix_web::web::{Path, Payload};
use actix_web::{HttpResponse, get, put};
use fiel_schemas::api::Problem;
use fiel_schemas::submission::Artifact;

/// Uploads an artifact under its digest.
#[utoipa::path(
    request_body(content = Vec<u8>, content_type = "application/wasm"),
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
    (status = 200, body = Vec<u8>, content_type = "application/wasm"),
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
