//! `/login` and `/logout`

use super::respond::{Answer, html, person, see_other};
use super::views::forms::render_login;
use super::views::layout::{Frame, page};
use crate::auth::{self, Viewer};
use crate::error::Code;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Query};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Deserialize;

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// Name and password.
#[derive(Deserialize)]
pub(super) struct Entry {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The token that shows that the form came from a page of this session.
#[derive(Deserialize)]
pub(super) struct Leaving {
    #[serde(default)]
    csrf: String,
}

/// An address of this hub, never of another one.
fn own_address(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(|c| c.is_control() || c.is_whitespace());
    if is_own { next } else { "/" }
}

fn login_page(
    status: StatusCode,
    name: &str,
    next: &str,
    error: Option<&str>,
    viewer: &Viewer,
) -> HttpResponse {
    let viewer = person(viewer);
    let frame = Frame { title: "Sign in", viewer: viewer.as_ref(), ..Frame::default() };
    html(status, page(&frame, &render_login(name, own_address(next), error)))
}

/// The form.
pub(super) async fn form(viewer: Viewer, query: Query<Next>) -> Answer {
    Ok(login_page(StatusCode::OK, "", &query.next, None, &viewer))
}

/// Opens a session. There is none yet to hold a token, so the request has to come from this hub's own page.
pub(super) async fn enter(request: HttpRequest, state: Data<AppState>, entry: Form<Entry>) -> Answer {
    auth::same_origin(&request)?;
    match auth::login(&state, entry.name.trim(), &entry.password).await {
        Ok((cookie, _)) => {
            let mut response = see_other(own_address(&entry.next));
            response.add_cookie(&cookie).map_err(crate::error::Error::internal)?;
            Ok(response)
        }
        Err(error) if error.code == Code::WrongCredentials => {
            let status = error.status_code();
            Ok(login_page(status, &entry.name, &entry.next, Some(&error.detail), &Viewer(None)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the session.
pub(super) async fn leave(
    request: HttpRequest,
    state: Data<AppState>,
    viewer: Viewer,
    form: Form<Leaving>,
) -> Answer {
    if let Some(actor) = &viewer.0 {
        actor.check_form(&form.csrf)?;
    }
    let gone = auth::logout(&state, &request).await?;
    let mut response = see_other("/");
    response.add_cookie(&gone).map_err(crate::error::Error::internal)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::own_address;

    #[test]
    fn signing_in_never_leads_to_another_host() {
        for hostile in
            ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/\n/x"]
        {
            assert_eq!(own_address(hostile), "/", "{hostile}");
        }
        assert_eq!(own_address("/submit/breast-fna"), "/submit/breast-fna");
    }
}
