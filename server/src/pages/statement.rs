//! `GET /statements/{sha256}`: the signed envelope behind a site's numbers, by its digest.

use super::respond::{Answer, sign_in_first};
use crate::app;
use crate::auth::Viewer;
use crate::blobs::is_digest;
use crate::error::Error;
use crate::state::AppState;
use crate::store::entities::assessment;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// The envelope as a file that `fiel verify` reads; as in the API, for signed-in people.
pub(super) async fn show(state: Data<AppState>, viewer: Viewer, digest: Path<String>) -> Answer {
    if viewer.0.is_none() {
        return Ok(sign_in_first(&format!("/statements/{digest}")));
    }
    let missing = || Error::not_found("The statement");
    if !is_digest(&digest) {
        return Err(missing().into());
    }
    let found = assessment::Entity::find()
        .filter(assessment::Column::Digest.eq(digest.as_str()))
        .one(&state.db.read)
        .await
        .map_err(Error::from)?;
    let envelope = app::runs::envelope(&state, &found.ok_or_else(missing)?.run).await?;
    let name = format!("attachment; filename=\"{}.dsse.json\"", &digest[..16]);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .json(envelope))
}
