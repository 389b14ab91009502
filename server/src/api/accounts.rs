//! Accounts, sessions, tokens.

use super::State;
use crate::app::accounts as app;
use crate::app::accounts::{AccountEntry, CreatedAccount, CreatedToken, NewAccount, NewToken};
use crate::auth::{self, Administrator, Reader};
use crate::error::Error;
use actix_web::web::{Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use fiel_schemas::api::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// Account name.
    account: String,
    /// Password.
    password: String,
}

/// Who is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Me {
    /// Account name.
    account: String,
    /// Role.
    role: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// At least 8 characters.
    password: String,
}

fn me_of(actor: auth::Actor) -> Me {
    Me { role: actor.role.map_or("site", auth::Role::as_str).into(), account: actor.name }
}

/// Opens a session.
#[utoipa::path(responses((status = 200, body = Me), (status = 401, body = Problem)))]
#[post("/auth/login")]
pub(crate) async fn login(state: State, form: Json<Login>) -> Result<HttpResponse, Error> {
    let (cookie, actor) = auth::login(&state, &form.account, &form.password).await?;
    Ok(HttpResponse::Ok().cookie(cookie).json(me_of(actor)))
}

/// Ends the session.
#[utoipa::path(responses((status = 204)))]
#[post("/auth/logout")]
pub(crate) async fn logout(state: State, request: HttpRequest) -> Result<HttpResponse, Error> {
    if auth::identify(&request).await?.is_none() {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::NoContent().cookie(auth::logout(&state, &request).await?).finish())
}

/// Who is signed in.
#[utoipa::path(responses((status = 200, body = Me), (status = 401, body = Problem)))]
#[get("/auth/me")]
pub(crate) async fn me(Reader(actor): Reader) -> Json<Me> {
    Json(me_of(actor))
}

/// Sets one's own password and ends one's sessions.
#[utoipa::path(responses((status = 204), (status = 401, body = Problem)))]
#[put("/auth/password")]
pub(crate) async fn set_password(
    state: State,
    Reader(actor): Reader,
    form: Json<NewPassword>,
) -> Result<HttpResponse, Error> {
    app::set_password(&state, &actor, form.into_inner().password).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes an account.
#[utoipa::path(responses((status = 201, body = CreatedAccount), (status = 403, body = Problem), (status = 409, body = Problem)))]
#[post("/accounts")]
pub(crate) async fn create(
    state: State,
    Administrator(actor): Administrator,
    new: Json<NewAccount>,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Created().json(app::create(&state, &actor, new.into_inner()).await?))
}

/// All accounts.
#[utoipa::path(responses((status = 200, body = [AccountEntry]), (status = 403, body = Problem)))]
#[get("/accounts")]
pub(crate) async fn list(state: State, _: Administrator) -> Result<Json<Vec<AccountEntry>>, Error> {
    Ok(Json(app::list(&state).await?))
}

/// Makes a token for oneself, or, as administrator, for anybody.
#[utoipa::path(responses((status = 201, body = CreatedToken), (status = 404, body = Problem)))]
#[post("/accounts/{account}/tokens")]
pub(crate) async fn create_token(
    state: State,
    Reader(actor): Reader,
    account: Path<String>,
    new: Json<NewToken>,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Created().json(app::create_token(&state, &actor, &account, new.into_inner()).await?))
}

/// Deletes one of one's own tokens.
#[utoipa::path(responses((status = 204), (status = 404, body = Problem)))]
#[delete("/tokens/{id}")]
pub(crate) async fn delete_token(
    state: State,
    Reader(actor): Reader,
    id: Path<String>,
) -> Result<HttpResponse, Error> {
    app::delete_token(&state, &actor, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}
