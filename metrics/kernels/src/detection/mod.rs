//! Findings with confidences against reference findings: FROC, average precision, PI-CAI.
//!
//! A candidate is a finding of the evaluated system with a confidence (higher: more suspicious); a reference is what is
//! to be found. [`Hits`] says which candidate hits which reference and [`Hits::matched`] pairs them; the curves and
//! scores are computed from the pairs.

mod froc;
mod geometry;
mod luna;
mod matching;
mod picai;
mod precision;
mod random;

pub use crate::assignment;
pub use froc::{CurveEnd, Froc, FrocIntervals, FrocPoint, Rates, Resampling, ScanOutcome};
pub use geometry::{AxisBox, HitCriterion};
pub use luna::{LunaScan, Mark, Nodule, luna16_scan};
pub use matching::{Hits, Matching};
pub use picai::{PICAI_MINIMUM_OVERLAP, PicaiCase, PicaiScore, picai_score};
pub use precision::{
    CocoSummary, ImageObjects, PrecisionSettings, PrecisionTable, ReferenceObject, coco_summary,
};
