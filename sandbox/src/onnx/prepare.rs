//! The ONNX engine as the node sees it: which one it is, and whether a model suits it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::EngineInfo;
use fs_err as fs;

use super::tract;
use crate::protocol::{Confine, OnnxTask, Order, Reply};
use crate::sandbox::{Draft, OVERHEAD, Sandbox, file_digest, not_ready, site_error, verify_digest};
use crate::types::{Dialect, Model, Prepared, Program, Refusal};

/// What decides what a model computes beside engine and version; kernels are chosen by the processor all the same.
const DESCRIPTION: &str = "one thread; windows as fiel/onnx-manifest/v1";

/// The engine that runs ONNX models here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnnxEngine {
    name: &'static str,
    version: String,
    /// Digest of what it is and how it works.
    config_digest: String,
    /// The library, where it is the site's.
    library: Option<PathBuf>,
    /// Why it cannot be used.
    trouble: Option<String>,
}

impl OnnxEngine {
    /// tract, which is always there.
    pub(crate) fn built_in() -> Self {
        let text = format!("tract {}; {DESCRIPTION}", tract::VERSION);
        Self {
            name: "tract",
            version: tract::VERSION.to_owned(),
            config_digest: fiel_schemas::digest::sha256_hex(text.as_bytes()),
            library: None,
            trouble: None,
        }
    }

    /// The site's onnxruntime, tried in a worker. Where it does not work there is none: a site that asked for it is
    /// not served another one.
    pub(crate) fn of_site(sandbox: &Sandbox, library: &Path) -> Self {
        let tried = fs::canonicalize(library)
            .and_then(|path| Ok((file_digest(&path)?, path)))
            .map_err(|error| error.to_string())
            .and_then(|(digest, path)| Ok((digest, probe(sandbox, &path)?, path)));
        match tried {
            Ok((digest, version, path)) => Self {
                name: "onnxruntime",
                config_digest: fiel_schemas::digest::sha256_hex(
                    format!("onnxruntime {version} {digest}; {DESCRIPTION}").as_bytes(),
                ),
                version,
                library: Some(path),
                trouble: None,
            },
            Err(trouble) => Self {
                name: "onnxruntime",
                version: "unknown".to_owned(),
                config_digest: fiel_schemas::digest::sha256_hex(trouble.as_bytes()),
                library: Some(library.to_owned()),
                trouble: Some(trouble),
            },
        }
    }

    /// For statements and reports.
    pub(crate) fn info(&self, confinement: &[String]) -> EngineInfo {
        EngineInfo {
            name: self.name.to_owned(),
            version: self.version.clone(),
            config_digest: self.config_digest.clone(),
            confinement: confinement.to_vec(),
            hardware: None,
        }
    }

    /// Why the site's onnxruntime cannot be used, and what to do.
    pub(crate) fn trouble(&self) -> Option<String> {
        let (trouble, library) = (self.trouble.as_ref()?, self.library.as_ref()?);
        Some(format!(
            "onnxruntime cannot be used ({}): {trouble}. Give the path of a libonnxruntime.so that works, or none: then \
             {}, which is built in, runs ONNX models",
            library.display(),
            Self::built_in().name,
        ))
    }

    /// Refuses where the engine that the site asked for cannot be used.
    pub(crate) fn require(&self) -> Result<(), Refusal> {
        self.trouble()
            .map_or(Ok(()), |message| Err(Refusal { reason: FailureReason::EngineUnavailable, message }))
    }

    /// The site's library, if it is what runs.
    pub(crate) fn library(&self) -> Option<&PathBuf> {
        self.library.as_ref()
    }
}

/// The version that the library tells from within a confined worker.
fn probe(sandbox: &Sandbox, library: &Path) -> Result<String, String> {
    let order = Order::Onnx {
        confine: confined_to(OVERHEAD, 60),
        onnxruntime: Some(library.to_owned()),
        task: OnnxTask::Probe,
    };
    // The library and its environment are code and tables of the site's, not of a model.
    match sandbox.ask(&order, 2 * OVERHEAD, std::time::Duration::from_mins(1)) {
        Ok(Reply::Ready { engine, .. }) => Ok(engine),
        Ok(other) => Err(not_ready(&Ok(other)).to_string()),
        Err(refusal) => Err(refusal.message),
    }
}

fn confined_to(data_bytes: u64, wall_s: u64) -> Confine {
    Confine {
        parent: std::process::id(),
        slot: None,
        file_bytes: 0,
        data_bytes,
        cpu_s: Some(wall_s.max(1) * 4),
    }
}

impl Sandbox {
    /// Checks an ONNX artifact in a confined worker and keeps it, or finds it kept.
    pub(crate) fn prepare_onnx(&self, model: &Model) -> Result<Prepared, Refusal> {
        let started = Instant::now();
        verify_digest(&model.path, &model.sha256)?;
        self.onnx.require()?;
        let name = format!("{}-{}.onnx.tar", model.sha256, &self.onnx.config_digest[..16]);
        let kept = self.config.cache_dir.join(name);
        let cached = file_digest(&kept).is_ok_and(|digest| digest == model.sha256);
        if !cached {
            // The copy is what is checked and what is run, whatever becomes of the original.
            let draft = Draft::new(self);
            fs::copy(&model.path, draft.path()).map_err(|error| site_error(&error))?;
            verify_digest(draft.path(), &model.sha256)?;
            self.check_onnx(draft.path())?;
            fs::rename(draft.path(), &kept).map_err(|error| site_error(&error))?;
        }
        Ok(Prepared {
            batch: None,
            sha256: model.sha256.clone(),
            load_s: started.elapsed().as_secs_f64(),
            cached,
            dialect: Dialect::Fiel,
            program: Program::Onnx { archive: kept },
        })
    }

    fn check_onnx(&self, archive: &Path) -> Result<(), Refusal> {
        let limits = self.limits;
        let order = Order::Onnx {
            confine: confined_to(limits.memory_bytes, limits.wall.as_secs()),
            onnxruntime: self.onnx.library.clone(),
            task: OnnxTask::Check(archive.to_owned()),
        };
        match self.ask(&order, limits.memory_bytes, limits.wall)? {
            Reply::Loaded => Ok(()),
            Reply::Refused { reason, message } => Err(Refusal { reason, message }),
            Reply::Failed { message } => Err(site_error(&message)),
            Reply::Ready { .. } | Reply::Compiled { .. } | Reply::Unpacked | Reply::Done { .. } => {
                Err(site_error(&"an answer out of turn"))
            }
        }
    }
}
