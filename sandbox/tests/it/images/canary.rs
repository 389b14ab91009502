//! Files beside a store of images that nothing in an image may reach.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A folder with a store, and files around it.
pub(crate) struct Canary {
    folder: tempfile::TempDir,
    before: BTreeMap<PathBuf, String>,
}

impl Canary {
    pub(crate) fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// The same below another folder.
    pub(crate) fn new_in(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        for name in ["canary/secret", "canary/deeper/secret", "store/canary/secret"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        std::fs::write(folder.path().join("canary/passwd"), "planted:x:7:7:::\n").unwrap();
        let mut canary = Self { folder, before: BTreeMap::new() };
        std::fs::create_dir(canary.store()).unwrap();
        canary.before = canary.look();
        canary
    }

    /// Where images may be unpacked.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store/images")
    }

    /// Absolute path of the folder to aim at.
    pub(crate) fn target(&self) -> String {
        self.folder.path().join("canary").to_str().unwrap().to_owned()
    }

    /// Fails unless everything outside the store is as it was.
    pub(crate) fn assert_untouched(&self, after: &str) {
        assert_eq!(self.look(), self.before, "something outside the root changed after: {after}");
    }

    fn look(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        self.look_at(self.folder.path(), &mut seen);
        seen
    }

    fn look_at(&self, path: &Path, seen: &mut BTreeMap<PathBuf, String>) {
        let data = std::fs::symlink_metadata(path).unwrap();
        let content = if data.is_file() { std::fs::read(path).unwrap() } else { Vec::new() };
        let owner = (data.uid(), data.gid(), data.mode());
        let text = format!("{owner:?} {} {} {content:?}", data.nlink(), data.mtime_nsec());
        if path == self.store() {
            return;
        }
        seen.insert(path.to_owned(), text);
        if data.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                self.look_at(&entry.unwrap().path(), seen);
            }
        }
    }
}
