//! Two models on the same cases.

use super::{
    auc::{DeLong, mean_variance, two_sided_z},
    scores::check_lists,
    sort::{self, finite_range, order},
};
use crate::inference::normal_two_sided;
use crate::{InputError, Undefined};

/// Scores of two models for the same cases.
///
/// ```
/// use fiel_kernels::classification::PairedScores;
/// let labels = [true, true, true, false, false, false];
/// let (first, second) = ([0.9, 0.8, 0.4, 0.5, 0.2, 0.1], [0.6, 0.3, 0.7, 0.5, 0.4, 0.8]);
/// let paired = PairedScores::new(&first, &second, &labels)?.delong().unwrap();
/// assert!(paired.first.auc > paired.second.auc);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PairedScores<'a> {
    first: &'a [f64],
    second: &'a [f64],
    labels: &'a [bool],
}

/// Areas under the ROC curve of two models on the same cases, with DeLong's variances and covariance.
///
/// ```
/// use fiel_kernels::classification::{DeLong, PairedDeLong};
/// let (first, second) = (DeLong { auc: 0.9, variance: 0.02 }, DeLong { auc: 0.7, variance: 0.03 });
/// let paired = PairedDeLong { first, second, covariance: 0.005 };
/// assert!((paired.z().unwrap() - 1.0).abs() < 1e-12);
/// assert!((paired.p_two_sided().unwrap() - 0.3173).abs() < 1e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDeLong {
    /// Area and variance of the first model.
    pub first: DeLong,
    /// Area and variance of the second model.
    pub second: DeLong,
    /// Covariance of the two areas.
    pub covariance: f64,
}

impl PairedDeLong {
    /// Area of the first model less that of the second (-1 to 1).
    ///
    /// ```
    /// use fiel_kernels::classification::{DeLong, PairedDeLong};
    /// let (first, second) = (DeLong { auc: 0.75, variance: 0.02 }, DeLong { auc: 0.5, variance: 0.03 });
    /// assert_eq!(PairedDeLong { first, second, covariance: 0.005 }.difference(), 0.25);
    /// ```
    pub fn difference(&self) -> f64 {
        self.first.auc - self.second.auc
    }

    /// Variance of the difference.
    ///
    /// ```
    /// use fiel_kernels::classification::{DeLong, PairedDeLong};
    /// let (first, second) = (DeLong { auc: 0.75, variance: 0.25 }, DeLong { auc: 0.5, variance: 0.5 });
    /// assert_eq!(PairedDeLong { first, second, covariance: 0.125 }.variance(), 0.5);
    /// ```
    pub fn variance(&self) -> f64 {
        // A variance never is below zero; rounding could be.
        (self.first.variance + self.second.variance - 2.0 * self.covariance).max(0.0)
    }

    /// The difference in standard errors.
    ///
    /// # Errors
    /// [`Undefined::Constant`] if the difference has no variance: for two models of the same ranks, for instance.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::{DeLong, PairedDeLong}};
    /// let perfect = DeLong { auc: 1.0, variance: 0.0 };
    /// assert_eq!(PairedDeLong { first: perfect, second: perfect, covariance: 0.0 }.z(), Err(Undefined::Constant));
    /// ```
    pub fn z(&self) -> Result<f64, Undefined> {
        let variance = self.variance();
        // What rounding leaves of two equal variances is no variance.
        let rounding = 1e-14 * (self.first.variance + self.second.variance);
        if variance > rounding { Ok(self.difference() / variance.sqrt()) } else { Err(Undefined::Constant) }
    }

    /// Two-sided p value of DeLong's test that the areas are equal (0 to 1).
    ///
    /// # Errors
    /// [`Undefined::Constant`] if the difference has no variance.
    ///
    /// ```
    /// use fiel_kernels::classification::{DeLong, PairedDeLong};
    /// let (first, second) = (DeLong { auc: 0.75, variance: 0.02 }, DeLong { auc: 0.75, variance: 0.03 });
    /// assert_eq!(PairedDeLong { first, second, covariance: 0.0 }.p_two_sided(), Ok(1.0));
    /// ```
    pub fn p_two_sided(&self) -> Result<f64, Undefined> {
        self.z().map(normal_two_sided)
    }

    /// Wald's interval of the difference, cut at -1 and 1.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::{DeLong, PairedDeLong};
    /// let (first, second) = (DeLong { auc: 0.75, variance: 0.02 }, DeLong { auc: 0.75, variance: 0.03 });
    /// let [low, high] = PairedDeLong { first, second, covariance: 0.0 }.interval(0.95)?;
    /// assert!(low < 0.0 && low == -high);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn interval(&self, level: f64) -> Result<[f64; 2], InputError> {
        let half_width = two_sided_z(level)? * self.variance().sqrt();
        Ok([-half_width, half_width].map(|off| (self.difference() + off).clamp(-1.0, 1.0)))
    }
}

impl<'a> PairedScores<'a> {
    /// Checks two models' scores of the same cases, and the labels (`true`: the case is positive).
    ///
    /// # Errors
    /// Those of [`super::Scores::new`]; the second model's scores are named as such.
    ///
    /// ```
    /// use fiel_kernels::classification::PairedScores;
    /// assert!(PairedScores::new(&[0.1, 0.9], &[0.2, 0.3], &[false, true]).is_ok());
    /// assert!(PairedScores::new(&[0.1, 0.9], &[0.2], &[false, true]).is_err());
    /// ```
    pub fn new(first: &'a [f64], second: &'a [f64], labels: &'a [bool]) -> Result<Self, InputError> {
        check_lists(first.len(), labels.len())?;
        check_lists(second.len(), labels.len())?;
        for (what, scores) in [("the first model's scores", first), ("the second model's scores", second)] {
            finite_range(scores).map_err(|index| InputError::Value {
                what,
                index,
                value: scores[index],
                expected: "a finite number",
            })?;
        }
        Ok(Self { first, second, labels })
    }

    /// Both areas under the ROC curve with DeLong's variances and covariance.
    ///
    /// Source: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988),
    /// <https://doi.org/10.2307/2531595>; placements by sorting as in X. Sun, W. Xu, IEEE Signal Processing Letters 21
    /// (2014), <https://doi.org/10.1109/LSP.2014.2337313>.
    ///
    /// # Errors
    /// [`Undefined::OneClass`]; [`Undefined::TooFew`] if a class has a single case.
    ///
    /// ```
    /// use fiel_kernels::classification::PairedScores;
    /// let (scores, labels) = ([0.9, 0.4, 0.6, 0.1], [true, true, false, false]);
    /// let same = PairedScores::new(&scores, &scores, &labels)?.delong().unwrap();
    /// assert_eq!(same.covariance, same.first.variance);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn delong(&self) -> Result<PairedDeLong, Undefined> {
        let positives = self.labels.iter().filter(|&&label| label).count() as u64;
        let negatives = self.labels.len() as u64 - positives;
        if positives == 0 || negatives == 0 {
            return Err(Undefined::OneClass);
        }
        if positives == 1 || negatives == 1 {
            return Err(Undefined::TooFew);
        }
        let [first, second] = [self.first, self.second].map(|scores| placements(scores, self.labels));
        let sums = |class: bool| {
            let cases = first.iter().zip(&second).zip(self.labels);
            Sums::of(
                cases
                    .filter(|(_, label)| **label == class)
                    .map(|((&a, &b), _)| (u128::from(a), u128::from(b))),
            )
        };
        let [won, lost] = [sums(true), sums(false)];
        let pairs = 2.0 * positives as f64 * negatives as f64;
        let variance = |of: fn(&Sums) -> (u128, u128)| {
            let ((wins, wins_squared), (losses, losses_squared)) = (of(&won), of(&lost));
            mean_variance(positives, negatives, wins, wins_squared)
                + mean_variance(negatives, positives, losses, losses_squared)
        };
        Ok(PairedDeLong {
            first: DeLong {
                auc: won.first as f64 / pairs,
                variance: variance(|s| (s.first, s.first_squared)),
            },
            second: DeLong {
                auc: won.second as f64 / pairs,
                variance: variance(|s| (s.second, s.second_squared)),
            },
            covariance: won.mean_covariance(positives, negatives)
                + lost.mean_covariance(negatives, positives),
        })
    }
}

/// Sums over the cases of one class of two models' placements.
#[derive(Default)]
struct Sums {
    first: u128,
    second: u128,
    first_squared: u128,
    second_squared: u128,
    product: u128,
}

impl Sums {
    fn of(cases: impl Iterator<Item = (u128, u128)>) -> Self {
        cases.fold(Self::default(), |sums, (a, b)| Self {
            first: sums.first + a,
            second: sums.second + b,
            first_squared: sums.first_squared + a * a,
            second_squared: sums.second_squared + b * b,
            product: sums.product + a * b,
        })
    }

    fn mean_covariance(&self, n: u64, others: u64) -> f64 {
        // Both products are below 2^127: counts are below 2^31, placements below 2^32.
        let spread = (u128::from(n) * self.product).cast_signed() - (self.first * self.second).cast_signed();
        let (n, others) = (n as f64, others as f64);
        spread as f64 / (n * n * (n - 1.0) * 4.0 * others * others)
    }
}

/// For each positive, twice the number of negatives below it plus those at its score; for each negative the same of
/// positives.
fn placements(scores: &[f64], labels: &[bool]) -> Vec<u64> {
    let mut placements = vec![0; scores.len()];
    let (mut positives, mut negatives) = (0, 0);
    for group in sort::tied(scores, &order(scores)) {
        let of_group = group.iter().filter(|&&case| labels[case as usize]).count() as u64;
        let others = group.len() as u64 - of_group;
        for &case in group {
            let is_positive = labels[case as usize];
            placements[case as usize] =
                if is_positive { 2 * negatives + others } else { 2 * positives + of_group };
        }
        positives += of_group;
        negatives += others;
    }
    placements
}
