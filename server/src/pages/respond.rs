//! Answers: pages, redirects, and errors as pages.

use super::views::{format::url_part, layout};
use crate::auth::{self, Actor};
use crate::error::{Code, Error};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use std::fmt;

/// What a page may load and be loaded by.
pub(super) const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
                                 frame-ancestors 'none'";

/// An error that is answered as a page.
#[derive(Debug)]
pub(super) struct PageError(Error);

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.0.log();
        let problem = self.0.problem();
        let page = layout::problem(problem.status, &problem.title, &problem.detail, &problem.code, None);
        html(self.status_code(), page)
    }
}

/// The result of a page's handler.
pub(super) type Answer = Result<HttpResponse, PageError>;

/// Headers of every page.
pub(super) fn page_headers(builder: &mut HttpResponseBuilder) {
    builder
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::VARY, "Cookie, Accept-Encoding"));
}

/// A page that is made for one request and kept by nobody.
pub(super) fn html(status: StatusCode, page: String) -> HttpResponse {
    let mut builder = HttpResponse::build(status);
    page_headers(&mut builder);
    builder.insert_header((header::CACHE_CONTROL, "private, no-cache")).body(page)
}

/// Sends the browser to another page, as an answer to a form or a link.
pub(super) fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}

/// To the sign-in page, and back afterwards.
pub(super) fn sign_in_first(path: &str) -> HttpResponse {
    see_other(&format!("/login?next={}", url_part(path)))
}

/// The signed-in person as pages show them.
pub(super) fn viewer(actor: Option<&Actor>) -> Option<layout::Viewer> {
    let actor = actor?;
    Some(layout::Viewer { name: actor.name.clone(), csrf: actor.csrf.clone().unwrap_or_default() })
}

/// Whoever asks, from the extractor.
pub(super) fn person(viewer: &auth::Viewer) -> Option<layout::Viewer> {
    self::viewer(viewer.0.as_ref())
}

/// Addresses that do not exist: a page for people, a problem document below `/api`.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    let error = Error::new(
        Code::NotFound,
        format!("There is nothing at {}. Check the address, or start from the challenges.", request.path()),
    );
    if request.path().starts_with("/api/") {
        return error.error_response();
    }
    PageError(error).error_response()
}
