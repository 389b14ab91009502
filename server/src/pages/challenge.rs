//! `GET /challenges/{id}`

use super::plot;
use super::respond::{Answer, html, person};
use super::views::board::render_top;
use super::views::challenge::{Extras, render_challenge};
use super::views::layout::{Frame, page};
use crate::app;
use crate::auth::Viewer;
use crate::state::{AppState, time};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};

/// Rows of the short table.
const TOP_ROWS: usize = 8;

/// A challenge: board, curves, rules, data, metrics, overview.
pub(super) async fn show(state: Data<AppState>, viewer: Viewer, id: Path<String>) -> Answer {
    let entry = app::challenges::get(&state, &id).await?;
    let board = app::leaderboards::get(&state, &id, None).await?;
    let readme = app::challenges::file_text(&state, &id, "README.md").await?.unwrap_or_default();
    let mut left = Vec::new();
    if let Some(actor) = &viewer.0 {
        for phase in &entry.challenge.phases {
            left.push(Some(app::submissions::left(&state, actor, &entry.challenge.id, phase).await?));
        }
    }
    let extras = Extras {
        readme,
        digest: entry.digest,
        left,
        top: render_top(&board.leaderboard, TOP_ROWS),
        curves: plot::section(&board)?.as_str().to_owned(),
        sites: entry.reference_sets.into_iter().map(|s| (s.site, s.digest)).collect(),
    };
    let main = render_challenge(&entry.challenge, &extras, time(state.now()));
    let viewer = person(&viewer);
    let frame = Frame { title: &entry.challenge.title, viewer: viewer.as_ref(), ..Frame::default() };
    Ok(html(StatusCode::OK, page(&frame, &main)))
}
