//! The reference sets of a site: found, offered, loaded and kept while their files stay the same.

use crate::NodeError;
use crate::reference_set::{self, LoadedReferenceSet};
use fiel_schemas::api::FailureReason;
use fiel_schemas::reference_set::ReferenceSet;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A set that can be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) id: String,
    pub(crate) challenge: String,
    pub(crate) digest: String,
}

/// What the file system says about a file: size, modification time, inode.
type Stamp = (u64, i64, i64, u64);

/// A set as it was when its files had these stamps.
type Loaded = (Vec<Stamp>, Arc<LoadedReferenceSet>);

/// The folder `reference-sets`.
#[derive(Debug)]
pub(crate) struct Shelf {
    root: PathBuf,
    loaded: Mutex<HashMap<String, Loaded>>,
}

impl Shelf {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("reference-sets"), loaded: Mutex::default() }
    }

    /// The sets that are in order; the others are named in the site's log.
    pub(crate) fn offers(&self) -> Result<Vec<Offer>, NodeError> {
        let mut offers = Vec::new();
        for entry in fs_err::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || !entry.path().join(reference_set::DOCUMENT).exists() {
                continue;
            }
            match self.document(&name) {
                Ok(doc) => {
                    let digest = reference_set::digest(&doc);
                    offers.push(Offer { id: doc.id, challenge: doc.challenge, digest });
                }
                Err(e) => tracing::error!("{e}"),
            }
        }
        offers.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(offers)
    }

    fn document(&self, id: &str) -> Result<ReferenceSet, NodeError> {
        let dir = self.root.join(id);
        let doc = reference_set::open_document(&dir)?;
        if doc.id == id {
            return Ok(doc);
        }
        let message = format!("its document calls it `{}`; the folder must have the same name", doc.id);
        Err(NodeError::ReferenceSet { path: dir, message })
    }

    /// A set by id and digest, with every file checked unless nothing changed since the last time.
    pub(crate) fn get(&self, id: &str, digest: &str) -> Result<Arc<LoadedReferenceSet>, NodeError> {
        let missing = |message: String| NodeError::refused(FailureReason::ReferenceSetMissing, message);
        let dir = self.root.join(id);
        if !crate::folder::is_plain_name(id) || !dir.join(reference_set::DOCUMENT).exists() {
            return Err(missing(format!("there is no reference set `{}`", id.escape_default())));
        }
        let doc = self.document(id)?;
        let stamps = stamps(&dir, &doc)?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let set = match loaded.get(id) {
            Some((then, set)) if *then == stamps => Arc::clone(set),
            _ => {
                let set = Arc::new(reference_set::load(&dir)?);
                loaded.insert(id.to_owned(), (stamps, Arc::clone(&set)));
                set
            }
        };
        if set.digest == digest {
            Ok(set)
        } else {
            Err(missing(format!("the order names version {digest} of `{id}`, the site holds {}", set.digest)))
        }
    }
}

fn stamps(dir: &Path, doc: &ReferenceSet) -> Result<Vec<Stamp>, NodeError> {
    let names = doc.files.iter().map(|f| f.path.as_str()).chain([reference_set::DOCUMENT]);
    names
        .map(|name| {
            let m = fs_err::symlink_metadata(dir.join(name))?;
            Ok((m.len(), m.mtime(), m.mtime_nsec(), m.ino()))
        })
        .collect()
}
