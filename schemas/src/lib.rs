//! The documents that cross a boundary: JSON Schema files, the types that mirror them, one `validate`.

pub mod api;
pub mod assessment;
pub mod challenge;
pub mod digest;
pub mod dsse;
pub mod leaderboard;
pub mod outcome;
pub mod reference_set;
pub mod run_order;
pub mod submission;
pub mod summary;
pub mod validate;
