//! The sandbox as the node uses it.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::EngineInfo;
use fiel_schemas::submission::MediaType;
use fs_err as fs;
use sha2::{Digest, Sha256};

use crate::cgroup::{self, MemoryGroup};
use crate::child::{Silence, Worker};
use crate::container::Containers;
use crate::engine;
use crate::image::ImageStore;
use crate::onnx::OnnxEngine;
use crate::protocol::{Confine, Order, Reply};
use crate::slot::{Slot, io_error};
use crate::types::{
    CompileLimits, Dialect, EngineReport, Model, Prepared, Program, Protection, Refusal, SandboxConfig,
    SandboxError,
};
use crate::workplace::{self, Workplace};

/// How long a worker may take to confine itself and load its module.
pub(crate) const START: Duration = Duration::from_mins(1);

/// Memory a worker needs beside the model's own.
pub(crate) const OVERHEAD: u64 = 256 << 20;

/// Runs untrusted modules, each case in a fresh instance inside a confined worker process.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) config: SandboxConfig,
    /// Before the workplace, in which it works: fields are dropped in this order.
    pub(crate) containers: Containers,
    images: OnceLock<ImageStore>,
    pub(crate) workplace: Workplace,
    pub(crate) limits: CompileLimits,
    pub(crate) onnx: OnnxEngine,
    confinement: Vec<String>,
    engine: String,
    serial: AtomicU64,
}

impl Sandbox {
    /// Makes the folders, removes what a killed predecessor left, and tries what a worker can no longer do.
    pub fn new(mut config: SandboxConfig) -> Result<Self, SandboxError> {
        cgroup::remove_stale();
        let workplace = Workplace::open(&config.work_dir)?;
        config.cache_dir = make_private(&config.cache_dir)?;
        let mut sandbox = Self {
            containers: Containers::find(&config.containers, workplace.folder(), &config.worker),
            images: OnceLock::new(),
            config,
            workplace,
            limits: CompileLimits::default(),
            onnx: OnnxEngine::built_in(),
            confinement: Vec::new(),
            engine: String::new(),
            serial: AtomicU64::new(0),
        };
        (sandbox.confinement, sandbox.engine) = sandbox.probe()?;
        if let Some(library) = sandbox.config.onnxruntime.clone() {
            sandbox.onnx = OnnxEngine::of_site(&sandbox, &library);
        }
        Ok(sandbox)
    }

    /// Bounds compiling otherwise than by default.
    #[must_use]
    pub fn with_compile_limits(mut self, limits: CompileLimits) -> Self {
        self.limits = limits;
        self
    }

    /// What every engine is here. The first call tries what containers keep on this machine.
    pub fn engines(&self) -> Vec<EngineReport> {
        let wasm = self.confined("wasmtime".into(), engine::VERSION.into());
        vec![wasm, self.onnx_report(), self.containers.report().clone()]
    }

    /// What the engine of ONNX models is here: the site's onnxruntime where one was asked for, whether it works or not.
    pub fn onnx_report(&self) -> EngineReport {
        let EngineInfo { name, version, .. } = self.onnx_info();
        match self.onnx.trouble() {
            None => self.confined(name, version),
            Some(advice) => EngineReport {
                name,
                version: None,
                available: false,
                protections: Vec::new(),
                advice,
                devices: Vec::new(),
            },
        }
    }

    /// The report of an engine that works in confined workers.
    fn confined(&self, name: String, version: String) -> EngineReport {
        let held = |name: &String| Protection { name: name.clone(), holds: true, detail: String::new() };
        EngineReport {
            name,
            version: Some(version),
            available: true,
            protections: self.confinement.iter().map(held).collect(),
            advice: String::new(),
            devices: Vec::new(),
        }
    }

    /// Engine, version and the confinements that were tried and held, of the engine that runs this model.
    pub fn info(&self, prepared: &Prepared) -> EngineInfo {
        match &prepared.program {
            Program::Wasm { networks: false, .. } => self.wasm_info(),
            Program::Wasm { networks: true, .. } => self.wasi_nn_info(),
            Program::Image { .. } => self.containers.info(),
            Program::Onnx { .. } => self.onnx_info(),
        }
    }

    fn wasm_info(&self) -> EngineInfo {
        EngineInfo {
            name: "wasmtime".into(),
            version: engine::VERSION.into(),
            config_digest: engine::config_digest(self.config.metered),
            confinement: self.confinement.clone(),
            hardware: None,
        }
    }

    /// Both engines of a module that imports wasi-nn: what it computes depends on either.
    fn wasi_nn_info(&self) -> EngineInfo {
        let (wasm, onnx) = (self.wasm_info(), self.onnx_info());
        let both = format!("{}; wasi-nn by {}", wasm.config_digest, onnx.config_digest);
        EngineInfo {
            name: format!("{}+{}", wasm.name, onnx.name),
            version: format!("{}+{}", wasm.version, onnx.version),
            config_digest: fiel_schemas::digest::sha256_hex(both.as_bytes()),
            ..wasm
        }
    }

    /// The engine that runs ONNX models, with the same confinements as modules have.
    pub fn onnx_info(&self) -> EngineInfo {
        self.onnx.info(&self.confinement)
    }

    /// Checks a model and makes it ready in a confined worker, or finds what was made of it in the cache.
    pub fn prepare(&self, model: &Model) -> Result<Prepared, Refusal> {
        match model.media_type {
            MediaType::Wasm => self.prepare_module(&model.path, &model.sha256),
            MediaType::ImageArchive | MediaType::ImageManifest => self.prepare_image(model),
            MediaType::Onnx => self.prepare_onnx(model),
            MediaType::Predictions => Err(Refusal {
                reason: FailureReason::ArtifactInvalid,
                message: "predictions are measured, not run; submit a model".to_owned(),
            }),
        }
    }

    fn prepare_image(&self, model: &Model) -> Result<Prepared, Refusal> {
        let started = Instant::now();
        self.containers.require()?;
        let image = self.images()?.unpack(model)?;
        let (api, dialect) = self.containers.accept(&image)?;
        Ok(Prepared {
            batch: None,
            sha256: model.sha256.clone(),
            load_s: started.elapsed().as_secs_f64(),
            cached: image.cached,
            dialect,
            program: Program::Image { image, api },
        })
    }

    /// The store of unpacked images; opened late, since the engine decides whose files they are.
    fn images(&self) -> Result<&ImageStore, Refusal> {
        if let Some(images) = self.images.get() {
            return Ok(images);
        }
        let folder = self.config.cache_dir.join("images");
        let store = ImageStore::open(&folder, self.containers.owner_base(), &self.config.worker)
            .map_err(|error| site_error(&error))?;
        Ok(self.images.get_or_init(|| store))
    }

    fn prepare_module(&self, module: &Path, sha256: &str) -> Result<Prepared, Refusal> {
        let started = Instant::now();
        verify_digest(module, sha256)?;
        let name =
            format!("{sha256}-{}-{}.cwasm", &engine::config_digest(self.config.metered)[..16], self.engine);
        let compiled = self.config.cache_dir.join(name);
        let kept = kept(&compiled);
        let networks = match kept {
            Some(networks) => networks,
            None => self.compile(module, &compiled)?,
        };
        if networks {
            self.onnx.require()?;
        }
        Ok(Prepared {
            batch: None,
            sha256: sha256.to_owned(),
            load_s: started.elapsed().as_secs_f64(),
            cached: kept.is_some(),
            dialect: Dialect::Fiel,
            program: Program::Wasm { compiled, networks },
        })
    }

    /// Compiles a module into the cache; says whether it imports wasi-nn.
    fn compile(&self, module: &Path, compiled: &Path) -> Result<bool, Refusal> {
        let module = fs::canonicalize(module).map_err(|error| site_error(&error))?;
        let draft = Draft::new(self);
        let order = Order::Compile {
            confine: Confine {
                parent: std::process::id(),
                slot: None,
                file_bytes: self.limits.compiled_bytes,
                data_bytes: self.limits.memory_bytes,
                cpu_s: Some(self.limits.wall.as_secs().max(1) * 4),
            },
            module,
            compiled: draft.0.clone(),
            metered: self.config.metered,
        };
        match self.ask(&order, self.limits.memory_bytes, self.limits.wall)? {
            Reply::Compiled { networks } => {
                keep(&draft.0, compiled, networks).map_err(|error| site_error(&error))?;
                Ok(networks)
            }
            Reply::Refused { reason, message } => Err(Refusal { reason, message }),
            Reply::Failed { message } => Err(site_error(&message)),
            Reply::Ready { .. } | Reply::Loaded | Reply::Unpacked | Reply::Done { .. } => {
                Err(site_error(&"an answer out of turn"))
            }
        }
    }

    /// Starts a worker for one order and waits for its one answer.
    pub(crate) fn ask(&self, order: &Order, memory_bytes: u64, wall: Duration) -> Result<Reply, Refusal> {
        let deadline = Instant::now() + wall;
        let mut worker = self.worker(memory_bytes).map_err(|error| site_error(&error))?;
        let reply =
            worker.send(order).and_then(|()| worker.receive(deadline, &mut || ControlFlow::Continue(())));
        let too_much = |what: &str| Refusal {
            reason: FailureReason::CompileLimit,
            message: format!(
                "preparing the model {what}; make it smaller, or split a module's largest function"
            ),
        };
        reply.map_err(|silence| match silence {
            Silence::Late => too_much(&format!("took longer than {} s", wall.as_secs_f64())),
            Silence::OutOfMemory => too_much("took more memory than allowed"),
            Silence::Died(how) => too_much(&format!("took more than allowed ({how})")),
            Silence::Stopped | Silence::Nonsense(_) => site_error(&"the preparing worker broke the protocol"),
        })
    }

    fn probe(&self) -> Result<(Vec<String>, String), SandboxError> {
        let slot = self.slot()?;
        let mut worker = self.worker(OVERHEAD)?;
        let grouped = worker.grouped();
        let order = Order::Probe(Confine {
            parent: std::process::id(),
            slot: Some(slot.folder().to_owned()),
            file_bytes: 0,
            data_bytes: OVERHEAD,
            cpu_s: Some(60),
        });
        let reply = worker
            .send(&order)
            .and_then(|()| worker.receive(Instant::now() + START, &mut || ControlFlow::Continue(())));
        match reply {
            Ok(Reply::Ready { mut confinement, engine }) => {
                if grouped {
                    confinement.push("memory-cgroup".into());
                }
                Ok((confinement, engine))
            }
            other => Err(not_ready(&other)),
        }
    }

    /// A worker in a memory group where possible.
    pub(crate) fn worker(&self, memory_bytes: u64) -> Result<Worker, SandboxError> {
        let name = format!("fiel-{}-{}", std::process::id(), workplace::unique());
        Worker::start(&self.config.worker, MemoryGroup::create(&name, memory_bytes))
    }

    /// A fresh pair of folders.
    pub(crate) fn slot(&self) -> Result<Slot, SandboxError> {
        Slot::create(self.workplace.folder().join(format!("slot-{}", self.next())))
    }

    fn next(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }
}

/// What a worker said instead of being ready.
pub(crate) fn not_ready(answer: &Result<Reply, Silence>) -> SandboxError {
    SandboxError::Worker(match answer {
        Ok(Reply::Failed { message }) => message.clone(),
        Ok(other) => format!("an answer out of turn: {other:?}"),
        Err(Silence::Died(how)) => format!("it did not get ready: {how}"),
        Err(silence) => format!("it did not get ready: {silence:?}"),
    })
}

pub(crate) fn site_error(error: &dyn std::fmt::Display) -> Refusal {
    Refusal { reason: FailureReason::SiteError, message: error.to_string() }
}

pub(crate) fn verify_digest(module: &Path, sha256: &str) -> Result<(), Refusal> {
    let found = file_digest(module).map_err(|error| site_error(&error))?;
    if found == sha256 {
        return Ok(());
    }
    Err(Refusal {
        reason: FailureReason::DigestMismatch,
        message: format!("the model's SHA-256 is {found}, expected {sha256}; fetch it again"),
    })
}

pub(crate) fn file_digest(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            count => hasher.update(&chunk[..count]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Follows the digest of a compiled module that imports wasi-nn, in the file beside it.
const NETWORKS: &str = " wasi-nn";

/// Moves a complete compiled module into the cache, beside it its digest and whether it imports wasi-nn.
fn keep(draft: &Path, compiled: &Path, networks: bool) -> std::io::Result<()> {
    let note = Draft(draft.with_extension("sha256"));
    fs::write(&note.0, file_digest(draft)? + if networks { NETWORKS } else { "" })?;
    fs::rename(draft, compiled)?;
    fs::rename(&note.0, compiled.with_extension("sha256"))
}

/// Whether the module that the cache holds imports wasi-nn; `None` where it holds none, or a damaged one.
fn kept(compiled: &Path) -> Option<bool> {
    let note = fs::read_to_string(compiled.with_extension("sha256")).ok()?;
    let digest = note.strip_suffix(NETWORKS);
    (file_digest(compiled).ok()? == digest.unwrap_or(&note)).then_some(digest.is_some())
}

/// Makes the folder of compiled modules, which nobody else may write: its files are run as code.
/// Gives its absolute path.
fn make_private(folder: &Path) -> Result<PathBuf, SandboxError> {
    let make = || -> std::io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        rustix::fs::chmod(folder, rustix::fs::Mode::from_raw_mode(0o700))?;
        for entry in fs::read_dir(folder)?.flatten() {
            if stale_draft(&entry.file_name()) {
                fs::remove_file(entry.path())?;
            }
        }
        fs::canonicalize(folder)
    };
    make().map_err(|source| io_error("make private", folder, source))
}

/// Whether a file is the draft of a node that has gone.
fn stale_draft(name: &std::ffi::OsStr) -> bool {
    let node = name.to_str().and_then(|name| name.strip_prefix(".draft-")?.split('-').next());
    node.is_some_and(|id| !Path::new("/proc").join(id).exists())
}

/// A file in the cache that is removed unless it was renamed.
pub(crate) struct Draft(PathBuf);

impl Draft {
    /// A name that nothing else has.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self(sandbox.config.cache_dir.join(format!(".draft-{}-{}", std::process::id(), sandbox.next())))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _renamed = fs::remove_file(&self.0);
    }
}
