//! The two folders a model sees, filled before a case and read after it.
//!
//! `input` is written by the node only. Whatever lies in `output` was made by a model: it is never followed, only
//! opened beneath the folder, without links, and only regular files with one name count.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::confine::NOBODY;
use crate::types::{Expected, SandboxError};

/// Most files and folders a model may make.
pub(crate) const MAX_ENTRIES: usize = 64;

/// The time every input file bears: 2000-01-01.
const TIME: Timespec = Timespec { tv_sec: 946_684_800, tv_nsec: 0 };

/// Folders `input` and `output` of one worker.
#[derive(Debug)]
pub(crate) struct Slot {
    folder: PathBuf,
    input: OwnedFd,
    output: OwnedFd,
}

/// What is wrong with what a model wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadOutput {
    Missing(String),
    Invalid(String),
}

impl Slot {
    /// Makes the folders.
    pub(crate) fn create(folder: PathBuf) -> Result<Self, SandboxError> {
        let make = || -> io::Result<(OwnedFd, OwnedFd)> {
            fs::create_dir_all(folder.join("input"))?;
            fs::create_dir_all(folder.join("output"))?;
            let open = Mode::from_raw_mode(0o755);
            rustix::fs::chmod(&folder, open)?;
            let (input, output) = (open_folder(&folder.join("input"))?, open_folder(&folder.join("output"))?);
            rustix::fs::fchmod(&input, open)?;
            rustix::fs::fchmod(&output, Mode::from_raw_mode(0o700))?;
            if rustix::process::geteuid().is_root() {
                let nobody = (rustix::process::Uid::from_raw(NOBODY), rustix::process::Gid::from_raw(NOBODY));
                rustix::fs::fchown(&output, Some(nobody.0), Some(nobody.1))?;
            }
            Ok((input, output))
        };
        let (input, output) = make().map_err(|source| io_error("make", &folder, source))?;
        Ok(Self { folder, input, output })
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes another user of the host the owner of `output`.
    pub(crate) fn give_output(&self, user: u32, group: u32) -> io::Result<()> {
        let (user, group) = (rustix::process::Uid::from_raw(user), rustix::process::Gid::from_raw(group));
        Ok(rustix::fs::fchown(&self.output, Some(user), Some(group))?)
    }

    /// Replaces the content of `input` and empties `output`.
    pub(crate) fn fill(&self, files: &[(String, Vec<u8>)]) -> Result<(), SandboxError> {
        empty(&self.output).map_err(|source| io_error("empty", &self.folder.join("output"), source))?;
        let input = self.folder.join("input");
        empty(&self.input).map_err(|source| io_error("empty", &input, source))?;
        for (path, content) in files {
            let failed = |source| io_error("write", &input.join(path), source);
            self.write(path, content).map_err(failed)?;
        }
        rustix::fs::futimens(&self.input, &Timestamps { last_access: TIME, last_modification: TIME })
            .map_err(|error| io_error("date", &input, error.into()))
    }

    fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        let path = relative(path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(self.folder.join("input").join(parent))?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o644);
        let file = rustix::fs::openat(&self.input, path, flags, mode)?;
        let mut file = File::from(file);
        file.write_all(content)?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(rustix::fs::futimens(&file, &Timestamps { last_access: TIME, last_modification: TIME })?)
    }

    /// Whether `output` holds more than allowed, and what of it.
    pub(crate) fn excess(&self, bytes: u64) -> Option<String> {
        let mut used = Usage { bytes: 0, entries: 0, limit: bytes };
        // What vanishes while it is counted counts no more.
        let _changed = used.add(&self.output);
        if used.entries > MAX_ENTRIES {
            return Some(format!("wrote more than {MAX_ENTRIES} files and folders"));
        }
        (used.bytes > bytes).then(|| format!("wrote more than {} MiB", bytes >> 20))
    }

    /// Bytes that `output` holds, as far as they were counted.
    pub(crate) fn written(&self) -> u64 {
        let mut used = Usage { bytes: 0, entries: 0, limit: u64::MAX };
        let _changed = used.add(&self.output);
        used.bytes
    }

    /// Reads the expected outputs.
    pub(crate) fn outputs(
        &self,
        expected: &[Expected],
        bytes: u64,
    ) -> Result<BTreeMap<String, Vec<u8>>, BadOutput> {
        let read = |expected: &Expected| match expected {
            Expected::File(path) => self.output(path, bytes),
            Expected::OnlyFileIn(folder) => self.output(&self.only_file(folder)?, bytes),
        };
        expected.iter().map(|output| Ok((output.path().to_owned(), read(output)?))).collect()
    }

    /// The path of the one file in a folder below `output`.
    fn only_file(&self, path: &str) -> Result<String, BadOutput> {
        let missing = || BadOutput::Missing(format!("nothing was written to `{path}/`"));
        let invalid = |why: &str| BadOutput::Invalid(format!("`{path}/` {why}"));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = match rustix::fs::openat2(&self.output, path, flags, Mode::empty(), within()) {
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

    fn output(&self, path: &str, bytes: u64) -> Result<Vec<u8>, BadOutput> {
        let invalid = |why: &str| BadOutput::Invalid(format!("`{path}` {why}"));
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::openat2(&self.output, path, flags, Mode::empty(), within()) {
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

impl Drop for Slot {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next start.
        let _left = empty(&self.output).and_then(|()| fs::remove_dir_all(&self.folder));
    }
}

/// Never out of the folder, through a link or onto another file system.
fn within() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV
}

/// A path of an input file: relative, without `..`.
fn relative(path: &str) -> io::Result<&Path> {
    let path = Path::new(path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.as_os_str().is_empty() {
        return Ok(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "an input path must be relative and without `..`"))
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn open_below(folder: &OwnedFd, name: &std::ffi::CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

/// Empties a folder whose content may be hostile: no link is followed, and folders within folders are moved up
/// before they are emptied, so that no depth exhausts stack or descriptors.
fn empty(folder: &OwnedFd) -> io::Result<()> {
    let mut folders = VecDeque::new();
    let mut moved = 0_u64;
    for name in names(folder)? {
        match rustix::fs::unlinkat(folder, &name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => folders.push_back(name),
            Err(error) => return Err(error.into()),
        }
    }
    while let Some(name) = folders.pop_front() {
        let inner = open_below(folder, &name)?;
        for child in names(&inner)? {
            match rustix::fs::unlinkat(&inner, &child, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::ISDIR | Errno::PERM) => {
                    let up = loop {
                        moved += 1;
                        let up = std::ffi::CString::new(format!(".moved-{moved}"))?;
                        match rustix::fs::renameat(&inner, &child, folder, &up) {
                            Ok(()) => break up,
                            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                            Err(error) => return Err(error.into()),
                        }
                    };
                    if !folders.contains(&up) {
                        folders.push_back(up);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        rustix::fs::unlinkat(folder, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// A count of what a folder holds that stops soon after a limit.
struct Usage {
    bytes: u64,
    entries: usize,
    limit: u64,
}

impl Usage {
    fn add(&mut self, folder: &OwnedFd) -> rustix::io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES || self.bytes > self.limit {
                return Ok(());
            }
            let Ok(stat) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                if let Ok(inner) = open_below(folder, name) {
                    let _changed = self.add(&inner);
                }
            } else {
                self.bytes = self.bytes.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
            }
        }
        Ok(())
    }
}

pub(crate) fn io_error(what: &'static str, path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> (tempfile::TempDir, Slot) {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot::create(folder.path().join("slot")).unwrap();
        (folder, slot)
    }

    fn read(slot: &Slot, name: &str) -> Result<BTreeMap<String, Vec<u8>>, BadOutput> {
        slot.outputs(&[Expected::File(name.to_owned())], 1 << 20)
    }

    #[test]
    fn links_in_output_are_refused() {
        let (folder, slot) = slot();
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

    #[test]
    fn folders_nested_without_end_are_emptied() {
        let (_folder, slot) = slot();
        let mut at = open_folder(&slot.folder().join("output")).unwrap();
        for _ in 0..3_000 {
            rustix::fs::mkdirat(&at, "d", Mode::from_raw_mode(0o700)).unwrap();
            rustix::fs::mkdirat(&at, ".moved-1", Mode::from_raw_mode(0o700)).unwrap();
            at = open_below(&at, c"d").unwrap();
        }
        assert!(slot.excess(1 << 20).unwrap().contains("64 files"));
        slot.fill(&[]).unwrap();
        assert_eq!(fs::read_dir(slot.folder().join("output")).unwrap().count(), 0);
    }

    #[test]
    fn input_paths_stay_below_input() {
        let (_folder, slot) = slot();
        for path in ["../x", "/x", "", "a/../../x"] {
            assert!(slot.fill(&[(path.to_owned(), Vec::new())]).is_err(), "{path}");
        }
        slot.fill(&[("a/b.txt".to_owned(), b"1".to_vec())]).unwrap();
        assert_eq!(fs::read_to_string(slot.folder().join("input/a/b.txt")).unwrap(), "1");
    }
}
