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
    /// Sums over pairs of numbers (coefficient of determination, concordance, intraclass correlation): exact.
    Agreement(Agreement),
    /// Each site's own estimate and variance, for metrics that no sums of cases give (Harrell's C, ICI, FROC, ...).
    /// They are pooled by random effects, which is another quantity than the metric over all cases.
    PerSite(PerSite),
}

/// Exact sums over pairs of a predicted and a reference number, in units of 2^-72.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Cases.
    pub n: u64,
    /// Cases without a prediction.
    pub undefined: u64,
    /// Sum of the predictions.
    pub sum_p: String,
    /// Sum of the references.
    pub sum_r: String,
    /// Sum of the squared predictions.
    pub sum_pp: String,
    /// Sum of the squared references.
    pub sum_rr: String,
    /// Sum of the products.
    pub sum_pr: String,
}

/// The sites' own values of a metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerSite {
    /// Sites that have a value, sorted by value, variance and cases.
    pub sites: Vec<SiteEstimate>,
    /// Sites that have none.
    pub undefined: u64,
    /// Cases of the sites that have none.
    pub undefined_cases: u64,
}

/// A metric's value over the cases of one site.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEstimate {
    /// The value.
    pub value: f64,
    /// Its variance over resamples of the site's cases; `null` where too few resamples have a value, and then the
    /// site cannot be weighed against others.
    pub variance: Option<f64>,
    /// Cases.
    pub n: u64,
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
    /// Sketch of the distribution, for quantiles; empty where none is released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<ValueCell>,
}

/// A cell of the sketch of a distribution: a run of cells of a fixed grid on which a value's cell is its sign,
/// exponent and seven leading binary digits. A cell of the grid is at most 1/128 of its values wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueCell {
    /// First cell of the grid, -262144 to 262143.
    pub first: i32,
    /// Last cell of the grid, inclusive.
    pub last: i32,
    /// Cases.
    pub n: u64,
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

/// Bootstrap replicates of a metric, paired over submissions: the site draws how often each case counts in each
/// replicate from a secret of its own, the same for every submission.
///
/// The b-th pair of a site's replicates says, for metrics that are means over cases, the weighted sum of their values
/// and the sum of the weights; for other metrics, by how much the metric of the resampled cases differs from that of
/// the cases, times the number of cases, and that number. Pairs add up over sites.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replicates {
    /// Sums in units of 2^-13 (about 1e-4), rounded.
    pub sums: Vec<i64>,
    /// Weights; 0 where the resampled cases have no value.
    pub weights: Vec<u64>,
}
