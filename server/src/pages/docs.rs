//! `GET /docs/errors`

use super::respond::{Answer, html, person};
use super::views::docs::{CodeLine, render_errors};
use super::views::layout::{Frame, page};
use crate::auth::Viewer;
use crate::error::CODES;
use actix_web::http::StatusCode;

/// The table of error codes.
pub(super) async fn errors(viewer: Viewer) -> Answer {
    let codes: Vec<CodeLine> =
        CODES.iter().map(|row| CodeLine { code: row.1, status: row.2, title: row.3 }).collect();
    let viewer = person(&viewer);
    let frame = Frame { title: "Errors and what to do", viewer: viewer.as_ref(), ..Frame::default() };
    Ok(html(StatusCode::OK, page(&frame, &render_errors(&codes))))
}
