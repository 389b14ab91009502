//! Devices by CDI, the Container Device Interface: a vendor's file says what a container needs to use a device, the
//! site's policy names the devices, and their nodes, variables and files reach every container.
//!
//! ```text
//! Document   one file, read and checked          (document.rs)
//! Registry   all files, and who has which name   (registry.rs)
//! Edits      what the configured devices add to a container
//! soname     under which name a library is looked for  (library.rs)
//! ```
//!
//! Hooks are never run: they are programs of the host that change an image's root, which is shared and read-only
//! here. What the hook of a GPU's vendor is for, links from a library's name to its file, is had by handing the file on
//! under both names. Files are handed on read-only.

mod document;
mod library;
pub(super) mod registry;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;

use self::document::{Written, WrittenMount, WrittenNode};
use super::recipe::{Bind, Source};

/// A device node as a container sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// On the host.
    pub(super) source: PathBuf,
    /// In the container, below `/dev`.
    pub(super) destination: PathBuf,
    /// `c` or `b`.
    pub(super) kind: &'static str,
    pub(super) major: u32,
    pub(super) minor: u32,
    /// Of `r` and `w`; nodes cannot be made anyway.
    pub(super) access: String,
}

/// What the configured devices add to every container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edits {
    pub(super) names: Vec<String>,
    pub(super) nodes: Vec<Node>,
    pub(super) env: Vec<(String, String)>,
    pub(super) binds: Vec<Bind>,
}

impl Edits {
    /// Adds what a specification writes. An error names the field, what is wrong with it and what to do.
    fn apply(&mut self, written: &Written) -> Result<(), String> {
        for variable in &written.env {
            let (name, value) = variable
                .split_once('=')
                .filter(|(name, value)| !name.is_empty() && !value.contains('\0') && !name.contains('\0'))
                .ok_or_else(|| format!("`env`: `{variable}` is not of the form NAME=VALUE"))?;
            self.env.retain(|(known, _)| known != name);
            self.env.push((name.to_owned(), value.to_owned()));
        }
        for written in &written.device_nodes {
            let node = written.find()?;
            self.nodes.retain(|known| known.destination != node.destination);
            self.nodes.push(node);
        }
        for written in &written.mounts {
            let bind = written.find()?;
            self.binds.retain(|known| known.destination != bind.destination);
            self.binds.push(bind);
        }
        self.name_libraries();
        Ok(())
    }

    /// Hands libraries on under the names, too, by which programs look for them.
    fn name_libraries(&mut self) {
        let named = |bind: &Bind| {
            let Source::Host(file) = &bind.source else { return None };
            let destination = bind.destination.with_file_name(library::soname(file)?);
            place("mounts.containerPath", &destination, Path::new("/")).ok()?;
            Some(Bind { source: bind.source.clone(), destination, writable: false })
        };
        for bind in self.binds.iter().filter_map(named).collect::<Vec<_>>() {
            if self.binds.iter().all(|known| known.destination != bind.destination) {
                self.binds.push(bind);
            }
        }
    }
}

impl WrittenNode {
    /// The path on the host.
    fn source(&self) -> &Path {
        self.host_path.as_ref().unwrap_or(&self.path)
    }

    /// The node as it is on this machine.
    fn find(&self) -> Result<Node, String> {
        place("deviceNodes.path", &self.path, Path::new("/dev"))?;
        let source = self.source();
        absolute("deviceNodes.hostPath", source)?;
        let found = fs::metadata(source).map_err(|error| {
            format!("`deviceNodes`: {error}; load the driver, or have the vendor's tool write the file again")
        })?;
        let kind = match found.file_type() {
            kind if kind.is_char_device() => "c",
            kind if kind.is_block_device() => "b",
            _ => return Err(format!("`deviceNodes`: {} is not a device node", source.display())),
        };
        let (major, minor) = (rustix::fs::major(found.rdev()), rustix::fs::minor(found.rdev()));
        self.agrees(kind, major, minor)?;
        let access = self.access(source, found.mode())?;
        Ok(Node { source: source.to_owned(), destination: self.path.clone(), kind, major, minor, access })
    }

    /// Refuses a node that is another device than the one described.
    fn agrees(&self, kind: &str, major: u32, minor: u32) -> Result<(), String> {
        // `u` is another word for a character device.
        let kind_agrees =
            self.kind.as_deref().is_none_or(|told| told == kind || (told == "u" && kind == "c"));
        let same = |told: Option<i64>, is: u32| told.is_none_or(|told| told == i64::from(is));
        if kind_agrees && same(self.major, major) && same(self.minor, minor) {
            return Ok(());
        }
        Err(format!(
            "`deviceNodes`: {} is now the device {kind} {major}:{minor} and not the one described; have the vendor's \
             tool write the file again",
            self.source().display()
        ))
    }

    /// What a container may do with the node, of `r` and `w`.
    fn access(&self, source: &Path, mode: u32) -> Result<String, String> {
        let asked = self.permissions.as_deref().unwrap_or("rw");
        let access: String = ['r', 'w'].into_iter().filter(|&right| asked.contains(right)).collect();
        if access.is_empty() || !asked.chars().all(|right| "rwm".contains(right)) {
            return Err(format!("`deviceNodes.permissions` is `{asked}`; it must be `r`, `w` or `rw`"));
        }
        let needed = access.chars().fold(0, |bits, right| bits | if right == 'r' { 0o4 } else { 0o2 });
        if mode & needed == needed {
            return Ok(access);
        }
        Err(format!(
            "`deviceNodes`: {} has the mode {:04o}, and a model runs as a user that is nobody on this machine; let \
             others use it (`chmod o+{access}`, or a udev rule)",
            source.display(),
            mode & 0o7777
        ))
    }
}

impl WrittenMount {
    /// The file or folder as it is on this machine.
    fn find(&self) -> Result<Bind, String> {
        place("mounts.containerPath", &self.container_path, Path::new("/"))?;
        absolute("mounts.hostPath", &self.host_path)?;
        if let Some(kind) = self.kind.as_deref().filter(|kind| !["bind", "none", ""].contains(kind)) {
            return Err(format!(
                "`mounts.type` is `{kind}`; only files and folders of the host are handed on"
            ));
        }
        let source = fs::canonicalize(&self.host_path)
            .map_err(|error| format!("`mounts`: {error}; have the vendor's tool write the file again"))?;
        if source == Path::new("/") {
            return Err("`mounts.hostPath` is the whole machine; name the driver's files".to_owned());
        }
        let (source, destination) = (Source::Host(source), self.container_path.clone());
        Ok(Bind { source, destination, writable: false })
    }
}

/// What every container has already, and no device may cover.
const TAKEN: [&str; 21] = [
    "/proc",
    "/sys",
    "/input",
    "/output",
    "/tmp",
    "/mlcommons",
    "/dev/shm",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/mqueue",
    "/dev/fd",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
];

/// Refuses a place in the container that is not a plain path below `folder`, or that is the platform's own.
fn place(field: &str, path: &Path, folder: &Path) -> Result<(), String> {
    let mut parts = path.strip_prefix(folder).into_iter().flat_map(Path::components).peekable();
    let below = parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)));
    let covers = |taken: &&str| path.starts_with(taken) || Path::new(taken).starts_with(path);
    if below && !TAKEN.iter().any(covers) {
        return Ok(());
    }
    Err(format!(
        "`{field}`: `{}` is not a place below {} where a container may have something",
        path.display(),
        folder.display()
    ))
}

fn absolute(field: &str, path: &Path) -> Result<(), String> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(format!("`{field}`: `{}` must begin with `/`", path.display()))
}

#[cfg(test)]
mod tests;
