//! Who asks: roles, bearer tokens, sessions, and the guards that handlers name in their signatures.

use crate::error::{Code, Error};
use crate::state::AppState;
use crate::store::{accounts, entities};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use fiel_schemas::digest::{sha256_hex, to_hex};
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

const HOUR_MS: i64 = 3_600_000;

/// What an account may do. Each role may do what the later ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees what signed-in people see.
    Reader,
    /// Submits.
    Participant,
    /// Makes challenges and sites.
    Organizer,
    /// Makes accounts.
    Administrator,
}

impl Role {
    /// The role's name in documents and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Participant => "participant",
            Self::Organizer => "organizer",
            Self::Administrator => "administrator",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reader, Self::Participant, Self::Organizer, Self::Administrator]
            .into_iter()
            .find(|r| r.as_str() == name)
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Account id, or site id of a node.
    pub id: String,
    /// Account name, or site id.
    pub name: String,
    /// The account's role; `None` for a node.
    pub role: Option<Role>,
    /// Token to be put into forms; only where a session cookie was used.
    pub csrf: Option<String>,
}

impl Actor {
    /// True where the account has at least this role.
    pub fn at_least(&self, role: Role) -> bool {
        self.role.is_some_and(|r| r >= role)
    }

    /// The hub itself, for the audit table.
    pub(crate) fn hub() -> Self {
        Self { id: "hub".into(), name: "hub".into(), role: None, csrf: None }
    }

    /// Checks the token that a form of a page carries.
    pub fn check_form(&self, token: &str) -> Result<(), Error> {
        if self.csrf.as_deref() == Some(token) { Ok(()) } else { Err(cross_site()) }
    }
}

/// `bytes` random bytes in hexadecimal.
pub fn random_hex(bytes: usize) -> Result<String, Error> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).map_err(Error::internal)?;
    Ok(to_hex(&buffer))
}

/// A new bearer token: 192 random bits.
pub fn new_token() -> Result<String, Error> {
    Ok(format!("fiel_{}", random_hex(24)?))
}

/// How a token, code or session id is stored.
pub fn hash_secret(secret: &str) -> String {
    sha256_hex(secret.as_bytes())
}

/// Argon2id hash of a password, computed off the request threads.
pub(crate) async fn hash_password(state: &AppState, password: String) -> Result<String, Error> {
    let _permit = state.passwords.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || hash_blocking(&password)).await.map_err(Error::internal)?
}

pub(crate) fn hash_blocking(password: &str) -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(Error::internal)?;
    let hash =
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(Error::internal)?;
    Ok(hash.to_string())
}

/// The hash that the password of an unknown account is compared with.
fn nobody_hash() -> Result<String, Error> {
    static NOBODY: OnceLock<String> = OnceLock::new();
    if let Some(hash) = NOBODY.get() {
        return Ok(hash.clone());
    }
    let hash = hash_blocking("nobody")?;
    Ok(NOBODY.get_or_init(|| hash).clone())
}

async fn verify_password(state: &AppState, password: String, hash: Option<String>) -> Result<bool, Error> {
    let _permit = state.passwords.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        // An unknown name costs as much as a wrong password.
        let hash = match hash {
            Some(hash) => hash,
            None => nobody_hash()?,
        };
        let parsed = PasswordHash::new(&hash).map_err(Error::internal)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await
    .map_err(Error::internal)?
}

/// Checks name and password and opens a session; the cookie to set, and who it is.
pub async fn login(state: &AppState, name: &str, password: &str) -> Result<(Cookie<'static>, Actor), Error> {
    let account = accounts::by_name(&state.db.read, name).await?.filter(|a| !a.disabled);
    let hash = account.as_ref().map(|a| a.password_hash.clone());
    let matches = verify_password(state, password.to_owned(), hash).await?;
    let Some(account) = account.filter(|_| matches) else {
        return Err(Error::new(
            Code::WrongCredentials,
            "Name or password is wrong. Check both and try again.",
        ));
    };
    let id = random_hex(32)?;
    let now = state.now();
    let row = entities::session::Model {
        hash: hash_secret(&id),
        account: account.id.clone(),
        created_at: now,
        seen_at: now,
    };
    let tx = state.db.begin().await?;
    accounts::insert_session(&tx, row).await?;
    tx.commit().await?;
    let actor = account_actor(account, Some(csrf_token(&id)))?;
    Ok((cookie(state, id), actor))
}

/// Ends the session of the request, if it has one; the cookie that removes the old one.
pub async fn logout(state: &AppState, request: &HttpRequest) -> Result<Cookie<'static>, Error> {
    if let Some(id) = request.cookie(cookie_name(state)) {
        let tx = state.db.begin().await?;
        accounts::delete_session(&tx, &hash_secret(id.value())).await?;
        tx.commit().await?;
    }
    let mut gone = cookie(state, String::new());
    gone.make_removal();
    Ok(gone)
}

/// Removes sessions that can no longer be used, every hour until the hub stops.
pub(crate) async fn keep_pruned(state: Data<AppState>) {
    loop {
        if let Err(error) = prune(&state).await {
            error.log();
        }
        tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    }
}

async fn prune(state: &AppState) -> Result<(), Error> {
    let tx = state.db.begin().await?;
    accounts::delete_stale_sessions(&tx, state.now() - 12 * HOUR_MS).await?;
    Ok(tx.commit().await?)
}

fn cookie_name(state: &AppState) -> &'static str {
    if state.config.is_https() { "__Host-fiel" } else { "fiel" }
}

fn cookie(state: &AppState, value: String) -> Cookie<'static> {
    Cookie::build(cookie_name(state), value)
        .path("/")
        .http_only(true)
        .secure(state.config.is_https())
        .same_site(SameSite::Lax)
        .finish()
}

fn csrf_token(session: &str) -> String {
    sha256_hex(format!("fiel form token of {session}").as_bytes())
}

fn account_actor(account: entities::account::Model, csrf: Option<String>) -> Result<Actor, Error> {
    let role =
        Role::parse(&account.role).ok_or_else(|| Error::internal(format!("role of {}", account.id)))?;
    Ok(Actor { id: account.id, name: account.name, role: Some(role), csrf })
}

pub(crate) fn not_signed_in() -> Error {
    Error::new(
        Code::NotSignedIn,
        "This needs an account. Sign in, or send `Authorization: Bearer fiel_...` with a token that is valid.",
    )
}

fn cross_site() -> Error {
    Error::new(
        Code::CrossSite,
        "The form was not sent from the hub's own pages. Reload the page and try again.",
    )
}

/// Refuses a request that a browser sent from another site.
pub fn same_origin(request: &HttpRequest) -> Result<(), Error> {
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(cross_site()) };
    }
    let host = header("host").unwrap_or_default();
    match header("origin") {
        Some(origin) if origin.split_once("://").is_some_and(|(_, at)| at == host) => Ok(()),
        _ => Err(cross_site()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")).map(str::trim)
}

async fn by_token(state: &AppState, token: &str) -> Result<Option<Actor>, Error> {
    let Some(row) = accounts::token_by_hash(&state.db.read, &hash_secret(token)).await? else {
        return Ok(None);
    };
    if row.expires_at <= state.now() {
        return Ok(None);
    }
    if let Some(site) = row.site {
        return Ok(Some(Actor { name: site.clone(), id: site, role: None, csrf: None }));
    }
    let account = accounts::by_id(&state.db.read, row.account.as_deref().unwrap_or_default()).await?;
    account.filter(|a| !a.disabled).map(|a| account_actor(a, None)).transpose()
}

async fn by_session(state: &AppState, id: &str) -> Result<Option<Actor>, Error> {
    let hash = hash_secret(id);
    let Some(session) = accounts::session_by_hash(&state.db.read, &hash).await? else { return Ok(None) };
    let now = state.now();
    let Some(account) = accounts::by_id(&state.db.read, &session.account).await?.filter(|a| !a.disabled)
    else {
        return Ok(None);
    };
    let actor = account_actor(account, Some(csrf_token(id)))?;
    let absolute = if actor.at_least(Role::Administrator) { 8 * HOUR_MS } else { 7 * 24 * HOUR_MS };
    if now - session.seen_at > 12 * HOUR_MS || now - session.created_at > absolute {
        return Ok(None);
    }
    if now - session.seen_at > 60_000 {
        let tx = state.db.begin().await?;
        accounts::touch_session(&tx, &hash, now).await?;
        tx.commit().await?;
    }
    Ok(Some(actor))
}

/// The password of `Authorization: Basic`.
fn basic(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| password.to_owned())
}

/// Who sends a request that carries a token, as a bearer or as the password of any user, which clients of registries
/// can be told. Sessions count for nothing here, so that no page of another site can push.
pub async fn identify_by_token(state: &AppState, headers: &HeaderMap) -> Result<Option<Actor>, Error> {
    match bearer(headers).map(str::to_owned).or_else(|| basic(headers)) {
        Some(token) => by_token(state, &token).await,
        None => Ok(None),
    }
}

/// Who sends the request; `None` for nobody in particular.
pub async fn identify(request: &HttpRequest) -> Result<Option<Actor>, Error> {
    let state = request
        .app_data::<Data<AppState>>()
        .ok_or_else(|| Error::internal("the application state is not registered"))?;
    if let Some(token) = bearer(request.headers()) {
        return by_token(state, token).await;
    }
    let Some(session) = request.cookie(cookie_name(state)) else { return Ok(None) };
    let actor = by_session(state, session.value()).await?;
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if actor.is_some() && !safe {
        same_origin(request)?;
    }
    Ok(actor)
}

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// Whoever asks, signed in or not. A node is nobody here.
#[derive(Debug, Clone)]
pub struct Viewer(pub Option<Actor>);

impl FromRequest for Viewer {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self(identify(&request).await?.filter(|a| a.role.is_some()))) })
    }
}

macro_rules! guard {
    ($name:ident, $doc:literal, $needs:literal, $allows:expr) => {
        #[doc = $doc]
        #[derive(Debug, Clone)]
        pub struct $name(pub Actor);

        impl FromRequest for $name {
            type Error = Error;
            type Future = Extracting<Self>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move {
                    let actor = identify(&request).await?.ok_or_else(not_signed_in)?;
                    let allows: fn(&Actor) -> bool = $allows;
                    if allows(&actor) {
                        return Ok(Self(actor));
                    }
                    Err(Error::new(
                        Code::WrongRole,
                        concat!("This needs ", $needs, ". Use another account or token."),
                    ))
                })
            }
        }
    };
}

guard!(Reader, "A signed-in account of any role.", "an account of a person", |a| a.at_least(Role::Reader));
guard!(Participant, "An account that may submit.", "the role participant", |a| a.at_least(Role::Participant));
guard!(Organizer, "An account that may make challenges and sites.", "the role organizer", |a| {
    a.at_least(Role::Organizer)
});
guard!(Administrator, "An account that may make accounts.", "the role administrator", |a| {
    a.at_least(Role::Administrator)
});
guard!(Site, "A node of an enrolled site.", "the token of an enrolled site", |a| a.role.is_none());
