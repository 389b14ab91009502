//! The data folder: its layout, its lock, the key, and writing that survives a crash.

use crate::NodeError;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// `node.json`: where the hub is and who the node is there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Address of the hub, for instance `https://hub.example`.
    pub hub: String,
    /// Site id.
    pub site: String,
    /// Bearer token.
    pub token: String,
}

impl std::fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeConfig").field("hub", &self.hub).field("site", &self.site).finish_non_exhaustive()
    }
}

/// Who may read a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The owner only (0600).
    Private,
    /// As the process's mask says (0644 at most).
    Shared,
}

/// A data folder that this process has locked.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Creates what is missing and takes the lock; a second process is refused.
    pub fn open(root: &Path) -> Result<Self, NodeError> {
        create_layout(root)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(NodeError::Locked(root.to_owned())),
            Err(std::fs::TryLockError::Error(e)) => Err(e.into()),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `runs/<run>`.
    pub fn run(&self, run: &str) -> PathBuf {
        self.root.join("runs").join(run)
    }

    /// The enrolment, if there is one.
    pub fn config(&self) -> Result<NodeConfig, NodeError> {
        let path = self.root.join("node.json");
        if path.exists() { read_json(&path) } else { Err(NodeError::NotEnrolled(self.root.clone())) }
    }
}

/// Creates the sub-folders of a data folder.
pub(crate) fn create_layout(root: &Path) -> Result<(), NodeError> {
    for sub in ["reference-sets", "runs", "pending", "outbox", "artifacts", "work"] {
        fs_err::create_dir_all(root.join(sub))?;
    }
    Ok(())
}

/// The site's key; made where there is none.
pub fn signing_key(root: &Path) -> Result<SigningKey, NodeError> {
    let path = root.join("key.pem");
    if path.exists() {
        let text = fs_err::read_to_string(&path)?;
        return SigningKey::from_pkcs8_pem(&text).map_err(|e| NodeError::Document {
            path,
            message: format!(
                "not an Ed25519 key in PKCS#8 PEM ({e}); restore it from a backup or enrol anew"
            ),
        });
    }
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret)
        .map_err(|e| NodeError::Task(format!("no randomness from the system: {e}")))?;
    let key = SigningKey::from_bytes(&secret);
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|e| NodeError::Document { path: path.clone(), message: e.to_string() })?;
    write_atomic(&path, pem.as_bytes(), Access::Private)?;
    Ok(key)
}

/// The secret that bootstrap weights are drawn from (`replicates.key`, 32 bytes); made where there is none. It stays the
/// same for every submission, so that their replicates are paired.
pub(crate) fn replicates_secret(root: &Path) -> Result<[u8; 32], NodeError> {
    let path = root.join("replicates.key");
    if path.exists() {
        return fs_err::read(&path)?.try_into().map_err(|_| NodeError::Document {
            path,
            message: "not 32 bytes; restore it from a backup, or remove it and lose the pairing with earlier results"
                .to_owned(),
        });
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|e| NodeError::Task(format!("no randomness from the system: {e}")))?;
    write_atomic(&path, &secret, Access::Private)?;
    Ok(secret)
}

/// Reads a JSON document, naming the file in errors.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, NodeError> {
    let bytes = fs_err::read(path)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| NodeError::Document { path: path.to_owned(), message: e.to_string() })
}

/// Writes a JSON document atomically.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T, access: Access) -> Result<(), NodeError> {
    let bytes = serde_json::to_vec(value)
        .map_err(|e| NodeError::Document { path: path.to_owned(), message: e.to_string() })?;
    write_atomic(path, &bytes, access)
}

/// Writes a whole file so that after a crash either the old or the new content is there: temporary file, sync,
/// rename, sync of the folder.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], access: Access) -> Result<(), NodeError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = parent.join(format!(".{name}.{}.tmp", std::process::id()));
    let mode = match access {
        Access::Private => 0o600,
        Access::Shared => 0o644,
    };
    let named = |e: std::io::Error| std::io::Error::new(e.kind(), format!("{}: {e}", temporary.display()));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(mode)
        .open(&temporary)
        .map_err(named)?;
    file.write_all(bytes).map_err(named)?;
    file.sync_all().map_err(named)?;
    fs_err::rename(&temporary, path)?;
    File::open(parent)?.sync_all()?;
    Ok(())
}

/// Removes a file that may be absent.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), NodeError> {
    match fs_err::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}

/// Whether a name from outside (a run or set id) is safe as one path component.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// `length` random bytes of the system as hexadecimal.
pub(crate) fn random_hex(length: usize) -> Result<String, NodeError> {
    let mut bytes = vec![0_u8; length];
    getrandom::fill(&mut bytes)
        .map_err(|e| NodeError::Task(format!("no randomness from the system: {e}")))?;
    Ok(fiel_schemas::digest::to_hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_opening_of_a_folder_is_refused_until_the_first_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataFolder::open(dir.path()).unwrap();
        assert!(matches!(DataFolder::open(dir.path()), Err(NodeError::Locked(_))));
        drop(first);
        DataFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn the_key_is_made_once_and_readable_by_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let first = signing_key(dir.path()).unwrap();
        let second = signing_key(dir.path()).unwrap();
        assert_eq!(first.to_bytes(), second.to_bytes());
        let mode = std::fs::metadata(dir.path().join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn names_that_would_leave_a_folder_are_not_plain() {
        for name in ["", ".", "..", "a/b", "../x", "a\0", ".hidden"] {
            assert!(!is_plain_name(name), "{name:?}");
        }
        assert!(is_plain_name("019ac1f2-7b11-7d3e-a111-0123456789ab"));
    }
}
