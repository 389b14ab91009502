//! Curves for reports, drawn from summaries: no case is needed.

use crate::fixed;
use crate::{ranking, stats};
use fiel_schemas::summary::Summary;
use serde::Serialize;

/// One point of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Mean probability of the bin's cases.
    pub mean_p: f64,
    /// Fraction of positive cases.
    pub observed: f64,
    /// Wilson's 95 % interval of that fraction.
    pub ci95: [f64; 2],
    /// Cases.
    pub n: u64,
}

/// The ROC curve as (false-positive rate, true-positive rate), from (0, 0) to (1, 1); empty for another kind
/// of summary or a single class.
///
/// Its points lie where the summary's cells begin; cells do not tell how the cases in them are ordered.
///
/// ```
/// use fiel_metrics::{Options, assess, curves};
/// use polars::prelude::df;
///
/// let table = df!(
///     "case_id" => ["a", "b", "c", "d"], "outcome" => ["ok"; 4],
///     "label" => [1, 0, 1, 0], "score" => [0.9, 0.6, 0.4, 0.1],
/// )?;
/// let site = assess("auc", &table, &Options::default())?;
/// let points = [[0.0, 0.0], [0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [1.0, 1.0]];
/// assert_eq!(curves::roc(&site.summary), points);
/// let other = assess("brier", &table, &Options::default())?;
/// assert!(curves::roc(&other.summary).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn roc(summary: &Summary) -> Vec<[f64; 2]> {
    let Summary::Scores(s) = summary else { return Vec::new() };
    let groups = ranking::cell_groups(&s.cells);
    let (pos, neg) = (s.pos as f64, s.neg as f64);
    if pos == 0.0 || neg == 0.0 {
        return Vec::new();
    }
    let (mut hits, mut wrong) = (0.0, 0.0);
    let mut points = vec![[0.0, 0.0]];
    for g in groups.iter().rev() {
        hits += g.pos as f64;
        wrong += g.neg as f64;
        points.push([wrong / neg, hits / pos]);
    }
    points
}

/// The bins of a reliability diagram that hold cases; empty for another kind of summary.
///
/// ```
/// use fiel_metrics::{Options, assess, curves};
/// use polars::prelude::df;
///
/// let table = df!(
///     "case_id" => ["a", "b", "c", "d", "e"], "outcome" => ["ok"; 5],
///     "label" => [0, 1, 1, 1, 0], "score" => [0.25, 0.25, 0.75, 0.75, 0.75],
/// )?;
/// // Two bins of equal width.
/// let site = assess("ece@2", &table, &Options::default())?;
/// let bins = curves::reliability(&site.summary);
/// let found: Vec<_> = bins.iter().map(|bin| (bin.observed, bin.n)).collect();
/// assert_eq!(found, [(0.5, 2), (2.0 / 3.0, 3)]);
/// // Bins of so few cases give their mean probability to the width of a cell only.
/// assert!((bins[0].mean_p - 0.25).abs() < 1e-3 && bins[0].ci95[0] < 0.5 && 0.5 < bins[0].ci95[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn reliability(summary: &Summary) -> Vec<ReliabilityBin> {
    let Summary::Calibration(c) = summary else { return Vec::new() };
    c.bins
        .iter()
        .filter(|b| b.n > 0)
        .filter_map(|b| {
            let mean_p = fixed::mean(fixed::parse(&b.sum_p).ok()?, b.n).clamp(0.0, 1.0);
            let observed = b.pos as f64 / b.n as f64;
            Some(ReliabilityBin { mean_p, observed, ci95: stats::wilson(b.pos, b.n), n: b.n })
        })
        .collect()
}
