#![doc = include_str!("../README.md")]

pub mod api;
pub mod assessment;
pub mod batch;
pub mod challenge;
pub mod digest;
pub mod dsse;
pub mod leaderboard;
pub mod oci;
pub mod onnx;
pub mod outcome;
pub mod reference;
pub mod reference_set;
pub mod run_order;
mod socket;
pub mod submission;
pub mod summary;
pub mod validate;
