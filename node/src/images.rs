//! Container images from the hub or another registry: the manifest, then the blobs that it names, put together as an
//! OCI image layout.
//!
//! Below the folder of the hub's artifacts or of other registries', `blobs/<sha256>` holds every blob once, whichever images share it, and
//! `<manifest>.oci/` is an image's layout, whose files are hard links to them.

use crate::NodeError;
use crate::folder::{self, Access};
use crate::gate;
use crate::hub_client::{HubClient, file_digest, mismatch, read_limited, unreachable};
use crate::registry::Registry;
use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::{sha256_hex, to_hex};
use fiel_schemas::oci::{self, Descriptor, ImageManifest, Manifest};
use futures_util::StreamExt as _;
use reqwest::{Response, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Who gives an image.
#[derive(Debug)]
pub(crate) enum Origin<'a> {
    /// The hub, to which it was pushed.
    Hub(&'a HubClient),
    /// Another registry, in which it stays.
    Registry(&'a mut Registry),
}

impl HubClient {
    /// Downloads the image whose manifest has the digest `sha256` and whose blobs have `size` bytes together, and
    /// gives the folder of its layout. Every digest and size is checked. Blobs that are there are used, and a blob of
    /// which a part is there is asked for from where that ends.
    pub async fn image(&self, folder: &Path, sha256: &str, size: u64) -> Result<PathBuf, NodeError> {
        pull(&mut Origin::Hub(self), folder, sha256, size).await
    }
}

/// Downloads an image; see [`HubClient::image`].
pub(crate) async fn pull(
    origin: &mut Origin<'_>,
    folder: &Path,
    sha256: &str,
    size: u64,
) -> Result<PathBuf, NodeError> {
    let layout = folder.join(format!("{sha256}.oci"));
    let (shared, own) = (folder.join("blobs"), layout.join("blobs").join("sha256"));
    fs_err::create_dir_all(&shared)?;
    fs_err::create_dir_all(&own)?;
    let bytes = origin.manifest(&own.join(sha256), sha256).await?;
    let image = match oci::parse(&bytes, None) {
        Ok(Manifest::Image(image)) => image,
        Ok(Manifest::Index(_)) => return Err(invalid("the manifest is an index".to_owned())),
        Err(message) => return Err(invalid(message)),
    };
    if image.size() != size {
        let sum = image.size();
        return Err(mismatch(format!(
            "the image's blobs have {sum} bytes by its manifest, the submission announces {size}"
        )));
    }
    let blobs: BTreeMap<&str, &Descriptor> = image.blobs().map(|blob| (blob.sha256(), blob)).collect();
    for (digest, blob) in blobs {
        let target = own.join(digest);
        if is_intact(&target, blob).await? {
            continue;
        }
        let there = shared.join(digest);
        if !is_intact(&there, blob).await? {
            origin.blob(sha256, blob, &there).await?;
        }
        fs_err::hard_link(&there, &target)?;
    }
    finish(&layout, sha256, bytes.len(), &image)?;
    Ok(layout)
}

impl Origin<'_> {
    /// Its name, for messages.
    fn name(&self) -> &str {
        match self {
            Self::Hub(_) => "the hub",
            Self::Registry(registry) => &registry.source().registry,
        }
    }

    async fn open_manifest(&mut self, sha256: &str) -> Result<(String, Response), NodeError> {
        match self {
            Self::Hub(hub) => hub.open(gate::artifact(sha256)?).await,
            Self::Registry(registry) => registry.manifest(&format!("sha256:{sha256}")).await,
        }
    }

    async fn open_blob(
        &mut self,
        image: &str,
        sha256: &str,
        offset: u64,
    ) -> Result<(String, Response), NodeError> {
        match self {
            Self::Hub(hub) => hub.open(gate::artifact_blob(image, sha256, offset)?).await,
            Self::Registry(registry) => registry.blob(sha256, offset).await,
        }
    }

    /// Reads a document whole.
    async fn read(&self, url: &str, answer: &mut Response) -> Result<Vec<u8>, NodeError> {
        match self {
            Self::Hub(_) => read_limited(url, answer).await,
            Self::Registry(registry) => registry.read(answer).await,
        }
    }

    /// A download that broke off, which may be gone on with.
    fn broken(&self, url: &str, error: &reqwest::Error) -> NodeError {
        match self {
            Self::Hub(_) => unreachable(url, error),
            Self::Registry(registry) => registry.broken(error),
        }
    }

    /// As [`Self::broken`], where the other side ended it in good order.
    fn cut(&self, url: String, message: String) -> NodeError {
        match self {
            Self::Hub(_) => NodeError::Unreachable { url, message },
            Self::Registry(registry) => {
                NodeError::Registry { registry: registry.source().registry.clone(), message }
            }
        }
    }

    /// The manifest's bytes, which are kept at `path`.
    async fn manifest(&mut self, path: &Path, sha256: &str) -> Result<Vec<u8>, NodeError> {
        if path.exists() {
            let mut bytes = Vec::new();
            fs_err::File::open(path)?.take(oci::MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes)?;
            if sha256_hex(&bytes) == sha256 {
                return Ok(bytes);
            }
        }
        let (url, mut answer) = self.open_manifest(sha256).await?;
        let bytes = self.read(&url, &mut answer).await?;
        let found = sha256_hex(&bytes);
        if found != sha256 {
            let name = self.name();
            return Err(mismatch(format!("{name} sent a manifest with digest {found} for image {sha256}")));
        }
        folder::write_atomic(path, &bytes, Access::Shared)?;
        Ok(bytes)
    }

    /// Downloads what is missing of a blob, and gives it its name once it is whole.
    async fn blob(&mut self, image: &str, blob: &Descriptor, target: &Path) -> Result<(), NodeError> {
        let partial = target.with_file_name(format!(".{}.part", blob.sha256()));
        let (mut file, mut hasher, mut written) = resume(&partial, blob.size)?;
        if written < blob.size {
            let (url, answer) = self.open_blob(image, blob.sha256(), written).await?;
            if written > 0 && answer.status() != StatusCode::PARTIAL_CONTENT {
                // The whole blob is sent.
                file.set_len(0)?;
                (hasher, written) = (Sha256::new(), 0);
            }
            let mut stream = answer.bytes_stream();
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|e| self.broken(&url, &e))?;
                written += chunk.len() as u64;
                if written > blob.size {
                    folder::remove_if_there(&partial)?;
                    return Err(mismatch(format!(
                        "{} sent more than the {} bytes of {}",
                        self.name(),
                        blob.size,
                        blob.digest
                    )));
                }
                hasher.update(&chunk);
                file.write_all(&chunk)?;
            }
            if written < blob.size {
                let message = format!("{written} of {} bytes of {} arrived", blob.size, blob.digest);
                return Err(self.cut(url, message));
            }
        }
        file.sync_all()?;
        let found = to_hex(&hasher.finalize());
        if found != blob.sha256() {
            folder::remove_if_there(&partial)?;
            let name = self.name();
            return Err(mismatch(format!("{name} sent bytes with digest {found} for blob {}", blob.digest)));
        }
        Ok(fs_err::rename(&partial, target)?)
    }
}

/// A partial file to be continued at its end, the digest of what is there, and its length; begun anew where it is
/// longer than the blob.
fn resume(partial: &Path, size: u64) -> Result<(fs_err::File, Sha256, u64), NodeError> {
    let mut file = fs_err::OpenOptions::new().read(true).append(true).create(true).open(partial)?;
    if file.metadata()?.len() > size {
        file.set_len(0)?;
    }
    let (mut hasher, mut length, mut piece) = (Sha256::new(), 0, vec![0_u8; 256 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((file, hasher, length)),
            read => {
                hasher.update(&piece[..read]);
                length += read as u64;
            }
        }
    }
}

/// Whether the blob is there with its size and digest; what is there otherwise is removed.
async fn is_intact(path: &Path, blob: &Descriptor) -> Result<bool, NodeError> {
    let Ok(metadata) = fs_err::metadata(path) else { return Ok(false) };
    if metadata.len() == blob.size {
        let file = path.to_owned();
        let digest = tokio::task::spawn_blocking(move || file_digest(&file)).await;
        if digest.map_err(|e| NodeError::Task(e.to_string()))?? == blob.sha256() {
            return Ok(true);
        }
    }
    folder::remove_if_there(path)?;
    Ok(false)
}

/// Writes what makes the folder an OCI image layout.
fn finish(layout: &Path, sha256: &str, size: usize, image: &ImageManifest) -> Result<(), NodeError> {
    let manifest = json!({"mediaType": image.media_type, "digest": format!("sha256:{sha256}"), "size": size});
    let index = json!({"schemaVersion": 2, "mediaType": oci::OCI_INDEX, "manifests": [manifest]});
    folder::write_json(&layout.join("index.json"), &index, Access::Shared)?;
    folder::write_json(&layout.join("oci-layout"), &json!({"imageLayoutVersion": "1.0.0"}), Access::Shared)
}

fn invalid(message: String) -> NodeError {
    NodeError::refused(FailureReason::ImageInvalid, message)
}
