//! The sandbox as the node uses it.

use std::path::Path;

use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::EngineInfo;
use fiel_schemas::challenge::Limits;

use crate::types::{CaseInput, CaseResult, Prepared, Refusal, SandboxConfig, SandboxError};

/// Runs untrusted modules, each case in a fresh instance inside a confined worker process.
#[derive(Debug)]
pub struct Sandbox {
    config: SandboxConfig,
}

impl Sandbox {
    /// Opens a sandbox, makes its folders and tries a worker.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        Ok(Self { config })
    }

    /// Engine, version and confinements in force.
    pub fn info(&self) -> EngineInfo {
        EngineInfo {
            name: "wasmtime".into(),
            version: String::new(),
            config_digest: String::new(),
            confinement: Vec::new(),
        }
    }

    /// Checks and compiles a module, or finds it in the cache.
    pub fn prepare(&self, module: &Path, _sha256: &str) -> Result<Prepared, Refusal> {
        Err(Refusal {
            reason: FailureReason::SiteError,
            message: format!("{}: no engine for {} workers", module.display(), self.config.parallel),
        })
    }

    /// Runs the cases, in parallel, each in a fresh instance; calls `on_result` once for every case.
    pub fn run_cases(
        &self,
        _prepared: &Prepared,
        _limits: &Limits,
        _cases: impl Iterator<Item = CaseInput> + Send,
        _expected_outputs: &[String],
        _on_result: &(dyn Fn(CaseResult) + Sync),
    ) -> Result<(), SandboxError> {
        Err(SandboxError::Worker("no engine".into()))
    }
}
