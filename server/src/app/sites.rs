//! Sites, their enrolment and the reference sets they offer.

use super::{audit, is_slug};
use crate::auth::{Actor, hash_secret, new_token, random_hex};
use crate::error::{Code, Error};
use crate::state::{AppState, time};
use crate::store::db::unique_or;
use crate::store::{accounts, challenges, entities, runs, sites, submissions};
use base64::Engine as _;
use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;
use fiel_schemas::api::{Enrolled, Enrolment, ReferenceSetOffer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const CODE_MS: i64 = 15 * 60_000;
const YEAR_MS: i64 = 365 * 86_400_000;

/// `POST /api/v1/sites`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    /// Short name: lower-case letters, digits and hyphens.
    pub id: String,
    /// Name of the organisation.
    pub title: String,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct SiteEntry {
    /// Site id.
    pub id: String,
    /// Name of the organisation.
    pub title: String,
    /// Ed25519 public key, base64, once enrolled.
    pub public_key: Option<String>,
}

/// A single-use enrolment code, shown once.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct CreatedCode {
    /// The code, for `fiel node enrol`.
    pub code: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Makes a site.
pub async fn create(state: &AppState, actor: &Actor, new: NewSite) -> Result<SiteEntry, Error> {
    if !is_slug(&new.id) || new.title.is_empty() || new.title.chars().count() > 120 {
        return Err(Error::new(
            Code::BadRequest,
            "`id` must be 1 to 60 lower-case letters, digits and hyphens; `title` 1 to 120 characters.",
        ));
    }
    let row = entities::site::Model {
        id: new.id.clone(),
        title: new.title.clone(),
        public_key: None,
        created_at: state.now(),
    };
    let tx = state.db.begin().await?;
    sites::insert(&tx, row)
        .await
        .map_err(unique_or(Code::NameTaken, "There is a site of this id; choose another id."))?;
    audit(state, &tx, actor, "site.create", &new.id).await?;
    tx.commit().await?;
    Ok(SiteEntry { id: new.id, title: new.title, public_key: None })
}

/// All sites.
pub async fn list(state: &AppState) -> Result<Vec<SiteEntry>, Error> {
    let rows = sites::list(&state.db.read).await?;
    Ok(rows.into_iter().map(|s| SiteEntry { id: s.id, title: s.title, public_key: s.public_key }).collect())
}

/// Makes an enrolment code for a site, valid once and for 15 minutes.
pub async fn create_code(state: &AppState, actor: &Actor, site: &str) -> Result<CreatedCode, Error> {
    let code = format!("enrol-{}", random_hex(16)?);
    let expires_at = state.now() + CODE_MS;
    let tx = state.db.begin().await?;
    if sites::get(&tx, site).await?.is_none() {
        return Err(Error::not_found("The site"));
    }
    let row = entities::enrolment_code::Model {
        hash: hash_secret(&code),
        site: site.into(),
        expires_at,
        used_at: None,
    };
    sites::insert_code(&tx, row).await?;
    audit(state, &tx, actor, "site.code", site).await?;
    tx.commit().await?;
    Ok(CreatedCode { code, expires_at: time(expires_at) })
}

/// The key in a base64 text, if it is one.
pub(crate) fn parse_key(text: &str) -> Option<VerifyingKey> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()
}

/// Enrols a node: the code is used up, the site's key is set, tokens of earlier enrolments end.
pub async fn enrol(state: &AppState, enrolment: Enrolment) -> Result<Enrolled, Error> {
    if parse_key(&enrolment.public_key).is_none() {
        return Err(Error::new(Code::BadRequest, "`public_key` must be an Ed25519 public key in base64."));
    }
    let token = new_token()?;
    let now = state.now();
    let tx = state.db.begin().await?;
    let Some(site) = sites::use_code(&tx, &hash_secret(&enrolment.code), now).await? else {
        return Err(Error::new(
            Code::CodeInvalid,
            "The code is unknown, used or older than 15 minutes. Ask an organizer of the hub for a new one.",
        ));
    };
    sites::set_key(&tx, &site, enrolment.public_key.trim()).await?;
    accounts::delete_site_tokens(&tx, &site).await?;
    let row = entities::token::Model {
        id: state.new_id(),
        hash: hash_secret(&token),
        account: None,
        site: Some(site.clone()),
        label: "node".into(),
        created_at: now,
        expires_at: now + YEAR_MS,
    };
    accounts::insert_token(&tx, row).await?;
    let actor = Actor { id: site.clone(), name: site.clone(), role: None, csrf: None };
    audit(state, &tx, &actor, "site.enrol", &site).await?;
    tx.commit().await?;
    Ok(Enrolled { site, token })
}

/// Takes a reference set into a challenge; every submission so far gets a run on it.
pub async fn offer(state: &AppState, site: &Actor, id: &str, offer: ReferenceSetOffer) -> Result<(), Error> {
    if !is_slug(id) || !crate::blobs::is_digest(&offer.digest) {
        return Err(Error::new(
            Code::BadRequest,
            "The id must be lower-case letters, digits and hyphens, and `digest` a SHA-256 in hexadecimal.",
        ));
    }
    let tx = state.db.begin().await?;
    if challenges::lock(&tx, &offer.challenge).await?.is_none() {
        return Err(Error::not_found("The challenge"));
    }
    if let Some(known) = challenges::set(&tx, &site.id, id).await? {
        if known.challenge == offer.challenge && known.digest == offer.digest {
            return Ok(());
        }
        return Err(Error::new(
            Code::ReferenceSetFixed,
            format!(
                "The reference set `{id}` was offered with the digest {}. Offer changed data under a new id.",
                known.digest
            ),
        ));
    }
    let row = entities::reference_set::Model {
        site: site.id.clone(),
        id: id.into(),
        challenge: offer.challenge.clone(),
        digest: offer.digest,
        created_at: state.now(),
    };
    challenges::insert_set(&tx, row.clone()).await?;
    let waiting = submissions::of_challenge(&tx, &offer.challenge).await?;
    let new_runs = waiting.iter().map(|s| super::runs::new_run(state, s, &row)).collect();
    runs::insert_many(&tx, new_runs).await?;
    audit(state, &tx, site, "reference-set.offer", id).await?;
    tx.commit().await?;
    state.work.notify_waiters();
    state.boards.touch(&offer.challenge);
    for submission in waiting {
        state.events.announce(&submission.id);
    }
    Ok(())
}
