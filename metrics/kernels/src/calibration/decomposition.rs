//! Murphy's decomposition of the Brier score over groups of forecasts.

use super::bins::Grouping;
use super::forecasts::Forecasts;
use super::sums::sum;
use crate::InputError;

/// Parts of the Brier score over groups, which add up to it exactly:
/// reliability - resolution + uncertainty + within-group variance - 2 x within-group covariance.
///
/// Murphy 1973, doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2; the within-group terms: Stephenson, Coelho and
/// Jolliffe 2008, doi:10.1175/2007WAF2006116.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Murphy {
    /// Mean squared gap of mean probability and share of events, weighted by cases; 0 is best.
    pub reliability: f64,
    /// Mean squared difference of the groups' and the overall share of events; larger is better.
    pub resolution: f64,
    /// Variance of the outcome: share of events times its complement.
    pub uncertainty: f64,
    /// Mean squared difference of probabilities and their group's mean.
    pub within_variance: f64,
    /// Mean product of the differences of probability and outcome from their group's means.
    pub within_covariance: f64,
}

impl Murphy {
    /// The Brier score that the parts add up to.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{Forecasts, Grouping};
    /// let parts = Forecasts::new(&[0.5, 1.0], &[true, false])?.murphy(Grouping::Distinct)?;
    /// assert_eq!(parts.brier(), 0.625);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn brier(&self) -> f64 {
        sum([
            self.reliability,
            -self.resolution,
            self.uncertainty,
            self.within_variance,
            -2.0 * self.within_covariance,
        ])
    }
}

impl Forecasts<'_> {
    /// Decomposes the Brier score over groups of forecasts.
    ///
    /// Cases that [`super::BinEdges::MetricsReloaded`] drops are left out.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a number of bins outside 1 to 1,024.
    ///
    /// ```
    /// use fiel_kernels::calibration::{Forecasts, Grouping};
    ///
    /// let forecasts = Forecasts::new(&[0.0, 0.0, 1.0, 1.0], &[false, false, true, true])?;
    /// let parts = forecasts.murphy(Grouping::Distinct)?;
    /// assert_eq!((parts.reliability, parts.resolution, parts.uncertainty), (0.0, 0.25, 0.25));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn murphy(&self, grouping: Grouping) -> Result<Murphy, InputError> {
        let groups = self.groups(grouping)?;
        let kept: usize = groups.iter().map(Vec::len).sum();
        let positives = groups.iter().flatten().filter(|&&i| self.labels[i]).count();
        // All cases may have been dropped: then every part is 0.
        let n = kept.max(1) as f64;
        let base = positives as f64 / n;
        let parts: Vec<[f64; 4]> = groups.iter().map(|g| self.group_parts(g, base)).collect();
        let total = |part: usize| sum(parts.iter().map(|p| p[part])) / n;
        Ok(Murphy {
            reliability: total(0),
            resolution: total(1),
            uncertainty: base * (1.0 - base),
            within_variance: total(2),
            within_covariance: total(3),
        })
    }

    /// What one group adds to reliability, resolution, variance and covariance.
    fn group_parts(&self, group: &[usize], base: f64) -> [f64; 4] {
        let n = group.len() as f64;
        let forecast = sum(group.iter().map(|&i| self.probabilities[i])) / n;
        let observed = group.iter().filter(|&&i| self.labels[i]).count() as f64 / n;
        let deviation = |i: usize| self.probabilities[i] - forecast;
        let outcome = |i: usize| f64::from(u8::from(self.labels[i])) - observed;
        [
            n * (forecast - observed).powi(2),
            n * (observed - base).powi(2),
            sum(group.iter().map(|&i| deviation(i).powi(2))),
            sum(group.iter().map(|&i| deviation(i) * outcome(i))),
        ]
    }
}
