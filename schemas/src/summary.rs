//! Mergeable metric state. The arithmetic lives in `fiel-metrics`; this is its serialised form.

use serde::{Deserialize, Serialize};

/// A metric's mergeable state. Merging is associative and commutative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Summary {
    /// Moments of a per-case value (Dice, Brier, volume error): sums are exact.
    Moments(Moments),
    /// Class-conditional score histogram on a fixed grid (AUC, average precision, sensitivity at specificity,
    /// calibration slope and intercept).
    Scores(Scores),
    /// Calibration bins (expected calibration error).
    Calibration(Calibration),
    /// Decisions at a threshold against labels (accuracy, F1, MCC, ...): counts are exact.
    Confusion(Confusion),
}

/// Decisions against labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// Positive cases called positive.
    pub tp: u64,
    /// Negative cases called positive.
    pub fp: u64,
    /// Positive cases called negative.
    pub r#fn: u64,
    /// Negative cases called negative.
    pub tn: u64,
    /// Cases of sites where too few were called positive, or negative, for the counts to be released.
    pub suppressed: u64,
}

/// Exact moments of a per-case value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    /// Cases with a defined value.
    pub n: u64,
    /// Cases whose value is undefined.
    pub undefined: u64,
    /// Sum in units of 2^-72, a decimal integer of up to 39 digits.
    pub sum: String,
    /// Sum of squares in the same units.
    pub sum_sq: String,
}

/// Class-conditional histogram on the fixed grid of 1,024 cells over the score's range [0, 1]; cells may be
/// unions of neighbouring grid cells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Positive cases.
    pub pos: u64,
    /// Negative cases.
    pub neg: u64,
    /// Twice the exact Mann-Whitney U summed over the parts that were merged.
    pub u2_within: u64,
    /// Twice the pairs that the parts' own cells rank with certainty in favour of the positive.
    pub u2_within_certain: u64,
    /// Pairs that the parts' own cells leave open.
    pub open_within: u64,
    /// Sets (sites) merged that had only one class.
    pub one_class: u64,
    /// Cells with at least one case, sorted by (first, last, tie).
    pub cells: Vec<ScoreCell>,
    /// The metric's exact value and interval while nothing has been merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactValue>,
}

/// A metric's exact value over the cases of one unmerged summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExactValue {
    /// The value, `null` where undefined.
    pub value: Option<f64>,
    /// 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
}

/// A cell of a score histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreCell {
    /// First grid cell, 0 to 1023.
    pub first: u16,
    /// Last grid cell, inclusive.
    pub last: u16,
    /// Positive cases.
    pub pos: u64,
    /// Negative cases.
    pub neg: u64,
    /// Equality token where all (at least ten) scores of the part in this cell are one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tie: Option<String>,
}

/// Equal-width calibration bins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The bins, lowest probabilities first.
    pub bins: Vec<CalibrationBin>,
    /// Cases in bins too small to be released.
    pub suppressed: u64,
    /// The metric's exact value and interval while nothing has been merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactValue>,
}

/// One calibration bin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationBin {
    /// Cases.
    pub n: u64,
    /// Positive cases.
    pub pos: u64,
    /// Sum of probabilities, in units of 2^-72, from grid-cell midpoints where the bin is small.
    pub sum_p: String,
    /// The true sum differs by at most this.
    pub slack: f64,
}
