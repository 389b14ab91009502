//! fiel-sandbox

mod sandbox;
mod types;

pub use sandbox::Sandbox;
pub use types::{
    CaseInput, CaseResult, Prepared, Refusal, SandboxConfig, SandboxError, WorkerCommand,
};

/// Entry point of a worker process.
pub fn worker_main() -> std::process::ExitCode {
    std::process::ExitCode::from(2)
}
