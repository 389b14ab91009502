//! Brier score, log loss and equal-width bins in one pass, vectorised.

use super::bins::{Bin, BinEdges, Bins, checked_bin_count, empty_bins, fill};
use super::forecasts::{Forecasts, check_lengths, refuse, surprise};
use super::sums::{Sum, sum};
use crate::InputError;
use crate::vectorized::vectorized;
use rayon::prelude::*;

/// Cases that are summed together. The cut depends on nothing but the position, so that results do not depend on
/// the number of threads; 2,048 additions per lane keep plain sums good to 2e-13 in the worst case.
const BLOCK: usize = 16_384;
/// Cases whose bins are found before they are counted: their places stay in the first cache.
const STRIP: usize = 256;
/// Cases that a vector holds.
const LANES: usize = 8;
/// Bins that the fast pass has room for.
const FAST_BINS: usize = 16;
/// A cell for every bin, label and lane: neighbours never wait for each other's sum.
const CELLS: usize = FAST_BINS * 2 * LANES;
/// Below this mean log loss, products of probabilities lose too many of its digits.
const SMALL_LOSS: f64 = 1e-3;

/// Sums over one block.
struct Part {
    valid: bool,
    squares: f64,
    log: f64,
    /// Count and sum of probabilities of each bin, negatives then positives.
    cells: [[f64; 2]; FAST_BINS * 2],
}

/// Brier score, log loss and equal-width bins of one set of forecasts.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastSummary {
    bins: Bins,
    brier: f64,
    log_loss: f64,
}

impl ForecastSummary {
    /// Checks the forecasts and measures them in the same pass; cost grows with the number of cases.
    ///
    /// Equal to [`Forecasts::new`] followed by [`Forecasts::bins`], [`Forecasts::brier`] and [`Forecasts::log_loss`];
    /// the result does not depend on the number of threads. The fast pass serves up to 15 bins with
    /// [`BinEdges::LeftClosed`] or [`BinEdges::RightClosed`].
    ///
    /// # Errors
    /// What [`Forecasts::new`] refuses, and a number of bins outside 1 to 1,024.
    ///
    /// ```
    /// use fiel_kernels::calibration::{BinEdges, ForecastSummary};
    ///
    /// let summary = ForecastSummary::of(&[0.25, 0.75], &[false, true], 15, BinEdges::LeftClosed)?;
    /// assert_eq!(summary.brier(), 0.0625);
    /// assert_eq!(summary.bins().ece(), 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of(
        probabilities: &[f64],
        labels: &[bool],
        bins: usize,
        edges: BinEdges,
    ) -> Result<Self, InputError> {
        checked_bin_count(bins)?;
        check_lengths(probabilities.len(), labels.len())?;
        if probabilities.is_empty() {
            return Err(InputError::Empty("probabilities"));
        }
        let right = match edges {
            BinEdges::LeftClosed => Some(false),
            BinEdges::RightClosed => Some(true),
            _ => None,
        };
        let fast = right.filter(|_| bins < FAST_BINS);
        let parts = parts(probabilities, labels, if fast.is_some() { bins } else { 1 }, fast == Some(true));
        if parts.iter().any(|p| !p.valid) {
            refuse(probabilities)?;
        }
        let bins = if fast.is_some() {
            Bins::of(counted(&parts, bins, edges), probabilities.len())
        } else {
            let mut all = empty_bins(bins, edges);
            fill(&mut all, probabilities, labels, edges);
            Bins::of(all, probabilities.len())
        };
        Ok(Self::assemble(bins, &parts, probabilities, labels))
    }

    /// The summary of checked forecasts, with a single bin.
    pub(super) fn over(forecasts: &Forecasts<'_>) -> Self {
        let (p, y) = (forecasts.probabilities, forecasts.labels);
        let parts = parts(p, y, 1, false);
        Self::assemble(Bins::of(counted(&parts, 1, BinEdges::LeftClosed), p.len()), &parts, p, y)
    }

    fn assemble(bins: Bins, parts: &[Part], probabilities: &[f64], labels: &[bool]) -> Self {
        let n = probabilities.len() as f64;
        let mut log_loss = -sum(parts.iter().map(|p| p.log)) / n;
        if log_loss < SMALL_LOSS {
            let cases = probabilities.iter().zip(labels);
            log_loss = sum(cases.map(|(&p, &y)| surprise(p, y, f64::EPSILON))) / n;
        }
        Self { bins, brier: sum(parts.iter().map(|p| p.squares)) / n, log_loss }
    }

    /// The bins.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, ForecastSummary};
    /// let summary = ForecastSummary::of(&[0.25], &[false], 10, BinEdges::LeftClosed)?;
    /// assert_eq!(summary.bins().bins()[2].count, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bins(&self) -> &Bins {
        &self.bins
    }

    /// Brier score, as [`Forecasts::brier`].
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, ForecastSummary};
    /// assert_eq!(ForecastSummary::of(&[0.5], &[true], 10, BinEdges::LeftClosed)?.brier(), 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn brier(&self) -> f64 {
        self.brier
    }

    /// Log loss in nats, clipped at the machine epsilon ([`super::LogLossPolicy::SCIKIT_LEARN`]).
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, ForecastSummary};
    /// let summary = ForecastSummary::of(&[0.5], &[true], 10, BinEdges::LeftClosed)?;
    /// assert!((summary.log_loss() - 2f64.ln()).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn log_loss(&self) -> f64 {
        self.log_loss
    }
}

fn parts(probabilities: &[f64], labels: &[bool], bins: usize, right: bool) -> Vec<Part> {
    let count = bins as f64;
    let blocks = probabilities.par_chunks(BLOCK).zip(labels.par_chunks(BLOCK));
    blocks.map(|(p, y)| part(p, y, count, right)).collect()
}

/// Adds up the blocks' cells in their order.
fn counted(parts: &[Part], bins: usize, edges: BinEdges) -> Vec<Bin> {
    let mut all = empty_bins(bins, edges);
    for (index, bin) in all.iter_mut().enumerate() {
        let (mut counts, mut sum) = ([0.0; 2], Sum::default());
        for part in parts {
            for (label, count) in counts.iter_mut().enumerate() {
                let cell = part.cells[index * 2 + label];
                *count += cell[0];
                sum.add(cell[1]);
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole counts")]
        let counts = counts.map(|c| c as usize);
        bin.count = counts[0] + counts[1];
        bin.positives = counts[1];
        bin.sum_probability = sum.total();
    }
    all
}

vectorized! {
    /// The sums over one block.
    fn part(probabilities: &[f64], labels: &[bool], bins: f64, right: bool) -> Part {
        let mut cells = [[0.0_f64; 2]; CELLS];
        let mut lanes = Lanes { squares: [0.0; LANES], product: [1.0; LANES], exponent: [0; LANES], bad: [0; LANES] };
        let mut places = [0_u16; STRIP];
        for (p, y) in probabilities.chunks(STRIP).zip(labels.chunks(STRIP)) {
            measure(&mut lanes, p, y);
            if right {
                place::<true>(&mut places, p, y, bins);
            } else {
                place::<false>(&mut places, p, y, bins);
            }
            for (&p, &place) in p.iter().zip(&places) {
                let cell = &mut cells[usize::from(place) % CELLS];
                cell[0] += 1.0;
                cell[1] += p;
            }
        }
        gather(&lanes, &cells)
    }
}

/// Running sums, one for each place in a vector.
struct Lanes {
    squares: [f64; LANES],
    /// Product of the probabilities of what happened, its exponent taken out.
    product: [f64; LANES],
    exponent: [i64; LANES],
    bad: [u64; LANES],
}

const MANTISSA: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;

/// Adds squared errors and logarithms of one strip. Sixteen factors of at least 2^-52 cannot underflow, and the
/// exponent of their product is counted apart, so that no logarithm is taken here.
#[allow(clippy::inline_always, reason = "must be compiled for the instructions of its caller")]
#[inline(always)]
fn measure(lanes: &mut Lanes, probabilities: &[f64], labels: &[bool]) {
    let rows = probabilities.chunks(LANES * 16).zip(labels.chunks(LANES * 16));
    for (p, y) in rows {
        let (p_rows, p_rest) = p.as_chunks::<LANES>();
        let (y_rows, y_rest) = y.as_chunks::<LANES>();
        for (p, y) in p_rows.iter().zip(y_rows) {
            row(lanes, p, y);
        }
        if !p_rest.is_empty() {
            // Certain and right: adds nothing to any sum.
            let (mut p, mut y) = ([0.0; LANES], [false; LANES]);
            p[..p_rest.len()].copy_from_slice(p_rest);
            y[..y_rest.len()].copy_from_slice(y_rest);
            row(lanes, &p, &y);
        }
        for (product, exponent) in lanes.product.iter_mut().zip(&mut lanes.exponent) {
            let bits = product.to_bits();
            *exponent += (bits >> 52).cast_signed() - 1023;
            *product = f64::from_bits((bits & MANTISSA) | ONE);
        }
    }
}

#[allow(clippy::inline_always, reason = "must be compiled for the instructions of its caller")]
#[inline(always)]
fn row(lanes: &mut Lanes, p: &[f64; LANES], y: &[bool; LANES]) {
    for l in 0..LANES {
        let (p, y) = (p[l], y[l]);
        let miss = 1.0 - p;
        let (given, error) = if y { (p, miss) } else { (miss, p) };
        lanes.squares[l] += error * error;
        lanes.product[l] *= given.max(f64::EPSILON);
        lanes.bad[l] |= u64::from(!(0.0..=1.0).contains(&p));
    }
}

/// Finds the cell of every case of one strip: its bin, label and lane.
#[allow(clippy::inline_always, reason = "must be compiled for the instructions of its caller")]
#[inline(always)]
fn place<const RIGHT: bool>(places: &mut [u16; STRIP], probabilities: &[f64], labels: &[bool], bins: f64) {
    // Adding 2^52 puts the whole part of a number into the lowest bits of its form.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let step = 1.0 / bins;
    for (i, ((place, &p), &y)) in places.iter_mut().zip(probabilities).zip(labels).enumerate() {
        // Rounded to the nearest edge, which lies at or next to p's own; the comparison with that edge decides.
        let edge = (p * bins + WHOLE) - WHOLE;
        let at = edge * step;
        let below = if RIGHT { p <= at } else { p < at };
        let bin = if below { edge - 1.0 } else { edge }.max(0.0).min(bins - 1.0);
        let index = (bin + WHOLE).to_bits();
        let cell = ((index & (FAST_BINS as u64 - 1)) * 2 + u64::from(y)) * LANES as u64 + (i % LANES) as u64;
        *place = (cell & 0xffff) as u16;
    }
}

/// Joins the lanes.
fn gather(lanes: &Lanes, cells: &[[f64; 2]; CELLS]) -> Part {
    let mut joined = [[0.0; 2]; FAST_BINS * 2];
    for (joined, cells) in joined.iter_mut().zip(cells.as_chunks::<LANES>().0) {
        joined[0] = cells.iter().map(|c| c[0]).sum();
        joined[1] = sum(cells.iter().map(|c| c[1]));
    }
    let whole: i64 = lanes.exponent.iter().sum();
    let log = sum(lanes.product.iter().map(|p| p.ln())) + whole as f64 * std::f64::consts::LN_2;
    let valid = lanes.bad.iter().all(|&b| b == 0);
    Part { valid, squares: sum(lanes.squares), log, cells: joined }
}
