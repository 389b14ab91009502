#![doc = include_str!("../README.md")]

mod cgroup;
mod child;
mod compile;
mod confine;
mod engine;
mod log;
mod protocol;
mod run;
mod sandbox;
mod slot;
mod syscalls;
mod types;
mod worker;
mod workplace;

pub use sandbox::Sandbox;
pub use types::{
    CaseInput, CaseResult, CompileLimits, Prepared, Refusal, SandboxConfig, SandboxError, WorkerCommand,
};
pub use worker::worker_main;
