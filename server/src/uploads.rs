//! Uploads in parts: bytes that arrive over several requests, kept on disk until they are finished, cancelled or a day
//! old. The file is the whole truth: its length is what has arrived, so that a hub that was restarted goes on.
//!
//! Invariant: only who holds a file's lock writes to it or moves it away.

use crate::error::{Code, Error};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Display;
use std::fs::TryLockError;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Most unfinished uploads of one account; clients push a handful of layers at once.
const OPEN_MAX: usize = 16;
/// An upload that nothing was added to for this long is removed, milliseconds.
const KEPT_MS: i64 = 86_400_000;
/// How long a request waits for another one that writes to the same upload, such as the rest of one that was cut.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Most digests in progress that are remembered; those of further uploads are computed by reading the file again.
const HASHES_MAX: usize = 1024;

/// The unfinished uploads of a hub.
pub(crate) struct Uploads {
    folder: PathBuf,
    starting: Mutex<()>,
    /// Digest of the first bytes of an upload, and how many these are.
    hashes: Mutex<HashMap<String, (u64, Sha256)>>,
}

/// An upload that this request alone may write to.
pub(crate) struct Upload<'a> {
    uploads: &'a Uploads,
    id: &'a str,
    path: PathBuf,
    file: tokio::fs::File,
    size: u64,
    hash: Option<Sha256>,
}

fn unknown() -> Error {
    Error::new(
        Code::UploadUnknown,
        "There is no such upload in progress: it was finished, cancelled or left for a day. Start it again.",
    )
}

fn lost(error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound { unknown() } else { Error::internal(error) }
}

impl Uploads {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Error> {
        let folder = data_dir.join("uploads");
        fs_err::create_dir_all(&folder)
            .map_err(|e| Error::startup(format!("The folder of uploads cannot be used: {e}.")))?;
        Ok(Self { folder, starting: Mutex::default(), hashes: Mutex::default() })
    }

    fn path(&self, account: &str, id: &str) -> Result<PathBuf, Error> {
        let is_plain = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if is_plain(account) && is_plain(id) {
            Ok(self.folder.join(account).join(id))
        } else {
            Err(unknown())
        }
    }

    /// Starts an upload of an account.
    pub(crate) fn start(&self, account: &str, id: &str, now_ms: i64) -> Result<(), Error> {
        let path = self.path(account, id)?;
        let folder = self.folder.join(account);
        let _one_at_a_time = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        fs_err::create_dir_all(&folder).map_err(Error::internal)?;
        if self.sweep_folder(&folder, now_ms).map_err(Error::internal)? >= OPEN_MAX {
            return Err(Error::new(
                Code::TooManyUploads,
                format!("You have {OPEN_MAX} unfinished uploads. Finish or cancel one, or wait a day."),
            ));
        }
        fs_err::File::create_new(path).map(|_| ()).map_err(Error::internal)
    }

    /// Bytes that have arrived.
    pub(crate) async fn size(&self, account: &str, id: &str) -> Result<u64, Error> {
        let path = self.path(account, id)?;
        Ok(tokio::fs::metadata(path).await.map_err(|e| lost(&e))?.len())
    }

    /// Takes an upload for writing.
    pub(crate) async fn take<'a>(&'a self, account: &str, id: &'a str) -> Result<Upload<'a>, Error> {
        let path = self.path(account, id)?;
        let file = fs_err::OpenOptions::new().read(true).append(true).open(&path).map_err(|e| lost(&e))?;
        let file = file.into_parts().0;
        let started = std::time::Instant::now();
        while let Err(e) = file.try_lock() {
            match e {
                TryLockError::WouldBlock if started.elapsed() < LOCK_WAIT => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                TryLockError::WouldBlock => {
                    return Err(Error::new(
                        Code::UploadBusy,
                        "Another request writes to this upload. Ask for its status, then send what is missing.",
                    ));
                }
                TryLockError::Error(e) => return Err(Error::internal(e)),
            }
        }
        // Whoever had the lock may have finished the upload: then the file is a blob and no longer ours to write to.
        let (opened, named) =
            (file.metadata().map_err(|e| lost(&e))?, fs_err::metadata(&path).map_err(|e| lost(&e))?);
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(unknown());
        }
        let size = opened.len();
        let known = self.hashes().remove(id).filter(|(hashed, _)| *hashed == size).map(|(_, hash)| hash);
        let hash = known.or_else(|| (size == 0).then(Sha256::new));
        Ok(Upload { uploads: self, id, path, file: tokio::fs::File::from_std(file), size, hash })
    }

    /// Removes what nothing was added to for a day.
    pub(crate) fn sweep(&self, now_ms: i64) -> std::io::Result<()> {
        for account in fs_err::read_dir(&self.folder)? {
            self.sweep_folder(&account?.path(), now_ms)?;
        }
        Ok(())
    }

    /// Removes an account's abandoned uploads; how many are left.
    fn sweep_folder(&self, folder: &Path, now_ms: i64) -> std::io::Result<usize> {
        let mut left = 0;
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            // Another request may finish the upload meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            if now_ms.saturating_sub(i64::try_from(changed.as_millis()).unwrap_or(i64::MAX)) <= KEPT_MS {
                left += 1;
            } else if fs_err::remove_file(entry.path()).is_ok() {
                self.hashes().remove(entry.file_name().to_string_lossy().as_ref());
            }
        }
        Ok(left)
    }

    fn hashes(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Sha256)>> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload<'_> {
    /// Bytes that have arrived.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds what streams in. What arrives before the stream breaks stays, so that the client can go on from there;
    /// an upload that becomes larger than `bytes_max` is removed.
    pub(crate) async fn append<S, E>(&mut self, bytes: S, bytes_max: u64) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        let mut bytes = std::pin::pin!(bytes);
        while let Some(part) = bytes.next().await {
            let part = match part {
                Ok(part) => part,
                Err(e) => {
                    self.file.flush().await.map_err(Error::internal)?;
                    return Err(Error::new(
                        Code::UploadCut,
                        format!("The upload broke off after {} bytes ({e}). Go on from there.", self.size),
                    ));
                }
            };
            if self.size.saturating_add(part.len() as u64) > bytes_max {
                self.remove().await?;
                return Err(too_large(bytes_max));
            }
            self.file.write_all(&part).await.map_err(Error::internal)?;
            if let Some(hash) = &mut self.hash {
                hash.update(&part);
            }
            self.size += part.len() as u64;
        }
        self.file.flush().await.map_err(Error::internal)
    }

    /// Lets go of the upload until the next part.
    pub(crate) fn pause(mut self) {
        let mut hashes = self.uploads.hashes();
        if let Some(hash) = self.hash.take().filter(|_| hashes.len() < HASHES_MAX) {
            hashes.insert(self.id.to_owned(), (self.size, hash));
        }
    }

    /// Checks the digest; the caller moves the file away while it holds this. An upload with another digest is removed.
    pub(crate) async fn check(&mut self, sha256: &str) -> Result<PathBuf, Error> {
        let hash = match self.hash.take() {
            Some(hash) => hash,
            None => digest(&self.path).await?,
        };
        let found = fiel_schemas::digest::to_hex(&hash.finalize());
        if found == sha256 {
            return Ok(self.path.clone());
        }
        self.remove().await?;
        Err(Error::new(
            Code::DigestMismatch,
            format!(
                "The {} bytes that arrived have the digest sha256:{found}, not sha256:{sha256}; nothing was kept.",
                self.size
            ),
        ))
    }

    /// Removes the upload.
    pub(crate) async fn remove(&mut self) -> Result<(), Error> {
        self.hash = None;
        tokio::fs::remove_file(&self.path).await.map_err(|e| lost(&e))
    }
}

pub(crate) fn too_large(bytes_max: u64) -> Error {
    Error::new(
        Code::ArtifactTooLarge,
        format!("The upload is larger than {bytes_max} bytes, the limit here; nothing was kept."),
    )
}

async fn digest(path: &Path) -> Result<Sha256, Error> {
    let mut file = tokio::fs::File::open(path).await.map_err(|e| lost(&e))?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut piece).await.map_err(Error::internal)? {
            0 => return Ok(hash),
            length => hash.update(&piece[..length]),
        }
    }
}
