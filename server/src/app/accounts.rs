//! Accounts and tokens.

use super::{audit, is_slug};
use crate::auth::{Actor, Role, hash_password, hash_secret, new_token, random_hex};
use crate::error::{Code, Error};
use crate::state::{AppState, time};
use crate::store::db::unique_or;
use crate::store::{accounts, entities};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DAY_MS: i64 = 86_400_000;
/// The name of the first account.
pub const ADMIN: &str = "admin";

/// `POST /api/v1/accounts`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Short name: lower-case letters, digits and hyphens.
    pub name: String,
    /// `administrator`, `organizer`, `participant` or `reader`.
    pub role: String,
    /// At least 8 characters; one is made when absent.
    #[serde(default)]
    pub password: Option<String>,
}

/// A new account with its secrets, which are shown once.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct CreatedAccount {
    /// Account name.
    pub name: String,
    /// Role.
    pub role: String,
    /// Bearer token, valid for a year.
    pub token: String,
    /// The password that was made, where none was given.
    pub password: Option<String>,
}

/// An account without its secrets.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct AccountEntry {
    /// Account name.
    pub name: String,
    /// Role.
    pub role: String,
    /// True where it can no longer sign in.
    pub disabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// `POST /api/v1/accounts/{account}/tokens`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What the token is for.
    pub name: String,
    /// Days until it ends, 1 to 365.
    #[serde(default = "a_year")]
    pub days: u32,
}

fn a_year() -> u32 {
    365
}

/// A new token, shown once.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct CreatedToken {
    /// Id, to delete it by.
    pub id: String,
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

fn token_row(state: &AppState, account: &str, label: &str, token: &str, days: i64) -> entities::token::Model {
    let now = state.now();
    entities::token::Model {
        id: state.new_id(),
        hash: hash_secret(token),
        account: Some(account.to_owned()),
        site: None,
        label: label.to_owned(),
        created_at: now,
        expires_at: now + days * DAY_MS,
    }
}

/// Makes an account with a token.
pub async fn create(state: &AppState, actor: &Actor, new: NewAccount) -> Result<CreatedAccount, Error> {
    let wrong = |detail: &str| Error::new(Code::BadRequest, detail);
    if !is_slug(&new.name) {
        return Err(wrong("`name` must be 1 to 60 lower-case letters, digits and hyphens."));
    }
    let role = Role::parse(&new.role)
        .ok_or_else(|| wrong("`role` must be `administrator`, `organizer`, `participant` or `reader`."))?;
    if new.password.as_ref().is_some_and(|p| p.chars().count() < 8 || p.len() > 1000) {
        return Err(wrong("`password` must have 8 characters or more; 15 or more are better."));
    }
    let made = if new.password.is_none() { Some(random_hex(12)?) } else { None };
    let password = new.password.or_else(|| made.clone()).unwrap_or_default();
    let password_hash = hash_password(state, password).await?;
    let id = state.new_id();
    let token = new_token()?;
    let row = entities::account::Model {
        id: id.clone(),
        name: new.name.clone(),
        role: role.as_str().into(),
        password_hash,
        disabled: false,
        created_at: state.now(),
    };
    let tx = state.db.begin().await?;
    accounts::insert(&tx, row)
        .await
        .map_err(unique_or(Code::NameTaken, "There is an account of this name; choose another name."))?;
    accounts::insert_token(&tx, token_row(state, &id, "first token", &token, 365)).await?;
    audit(state, &tx, actor, "account.create", &new.name).await?;
    tx.commit().await?;
    Ok(CreatedAccount { name: new.name, role: role.as_str().into(), token, password: made })
}

/// All accounts.
pub async fn list(state: &AppState) -> Result<Vec<AccountEntry>, Error> {
    let rows = accounts::list(&state.db.read).await?;
    Ok(rows
        .into_iter()
        .map(|a| AccountEntry {
            name: a.name,
            role: a.role,
            disabled: a.disabled,
            created_at: time(a.created_at),
        })
        .collect())
}

/// Makes a further token for the acting account, or, as administrator, for another.
pub async fn create_token(
    state: &AppState,
    actor: &Actor,
    account: &str,
    new: NewToken,
) -> Result<CreatedToken, Error> {
    if !(1..=365).contains(&new.days) || new.name.is_empty() || new.name.chars().count() > 80 {
        return Err(Error::new(Code::BadRequest, "`days` must be 1 to 365 and `name` 1 to 80 characters."));
    }
    let found = accounts::by_name(&state.db.read, account)
        .await?
        .filter(|a| a.id == actor.id || actor.at_least(Role::Administrator))
        .ok_or_else(|| Error::not_found("The account"))?;
    let token = new_token()?;
    let row = token_row(state, &found.id, &new.name, &token, i64::from(new.days));
    let made = CreatedToken { id: row.id.clone(), token, expires_at: time(row.expires_at) };
    let tx = state.db.begin().await?;
    accounts::insert_token(&tx, row).await?;
    audit(state, &tx, actor, "token.create", &made.id).await?;
    tx.commit().await?;
    Ok(made)
}

/// Deletes a token of the acting account; it stops working at once.
pub async fn delete_token(state: &AppState, actor: &Actor, id: &str) -> Result<(), Error> {
    let tx = state.db.begin().await?;
    if accounts::delete_token(&tx, &actor.id, id).await? == 0 {
        return Err(Error::not_found("The token"));
    }
    audit(state, &tx, actor, "token.delete", id).await?;
    tx.commit().await?;
    Ok(())
}

/// Sets the acting account's password and ends its sessions.
pub async fn set_password(state: &AppState, actor: &Actor, password: String) -> Result<(), Error> {
    if password.chars().count() < 8 || password.len() > 1000 {
        return Err(Error::new(
            Code::BadRequest,
            "A password must have 8 characters or more; 15 or more are better.",
        ));
    }
    let hash = hash_password(state, password).await?;
    let tx = state.db.begin().await?;
    let row = accounts::by_id(&tx, &actor.id).await?.ok_or_else(|| Error::not_found("The account"))?;
    accounts::set_password(&tx, row, hash).await?;
    audit(state, &tx, actor, "account.password", &actor.name).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes the administrator at the first start and gives the token. It is also the first password; it lies in
/// `admin-token`, readable by the hub's user only, before the account exists, so that a kill in between loses nothing.
///
/// A database that has its administrator already, from another data folder, is left as it is: `None` where the folder
/// holds no token of it.
pub(crate) async fn ensure_admin(state: &AppState) -> Result<Option<String>, Error> {
    let path = state.config.data_dir.join("admin-token");
    let kept = fs_err::read_to_string(&path).ok().map(|t| t.trim().to_owned()).filter(|t| t.len() > 20);
    if let Some(admin) = accounts::by_name(&state.db.read, ADMIN).await? {
        let Some(token) = kept else { return Ok(None) };
        let row = accounts::token_by_hash(&state.db.read, &hash_secret(&token)).await?;
        let works = row.is_some_and(|r| r.account == Some(admin.id) && r.expires_at > state.now());
        return Ok(works.then_some(token));
    }
    let token = if let Some(token) = kept {
        token
    } else {
        let token = new_token()?;
        write_secret(&path, &token)
            .map_err(|e| Error::startup(format!("The administrator's token cannot be written: {e}.")))?;
        token
    };
    let password_hash = hash_password(state, token.clone()).await?;
    let id = state.new_id();
    let row = entities::account::Model {
        id: id.clone(),
        name: ADMIN.into(),
        role: Role::Administrator.as_str().into(),
        password_hash,
        disabled: false,
        created_at: state.now(),
    };
    let tx = state.db.begin().await?;
    accounts::insert(&tx, row).await?;
    accounts::insert_token(&tx, token_row(state, &id, "first start", &token, 365)).await?;
    audit(state, &tx, &Actor::hub(), "account.create", ADMIN).await?;
    tx.commit().await?;
    Ok(Some(token))
}

fn write_secret(path: &std::path::Path, secret: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
