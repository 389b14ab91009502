//! Sites and enrolment codes.

use super::State;
use crate::app::sites as app;
use crate::app::sites::{CreatedCode, NewSite, SiteEntry};
use crate::auth::Organizer;
use crate::error::Error;
use actix_web::web::{Json, Path};
use actix_web::{HttpResponse, get, post};
use fiel_schemas::api::Problem;

/// All sites with their public keys.
#[utoipa::path(responses((status = 200, body = [SiteEntry])))]
#[get("/sites")]
pub(crate) async fn list(state: State) -> Result<Json<Vec<SiteEntry>>, Error> {
    Ok(Json(app::list(&state).await?))
}

/// One site with its public key.
#[utoipa::path(responses((status = 200, body = SiteEntry), (status = 404, body = Problem)))]
#[get("/sites/{id}")]
pub(crate) async fn get(state: State, id: Path<String>) -> Result<Json<SiteEntry>, Error> {
    let found = app::list(&state).await?.into_iter().find(|s| s.id == *id);
    found.map(Json).ok_or_else(|| Error::not_found("The site"))
}

/// Makes a site.
#[utoipa::path(responses((status = 201, body = SiteEntry), (status = 403, body = Problem)))]
#[post("/sites")]
pub(crate) async fn create(
    state: State,
    Organizer(actor): Organizer,
    new: Json<NewSite>,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Created().json(app::create(&state, &actor, new.into_inner()).await?))
}

/// Makes a single-use enrolment code, valid for 15 minutes.
#[utoipa::path(responses((status = 201, body = CreatedCode), (status = 404, body = Problem)))]
#[post("/sites/{id}/codes")]
pub(crate) async fn create_code(
    state: State,
    Organizer(actor): Organizer,
    id: Path<String>,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Created().json(app::create_code(&state, &actor, &id).await?))
}
