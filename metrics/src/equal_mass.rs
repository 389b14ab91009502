//! Calibration errors over bins of equally many sorted scores: exact over cases, certified over score histograms.
//!
//! The edges of such bins depend on all scores together. Over merged histograms, each bin's sum of scores is bounded by
//! that of the lower and of the upper ends of the cells at its ranks, and its positives by those whose rank must, and
//! those whose rank may, lie in it.

use crate::error::MetricError;
use crate::grid;
use crate::ranking::Answer;
use crate::registry::MetricId;
use crate::scores::Reach;
use crate::stats::{self, Rng};
use crate::table::Cases;
use fiel_kernels::calibration::{Forecasts, Grouping, TieRule};
use fiel_schemas::summary::Scores;
use std::ops::Range;

const REPLICATES: usize = 1000;
/// Draws of a bootstrap over all its replicates.
const MOST_DRAWS: usize = 50_000_000;

fn number_of_bins(metric: &MetricId) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 1000")]
    let bins = metric.parameter.unwrap_or(15.0) as usize;
    bins.max(1)
}

fn is_maximum(metric: &MetricId) -> bool {
    metric.spec.id == "mce"
}

/// The error over the cases; `None` for none.
pub(crate) fn value(metric: &MetricId, cases: &Cases) -> Result<Option<f64>, MetricError> {
    if cases.score.is_empty() {
        return Ok(None);
    }
    let grouping = Grouping::EqualMass { bins: number_of_bins(metric), ties: TieRule::Straddle };
    let bins = Forecasts::new(&cases.score, &cases.label)?.bins(grouping)?;
    Ok(Some(if is_maximum(metric) { bins.mce() } else { bins.ece() }))
}

/// The error over the cases with a bootstrap interval.
pub(crate) fn exact(metric: &MetricId, cases: &Cases) -> Result<Answer, MetricError> {
    let Some(value) = value(metric, cases)? else { return Ok(Answer::default()) };
    let mut sorted: Vec<Group> = cases
        .score
        .iter()
        .zip(&cases.label)
        .map(|(&p, &y)| Group { p, pos: u64::from(y), neg: u64::from(!y) })
        .collect();
    sorted.sort_by(|a, b| a.p.total_cmp(&b.p));
    Ok(Answer { value: Some(value), ci95: bootstrap(metric, &sorted, value, 0.0), bound: 0.0 })
}

/// The ranks of each bin: sizes differ by at most one, the larger bins first.
fn bins(n: u64, number: usize) -> impl Iterator<Item = Range<u64>> {
    let (size, larger) = (n / number as u64, n % number as u64);
    (0..number as u64).map(move |b| {
        let start = b * size + b.min(larger);
        start..start + size + u64::from(b < larger)
    })
}

/// The error over merged cells with the most it can differ from that over the cases.
pub(crate) fn merged(metric: &MetricId, s: &Scores) -> Result<Answer, MetricError> {
    let n = crate::fixed::count(s.pos, s.neg)?;
    if n == 0 {
        return Ok(Answer::default());
    }
    let ends = |end: usize| {
        let cells = s.cells.iter().map(|c| (grid::probabilities(c.first, c.last)[end], c.pos + c.neg));
        Ranked::new(cells.collect())
    };
    let (lower, upper) = (ends(0), ends(1));
    let reach = Reach::new(s.cells.iter().map(|c| (c.first, c.last, c.pos + c.neg)));
    let (mut total, mut slack, mut largest, mut worst) = (0.0, 0.0, 0f64, 0f64);
    for ranks in bins(n, number_of_bins(metric)).filter(|r| !r.is_empty()) {
        let (least, most) = (lower.sum(&ranks), upper.sum(&ranks));
        let (mut must, mut may) = (0, 0);
        for c in s.cells.iter().filter(|c| c.pos > 0) {
            let (first, last) = (reach.below(c.first), n - 1 - reach.above(c.last));
            must += if ranks.start <= first && last < ranks.end { c.pos } else { 0 };
            may += if ranks.start <= last && first < ranks.end { c.pos } else { 0 };
        }
        let size = ranks.end - ranks.start;
        let may = may.min(size);
        let error = (0.5 * (least + most) - 0.5 * (must + may) as f64).abs();
        let half = 0.5 * (most - least) + 0.5 * (may - must.min(may)) as f64;
        total += error;
        slack += half;
        largest = largest.max(error / size as f64);
        worst = worst.max(half / size as f64);
    }
    let (value, bound) = if is_maximum(metric) {
        (largest.min(1.0), worst.min(1.0))
    } else {
        ((total / n as f64).min(1.0), (slack / n as f64).min(1.0))
    };
    let bound = bound + ROUNDING;
    Ok(Answer { value: Some(value), ci95: bootstrap(metric, &groups(s), value, bound), bound })
}

/// Cells' ends are logits turned into probabilities: a score on an edge may lie beyond it by this.
const ROUNDING: f64 = 1e-12;

/// Values with how many cases have each, sorted, and the sums up to each.
struct Ranked {
    values: Vec<(f64, u64)>,
}

impl Ranked {
    fn new(mut values: Vec<(f64, u64)>) -> Self {
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { values }
    }

    /// Sum of the values at these ranks.
    fn sum(&self, ranks: &Range<u64>) -> f64 {
        let (mut sum, mut rank) = (0.0, 0);
        for &(value, n) in &self.values {
            let (start, end) = (rank.max(ranks.start), (rank + n).min(ranks.end));
            if start < end {
                sum += value * (end - start) as f64;
            }
            rank += n;
        }
        sum
    }
}

/// Cases that are taken to share one score.
#[derive(Debug, Clone, Copy)]
struct Group {
    p: f64,
    pos: u64,
    neg: u64,
}

/// Every cell's cases at its middle, for intervals only.
fn groups(s: &Scores) -> Vec<Group> {
    let group = |c: &fiel_schemas::summary::ScoreCell| {
        let [low, high] = grid::probabilities(c.first, c.last);
        Group { p: 0.5 * (low + high), pos: c.pos, neg: c.neg }
    };
    let mut groups: Vec<Group> = s.cells.iter().map(group).collect();
    groups.sort_by(|a, b| a.p.total_cmp(&b.p));
    groups
}

fn bootstrap(metric: &MetricId, groups: &[Group], value: f64, bound: f64) -> Option<[f64; 2]> {
    // Of one case there is nothing to draw from.
    if groups.iter().map(|g| g.pos + g.neg).sum::<u64>() < 2 {
        return None;
    }
    let mut rng = Rng::new(0x000f_1e1c);
    let rounds = REPLICATES.min((MOST_DRAWS / groups.len().max(1)).max(100));
    let mut drawn = Vec::with_capacity(groups.len());
    let replicates = (0..rounds).filter_map(|_| {
        drawn.clear();
        drawn.extend(groups.iter().map(|g| (g.p, rng.poisson(g.pos), rng.poisson(g.neg))));
        error_of_groups(metric, &drawn)
    });
    let [low, high] = stats::percentile_interval(replicates.collect(), value)?;
    Some([(low - bound).max(0.0), (high + bound).min(1.0)])
}

/// The error where a group that a cut divides is divided in proportion.
fn error_of_groups(metric: &MetricId, groups: &[(f64, f64, f64)]) -> Option<f64> {
    let n: f64 = groups.iter().map(|g| g.1 + g.2).sum();
    if n <= 0.0 {
        return None;
    }
    let number = number_of_bins(metric);
    let size = n / number as f64;
    let (mut total, mut largest) = (0.0, 0f64);
    let (mut excess, mut filled) = (0.0, 0.0);
    let mut close = |excess: &mut f64, filled: &mut f64| {
        total += excess.abs();
        largest = largest.max(excess.abs() / filled.max(f64::MIN_POSITIVE));
        (*excess, *filled) = (0.0, 0.0);
    };
    for &(p, pos, neg) in groups {
        let all = pos + neg;
        let mut left = all;
        while left > 0.0 {
            let part = left.min(size - filled);
            excess += part * (p - pos / all);
            filled += part;
            left -= part;
            if filled >= size * (1.0 - 1e-12) {
                close(&mut excess, &mut filled);
            }
            if part <= 0.0 {
                break;
            }
        }
    }
    if filled > 1e-9 * size {
        close(&mut excess, &mut filled);
    }
    Some(if is_maximum(metric) { largest } else { total / n })
}
