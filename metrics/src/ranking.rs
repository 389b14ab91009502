//! Metrics of the order of the scores: exact over groups of equal score, certified over merged cells.

use crate::error::MetricError;
use crate::scores::{Pairs, Reach};
use crate::stats::{self, Rng, Z};
use crate::table::Group;
use fiel_schemas::assessment::Estimate;
use fiel_schemas::summary::{ScoreCell, Scores};
use std::collections::BTreeMap;

/// Bootstrap replicates, fewer where there are very many groups.
const REPLICATES: usize = 1000;
const MOST_DRAWS: usize = 100_000_000;

/// A value with its interval and, for merged data, the most it can differ from the exact one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answer {
    pub(crate) value: Option<f64>,
    pub(crate) ci95: Option<[f64; 2]>,
    pub(crate) bound: f64,
}

impl Answer {
    /// The answer for this many cases (and sets of cases without a value).
    pub(crate) fn estimate(self, n: u64, undefined: u64) -> Estimate {
        let Self { value, ci95, bound } = self;
        Estimate { value, ci95, bound: Some(bound), n, undefined, pooling: None, quartiles: None }
    }
}

/// Area under the ROC curve; `None` for one class.
pub(crate) fn area(groups: &[Group]) -> Option<f64> {
    let (pos, neg) = totals(groups);
    let (mut below, mut u2) = (0u128, 0u128);
    for g in groups {
        u2 += u128::from(g.pos) * (2 * below + u128::from(g.neg));
        below += u128::from(g.neg);
    }
    let pairs = 2 * u128::from(pos) * u128::from(neg);
    (pairs > 0).then(|| u2 as f64 / pairs as f64)
}

/// Area under the ROC curve with DeLong's interval.
pub(crate) fn auc(groups: &[Group]) -> Answer {
    match area(groups) {
        None => Answer::default(),
        Some(value) => Answer { value: Some(value), ci95: wald(value, delong(groups), 0.0), bound: 0.0 },
    }
}

/// The pooled area: exact within each part, certain between separate cells, open only between cases of
/// different parts whose cells overlap.
pub(crate) fn auc_merged(s: &Scores) -> Result<Answer, MetricError> {
    let pairs = 2 * u128::from(s.pos) * u128::from(s.neg);
    if pairs == 0 {
        return Ok(Answer::default());
    }
    let pooled = Pairs::of(&s.cells)?;
    let across = |all: u128, within: u64| {
        all.checked_sub(u128::from(within)).ok_or_else(|| {
            MetricError::Malformed(
                "the pairs counted within the parts exceed all pairs of the cells".to_owned(),
            )
        })
    };
    let open = across(pooled.open, s.open_within)?;
    let u2 = u128::from(s.u2_within) + across(pooled.certain_u2, s.u2_within_certain)? + open;
    if u2 > pairs {
        return Err(MetricError::Malformed("the Mann-Whitney count exceeds the number of pairs".to_owned()));
    }
    // Each open pair adds 0 to 2 to twice the statistic: 1 is the middle.
    let (value, bound) = (u2 as f64 / pairs as f64, open as f64 / pairs as f64);
    Ok(Answer { value: Some(value), ci95: wald(value, delong(&cell_groups(&s.cells)), bound), bound })
}

/// DeLong's variance; `None` with fewer than two cases of a class.
fn delong(groups: &[Group]) -> Option<f64> {
    let (pos, neg) = totals(groups);
    if pos < 2 || neg < 2 {
        return None;
    }
    let (p, n) = (pos as f64, neg as f64);
    let components = |count: fn(&Group) -> u64, other: fn(&Group) -> u64, total: f64, size: f64| {
        let (mut below, mut sum) = (0.0, 0.0);
        let psi: Vec<(f64, f64)> = groups
            .iter()
            .map(|g| {
                let value = (below + 0.5 * other(g) as f64) / total;
                below += other(g) as f64;
                sum += value * count(g) as f64;
                (value, count(g) as f64)
            })
            .collect();
        let mean = sum / size;
        psi.iter().map(|(v, k)| k * (v - mean) * (v - mean)).sum::<f64>() / (size - 1.0) / size
    };
    // The negatives' components are one minus theirs: the variance is the same.
    Some(components(|g| g.pos, |g| g.neg, n, p) + components(|g| g.neg, |g| g.pos, p, n))
}

fn wald(value: f64, variance: Option<f64>, bound: f64) -> Option<[f64; 2]> {
    let half = Z * variance?.max(0.0).sqrt() + bound;
    Some([(value - half).max(0.0), (value + half).min(1.0)])
}

/// Average precision: the step sum, tied scores grouped; `None` without a positive.
pub(crate) fn precision(groups: &[Group]) -> Option<f64> {
    step_sum(counts(groups))
}

fn counts(groups: &[Group]) -> impl Iterator<Item = (f64, f64)> + Clone {
    groups.iter().rev().map(|g| (g.pos as f64, g.neg as f64))
}

/// [`precision`] with a bootstrap interval.
pub(crate) fn average_precision(groups: &[Group]) -> Answer {
    let Some(value) = precision(groups) else { return Answer::default() };
    Answer { value: Some(value), ci95: bootstrap(groups, value, 0.0, &step_sum_of), bound: 0.0 }
}

/// Groups from the highest score down.
fn step_sum(groups: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (mut hits, mut all, mut sum) = (0.0, 0.0, 0.0);
    for (pos, neg) in groups {
        hits += pos;
        all += pos + neg;
        if pos > 0.0 {
            sum += pos * hits / all;
        }
    }
    (hits > 0.0).then(|| (sum / hits).min(1.0))
}

fn step_sum_of(drawn: &[(f64, f64)]) -> Option<f64> {
    step_sum(drawn.iter().copied())
}

/// A metric of weighted positives and negatives by group, highest score first.
type Statistic<'a> = dyn Fn(&[(f64, f64)]) -> Option<f64> + 'a;

/// Percentile interval over Poisson resamples of groups, highest score first, widened by `bound`.
fn bootstrap(groups: &[Group], value: f64, bound: f64, statistic: &Statistic<'_>) -> Option<[f64; 2]> {
    let mut rng = Rng::new(0x000f_1e1a);
    let rounds = REPLICATES.min((MOST_DRAWS / groups.len().max(1)).max(100));
    let mut drawn = Vec::with_capacity(groups.len());
    let replicates = (0..rounds).filter_map(|_| {
        drawn.clear();
        drawn.extend(groups.iter().rev().map(|g| (rng.poisson(g.pos), rng.poisson(g.neg))));
        statistic(&drawn)
    });
    let [low, high] = stats::percentile_interval(replicates.collect(), value)?;
    Some([(low - bound).max(0.0), (high + bound).min(1.0)])
}

/// Certified average precision of merged cells: for each positive, how many cases rank at or above it at
/// least and at most.
pub(crate) fn average_precision_merged(s: &Scores) -> Answer {
    if s.pos == 0 {
        return Answer::default();
    }
    let cells = Located::all(&s.cells);
    let positives = Reach::new(cells.iter().map(|c| (c.first, c.last, c.pos)));
    let negatives = Reach::new(cells.iter().map(|c| (c.first, c.last, c.neg)));
    let (mut low, mut high) = (0.0, 0.0);
    for c in cells.iter().filter(|c| c.pos > 0) {
        let own = if c.tied { (c.pos, c.neg) } else { (0, 0) };
        let (sure_hits, sure_false) = (positives.above(c.last) + own.0, negatives.above(c.last) + own.1);
        let (most_hits, most_false) = (s.pos - positives.below(c.first), s.neg - negatives.below(c.first));
        high += c.pos as f64 * most_hits as f64 / (most_hits + sure_false) as f64;
        low += if c.tied {
            c.pos as f64 * sure_hits as f64 / (sure_hits + most_false) as f64
        } else {
            least_precision(sure_hits, c.pos, most_false)
        };
    }
    let (low, high) = (low / s.pos as f64, (high / s.pos as f64).min(1.0));
    // Rounding may leave equal sums a last bit apart.
    let (value, bound) = (0.5 * (low + high), 0.5 * (high - low).max(0.0));
    let ci95 = bootstrap(&cell_groups(&s.cells), value, bound, &step_sum_of);
    Answer { value: Some(value), ci95, bound }
}

/// Least sum of the precisions of `k` positives in one cell: the i-th from above has at least i, itself included.
fn least_precision(above: u64, k: u64, wrong: u64) -> f64 {
    if k <= 100_000 {
        return (1..=k).map(|i| (above + i) as f64 / (above + i + wrong) as f64).sum();
    }
    if wrong == 0 {
        return k as f64;
    }
    // The harmonic sum is at most its integral.
    let start = (above + wrong) as f64;
    (k as f64 - wrong as f64 * ((start + k as f64) / start).ln()).max(0.0)
}

/// Largest sensitivity at a specificity of at least this, with Wilson's interval at that threshold.
pub(crate) fn sensitivity(groups: &[Group], specificity: f64) -> Answer {
    let (pos, neg) = totals(groups);
    let (mut hits, mut wrong) = (0, 0);
    for g in groups.iter().rev() {
        wrong += g.neg;
        if !reaches(neg - wrong.min(neg), neg, specificity) {
            break;
        }
        hits += g.pos;
    }
    share(hits, pos, neg)
}

/// Largest specificity at a sensitivity of at least this, with Wilson's interval at that threshold.
pub(crate) fn specificity(groups: &[Group], sensitivity: f64) -> Answer {
    let (pos, neg) = totals(groups);
    // A negative is called so where the positives above it are enough.
    let (mut above, mut right) = (0, 0);
    for g in groups.iter().rev() {
        if reaches(above, pos, sensitivity) {
            right += g.neg;
        }
        above += g.pos;
    }
    share(right, neg, pos)
}

/// `part` of `whole` with Wilson's interval; undefined where this or the other class is empty.
fn share(part: u64, whole: u64, other: u64) -> Answer {
    if whole == 0 || other == 0 {
        return Answer::default();
    }
    let value = part as f64 / whole as f64;
    Answer { value: Some(value), ci95: Some(stats::wilson(part, whole)), bound: 0.0 }
}

/// Area under the ROC curve up to a false positive rate, standardised to 1/2 for chance (McClish); `None` for one class.
pub(crate) fn partial_area(groups: &[Group], most: f64) -> Option<f64> {
    partial_of(counts(groups), most)
}

/// [`partial_area`] with a bootstrap interval.
pub(crate) fn partial_auc(groups: &[Group], most: f64) -> Answer {
    let Some(value) = partial_area(groups, most) else { return Answer::default() };
    let ci95 = bootstrap(groups, value, 0.0, &|drawn| partial_of(drawn.iter().copied(), most));
    Answer { value: Some(value), ci95, bound: 0.0 }
}

/// The same over groups from the highest score down.
fn partial_of(groups: impl Iterator<Item = (f64, f64)> + Clone, most: f64) -> Option<f64> {
    let (pos, neg) = groups.clone().fold((0.0, 0.0), |(p, n), g| (p + g.0, n + g.1));
    if pos == 0.0 || neg == 0.0 {
        return None;
    }
    let (mut above, mut sum) = (0.0, 0.0);
    for (p, n) in groups {
        sum += p * kept_area(above / neg, n / neg, most);
        above += n;
    }
    Some(standardised(sum / pos, most))
}

/// Area up to the rate `most` under the curve of one positive, which rises from 0 to 1 between the rates `from` and
/// `from + ramp` (its tied negatives).
fn kept_area(from: f64, ramp: f64, most: f64) -> f64 {
    let inside = (most - from).clamp(0.0, ramp);
    let risen = if ramp > 0.0 { 0.5 * inside * inside / ramp } else { 0.0 };
    risen + (most - from - ramp).max(0.0)
}

fn standardised(area: f64, most: f64) -> f64 {
    if most >= 1.0 {
        return area;
    }
    let chance = 0.5 * most * most;
    0.5 * (1.0 + (area - chance) / (most - chance))
}

/// Certified partial area of merged cells: each positive has at least and at most so many negatives above it.
pub(crate) fn partial_auc_merged(s: &Scores, most: f64) -> Answer {
    if s.pos == 0 || s.neg == 0 {
        return Answer::default();
    }
    let cells = Located::all(&s.cells);
    let negatives = Reach::new(cells.iter().map(|c| (c.first, c.last, c.neg)));
    let (neg, mut low, mut high) = (s.neg as f64, 0.0, 0.0);
    for c in &cells {
        let own = if c.tied { c.neg } else { 0 };
        let (least, worst) = (negatives.above(c.last), s.neg - negatives.below(c.first) - own);
        let area = |above: u64| kept_area(above as f64 / neg, own as f64 / neg, most);
        high += c.pos as f64 * area(least);
        low += c.pos as f64 * area(worst);
    }
    let [low, high] = [low, high].map(|sum| standardised(sum / s.pos as f64, most));
    let (value, bound) = (0.5 * (low + high), 0.5 * (high - low).max(0.0));
    let ci95 = bootstrap(&cell_groups(&s.cells), value, bound, &|d| partial_of(d.iter().copied(), most));
    Answer { value: Some(value), ci95, bound }
}

/// Certified sensitivity of merged cells: a positive counts if few enough negatives score as high.
pub(crate) fn sensitivity_merged(s: &Scores, specificity: f64) -> Answer {
    if s.pos == 0 || s.neg == 0 {
        return Answer::default();
    }
    let cells = Located::all(&s.cells);
    let negatives = Reach::new(cells.iter().map(|c| (c.first, c.last, c.neg)));
    let (mut low, mut high) = (0, 0);
    for c in &cells {
        let least = negatives.above(c.last) + if c.tied { c.neg } else { 0 };
        let most = s.neg - negatives.below(c.first);
        low += if reaches(s.neg - most, s.neg, specificity) { c.pos } else { 0 };
        high += if reaches(s.neg - least, s.neg, specificity) { c.pos } else { 0 };
    }
    share_between(low, high, s.pos)
}

/// Certified specificity of merged cells: a negative is called so if enough positives score higher.
pub(crate) fn specificity_merged(s: &Scores, sensitivity: f64) -> Answer {
    if s.pos == 0 || s.neg == 0 {
        return Answer::default();
    }
    let cells = Located::all(&s.cells);
    let positives = Reach::new(cells.iter().map(|c| (c.first, c.last, c.pos)));
    let (mut low, mut high) = (0, 0);
    for c in &cells {
        let least = positives.above(c.last);
        let most = s.pos - positives.below(c.first) - if c.tied { c.pos } else { 0 };
        low += if reaches(least, s.pos, sensitivity) { c.neg } else { 0 };
        high += if reaches(most, s.pos, sensitivity) { c.neg } else { 0 };
    }
    share_between(low, high, s.neg)
}

/// A share of `whole` that lies between `low` and `high` of it.
fn share_between(low: u64, high: u64, whole: u64) -> Answer {
    let ci95 = [stats::wilson(low, whole)[0], stats::wilson(high, whole)[1]];
    let twice = 2.0 * whole as f64;
    Answer { value: Some((low + high) as f64 / twice), ci95: Some(ci95), bound: (high - low) as f64 / twice }
}

/// Whether `part` of `whole` is at least this share. The quotient is rounded as the number that was written is, so that
/// 19 of 20 is 0.95.
fn reaches(part: u64, whole: u64, least: f64) -> bool {
    part as f64 / whole as f64 >= least
}

fn totals(groups: &[Group]) -> (u64, u64) {
    groups.iter().fold((0, 0), |(p, n), g| (p + g.pos, n + g.neg))
}

/// Cells as if all cases with the same middle were tied, lowest first: for intervals and curves.
pub(crate) fn cell_groups(cells: &[ScoreCell]) -> Vec<Group> {
    let mut groups: BTreeMap<u16, Group> = BTreeMap::new();
    for c in cells {
        let g = groups.entry(c.first + c.last).or_insert(Group { pos: 0, neg: 0 });
        g.pos += c.pos;
        g.neg += c.neg;
    }
    groups.into_values().collect()
}

/// A cell after cells of one tied value have been brought together.
struct Located {
    first: u16,
    last: u16,
    pos: u64,
    neg: u64,
    tied: bool,
}

impl Located {
    /// The value behind a tie token lies in every cell that carries it.
    fn all(cells: &[ScoreCell]) -> Vec<Self> {
        let mut ties: BTreeMap<&str, Self> = BTreeMap::new();
        let mut out = Vec::new();
        for c in cells {
            let found = Self { first: c.first, last: c.last, pos: c.pos, neg: c.neg, tied: c.tie.is_some() };
            match &c.tie {
                None => out.push(found),
                Some(token) => {
                    let known = ties.entry(token).or_insert(Self { pos: 0, neg: 0, ..found });
                    known.first = known.first.max(c.first);
                    known.last = known.last.min(c.last);
                    known.pos += c.pos;
                    known.neg += c.neg;
                }
            }
        }
        out.extend(ties.into_values());
        out
    }
}
