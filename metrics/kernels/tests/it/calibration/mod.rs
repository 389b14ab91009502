//! Tests of `calibration`.

#![expect(clippy::float_cmp, reason = "values are to be exact where no tolerance is given")]

mod golden_binary;
mod golden_classes;
mod laws;
mod literals;
mod loess;
