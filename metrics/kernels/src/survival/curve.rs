//! Kaplan-Meier curves of events and of censoring.

use super::concordance::Horizon;
use super::confidence::Confidence;
use super::times::{Step, SurvivalTimes};
use crate::Undefined;

/// On which scale an interval of a survival probability is symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntervalScale {
    /// Symmetric in log(-log S), so that it stays within 0 and 1 (Kalbfleisch and Prentice; the default of lifelines).
    #[default]
    LogLog,
    /// Symmetric in S (Greenwood), cut to 0 and 1.
    Plain,
}

/// The Kaplan-Meier estimate: the probability of being free of the event, as a step function of time.
///
/// Of equal times, events come before censoring. Source: Kaplan and Meier 1958, doi:10.1080/01621459.1958.10501452.
///
/// ```
/// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
/// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0, 3.0, 4.0], &[true, false, true, true])?);
/// assert_eq!(curve.times(), [1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(curve.survival(), [0.75, 0.75, 0.375, 0.0]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct KaplanMeier {
    times: Vec<f64>,
    survival: Vec<f64>,
    at_risk: Vec<u64>,
    events: Vec<u64>,
    /// Greenwood's sum of d / (n (n - d)) up to each time; infinite once nobody is left.
    greenwood: Vec<f64>,
}

impl KaplanMeier {
    /// The estimate with one step at each distinct time, censored ones included.
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.survival(), [0.5, 0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(times: &SurvivalTimes) -> Self {
        let steps: Vec<_> = times.steps().collect();
        let mut sum = 0.0;
        let greenwood = |s: &Step| {
            sum += s.events as f64 / (s.at_risk as f64 * (s.at_risk - s.events) as f64);
            sum
        };
        Self {
            survival: product_limit(steps.iter().map(|s| (s.at_risk, s.events))),
            greenwood: steps.iter().map(greenwood).collect(),
            times: steps.iter().map(|s| s.time).collect(),
            at_risk: steps.iter().map(|s| s.at_risk).collect(),
            events: steps.iter().map(|s| s.events).collect(),
        }
    }

    /// The distinct times, ascending.
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.times(), [1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The probability of being free of the event from each time on, until the next.
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.survival(), [0.5, 0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn survival(&self) -> &[f64] {
        &self.survival
    }

    /// Cases at risk just before each time.
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.at_risk(), [2, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at_risk(&self) -> &[u64] {
        &self.at_risk
    }

    /// Events at each time.
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.events(), [1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn events(&self) -> &[u64] {
        &self.events
    }

    /// The probability of being free of the event after a time: 1 before the first time.
    ///
    /// # Errors
    /// [`Undefined::BeyondFollowUp`] after the last time, unless the estimate is 0 there (it then stays 0).
    ///
    /// ```
    /// use fiel_kernels::{Undefined, survival::{KaplanMeier, SurvivalTimes}};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.at(0.5), Ok(1.0));
    /// assert_eq!(curve.at(1.0), Ok(0.5));
    /// assert_eq!(curve.at(2.5), Err(Undefined::BeyondFollowUp));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn at(&self, time: f64) -> Result<f64, Undefined> {
        step_at(&self.times, &self.survival, time)
    }

    /// The variance of the estimate after a time, by Greenwood's formula; 0 where the estimate is 1 or 0.
    ///
    /// Source: Greenwood 1926; Kalbfleisch and Prentice 2002, section 1.4, doi:10.1002/9781118032985.
    ///
    /// # Errors
    /// [`Undefined::BeyondFollowUp`] as [`Self::at`].
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// assert_eq!(curve.variance_at(1.0), Ok(0.125));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn variance_at(&self, time: f64) -> Result<f64, Undefined> {
        let survival = self.at(time)?;
        if survival == 0.0 {
            return Ok(0.0);
        }
        Ok(survival * survival * self.greenwood_at(time))
    }

    /// An interval of the estimate after a time; [1, 1] where the estimate is 1 and [0, 0] where it is 0, since
    /// Greenwood's formula sees no variance there.
    ///
    /// # Errors
    /// [`Undefined::BeyondFollowUp`] as [`Self::at`].
    ///
    /// ```
    /// use fiel_kernels::survival::{Confidence, IntervalScale, KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0], &[true, false])?);
    /// let [lo, hi] = curve.interval_at(1.0, Confidence::new(0.95)?, IntervalScale::LogLog)?;
    /// assert!((lo - 0.005983087639145737).abs() < 1e-12 && (hi - 0.9104100848367374).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn interval_at(
        &self,
        time: f64,
        confidence: Confidence,
        scale: IntervalScale,
    ) -> Result<[f64; 2], Undefined> {
        let survival = self.at(time)?;
        if survival <= 0.0 || survival >= 1.0 {
            return Ok([survival; 2]);
        }
        let deviation = confidence.z() * self.greenwood_at(time).sqrt();
        Ok(match scale {
            IntervalScale::LogLog => {
                let factor = (deviation / survival.ln()).exp();
                [survival.powf(1.0 / factor), survival.powf(factor)]
            }
            IntervalScale::Plain => {
                [(survival - survival * deviation).max(0.0), (survival + survival * deviation).min(1.0)]
            }
        })
    }

    /// The earliest time after which the probability of being free of the event is at most 0.5.
    ///
    /// # Errors
    /// [`Undefined::NotReached`] when it never falls that low.
    ///
    /// ```
    /// use fiel_kernels::survival::{KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?);
    /// assert_eq!(curve.median(), Ok(2.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn median(&self) -> Result<f64, Undefined> {
        // A product of fractions may miss one half by rounding alone.
        let reached = self.survival.iter().position(|&s| s <= 0.5 * (1.0 + 1e-12));
        reached.map(|i| self.times[i]).ok_or(Undefined::NotReached)
    }

    /// The mean time free of the event up to a horizon (restricted mean survival time), in the unit of the times: the
    /// area under the curve; with its variance.
    ///
    /// Source: Royston and Parmar 2013, doi:10.1186/1471-2288-13-152; variance as Klein and Moeschberger 2003, 4.5.2
    /// (without a factor for small samples).
    ///
    /// # Errors
    /// [`Undefined::BeyondFollowUp`] when the curve does not reach the horizon.
    ///
    /// ```
    /// use fiel_kernels::survival::{Horizon, KaplanMeier, SurvivalTimes};
    /// let curve = KaplanMeier::new(&SurvivalTimes::new(&[1.0, 2.0, 4.0], &[true, true, false])?);
    /// let mean = curve.restricted_mean(Horizon::new(3.0)?)?;
    /// assert!((mean.mean - (1.0 + 2.0 / 3.0 + 1.0 / 3.0)).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restricted_mean(&self, horizon: Horizon) -> Result<RestrictedMean, Undefined> {
        let tau = horizon.time();
        self.at(tau)?;
        let within = self.times.partition_point(|&t| t < tau);
        // From the end: the area that lies beyond each time is what an event there puts at stake.
        let (mut area, mut variance, mut until) = (0.0, 0.0, tau);
        for i in (0..within).rev() {
            area += self.survival[i] * (until - self.times[i]);
            until = self.times[i];
            let (events, at_risk) = (self.events[i] as f64, self.at_risk[i] as f64);
            if self.events[i] < self.at_risk[i] {
                variance += area * area * events / (at_risk * (at_risk - events));
            }
        }
        Ok(RestrictedMean { mean: area + until, variance })
    }

    fn greenwood_at(&self, time: f64) -> f64 {
        match self.times.partition_point(|&t| t <= time) {
            0 => 0.0,
            n => self.greenwood[n - 1],
        }
    }
}

/// A restricted mean survival time, in the unit of the times, and its variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestrictedMean {
    /// The mean.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
}

/// The Kaplan-Meier estimate of being uncensored, from which inverse weights are taken.
///
/// Of equal times, events come before censoring, so that a case with an event does not count as at risk of being
/// censored then; the value *at* a time includes the censoring at that time (as scikit-survival's
/// `CensoringDistributionEstimator`).
///
/// ```
/// use fiel_kernels::survival::{CensoringDistribution, SurvivalTimes};
/// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[false, true, true])?;
/// assert_eq!(CensoringDistribution::new(&times).at(1.0), Ok(2.0 / 3.0));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CensoringDistribution {
    times: Vec<f64>,
    probabilities: Vec<f64>,
}

impl CensoringDistribution {
    /// The estimate from the times of a training set (or of the evaluated cases themselves).
    ///
    /// ```
    /// use fiel_kernels::survival::{CensoringDistribution, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, true])?;
    /// assert_eq!(CensoringDistribution::new(&times).at(2.0), Ok(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(training: &SurvivalTimes) -> Self {
        Self {
            times: training.steps().map(|s| s.time).collect(),
            probabilities: product_limit(training.steps().map(|s| (s.at_risk - s.events, s.censored))),
        }
    }

    /// The probability of being uncensored after a time: 1 before the first time.
    ///
    /// # Errors
    /// [`Undefined::BeyondFollowUp`] after the last training time, unless the estimate is 0 there.
    ///
    /// ```
    /// use fiel_kernels::survival::{CensoringDistribution, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// assert_eq!(CensoringDistribution::new(&times).at(9.0), Ok(0.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn at(&self, time: f64) -> Result<f64, Undefined> {
        step_at(&self.times, &self.probabilities, time)
    }

    /// The inverse of the probability of being uncensored after a time.
    ///
    /// # Errors
    /// [`Undefined::CensoringZero`] where the probability is 0; [`Undefined::BeyondFollowUp`] as [`Self::at`].
    ///
    /// ```
    /// use fiel_kernels::{Undefined, survival::{CensoringDistribution, SurvivalTimes}};
    /// let times = SurvivalTimes::new(&[1.0, 1.0, 2.0], &[true, false, false])?;
    /// let censoring = CensoringDistribution::new(&times);
    /// assert_eq!(censoring.weight(1.0), Ok(2.0));
    /// assert_eq!(censoring.weight(2.0), Err(Undefined::CensoringZero));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn weight(&self, time: f64) -> Result<f64, Undefined> {
        let probability = self.at(time)?;
        if probability == 0.0 {
            return Err(Undefined::CensoringZero);
        }
        Ok(1.0 / probability)
    }
}

/// The running product of (at risk - leaving) / at risk.
///
/// As long as nobody else leaves in between, the fractions cancel; taking the quotient of the first and the last count
/// instead of the product keeps such values exact (3 of 4 and 2 of 3 give 2 of 4).
fn product_limit(steps: impl Iterator<Item = (u64, u64)>) -> Vec<f64> {
    let (mut base, mut started, mut left, mut value) = (1.0, 0, 0, 1.0);
    let mut product = Vec::with_capacity(steps.size_hint().0);
    for (at_risk, leaving) in steps {
        if leaving > 0 {
            if at_risk != left {
                (base, started) = (value, at_risk);
            }
            left = at_risk - leaving;
            value = base * (left as f64 / started as f64);
        }
        product.push(value);
    }
    product
}

/// The value of a right-continuous step function that is 1 before its first step.
fn step_at(times: &[f64], values: &[f64], time: f64) -> Result<f64, Undefined> {
    let steps = times.partition_point(|&t| t <= time);
    if steps == 0 {
        return Ok(1.0);
    }
    let value = values[steps - 1];
    if steps == times.len() && time > times[steps - 1] && value > 0.0 {
        return Err(Undefined::BeyondFollowUp);
    }
    Ok(value)
}
