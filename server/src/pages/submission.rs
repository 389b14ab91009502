//! `GET /submissions/{id}`

use super::respond::{Answer, html, person, sign_in_first};
use super::views::entry::render_entry;
use super::views::layout::{Frame, page};
use super::views::submission::render_submission;
use crate::app;
use crate::auth::Viewer;
use crate::error::{Code, Error};
use crate::leaderboard::Board;
use crate::state::AppState;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use std::sync::Arc;

/// Seconds between reloads where scripts are off.
const REFRESH_S: u32 = 5;

/// A submission: progress and reasons for its participant, results for everybody.
pub(super) async fn show(state: Data<AppState>, viewer: Viewer, id: Path<String>) -> Answer {
    let Some(actor) = &viewer.0 else {
        let found = public(&state, &viewer, &id).await?;
        return Ok(found.unwrap_or_else(|| sign_in_first(&format!("/submissions/{id}"))));
    };
    let status = match app::submissions::status(&state, actor, &id).await {
        Ok(status) => status,
        Err(error) if error.code == Code::NotFound => {
            return match public(&state, &viewer, &id).await? {
                Some(found) => Ok(found),
                None => Err(error.into()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let entry = app::challenges::get(&state, &status.submission.challenge).await?;
    let board =
        app::leaderboards::get(&state, &status.submission.challenge, Some(&status.submission.phase)).await?;
    let results = render_entry(&board.leaderboard, &id);
    let main = render_submission(&status, &entry.challenge.title, results.as_deref());
    let is_running = status.state == "running";
    let person = person(&viewer);
    let frame = Frame {
        title: &status.submission.tool,
        viewer: person.as_ref(),
        refresh_s: is_running.then_some(REFRESH_S),
        live: is_running,
        wide: false,
    };
    Ok(html(StatusCode::OK, page(&frame, &main)))
}

/// What a leaderboard shows of the submission anyway, as a page.
async fn public(state: &AppState, viewer: &Viewer, id: &str) -> Result<Option<HttpResponse>, Error> {
    let Some((title, board)) = board_with(state, id).await? else { return Ok(None) };
    let Some(main) = super::views::entry::render_public(&title, &board.leaderboard, id) else {
        return Ok(None);
    };
    let person = person(viewer);
    let frame = Frame { title: "Submission", viewer: person.as_ref(), ..Frame::default() };
    Ok(Some(html(StatusCode::OK, page(&frame, &main))))
}

async fn board_with(state: &AppState, id: &str) -> Result<Option<(String, Arc<Board>)>, Error> {
    for entry in app::challenges::list(state).await? {
        for phase in &entry.challenge.phases {
            let board = app::leaderboards::get(state, &entry.challenge.id, Some(&phase.id)).await?;
            if board.leaderboard.leaderboard.iter().any(|r| r.submission_id == id) {
                return Ok(Some((entry.challenge.title, board)));
            }
        }
    }
    Ok(None)
}
