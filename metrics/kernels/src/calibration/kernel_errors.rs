//! Calibration errors by kernels: KCE and ECE-KDE.

use super::class_forecasts::ClassForecasts;
use super::sums::{Sum, sum};
use crate::regression::distributions::ln_gamma;
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
    /// [`Undefined::TooFew`] for a single case; [`Undefined::Constant`] if the median distance is 0;
    /// [`InputError::Setting`] for a bandwidth not above 0.
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
        let nu = match bandwidth {
            Bandwidth::Fixed(value) => value,
            Bandwidth::Median => self.median_distance(0),
            Bandwidth::MedianWithSelf => self.median_distance(n),
        };
        if nu <= 0.0 {
            return Ok(Err(Undefined::Constant));
        }
        let rows = |start: usize| {
            let mut total = Sum::default();
            for i in start..(start + ROWS).min(n) {
                for j in 0..i {
                    total.add(self.residual_product(i, j) * (-self.distance(i, j) / nu).exp());
                }
            }
            total.total()
        };
        let starts: Vec<usize> = (0..n).step_by(ROWS).collect();
        let parts: Vec<f64> = starts.into_par_iter().map(rows).collect();
        Ok(Ok(sum(parts) / (n as f64 * (n as f64 - 1.0) / 2.0)))
    }

    fn residual_product(&self, i: usize, j: usize) -> f64 {
        let residual = |case: usize, class: usize, p: f64| f64::from(u8::from(self.label(case) == class)) - p;
        let pairs = self.row(i).iter().zip(self.row(j)).enumerate();
        pairs.map(|(k, (&a, &b))| residual(i, k, a) * residual(j, k, b)).sum()
    }

    /// The median of the distances of all pairs, taken twice, and of so many zeros.
    fn median_distance(&self, zeros: usize) -> f64 {
        let n = self.count();
        let mut distances: Vec<f64> = (1..n).flat_map(|i| (0..i).map(move |j| self.distance(i, j))).collect();
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
        // Logarithms of each kernel's height, of each forecast, and the exponents: a kernel's value is then one dot
        // product and one exponential.
        let heights: Vec<f64> = (0..n)
            .map(|i| {
                let alphas = || self.row(i).iter().map(|p| p / bandwidth + 1.0);
                ln_gamma(alphas().sum()) - alphas().map(ln_gamma).sum::<f64>()
            })
            .collect();
        let gaps: Vec<Option<f64>> =
            (0..n).into_par_iter().map(|j| self.kde_gap(j, bandwidth, &heights)).collect();
        let mut total = Sum::default();
        for gap in gaps {
            match gap {
                Some(gap) => total.add(gap),
                None => return Ok(Err(Undefined::ZeroDenominator)),
            }
        }
        Ok(Ok(total.total() / n as f64))
    }

    /// Distance of forecast `j` and the class shares expected there; `None` where there is no density.
    fn kde_gap(&self, j: usize, bandwidth: f64, heights: &[f64]) -> Option<f64> {
        let logs: Vec<f64> = self.row(j).iter().map(|p| p.ln()).collect();
        let log_kernel = |i: usize| {
            let exponents = self.row(i).iter().zip(&logs);
            // 0 to the power of 0 is 1.
            let powers = exponents.map(|(&p, &log)| if p == 0.0 { 0.0 } else { p / bandwidth * log });
            heights[i] + powers.sum::<f64>()
        };
        let others: Vec<(usize, f64)> =
            (0..self.count()).filter(|&i| i != j).map(|i| (i, log_kernel(i))).collect();
        // Relative to the largest, so that narrow kernels do not all vanish.
        let top = others.iter().fold(f64::NEG_INFINITY, |m, o| m.max(o.1));
        if top == f64::NEG_INFINITY {
            return None;
        }
        let mut shares = vec![0.0; self.classes()];
        for (i, log) in others {
            shares[self.label(i)] += (log - top).exp();
        }
        let norm: f64 = shares.iter().sum();
        let squares = shares.iter().zip(self.row(j)).map(|(s, p)| (s / norm - p).powi(2));
        Some(squares.sum::<f64>().sqrt())
    }
}
