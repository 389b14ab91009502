//! Server-rendered pages: complete without JavaScript, nothing inline, nothing from other hosts.
//!
//! Handlers extract, call `app` and hand plain data to `views`, which renders typed templates.

pub(crate) mod assets;
mod challenge;
mod docs;
mod home;
mod leaderboard;
mod login;
mod memo;
mod plot;
mod respond;
mod statement;
mod submission;
mod submit;
mod upload;
pub mod views;

use actix_web::{Route, guard, web};

/// `GET`, and `HEAD` with the same headers.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Registers every page's route, and the answer for addresses that do not exist.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/", read().to(home::list))
        .route("/challenges/{id}", read().to(challenge::show))
        .route("/challenges/{id}/leaderboard", read().to(leaderboard::show))
        .route("/challenges/{id}/plots/{name}.svg", read().to(plot::show))
        .route("/statements/{sha256}", read().to(statement::show))
        .route("/submissions/{id}", read().to(submission::show))
        .route("/submit/{challenge}", read().to(submit::form))
        .route("/submit/{challenge}", web::post().to(submit::receive))
        .route("/login", read().to(login::form))
        .route("/login", web::post().to(login::enter))
        .route("/logout", web::post().to(login::leave))
        .route("/docs/errors", read().to(docs::errors))
        .route("/static/{name}", read().to(assets::serve))
        .default_service(web::to(respond::not_found));
}
