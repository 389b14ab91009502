//! What nodes call.

use super::State;
use crate::app::runs::{Accepted, Renewed};
use crate::app::{runs, sites};
use crate::auth::Site;
use crate::error::Error;
use crate::queue;
use actix_web::web::{Json, Path};
use actix_web::{HttpResponse, post, put};
use fiel_schemas::api::{Claim, Enrolled, Enrolment, Failure, Heartbeat, Problem, ReferenceSetOffer, Report};

/// Enrols a node with a single-use code.
#[utoipa::path(responses((status = 200, body = Enrolled), (status = 403, body = Problem)))]
#[post("/node/enrol")]
pub(crate) async fn enrol(state: State, enrolment: Json<Enrolment>) -> Result<Json<Enrolled>, Error> {
    Ok(Json(sites::enrol(&state, enrolment.into_inner()).await?))
}

/// Offers a reference set for a challenge.
#[utoipa::path(responses((status = 204), (status = 409, body = Problem)))]
#[put("/node/reference-sets/{id}")]
pub(crate) async fn offer(
    state: State,
    Site(site): Site,
    id: Path<String>,
    offer: Json<ReferenceSetOffer>,
) -> Result<HttpResponse, Error> {
    sites::offer(&state, &site, &id, offer.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Claims a run: 200 with a run order, or 204 after waiting.
#[utoipa::path(responses((status = 200, body = Object), (status = 204)))]
#[post("/node/claim")]
pub(crate) async fn claim(state: State, Site(site): Site, claim: Json<Claim>) -> Result<HttpResponse, Error> {
    Ok(match queue::claim(&state, &site, claim.wait_s).await? {
        Some(order) => HttpResponse::Ok().json(order),
        None => HttpResponse::NoContent().finish(),
    })
}

/// Renews a lease.
#[utoipa::path(responses((status = 200, body = Renewed), (status = 409, body = Problem)))]
#[post("/node/runs/{run}/heartbeat")]
pub(crate) async fn heartbeat(
    state: State,
    Site(site): Site,
    run: Path<String>,
    beat: Json<Heartbeat>,
) -> Result<Json<Renewed>, Error> {
    Ok(Json(runs::heartbeat(&state, &site, &run, beat.into_inner()).await?))
}

/// Takes the signed assessment of a run, once.
#[utoipa::path(responses((status = 200, body = Accepted), (status = 409, body = Problem), (status = 422, body = Problem)))]
#[post("/node/runs/{run}/assessment")]
pub(crate) async fn assessment(
    state: State,
    Site(site): Site,
    run: Path<String>,
    report: Json<Report>,
) -> Result<Json<Accepted>, Error> {
    Ok(Json(runs::report(&state, &site, &run, report.into_inner()).await?))
}

/// Takes the reason why a run could not be done.
#[utoipa::path(responses((status = 204), (status = 409, body = Problem)))]
#[post("/node/runs/{run}/failure")]
pub(crate) async fn failure(
    state: State,
    Site(site): Site,
    run: Path<String>,
    failure: Json<Failure>,
) -> Result<HttpResponse, Error> {
    runs::fail(&state, &site, &run, failure.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
