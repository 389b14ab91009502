#![doc = include_str!("../README.md")]

mod cgroup;
mod child;
mod compile;
mod confine;
mod engine;
mod log;
mod protocol;
mod report;
mod run;
mod runner;
mod sandbox;
mod slot;
mod syscalls;
mod types;
mod wasm;
mod worker;
mod workplace;

pub use report::{EngineReport, Protection};
pub use sandbox::Sandbox;
pub use types::{
    CaseInput, CaseResult, CompileLimits, Dialect, Expected, Model, Prepared, Refusal, SandboxConfig,
    SandboxError, Usage, WorkerCommand,
};
pub use worker::worker_main;
