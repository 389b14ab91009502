//! Applies one layer to the root file system.

use std::io::Read;

use tar::EntryType;

use super::limits::{Budget, LINK_BYTES, NAME_BYTES, PATH_BYTES};
use super::refusal::{at, invalid, quote, unreadable};
use super::root::Root;
use super::stream::{self, Meter};
use super::tar::{Entry, TarReader};
use crate::types::Refusal;

/// What a name begins with that removes something of a lower layer.
const WHITEOUT: &str = ".wh.";

/// Removes everything that lower layers put into its folder.
const OPAQUE: &str = ".wh..wh..opq";

/// What one of the file systems that layers came from kept for itself.
const BOOKKEEPING: &str = ".wh..wh.";

/// Digests of a layer, known once it was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digests {
    /// SHA-256 of the layer as it is stored.
    pub(super) stored: String,
    /// SHA-256 of the tar archive in it.
    pub(super) unpacked: String,
}

/// Unpacks a layer, plain, gzip or zstd, onto the layers below it; takes what it uses off the budget.
pub(super) fn apply(root: &mut Root, stored: impl Read, budget: &mut Budget) -> Result<Digests, Refusal> {
    let (packed, unpacked) = (Meter::default(), Meter::default());
    let plain = stream::unpacked(stored, &packed, budget.bytes).map_err(unreadable)?;
    let mut archive = TarReader::new(unpacked.measure(plain));
    root.begin_layer()?;
    while let Some(entry) = archive.next()? {
        let named = |refusal| at(&format!("entry {}", quote(&entry.name)), refusal);
        budget.entries = budget.entries.checked_sub(1).ok_or_else(too_many)?;
        put(root, &entry, &mut archive).map_err(named)?;
    }
    budget.bytes = budget.bytes.saturating_sub(unpacked.bytes());
    Ok(Digests { stored: packed.sha256(), unpacked: unpacked.sha256() })
}

fn too_many() -> Refusal {
    invalid(format!("more than {} entries in all layers", super::limits::ENTRIES))
}

fn put(root: &mut Root, entry: &Entry, content: &mut impl Read) -> Result<(), Refusal> {
    let path = components(&entry.name)?;
    let Some((name, above)) = path.split_last() else {
        return match entry.kind {
            EntryType::Directory => root.dress_root(entry),
            _ => Err(invalid("replaces the root folder by something else")),
        };
    };
    // The engine makes its own devices; old images hold some.
    if path[0] == "dev" && !above.is_empty() {
        return Ok(());
    }
    if name.starts_with(WHITEOUT) {
        return remove(root, above, name);
    }
    match entry.kind {
        EntryType::Regular | EntryType::Continuous => {
            let parent = root.make_folder(above)?;
            root.put_file(&parent, name, entry, content)
        }
        EntryType::Directory => {
            let parent = root.make_folder(above)?;
            root.put_folder(&parent, name, entry)
        }
        EntryType::Symlink => {
            let target = link_target(&entry.link)?;
            let parent = root.make_folder(above)?;
            root.put_link(&parent, name, entry, target)
        }
        EntryType::Link => {
            let target = components(&entry.link).map_err(|why| at("hard link", why))?;
            let (last, folder) =
                target.split_last().ok_or_else(|| invalid("is a hard link to the root folder"))?;
            let parent = root.make_folder(above)?;
            root.put_hard_link(&parent, name, (folder, last))
        }
        EntryType::Char | EntryType::Block => Err(invalid("is a device; images may not bring devices")),
        EntryType::Fifo => Err(invalid("is a named pipe; images may not bring those")),
        EntryType::GNUSparse => Err(invalid("is a sparse file; write it in full (tar without --sparse)")),
        other => Err(invalid(format!("is of a kind that is not known ({})", other.as_byte().escape_ascii()))),
    }
}

/// What a whiteout stands for.
fn remove(root: &mut Root, above: &[&str], name: &str) -> Result<(), Refusal> {
    if name == OPAQUE {
        let folder = root.make_folder(above)?;
        return root.white_out_content(&folder);
    }
    if name.starts_with(BOOKKEEPING) {
        return Ok(());
    }
    match &name[WHITEOUT.len()..] {
        "" | "." | ".." => Err(invalid("is a whiteout of no name, of its folder or of what is above")),
        gone => match root.folder(above) {
            Ok(parent) => root.white_out(&parent, gone),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(()),
            Err(error) => Err(super::refusal::unwritable(error)),
        },
    }
}

/// The components of a path below the root. Writers may begin it with `/` or `./`; nothing may lead up.
pub(super) fn components(path: &[u8]) -> Result<Vec<&str>, Refusal> {
    if path.len() > PATH_BYTES {
        return Err(invalid(format!("a path of {} bytes; at most {PATH_BYTES} are allowed", path.len())));
    }
    let path = std::str::from_utf8(path).map_err(|_| invalid("a path that is not UTF-8"))?;
    if path.contains('\0') {
        return Err(invalid("a path with a NUL in it"));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(invalid("a path that leads up (`..`)"));
    }
    if parts.iter().any(|part| part.len() > NAME_BYTES) {
        return Err(invalid(format!("a name longer than {NAME_BYTES} bytes")));
    }
    Ok(parts)
}

fn link_target(target: &[u8]) -> Result<&str, Refusal> {
    if target.is_empty() || target.len() > LINK_BYTES {
        return Err(invalid(format!(
            "is a link to a path of {} bytes; 1 to {LINK_BYTES} are allowed",
            target.len()
        )));
    }
    let target = std::str::from_utf8(target).map_err(|_| invalid("is a link to a path that is not UTF-8"))?;
    if target.contains('\0') {
        return Err(invalid("is a link to a path with a NUL in it"));
    }
    Ok(target)
}
