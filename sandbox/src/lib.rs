#![doc = include_str!("../README.md")]

mod batch;
mod cgroup;
mod child;
mod compile;
mod confine;
mod container;
mod engine;
mod files;
mod guest;
pub mod image;
mod log;
mod nn;
mod onnx;
mod output;
mod protocol;
mod run;
mod runner;
mod sandbox;
mod slot;
mod syscalls;
mod types;
mod values;
mod wasm;
mod worker;
mod workplace;
mod world;

pub use sandbox::Sandbox;
pub use types::{
    CaseInput, CaseResult, CompileLimits, ContainerConfig, DeviceReport, Dialect, EngineReport, Expected,
    Model, Prepared, Protection, Refusal, SandboxConfig, SandboxError, Usage, WorkerCommand,
};
pub use worker::worker_main;
