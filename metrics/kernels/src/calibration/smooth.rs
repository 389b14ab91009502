//! Smooth calibration error.

use super::forecasts::Forecasts;
use super::sums::sum;
use crate::InputError;
use std::f64::consts::PI;

/// Smooth calibration error with the bandwidth at which it was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothEce {
    /// The error, from 0 (best) to 1.
    pub value: f64,
    /// Bandwidth of the kernel on the probability scale.
    pub bandwidth: f64,
}

/// Bandwidths below this are not tried.
const BANDWIDTH_MIN: f64 = 0.001;

impl Forecasts<'_> {
    /// Smooth calibration error (smECE) at the bandwidth that equals its own error.
    ///
    /// Residuals are smoothed by a Gaussian kernel reflected at 0 and 1; the bandwidth is found by ten bisections of
    /// [0, 1]. Grid and rounding are those of relplot 1.0: linear binning on max(2000, 20/bandwidth)/2 + 1 points,
    /// error averaged over max(200, 10/bandwidth) points. Blasiok and Nakkiran 2023 (arXiv:2309.12236).
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let error = Forecasts::new(&[0.9, 0.9, 0.9], &[false, false, true])?.smooth_ece();
    /// assert!(error.value > 0.4 && error.value < 0.6);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn smooth_ece(&self) -> SmoothEce {
        let enough = |bandwidth: f64| bandwidth < BANDWIDTH_MIN || bandwidth < self.smoothed(bandwidth);
        if enough(1.0) {
            return SmoothEce { value: self.smoothed(1.0), bandwidth: 1.0 };
        }
        let (mut start, mut end) = (1.0, 0.0);
        for _ in 0..10 {
            let middle = 0.5 * (start + end);
            if enough(middle) {
                end = middle;
            } else {
                start = middle;
            }
        }
        SmoothEce { value: self.smoothed(start), bandwidth: start }
    }

    /// Smooth calibration error at a bandwidth from 0.0001 to 1.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a bandwidth outside that range.
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let error = Forecasts::new(&[0.5, 0.5], &[false, true])?.smooth_ece_at(0.1)?;
    /// assert!(error.abs() < 1e-12);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn smooth_ece_at(&self, bandwidth: f64) -> Result<f64, InputError> {
        if !(1e-4..=1.0).contains(&bandwidth) {
            let (what, expected) = ("the bandwidth", "from 0.0001 to 1");
            return Err(InputError::Setting { what, value: bandwidth, expected });
        }
        Ok(self.smoothed(bandwidth))
    }

    fn smoothed(&self, bandwidth: f64) -> f64 {
        let cells = grid_points(2000, 20.0 / bandwidth) / 2 + 1;
        let (residuals, weights) = self.on_grid(cells);
        let kernel = kernel(cells, bandwidth);
        let (residuals, weights) = (convolve(&residuals, &kernel), convolve(&weights, &kernel));
        let points = grid_points(200, 10.0 / bandwidth);
        let at = |i: usize| i as f64 * (1.0 / (points - 1) as f64);
        // relplot adds 1e-4 to the density, against division by zero.
        let pairs: Vec<(f64, f64)> = (0..points)
            .map(|i| {
                let t = if i == points - 1 { 1.0 } else { at(i) };
                let density = interpolate(&weights, t) + 1e-4;
                ((interpolate(&residuals, t) / density).abs() * density, density)
            })
            .collect();
        sum(pairs.iter().map(|p| p.0)) / sum(pairs.iter().map(|p| p.1))
    }

    /// Residuals and case counts, shared linearly between neighbouring grid points.
    fn on_grid(&self, cells: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut residuals, mut weights) = (vec![0.0; cells], vec![0.0; cells]);
        for (p, y) in self.cases() {
            let (low, part) = grid_place(p, cells);
            residuals[low] += (1.0 - part) * (p - y);
            residuals[low + 1] += part * (p - y);
            weights[low] += 1.0 - part;
            weights[low + 1] += part;
        }
        (residuals, weights)
    }
}

/// The larger of a least number of points and a rounded one (halves to even, as Python rounds).
fn grid_points(least: usize, wanted: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 200,000")]
    let wanted = wanted.round_ties_even() as usize;
    wanted.max(least)
}

/// The grid point at or below p and the share of the step above it.
fn grid_place(p: f64, cells: usize) -> (usize, f64) {
    let at = p * (cells - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place on the grid")]
    let low = (at as usize).min(cells - 2);
    (low, at - low as f64)
}

fn interpolate(values: &[f64], t: f64) -> f64 {
    let (low, part) = grid_place(t, values.len());
    values[low] * (1.0 - part) + values[low + 1] * part
}

/// The Gaussian kernel at the offsets of a grid: one unit wide, as many points as the grid, centred.
fn kernel(cells: usize, bandwidth: f64) -> Vec<f64> {
    let step = 1.0 / (cells - 1) as f64;
    let height = ((2.0 * PI).sqrt() * bandwidth).recip();
    let value = |i: usize| {
        let t = i as f64 * step - 0.5;
        (-t * t / (2.0 * bandwidth * bandwidth)).exp() * height
    };
    (0..cells).map(value).collect()
}

/// Convolution of values reflected at both ends with a kernel of the same length.
fn convolve(values: &[f64], kernel: &[f64]) -> Vec<f64> {
    let n = values.len();
    let reflected: Vec<f64> =
        values.iter().rev().take(n - 1).chain(values).chain(values.iter().rev().skip(1)).copied().collect();
    // Entries far out are zero for narrow kernels; an even length has its centre between two entries.
    let peak = kernel.iter().fold(0.0_f64, |m, &k| m.max(k));
    let first = kernel.iter().position(|&k| k > peak * 1e-20).unwrap_or(0);
    let last = n - 1 - kernel.iter().rev().position(|&k| k > peak * 1e-20).unwrap_or(0);
    let used = &kernel[first..=last];
    let shift = n / 2;
    (0..n)
        .map(|at| {
            // Full convolution at at + shift + n - 1: reflected[at + shift + n - 1 - j] * kernel[j].
            let top = at + shift + n - 1;
            let window = &reflected[top - last..=top - first];
            window.iter().zip(used.iter().rev()).map(|(v, k)| v * k).sum()
        })
        .collect()
}
