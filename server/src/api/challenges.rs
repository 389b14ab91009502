//! Challenges and their public files.

use super::{State, unhurried};
use crate::app::challenges as app;
use crate::auth::Organizer;
use crate::error::{Code, Error};
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{Bytes, Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use fiel_schemas::api::Problem;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::validate::{self, Kind};
use serde::Deserialize;
use utoipa::IntoParams;

/// All challenges.
#[utoipa::path(responses((status = 200, body = Vec<Object>)))]
#[get("/challenges")]
pub(crate) async fn list(state: State) -> Result<Json<Vec<app::ChallengeEntry>>, Error> {
    Ok(Json(app::list(&state).await?))
}

/// One challenge.
#[utoipa::path(responses((status = 200, body = Object), (status = 404, body = Problem)))]
#[get("/challenges/{id}")]
pub(crate) async fn get(state: State, id: Path<String>) -> Result<Json<app::ChallengeEntry>, Error> {
    Ok(Json(app::get(&state, &id).await?))
}

/// Makes a challenge from its definition in YAML or JSON.
#[utoipa::path(
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 201, body = Object), (status = 409, body = Problem), (status = 422, body = Problem))
)]
#[post("/challenges")]
pub(crate) async fn create(
    state: State,
    Organizer(actor): Organizer,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Error> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let invalid = |e: validate::DocumentError| Error::new(Code::DocumentInvalid, e.to_string());
    let challenge: Challenge = if kind.starts_with("application/json") {
        validate::from_json(Kind::Challenge, &body).map_err(invalid)?
    } else {
        let text = std::str::from_utf8(&body)
            .map_err(|_| Error::new(Code::DocumentInvalid, "The definition must be UTF-8 text in YAML."))?;
        validate::from_yaml(Kind::Challenge, text).map_err(invalid)?
    };
    let (entry, is_new) = app::create(&state, &actor, challenge).await?;
    Ok(if is_new { HttpResponse::Created().json(entry) } else { HttpResponse::Ok().json(entry) })
}

/// Digest that an uploaded file must have.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileQuery {
    /// SHA-256 of the file.
    sha256: String,
}

/// Stores a public file.
#[utoipa::path(
    params(FileQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Object), (status = 422, body = Problem))
)]
#[put("/challenges/{id}/files/{path:.*}")]
pub(crate) async fn put_file(
    state: State,
    Organizer(actor): Organizer,
    at: Path<(String, String)>,
    query: Query<FileQuery>,
    body: Payload,
) -> Result<HttpResponse, Error> {
    let (id, path) = at.into_inner();
    Ok(HttpResponse::Ok()
        .json(app::put_file(&state, &actor, &id, &path, &query.sha256, unhurried(body)).await?))
}

/// The public files.
#[utoipa::path(responses((status = 200, body = Vec<Object>), (status = 404, body = Problem)))]
#[get("/challenges/{id}/files")]
pub(crate) async fn files(state: State, id: Path<String>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(app::files(&state, &id).await?))
}

/// Downloads a public file. It is never shown by the browser: it did not come from the hub's makers.
#[utoipa::path(responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, body = Problem)
))]
#[get("/challenges/{id}/files/{path:.*}")]
pub(crate) async fn file(state: State, at: Path<(String, String)>) -> Result<HttpResponse, Error> {
    let (id, path) = at.into_inner();
    let blob = app::file(&state, &id, &path).await?;
    let name = path.rsplit('/').next().unwrap_or("file");
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .body(actix_web::body::SizedStream::new(blob.size, blob.bytes)))
}
