//! Intervals for a proportion, such as a sensitivity.

use super::auc::two_sided_z;
use crate::InputError;
use crate::inference::beta_lower_quantile;

/// A number of successes among independent trials.
///
/// ```
/// use fiel_kernels::classification::Proportion;
/// let sensitivity = Proportion::new(21, 23)?;
/// let [low, high] = sensitivity.wilson(0.95)?;
/// assert!((low - 0.7320).abs() < 1e-4 && (high - 0.9758).abs() < 1e-4);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Proportion {
    successes: u64,
    trials: u64,
}

impl Proportion {
    /// Checks that there are trials and no more successes than trials.
    ///
    /// # Errors
    /// [`InputError::Empty`] without trials, [`InputError::TooLarge`] for more successes than trials.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// assert!(Proportion::new(3, 3).is_ok());
    /// assert!(Proportion::new(4, 3).is_err() && Proportion::new(0, 0).is_err());
    /// ```
    pub fn new(successes: u64, trials: u64) -> Result<Self, InputError> {
        if trials == 0 {
            return Err(InputError::Empty("trials"));
        }
        if successes > trials {
            return Err(InputError::TooLarge { what: "successes", found: successes, limit: trials });
        }
        Ok(Self { successes, trials })
    }

    /// Successes over trials.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// assert_eq!(Proportion::new(3, 4)?.share(), 0.75);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn share(&self) -> f64 {
        self.successes as f64 / self.trials as f64
    }

    /// Wilson's score interval: the one to use unless coverage must be guaranteed.
    ///
    /// Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927),
    /// <https://doi.org/10.1080/01621459.1927.10502953>.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// assert_eq!(Proportion::new(0, 5)?.wilson(0.95)?[0], 0.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn wilson(&self, level: f64) -> Result<[f64; 2], InputError> {
        let z = two_sided_z(level)?;
        let (n, share) = (self.trials as f64, self.share());
        let square = z * z / n;
        let centre = (share + square / 2.0) / (1.0 + square);
        let half_width = z / (1.0 + square) * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt();
        // Without successes the ends are 0 exactly, and 1 without failures; rounding must not say otherwise.
        let low = if self.successes == 0 { 0.0 } else { centre - half_width };
        let high = if self.successes == self.trials { 1.0 } else { centre + half_width };
        Ok([low, high])
    }

    /// Clopper and Pearson's "exact" interval: covers at least as often as it says, and is wide for that.
    ///
    /// Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), <https://doi.org/10.1093/biomet/26.4.404>.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// let [low, high] = Proportion::new(5, 5)?.clopper_pearson(0.95)?;
    /// assert!((low - 0.025_f64.powf(0.2)).abs() < 1e-14 && high == 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn clopper_pearson(&self, level: f64) -> Result<[f64; 2], InputError> {
        two_sided_z(level)?;
        let outside = (1.0 - level) / 2.0;
        let (hits, misses) = (self.successes as f64, (self.trials - self.successes) as f64);
        let low = if self.successes == 0 { 0.0 } else { beta_lower_quantile(outside, hits, misses + 1.0) };
        let high = if self.successes == self.trials {
            1.0
        } else {
            beta_lower_quantile(1.0 - outside, hits + 1.0, misses)
        };
        Ok([low, high])
    }

    /// Jeffreys' interval: equal tails of the posterior under the prior Beta(1/2, 1/2).
    ///
    /// Source: L. D. Brown, T. T. Cai, A. DasGupta, Statistical Science 16 (2001),
    /// <https://doi.org/10.1214/ss/1009213286>. The ends are those of the posterior, also without successes or without
    /// failures.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// let [low, high] = Proportion::new(2, 4)?.jeffreys(0.95)?;
    /// assert!((low + high - 1.0).abs() < 1e-14);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn jeffreys(&self, level: f64) -> Result<[f64; 2], InputError> {
        two_sided_z(level)?;
        let outside = (1.0 - level) / 2.0;
        let (hits, misses) = (self.successes as f64 + 0.5, (self.trials - self.successes) as f64 + 0.5);
        Ok([outside, 1.0 - outside].map(|p| beta_lower_quantile(p, hits, misses)))
    }

    /// Agresti and Coull's interval: Wald's with z²/2 successes and as many failures added, cut at 0 and 1.
    ///
    /// Source: A. Agresti, B. A. Coull, The American Statistician 52 (1998),
    /// <https://doi.org/10.1080/00031305.1998.10480550>.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// assert_eq!(Proportion::new(5, 5)?.agresti_coull(0.95)?[1], 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn agresti_coull(&self, level: f64) -> Result<[f64; 2], InputError> {
        let z = two_sided_z(level)?;
        let n = self.trials as f64 + z * z;
        Ok(wald((self.successes as f64 + z * z / 2.0) / n, n, z))
    }

    /// Wald's interval, cut at 0 and 1: for comparison only, since it covers too seldom near 0 and 1.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Proportion;
    /// assert_eq!(Proportion::new(5, 5)?.wald(0.95)?, [1.0, 1.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn wald(&self, level: f64) -> Result<[f64; 2], InputError> {
        Ok(wald(self.share(), self.trials as f64, two_sided_z(level)?))
    }
}

fn wald(share: f64, n: f64, z: f64) -> [f64; 2] {
    let half_width = z * (share * (1.0 - share) / n).sqrt();
    [(share - half_width).max(0.0), (share + half_width).min(1.0)]
}
