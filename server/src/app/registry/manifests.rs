//! Manifests and tags: what pushed blobs are together, and the submission that a tag enters.

use super::{Repository, sha256_of};
use crate::app::{audit, submissions as entering};
use crate::auth::Actor;
use crate::error::{Code, Error};
use crate::sniff::Sniffer;
use crate::state::AppState;
use crate::store::{entities, registry, submissions};
use fiel_schemas::api::NewSubmission;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::{self, Descriptor, ImageManifest, Manifest};
use fiel_schemas::submission::{Artifact, MediaType};
use futures_util::StreamExt;
use std::collections::HashMap;

/// Longest tag: the version of a submission has as many characters.
const TAG_CHARS_MAX: usize = 40;

/// A manifest that was taken in.
pub struct Pushed {
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// The submission that its tag entered; `None` where it was pushed by digest.
    pub submission: Option<String>,
}

/// A manifest as it was pushed.
pub struct Stored {
    /// Its form.
    pub media_type: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

fn is_tag(tag: &str) -> bool {
    (1..=TAG_CHARS_MAX).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Code::ManifestInvalid, detail)
}

/// A manifest of the account by tag or digest.
pub async fn manifest(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    reference: &str,
) -> Result<Stored, Error> {
    let (db, name) = (&state.db.read, repository.name());
    let missing = || Error::not_found("The manifest");
    let sha256 = if reference.starts_with("sha256:") {
        sha256_of(reference)?.to_owned()
    } else {
        registry::tag(db, &actor.id, &name, reference).await?.ok_or_else(missing)?.sha256
    };
    let row = registry::manifest(db, &actor.id, &name, &sha256).await?.ok_or_else(missing)?;
    let bytes = state.blobs.read_all(&sha256, oci::MANIFEST_BYTES_MAX).await?;
    Ok(Stored { media_type: row.media_type, sha256, bytes })
}

/// At most `most` tags of the account after `last`.
pub async fn tags(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    last: &str,
    most: u64,
) -> Result<Vec<String>, Error> {
    let rows = registry::tags(&state.db.read, &actor.id, &repository.name(), last, most).await?;
    Ok(rows.into_iter().map(|row| row.tag).collect())
}

/// Takes a manifest in. Under a tag it enters a submission; the same manifest under the same tag enters no second one.
pub async fn put_manifest(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    reference: &str,
    media_type: Option<&str>,
    bytes: Vec<u8>,
) -> Result<Pushed, Error> {
    let sha256 = sha256_hex(&bytes);
    let tag = if reference.starts_with("sha256:") {
        if sha256_of(reference)? != sha256 {
            return Err(Error::new(
                Code::DigestMismatch,
                format!("The manifest has the digest sha256:{sha256}."),
            ));
        }
        None
    } else if is_tag(reference) {
        Some(reference)
    } else {
        return Err(Error::new(
            Code::BadRequest,
            "A tag is the version of the submission: 1 to 40 letters, digits, `.`, `_` and `-`, the first a letter or digit.",
        ));
    };
    let found = oci::parse(&bytes, media_type).map_err(invalid)?;
    let form = form(&found, media_type);
    let artifact = match &found {
        Manifest::Image(image) => image_artifact(state, actor, repository, &sha256, image).await?,
        Manifest::Index(children) => index_artifact(state, actor, repository, children).await?,
    };
    store(state, actor, repository, &sha256, form, bytes, &artifact).await?;
    let submission = match tag {
        Some(tag) => Some(submit(state, actor, repository, tag, &sha256, artifact).await?),
        None => None,
    };
    Ok(Pushed { sha256, submission })
}

/// The name under which a manifest is given back.
fn form(manifest: &Manifest, announced: Option<&str>) -> String {
    match manifest {
        Manifest::Image(image) => image.media_type.clone(),
        Manifest::Index(_) => announced.unwrap_or(oci::OCI_INDEX).to_owned(),
    }
}

/// What an image manifest would enter: the image, or the file that an artifact of another kind consists of.
async fn image_artifact(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    sha256: &str,
    image: &ImageManifest,
) -> Result<Artifact, Error> {
    let digests = image.blobs().map(|blob| blob.sha256().to_owned());
    let own: HashMap<String, i64> = registry::blobs(&state.db.read, &actor.id, digests)
        .await?
        .into_iter()
        .map(|row| (row.sha256, row.size))
        .collect();
    for blob in image.blobs() {
        match own.get(blob.sha256()) {
            None => {
                return Err(Error::new(
                    Code::BlobMissing,
                    format!("The blob {} has not been pushed; push it before the manifest.", blob.digest),
                ));
            }
            Some(size) if u64::try_from(*size) != Ok(blob.size) => {
                return Err(invalid(format!(
                    "The blob {} has {size} bytes; the manifest says {}.",
                    blob.digest, blob.size
                )));
            }
            Some(_) => {}
        }
    }
    repository.check_size(image.size())?;
    if image.is_container() {
        return Ok(Artifact {
            media_type: MediaType::ImageManifest,
            sha256: sha256.to_owned(),
            size: image.size(),
            source: None,
        });
    }
    let [file] = image.layers.as_slice() else {
        return Err(invalid(format!(
            "The manifest is of `{}` and has {} layers. Push a container image, or one file that is a model.",
            image.config.media_type,
            image.layers.len()
        )));
    };
    let media_type = sniff(state, file.sha256()).await?;
    Ok(Artifact { media_type, sha256: file.sha256().to_owned(), size: file.size, source: None })
}

async fn sniff(state: &AppState, sha256: &str) -> Result<MediaType, Error> {
    let unknown = |e: crate::sniff::Unknown| Error::new(Code::ArtifactUnknown, e.to_string());
    let mut blob = state.blobs.read(sha256).await?;
    let mut sniffer = Sniffer::default();
    while let Some(part) = blob.bytes.next().await {
        sniffer.push(&part.map_err(Error::internal)?).map_err(unknown)?;
    }
    sniffer.finish().map_err(unknown)
}

/// What an index would enter: its image for the sites' machines. All its images must be there.
async fn index_artifact(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    children: &[Descriptor],
) -> Result<Artifact, Error> {
    let name = repository.name();
    for child in children {
        let row = registry::manifest(&state.db.read, &actor.id, &name, child.sha256()).await?;
        if !row.is_some_and(|row| u64::try_from(row.size) == Ok(child.size)) {
            return Err(Error::new(
                Code::BlobMissing,
                format!("The manifest {} has not been pushed, or has another size.", child.digest),
            ));
        }
    }
    let child = oci::for_sites(children).ok_or_else(|| {
        invalid("The index has no image for linux/amd64, which the sites run. Build one with `--platform linux/amd64`.")
    })?;
    let bytes = state.blobs.read_all(child.sha256(), oci::MANIFEST_BYTES_MAX).await?;
    match oci::parse(&bytes, None).map_err(invalid)? {
        Manifest::Image(image) => image_artifact(state, actor, repository, child.sha256(), &image).await,
        Manifest::Index(_) => Err(invalid("The index names another index for linux/amd64.")),
    }
}

async fn store(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    sha256: &str,
    media_type: String,
    bytes: Vec<u8>,
    artifact: &Artifact,
) -> Result<(), Error> {
    let size = bytes.len() as u64;
    let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes::Bytes::from(bytes))]);
    state.blobs.receive(sha256, whole, size).await?;
    let now = state.now();
    let row = entities::registry_manifest::Model {
        account: actor.id.clone(),
        repository: repository.name(),
        sha256: sha256.to_owned(),
        media_type,
        size: i64::try_from(size).map_err(Error::internal)?,
        created_at: now,
    };
    let artifact = entities::artifact::Model {
        sha256: artifact.sha256.clone(),
        size: i64::try_from(artifact.size).map_err(Error::internal)?,
        media_type: artifact.media_type.as_str().into(),
        uploader: actor.id.clone(),
        created_at: now,
    };
    let tx = state.db.begin().await?;
    registry::insert_manifest(&tx, row).await?;
    submissions::insert_artifact(&tx, artifact).await?;
    audit(state, &tx, actor, "registry.manifest", &format!("{} {sha256}", repository.name())).await?;
    Ok(tx.commit().await?)
}

async fn submit(
    state: &AppState,
    actor: &Actor,
    repository: &Repository,
    tag: &str,
    sha256: &str,
    artifact: Artifact,
) -> Result<String, Error> {
    let name = repository.name();
    // A push that is repeated, as clients do after a broken connection, enters nothing new.
    let key = format!("push {}", sha256_hex(format!("{name}:{tag}@{sha256}").as_bytes()));
    let new = NewSubmission {
        phase: None,
        tool: repository.tool.clone(),
        version: tag.to_owned(),
        description: String::new(),
        artifact: artifact.sha256,
        image: None,
    };
    let (status, _) = entering::create(state, actor, &repository.challenge.id, Some(&key), new).await?;
    let submission = status.submission.id;
    let row = entities::registry_tag::Model {
        account: actor.id.clone(),
        repository: name,
        tag: tag.to_owned(),
        sha256: sha256.to_owned(),
        submission: submission.clone(),
        moved_at: state.now(),
    };
    let tx = state.db.begin().await?;
    registry::set_tag(&tx, row).await?;
    tx.commit().await?;
    Ok(submission)
}
