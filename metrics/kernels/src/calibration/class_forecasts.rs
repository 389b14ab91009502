//! Forecasts of several classes.

use super::bins::{Bins, Grouping};
use super::forecasts::{Forecasts, LogLossPolicy, check_lengths, refuse, surprise};
use super::sums::sum;
use crate::{InputError, Undefined};

/// Probabilities of two or more classes for each case, with the class that was true.
///
/// Row-major: the probabilities of one case stand together. Each row adds up to 1 within 1e-6.
///
/// ```
/// use fiel_kernels::calibration::ClassForecasts;
///
/// let forecasts = ClassForecasts::new(&[0.7, 0.2, 0.1, 0.1, 0.1, 0.8], 3, &[0, 2])?;
/// assert!((forecasts.brier() - 0.1).abs() < 1e-15);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ClassForecasts<'a> {
    probabilities: &'a [f64],
    classes: usize,
    labels: &'a [usize],
    /// Which case each forecast is of; each of its own where absent.
    cases: Option<&'a [usize]>,
}

impl<'a> ClassForecasts<'a> {
    /// Checks the input.
    ///
    /// # Errors
    /// Fewer than two classes, no cases, a length other than cases x classes, a value outside [0, 1], a row that does
    /// not add up to 1 within 1e-6, a label that is no class.
    ///
    /// ```
    /// use fiel_kernels::calibration::ClassForecasts;
    ///
    /// assert!(ClassForecasts::new(&[0.7, 0.3], 2, &[1]).is_ok());
    /// assert!(ClassForecasts::new(&[0.7, 0.4], 2, &[1]).is_err());
    /// assert!(ClassForecasts::new(&[0.7, 0.3], 2, &[2]).is_err());
    /// ```
    pub fn new(probabilities: &'a [f64], classes: usize, labels: &'a [usize]) -> Result<Self, InputError> {
        if classes < 2 {
            let expected = "2 or more";
            return Err(InputError::Setting {
                what: "the number of classes",
                value: classes as f64,
                expected,
            });
        }
        if probabilities.is_empty() {
            return Err(InputError::Empty("probabilities"));
        }
        check_lengths(probabilities.len(), labels.len().saturating_mul(classes))?;
        refuse(probabilities)?;
        for (index, row) in probabilities.chunks_exact(classes).enumerate() {
            let total = sum(row.iter().copied());
            if (total - 1.0).abs() > 1e-6 {
                let (what, expected) = ("sum of a row of probabilities", "1 within 1e-6");
                return Err(InputError::Value { what, index, value: total, expected });
            }
        }
        if let Some(index) = labels.iter().position(|&y| y >= classes) {
            let value = labels[index] as f64;
            return Err(InputError::Value { what: "label", index, value, expected: "the number of a class" });
        }
        Ok(Self { probabilities, classes, labels, cases: None })
    }

    /// The same forecasts as a sample with replacement: forecast `i` is a copy of the one of case `cases[i]`.
    ///
    /// What compares a case with all others ([`Self::kce`], [`Self::ece_kde`]) does not compare copies of one case: they
    /// agree by nature, and a bootstrap that took them for others would lie too high.
    ///
    /// # Errors
    /// A number of cases other than that of the forecasts.
    ///
    /// ```
    /// use fiel_kernels::calibration::{Bandwidth, ClassForecasts};
    ///
    /// let forecasts = ClassForecasts::new(&[0.6, 0.4, 0.6, 0.4, 0.3, 0.7], 2, &[0, 0, 1])?;
    /// let [whole, sample] = [forecasts, forecasts.drawn_from(&[7, 7, 3])?];
    /// assert!(whole.kce(Bandwidth::Fixed(1.0))?? > sample.kce(Bandwidth::Fixed(1.0))??);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drawn_from(self, cases: &'a [usize]) -> Result<Self, InputError> {
        check_lengths(cases.len(), self.labels.len())?;
        Ok(Self { cases: Some(cases), ..self })
    }

    /// Which case a forecast is of.
    pub(super) fn case(&self, i: usize) -> usize {
        self.cases.map_or(i, |cases| cases[i])
    }

    /// Number of cases.
    ///
    /// ```
    /// # use fiel_kernels::calibration::ClassForecasts;
    /// assert_eq!(ClassForecasts::new(&[0.7, 0.3], 2, &[1])?.count(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Number of classes.
    ///
    /// ```
    /// # use fiel_kernels::calibration::ClassForecasts;
    /// assert_eq!(ClassForecasts::new(&[0.7, 0.3], 2, &[1])?.classes(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn classes(&self) -> usize {
        self.classes
    }

    pub(super) fn row(&self, case: usize) -> &'a [f64] {
        &self.probabilities[case * self.classes..][..self.classes]
    }

    pub(super) fn label(&self, case: usize) -> usize {
        self.labels[case]
    }

    fn rows(&self) -> impl Iterator<Item = (&'a [f64], usize)> + '_ {
        self.probabilities.chunks_exact(self.classes).zip(self.labels.iter().copied())
    }

    /// Brier score summed over the classes: from 0 (best) to 2, twice the binary one for two classes.
    ///
    /// Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    ///
    /// ```
    /// # use fiel_kernels::calibration::ClassForecasts;
    /// assert_eq!(ClassForecasts::new(&[0.5, 0.5], 2, &[1])?.brier(), 0.5);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn brier(&self) -> f64 {
        let errors = self.rows().flat_map(|(row, label)| {
            row.iter().enumerate().map(move |(k, p)| (p - f64::from(u8::from(k == label))).powi(2))
        });
        sum(errors) / self.count() as f64
    }

    /// Root of the Brier score (MetricsReloaded's RBS), from 0 (best) to the root of 2.
    ///
    /// Gruber and Buettner 2022 (arXiv:2203.07835).
    ///
    /// ```
    /// # use fiel_kernels::calibration::ClassForecasts;
    /// assert_eq!(ClassForecasts::new(&[0.5, 0.5], 2, &[1])?.root_brier(), 0.5f64.sqrt());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn root_brier(&self) -> f64 {
        self.brier().sqrt()
    }

    /// Log loss: mean negative logarithm (nats) of the probability given to the true class.
    ///
    /// # Errors
    /// As [`Forecasts::log_loss`].
    ///
    /// ```
    /// # use fiel_kernels::calibration::{ClassForecasts, LogLossPolicy};
    /// let loss = ClassForecasts::new(&[0.5, 0.5], 2, &[1])?.log_loss(LogLossPolicy::Unclipped)??;
    /// assert!((loss - 2f64.ln()).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log_loss(&self, policy: LogLossPolicy) -> Result<Result<f64, Undefined>, InputError> {
        let clip = policy.bound()?;
        let loss =
            sum(self.rows().map(|(row, label)| surprise(row[label], true, clip))) / self.count() as f64;
        Ok(if loss.is_finite() { Ok(loss) } else { Err(Undefined::Infinite) })
    }

    /// Bins of the largest probability of each case against whether its class (the first, if several are as
    /// probable) was true; [`Bins::ece`] of it is the top-label calibration error.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a number of bins outside 1 to 1,024.
    ///
    /// Guo et al. 2017 (arXiv:1706.04599).
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, ClassForecasts, Grouping};
    /// let forecasts = ClassForecasts::new(&[0.25, 0.75], 2, &[1])?;
    /// let bins = forecasts.top_label_bins(Grouping::EqualWidth { bins: 10, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.ece(), 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn top_label_bins(&self, grouping: Grouping) -> Result<Bins, InputError> {
        let top = |row: &[f64]| {
            let rest = row.iter().enumerate().skip(1);
            rest.fold((0, row[0]), |best, (k, &p)| if p > best.1 { (k, p) } else { best })
        };
        let (confidence, right): (Vec<f64>, Vec<bool>) =
            self.rows().map(|(row, label)| (top(row).1, top(row).0 == label)).unzip();
        Forecasts { probabilities: &confidence, labels: &right }.bins(grouping)
    }

    /// Bins of the probabilities of one class against whether it was true.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a number of bins outside 1 to 1,024, or for a number that is no class.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, ClassForecasts, Grouping};
    /// let forecasts = ClassForecasts::new(&[0.25, 0.75], 2, &[1])?;
    /// let bins = forecasts.class_bins(0, Grouping::EqualWidth { bins: 10, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.bins()[2].count, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn class_bins(&self, class: usize, grouping: Grouping) -> Result<Bins, InputError> {
        if class >= self.classes {
            let (what, expected) = ("the class", "below the number of classes");
            return Err(InputError::Setting { what, value: class as f64, expected });
        }
        let (probabilities, labels): (Vec<f64>, Vec<bool>) =
            self.rows().map(|(row, label)| (row[class], label == class)).unzip();
        Forecasts { probabilities: &probabilities, labels: &labels }.bins(grouping)
    }

    /// Class-wise expected calibration error: the mean over classes of each one's error against the rest.
    ///
    /// Dropped cases ([`super::BinEdges::MetricsReloaded`]) still count in the denominator, as in MetricsReloaded.
    /// Kull et al. 2019 (arXiv:1910.12656).
    ///
    /// # Errors
    /// [`InputError::Setting`] for a number of bins outside 1 to 1,024.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, ClassForecasts, Grouping};
    /// let forecasts = ClassForecasts::new(&[0.25, 0.75], 2, &[1])?;
    /// let error = forecasts.classwise_ece(Grouping::EqualWidth { bins: 10, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(error, 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn classwise_ece(&self, grouping: Grouping) -> Result<f64, InputError> {
        let n = self.count() as f64;
        let error = |class: usize| {
            let bins = self.class_bins(class, grouping)?;
            let kept: usize = bins.bins().iter().map(|b| b.count).sum();
            Ok(bins.ece() * (kept as f64 / n))
        };
        let errors: Vec<f64> = (0..self.classes).map(error).collect::<Result<_, InputError>>()?;
        Ok(sum(errors) / self.classes as f64)
    }
}
