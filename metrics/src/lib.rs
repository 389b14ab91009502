#![doc = include_str!("../README.md")]

pub mod curves;
pub mod error;
pub mod rank;
pub mod registry;
pub mod score;
pub mod segmentation;
pub mod table;
pub mod technical;

mod assess;
mod calibration;
mod confusion;
mod fixed;
mod grid;
mod logistic;
mod moments;
mod ranking;
mod scores;
mod stats;

pub use assess::{Options, assess, estimate, is_pooled, merge};
pub use error::{MetricError, ScoreError};
pub use fiel_kernels::{ImageError, image};

/// Version of this crate, recorded with every assessment.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
