//! Matching of lesions and other instances: panoptic quality, lesion-wise scores.
//!
//! Two sets of components (or instance maps) are laid over each other run by run into an overlap table, a matching
//! rule pairs instances, and the scores follow from the pairs:
//!
//! ```
//! use fiel_kernels::components::{Components, Connectivity};
//! use fiel_kernels::instances::{MatchRule, Overlaps};
//! let reference = Components::of_mask(&[1, 1, 0, 0, 1, 1, 0], [1, 1, 7], Connectivity::Corners)?;
//! let prediction = Components::of_mask(&[1, 1, 0, 0, 0, 1, 1], [1, 1, 7], Connectivity::Corners)?;
//! let overlaps = Overlaps::between(&reference, &prediction)?;
//! let matching = overlaps.matched(MatchRule::greedy_iou(0.5)?);
//! assert_eq!((matching.tp(), matching.fp(), matching.fn_()), (1, 1, 1));
//! assert_eq!(matching.pq()?, 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assignment;
mod brats;
mod lesions;
mod masks;
mod matching;
mod overlaps;
mod panoptic;

pub use assignment::{Assigned, assign_best};
pub use brats::{BratsLesion, BratsLesions, BratsRule};
pub use lesions::{centroid_distance_mm, false_negative_volume_ml, false_positive_volume_ml};
pub use masks::MaskPair;
pub use matching::{IouThreshold, MatchRule, Matched, Matching};
pub use overlaps::{Overlap, Overlaps};
