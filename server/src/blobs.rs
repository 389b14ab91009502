//! The blob store: bytes addressed by their SHA-256, in a local folder or an S3-compatible store.
//!
//! Invariant: a blob is visible under its digest only when all its bytes are stored and match; everything else
//! leaves nothing behind.

use crate::config::HubConfig;
use crate::error::{Code, Error};
use crate::sniff::Sniffer;
use bytes::Bytes;
use fiel_schemas::submission::MediaType;
use futures_util::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Where artifacts and public files lie.
#[derive(Debug, Clone)]
pub enum Blobs {
    /// A folder: `tmp/` for uploads in progress, `sha256/ab/abcd...` for finished ones.
    Local(PathBuf),
    /// A bucket: `sha256/ab/abcd...`.
    Bucket(Arc<dyn ObjectStore>),
}

/// The bytes of a blob as a stream, with their number.
pub struct Blob {
    /// Size of the whole blob in bytes.
    pub size: u64,
    /// The bytes from where reading was asked to begin.
    pub bytes: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

/// True for 64 lower-case hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Blobs {
    /// Opens the store that the configuration names.
    pub fn open(config: &HubConfig) -> Result<Self, Error> {
        if let Some(url) = &config.blobs_url {
            return bucket(url, config.blobs_keys.as_ref()).map(Self::Bucket);
        }
        let root = config.data_dir.join("blobs");
        let prepare = || -> std::io::Result<()> {
            // Uploads that a killed hub left unfinished.
            if root.join("tmp").exists() {
                fs_err::remove_dir_all(root.join("tmp"))?;
            }
            fs_err::create_dir_all(root.join("tmp"))?;
            fs_err::create_dir_all(root.join("sha256"))
        };
        prepare().map_err(|e| Error::startup(format!("The blob folder cannot be used: {e}.")))?;
        Ok(Self::Local(root))
    }

    /// Stores a stream under its digest and gives its size. Nothing stays unless every byte arrived, the digest
    /// matches and the size is within `bytes_max`.
    pub async fn receive<S, E>(&self, sha256: &str, bytes: S, bytes_max: u64) -> Result<u64, Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        Ok(self.receive_through(sha256, bytes, Meter::new(bytes_max)).await?.size)
    }

    /// Stores an artifact as [`Blobs::receive`] does, and nothing that is not one; its size and what it is.
    pub async fn receive_artifact<S, E>(
        &self,
        sha256: &str,
        bytes: S,
        bytes_max: u64,
    ) -> Result<(u64, MediaType), Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        let meter = Meter { sniffer: Some(Sniffer::default()), ..Meter::new(bytes_max) };
        let received = self.receive_through(sha256, bytes, meter).await?;
        let media = received.media.ok_or_else(|| Error::internal("a sniffer gave no verdict"))?;
        Ok((received.size, media))
    }

    async fn receive_through<S, E>(&self, sha256: &str, bytes: S, meter: Meter) -> Result<Received, Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        match self {
            Self::Local(root) => receive_local(root, sha256, bytes, meter).await,
            Self::Bucket(store) => receive_bucket(store.as_ref(), sha256, bytes, meter).await,
        }
    }

    /// Takes in a file of the data folder whose digest and size are known; the file is gone afterwards.
    pub async fn adopt(&self, sha256: &str, path: PathBuf, size: u64) -> Result<(), Error> {
        let file = tokio::fs::File::open(&path).await.map_err(Error::internal)?;
        match self {
            Self::Local(root) => {
                file.sync_all().await.map_err(Error::internal)?;
                keep(local_path(root, sha256), move |target| fs_err::rename(path, target)).await
            }
            Self::Bucket(_) => {
                let bytes = tokio_util::io::ReaderStream::with_capacity(file, 64 << 10);
                self.receive(sha256, bytes, size).await?;
                tokio::fs::remove_file(path).await.map_err(Error::internal)
            }
        }
    }

    /// Opens a blob for reading.
    pub async fn read(&self, sha256: &str) -> Result<Blob, Error> {
        self.read_from(sha256, 0).await
    }

    /// Opens a blob for reading from its byte `offset` on; nothing comes from beyond its end.
    pub async fn read_from(&self, sha256: &str, offset: u64) -> Result<Blob, Error> {
        let missing = |e: &dyn Display| Error::internal(format!("blob {sha256}: {e}"));
        match self {
            Self::Local(root) => {
                let mut file =
                    tokio::fs::File::open(local_path(root, sha256)).await.map_err(|e| missing(&e))?;
                let size = file.metadata().await.map_err(|e| missing(&e))?.len();
                file.seek(SeekFrom::Start(offset.min(size))).await.map_err(|e| missing(&e))?;
                let bytes = tokio_util::io::ReaderStream::with_capacity(file, 64 << 10).boxed();
                Ok(Blob { size, bytes })
            }
            Self::Bucket(store) => {
                let range = if offset == 0 {
                    None
                } else {
                    let size = store.head(&key(sha256)).await.map_err(|e| missing(&e))?.size;
                    if offset >= size {
                        return Ok(Blob { size, bytes: futures_util::stream::empty().boxed() });
                    }
                    Some(GetRange::Offset(offset))
                };
                let options = GetOptions { range, ..GetOptions::default() };
                let found = store.get_opts(&key(sha256), options).await.map_err(|e| missing(&e))?;
                let size = found.meta.size;
                Ok(Blob { size, bytes: found.into_stream().map_err(std::io::Error::other).boxed() })
            }
        }
    }

    /// Reads a whole blob of at most `bytes_max`.
    pub async fn read_all(&self, sha256: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let mut blob = self.read(sha256).await?;
        if blob.size > bytes_max {
            return Err(Error::internal(format!("blob {sha256} has {} bytes", blob.size)));
        }
        let mut all = Vec::new();
        while let Some(part) = blob.bytes.next().await {
            all.extend_from_slice(&part.map_err(Error::internal)?);
        }
        Ok(all)
    }
}

fn bucket(url: &str, keys: Option<&(String, String)>) -> Result<Arc<dyn ObjectStore>, Error> {
    let wrong = |why: &str| {
        Error::startup(format!(
            "The blob address `{url}` {why}. Write `s3://bucket?endpoint=http://host:port&region=us-east-1`."
        ))
    };
    let rest = url.strip_prefix("s3://").ok_or_else(|| wrong("does not begin with `s3://`"))?;
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    if name.is_empty() {
        return Err(wrong("names no bucket"));
    }
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(name.trim_end_matches('/'))
        .with_region("us-east-1")
        .with_virtual_hosted_style_request(false);
    if let Some((key, secret)) = keys {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret);
    }
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (option, value) = pair.split_once('=').ok_or_else(|| wrong("has an option without a value"))?;
        builder = match option {
            "endpoint" => builder.with_allow_http(value.starts_with("http://")).with_endpoint(value),
            "region" => builder.with_region(value),
            _ => return Err(wrong("has an unknown option")),
        };
    }
    Ok(Arc::new(builder.build().map_err(|e| wrong(&format!("cannot be used ({e})")))?))
}

fn key(sha256: &str) -> Key {
    Key::from(format!("sha256/{}/{sha256}", &sha256[..2]))
}

fn local_path(root: &Path, sha256: &str) -> PathBuf {
    root.join("sha256").join(&sha256[..2]).join(sha256)
}

/// Counts and digests what passes, and sees what it is where that is asked.
struct Meter {
    hash: Sha256,
    size: u64,
    bytes_max: u64,
    sniffer: Option<Sniffer>,
}

/// What passed a meter.
struct Received {
    size: u64,
    media: Option<MediaType>,
}

fn unknown(unknown: &crate::sniff::Unknown) -> Error {
    Error::new(Code::ArtifactUnknown, unknown.to_string())
}

impl Meter {
    fn new(bytes_max: u64) -> Self {
        Self { hash: Sha256::new(), size: 0, bytes_max, sniffer: None }
    }

    fn take<E: Display>(&mut self, part: Result<Bytes, E>) -> Result<Bytes, Error> {
        let part = part.map_err(|e| {
            Error::new(
                Code::UploadCut,
                format!("The upload ended after {} bytes ({e}); nothing was kept. Send it again.", self.size),
            )
        })?;
        self.size += part.len() as u64;
        if self.size > self.bytes_max {
            return Err(Error::new(
                Code::ArtifactTooLarge,
                format!(
                    "The upload is larger than {} bytes; nothing was kept. Make the file smaller.",
                    self.bytes_max
                ),
            ));
        }
        if let Some(sniffer) = &mut self.sniffer {
            sniffer.push(&part).map_err(|e| unknown(&e))?;
        }
        self.hash.update(&part);
        Ok(part)
    }

    fn finish(self, sha256: &str) -> Result<Received, Error> {
        let found = fiel_schemas::digest::to_hex(&self.hash.finalize());
        if found == sha256 {
            let media = self.sniffer.map(Sniffer::finish).transpose().map_err(|e| unknown(&e))?;
            return Ok(Received { size: self.size, media });
        }
        Err(Error::new(
            Code::DigestMismatch,
            format!(
                "The {} bytes that arrived have the digest {found}, not {sha256}; nothing was kept. \
                 Compute the SHA-256 of the file again and send it under that digest.",
                self.size
            ),
        ))
    }
}

async fn receive_local<S, E>(root: &Path, sha256: &str, bytes: S, mut meter: Meter) -> Result<Received, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    // The temporary file removes itself wherever this function ends early, also when the request is dropped.
    let temporary = tempfile::NamedTempFile::new_in(root.join("tmp")).map_err(Error::internal)?;
    let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(Error::internal)?);
    let mut bytes = std::pin::pin!(bytes);
    while let Some(part) = bytes.next().await {
        file.write_all(&meter.take(part)?).await.map_err(Error::internal)?;
    }
    let received = meter.finish(sha256)?;
    file.sync_all().await.map_err(Error::internal)?;
    keep(local_path(root, sha256), move |target| temporary.persist(target).map(|_| ()).map_err(|e| e.error))
        .await?;
    Ok(received)
}

/// Gives a synced file its lasting name, and syncs the folders that changed.
async fn keep(
    target: PathBuf,
    rename: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let store = move || -> std::io::Result<()> {
        let folder = target.parent().unwrap_or(Path::new("/"));
        let fresh = !folder.exists();
        fs_err::create_dir_all(folder)?;
        rename(&target)?;
        fs_err::File::open(folder)?.sync_all()?;
        if fresh && let Some(above) = folder.parent() {
            fs_err::File::open(above)?.sync_all()?;
        }
        Ok(())
    };
    tokio::task::spawn_blocking(store).await.map_err(Error::internal)?.map_err(Error::internal)
}

async fn receive_bucket<S, E>(
    store: &dyn ObjectStore,
    sha256: &str,
    bytes: S,
    mut meter: Meter,
) -> Result<Received, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Display,
{
    let unavailable = |e: object_store::Error| {
        tracing::error!(error = %e, "blob store");
        Error::new(Code::Unavailable, "The blob store does not answer. Try again in a few seconds.")
    };
    let upload = store.put_multipart(&key(sha256)).await.map_err(unavailable)?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, 8 << 20);
    let mut bytes = std::pin::pin!(bytes);
    let mut outcome = Ok(());
    while let Some(part) = bytes.next().await {
        match meter.take(part) {
            Ok(part) => writer.put(part),
            Err(e) => {
                outcome = Err(e);
                break;
            }
        }
        if let Err(e) = writer.wait_for_capacity(4).await {
            outcome = Err(unavailable(e));
            break;
        }
    }
    match outcome.and_then(|()| meter.finish(sha256)) {
        Ok(received) => {
            writer.finish().await.map_err(unavailable)?;
            Ok(received)
        }
        Err(e) => {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "an upload could not be taken back");
            }
            Err(e)
        }
    }
}
