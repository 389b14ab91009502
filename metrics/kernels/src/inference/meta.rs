//! Random effects: one estimate and its variance per site, joined.

use super::bootstrap::{Confidence, check_finite};
use super::distributions::{chi_squared_upper, normal_upper_quantile, student_upper_quantile};
use crate::{InputError, Undefined};

/// Checked estimates of the sites, with the variance of each.
///
/// ```
/// use fiel_kernels::inference::{Confidence, HartungKnapp, SiteEstimates};
/// let sites = SiteEstimates::new(&[0.82, 0.91, 0.77], &[0.0004, 0.0009, 0.0006])?;
/// let pooled = sites.der_simonian_laird().expect("three sites");
/// assert!(0.77 < pooled.estimate && pooled.estimate < 0.91);
/// let [low, high] = pooled.hartung_knapp(HartungKnapp::AtLeastNormal, Confidence::P95);
/// assert!(low < pooled.estimate && pooled.estimate < high);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SiteEstimates {
    estimates: Vec<f64>,
    variances: Vec<f64>,
}

/// Random-effects estimate by DerSimonian and Laird, with the heterogeneity of the sites.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomEffects {
    /// Number of sites.
    pub sites: usize,
    /// Common-effect (inverse-variance) estimate.
    pub common_estimate: f64,
    /// Its standard error.
    pub common_standard_error: f64,
    /// Cochran's Q.
    pub q: f64,
    /// p-value of Q, chi-squared with one degree of freedom less than sites.
    pub q_p: f64,
    /// Share of the variation that lies between sites: max(0, (Q - df) / Q).
    pub i2: f64,
    /// Variance between sites, in squared units of the estimates.
    pub tau2: f64,
    /// Random-effects estimate.
    pub estimate: f64,
    /// Its standard error (Wald).
    pub standard_error: f64,
    /// Weighted mean square around the estimate: the factor of Hartung and Knapp on the variance.
    pub scale: f64,
}

/// What Hartung and Knapp's factor may do to the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HartungKnapp {
    /// Widen or narrow it.
    Plain,
    /// Widen it only: the factor is at least 1 (Röver et al. 2015, <https://doi.org/10.1186/s12874-015-0091-1>).
    AtLeastNormal,
}

impl SiteEstimates {
    /// Takes one estimate and one variance (squared standard error) per site.
    ///
    /// # Errors
    /// No site, lists of unequal length, a value that is not finite, a variance that is not above zero.
    ///
    /// ```
    /// use fiel_kernels::inference::SiteEstimates;
    /// assert!(SiteEstimates::new(&[0.8, 0.9], &[0.01, 0.02]).is_ok());
    /// let refused = SiteEstimates::new(&[0.8, 0.9], &[0.01, 0.0]).unwrap_err().to_string();
    /// assert!(refused.contains("above 0"), "{refused}");
    /// ```
    pub fn new(estimates: &[f64], variances: &[f64]) -> Result<Self, InputError> {
        if estimates.is_empty() {
            return Err(InputError::Empty("the sites' estimates"));
        }
        if estimates.len() != variances.len() {
            return Err(InputError::Length {
                left: "the sites' estimates",
                left_len: estimates.len(),
                right: "the sites' variances",
                right_len: variances.len(),
            });
        }
        check_finite("the sites' estimates", estimates)?;
        check_finite("the sites' variances", variances)?;
        if let Some(index) = variances.iter().position(|v| *v <= 0.0) {
            let (value, expected) = (variances[index], "above 0");
            return Err(InputError::Value { what: "the sites' variances", index, value, expected });
        }
        Ok(Self { estimates: estimates.to_vec(), variances: variances.to_vec() })
    }

    /// Weighted mean and sum of the weights, with `tau2` added to each variance.
    fn pooled(&self, tau2: f64) -> (f64, f64) {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (estimate, variance) in self.estimates.iter().zip(&self.variances) {
            let weight = 1.0 / (variance + tau2);
            weights += weight;
            sum += weight * estimate;
        }
        (sum / weights, weights)
    }

    /// Weighted sum of squares around `centre`.
    fn squares(&self, centre: f64, tau2: f64) -> f64 {
        let term = |(e, v): (&f64, &f64)| (e - centre) * (e - centre) / (v + tau2);
        self.estimates.iter().zip(&self.variances).map(term).sum()
    }

    /// Random-effects estimate with the moment estimator of the variance between sites (DerSimonian & Laird 1986,
    /// <https://doi.org/10.1016/0197-2456(86)90046-2>).
    ///
    /// # Errors
    /// Fewer than two sites.
    ///
    /// ```
    /// use fiel_kernels::inference::SiteEstimates;
    /// // Two equally precise sites that differ by more than their variances explain.
    /// let pooled = SiteEstimates::new(&[0.0, 2.0], &[1.0, 1.0])?.der_simonian_laird().expect("two sites");
    /// assert_eq!((pooled.q, pooled.i2, pooled.tau2), (2.0, 0.5, 1.0));
    /// assert_eq!((pooled.estimate, pooled.standard_error), (1.0, 1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn der_simonian_laird(&self) -> Result<RandomEffects, Undefined> {
        let sites = self.estimates.len();
        if sites < 2 {
            return Err(Undefined::TooFew);
        }
        let df = (sites - 1) as f64;
        let (common_estimate, weights) = self.pooled(0.0);
        let q = self.squares(common_estimate, 0.0);
        let squared_weights: f64 = self.variances.iter().map(|v| 1.0 / (v * v)).sum();
        let tau2 = ((q - df) / (weights - squared_weights / weights)).max(0.0);
        let (estimate, random_weights) = self.pooled(tau2);
        Ok(RandomEffects {
            sites,
            common_estimate,
            common_standard_error: (1.0 / weights).sqrt(),
            q,
            q_p: chi_squared_upper(q, df),
            i2: if q > df { (q - df) / q } else { 0.0 },
            tau2,
            estimate,
            standard_error: (1.0 / random_weights).sqrt(),
            scale: self.squares(estimate, tau2) / df,
        })
    }
}

impl RandomEffects {
    /// Wald interval: estimate and normal quantile times standard error.
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, SiteEstimates};
    /// let pooled = SiteEstimates::new(&[0.0, 2.0], &[1.0, 1.0])?.der_simonian_laird().expect("two sites");
    /// let [low, high] = pooled.interval(Confidence::P95); // 1 and 1.96 standard errors of 1
    /// assert!((low - -0.959_964).abs() < 1e-6 && (high - 2.959_964).abs() < 1e-6);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn interval(&self, confidence: Confidence) -> [f64; 2] {
        self.around(normal_upper_quantile(confidence.tail()) * self.standard_error)
    }

    /// Interval of Hartung and Knapp (2001, <https://doi.org/10.1002/sim.1009>; Sidik & Jonkman 2002), with
    /// Student's t of one degree of freedom less than sites.
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, HartungKnapp, SiteEstimates};
    /// let pooled = SiteEstimates::new(&[0.0, 2.0], &[1.0, 1.0])?.der_simonian_laird().expect("two sites");
    /// // A factor of 1, but one degree of freedom: 12.7 standard errors where the normal interval has 1.96.
    /// let [low, high] = pooled.hartung_knapp(HartungKnapp::Plain, Confidence::P95);
    /// assert!((low - -11.706_205).abs() < 1e-6 && (high - 13.706_205).abs() < 1e-6);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hartung_knapp(&self, variant: HartungKnapp, confidence: Confidence) -> [f64; 2] {
        let t = student_upper_quantile(confidence.tail(), (self.sites - 1) as f64);
        self.around(t * self.hartung_knapp_standard_error(variant))
    }

    /// Standard error of [`RandomEffects::hartung_knapp`].
    ///
    /// ```
    /// use fiel_kernels::inference::{HartungKnapp, SiteEstimates};
    /// let pooled = SiteEstimates::new(&[0.5, 0.5], &[0.01, 0.01])?.der_simonian_laird().expect("two sites");
    /// assert_eq!(pooled.hartung_knapp_standard_error(HartungKnapp::Plain), 0.0);
    /// assert_eq!(pooled.hartung_knapp_standard_error(HartungKnapp::AtLeastNormal), pooled.standard_error);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hartung_knapp_standard_error(&self, variant: HartungKnapp) -> f64 {
        let factor = match variant {
            HartungKnapp::Plain => self.scale,
            HartungKnapp::AtLeastNormal => self.scale.max(1.0),
        };
        self.standard_error * factor.sqrt()
    }

    /// Where the true value of a new site is expected (Higgins et al. 2009,
    /// <https://doi.org/10.1111/j.1467-985X.2008.00552.x>): Student's t of two degrees of freedom less than sites.
    ///
    /// # Errors
    /// Fewer than three sites.
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, SiteEstimates};
    /// let pooled = SiteEstimates::new(&[0.0, 1.0, 2.0], &[0.5; 3])?.der_simonian_laird().expect("three sites");
    /// // Variance between sites 1/2, of the estimate 1/3; one degree of freedom.
    /// let [low, high] = pooled.prediction_interval(Confidence::P95).expect("three sites");
    /// let half = 12.706_204_736 * (0.5f64 + 1.0 / 3.0).sqrt();
    /// assert!((low - (1.0 - half)).abs() < 1e-6 && (high - (1.0 + half)).abs() < 1e-6);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction_interval(&self, confidence: Confidence) -> Result<[f64; 2], Undefined> {
        if self.sites < 3 {
            return Err(Undefined::TooFew);
        }
        let t = student_upper_quantile(confidence.tail(), (self.sites - 2) as f64);
        Ok(self.around(t * (self.tau2 + self.standard_error * self.standard_error).sqrt()))
    }

    fn around(&self, half: f64) -> [f64; 2] {
        [self.estimate - half, self.estimate + half]
    }
}
