//! Server-rendered pages.

/// Registers every page's route.
pub fn configure(_cfg: &mut actix_web::web::ServiceConfig) {}
