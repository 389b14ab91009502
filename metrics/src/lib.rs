#![doc = include_str!("../README.md")]

pub mod curves;
pub mod error;
pub mod rank;
pub mod registry;
pub mod score;
pub mod segmentation;
pub mod table;
mod table_file;
pub mod technical;

mod agreement;
mod assess;
mod calibration;
mod cells;
mod confusion;
mod equal_mass;
mod fixed;
mod grid;
mod logistic;
mod moments;
mod per_site;
mod ranking;
mod replicates;
mod scores;
mod sketch;
mod stats;
mod wide;

pub use assess::{Options, assess, estimate, merge};
pub use error::{MetricError, ScoreError};
pub use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
pub use fiel_kernels::{ImageError, image};
pub use replicates::{Draws, REPLICATES_MAX, merge_replicates, replicate_values, replicates};

/// Version of this crate, recorded with every assessment.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
