//! The reference set document: held-out inputs and truth at one site, fixed by digest.

use crate::challenge::Task;
use serde::{Deserialize, Serialize};

/// A reference set as it lies in a folder of the site (`reference-set.json`). Never sent to the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSet {
    /// Always `fiel/reference-set/v1`.
    pub schema: String,
    /// Short name, unique at the site.
    pub id: String,
    /// Challenge id it serves.
    pub challenge: String,
    /// The kind of truth it holds.
    pub task: Task,
    /// Table with one row per case: `case_id`, the input ports' columns (tables) or a column of paths named
    /// after each image port, and the truth column.
    pub table: String,
    /// The truth column: 0/1 labels, or paths of masks.
    pub truth: String,
    /// Every file of the set but this one, sorted by path.
    pub files: Vec<FileDigest>,
}

/// A file fixed by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Path relative to the folder of the document.
    pub path: String,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}
