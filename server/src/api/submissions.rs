//! Submissions and their live progress.

use super::State;
use crate::app::submissions as app;
use crate::auth::{Participant, Reader};
use crate::error::Error;
use crate::sse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Json, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use fiel_schemas::api::{NewSubmission, Problem, SubmissionStatus};

/// Enters a submission. The header `Idempotency-Key` makes a retry safe.
#[utoipa::path(
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry safe")),
    responses(
        (status = 201, body = SubmissionStatus),
        (status = 200, body = SubmissionStatus, description = "The key was used for the same submission"),
        (status = 409, body = Problem),
        (status = 429, body = Problem)
    )
)]
#[post("/challenges/{id}/submissions")]
pub(crate) async fn create(
    state: State,
    Participant(actor): Participant,
    id: Path<String>,
    request: HttpRequest,
    new: Json<NewSubmission>,
) -> Result<HttpResponse, Error> {
    let key = request.headers().get("idempotency-key").and_then(|v| v.to_str().ok());
    let (status, is_new) = app::create(&state, &actor, &id, key, new.into_inner()).await?;
    Ok(if is_new { HttpResponse::Created().json(status) } else { HttpResponse::Ok().json(status) })
}

/// One's own submissions, newest first.
#[utoipa::path(responses((status = 200, body = [SubmissionStatus])))]
#[get("/submissions")]
pub(crate) async fn list(state: State, Reader(actor): Reader) -> Result<Json<Vec<SubmissionStatus>>, Error> {
    Ok(Json(app::list_mine(&state, &actor).await?))
}

/// A submission with the state of its runs.
#[utoipa::path(responses((status = 200, body = SubmissionStatus), (status = 404, body = Problem)))]
#[get("/submissions/{id}")]
pub(crate) async fn get(
    state: State,
    Reader(actor): Reader,
    id: Path<String>,
) -> Result<Json<SubmissionStatus>, Error> {
    Ok(Json(app::status(&state, &actor, &id).await?))
}

/// Server-sent events `status` until every run has ended.
#[utoipa::path(responses(
    (status = 200, body = String, content_type = "text/event-stream"),
    (status = 404, body = Problem)
))]
#[get("/submissions/{id}/events")]
pub(crate) async fn events(
    state: State,
    Reader(actor): Reader,
    id: Path<String>,
) -> Result<HttpResponse, Error> {
    let stream = sse::submission(state, actor, id.into_inner()).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(stream))
}
