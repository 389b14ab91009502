//! Expected and maximum calibration error over equal bins, released so that no single score can be computed back.

use crate::error::MetricError;
use crate::fixed::{self, ONE, count};
use crate::grid;
use crate::ranking::Answer;
use crate::registry::MetricId;
use crate::stats::{self, Rng};
use crate::table::Cases;
use fiel_schemas::summary::{Calibration, CalibrationBin};

/// Bins where the id gives no number.
const BINS: f64 = 15.0;
/// A sum of probabilities is released exactly only over at least this many cases.
const EXACT: u64 = 10;
const REPLICATES: usize = 1000;

/// Number of bins that an id such as `ece@15` asks for.
fn number_of_bins(metric: &MetricId) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 1000")]
    let bins = metric.parameter.unwrap_or(BINS) as usize;
    bins.max(1)
}

/// The bin of a probability, edges i * (1/bins): closed on the left, the last bin on both sides; or closed on the right,
/// the first bin on both sides.
fn bin(p: f64, bins: usize, right_closed: bool) -> usize {
    let step = 1.0 / bins as f64;
    let beyond = |edge: usize| if right_closed { p > edge as f64 * step } else { p >= edge as f64 * step };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "p lies in [0, 1]")]
    let mut bin = ((p * bins as f64) as usize).min(bins - 1);
    while bin > 0 && !beyond(bin) {
        bin -= 1;
    }
    while bin + 1 < bins && beyond(bin + 1) {
        bin += 1;
    }
    bin
}

/// One bin with both its exact sum and the sum of grid-cell middles.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    n: u64,
    pos: u64,
    sum: i128,
    middles: i128,
    slack: f64,
}

fn bins(metric: &MetricId, cases: &Cases) -> Result<Vec<Bin>, MetricError> {
    let (number, right_closed) = (number_of_bins(metric), metric.is("right_closed"));
    let mut bins = vec![Bin::default(); number];
    for (&p, &y) in cases.score.iter().zip(&cases.label) {
        let b = &mut bins[bin(p, number, right_closed)];
        let cell = grid::cell(p);
        let [low, high] = grid::probabilities(cell, cell);
        b.n += 1;
        b.pos += u64::from(y);
        b.sum = fixed::add(b.sum, fixed::from_f64(p, "a score")?, "the sum of scores")?;
        b.middles =
            fixed::add(b.middles, fixed::from_f64(0.5 * (low + high), "a score")?, "the sum of scores")?;
        // A score on an edge may fall to either side by rounding.
        b.slack += 0.5 * (high - low) + 1e-12;
    }
    Ok(bins)
}

/// The bins of one set of cases, without the metric's exact value.
///
/// A bin below `min_cell` is suppressed. A bin below ten (or `min_cell`) gives the middles of grid cells for
/// its scores. Where such bins hold fewer than that many cases together, the smallest other bins do the same:
/// otherwise the exact metric minus the exact bins would give a lone score away.
pub(crate) fn build(metric: &MetricId, cases: &Cases, min_cell: u64) -> Result<Calibration, MetricError> {
    let bins = bins(metric, cases)?;
    let enough = EXACT.max(min_cell);
    let mut exact: Vec<bool> = bins.iter().map(|b| b.n >= enough).collect();
    let mut hidden: u64 = bins.iter().filter(|b| b.n < enough).map(|b| b.n).sum();
    while hidden > 0 && hidden < enough {
        let smallest = (0..bins.len()).filter(|&i| exact[i]).min_by_key(|&i| bins[i].n);
        let Some(smallest) = smallest else { break };
        exact[smallest] = false;
        hidden += bins[smallest].n;
    }
    let mut out = Calibration::default();
    for (b, exact) in bins.iter().zip(exact) {
        let suppressed = b.n < min_cell;
        out.suppressed += if suppressed { b.n } else { 0 };
        out.bins.push(match (suppressed || b.n == 0, exact) {
            (true, _) => CalibrationBin { sum_p: "0".to_owned(), ..CalibrationBin::default() },
            (false, true) => CalibrationBin { n: b.n, pos: b.pos, sum_p: b.sum.to_string(), slack: 0.0 },
            (false, false) => {
                CalibrationBin { n: b.n, pos: b.pos, sum_p: b.middles.to_string(), slack: round_up(b.slack) }
            }
        });
    }
    Ok(out)
}

/// The bins of cases as (cases, positives, sum of scores).
fn exact_bins(metric: &MetricId, cases: &Cases) -> Result<Vec<(u64, u64, i128)>, MetricError> {
    Ok(bins(metric, cases)?.iter().map(|b| (b.n, b.pos, b.sum)).collect())
}

/// The exact error over the cases themselves, with a bootstrap interval.
pub(crate) fn exact(metric: &MetricId, cases: &Cases) -> Result<Answer, MetricError> {
    answer(error_of(metric), &exact_bins(metric, cases)?, cases.score.len() as u64, 0.0)
}

/// The exact error over the cases themselves; `None` for none.
pub(crate) fn value(metric: &MetricId, cases: &Cases) -> Result<Option<f64>, MetricError> {
    let n = cases.score.len() as u64;
    if n == 0 {
        return Ok(None);
    }
    error_value(error_of(metric), &exact_bins(metric, cases)?, n).map(Some)
}

/// Adds two sets of bins.
pub(crate) fn merge(a: &Calibration, b: &Calibration) -> Result<Calibration, MetricError> {
    if a.bins.len() != b.bins.len() {
        let (a, b) = (a.bins.len(), b.bins.len());
        return Err(MetricError::Malformed(format!("{a} and {b} calibration bins do not merge")));
    }
    let add = |(a, b): (&CalibrationBin, &CalibrationBin)| {
        let sum = fixed::add(fixed::parse(&a.sum_p)?, fixed::parse(&b.sum_p)?, "the sum of scores")?;
        Ok(CalibrationBin {
            n: count(a.n, b.n)?,
            pos: count(a.pos, b.pos)?,
            sum_p: sum.to_string(),
            slack: round_up(a.slack) + round_up(b.slack),
        })
    };
    let bins = a.bins.iter().zip(&b.bins).map(add).collect::<Result<_, MetricError>>()?;
    Ok(Calibration { bins, suppressed: count(a.suppressed, b.suppressed)?, exact: None })
}

/// Slack in steps of 2^-40, so that its sums do not depend on their order.
fn round_up(slack: f64) -> f64 {
    let unit = 2f64.powi(40);
    (slack * unit).ceil() / unit
}

/// The error over merged bins, with the most that hidden scores can change it.
pub(crate) fn merged(metric: &MetricId, c: &Calibration) -> Result<Answer, MetricError> {
    let number = number_of_bins(metric);
    if c.bins.len() != number {
        return Err(MetricError::Malformed(format!("{} calibration bins, not {number}", c.bins.len())));
    }
    let error = error_of(metric);
    let mut bins = Vec::with_capacity(number);
    let (mut n, mut slack, mut worst) = (c.suppressed, 0.0, 0f64);
    for b in &c.bins {
        let sum = fixed::parse(&b.sum_p)?;
        let most = i128::from(b.n).checked_mul(ONE).ok_or(MetricError::Overflow("a number of cases"))?;
        if b.pos > b.n || sum < 0 || sum > most || !b.slack.is_finite() || b.slack < 0.0 {
            return Err(MetricError::Malformed("a calibration bin's sums do not fit its cases".to_owned()));
        }
        n = count(n, b.n)?;
        slack += b.slack;
        // Suppressed cases could all lie in one bin.
        let hidden = c.suppressed as f64;
        worst = worst.max((b.slack + hidden) / (b.n as f64 + hidden).max(1.0));
        bins.push((b.n, b.pos, sum));
    }
    let bound = match error {
        _ if n == 0 => 0.0,
        Error::Expected => ((slack + c.suppressed as f64) / n as f64).min(1.0),
        // A bin with suppressed cases only may hold any error.
        Error::Maximum if c.suppressed > 0 && bins.iter().any(|b| b.0 == 0) => 1.0,
        Error::Maximum => worst.min(1.0),
    };
    answer(error, &bins, n, bound)
}

/// How the errors of bins become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Error {
    /// Their mean, weighted by cases.
    Expected,
    /// The largest.
    Maximum,
}

fn error_of(metric: &MetricId) -> Error {
    if metric.spec.id == "mce" { Error::Maximum } else { Error::Expected }
}

fn answer(error: Error, bins: &[(u64, u64, i128)], n: u64, bound: f64) -> Result<Answer, MetricError> {
    if n == 0 {
        return Ok(Answer::default());
    }
    let value = error_value(error, bins, n)?;
    // Of one case there is nothing to draw from.
    if n < 2 {
        return Ok(Answer { value: Some(value), ci95: None, bound });
    }
    let mut rng = Rng::new(0x000f_1e1b);
    let replicates = (0..REPLICATES).filter_map(|_| replicate(error, bins, &mut rng)).collect();
    let ci95 = stats::percentile_interval(replicates, value)
        .map(|[low, high]| [(low - bound).max(0.0), (high + bound).min(1.0)]);
    Ok(Answer { value: Some(value), ci95, bound })
}

fn error_value(error: Error, bins: &[(u64, u64, i128)], n: u64) -> Result<f64, MetricError> {
    let (mut total, mut largest) = (0i128, 0f64);
    for &(size, pos, sum) in bins {
        let hits = i128::from(pos).checked_mul(ONE).ok_or(MetricError::Overflow("a number of cases"))?;
        total = fixed::add(total, (sum - hits).abs(), "the calibration error")?;
        largest = largest.max(fixed::mean((sum - hits).abs(), size.max(1)));
    }
    Ok(match error {
        Error::Expected => fixed::mean(total, n).min(1.0),
        Error::Maximum => largest.min(1.0),
    })
}

/// The error of one bootstrap sample, each bin keeping its mean score.
fn replicate(error: Error, bins: &[(u64, u64, i128)], rng: &mut Rng) -> Option<f64> {
    let (mut n, mut total, mut largest) = (0.0, 0.0, 0f64);
    for &(size, pos, sum) in bins.iter().filter(|b| b.0 > 0) {
        let (hits, misses) = (rng.poisson(pos), rng.poisson(size - pos));
        let drawn = hits + misses;
        let distance = (fixed::mean(sum, size) * drawn - hits).abs();
        n += drawn;
        total += distance;
        largest = largest.max(distance / drawn.max(1.0));
    }
    (n > 0.0).then_some(match error {
        Error::Expected => total / n,
        Error::Maximum => largest,
    })
}
