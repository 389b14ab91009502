//! What a confined worker does with an image: from the archive or folder to `rootfs` and [`RECORD`] in the draft.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::config::{self, ImageConfig};
use super::documents::{self, Plan, sha256_of};
use super::layer;
use super::limits::Budget;
use super::refusal::{at, site};
use super::root::Root;
use super::source::{Blob, Opened, Source, check_digest};
use crate::protocol::Reply;
use crate::types::Refusal;

/// Name of the file beside `rootfs`, written last.
pub(super) const RECORD: &str = "image.json";

/// What is known about an unpacked image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Bytes that its layers unpacked to.
    pub(super) bytes: u64,
    /// What was found to confine the worker that unpacked it.
    pub(super) confinement: Vec<String>,
    /// How to start it.
    pub(super) config: ImageConfig,
}

/// Unpacks an image into the current folder, to which the worker is confined as it says.
pub(crate) fn unpack(
    opened: Opened,
    manifest: Option<&str>,
    owner_base: Option<u32>,
    confinement: Vec<String>,
) -> Reply {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let draft = match rustix::fs::openat(CWD, ".", flags, Mode::empty()) {
        Ok(draft) => draft,
        Err(error) => return Reply::Failed { message: format!("draft folder: {error}") },
    };
    let unpacked = unpack_into(&draft, opened, manifest, owner_base, Budget::default())
        .and_then(|(bytes, config)| write(&draft, &Record { bytes, confinement, config }));
    match unpacked {
        Ok(()) => Reply::Unpacked,
        Err(Refusal { reason, message }) => Reply::Refused { reason, message },
    }
}

/// Unpacks an image into `draft`: the one in an archive, or that of `manifest` in a folder. Gives the bytes that its
/// layers unpacked to, and its configuration.
pub(super) fn unpack_into(
    draft: &OwnedFd,
    opened: Opened,
    manifest: Option<&str>,
    owner_base: Option<u32>,
    mut budget: Budget,
) -> Result<(u64, ImageConfig), Refusal> {
    let whole = budget.bytes;
    let source = Source::new(opened, draft)?;
    let Plan { config, layers } = match manifest {
        Some(sha256) => documents::of_manifest(&source, sha256)?,
        None => documents::in_archive(&source)?,
    };
    let mut root = Root::create(draft, owner_base)?;
    for (index, (blob, diff_id)) in layers.iter().zip(&config.rootfs.diff_ids).enumerate() {
        unpack_layer(&mut root, &source, blob, diff_id, &mut budget)
            .map_err(|why| at(&format!("layer {} of {}", index + 1, layers.len()), why))?;
    }
    let config = config::read(config.config.unwrap_or_default(), &mut root)?;
    Ok((whole - budget.bytes, config))
}

fn unpack_layer(
    root: &mut Root,
    source: &Source,
    blob: &Blob,
    diff_id: &str,
    budget: &mut Budget,
) -> Result<(), Refusal> {
    let diff_id = sha256_of(diff_id)?;
    let digests = layer::apply(root, source.open(blob)?, budget)?;
    if let Some(said) = &blob.sha256 {
        check_digest(&blob.name, said, &digests.stored)?;
    }
    check_digest("what it unpacks to", diff_id, &digests.unpacked)
}

fn write(draft: &OwnedFd, record: &Record) -> Result<(), Refusal> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(draft, RECORD, flags, Mode::from_raw_mode(0o600)).map_err(site)?;
    let content = serde_json::to_vec(record).map_err(site)?;
    File::from(file).write_all(&content).map_err(|error| site(format!("cannot write: {error}")))
}
