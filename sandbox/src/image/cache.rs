//! The folder of unpacked images. An image appears in it complete, by renaming, and never changes.
//!
//! Whoever uses an image holds a shared lock on its folder; only one that nobody holds is ever removed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use fs_err as fs;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::unpack::{RECORD, Record};
use crate::workplace::unique;

/// Longest record read, bytes: what the bounds of a configuration allow, each character escaped.
const RECORD_BYTES: u64 = 4 << 20;

/// What the names of drafts, and of images on their way out, begin with.
const DRAFT: &str = ".draft-";

/// The cache of one node.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Locks on the images this process has handed out.
    held: Mutex<HashMap<String, File>>,
}

impl Cache {
    /// Makes the folder and removes what killed nodes left in it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // The mapped root of a container must get through to its image; it cannot list or write anything here.
        rustix::fs::chmod(folder, Mode::from_raw_mode(0o711))?;
        let cache = Self { folder: fs::canonicalize(folder)?, held: Mutex::default() };
        cache.remove_leftovers()?;
        Ok(cache)
    }

    /// Finds an image; it will not be removed as long as this cache is open.
    pub(super) fn find(&self, key: &str) -> io::Result<Option<(PathBuf, Record)>> {
        let path = self.folder.join(key);
        let folder = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        lock(&folder, FlockOperation::LockShared)?;
        // It may have been removed before it was locked.
        match std::fs::symlink_metadata(&path) {
            Ok(now) if now.is_dir() && now.ino() == folder.metadata()?.ino() => {}
            _ => return Ok(None),
        }
        let record = record(&path)?;
        folder.set_modified(SystemTime::now())?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_insert(folder);
        Ok(Some((path, record)))
    }

    /// A folder to unpack into.
    pub(super) fn draft(&self) -> io::Result<Draft> {
        // One at a time: between making a folder and locking it, it looks like a leftover.
        let _turn = self.turn()?;
        let path = self.new_name();
        fs::create_dir(&path)?;
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o711))?;
        let held = File::open(&path)?;
        lock(&held, FlockOperation::LockExclusive)?;
        Ok(Draft { path, held })
    }

    /// Makes a draft the image of this key, unless there is one by now: then that one stays.
    pub(super) fn keep(&self, draft: &Draft, key: &str) -> io::Result<()> {
        if !std::fs::symlink_metadata(draft.path.join("rootfs"))?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the unpacking worker left no root folder",
            ));
        }
        // A power cut must not leave the name of an image with half its files.
        rustix::fs::syncfs(&draft.held)?;
        match rustix::fs::renameat_with(CWD, &draft.path, CWD, self.folder.join(key), RenameFlags::NOREPLACE)
        {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes images that nobody holds, least recently used first, until the rest have at most `bytes`.
    pub(super) fn shrink(&self, bytes: u64) -> io::Result<()> {
        let mut images = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(DRAFT) && entry.file_type()?.is_dir() {
                // One without a readable record is of no use and goes first.
                let size = record(&entry.path()).map_or(0, |record| record.bytes);
                let used =
                    entry.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                images.push((used, size, entry.path()));
            }
        }
        images.sort();
        let mut total: u64 = images.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in images {
            if total <= bytes {
                break;
            }
            if self.remove(&path)? {
                tracing::info!(image = %path.display(), "removed an unpacked image that was not used lately");
                total -= size;
            }
        }
        Ok(())
    }

    /// Removes an image unless somebody holds it.
    fn remove(&self, path: &Path) -> io::Result<bool> {
        let folder = match File::open(path) {
            // Another node was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            other => other?,
        };
        if !try_lock(&folder)? {
            return Ok(false);
        }
        let leaving = self.new_name();
        fs::rename(path, &leaving)?;
        fs::remove_dir_all(leaving)?;
        Ok(true)
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        let _turn = self.turn()?;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(DRAFT) || !entry.file_type()?.is_dir() {
                continue;
            }
            if try_lock(&File::open(entry.path())?)? {
                tracing::info!(folder = %entry.path().display(), "removing an image that was left half unpacked");
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Holds the folder for as long as what is given back lives.
    fn turn(&self) -> io::Result<File> {
        let turn = File::open(&self.folder)?;
        lock(&turn, FlockOperation::LockExclusive)?;
        Ok(turn)
    }

    fn new_name(&self) -> PathBuf {
        self.folder.join(format!("{DRAFT}{}-{}", std::process::id(), unique()))
    }
}

/// A folder that is removed unless it was kept.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    held: File,
}

impl Draft {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Fails when it was kept; what cannot be removed now is removed by the next start.
        let _kept = fs::remove_dir_all(&self.path);
    }
}

/// Reads what is known about an unpacked image.
fn record(image: &Path) -> io::Result<Record> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(image.join(RECORD), flags, Mode::empty())?);
    let mut content = Vec::new();
    file.take(RECORD_BYTES).read_to_end(&mut content)?;
    Ok(serde_json::from_slice(&content)?)
}

fn lock(folder: &File, how: FlockOperation) -> io::Result<()> {
    loop {
        match rustix::fs::flock(folder, how) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

fn try_lock(folder: &File) -> io::Result<bool> {
    match rustix::fs::flock(folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
