//! The types a caller of the sandbox meets.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use fiel_schemas::api::FailureReason;
use fiel_schemas::challenge::Interface;
use fiel_schemas::outcome::Outcome;
use fiel_schemas::submission::MediaType;

use crate::image::Image;

/// How to start a worker: a program that calls [`crate::worker_main`] first thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program, usually `/proc/self/exe`.
    pub program: PathBuf,
    /// Arguments that lead to [`crate::worker_main`], usually `["sandbox-worker"]`.
    pub args: Vec<String>,
}

/// Where the sandbox works and how wide.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Folder for the slots of running cases; a memory file system makes cases faster.
    pub work_dir: PathBuf,
    /// Folder for compiled modules; must be writable by the node only.
    pub cache_dir: PathBuf,
    /// How to start a worker.
    pub worker: WorkerCommand,
    /// How many cases run at once; 0 counts as 1.
    pub parallel: usize,
    /// Count fuel, a cost that does not depend on the machine (slower by up to a factor of two).
    pub metered: bool,
    /// How container images are run.
    pub containers: ContainerConfig,
    /// The site's onnxruntime (`libonnxruntime.so`), which then runs ONNX models, and what modules load through
    /// wasi-nn, in place of tract, three to four times faster.
    pub onnxruntime: Option<PathBuf>,
}

impl SandboxConfig {
    /// A sandbox in two folders of its own that runs one case at a time, counts no fuel, runs images as
    /// [`ContainerConfig::default`] says and ONNX models with the built-in engine.
    ///
    /// ```
    /// use fiel_sandbox::{SandboxConfig, WorkerCommand};
    /// let worker = WorkerCommand { program: "/proc/self/exe".into(), args: vec!["sandbox-worker".into()] };
    /// let config = SandboxConfig { parallel: 4, ..SandboxConfig::new("/tmp/work", "/tmp/compiled", worker) };
    /// assert!(!config.metered && config.onnxruntime.is_none());
    /// ```
    pub fn new(work_dir: impl Into<PathBuf>, cache_dir: impl Into<PathBuf>, worker: WorkerCommand) -> Self {
        Self {
            work_dir: work_dir.into(),
            cache_dir: cache_dir.into(),
            worker,
            parallel: 1,
            metered: false,
            containers: ContainerConfig::default(),
            onnxruntime: None,
        }
    }
}

/// How container images are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerConfig {
    /// Name or path of the runtime: `runc`, `crun`, `runsc` or `podman`; `None` takes the first of the former three that is
    /// here.
    pub runtime: Option<String>,
    /// Protections without which no image is run, by the names of [`EngineReport::protections`].
    pub required: Vec<String>,
    /// Processor cores of each case; 0 counts as 1.
    pub cores: u64,
    /// Processes and threads of each case; 0 counts as 1.
    pub processes: u64,
    /// Devices that every container gets, by their CDI names, for instance `nvidia.com/gpu=0`.
    pub devices: Vec<String>,
    /// Folders with CDI specifications; a later one has the last word.
    pub cdi_folders: Vec<PathBuf>,
}

impl Default for ContainerConfig {
    fn default() -> Self {
        let required =
            ["namespaces", "no-network", "read-only-root", "no-new-privs", "seccomp", "memory-limit"];
        Self {
            runtime: None,
            required: required.map(str::to_owned).to_vec(),
            cores: 1,
            processes: 256,
            devices: Vec::new(),
            cdi_folders: ["/etc/cdi", "/var/run/cdi"].map(PathBuf::from).to_vec(),
        }
    }
}

/// What an engine is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineReport {
    /// `wasmtime`, `runc`, ...
    pub name: String,
    /// Its version, where it is here.
    pub version: Option<String>,
    /// Whether models are run with it.
    pub available: bool,
    /// What was tried, and whether it held.
    pub protections: Vec<Protection>,
    /// What is missing and what to install; empty for an engine that is available.
    pub advice: String,
    /// Devices that CDI specifications of this machine describe, and files among them that are broken.
    pub devices: Vec<DeviceReport>,
}

/// A device that containers may be given, or a broken file that should describe one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceReport {
    /// Its CDI name, or the path of the file.
    pub name: String,
    /// The file that describes it; `None` for a device that none does.
    pub file: Option<PathBuf>,
    /// Whether every container gets it.
    pub configured: bool,
    /// Its nodes on this machine, and whether each is there.
    pub nodes: Vec<(PathBuf, bool)>,
    /// Why it cannot be used and what to do.
    pub problem: Option<String>,
    /// What the file asks for beside and is not done.
    pub left_out: Vec<String>,
}

/// One thing that an engine keeps a model from doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Its short name, for instance `no-network`.
    pub name: String,
    /// Whether an attempt to break it failed.
    pub holds: bool,
    /// What the attempt showed.
    pub detail: String,
}

/// A model as it was fetched. Nothing about it is trusted: its digest is checked, its content parsed in confinement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The file; for [`MediaType::ImageManifest`] a folder in the OCI image layout.
    pub path: PathBuf,
    /// SHA-256 it must have, lower-case hexadecimal.
    pub sha256: String,
    /// What it is.
    pub media_type: MediaType,
}

/// A model that was checked and made ready to run.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// SHA-256 of the model, lower-case hexadecimal.
    pub sha256: String,
    /// Seconds it took to check and compile or unpack it, or to find it in the cache.
    pub load_s: f64,
    /// Whether what was made of it came from the cache.
    pub cached: bool,
    /// How files pass between the platform and the model.
    pub dialect: Dialect,
    pub(crate) program: Program,
    /// How many cases it is given at one start, each in a folder of its own; `None` for one whose files lie in `/input`
    /// themselves.
    pub(crate) batch: Option<NonZeroU32>,
}

impl Prepared {
    /// The same model, to be given up to so many cases at one start (at most [`Interface::BATCH_MAX`]) where that pays and
    /// its dialect has a form for it: an image of Fiel's or MedPerf's dialect that starts anew each time. Every other
    /// model goes on with one case at a time: Grand Challenge's contract is about one case, an image that stays is
    /// started once anyway, and a WebAssembly instance or a loaded network costs less than a millisecond.
    #[must_use]
    pub fn in_batches_of(self, cases: u32) -> Self {
        let takes_batches = match (&self.program, self.dialect) {
            (Program::Image { api: Api::Exec, .. }, Dialect::Fiel | Dialect::MedPerf) => true,
            (Program::Image { .. } | Program::Wasm { .. } | Program::Onnx { .. }, _) => false,
        };
        let size =
            NonZeroU32::new(cases.min(Interface::BATCH_MAX)).filter(|size| takes_batches && size.get() > 1);
        Self { batch: size, ..self }
    }
}

/// How files pass between the platform and a model; chosen by the artifact (see `docs/model.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Fiel's own: `inputs.json` and the challenge's files.
    Fiel,
    /// Grand Challenge: sockets, `images/<slug>/` with one `.mha`, JSON values.
    GrandChallenge,
    /// MedPerf's `infer`: folders for data, parameters and predictions.
    MedPerf,
}

/// What [`crate::Sandbox::prepare`] made of a model.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// A compiled module or component; `networks` says whether it imports wasi-nn.
    Wasm { compiled: PathBuf, networks: bool },
    /// An unpacked container image.
    Image { image: Image, api: Api },
    /// A checked ONNX artifact in the cache.
    Onnx { archive: PathBuf },
}

/// How an image is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// Once for each case; its end is the answer.
    Exec,
    /// It serves one case after the other over HTTP.
    Invoke,
}

/// A file that a model must write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// This path below `/output`.
    File(String),
    /// The one file, of any name, in this folder below `/output`; given back under the folder's path.
    OnlyFileIn(String),
}

impl Expected {
    /// The path under which the output is given back.
    pub fn path(&self) -> &str {
        match self {
            Self::File(path) | Self::OnlyFileIn(path) => path,
        }
    }
}

/// What one case used.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Fuel, in metered mode.
    pub fuel: Option<u64>,
    /// Processor seconds, where the engine counts them.
    pub cpu_s: Option<f64>,
    /// Largest memory, bytes, where the engine counts it; in a batch that of all its cases together.
    pub memory_bytes_peak: Option<u64>,
    /// Bytes written to `/output`.
    pub output_bytes: u64,
}

/// Why a module will not be run; the text may be shown to its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Reason code of the closed list.
    pub reason: FailureReason,
    /// What is wrong and what to do.
    pub message: String,
}

/// One case to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseInput {
    /// Name of the case, given back in its [`CaseResult`]; the model sees it in a batch only, as the name of the case's
    /// folder.
    pub name: String,
    /// Files of `/input`: relative path and content.
    pub files: Vec<(String, Vec<u8>)>,
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// Position in the iterator of cases.
    pub index: usize,
    /// Name of the case.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the platform's words; empty for `ok`. Never holds text of the model.
    pub reason: String,
    /// Wall time of the model, instantiation included; in a batch the case's equal share, as of processor seconds.
    pub seconds: f64,
    /// What it used.
    pub usage: Usage,
    /// The expected outputs: relative path and content. Empty unless `ok`.
    pub outputs: BTreeMap<String, Vec<u8>>,
    /// What the model printed, in a batch for all its cases, cut after 64 KiB per stream. It may hold patient data: keep it at the site.
    pub log: Vec<u8>,
}

/// The sandbox itself could not work; no fault of a model.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file or folder of the sandbox could not be used.
    #[error("sandbox: {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A worker did not start or did not keep to the protocol.
    #[error("sandbox worker: {0}")]
    Worker(String),
}

/// Bounds of compiling one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Wall time.
    pub wall: std::time::Duration,
    /// Private memory of the compiling worker.
    pub memory_bytes: u64,
    /// Size of the compiled module.
    pub compiled_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { wall: std::time::Duration::from_mins(1), memory_bytes: 4 << 30, compiled_bytes: 1 << 30 }
    }
}
