//! The two folders a model sees, filled before a case or a batch of cases.
//!
//! `input` is written by the node only; `output` is the model's, see [`Output`].

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::confine::NOBODY;
use crate::output::{BadOutput, MAX_ENTRIES, Output};
use crate::types::SandboxError;

/// Where the cases of a batch wait that are run again one by one; beside the folders that a model sees.
const ASIDE: &str = "aside";

/// The time every input file bears: 2000-01-01.
const TIME: Timespec = Timespec { tv_sec: 946_684_800, tv_nsec: 0 };

/// Folders `input` and `output` of one worker.
///
/// For one case alone its files lie in `input`, its answer in `output`. For a batch each of them has a folder in both,
/// named after the case.
#[derive(Debug)]
pub(crate) struct Slot {
    folder: PathBuf,
    input: OwnedFd,
    output: Output,
    /// Cases that have folders of their own.
    folders: usize,
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
        Ok(Self { folder, input, output: Output(output), folders: 0 })
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes another user of the host the owner of `output` and of the cases' folders in it. No model may have run since
    /// the slot was emptied.
    pub(crate) fn give_output(&self, user: u32, group: u32) -> io::Result<()> {
        let (user, group) = (rustix::process::Uid::from_raw(user), rustix::process::Gid::from_raw(group));
        if self.folders > 0 {
            for name in names(&self.output.0)? {
                rustix::fs::fchown(open_below(&self.output.0, &name)?, Some(user), Some(group))?;
            }
        }
        Ok(rustix::fs::fchown(&self.output.0, Some(user), Some(group))?)
    }

    /// Replaces the content of `input` and empties `output`.
    pub(crate) fn fill(&mut self, files: &[(String, Vec<u8>)]) -> Result<(), SandboxError> {
        self.clear()?;
        self.add(files)
    }

    /// Empties both folders.
    pub(crate) fn clear(&mut self) -> Result<(), SandboxError> {
        self.folders = 0;
        for (name, folder) in [("output", &self.output.0), ("input", &self.input)] {
            empty(folder).map_err(|source| io_error("empty", &self.folder.join(name), source))?;
        }
        Ok(())
    }

    /// Adds files to `input`, which they must not be in yet.
    pub(crate) fn add(&self, files: &[(String, Vec<u8>)]) -> Result<(), SandboxError> {
        let input = self.folder.join("input");
        for (path, content) in files {
            let failed = |source| io_error("write", &input.join(path), source);
            self.write(path, content).map_err(failed)?;
        }
        rustix::fs::futimens(&self.input, &Timestamps { last_access: TIME, last_modification: TIME })
            .map_err(|error| io_error("date", &input, error.into()))
    }

    /// Adds a case of a batch: a folder of its name with its files in `input`, and an empty one in `output`.
    pub(crate) fn add_case(&mut self, name: &str, files: &[(String, Vec<u8>)]) -> Result<(), SandboxError> {
        let folder = self.folder.join("input").join(name);
        let make = || -> io::Result<()> {
            rustix::fs::mkdirat(&self.input, component(name)?, Mode::from_raw_mode(0o755))?;
            Ok(rustix::fs::chmod(&folder, Mode::from_raw_mode(0o755))?)
        };
        make().map_err(|source| io_error("make", &folder, source))?;
        let below = |(path, content): &(String, Vec<u8>)| {
            let path = relative(path).map(|path| Path::new(name).join(path));
            self.write(&path?.to_string_lossy(), content)
        };
        files.iter().try_for_each(below).map_err(|source| io_error("write into", &folder, source))?;
        self.add_answer_folder(name)
    }

    /// Takes a batch apart: keeps its cases' files where no model sees them, until each is brought back.
    pub(crate) fn set_aside(&mut self, cases: &[&str]) -> Result<(), SandboxError> {
        let aside = self.folder.join(ASIDE);
        let set = || -> io::Result<()> {
            fs::create_dir_all(&aside)?;
            let input = self.folder.join("input");
            cases.iter().try_for_each(|name| fs::rename(input.join(name), aside.join(name)))
        };
        set().map_err(|source| io_error("fill", &aside, source))?;
        self.clear()
    }

    /// Replaces what lies in the slot by a case that was set aside, a batch of one.
    pub(crate) fn bring_back(&mut self, name: &str) -> Result<(), SandboxError> {
        self.clear()?;
        let aside = self.folder.join(ASIDE).join(name);
        fs::rename(&aside, self.folder.join("input").join(name))
            .map_err(|source| io_error("bring back", &aside, source))?;
        self.add_answer_folder(name)
    }

    fn add_answer_folder(&mut self, name: &str) -> Result<(), SandboxError> {
        let make = || Ok(rustix::fs::mkdirat(&self.output.0, component(name)?, Mode::from_raw_mode(0o700))?);
        make()
            .map_err(|source: io::Error| io_error("make", &self.folder.join("output").join(name), source))?;
        self.folders += 1;
        Ok(())
    }

    /// What the model wrote: everything.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// What the model wrote into the folder of a case.
    pub(crate) fn output_of(&self, case: &str) -> Result<Output, BadOutput> {
        self.output.folder(case)
    }

    /// Whether `output` holds more than `bytes`, or more files and folders than its cases may have: [`MAX_ENTRIES`] each,
    /// beside the folders that were made for them.
    pub(crate) fn excess(&self, bytes: u64) -> Option<String> {
        self.output.excess(bytes, MAX_ENTRIES * self.folders.max(1), self.folders)
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
}

impl Drop for Slot {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next start.
        let _left = empty(&self.output.0).and_then(|()| fs::remove_dir_all(&self.folder));
    }
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

/// A name of a folder: one component of a path.
fn component(name: &str) -> io::Result<&Path> {
    relative(name).and_then(|path| match path.components().count() {
        1 => Ok(path),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a case is named by one component of a path")),
    })
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

pub(crate) fn open_below(folder: &OwnedFd, name: &std::ffi::CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

pub(crate) fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<std::ffi::CString>> {
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

    #[test]
    fn folders_nested_without_end_are_emptied() {
        let (_folder, mut slot) = slot();
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
    fn a_batch_has_room_for_its_cases_and_no_folder_hides_what_it_holds() {
        let (_folder, mut slot) = slot();
        slot.add_case("a", &[("data".to_owned(), b"1".to_vec())]).unwrap();
        slot.add_case("b", &[]).unwrap();
        assert!(slot.add_case("b", &[]).is_err(), "two cases of one name");
        let output = slot.folder().join("output");
        for number in 0..2 * MAX_ENTRIES {
            fs::write(output.join(["a", "b"][number % 2]).join(number.to_string()), [0; 8]).unwrap();
        }
        assert_eq!((slot.excess(1024), slot.output_of("a").unwrap().written()), (None, 512));
        assert_eq!(slot.excess(1023).unwrap(), "wrote more than 0 MiB");
        fs::write(output.join("one more"), "").unwrap();
        assert_eq!(slot.excess(1 << 20).unwrap(), "wrote more than 128 files and folders");
        // A few folders, but deeper than any case may have them, and more than descriptors that could be kept open.
        let cases: Vec<String> = (0..32).map(|number| format!("c{number}")).collect();
        slot.clear().unwrap();
        for name in &cases {
            slot.add_case(name, &[]).unwrap();
        }
        let mut at = slot.output_of("c0").unwrap().0;
        for _ in 0..1500 {
            rustix::fs::mkdirat(&at, "d", Mode::from_raw_mode(0o700)).unwrap();
            at = open_below(&at, c"d").unwrap();
        }
        assert_eq!(slot.excess(1 << 20).unwrap(), "wrote more than 2048 files and folders");
    }

    #[test]
    fn a_case_that_was_set_aside_comes_back_alone() {
        let (_folder, mut slot) = slot();
        for name in ["a", "b"] {
            slot.add_case(name, &[("data".to_owned(), name.as_bytes().to_vec())]).unwrap();
        }
        slot.set_aside(&["a", "b"]).unwrap();
        for name in ["b", "a"] {
            slot.bring_back(name).unwrap();
            for folder in ["input", "output"] {
                let found = fs::read_dir(slot.folder().join(folder)).unwrap();
                let found: Vec<_> = found.map(|entry| entry.unwrap().file_name()).collect();
                assert_eq!(found, [name], "{folder}");
            }
            assert_eq!(
                fs::read_to_string(slot.folder().join("input").join(name).join("data")).unwrap(),
                name
            );
        }
    }

    #[test]
    fn a_case_s_folder_is_one_below_input() {
        let (_folder, mut slot) = slot();
        for name in ["", ".", "..", "a/b", "/a", "../a"] {
            assert!(slot.add_case(name, &[]).is_err(), "{name:?}");
        }
        assert!(slot.add_case("a", &[("../b".to_owned(), Vec::new())]).is_err());
        assert_eq!(fs::read_dir(slot.folder()).unwrap().count(), 2);
    }

    #[test]
    fn input_paths_stay_below_input() {
        let (_folder, mut slot) = slot();
        for path in ["../x", "/x", "", "a/../../x"] {
            assert!(slot.fill(&[(path.to_owned(), Vec::new())]).is_err(), "{path}");
        }
        slot.fill(&[("a/b.txt".to_owned(), b"1".to_vec())]).unwrap();
        assert_eq!(fs::read_to_string(slot.folder().join("input/a/b.txt")).unwrap(), "1");
    }
}
