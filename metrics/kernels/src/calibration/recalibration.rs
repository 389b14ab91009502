//! Logistic recalibration: calibration slope and intercepts.

use super::bins::critical_value;
use super::forecasts::Forecasts;
use super::sums::{Sum, sum};
use crate::{InputError, Undefined};

/// An estimated coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error, from the expected information.
    pub standard_error: f64,
}

impl Estimate {
    /// Wald's interval of coverage `level`, strictly between 0 and 1.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level outside (0, 1).
    ///
    /// ```
    /// # use fiel_kernels::calibration::Estimate;
    /// let [low, high] = Estimate { value: 1.0, standard_error: 0.5 }.wald(0.95)?;
    /// assert!((low - 0.02).abs() < 1e-4 && (high - 1.98).abs() < 1e-4);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn wald(&self, level: f64) -> Result<[f64; 2], InputError> {
        let half = critical_value(level)? * self.standard_error;
        Ok([self.value - half, self.value + half])
    }
}

/// Logistic regression of the outcome on the logit of the probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recalibration {
    /// Calibration slope: 1 is best, below 1 means forecasts that are too extreme.
    pub slope: Estimate,
    /// Intercept fitted together with the slope: 0 is best.
    pub intercept: Estimate,
}

/// Newton's steps after which a fit is given up; a handful suffices unless the classes are nearly separated.
const STEPS_MAX: usize = 200;

/// The logits of the probabilities, clipped to [1e-12, 1 - 1e-12].
fn logits(forecasts: &Forecasts<'_>) -> Vec<f64> {
    let logit = |p: f64| {
        let p = p.clamp(Forecasts::LOGIT_CLIP, 1.0 - Forecasts::LOGIT_CLIP);
        (p / (1.0 - p)).ln()
    };
    forecasts.probabilities.iter().map(|&p| logit(p)).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + exp(x)) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Forecasts<'_> {
    /// Probabilities nearer to 0 and 1 than this are moved there before their logit is taken.
    pub const LOGIT_CLIP: f64 = 1e-12;

    /// Calibration slope and intercept: maximum likelihood of outcome ~ intercept + slope x logit(probability).
    ///
    /// Probabilities are clipped to [1e-12, 1 - 1e-12] first. Cox 1958, doi:10.1093/biomet/45.3-4.562;
    /// Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7.
    ///
    /// # Errors
    /// [`Undefined::OneClass`]; [`Undefined::Constant`] if all logits are equal; [`Undefined::Separated`] if some
    /// cut of the probabilities separates the classes, so that the likelihood has no maximum.
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let forecasts = Forecasts::new(&[0.2, 0.2, 0.8, 0.8], &[false, true, false, true])?;
    /// assert!(forecasts.recalibration()?.slope.value.abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recalibration(&self) -> Result<Recalibration, Undefined> {
        self.both_classes()?;
        let x = logits(self);
        separated(&x, self.labels)?;
        // Centred and scaled, so that neither far-off nor nearly equal logits spoil the equations.
        let count = x.len() as f64;
        let centre = sum(x.iter().copied()) / count;
        let scale = (sum(x.iter().map(|x| (x - centre).powi(2))) / count).sqrt();
        let z: Vec<f64> = x.iter().map(|x| (x - centre) / scale).collect();
        let ([a, b], [aa, ab, bb]) = newton(&z, self.labels)?;
        let shift = centre / scale;
        let variance = aa - 2.0 * shift * ab + shift * shift * bb;
        Ok(Recalibration {
            slope: Estimate { value: b / scale, standard_error: bb.sqrt() / scale },
            intercept: Estimate { value: a - b * shift, standard_error: variance.max(0.0).sqrt() },
        })
    }

    /// Calibration in the large: the intercept that fits best while the slope is held at 1 (offset logit p); 0 is
    /// best, above 0 means that too few events were forecast.
    ///
    /// Probabilities are clipped to [1e-12, 1 - 1e-12] first.
    ///
    /// # Errors
    /// [`Undefined::OneClass`].
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let forecasts = Forecasts::new(&[0.5; 4], &[true, true, true, false])?;
    /// assert!((forecasts.intercept_in_the_large()?.value - 3f64.ln()).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn intercept_in_the_large(&self) -> Result<Estimate, Undefined> {
        self.both_classes()?;
        let x = logits(self);
        // The excess of expected events rises with the intercept; the logits bound where it is zero.
        let reach = x.iter().fold(0.0_f64, |m, x| m.max(x.abs())) + (self.count() as f64).ln() + 1.0;
        let (mut low, mut high, mut a) = (-reach, reach, 0.0);
        let mut information = 0.0;
        for _ in 0..STEPS_MAX {
            let (mut parts, mut whole, mut weight) = (Sum::default(), 0.0, Sum::default());
            for (&x, &y) in x.iter().zip(self.labels) {
                // Near 1 an expectation has lost its digits: the 1 is counted apart from what is missing to it.
                let (event, miss) = (sigmoid(a + x), sigmoid(-a - x));
                let above = event > miss;
                parts.add(if above { -miss } else { event });
                whole += f64::from(u8::from(above)) - f64::from(u8::from(y));
                weight.add(event * miss);
            }
            information = weight.total();
            let excess = whole + parts.total();
            if excess > 0.0 {
                high = a;
            } else {
                low = a;
            }
            let newton = a - excess / information;
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            let step = next - a;
            a = next;
            if step.abs() <= 1e-15 * a.abs().max(1.0) {
                break;
            }
        }
        Ok(Estimate { value: a, standard_error: information.sqrt().recip() })
    }
}

/// Whether a cut of the logits separates the classes, be it with ties at the cut.
fn separated(x: &[f64], labels: &[bool]) -> Result<(), Undefined> {
    let range = |class: bool| {
        let of_class = x.iter().zip(labels).filter(move |&(_, &y)| y == class).map(|(&x, _)| x);
        of_class.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], x| [l.min(x), h.max(x)])
    };
    let (negatives, positives) = (range(false), range(true));
    if negatives == positives && negatives[0] == negatives[1] {
        return Err(Undefined::Constant);
    }
    if negatives[1] <= positives[0] || positives[1] <= negatives[0] {
        return Err(Undefined::Separated);
    }
    Ok(())
}

/// Maximum likelihood of two coefficients with their covariance (intercept, both, slope).
fn newton(z: &[f64], labels: &[bool]) -> Result<([f64; 2], [f64; 3]), Undefined> {
    let likelihood = |[a, b]: [f64; 2]| {
        sum(z.iter().zip(labels).map(|(z, &y)| -softplus(if y { -(a + b * z) } else { a + b * z })))
    };
    let mut at = [0.0, 0.0];
    let mut best = likelihood(at);
    for _ in 0..STEPS_MAX {
        let (gradient, [haa, hab, hbb]) = derivatives(z, labels, at);
        let determinant = haa * hbb - hab * hab;
        if determinant <= 1e-14 * haa * hbb {
            break;
        }
        let covariance = [hbb / determinant, -hab / determinant, haa / determinant];
        let step = [
            covariance[0] * gradient[0] + covariance[1] * gradient[1],
            covariance[1] * gradient[0] + covariance[2] * gradient[1],
        ];
        if step[0].abs() <= 1e-12 * at[0].abs().max(1.0) && step[1].abs() <= 1e-12 * at[1].abs().max(1.0) {
            return Ok(([at[0] + step[0], at[1] + step[1]], covariance));
        }
        let mut part = 1.0;
        loop {
            let next = [at[0] + part * step[0], at[1] + part * step[1]];
            let value = likelihood(next);
            // Near the maximum the likelihood is flat to rounding.
            if value >= best - 1e-12 * best.abs() {
                (at, best) = (next, value);
                break;
            }
            part *= 0.5;
            if part < 1e-10 {
                return Err(Undefined::Separated);
            }
        }
    }
    // A finite maximum exists once the classes overlap; not finding it means that it is out of reach of numbers.
    Err(Undefined::Separated)
}

/// Gradient and information (intercept, both, slope) of the log likelihood.
fn derivatives(z: &[f64], labels: &[bool], [a, b]: [f64; 2]) -> ([f64; 2], [f64; 3]) {
    let (mut gradient, mut information) = ([Sum::default(); 2], [Sum::default(); 3]);
    for (&z, &y) in z.iter().zip(labels) {
        let (event, miss) = (sigmoid(a + b * z), sigmoid(-a - b * z));
        let residual = if y { miss } else { -event };
        let weight = event * miss;
        gradient[0].add(residual);
        gradient[1].add(residual * z);
        information[0].add(weight);
        information[1].add(weight * z);
        information[2].add(weight * z * z);
    }
    (gradient.map(Sum::total), information.map(Sum::total))
}
