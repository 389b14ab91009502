//! Reference sets: folders of held-out inputs and truth, fixed by digest.
//!
//! A folder holds `reference-set.json`, which names every other file with its digest and size, and a table with one
//! row per case. The digest of a set is the SHA-256 of that document in canonical JSON; as the document holds the
//! digests of all files, labels included, it fixes every byte.

use crate::NodeError;
use crate::folder::{self, Access};
use crate::hub_client::file_digest;
use fiel_schemas::challenge::{Challenge, PortKind, Task};
use fiel_schemas::digest as digests;
use fiel_schemas::reference_set::{FileDigest, ReferenceSet};
use fiel_schemas::validate::{self, Kind};
use polars::prelude::{DataFrame, DataType};
use polars_io::prelude::{CsvReadOptions, SerReader as _};
use std::collections::{BTreeSet, HashSet};
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

/// Name of the document in its folder.
pub const DOCUMENT: &str = "reference-set.json";
/// Most cases of a set.
const CASES_MAX: usize = 1_000_000;

/// A reference set whose files were all checked.
#[derive(Debug, Clone)]
pub struct LoadedReferenceSet {
    /// The document.
    pub doc: ReferenceSet,
    /// Its folder.
    pub dir: PathBuf,
    /// Its digest.
    pub digest: String,
    /// The table, every column as text, exactly as written.
    pub table: DataFrame,
}

impl LoadedReferenceSet {
    /// Number of cases.
    pub fn cases(&self) -> usize {
        self.table.height()
    }

    /// The text of a column; missing values are empty.
    pub fn column(&self, name: &str) -> Result<Vec<&str>, NodeError> {
        let column =
            self.table.column(name).and_then(|c| c.str()).map_err(|_| {
                refuse(&self.dir.join(&self.doc.table), format!("there is no column `{name}`"))
            })?;
        Ok(column.iter().map(Option::unwrap_or_default).collect())
    }

    /// Whether the set can serve a challenge: same id and task, and every input column is there.
    pub fn check_against(&self, challenge: &Challenge) -> Result<(), NodeError> {
        if self.doc.challenge != challenge.id || self.doc.task != challenge.task {
            return Err(refuse(
                &self.dir,
                format!("it serves `{}` ({:?}), not `{}`", self.doc.challenge, self.doc.task, challenge.id),
            ));
        }
        for port in &challenge.interface.inputs {
            let needed = match port.kind {
                PortKind::Table => port.columns.clone(),
                PortKind::Image | PortKind::Mask => vec![port.name.clone()],
            };
            for column in &needed {
                self.column(column)?;
            }
        }
        Ok(())
    }

    /// Reads a file of the set that a table row names, checking its digest again.
    pub(crate) fn read_listed(&self, path: &str) -> Result<Vec<u8>, NodeError> {
        let full = self.dir.join(path);
        let listed = self.doc.files.iter().find(|file| file.path == path).ok_or_else(|| {
            refuse(&full, "the table names it but the document does not list it; seal the set again")
        })?;
        let bytes = fs_err::read(&full)?;
        if digests::sha256_hex(&bytes) == listed.sha256 { Ok(bytes) } else { Err(changed(&full)) }
    }
}

/// Reads the document of a folder and checks that its files are there with their sizes, without reading them.
/// Enough to offer a set; [`load`] checks every byte before a run.
pub fn open_document(dir: &Path) -> Result<ReferenceSet, NodeError> {
    let path = dir.join(DOCUMENT);
    let doc: ReferenceSet = validate::from_json(Kind::ReferenceSet, &fs_err::read(&path)?)
        .map_err(|e| refuse(&path, e.to_string()))?;
    let mut seen = BTreeSet::new();
    for file in &doc.files {
        check_relative(dir, &file.path)?;
        if !seen.insert(&file.path) {
            return Err(refuse(&path, format!("`{}` is listed twice", file.path)));
        }
        let full = dir.join(&file.path);
        let metadata = fs_err::symlink_metadata(&full)?;
        if !metadata.is_file() {
            return Err(refuse(&full, "it is not a regular file; links are not followed"));
        }
        if metadata.len() != file.size {
            return Err(changed(&full));
        }
    }
    if !seen.contains(&doc.table) {
        return Err(refuse(&path, format!("the table `{}` is not among the files", doc.table)));
    }
    Ok(doc)
}

/// Loads a reference set, checking the document, every file's size and digest, and the table.
pub fn load(dir: &Path) -> Result<LoadedReferenceSet, NodeError> {
    let doc = open_document(dir)?;
    for file in &doc.files {
        let full = dir.join(&file.path);
        if file_digest(&full)? != file.sha256 {
            return Err(changed(&full));
        }
    }
    let table = read_table(&dir.join(&doc.table))?;
    let set = LoadedReferenceSet { digest: digest(&doc), dir: dir.to_owned(), doc, table };
    check_table(&set)?;
    Ok(set)
}

/// The digest of a set: SHA-256 of its document in canonical JSON.
pub fn digest(doc: &ReferenceSet) -> String {
    digests::sha256_hex(&digests::canonical_json(doc))
}

/// Writes `reference-set.json` for the files that lie in a folder: every regular file below it is listed.
pub fn seal(
    dir: &Path,
    id: &str,
    challenge: &str,
    task: Task,
    table: &str,
    truth: &str,
) -> Result<ReferenceSet, NodeError> {
    if !folder::is_plain_name(id) {
        return Err(refuse(
            dir,
            format!("`{}` is not a name: letters, digits and hyphens", id.escape_default()),
        ));
    }
    let mut files = Vec::new();
    collect_files(dir, Path::new(""), &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let doc = ReferenceSet {
        schema: "fiel/reference-set/v1".to_owned(),
        id: id.to_owned(),
        challenge: challenge.to_owned(),
        task,
        table: table.to_owned(),
        truth: truth.to_owned(),
        files,
    };
    let mut bytes = serde_json::to_vec_pretty(&doc).map_err(|e| refuse(dir, e.to_string()))?;
    bytes.push(b'\n');
    validate::from_json::<ReferenceSet>(Kind::ReferenceSet, &bytes)
        .map_err(|e| refuse(dir, e.to_string()))?;
    folder::write_atomic(&dir.join(DOCUMENT), &bytes, Access::Shared)?;
    load(dir)?;
    Ok(doc)
}

fn collect_files(root: &Path, below: &Path, files: &mut Vec<FileDigest>) -> Result<(), NodeError> {
    for entry in fs_err::read_dir(root.join(below))? {
        let entry = entry?;
        let relative = below.join(entry.file_name());
        let kind = entry.file_type()?;
        let Some(path) = relative.to_str() else {
            return Err(refuse(&entry.path(), "its name is not UTF-8; rename it"));
        };
        if kind.is_dir() {
            collect_files(root, &relative, files)?;
        } else if !kind.is_file() {
            return Err(refuse(&entry.path(), "only regular files belong into a reference set"));
        } else if path != DOCUMENT && !path.starts_with('.') {
            let full = root.join(&relative);
            let size = fs_err::metadata(&full)?.len();
            files.push(FileDigest { path: path.to_owned(), sha256: file_digest(&full)?, size });
        }
    }
    Ok(())
}

fn read_table(path: &Path) -> Result<DataFrame, NodeError> {
    let bytes = fs_err::read(path)?;
    CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(|e| refuse(path, format!("not a CSV table: {e}")))
}

fn check_table(set: &LoadedReferenceSet) -> Result<(), NodeError> {
    let path = set.dir.join(&set.doc.table);
    if set.cases() == 0 || set.cases() > CASES_MAX {
        return Err(refuse(&path, format!("{} cases; a set has 1 to {CASES_MAX}", set.cases())));
    }
    if let Some(column) = set.table.columns().iter().find(|c| c.dtype() != &DataType::String) {
        return Err(refuse(&path, format!("column `{}` could not be read as text", column.name())));
    }
    let mut seen = HashSet::new();
    for (row, id) in set.column("case_id")?.into_iter().enumerate() {
        if id.is_empty() {
            return Err(refuse(&path, format!("row {}: `case_id` is empty", row + 1)));
        }
        if !seen.insert(id) {
            return Err(refuse(&path, format!("row {}: `case_id` appears twice", row + 1)));
        }
    }
    let truth = set.column(&set.doc.truth)?;
    for (row, value) in truth.into_iter().enumerate() {
        match set.doc.task {
            Task::Classification if !matches!(value, "0" | "1") => {
                let message = format!("row {}: `{}` must be 0 or 1", row + 1, set.doc.truth);
                return Err(refuse(&path, message));
            }
            Task::Segmentation if !set.doc.files.iter().any(|f| f.path == value) => {
                let message =
                    format!("row {}: the mask in `{}` is not among the files", row + 1, set.doc.truth);
                return Err(refuse(&path, message));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses paths that are absolute, climb, or pass through a link.
fn check_relative(dir: &Path, path: &str) -> Result<(), NodeError> {
    let outside = || {
        refuse(&dir.join(DOCUMENT), format!("`{}` is not a path inside the folder", path.escape_default()))
    };
    if path.is_empty() || path.contains(['\\', '\0']) {
        return Err(outside());
    }
    let mut walked = dir.to_owned();
    for component in Path::new(path).components() {
        let Component::Normal(name) = component else { return Err(outside()) };
        walked.push(name);
        if fs_err::symlink_metadata(&walked)?.is_symlink() {
            return Err(refuse(&walked, "it is a link; links are not followed"));
        }
    }
    Ok(())
}

fn refuse(path: &Path, message: impl Into<String>) -> NodeError {
    NodeError::ReferenceSet { path: path.to_owned(), message: message.into() }
}

fn changed(path: &Path) -> NodeError {
    refuse(
        path,
        "its bytes are not those the document fixes; restore the file, or seal the set anew and offer it again",
    )
}
