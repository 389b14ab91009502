//! The sandbox against models that do what they should not.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod containers;
mod images;
mod isolation;
mod onnx;
mod baselines;
mod bombs;
mod components;
mod floods;
mod isolation;
mod metering;
mod outcomes;
mod predictors;
mod preparing;
mod processes;
mod support;
