//! Where the parts of an image lie: in an archive or in a folder in the OCI image layout.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fiel_schemas::digest::sha256_hex;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use tar::EntryType;

use super::layer::components;
use super::limits::{ARCHIVE_FILES, DOCUMENT_BYTES, UNPACKED_BYTES};
use super::refusal::{at, invalid, quote, site, unreadable};
use super::stream::{self, Meter, Packing};
use super::tar::TarReader;
use crate::types::Refusal;

/// An archive or folder, opened and not yet looked into.
#[derive(Debug)]
pub(crate) enum Opened {
    Archive(File),
    Folder(OwnedFd),
}

impl Opened {
    /// Opens what lies at `path`.
    pub(crate) fn open(path: &Path, folder: bool) -> io::Result<Self> {
        if folder {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            return Ok(Self::Folder(rustix::fs::open(path, flags, Mode::empty())?));
        }
        Ok(Self::Archive(File::open(path)?))
    }
}

/// What one finds parts of an image in, by name.
#[derive(Debug)]
pub(super) enum Source {
    Archive { file: File, files: BTreeMap<String, Item> },
    Folder(OwnedFd),
}

/// A file in an archive.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// Its content.
    At { start: u64, size: u64 },
    /// A link to another file of the archive; `docker save` made them for layers that occur twice.
    Link(String),
}

/// Names a part of an image and says what it must be.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    /// Path in the archive or folder.
    pub(super) name: String,
    /// SHA-256, lower-case hexadecimal, where it is known beforehand.
    pub(super) sha256: Option<String>,
    /// Bytes, where they are known beforehand.
    pub(super) size: Option<u64>,
}

impl Source {
    /// Looks into an archive or folder; an archive compressed as a whole is unpacked into `draft` first.
    pub(super) fn new(opened: Opened, draft: &OwnedFd) -> Result<Self, Refusal> {
        match opened {
            Opened::Folder(folder) => Ok(Self::Folder(folder)),
            Opened::Archive(file) => {
                let file = plain(file, draft).map_err(|why| at("archive", why))?;
                let files = index(&file).map_err(|why| at("archive", why))?;
                Ok(Self::Archive { file, files })
            }
        }
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Archive { files, .. } => files.contains_key(name),
            Self::Folder(_) => false,
        }
    }

    /// Opens a part; its size is checked, its digest is for the reader to check.
    pub(super) fn open(&self, blob: &Blob) -> Result<Part, Refusal> {
        let part = match self {
            Self::Archive { file, files } => {
                let (start, size) = find(files, &blob.name)?;
                let file = file.try_clone().map_err(site)?;
                Part { file, position: start, left: size }
            }
            Self::Folder(folder) => open_in_folder(folder, &blob.name)?,
        };
        match blob.size {
            Some(said) if said != part.left => Err(invalid(format!(
                "{} has {} bytes where {said} are announced",
                quote(blob.name.as_bytes()),
                part.left
            ))),
            _ => Ok(part),
        }
    }

    /// Reads a manifest, index or configuration and checks its digest.
    pub(super) fn document(&self, blob: &Blob) -> Result<Vec<u8>, Refusal> {
        let mut part = self.open(blob)?;
        if part.left > DOCUMENT_BYTES {
            let name = quote(blob.name.as_bytes());
            return Err(invalid(format!(
                "{name} has {} bytes; manifests and configurations may have {DOCUMENT_BYTES}",
                part.left
            )));
        }
        let mut content = Vec::new();
        part.read_to_end(&mut content).map_err(unreadable)?;
        if let Some(said) = &blob.sha256 {
            check_digest(&blob.name, said, &sha256_hex(&content))?;
        }
        Ok(content)
    }
}

/// Compares digests.
pub(super) fn check_digest(name: &str, said: &str, found: &str) -> Result<(), Refusal> {
    if said == found {
        return Ok(());
    }
    Err(invalid(format!("{} has the SHA-256 {found} where {said} is announced", quote(name.as_bytes()))))
}

/// A stretch of a file.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    position: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.position)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// The archive itself, or what it decompresses to: a nameless file in the draft folder.
fn plain(mut file: File, draft: &OwnedFd) -> Result<File, Refusal> {
    let mut head = Vec::new();
    (&mut file).take(4).read_to_end(&mut head).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(site)?;
    if Packing::of(&head) == Packing::Plain {
        return Ok(file);
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let name = "archive.tar";
    let target = rustix::fs::openat(draft, name, flags, Mode::from_raw_mode(0o600)).map_err(site)?;
    rustix::fs::unlinkat(draft, name, rustix::fs::AtFlags::empty()).map_err(site)?;
    let mut target = File::from(target);
    let mut from = stream::unpacked(file, &Meter::default(), UNPACKED_BYTES).map_err(unreadable)?;
    let mut chunk = vec![0; 64 << 10];
    loop {
        match from.read(&mut chunk).map_err(unreadable)? {
            0 => break,
            count => {
                target.write_all(&chunk[..count]).map_err(|error| site(format!("cannot write: {error}")))?;
            }
        }
    }
    target.seek(SeekFrom::Start(0)).map_err(site)?;
    Ok(target)
}

/// Finds out which files an archive holds, and where.
fn index(file: &File) -> Result<BTreeMap<String, Item>, Refusal> {
    let length = file.metadata().map_err(site)?.len();
    let mut archive = TarReader::new(BufReader::new(file.try_clone().map_err(site)?));
    let mut files = BTreeMap::new();
    while let Some(entry) = archive.next()? {
        let start = archive.locate()?;
        if start.saturating_add(entry.size) > length {
            return Err(invalid(format!("is cut short within {}", quote(&entry.name))));
        }
        let named = |why| at(&quote(&entry.name), why);
        let path = components(&entry.name).map_err(named)?;
        let item = match entry.kind {
            EntryType::Regular | EntryType::Continuous => Item::At { start, size: entry.size },
            EntryType::Symlink | EntryType::Link => match link(&path, entry.kind, &entry.link) {
                Some(target) => Item::Link(target),
                None => continue,
            },
            EntryType::Directory => continue,
            _ => return Err(named(invalid("is neither a file nor a folder"))),
        };
        if files.len() == ARCHIVE_FILES {
            return Err(invalid(format!("holds more than {ARCHIVE_FILES} files")));
        }
        if files.insert(path.join("/"), item).is_some() {
            return Err(named(invalid("occurs twice; archive one image once")));
        }
    }
    Ok(files)
}

/// Where a link leads within the archive; `None` if out of it, which matters only if somebody asks for it.
fn link(path: &[&str], kind: EntryType, target: &[u8]) -> Option<String> {
    let target = std::str::from_utf8(target).ok()?;
    let mut parts: Vec<&str> = match kind {
        EntryType::Symlink => path.get(..path.len().checked_sub(1)?)?.to_vec(),
        _ => Vec::new(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Looks a file up, through one link at most.
fn find(files: &BTreeMap<String, Item>, name: &str) -> Result<(u64, u64), Refusal> {
    let missing = || invalid(format!("{} is missing from the archive", quote(name.as_bytes())));
    let item = match files.get(name).ok_or_else(missing)? {
        Item::Link(target) => files.get(target).ok_or_else(missing)?,
        item @ Item::At { .. } => item,
    };
    match item {
        Item::At { start, size } => Ok((*start, *size)),
        Item::Link(_) => Err(invalid(format!("{} is a link to a link", quote(name.as_bytes())))),
    }
}

fn open_in_folder(folder: &OwnedFd, name: &str) -> Result<Part, Refusal> {
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::openat2(folder, name, flags, Mode::empty(), within) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::NOTDIR) => {
            return Err(invalid(format!("{} is missing", quote(name.as_bytes()))));
        }
        Err(error) => return Err(site(format!("{}: {error}", quote(name.as_bytes())))),
    };
    let stat = rustix::fs::fstat(&file).map_err(site)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(invalid(format!("{} is not a regular file", quote(name.as_bytes()))));
    }
    let left = u64::try_from(stat.st_size).map_err(site)?;
    Ok(Part { file, position: 0, left })
}
