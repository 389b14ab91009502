//! Artifacts: submitted files by digest.

use super::audit;
use crate::auth::Actor;
use crate::blobs::{Blob, is_digest};
use crate::error::{Code, Error};
use crate::state::AppState;
use crate::store::{entities, runs, submissions};
use bytes::Bytes;
use fiel_schemas::submission::Artifact;
use futures_util::Stream;
use std::fmt::Display;

/// Receives an artifact; kept only when every byte arrived and the digest matches.
pub async fn receive<S, E>(state: &AppState, actor: &Actor, sha256: &str, bytes: S) -> Result<Artifact, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    if !is_digest(sha256) {
        return Err(Error::new(
            Code::BadRequest,
            "The address must end in the SHA-256 of the file: 64 lower-case hexadecimal digits.",
        ));
    }
    let _permit = state.uploads.acquire().await.map_err(Error::internal)?;
    let (size, media_type) =
        state.blobs.receive_artifact(sha256, bytes, state.config.artifact_bytes_max).await?;
    let artifact = Artifact { media_type, sha256: sha256.into(), size, source: None };
    let row = entities::artifact::Model {
        sha256: sha256.into(),
        size: i64::try_from(size).map_err(Error::internal)?,
        media_type: media_type.as_str().into(),
        uploader: actor.id.clone(),
        created_at: state.now(),
    };
    let tx = state.db.begin().await?;
    submissions::insert_artifact(&tx, row).await?;
    audit(state, &tx, actor, "artifact.receive", sha256).await?;
    tx.commit().await?;
    Ok(artifact)
}

/// Opens an artifact for a site that holds a lease on a run of it.
pub async fn read_for_site(state: &AppState, site: &Actor, sha256: &str) -> Result<Blob, Error> {
    if !is_digest(sha256) || !runs::leased_artifact(&state.db.read, &site.id, sha256).await? {
        return Err(Error::not_found("The artifact"));
    }
    state.blobs.read(sha256).await
}
