//! What a model wrote. It is hostile: it is never followed, only opened beneath its folder, without links, and only
//! regular files with one name count.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::slot::{names, open_below};
use crate::types::Expected;

/// Most files and folders a model may make for one case.
pub(crate) const MAX_ENTRIES: usize = 64;

/// Deepest folders that are counted: those of one case, below its folder in a batch.
const DEPTH: usize = MAX_ENTRIES + 1;

/// What is wrong with what a model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadOutput {
    Missing(String),
    Invalid(String),
}

/// A folder into which a model writes: `output`, or the folder of one case in it.
#[derive(Debug)]
pub(crate) struct Output(pub(crate) OwnedFd);

impl Output {
    /// Whether the folder holds more than so many bytes, or more than so many files and folders beside `made` that the
    /// node made itself; and which of both.
    pub(crate) fn excess(&self, bytes: u64, entries: usize, made: usize) -> Option<String> {
        let mut used = Usage { bytes: 0, entries: 0, most_bytes: bytes, most_entries: entries + made };
        // What vanishes while it is counted counts no more.
        let _changed = used.add(&self.0, DEPTH);
        if used.entries > entries + made {
            return Some(format!("wrote more than {entries} files and folders"));
        }
        (used.bytes > bytes).then(|| format!("wrote more than {} MiB", bytes >> 20))
    }

    /// Bytes that the folder holds, as far as one case's files are counted.
    pub(crate) fn written(&self) -> u64 {
        let mut used = Usage { bytes: 0, entries: 0, most_bytes: u64::MAX, most_entries: MAX_ENTRIES };
        let _changed = used.add(&self.0, DEPTH);
        used.bytes
    }

    /// A folder right below, which may be gone or something else by now.
    pub(crate) fn folder(&self, name: &str) -> Result<Self, BadOutput> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat2(&self.0, name, flags, Mode::empty(), within()).map(Self).map_err(|error| {
            match error {
                Errno::NOENT => BadOutput::Missing("its folder below `output` is gone".to_owned()),
                Errno::LOOP | Errno::NOTDIR => {
                    BadOutput::Invalid("its folder below `output` is none any more".to_owned())
                }
                error => BadOutput::Invalid(format!("its folder below `output` cannot be opened: {error}")),
            }
        })
    }

    /// Reads the expected outputs.
    pub(crate) fn read(
        &self,
        expected: &[Expected],
        bytes: u64,
    ) -> Result<BTreeMap<String, Vec<u8>>, BadOutput> {
        let read = |expected: &Expected| match expected {
            Expected::File(path) => self.file(path, bytes),
            Expected::OnlyFileIn(folder) => self.file(&self.only_file(folder)?, bytes),
        };
        expected.iter().map(|output| Ok((output.path().to_owned(), read(output)?))).collect()
    }

    /// The path of the one file in a folder below `output`.
    fn only_file(&self, path: &str) -> Result<String, BadOutput> {
        let missing = || BadOutput::Missing(format!("nothing was written to `{path}/`"));
        let invalid = |why: &str| BadOutput::Invalid(format!("`{path}/` {why}"));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), within()) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Err(missing()),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(invalid("is not a folder")),
            Err(error) => return Err(invalid(&format!("cannot be opened: {error}"))),
        };
        let found = names(&folder).map_err(|error| invalid(&format!("cannot be listed: {error}")))?;
        match found.as_slice() {
            [] => Err(missing()),
            [name] => name
                .to_str()
                .map(|name| format!("{path}/{name}"))
                .map_err(|_| invalid("holds a file whose name is not UTF-8")),
            many => Err(invalid(&format!("holds {} files where one is expected", many.len()))),
        }
    }

    fn file(&self, path: &str, bytes: u64) -> Result<Vec<u8>, BadOutput> {
        let invalid = |why: &str| BadOutput::Invalid(format!("`{path}` {why}"));
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), within()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(BadOutput::Missing(format!("`{path}` was not written")));
            }
            Err(Errno::LOOP) => return Err(invalid("is or lies behind a link")),
            Err(error) => return Err(invalid(&format!("cannot be opened: {error}"))),
        };
        let unreadable = |error: &dyn std::fmt::Display| invalid(&format!("cannot be read: {error}"));
        let stat = rustix::fs::fstat(&file).map_err(|error| unreadable(&error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(invalid("is not a regular file"));
        }
        if stat.st_nlink != 1 {
            return Err(invalid("has more than one name"));
        }
        let mut content = Vec::new();
        file.take(bytes.saturating_add(1)).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        if content.len() as u64 > bytes {
            return Err(invalid(&format!("is larger than {} MiB", bytes >> 20)));
        }
        Ok(content)
    }
}

/// Never out of the folder, through a link or onto another file system.
fn within() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV
}

/// A count of what a folder holds that stops soon after a limit.
struct Usage {
    bytes: u64,
    entries: usize,
    most_bytes: u64,
    most_entries: usize,
}

impl Usage {
    /// Adds a folder that may hold folders `depth` deep; each level keeps a descriptor open.
    fn add(&mut self, folder: &OwnedFd, depth: usize) -> rustix::io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > self.most_entries || self.bytes > self.most_bytes {
                return Ok(());
            }
            let Ok(stat) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                if depth == 0 {
                    // Folders this deep are more than one case may have.
                    self.entries = self.most_entries + 1;
                    return Ok(());
                }
                if let Ok(inner) = open_below(folder, name) {
                    let _changed = self.add(&inner, depth - 1);
                }
            } else {
                self.bytes = self.bytes.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;
    use crate::slot::Slot;

    fn slot() -> (tempfile::TempDir, Slot) {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::create(folder.path().join("slot")).unwrap();
        (folder, slot)
    }

    fn read(slot: &Slot, name: &str) -> Result<BTreeMap<String, Vec<u8>>, BadOutput> {
        slot.output().read(&[Expected::File(name.to_owned())], 1 << 20)
    }

    #[test]
    fn links_in_output_are_refused() {
        let (folder, mut slot) = slot();
        let output = slot.folder().join("output");
        let secret = folder.path().join("secret");
        fs::write(&secret, "held-out").unwrap();
        std::os::unix::fs::symlink(&secret, output.join("soft")).unwrap();
        fs::hard_link(&secret, output.join("hard")).unwrap();
        std::os::unix::fs::symlink(folder.path(), output.join("folder")).unwrap();
        fs::create_dir(output.join("plain")).unwrap();
        for name in ["soft", "hard", "folder/secret", "plain", "../../secret", "/etc/passwd"] {
            assert!(
                matches!(read(&slot, name), Err(BadOutput::Invalid(_))),
                "{name}: {:?}",
                read(&slot, name)
            );
        }
        assert!(matches!(read(&slot, "absent"), Err(BadOutput::Missing(_))));
        slot.fill(&[]).unwrap();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "held-out");
    }

    #[test]
    fn a_pipe_in_output_does_not_block() {
        let (_folder, slot) = slot();
        let path = slot.folder().join("output/pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(matches!(read(&slot, "pipe"), Err(BadOutput::Invalid(_))));
    }
}
