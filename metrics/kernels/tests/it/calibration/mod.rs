//! Tests of `calibration`.

mod golden_binary;
mod golden_classes;
mod laws;
mod literals;
mod loess;
