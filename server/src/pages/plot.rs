//! Curves of the best submissions, drawn once per state of the board.

use super::memo::Memo;
use super::respond::Answer;
use super::views::curves::render_curves;
use crate::app;
use crate::error::Error;
use crate::leaderboard::Board;
use crate::plots::{self, ReliabilityPoint, ReliabilitySeries, RocSeries, SERIES_MAX};
use crate::state::AppState;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use fiel_metrics::curves;
use std::sync::Arc;

static SECTIONS: Memo<String, String> = Memo::new(64);
static FILES: Memo<(String, String), String> = Memo::new(64);

/// An SVG may style itself and load nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// ROC and reliability of the best submissions, from what their sites pooled.
fn series(board: &Board) -> (Vec<RocSeries>, Vec<ReliabilitySeries>) {
    let mut roc = Vec::new();
    let mut reliability = Vec::new();
    for row in board.leaderboard.leaderboard.iter().filter(|r| r.rank.is_some()).take(SERIES_MAX) {
        let Some(summaries) = board.pooled.get(&row.submission_id) else { continue };
        let label = format!("{} {}", row.submission, row.version);
        let points = summaries.get("auc").map(curves::roc).unwrap_or_default();
        if points.is_empty() {
            continue;
        }
        let bins = summaries.get("ece@15").map(curves::reliability).unwrap_or_default();
        let auc = row.metrics.get("auc").and_then(|e| e.value);
        roc.push(RocSeries { label: label.clone(), auc, points });
        let points = bins.iter().map(|b| ReliabilityPoint {
            mean_p: b.mean_p,
            observed: b.observed,
            ci95: b.ci95,
            n: b.n,
        });
        reliability.push(ReliabilitySeries { label, points: points.collect() });
    }
    (roc, reliability)
}

/// Both figures with their tables; empty where the task has no curves.
pub(super) fn section(board: &Board) -> Result<Arc<String>, Error> {
    if let Some(kept) = SECTIONS.get(&board.etag) {
        return Ok(kept);
    }
    let (roc, reliability) = series(board);
    let drawn = if roc.is_empty() {
        String::new()
    } else {
        render_curves(&board.leaderboard.challenge, &roc, &reliability).map_err(Error::internal)?
    };
    Ok(SECTIONS.keep(board.etag.clone(), drawn))
}

/// `GET /challenges/{id}/plots/{roc|reliability}.svg`
pub(super) async fn show(
    request: HttpRequest,
    state: Data<AppState>,
    path: Path<(String, String)>,
) -> Answer {
    let (challenge, name) = path.into_inner();
    if !matches!(name.as_str(), "roc" | "reliability") {
        return Err(Error::not_found("The plot").into());
    }
    let board = app::leaderboards::get(&state, &challenge, None).await?;
    let etag = format!("\"{}-{name}-{}\"", board.etag.trim_matches('"'), super::assets::version());
    if super::leaderboard::is_known(&request, &etag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
    }
    let key = (board.etag.clone(), name.clone());
    let svg = if let Some(svg) = FILES.get(&key) {
        svg
    } else {
        let (roc, reliability) = series(&board);
        let drawn = if name == "roc" { plots::roc(&roc) } else { plots::reliability(&reliability) };
        FILES.keep(key, plots::standalone(&drawn.map_err(Error::internal)?))
    };
    Ok(HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "public, no-cache"))
        .insert_header((header::ETAG, etag))
        .body(svg.as_str().to_owned()))
}
