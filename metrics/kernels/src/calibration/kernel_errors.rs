//! Calibration errors by kernels: KCE and ECE-KDE.

use super::class_forecasts::ClassForecasts;
use super::sums::{Sum, sum};
use crate::inference::ln_gamma;
use crate::vectorized::vectorized;
use crate::{InputError, Undefined};
use rayon::prelude::*;

/// Bandwidth of the kernel calibration error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bandwidth {
    /// The median of the distances of all pairs of different cases.
    Median,
    /// The median of the whole matrix of distances, each case's distance of 0 to itself included, as
    /// MetricsReloaded takes it: a little below [`Bandwidth::Median`].
    MedianWithSelf,
    /// This one, above 0.
    Fixed(f64),
}

/// Most cases whose distances may be held in memory at once (1.6 GB).
const MEDIAN_CASES_MAX: usize = 20_000;

/// Cases whose kernel sums are taken together.
const ROWS: usize = 64;

fn positive(what: &'static str, value: f64) -> Result<(), InputError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(InputError::Setting { what, value, expected: "above 0" })
}

impl ClassForecasts<'_> {
    fn distance(&self, i: usize, j: usize) -> f64 {
        self.row(i).iter().zip(self.row(j)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    /// Squared kernel calibration error, unbiased (so it may fall below 0): the mean over pairs of
    /// exp(-d/nu) times the inner product of the residuals, d the Euclidean distance of the forecasts.
    ///
    /// Cost and, for the medians, memory grow with the square of the number of cases. Widmann, Lindsten and
    /// Zachariah 2019 (arXiv:1910.11385).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for a single case, and for copies of one; [`Undefined::Constant`] if the median distance is 0;
    /// [`InputError::Setting`] for a bandwidth not above 0; [`InputError::TooLarge`] for a median over more than
    /// 20,000 cases.
    ///
    /// ```
    /// use fiel_kernels::calibration::{Bandwidth, ClassForecasts};
    ///
    /// let forecasts = ClassForecasts::new(&[0.5, 0.5, 0.5, 0.5], 2, &[0, 0])?;
    /// assert_eq!(forecasts.kce(Bandwidth::Fixed(1.0))??, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kce(&self, bandwidth: Bandwidth) -> Result<Result<f64, Undefined>, InputError> {
        if let Bandwidth::Fixed(value) = bandwidth {
            positive("the bandwidth", value)?;
        }
        let n = self.count();
        if n < 2 {
            return Ok(Err(Undefined::TooFew));
        }
        if n > MEDIAN_CASES_MAX && !matches!(bandwidth, Bandwidth::Fixed(_)) {
            let (found, limit) = (n as u64, MEDIAN_CASES_MAX as u64);
            return Err(InputError::TooLarge { what: "cases for the median distance", found, limit });
        }
        let nu = match bandwidth {
            Bandwidth::Fixed(value) => value,
            Bandwidth::Median => self.median_distance(0),
            Bandwidth::MedianWithSelf => self.median_distance(n),
        };
        if nu <= 0.0 {
            return Ok(Err(Undefined::Constant));
        }
        let rows = |start: usize| {
            let (mut total, mut pairs) = (Sum::default(), 0u64);
            for i in start..(start + ROWS).min(n) {
                for j in (0..i).filter(|&j| self.case(i) != self.case(j)) {
                    total.add(self.residual_product(i, j) * (-self.distance(i, j) / nu).exp());
                    pairs += 1;
                }
            }
            (total.total(), pairs)
        };
        let starts: Vec<usize> = (0..n).step_by(ROWS).collect();
        let parts: Vec<(f64, u64)> = starts.into_par_iter().map(rows).collect();
        let pairs: u64 = parts.iter().map(|part| part.1).sum();
        if pairs == 0 {
            return Ok(Err(Undefined::TooFew));
        }
        Ok(Ok(sum(parts.into_iter().map(|part| part.0)) / pairs as f64))
    }

    fn residual_product(&self, i: usize, j: usize) -> f64 {
        let residual = |case: usize, class: usize, p: f64| f64::from(u8::from(self.label(case) == class)) - p;
        let pairs = self.row(i).iter().zip(self.row(j)).enumerate();
        pairs.map(|(k, (&a, &b))| residual(i, k, a) * residual(j, k, b)).sum()
    }

    /// The median of the distances of all pairs, taken twice, and of so many zeros.
    fn median_distance(&self, zeros: usize) -> f64 {
        let n = self.count();
        let others = |i: usize| (0..i).filter(move |&j| self.case(i) != self.case(j));
        let mut distances: Vec<f64> =
            (1..n).flat_map(|i| others(i).map(move |j| self.distance(i, j))).collect();
        if distances.is_empty() {
            return 0.0;
        }
        let total = 2 * distances.len() + zeros;
        let mut ranked = |rank: usize| match rank.checked_sub(zeros) {
            None => 0.0,
            Some(rank) => *distances.select_nth_unstable_by(rank / 2, f64::total_cmp).1,
        };
        // The two middle ranks are one and the same where the number is odd.
        0.5 * (ranked((total - 1) / 2) + ranked(total / 2))
    }

    /// Canonical calibration error by kernel density (ECE-KDE): the mean Euclidean distance of a forecast and the
    /// class shares that Dirichlet kernels of bandwidth `bandwidth` (above 0; MetricsReloaded: 0.5) around the other
    /// forecasts expect there.
    ///
    /// Cost grows with the square of the number of cases. Popordanoska, Sayer and Blaschko 2022 (arXiv:2210.07810).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for a single case; [`Undefined::ZeroDenominator`] where no other forecast has any
    /// density at a forecast (probabilities of 0 and 1); [`InputError::Setting`] for a bandwidth not above 0.
    ///
    /// ```
    /// use fiel_kernels::calibration::ClassForecasts;
    ///
    /// let forecasts = ClassForecasts::new(&[0.5, 0.5, 0.5, 0.5], 2, &[0, 0])?;
    /// assert!((forecasts.ece_kde(0.5)?? - 0.5f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ece_kde(&self, bandwidth: f64) -> Result<Result<f64, Undefined>, InputError> {
        positive("the bandwidth", bandwidth)?;
        let n = self.count();
        if n < 2 {
            return Ok(Err(Undefined::TooFew));
        }
        let kernels = Kernels::of(self, bandwidth);
        let gaps: Vec<Option<f64>> = (0..n).into_par_iter().map(|j| kernels.gap(j)).collect();
        let mut total = Sum::default();
        for gap in gaps {
            match gap {
                Some(gap) => total.add(gap),
                None => return Ok(Err(Undefined::ZeroDenominator)),
            }
        }
        Ok(Ok(total.total() / n as f64))
    }
}

/// Dirichlet kernels around all forecasts, those of one class together.
struct Kernels<'a> {
    /// The forecasts.
    rows: Vec<&'a [f64]>,
    /// Where the cases of each class end.
    ends: Vec<usize>,
    /// Logarithm of each kernel's height.
    heights: Vec<f64>,
    /// Exponents of the probabilities in each kernel, class by class.
    exponents: Vec<f64>,
    /// Which case each kernel is of.
    cases: Vec<usize>,
}

impl<'a> Kernels<'a> {
    fn of(forecasts: &ClassForecasts<'a>, bandwidth: f64) -> Self {
        let mut order: Vec<usize> = (0..forecasts.count()).collect();
        order.sort_by_key(|&i| forecasts.label(i));
        let rows: Vec<&[f64]> = order.iter().map(|&i| forecasts.row(i)).collect();
        let classes = 0..forecasts.classes();
        let ends =
            classes.clone().map(|class| order.partition_point(|&i| forecasts.label(i) <= class)).collect();
        let height = |row: &&[f64]| {
            let alphas = || row.iter().map(|p| p / bandwidth + 1.0);
            ln_gamma(alphas().sum()) - alphas().map(ln_gamma).sum::<f64>()
        };
        let heights = rows.iter().map(height).collect();
        let exponents =
            classes.flat_map(|class| rows.iter().map(move |row| row[class] / bandwidth)).collect();
        let cases = order.iter().map(|&i| forecasts.case(i)).collect();
        Self { rows, ends, heights, exponents, cases }
    }

    /// Distance of forecast `j` and the class shares expected there; `None` where there is no density.
    fn gap(&self, j: usize) -> Option<f64> {
        let logs: Vec<f64> = self.rows[j].iter().map(|p| p.ln()).collect();
        let mut weights = vec![0.0; self.rows.len()];
        let own: Vec<usize> = (0..self.cases.len()).filter(|&k| self.cases[k] == self.cases[j]).collect();
        if !kernel_weights(&mut weights, &self.heights, &self.exponents, &logs, &own) {
            return None;
        }
        let mut start = 0;
        let share = |&end: &usize| {
            let share: f64 = lane_sum(&weights[start..end]);
            start = end;
            share
        };
        let shares: Vec<f64> = self.ends.iter().map(share).collect();
        let norm: f64 = shares.iter().sum();
        let squares = shares.iter().zip(self.rows[j]).map(|(s, p)| (s / norm - p).powi(2));
        Some(squares.sum::<f64>().sqrt())
    }
}

fn lane_sum(values: &[f64]) -> f64 {
    let (rows, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for row in rows {
        for (lane, value) in lanes.iter_mut().zip(row) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

vectorized! {
    /// The kernels' values at one forecast, relative to the largest (so that narrow kernels do not all vanish), those
    /// of its own case left out; false if all are zero.
    fn kernel_weights(
        weights: &mut [f64],
        heights: &[f64],
        exponents: &[f64],
        logs: &[f64],
        own: &[usize],
    ) -> bool {
        weights.copy_from_slice(heights);
        for (exponents, &log) in exponents.chunks_exact(heights.len()).zip(logs) {
            if log == f64::NEG_INFINITY {
                for (weight, &exponent) in weights.iter_mut().zip(exponents) {
                    // 0 to the power of 0 is 1.
                    *weight = if exponent > 0.0 { f64::NEG_INFINITY } else { *weight };
                }
            } else {
                for (weight, &exponent) in weights.iter_mut().zip(exponents) {
                    *weight += exponent * log;
                }
            }
        }
        for &own in own {
            weights[own] = f64::NEG_INFINITY;
        }
        let mut tops = [f64::NEG_INFINITY; 8];
        let (rows, rest) = weights.as_chunks::<8>();
        for row in rows {
            for (top, &weight) in tops.iter_mut().zip(row) {
                *top = if weight > *top { weight } else { *top };
            }
        }
        let top = tops.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::max);
        if top == f64::NEG_INFINITY {
            return false;
        }
        for weight in weights.iter_mut() {
            *weight = exp_of_negative(*weight - top);
        }
        true
    }
}

/// exp(x) for x not above 0, within 1e-15 relative, 0 below -700; without branches, so that it is vectorised.
#[allow(clippy::inline_always, reason = "must be compiled for the instructions of its caller")]
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    // Adding 1.5 x 2^52 rounds to a whole number and leaves it in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first with zeros at its end so that its multiples are exact.
    const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
    const FACTORIALS: [f64; 12] = [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
    ];
    let inside = x.max(-700.0);
    let shifted = inside * std::f64::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = (inside - power * LN_2[0]) - power * LN_2[1];
    let mut series = 1.0 / 6_227_020_800.0;
    for factorial in FACTORIALS {
        series = series * rest + 1.0 / factorial;
    }
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x < -700.0 { 0.0 } else { (series * rest + 1.0) * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_keep_their_digits() {
        for i in 0_u32..=70_000 {
            let x = -f64::from(i) * 0.01;
            let (found, expected) = (exp_of_negative(x), x.exp());
            assert!((found - expected).abs() <= 1e-15 * expected, "{x}: {found:?} instead of {expected:?}");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(-700.1), 0.0);
        assert_eq!(exp_of_negative(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn lanes_and_rest_are_summed() {
        let values: Vec<f64> = (1_u8..=19).map(f64::from).collect();
        assert_eq!(lane_sum(&values), 190.0);
        assert_eq!(lane_sum(&values[..3]), 6.0);
    }
}
