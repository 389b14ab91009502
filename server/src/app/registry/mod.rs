//! The registry: images that are pushed, blob by blob, and enter a submission with their manifest.
//!
//! Invariant: an account sees, names and reads only blobs and manifests that it has pushed itself, whatever else the
//! blob store holds.

mod manifests;

pub use manifests::{Pushed, manifest, put_manifest, tags};

use crate::auth::Actor;
use crate::blobs::{Blob, is_digest};
use crate::error::{Code, Error};
use crate::state::AppState;
use crate::store::{challenges, entities, registry, runs};
use bytes::Bytes;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::oci;
use fiel_schemas::reference::is_component;
use futures_util::Stream;
use std::fmt::Display;

/// A repository: a tool of a challenge. That the challenge exists was checked.
pub struct Repository {
    /// The challenge.
    pub challenge: Challenge,
    /// The tool's name.
    pub tool: String,
    /// Largest blob, bytes.
    bytes_max: u64,
}

impl Repository {
    /// The repository `challenge/tool`.
    pub async fn open(state: &AppState, challenge: &str, tool: &str) -> Result<Self, Error> {
        if !is_component(challenge) || !is_component(tool) || tool.len() > 80 {
            return Err(Error::new(
                Code::BadRequest,
                "A repository is `<challenge>/<tool>`, each of lower-case letters and digits with `.`, `_`, `-` between \
                 them; the tool's name has at most 80 characters.",
            ));
        }
        let row = challenges::get(&state.db.read, challenge)
            .await?
            .ok_or_else(|| Error::not_found("The challenge"))?;
        let challenge: Challenge = serde_json::from_str(&row.document)?;
        let bytes_max =
            challenge.limits.artifact_mib.saturating_mul(1 << 20).min(state.config.artifact_bytes_max);
        Ok(Self { challenge, tool: tool.to_owned(), bytes_max })
    }

    /// `<challenge>/<tool>`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.challenge.id, self.tool)
    }

    fn check_size(&self, bytes: u64) -> Result<(), Error> {
        if bytes > self.bytes_max { Err(crate::uploads::too_large(self.bytes_max)) } else { Ok(()) }
    }
}

/// The hexadecimal digits of `sha256:<digits>`.
pub fn sha256_of(digest: &str) -> Result<&str, Error> {
    digest.strip_prefix("sha256:").filter(|hex| is_digest(hex)).ok_or_else(|| {
        Error::new(Code::DigestMismatch, "A digest is `sha256:` and 64 lower-case hexadecimal digits.")
    })
}

async fn link(state: &AppState, actor: &Actor, sha256: &str, size: u64) -> Result<(), Error> {
    let row = entities::registry_blob::Model {
        account: actor.id.clone(),
        sha256: sha256.to_owned(),
        size: i64::try_from(size).map_err(Error::internal)?,
        created_at: state.now(),
    };
    let tx = state.db.begin().await?;
    registry::insert_blob(&tx, row).await?;
    super::audit(state, &tx, actor, "registry.blob", sha256).await?;
    Ok(tx.commit().await?)
}

/// True where the account has the blob.
pub async fn has_blob(state: &AppState, actor: &Actor, sha256: &str) -> Result<bool, Error> {
    Ok(registry::blob(&state.db.read, &actor.id, sha256).await?.is_some())
}

/// Opens a blob of the account.
pub async fn blob(state: &AppState, actor: &Actor, sha256: &str) -> Result<Blob, Error> {
    if !has_blob(state, actor, sha256).await? {
        return Err(Error::not_found("The blob"));
    }
    state.blobs.read(sha256).await
}

/// Takes a blob in that comes in one request.
pub async fn receive<S, E>(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    sha256: &str,
    bytes: S,
) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    let _permit = state.uploads.acquire().await.map_err(Error::internal)?;
    let size = state.blobs.receive(sha256, bytes, repository.bytes_max).await?;
    link(state, actor, sha256, size).await
}

/// Starts an upload in parts; its id.
pub fn start(state: &AppState, actor: &Actor) -> Result<String, Error> {
    let id = state.new_id();
    state.parts.start(&actor.id, &id, state.now())?;
    Ok(id)
}

/// Bytes of an upload that have arrived.
pub async fn arrived(state: &AppState, actor: &Actor, id: &str) -> Result<u64, Error> {
    state.parts.size(&actor.id, id).await
}

/// Where a part begins, and how long it says that it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part {
    /// Its first and last byte's place in the blob; `None` continues where the last part ended.
    pub range: Option<(u64, u64)>,
    /// Its length, where the request tells.
    pub length: Option<u64>,
}

/// Adds a part to an upload; bytes that have arrived.
pub async fn append<S, E>(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    id: &str,
    part: Part,
    bytes: S,
) -> Result<u64, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    let _permit = state.uploads.acquire().await.map_err(Error::internal)?;
    let mut upload = state.parts.take(&actor.id, id).await?;
    add(&mut upload, repository, part, bytes).await?;
    let size = upload.size();
    upload.pause();
    Ok(size)
}

async fn add<S, E>(
    upload: &mut crate::uploads::Upload<'_>,
    repository: &Repository,
    part: Part,
    bytes: S,
) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    let begin = upload.size();
    if let Some((first, last)) = part.range {
        let says = last.checked_sub(first).and_then(|n| n.checked_add(1));
        if first != begin || says.is_none() || part.length.is_some_and(|length| Some(length) != says) {
            return Err(Error::new(
                Code::UploadOutOfStep,
                format!(
                    "{begin} bytes have arrived. Send the part that begins there, of the length it announces."
                ),
            ));
        }
    }
    repository.check_size(begin.saturating_add(part.length.unwrap_or_default()))?;
    upload.append(bytes, repository.bytes_max).await?;
    match part.range {
        Some((_, last)) if upload.size() != last.saturating_add(1) => Err(Error::new(
            Code::UploadCut,
            format!(
                "The part announced {} bytes; {} arrived.",
                last.saturating_sub(begin) + 1,
                upload.size() - begin
            ),
        )),
        _ => Ok(()),
    }
}

/// Adds the last part, checks the digest, and takes the blob in.
pub async fn finish<S, E>(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    id: &str,
    sha256: &str,
    part: Part,
    bytes: S,
) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    let _permit = state.uploads.acquire().await.map_err(Error::internal)?;
    let mut upload = state.parts.take(&actor.id, id).await?;
    add(&mut upload, repository, part, bytes).await?;
    let path = upload.check(sha256).await?;
    state.blobs.adopt(sha256, path, upload.size()).await?;
    link(state, actor, sha256, upload.size()).await
}

/// Cancels an upload.
pub async fn cancel(state: &AppState, actor: &Actor, id: &str) -> Result<(), Error> {
    state.parts.take(&actor.id, id).await?.remove().await
}

/// Opens a blob of an image, from its byte `offset` on, for a site that holds a lease on a run of the image.
pub async fn read_for_site(
    state: &AppState,
    site: &Actor,
    manifest: &str,
    sha256: &str,
    offset: u64,
) -> Result<Blob, Error> {
    let missing = || Error::not_found("The blob");
    if !is_digest(manifest)
        || !is_digest(sha256)
        || !runs::leased_artifact(&state.db.read, &site.id, manifest).await?
    {
        return Err(missing());
    }
    let row = crate::store::submissions::artifact(&state.db.read, manifest).await?;
    if row.is_none_or(|row| row.media_type != oci::OCI_MANIFEST) {
        return Err(missing());
    }
    let bytes = state.blobs.read_all(manifest, oci::MANIFEST_BYTES_MAX).await?;
    match oci::parse(&bytes, None) {
        Ok(oci::Manifest::Image(image)) if image.blobs().any(|blob| blob.sha256() == sha256) => {
            state.blobs.read_from(sha256, offset).await
        }
        _ => Err(missing()),
    }
}

/// Removes abandoned uploads, every hour until the hub stops.
pub(crate) async fn keep_swept(state: actix_web::web::Data<AppState>) {
    loop {
        let (state_, now) = (state.clone(), state.now());
        match tokio::task::spawn_blocking(move || state_.parts.sweep(now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "abandoned uploads could not be removed"),
            Err(error) => tracing::warn!(%error, "removing abandoned uploads"),
        }
        tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    }
}
