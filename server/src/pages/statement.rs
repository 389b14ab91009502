//! `GET /statements/{sha256}`: the signed envelope behind a site's numbers, by its digest.

use super::respond::{Answer, sign_in_first};
use crate::app;
use crate::auth::Viewer;
use crate::state::AppState;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};

/// The envelope as a file that `fiel verify` reads; as in the API, for signed-in people.
pub(super) async fn show(state: Data<AppState>, viewer: Viewer, digest: Path<String>) -> Answer {
    if viewer.0.is_none() {
        return Ok(sign_in_first(&format!("/statements/{digest}")));
    }
    let envelope = app::runs::envelope_of_statement(&state, &digest).await?;
    let name = format!("attachment; filename=\"{}.dsse.json\"", &digest[..16]);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(envelope))
}
