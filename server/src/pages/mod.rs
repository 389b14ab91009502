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
mod quota;
mod respond;
mod statement;
mod submission;
mod submit;
mod upload;
pub mod views;

use actix_web::web;

/// Registers every page's route, and the answer for addresses that do not exist.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.route("/", web::get().to(home::list))
        .route("/challenges/{id}", web::get().to(challenge::show))
        .route("/challenges/{id}/leaderboard", web::get().to(leaderboard::show))
        .route("/challenges/{id}/plots/{name}.svg", web::get().to(plot::show))
        .route("/statements/{sha256}", web::get().to(statement::show))
        .route("/submissions/{id}", web::get().to(submission::show))
        .route("/submit/{challenge}", web::get().to(submit::form))
        .route("/submit/{challenge}", web::post().to(submit::receive))
        .route("/login", web::get().to(login::form))
        .route("/login", web::post().to(login::enter))
        .route("/logout", web::post().to(login::leave))
        .route("/docs/errors", web::get().to(docs::errors))
        .route("/static/{name}", web::get().to(assets::serve))
        .default_service(web::to(respond::not_found));
}
