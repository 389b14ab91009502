//! `GET /challenges/{id}/leaderboard`
//!
//! The bytes of a page are made once per state of the board, order and page, plain and compressed; most requests are
//! a look-up. The state is named by the digest of the leaderboard document, so that a kept page is never out of date.

use super::memo::Memo;
use super::respond::{Answer, html, page_headers, person};
use super::views::board::query::Query;
use super::views::board::render_board;
use super::views::layout::{Frame, page};
use crate::app;
use crate::auth::Viewer;
use crate::error::Error;
use crate::leaderboard::Board;
use crate::state::AppState;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use std::io::Write;
use std::sync::Arc;

static PAGES: Memo<(String, Query), Page> = Memo::new(48);

struct Page {
    title: String,
    main: String,
    html: Bytes,
    gzip: Bytes,
    etag: String,
}

/// Order and page.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    sort: Option<String>,
    page: Option<String>,
}

/// The leaderboard.
pub(super) async fn show(
    request: HttpRequest,
    state: Data<AppState>,
    viewer: Viewer,
    id: Path<String>,
    asked: web::Query<Asked>,
) -> Answer {
    let board = app::leaderboards::get(&state, &id, None).await?;
    let page_no = asked.page.as_deref().and_then(|p| p.parse().ok());
    let query = Query::read(asked.sort.as_deref(), page_no, &board.leaderboard);
    let kept = match PAGES.get(&(board.etag.clone(), query.clone())) {
        Some(kept) => kept,
        None => make(&state, &board, query).await?,
    };
    if let Some(viewer) = person(&viewer) {
        let frame = Frame { title: &kept.title, viewer: Some(&viewer), wide: true, ..Frame::default() };
        return Ok(html(StatusCode::OK, page(&frame, &kept.main)));
    }
    let mut builder =
        if is_known(&request, &kept.etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder
        .insert_header((header::ETAG, kept.etag.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    page_headers(&mut builder);
    if is_known(&request, &kept.etag) {
        return Ok(builder.finish());
    }
    if accepts_gzip(&request) {
        builder.insert_header((header::CONTENT_ENCODING, "gzip"));
        return Ok(builder.body(kept.gzip.clone()));
    }
    Ok(builder.body(kept.html.clone()))
}

async fn make(state: &AppState, board: &Arc<Board>, query: Query) -> Result<Arc<Page>, Error> {
    let entry = app::challenges::get(state, &board.leaderboard.challenge).await?;
    let board = board.clone();
    let work = move || {
        let main = render_board(&entry.challenge.title, &board.leaderboard, &query);
        let title = format!("Leaderboard, {}", entry.challenge.title);
        let whole = page(&Frame { title: &title, wide: true, ..Frame::default() }, &main);
        let digest = fiel_schemas::digest::sha256_hex(whole.as_bytes());
        let etag = format!("W/\"{}\"", &digest[..32]);
        let gzip = compress(whole.as_bytes()).map_err(Error::internal)?;
        let page = Page { title, main, html: whole.into(), gzip: gzip.into(), etag };
        Ok::<_, Error>(PAGES.keep((board.etag.clone(), query), page))
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn header_text<'a>(request: &'a HttpRequest, name: &header::HeaderName) -> &'a str {
    request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// True where the browser has these bytes already.
pub(super) fn is_known(request: &HttpRequest, etag: &str) -> bool {
    let bare = etag.trim_start_matches("W/");
    header_text(request, &header::IF_NONE_MATCH)
        .split(',')
        .any(|known| known.trim() == "*" || known.trim().trim_start_matches("W/") == bare)
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    header_text(request, &header::ACCEPT_ENCODING).split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        words.next() == Some("gzip") && words.next() != Some("q=0")
    })
}
