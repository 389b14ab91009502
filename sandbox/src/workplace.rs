//! The folder below which the slots of one sandbox lie; locked while in use, so that leftovers can be told apart.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;
use rustix::fs::FlockOperation;

use crate::slot::io_error;
use crate::types::SandboxError;

/// Counts the workplaces and workers of this process.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A locked folder of its own; removed when dropped.
#[derive(Debug)]
pub(crate) struct Workplace {
    folder: PathBuf,
    _lock: File,
}

impl Workplace {
    /// Makes one below `parent` and removes those that nobody holds any more.
    pub(crate) fn open(parent: &Path) -> Result<Self, SandboxError> {
        let make = || -> io::Result<Self> {
            fs::create_dir_all(parent)?;
            let parent = fs::canonicalize(parent)?;
            // One at a time: between making a folder and locking it, it looks like a leftover.
            let turn = File::open(&parent)?;
            rustix::fs::flock(&turn, FlockOperation::LockExclusive)?;
            remove_leftovers(&parent)?;
            let folder = parent.join(format!("work-{}-{}", std::process::id(), unique()));
            fs::create_dir(&folder)?;
            rustix::fs::chmod(&folder, rustix::fs::Mode::from_raw_mode(0o700))?;
            let lock = File::open(&folder)?;
            rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
            Ok(Self { folder, _lock: lock })
        };
        make().map_err(|source| io_error("make the work folder in", parent, source))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // A leftover is removed by the next start.
        let _left = fs::remove_dir_all(&self.folder);
    }
}

/// A number not given before in this process.
pub(crate) fn unique() -> u64 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn remove_leftovers(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("work-") || !entry.file_type()?.is_dir() {
            continue;
        }
        let held = File::open(entry.path())?;
        if rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() {
            tracing::info!(folder = %entry.path().display(), "removing what a killed sandbox left");
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
