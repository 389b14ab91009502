//! The sandbox against models that do what they should not.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod baselines;
mod bombs;
mod components;
mod containers;
mod floods;
mod images;
mod isolation;
mod metering;
mod nn;
mod onnx;
mod outcomes;
mod predictors;
mod preparing;
mod processes;
mod support;
