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
