//! ONNX models: an archive of a manifest and a model, run by tract or by the site's onnxruntime in a confined worker.
//!
//! ```text
//! node                         worker
//!   prepare ── Onnx(Check) ──▶   confined; unpacks, parses, checks, runs once over zeros
//!   run     ── Onnx(Run) ────▶   confined; the same load, then case after case: files -> tensors -> files
//! ```
//!
//! No byte of a model is looked at in the node.

mod answer;
mod archive;
mod backend;
mod graph;
mod lane;
mod model;
mod network;
mod ort;
mod plan;
mod prepare;
mod spent;
mod tract;
mod window;
mod work;

pub(crate) use backend::{Fact, Kind, Tensor, Values};
pub(crate) use lane::OnnxRunner;
pub(crate) use network::{Network, Trouble};
pub(crate) use ort::{Library, QUIET};
pub(crate) use prepare::OnnxEngine;
pub(crate) use spent::resident_peak;
pub(crate) use work::work;
