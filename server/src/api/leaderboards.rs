//! Leaderboards, and the signed assessments behind them.

use super::State;
use crate::app;
use crate::auth::Reader;
use crate::error::Error;
use crate::leaderboard::Board;
use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::web::{Bytes, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use fiel_schemas::api::Problem;
use fiel_schemas::dsse::Envelope;
use fiel_schemas::leaderboard::Leaderboard;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which phase.
#[derive(Deserialize, IntoParams)]
pub(crate) struct PhaseQuery {
    /// Phase id; the open phase when absent.
    phase: Option<String>,
}

fn answer(request: &HttpRequest, board: &Board, kind: &str, body: &Bytes) -> HttpResponse {
    let known = request.headers().get(IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    if known == Some(&board.etag) {
        return HttpResponse::NotModified().insert_header((ETAG, board.etag.as_str())).finish();
    }
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((ETAG, board.etag.as_str()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(body.clone())
}

/// The leaderboard.
#[utoipa::path(params(PhaseQuery), responses((status = 200, body = Leaderboard), (status = 404, body = Problem)))]
#[get("/challenges/{id}/leaderboard")]
pub(crate) async fn json(
    state: State,
    request: HttpRequest,
    id: Path<String>,
    query: Query<PhaseQuery>,
) -> Result<HttpResponse, Error> {
    let board = app::leaderboards::get(&state, &id, query.phase.as_deref()).await?;
    Ok(answer(&request, &board, "application/json", &board.json))
}

/// The leaderboard as CSV.
#[utoipa::path(
    params(PhaseQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = Problem))
)]
#[get("/challenges/{id}/leaderboard.csv")]
pub(crate) async fn csv(
    state: State,
    request: HttpRequest,
    id: Path<String>,
    query: Query<PhaseQuery>,
) -> Result<HttpResponse, Error> {
    let board = app::leaderboards::get(&state, &id, query.phase.as_deref()).await?;
    Ok(answer(&request, &board, "text/csv; charset=utf-8", &board.csv))
}

/// The signed envelope a site sent for a run.
#[utoipa::path(responses((status = 200, body = Envelope), (status = 404, body = Problem)))]
#[get("/assessments/{run}")]
pub(crate) async fn assessment(state: State, _: Reader, run: Path<String>) -> Result<Json<Envelope>, Error> {
    Ok(Json(app::runs::envelope(&state, &run).await?))
}
