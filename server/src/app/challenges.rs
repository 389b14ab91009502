//! Challenges and their public files.

use super::audit;
use crate::auth::Actor;
use crate::blobs::{Blob, is_digest};
use crate::error::{Code, Error};
use crate::state::{AppState, time};
use crate::store::{challenges, entities};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use fiel_metrics::registry::{MetricId, MetricTask};
use fiel_schemas::challenge::{Challenge, Task};
use fiel_schemas::digest::challenge_digest;
use fiel_schemas::reference_set::FileDigest;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// A challenge with what the hub knows of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChallengeEntry {
    /// The definition.
    pub challenge: Challenge,
    /// Digest of the definition.
    pub digest: String,
    /// When this definition was stored.
    pub updated_at: DateTime<Utc>,
    /// Reference sets offered for it.
    pub reference_sets: Vec<SetEntry>,
}

/// What the hub knows of a reference set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetEntry {
    /// Site id.
    pub site: String,
    /// Reference set id at the site.
    pub id: String,
    /// Digest over all files, labels included.
    pub digest: String,
}

async fn entry(state: &AppState, row: entities::challenge::Model) -> Result<ChallengeEntry, Error> {
    let sets = challenges::sets(&state.db.read, &row.id).await?;
    Ok(ChallengeEntry {
        challenge: serde_json::from_str(&row.document)?,
        digest: row.digest,
        updated_at: time(row.updated_at),
        reference_sets: sets
            .into_iter()
            .map(|s| SetEntry { site: s.site, id: s.id, digest: s.digest })
            .collect(),
    })
}

/// All challenges.
pub async fn list(state: &AppState) -> Result<Vec<ChallengeEntry>, Error> {
    let mut entries = Vec::new();
    for row in challenges::list(&state.db.read).await? {
        entries.push(entry(state, row).await?);
    }
    Ok(entries)
}

/// One challenge.
pub async fn get(state: &AppState, id: &str) -> Result<ChallengeEntry, Error> {
    let row = challenges::get(&state.db.read, id).await?.ok_or_else(|| Error::not_found("The challenge"))?;
    entry(state, row).await
}

/// Every metric must be one of the challenge's task or of costs, and submissions can only be ordered by what is measured.
fn check_metrics(challenge: &Challenge) -> Result<(), Error> {
    let invalid = |message: String| Err(Error::new(Code::DocumentInvalid, message));
    let task = match challenge.task {
        Task::Classification => MetricTask::Classification,
        Task::Segmentation => MetricTask::Segmentation,
    };
    for (i, id) in challenge.metrics.iter().enumerate() {
        match MetricId::parse(id) {
            Err(e) => return invalid(format!("`/metrics/{i}`: {e}.")),
            Ok(metric) if !metric.is_technical() && metric.spec.task != task => {
                let (found, wanted) = (metric.spec.task.as_str(), task.as_str());
                return invalid(format!("`/metrics/{i}`: `{id}` is a metric of {found}, not of {wanted}."));
            }
            Ok(_) => {}
        }
    }
    let ranking = &challenge.ranking;
    for id in std::iter::once(&ranking.metric).chain(&ranking.mean_rank_with) {
        if !challenge.metrics.contains(id) {
            return invalid(format!("`/ranking`: `{id}` must be one of `/metrics`."));
        }
    }
    Ok(())
}

/// Stores a challenge; `true` where it is new. The same definition again changes nothing; a changed one is taken
/// only while no phase of the stored one has opened.
pub async fn create(
    state: &AppState,
    actor: &Actor,
    challenge: Challenge,
) -> Result<(ChallengeEntry, bool), Error> {
    check_metrics(&challenge)?;
    let now = state.now();
    let digest = challenge_digest(&challenge);
    let mut row = entities::challenge::Model {
        id: challenge.id.clone(),
        version: challenge.version.clone(),
        document: serde_json::to_string(&challenge)?,
        digest: digest.clone(),
        created_at: now,
        updated_at: now,
    };
    let tx = state.db.begin().await?;
    let known = challenges::lock(&tx, &challenge.id).await?;
    let is_new = known.is_none();
    if let Some(known) = known {
        if known.digest == digest {
            drop(tx);
            return Ok((get(state, &challenge.id).await?, false));
        }
        let stored: Challenge = serde_json::from_str(&known.document)?;
        if stored.phases.iter().any(|p| p.opens <= time(now)) {
            return Err(Error::new(
                Code::ChallengeFixed,
                format!(
                    "A phase of `{}` has opened, so its definition {} stays. Enter the changed one under a new id.",
                    stored.id, stored.version
                ),
            ));
        }
        row.created_at = known.created_at;
        challenges::replace(&tx, row).await?;
    } else {
        challenges::insert(&tx, row).await.map_err(crate::store::db::unique_or(
            Code::NameTaken,
            "The challenge was made by somebody else just now.",
        ))?;
    }
    audit(state, &tx, actor, "challenge.create", &challenge.id).await?;
    tx.commit().await?;
    state.boards.touch(&challenge.id);
    Ok((get(state, &challenge.id).await?, is_new))
}

/// Relative paths of one to eight plain segments.
fn is_path(path: &str) -> bool {
    let segment = |s: &str| {
        !s.is_empty()
            && s.len() <= 100
            && !s.starts_with('.')
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    path.split('/').count() <= 8 && path.split('/').all(segment)
}

/// Stores a public file of a challenge: its `README.md`, sample cases, baselines.
pub async fn put_file<S, E>(
    state: &AppState,
    actor: &Actor,
    id: &str,
    path: &str,
    sha256: &str,
    bytes: S,
) -> Result<FileDigest, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    if !is_path(path) || !is_digest(sha256) {
        return Err(Error::new(
            Code::BadRequest,
            "The path must be plain segments, and the query must carry `sha256`, the digest of the file.",
        ));
    }
    if challenges::get(&state.db.read, id).await?.is_none() {
        return Err(Error::not_found("The challenge"));
    }
    let _permit = state.uploads.acquire().await.map_err(Error::internal)?;
    let size = state.blobs.receive(sha256, bytes, state.config.artifact_bytes_max).await?;
    let row = entities::challenge_file::Model {
        challenge: id.into(),
        path: path.into(),
        sha256: sha256.into(),
        size: i64::try_from(size).map_err(Error::internal)?,
    };
    let tx = state.db.begin().await?;
    challenges::lock(&tx, id).await?;
    challenges::put_file(&tx, row).await?;
    audit(state, &tx, actor, "challenge.file", &format!("{id}/{path}")).await?;
    tx.commit().await?;
    Ok(FileDigest { path: path.into(), sha256: sha256.into(), size })
}

/// The public files of a challenge.
pub async fn files(state: &AppState, id: &str) -> Result<Vec<FileDigest>, Error> {
    if challenges::get(&state.db.read, id).await?.is_none() {
        return Err(Error::not_found("The challenge"));
    }
    let rows = challenges::files(&state.db.read, id).await?;
    let size = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(rows.into_iter().map(|f| FileDigest { path: f.path, sha256: f.sha256, size: size(f.size) }).collect())
}

/// Opens a public file.
pub async fn file(state: &AppState, id: &str, path: &str) -> Result<Blob, Error> {
    let row =
        challenges::file(&state.db.read, id, path).await?.ok_or_else(|| Error::not_found("The file"))?;
    state.blobs.read(&row.sha256).await
}

/// The text of a public file of at most 1 MiB, such as `README.md`; `None` where there is none.
pub async fn file_text(state: &AppState, id: &str, path: &str) -> Result<Option<String>, Error> {
    let Some(row) = challenges::file(&state.db.read, id, path).await? else { return Ok(None) };
    let bytes = state.blobs.read_all(&row.sha256, 1 << 20).await?;
    Ok(String::from_utf8(bytes).ok())
}
