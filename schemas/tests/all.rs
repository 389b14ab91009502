//! What the published documents accept and refuse, and what a signature is worth.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "all/agreement.rs"]
mod agreement;
#[path = "all/batch.rs"]
mod batch;
#[path = "all/envelopes.rs"]
mod envelopes;
#[path = "all/onnx.rs"]
mod onnx;
#[path = "all/refusals.rs"]
mod refusals;
#[path = "all/samples.rs"]
mod samples;
