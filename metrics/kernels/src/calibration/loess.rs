//! Calibration curves by local regression, and how far they lie from the diagonal.

use super::forecasts::Forecasts;
use super::sums::{quantile_sorted, sum};
use crate::{InputError, Undefined};
use rayon::prelude::*;

/// How the calibration curve is smoothed. Spans are shares of the cases, above 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Smoother {
    /// R's `loess`, degree 2, tricube weights, `surface = "interpolate"`: fitted at the vertices of a k-d tree
    /// (cell 0.2) and blended by cubic polynomials between them.
    Loess {
        /// Share of cases in a neighbourhood.
        span: f64,
    },
    /// The same with `surface = "direct"`: fitted at every distinct probability.
    LoessDirect {
        /// Share of cases in a neighbourhood.
        span: f64,
    },
    /// Cleveland's lowess, degree 1, without robustness iterations, as statsmodels' `lowess(frac, it=0)`.
    Lowess {
        /// Share of cases in a neighbourhood.
        span: f64,
    },
}

impl Smoother {
    /// R's defaults: `loess(y ~ p)`.
    pub const R: Self = Self::Loess { span: 0.75 };
}

/// Distances of the smoothed calibration curve from the diagonal, over the cases.
///
/// Austin and Steyerberg 2019, doi:10.1002/sim.8281.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationIndex {
    /// Integrated calibration index: their mean; 0 is best.
    pub ici: f64,
    /// Their median.
    pub e50: f64,
    /// Their 90th percentile (type 7).
    pub e90: f64,
    /// Their maximum.
    pub emax: f64,
}

/// Forecasts in order of probability.
struct Curve {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Forecasts<'_> {
    /// The smoothed probability of the event at each case's forecast, in the order of the cases.
    ///
    /// Cost grows with the number of cases for [`Smoother::Loess`] (a fixed number of fits), and with its square for
    /// the others (a fit at every case).
    ///
    /// # Errors
    /// [`InputError::Setting`] for a span outside (0, 1]. [`Undefined::TooFew`] if a neighbourhood holds fewer cases
    /// than the fit needs (degree + 1, at least 2); [`Undefined::Constant`] if all probabilities are equal or, for
    /// loess, if all of a neighbourhood are.
    ///
    /// ```
    /// use fiel_kernels::calibration::{Forecasts, Smoother};
    ///
    /// let p = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
    /// let forecasts = Forecasts::new(&p, &[true; 8])?;
    /// let curve = forecasts.calibration_curve(Smoother::R)??;
    /// assert!(curve.iter().all(|c| (c - 1.0).abs() < 1e-9));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn calibration_curve(&self, smoother: Smoother) -> Result<Result<Vec<f64>, Undefined>, InputError> {
        let (Smoother::Loess { span } | Smoother::LoessDirect { span } | Smoother::Lowess { span }) =
            smoother;
        if !(span > 0.0 && span <= 1.0) {
            let expected = "above 0 and at most 1";
            return Err(InputError::Setting { what: "the span", value: span, expected });
        }
        let order = self.order();
        let curve = Curve {
            x: order.iter().map(|&i| self.probabilities[i]).collect(),
            y: order.iter().map(|&i| f64::from(u8::from(self.labels[i]))).collect(),
        };
        let fitted = match smoother {
            Smoother::Loess { .. } => curve.interpolated(span),
            Smoother::LoessDirect { .. } => curve.direct(span),
            Smoother::Lowess { .. } => curve.lowess(span),
        };
        Ok(fitted.map(|fitted| {
            let mut out = vec![0.0; fitted.len()];
            for (value, index) in fitted.into_iter().zip(order) {
                out[index] = value;
            }
            out
        }))
    }

    /// ICI, E50, E90 and Emax: mean, median, 90th percentile and maximum of the absolute difference of the smoothed
    /// curve and the forecast.
    ///
    /// # Errors
    /// As [`Forecasts::calibration_curve`].
    ///
    /// ```
    /// use fiel_kernels::calibration::{Forecasts, Smoother};
    ///
    /// let p = [0.25, 0.5, 0.75, 1.0];
    /// let forecasts = Forecasts::new(&p, &[true; 4])?;
    /// let index = forecasts.calibration_index(Smoother::Lowess { span: 1.0 })??;
    /// assert!((index.ici - 0.375).abs() < 1e-12 && (index.emax - 0.75).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn calibration_index(
        &self,
        smoother: Smoother,
    ) -> Result<Result<CalibrationIndex, Undefined>, InputError> {
        Ok(self.calibration_curve(smoother)?.map(|fitted| {
            let mut gaps: Vec<f64> =
                fitted.iter().zip(self.probabilities).map(|(f, p)| (f - p).abs()).collect();
            gaps.sort_by(f64::total_cmp);
            CalibrationIndex {
                ici: sum(gaps.iter().copied()) / gaps.len() as f64,
                e50: quantile_sorted(&gaps, 0.5),
                e90: quantile_sorted(&gaps, 0.9),
                emax: gaps[gaps.len() - 1],
            }
        }))
    }
}

/// Size of a neighbourhood, from a share of the cases.
fn neighbours(n: usize, span: f64, slack: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most n")]
    let k = (n as f64 * span + slack).floor() as usize;
    k.min(n)
}

impl Curve {
    fn count(&self) -> usize {
        self.x.len()
    }

    fn constant(&self) -> bool {
        self.x[0] == self.x[self.count() - 1]
    }

    /// The window of the k cases nearest to `at`; of several, the leftmost.
    fn window(&self, at: f64, k: usize) -> [usize; 2] {
        let last = self.count() - k;
        // The window moves on while the case it would gain is nearer than the one it would lose.
        let (mut low, mut high) = (0, last);
        while low < high {
            let start = usize::midpoint(low, high);
            let gains = self.x[start + k];
            // Distances as differences, so that equal ones compare equal; a run of ties on the left must be passed.
            if gains <= at || at - self.x[start] > gains - at {
                low = start + 1;
            } else {
                high = start;
            }
        }
        [low, low + k]
    }

    fn direct(&self, span: f64) -> Result<Vec<f64>, Undefined> {
        let k = self.loess_neighbours(span)?;
        let runs: Vec<&[f64]> = self.x.chunk_by(|a, b| a == b).collect();
        let fits: Vec<Result<f64, Undefined>> =
            runs.par_iter().map(|run| self.quadratic(run[0], k).map(|f| f[0])).collect();
        let mut out = Vec::with_capacity(self.count());
        for (run, fit) in runs.iter().zip(fits) {
            out.extend(std::iter::repeat_n(fit?, run.len()));
        }
        Ok(out)
    }

    fn loess_neighbours(&self, span: f64) -> Result<usize, Undefined> {
        let k = neighbours(self.count(), span, 1e-5);
        if k < 3 {
            return Err(Undefined::TooFew);
        }
        if self.constant() { Err(Undefined::Constant) } else { Ok(k) }
    }

    /// Value and slope at `at` of the local quadratic fit.
    fn quadratic(&self, at: f64, k: usize) -> Result<[f64; 2], Undefined> {
        let [start, end] = self.window(at, k);
        let radius = (at - self.x[start]).max(self.x[end - 1] - at);
        if radius <= 0.0 {
            return Err(Undefined::Constant);
        }
        let mut columns = [vec![0.0; k], vec![0.0; k], vec![0.0; k]];
        let mut target = vec![0.0; k];
        for i in 0..k {
            let offset = self.x[start + i] - at;
            let share = offset.abs() / radius;
            // The square root of the tricube weight, on both sides of the equation.
            let weight = (1.0 - share.powi(3)).max(0.0).powi(3).sqrt();
            columns[0][i] = weight;
            columns[1][i] = weight * offset;
            columns[2][i] = weight * offset * offset;
            target[i] = weight * self.y[start + i];
        }
        let fit = least_squares(columns, &target);
        Ok([fit[0], fit[1]])
    }

    /// R's surface: fits at the vertices of a k-d tree, blended in between.
    fn interpolated(&self, span: f64) -> Result<Vec<f64>, Undefined> {
        let k = self.loess_neighbours(span)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most n")]
        let cell = (self.count() as f64 * (span * 0.2)).floor() as usize;
        let (first, last) = (self.x[0], self.x[self.count() - 1]);
        let margin = 0.005 * (last - first).max(1e-10 * last.abs().max(first.abs()) + 1e-30);
        let mut vertices = vec![first - margin, last + margin];
        let bounds = [vertices[0], vertices[1]];
        self.cut([0, self.count() - 1], bounds, cell, &mut vertices);
        vertices.sort_by(f64::total_cmp);
        vertices.dedup();
        let fits: Vec<Result<[f64; 2], Undefined>> =
            vertices.par_iter().map(|&v| self.quadratic(v, k)).collect();
        let fits = fits.into_iter().collect::<Result<Vec<_>, _>>()?;
        let blend = |x: f64| {
            let right = vertices.partition_point(|&v| v < x).clamp(1, vertices.len() - 1);
            let (left, width) = (right - 1, vertices[right] - vertices[right - 1]);
            let h = (x - vertices[left]) / width;
            let g = 1.0 - h;
            let values = g * g * (1.0 + 2.0 * h) * fits[left][0] + h * h * (1.0 + 2.0 * g) * fits[right][0];
            let slopes = h * g * g * fits[left][1] - h * h * g * fits[right][1];
            values + slopes * width
        };
        Ok(self.x.iter().map(|&x| blend(x)).collect())
    }

    /// Adds the cuts of the cell of cases `low` to `high` (both included) between two vertices: at the middle case
    /// while the cell holds more than `cell`, moved to the nearest case that differs from the next.
    fn cut(&self, [low, high]: [usize; 2], bounds: [f64; 2], cell: usize, vertices: &mut Vec<f64>) {
        if high - low < cell {
            return;
        }
        // Positions are counted from 1 where the tree's own definition halves them.
        let middle = usize::midpoint(low + 1, high + 1) - 1;
        let inside = |m: &Option<usize>| m.is_some_and(|m| m >= low && m < high);
        let nearby = (0..=high - low).flat_map(|d| [middle.checked_add(d), middle.checked_sub(d)]);
        let differs = |&m: &usize| self.x[m] != self.x[m + 1];
        let at = nearby.take_while(inside).flatten().find(differs).unwrap_or(middle);
        let value = self.x[at];
        if bounds.contains(&value) {
            return;
        }
        vertices.push(value);
        self.cut([low, at], [bounds[0], value], cell, vertices);
        if at < high {
            self.cut([at + 1, high], [value, bounds[1]], cell, vertices);
        }
    }

    /// Cleveland's lowess without robustness iterations.
    fn lowess(&self, span: f64) -> Result<Vec<f64>, Undefined> {
        let n = self.count();
        if n < 2 {
            return Err(Undefined::TooFew);
        }
        if self.constant() {
            return Err(Undefined::Constant);
        }
        let k = neighbours(n, span, 1e-10).max(2);
        let fit = |i: usize| self.line(i, k);
        Ok((0..n).into_par_iter().map(fit).collect())
    }

    /// The local line at case `i`; its own outcome where fewer than two cases have weight.
    fn line(&self, i: usize, k: usize) -> f64 {
        let at = self.x[i];
        let [start, end] = self.window(at, k);
        let radius = (at - self.x[start]).max(self.x[end - 1] - at);
        let weight = |x: f64| {
            let share = (x - at).abs() / radius;
            (1.0 - share.powi(3)).max(0.0).powi(3)
        };
        let xs = &self.x[start..end];
        let weights: Vec<f64> = xs.iter().map(|&x| if radius > 0.0 { weight(x) } else { 0.0 }).collect();
        if weights.iter().filter(|&&w| w > 1e-12).count() < 2 {
            return self.y[i];
        }
        let total = sum(weights.iter().copied());
        let centre = sum(weights.iter().zip(xs).map(|(w, x)| w * x)) / total;
        let spread = sum(weights.iter().zip(xs).map(|(w, x)| w * (x - centre).powi(2))) / total;
        let slope = (at - centre) / spread.max(1e-12);
        let terms = weights.iter().zip(xs).zip(&self.y[start..end]);
        sum(terms.map(|((w, x), y)| w / total * (1.0 + slope * (x - centre)) * y))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Least squares of three columns by singular values (Hestenes' one-sided rotations), the columns scaled to length
/// 1 first; directions of relative size below 100 epsilons are left out, as R's `loess` does.
fn least_squares(mut columns: [Vec<f64>; 3], target: &[f64]) -> [f64; 3] {
    let norms = [0, 1, 2].map(|j: usize| {
        let norm = dot(&columns[j], &columns[j]).sqrt();
        if norm > 0.0 { norm } else { 1.0 }
    });
    for (column, norm) in columns.iter_mut().zip(norms) {
        for value in column.iter_mut() {
            *value /= norm;
        }
    }
    let mut turns = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..30 {
        let mut done = true;
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            done &= rotate(&mut columns, &mut turns, p, q);
        }
        if done {
            break;
        }
    }
    let sizes = [0, 1, 2].map(|j: usize| dot(&columns[j], &columns[j]).sqrt());
    let least = sizes.iter().fold(0.0_f64, |m, &s| m.max(s)) * 100.0 * f64::EPSILON;
    let mut fit = [0.0; 3];
    for j in 0..3 {
        if sizes[j] > least {
            let part = dot(&columns[j], target) / (sizes[j] * sizes[j]);
            for (i, value) in fit.iter_mut().enumerate() {
                *value += turns[i][j] * part;
            }
        }
    }
    [fit[0] / norms[0], fit[1] / norms[1], fit[2] / norms[2]]
}

/// Turns two columns until they are orthogonal; true if they were.
#[expect(clippy::many_single_char_names, reason = "the names of the rotation's own formulas")]
fn rotate(columns: &mut [Vec<f64>; 3], turns: &mut [[f64; 3]; 3], p: usize, q: usize) -> bool {
    let (pp, qq) = (dot(&columns[p], &columns[p]), dot(&columns[q], &columns[q]));
    let pq = dot(&columns[p], &columns[q]);
    if pq.abs() <= 1e-17 * (pp * qq).sqrt() || pq == 0.0 {
        return true;
    }
    let zeta = (qq - pp) / (2.0 * pq);
    let t = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
    let c = (1.0 + t * t).sqrt().recip();
    let s = c * t;
    for i in 0..columns[p].len() {
        let (a, b) = (columns[p][i], columns[q][i]);
        columns[p][i] = c * a - s * b;
        columns[q][i] = s * a + c * b;
    }
    for row in turns.iter_mut() {
        let (a, b) = (row[p], row[q]);
        row[p] = c * a - s * b;
        row[q] = s * a + c * b;
    }
    false
}
