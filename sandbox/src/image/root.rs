//! The root file system while it is unpacked. Every path is walked by the kernel as if this folder were the whole
//! world (`RESOLVE_IN_ROOT`): a link in the image leads to where it would lead in the container, never out of it.
//! The last component of a path is never followed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::limits::{DEPTH, OWNERS};
use super::refusal::{invalid, unreadable, unwritable};
use super::tar::Entry;
use crate::confine::NOBODY;
use crate::types::Refusal;

/// How often the kernel is asked again when folders elsewhere were renamed while it resolved a path.
const RETRIES: usize = 1000;

/// The folder that becomes the root of the containers, and one beside it for what a layer removes: moving a tree
/// away takes one step however large and deep it is.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the folder that becomes the root")]
pub(super) struct Root {
    root: OwnedFd,
    trash: OwnedFd,
    thrown: u64,
    /// Added to the ids of files; `None` where the process may not give files away.
    owner_base: Option<u32>,
    /// Inodes that the current layer made or entered, and the depths of the folders among them. They stay where a
    /// whiteout of the same layer removes what lower layers put there. A folder is here only with those above it.
    touched: HashMap<u64, u32>,
}

/// A folder within the root.
type Folder = OwnedFd;

impl Root {
    /// Makes the two folders in `draft`.
    pub(super) fn create(draft: &OwnedFd, owner_base: Option<u32>) -> Result<Self, Refusal> {
        let make = |name: &str| {
            rustix::fs::mkdirat(draft, name, Mode::from_raw_mode(0o755))?;
            rustix::fs::openat(draft, name, ITSELF, Mode::empty())
        };
        let (root, trash) = (make("rootfs").map_err(unwritable)?, make("trash").map_err(unwritable)?);
        let new = Self { root, trash, thrown: 0, owner_base, touched: HashMap::new() };
        new.dress(&new.root, 0o755, 0, 0).map_err(unwritable)?;
        Ok(new)
    }

    /// Begins the next layer.
    pub(super) fn begin_layer(&mut self) -> Result<(), Refusal> {
        self.touched.clear();
        let root = rustix::fs::fstat(&self.root).map_err(unwritable)?;
        self.touched.insert(root.st_ino, 0);
        Ok(())
    }

    /// Opens a folder for work on what is in it, and makes it and those above it where they are missing.
    pub(super) fn make_folder(&mut self, path: &[&str]) -> Result<Folder, Refusal> {
        let folder = match self.folder(path) {
            Err(Errno::NOENT) => self.make_missing(path)?,
            other => other.map_err(unwritable)?,
        };
        self.enter(&folder)?;
        Ok(folder)
    }

    /// Opens a folder.
    pub(super) fn folder(&self, path: &[&str]) -> rustix::io::Result<Folder> {
        self.open(path, FOLDER)
    }

    /// Opens a regular file to read, following links within the root; `None` if it is not there.
    pub(super) fn file(&self, path: &[&str]) -> Result<Option<File>, Refusal> {
        match self.open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(site(error)),
        }
    }

    fn open(&self, path: &[&str], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let path = if path.is_empty() { ".".to_owned() } else { path.join("/") };
        let mut tries = 0;
        loop {
            tries += 1;
            match rustix::fs::openat2(&self.root, &path, flags, Mode::empty(), within) {
                Err(Errno::AGAIN | Errno::INTR) if tries < RETRIES => {}
                other => return other,
            }
        }
    }

    fn make_missing(&mut self, path: &[&str]) -> Result<Folder, Refusal> {
        let mut above = self.folder(&[]).map_err(unwritable)?;
        for end in 1..=path.len() {
            let next = match self.folder(&path[..end]) {
                Err(Errno::NOENT) => {
                    self.enter(&above)?;
                    self.new_folder(&above, path[end - 1])?
                }
                other => other.map_err(unwritable)?,
            };
            above = next;
        }
        Ok(above)
    }

    fn new_folder(&self, parent: &Folder, name: &str) -> Result<Folder, Refusal> {
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => return Err(invalid("lies behind a link that leads nowhere")),
            other => other.map_err(unwritable)?,
        }
        let folder = rustix::fs::openat(parent, name, ITSELF, Mode::empty()).map_err(unwritable)?;
        self.dress(&folder, 0o755, 0, 0).map_err(unwritable)?;
        Ok(folder)
    }

    /// Notes that the current layer has something to do with a folder, hence with all above it, and that it does not
    /// lie too deep.
    fn enter(&mut self, folder: &Folder) -> Result<(), Refusal> {
        let mut chain = vec![rustix::fs::fstat(folder).map_err(unwritable)?.st_ino];
        let mut above: Option<OwnedFd> = None;
        let depth = loop {
            let newest = chain[chain.len() - 1];
            if let Some(depth) = self.touched.get(&newest) {
                break *depth;
            }
            if chain.len() > DEPTH as usize {
                return Err(too_deep());
            }
            let from = above.as_ref().unwrap_or(folder);
            let up = rustix::fs::openat(from, "..", ITSELF, Mode::empty()).map_err(unwritable)?;
            chain.push(rustix::fs::fstat(&up).map_err(unwritable)?.st_ino);
            above = Some(up);
        };
        chain.pop();
        let deepest = depth + u32::try_from(chain.len()).unwrap_or(u32::MAX);
        if deepest >= DEPTH {
            return Err(too_deep());
        }
        for (depth, inode) in (depth + 1..).zip(chain.into_iter().rev()) {
            self.touched.insert(inode, depth);
        }
        Ok(())
    }

    /// Puts a folder there, or keeps the one that is there.
    pub(super) fn put_folder(&mut self, parent: &Folder, name: &str, entry: &Entry) -> Result<(), Refusal> {
        if stat(parent, name)?.is_none_or(|found| !is_folder(&found)) {
            self.throw(parent, name)?;
            self.new_folder(parent, name)?;
        }
        let folder = rustix::fs::openat(parent, name, ITSELF, Mode::empty()).map_err(unwritable)?;
        self.enter(&folder)?;
        self.put_root(&folder, entry)
    }

    /// Gives the root itself, or a folder just entered, the mode and owner of its entry. Its owner may always list
    /// and change it, so that the node can remove it again.
    fn put_root(&self, folder: &Folder, entry: &Entry) -> Result<(), Refusal> {
        self.dress(folder, entry.mode & 0o1777 | 0o700, entry.user, entry.group).map_err(unwritable)
    }

    /// The entry of the root itself.
    pub(super) fn dress_root(&self, entry: &Entry) -> Result<(), Refusal> {
        self.put_root(&self.root, entry)
    }

    /// Puts a regular file there.
    pub(super) fn put_file(
        &mut self,
        parent: &Folder,
        name: &str,
        entry: &Entry,
        content: &mut impl Read,
    ) -> Result<(), Refusal> {
        self.throw(parent, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(unwritable)?;
        let mut file = File::from(file);
        copy(content, &mut file, entry.size)?;
        // Neither set-user-ID nor set-group-ID.
        self.dress(&file, entry.mode & 0o777, entry.user, entry.group).map_err(unwritable)?;
        let time = Timespec { tv_sec: entry.modified, tv_nsec: 0 };
        // Python compares the times of its sources with those in its compiled files.
        rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })
            .map_err(unwritable)?;
        self.note(&rustix::fs::fstat(&file).map_err(unwritable)?);
        Ok(())
    }

    /// Puts a symbolic link there. Where it leads does not matter: nothing here follows it out of the root.
    pub(super) fn put_link(
        &mut self,
        parent: &Folder,
        name: &str,
        entry: &Entry,
        target: &str,
    ) -> Result<(), Refusal> {
        self.throw(parent, name)?;
        rustix::fs::symlinkat(target, parent, name).map_err(unwritable)?;
        if let Some((user, group)) = self.owner(entry.user, entry.group) {
            rustix::fs::chownat(parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(unwritable)?;
        }
        if let Some(made) = stat(parent, name)? {
            self.note(&made);
        }
        Ok(())
    }

    /// Gives a file that is there already one more name.
    pub(super) fn put_hard_link(
        &mut self,
        parent: &Folder,
        name: &str,
        target: (&[&str], &str),
    ) -> Result<(), Refusal> {
        let missing = || invalid("is a hard link to something that is not there");
        let folder = match self.folder(target.0) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(missing()),
            other => other.map_err(unwritable)?,
        };
        let found = stat(&folder, target.1)?.ok_or_else(missing)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile | FileType::Symlink => {}
            _ => return Err(invalid("is a hard link to a folder")),
        }
        if stat(parent, name)?.is_some_and(|present| present.st_ino == found.st_ino) {
            return Ok(());
        }
        self.throw(parent, name)?;
        rustix::fs::linkat(&folder, target.1, parent, name, AtFlags::empty()).map_err(unwritable)?;
        self.note(&found);
        Ok(())
    }

    /// Removes what lower layers put under this name.
    pub(super) fn white_out(&mut self, parent: &Folder, name: &str) -> Result<(), Refusal> {
        let Some(found) = stat(parent, name)? else { return Ok(()) };
        if !self.touched.contains_key(&found.st_ino) {
            return self.throw(parent, name);
        }
        if is_folder(&found) {
            let folder = rustix::fs::openat(parent, name, ITSELF, Mode::empty()).map_err(unwritable)?;
            return self.white_out_content(&folder);
        }
        Ok(())
    }

    /// Removes what lower layers put into this folder and those below it.
    pub(super) fn white_out_content(&mut self, folder: &Folder) -> Result<(), Refusal> {
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let mut below = vec![String::from(".")];
        while let Some(path) = below.pop() {
            let inner =
                rustix::fs::openat2(folder, &path, ITSELF, Mode::empty(), within).map_err(unwritable)?;
            for name in names(&inner).map_err(unwritable)? {
                let Some(found) = stat(&inner, &name)? else { continue };
                if !self.touched.contains_key(&found.st_ino) {
                    self.throw(&inner, &name)?;
                } else if is_folder(&found) {
                    below.push(format!("{path}/{name}"));
                }
            }
        }
        Ok(())
    }

    /// Moves out of the way what is there.
    fn throw(&mut self, parent: &Folder, name: &str) -> Result<(), Refusal> {
        self.thrown += 1;
        match rustix::fs::renameat(parent, name, &self.trash, self.thrown.to_string()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(unwritable(error)),
        }
    }

    fn note(&mut self, made: &Stat) {
        self.touched.insert(made.st_ino, 0);
    }

    /// Mode and owner of something opened; the owner first, since a change of owner may change the mode.
    fn dress(
        &self,
        file: &impl std::os::fd::AsFd,
        mode: u32,
        user: u64,
        group: u64,
    ) -> rustix::io::Result<()> {
        if let Some((user, group)) = self.owner(user, group) {
            rustix::fs::fchown(file, Some(user), Some(group))?;
        }
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode))
    }

    fn owner(&self, user: u64, group: u64) -> Option<(Uid, Gid)> {
        let base = self.owner_base?;
        let id = |id: u64| {
            let kept = u32::try_from(id).ok().filter(|_| id < OWNERS).unwrap_or(NOBODY);
            base.saturating_add(kept).min(u32::MAX - 1)
        };
        Some((Uid::from_raw(id(user)), Gid::from_raw(id(group))))
    }
}

/// A folder, at the end of a link or not.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A folder and no link to one.
const ITSELF: OFlags = FOLDER.union(OFlags::NOFOLLOW);

fn too_deep() -> Refusal {
    invalid(format!("lies more than {DEPTH} folders deep"))
}

fn site(error: Errno) -> Refusal {
    super::refusal::site(format!("cannot read: {error}"))
}

fn is_folder(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Directory
}

fn stat(folder: &Folder, name: &str) -> Result<Option<Stat>, Refusal> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(unwritable(error)),
    }
}

/// The names in a folder that this module filled: UTF-8 all of them.
fn names(folder: &Folder) -> rustix::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_str().map_err(|_| Errno::ILSEQ)?;
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn copy(from: &mut impl Read, to: &mut File, size: u64) -> Result<(), Refusal> {
    let mut chunk = vec![0; usize::try_from(size).unwrap_or(usize::MAX).min(64 << 10)];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        match from.read(&mut chunk[..most]) {
            Ok(0) => return Err(invalid("the tar archive is cut short within a file")),
            Ok(count) => {
                to.write_all(&chunk[..count]).map_err(|error| {
                    error.raw_os_error().map_or_else(
                        || super::refusal::site(format!("cannot write: {error}")),
                        |code| unwritable(Errno::from_raw_os_error(code)),
                    )
                })?;
                left -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(())
}
