//! Container images: from an archive, or a folder in the OCI image layout, to a root file system.
//!
//! Everything that reads an image happens in a confined worker, which reaches the image and one draft folder and
//! nothing else; there, too, no path is ever resolved out of the root (see `root.rs`). The node itself checks the
//! digest of an archive before, and renames the draft into the cache after.
//!
//! ```text
//! archive ─┐ source.rs      documents.rs       stream.rs  tar.rs  layer.rs  root.rs
//!          ├─ names ──▶ manifest, configuration ─▶ layers, digests checked ─▶ draft/rootfs
//! folder ──┘                                       config.rs, users.rs ─────▶ draft/image.json
//! ```
//!
//! What an image may hold: files, folders, links. Devices and pipes are refused, except that everything below `/dev`
//! is left out; set-user-ID and set-group-ID bits and extended attributes are dropped. The bounds are in `limits.rs`.

mod cache;
mod config;
mod documents;
mod layer;
mod limits;
mod refusal;
mod root;
mod source;
mod stream;
mod tar;
#[cfg(test)]
mod tests;
mod unpack;
mod users;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fiel_schemas::api::FailureReason;
use fiel_schemas::submission::MediaType;

use crate::cgroup::MemoryGroup;
use crate::child::{Silence, Worker};
use crate::protocol::{Confine, Order, Reply};
use crate::slot::io_error;
use crate::types::{Model, Refusal, SandboxError, WorkerCommand};
use crate::workplace::unique;

use cache::Cache;
use refusal::{invalid, site};

pub use config::ImageConfig;
pub(crate) use source::Opened;
pub(crate) use unpack::unpack;

/// Most time that unpacking one image may take.
const WALL: Duration = Duration::from_mins(30);

/// Private memory of a worker that unpacks; it streams and needs a few MiB beside a zstd window.
const MEMORY_BYTES: u64 = 256 << 20;

/// Memory of its control group, which counts file pages as well.
const GROUP_BYTES: u64 = 512 << 20;

/// Most bytes of unpacked images to keep when a new one comes.
const CACHE_BYTES: u64 = 64 << 30;

/// A folder of unpacked images, private to the node's user and shared by all runs.
#[derive(Debug)]
pub struct ImageStore {
    cache: Cache,
    /// Added to the ids of the files' owners; `None` where the node is not root and gives nothing away.
    owner_base: Option<u32>,
    worker: WorkerCommand,
}

/// An unpacked image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its root file system; never written again, and not removed while its store is open.
    pub rootfs: PathBuf,
    /// How to start it.
    pub config: ImageConfig,
    /// Whether it was unpacked before.
    pub cached: bool,
}

impl ImageStore {
    /// Opens the store and removes what killed nodes left half unpacked.
    ///
    /// A file of user `u` in an image will belong to `u + owner_base`, for a user namespace to map back; `owner_base`
    /// counts only where the node is root.
    pub fn open(folder: &Path, owner_base: u32, worker: &WorkerCommand) -> Result<Self, SandboxError> {
        let cache =
            Cache::open(folder).map_err(|source| io_error("make the store of images in", folder, source))?;
        let owner_base = rustix::process::geteuid().is_root().then_some(owner_base);
        Ok(Self { cache, owner_base, worker: worker.clone() })
    }

    /// Unpacks an image and checks every digest and size on the way, or finds it unpacked under the digest of its
    /// archive or manifest.
    ///
    /// # Errors
    /// `image-invalid` for what is wrong with the image, `digest-mismatch` if it is not the one it should be,
    /// `site-error` if the site could not do its part.
    pub fn unpack(&self, model: &Model) -> Result<Image, Refusal> {
        if !documents::is_sha256(&model.sha256) {
            return Err(site("the model's SHA-256 is not 64 lower-case hexadecimal digits"));
        }
        let owner = self.owner_base.map_or_else(|| "self".to_owned(), |base| base.to_string());
        let key = format!("{}-{owner}", model.sha256);
        if let Some(image) = self.find(&key, true)? {
            return Ok(image);
        }
        let manifest = match model.media_type {
            MediaType::ImageArchive => {
                verify(&model.path, &model.sha256)?;
                None
            }
            MediaType::ImageManifest => Some(model.sha256.clone()),
            other => return Err(invalid(format!("`{other}` is not a container image"))),
        };
        self.cache.shrink(CACHE_BYTES).map_err(site)?;
        let draft = self.cache.draft().map_err(site)?;
        let order = Order::Unpack {
            confine: Confine {
                parent: std::process::id(),
                slot: Some(draft.path().to_owned()),
                file_bytes: limits::UNPACKED_BYTES,
                data_bytes: MEMORY_BYTES,
                cpu_s: Some(WALL.as_secs()),
            },
            source: std::path::absolute(&model.path).map_err(site)?,
            manifest,
            owner_base: self.owner_base,
        };
        self.ask(&order)?;
        std::fs::remove_dir_all(draft.path().join("trash")).map_err(site)?;
        self.cache.keep(&draft, &key).map_err(site)?;
        // Gives up the lock under which the draft was made.
        drop(draft);
        self.find(&key, false)?.ok_or_else(|| site("the image was removed as soon as it was unpacked"))
    }

    fn find(&self, key: &str, cached: bool) -> Result<Option<Image>, Refusal> {
        let found = self.cache.find(key).map_err(site)?;
        Ok(found.map(|(folder, record)| Image {
            rootfs: folder.join("rootfs"),
            config: record.config,
            cached,
        }))
    }

    /// Has a worker unpack.
    fn ask(&self, order: &Order) -> Result<(), Refusal> {
        let name = format!("fiel-{}-{}", std::process::id(), unique());
        let deadline = Instant::now() + WALL;
        let mut worker =
            Worker::start(&self.worker, MemoryGroup::create(&name, GROUP_BYTES)).map_err(site)?;
        let reply =
            worker.send(order).and_then(|()| worker.receive(deadline, &mut || ControlFlow::Continue(())));
        match reply {
            Ok(Reply::Unpacked) => Ok(()),
            Ok(Reply::Refused { reason, message }) => Err(Refusal { reason, message }),
            Ok(Reply::Failed { message }) => Err(site(message)),
            Ok(_) | Err(Silence::Stopped | Silence::Nonsense(_)) => {
                Err(site("the unpacking worker broke the protocol"))
            }
            Err(Silence::Late) => {
                Err(invalid(format!("unpacking the image took longer than {} s", WALL.as_secs())))
            }
            Err(Silence::OutOfMemory) => Err(invalid("unpacking the image took more memory than allowed")),
            Err(Silence::Died(how)) => {
                Err(invalid(format!("unpacking the image took more than allowed ({how})")))
            }
        }
    }
}

/// Checks the digest of an archive.
fn verify(path: &Path, sha256: &str) -> Result<(), Refusal> {
    let meter = stream::Meter::default();
    let file = File::open(path).map_err(site)?;
    io::copy(&mut meter.measure(file), &mut io::sink()).map_err(site)?;
    let found = meter.sha256();
    if found == sha256 {
        return Ok(());
    }
    let message = format!("the archive's SHA-256 is {found}, expected {sha256}; fetch it again");
    Err(Refusal { reason: FailureReason::DigestMismatch, message })
}
