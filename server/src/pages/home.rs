//! `GET /`

use super::respond::{Answer, html, person};
use super::views::challenge::{is_open, phase_words, task_words};
use super::views::home::{Card, render_home};
use super::views::layout::{Frame, page};
use super::views::{format, metric::Column};
use crate::app;
use crate::auth::Viewer;
use crate::state::{AppState, time};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::Leaderboard;

/// The list of challenges.
pub(super) async fn list(state: Data<AppState>, viewer: Viewer) -> Answer {
    let now = time(state.now());
    let mut cards = Vec::new();
    for entry in app::challenges::list(&state).await? {
        let board = app::leaderboards::get(&state, &entry.challenge.id, None).await.ok();
        let mut sites: Vec<&str> = entry.reference_sets.iter().map(|s| s.site.as_str()).collect();
        sites.sort_unstable();
        sites.dedup();
        cards.push(card(&entry.challenge, board.as_ref().map(|b| &b.leaderboard), sites.len(), now));
    }
    let viewer = person(&viewer);
    let frame = Frame { title: "Challenges", viewer: viewer.as_ref(), ..Frame::default() };
    Ok(html(StatusCode::OK, page(&frame, &render_home(&cards))))
}

fn card(challenge: &Challenge, board: Option<&Leaderboard>, sites: usize, now: DateTime<Utc>) -> Card {
    let phase = challenge.phases.iter().find(|p| is_open(p, now)).or(challenge.phases.last());
    let best = board.and_then(|b| b.leaderboard.iter().find(|r| r.rank == Some(1)));
    let column = Column::of(&challenge.ranking.metric);
    let value =
        best.and_then(|r| format::estimate(r.metrics.get(&challenge.ranking.metric)?, column.decimals));
    Card {
        id: challenge.id.clone(),
        title: challenge.title.clone(),
        community: challenge.community.clone(),
        summary: challenge.summary.clone(),
        task: task_words(challenge.task),
        phase: phase.map_or_else(|| "no phase".into(), |p| phase_words(p, now)),
        open: phase.is_some_and(|p| is_open(p, now)),
        submissions: board.map_or(0, |b| b.leaderboard.len()),
        sites,
        best: value.map(|text| format!("{} {text}", column.short)),
    }
}
