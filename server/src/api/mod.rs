//! HTTP API under `/api/v1`: extract, call `app`, map. Who may call stands in each handler's signature.

mod accounts;
mod artifacts;
mod challenges;
mod leaderboards;
mod middleware;
mod node;
pub(crate) mod registry;
mod sites;
mod submissions;

pub(crate) use middleware::{limit_time, secure_headers};

use crate::error::{Code, Error};
use crate::pace::Pace;
use crate::state::AppState;
use actix_web::web::{self, Data, Json, JsonConfig, PathConfig, PayloadConfig, QueryConfig};
use actix_web::{HttpResponse, get};
use bytes::Bytes;
use futures_util::stream::{self, Stream, TryStreamExt};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

/// Largest JSON body: an assessment is a few hundred kilobytes at most.
const JSON_BYTES_MAX: usize = 4 << 20;

#[derive(OpenApi)]
#[openapi(info(
    title = "Fiel hub",
    description = "Challenges, submissions, runs, signed assessments, leaderboards. Errors are RFC 9457 problem documents."
))]
struct Document;

/// The OpenAPI document's frame; paths are collected from the services.
pub(crate) fn frame() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The OpenAPI document as bytes, shared with its handler.
#[derive(Clone)]
pub(crate) struct OpenApiJson(pub(crate) Bytes);

/// Every route of the API, grouped by who calls.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    // Anybody.
    config
        .service(health)
        .service(openapi_json)
        .service(accounts::login)
        .service(accounts::logout)
        .service(challenges::list)
        .service(challenges::get)
        .service(challenges::files)
        .service(challenges::file)
        .service(leaderboards::json)
        .service(leaderboards::csv)
        .service(sites::list)
        .service(sites::get);
    // Signed in.
    config
        .service(accounts::me)
        .service(accounts::set_password)
        .service(accounts::create_token)
        .service(accounts::delete_token)
        .service(leaderboards::assessment);
    // Participants.
    config
        .service(artifacts::put)
        .service(submissions::create)
        .service(submissions::list)
        .service(submissions::get)
        .service(submissions::events);
    // Organizers.
    config
        .service(challenges::create)
        .service(challenges::put_file)
        .service(sites::create)
        .service(sites::create_code);
    // Administrators.
    config.service(accounts::create).service(accounts::list);
    // Nodes.
    config
        .service(node::enrol)
        .service(node::offer)
        .service(node::claim)
        .service(node::heartbeat)
        .service(node::assessment)
        .service(node::failure)
        .service(artifacts::get)
        .service(artifacts::get_blob);
}

/// Extractors answer with problem documents and have limits.
pub(crate) fn extractors(config: &mut web::ServiceConfig) {
    let bad = |detail: String| Error::new(Code::BadRequest, detail);
    config
        .app_data(JsonConfig::default().limit(JSON_BYTES_MAX).error_handler(|e, _| json_error(&e).into()))
        .app_data(
            PathConfig::default()
                .error_handler(move |e, _| bad(format!("The address is wrong: {e}.")).into()),
        )
        .app_data(
            QueryConfig::default().error_handler(move |e, _| bad(format!("The query is wrong: {e}.")).into()),
        )
        .app_data(PayloadConfig::new(1 << 20));
}

fn json_error(e: &actix_web::error::JsonPayloadError) -> Error {
    use actix_web::error::JsonPayloadError::{ContentType, Overflow, OverflowKnownLength};
    match e {
        Overflow { .. } | OverflowKnownLength { .. } => {
            Error::new(Code::BodyTooLarge, format!("A JSON body may have {JSON_BYTES_MAX} bytes."))
        }
        ContentType => {
            Error::new(Code::BadRequest, "Send JSON with the header `Content-Type: application/json`.")
        }
        other => Error::new(Code::BadRequest, format!("The JSON body is wrong: {other}.")),
    }
}

/// Addresses of the API that do not exist.
pub(crate) async fn nowhere() -> Result<HttpResponse, Error> {
    Err(Error::new(
        Code::NotFound,
        "There is no such address, or not with this method. See /api/v1/openapi.json.",
    ))
}

/// Whether the hub serves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// Version of the hub.
    version: &'static str,
}

/// Whether the hub serves.
#[utoipa::path(responses((status = 200, body = Health)))]
#[get("/health")]
async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// This document.
#[utoipa::path(responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
#[get("/openapi.json")]
async fn openapi_json(document: Data<OpenApiJson>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}

/// An upload that ends with an error when it falls silent or trickles.
fn unhurried(payload: web::Payload) -> impl Stream<Item = Result<Bytes, String>> {
    stream::unfold((payload, Pace::start()), |(mut payload, mut pace)| async move {
        let part = pace.next(payload.try_next()).await.transpose()?;
        Some((part, (payload, pace)))
    })
}

type State = Data<AppState>;
