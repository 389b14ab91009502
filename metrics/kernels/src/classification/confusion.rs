//! Counts of decisions between two classes, and what is computed from them.

use crate::{InputError, Undefined};

/// Counts of decisions between two classes.
///
/// Ratios without a denominator are undefined rather than 0 or 1: a policy may replace them by a number, knowingly.
///
/// ```
/// use fiel_kernels::classification::Confusion;
/// let counts = Confusion::from_labels(&[true, true, false, false, false], &[true, false, true, false, false])?;
/// assert_eq!((counts.true_positives, counts.false_positives), (1, 1));
/// assert_eq!(counts.accuracy(), Ok(0.6));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Confusion {
    /// Positive cases called positive.
    pub true_positives: u64,
    /// Negative cases called positive.
    pub false_positives: u64,
    /// Positive cases called negative.
    pub false_negatives: u64,
    /// Negative cases called negative.
    pub true_negatives: u64,
}

/// Defines methods that return a ratio of counts.
macro_rules! ratios {
    ($($(#[$meta:meta])* $name:ident = $numerator:expr, $denominator:expr, $missing:expr;)*) => {
        impl Confusion {
            $($(#[$meta])*
            pub fn $name(&self) -> Result<f64, Undefined> {
                let of = |count: fn(&Self) -> f64| count(self);
                ratio(of($numerator), of($denominator), $missing)
            })*
        }
    };
}

ratios! {
    /// Share of the cases decided rightly (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 0, true_negatives: 4 };
    /// assert_eq!(counts.accuracy(), Ok(0.875));
    /// ```
    accuracy = |c| c.tp() + c.tn(), Confusion::total, Undefined::TooFew;
    /// Sensitivity or recall: share of the positives called positive (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::NoPositive`] without positives.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.sensitivity(), Ok(0.75));
    /// ```
    sensitivity = Confusion::tp, Confusion::positives, Undefined::NoPositive;
    /// Specificity: share of the negatives called negative (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::OneClass`] without negatives.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.specificity(), Ok(0.8));
    /// ```
    specificity = Confusion::tn, Confusion::negatives, Undefined::OneClass;
    /// Positive predictive value or precision: share of those called positive that are (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::PredictionEmpty`] if no case is called positive.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.ppv(), Ok(0.75));
    /// ```
    ppv = Confusion::tp, |c| c.tp() + c.fp(), Undefined::PredictionEmpty;
    /// Negative predictive value: share of those called negative that are (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] if no case is called negative.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.npv(), Ok(0.8));
    /// ```
    npv = Confusion::tn, |c| c.tn() + c.fn_(), Undefined::ZeroDenominator;
    /// Jaccard index of the positives and those called positive (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`] if no case is positive or called so.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.jaccard(), Ok(0.6));
    /// ```
    jaccard = Confusion::tp, |c| c.tp() + c.fp() + c.fn_(), Undefined::BothEmpty;
    /// F1: the harmonic mean of sensitivity and positive predictive value (0 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`] if no case is positive or called so.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.f1(), Ok(0.75));
    /// ```
    f1 = |c| 2.0 * c.tp(), |c| 2.0 * c.tp() + c.fp() + c.fn_(), Undefined::BothEmpty;
    /// Positive likelihood ratio: sensitivity over 1 - specificity (0 upwards, higher is better).
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] without positives, without negatives or without false positives.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 3 };
    /// assert_eq!(counts.lr_positive(), Ok(3.0));
    /// ```
    lr_positive = |c| c.tp() * c.negatives(), |c| c.fp() * c.positives(), Undefined::ZeroDenominator;
    /// Negative likelihood ratio: 1 - sensitivity over specificity (0 upwards, lower is better).
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] without positives, without negatives or without true negatives.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 2, false_negatives: 1, true_negatives: 2 };
    /// assert_eq!(counts.lr_negative(), Ok(0.5));
    /// ```
    lr_negative = |c| c.fn_() * c.negatives(), |c| c.tn() * c.positives(), Undefined::ZeroDenominator;
    /// Diagnostic odds ratio: the odds of being called positive among positives over those among negatives.
    ///
    /// From 0 upwards, 1 for chance, higher is better.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] without false positives or without false negatives.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 4 };
    /// assert_eq!(counts.diagnostic_odds_ratio(), Ok(12.0));
    /// ```
    diagnostic_odds_ratio = |c| c.tp() * c.tn(), |c| c.fp() * c.fn_(), Undefined::ZeroDenominator;
}

pub(super) fn ratio(numerator: f64, denominator: f64, missing: Undefined) -> Result<f64, Undefined> {
    if denominator > 0.0 { Ok(numerator / denominator) } else { Err(missing) }
}

impl Confusion {
    /// Counts decisions of cases (`true`: positive, called positive).
    ///
    /// # Errors
    /// [`InputError::Length`], [`InputError::Empty`].
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// assert_eq!(Confusion::from_labels(&[true, false], &[true, true])?.false_positives, 1);
    /// assert!(Confusion::from_labels(&[true], &[]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_labels(reference: &[bool], predicted: &[bool]) -> Result<Self, InputError> {
        super::matrix::check_lengths(reference.len(), predicted.len())?;
        let mut cells = [0_u64; 4];
        for (&is, &called) in reference.iter().zip(predicted) {
            cells[usize::from(is) * 2 + usize::from(called)] += 1;
        }
        let [true_negatives, false_positives, false_negatives, true_positives] = cells;
        Ok(Self { true_positives, false_positives, false_negatives, true_negatives })
    }

    pub(super) fn tp(&self) -> f64 {
        self.true_positives as f64
    }

    pub(super) fn fp(&self) -> f64 {
        self.false_positives as f64
    }

    fn fn_(&self) -> f64 {
        self.false_negatives as f64
    }

    pub(super) fn tn(&self) -> f64 {
        self.true_negatives as f64
    }

    pub(super) fn positives(&self) -> f64 {
        self.tp() + self.fn_()
    }

    pub(super) fn negatives(&self) -> f64 {
        self.tn() + self.fp()
    }

    pub(super) fn total(&self) -> f64 {
        self.positives() + self.negatives()
    }

    /// Balanced accuracy: the mean over the classes that occur of the share decided rightly (0 to 1, higher is better).
    ///
    /// With one class only it is that class's share, as in scikit-learn.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] without cases.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 1 };
    /// assert_eq!(counts.balanced_accuracy(), Ok(0.625));
    /// ```
    pub fn balanced_accuracy(&self) -> Result<f64, Undefined> {
        match (self.sensitivity(), self.specificity()) {
            (Ok(sensitivity), Ok(specificity)) => Ok(f64::midpoint(sensitivity, specificity)),
            (Ok(only), Err(_)) | (Err(_), Ok(only)) => Ok(only),
            (Err(_), Err(_)) => Err(Undefined::TooFew),
        }
    }

    /// F-beta: the weighted harmonic mean of positive predictive value and sensitivity, the latter weighing beta
    /// squared times as much (0 to 1, higher is better).
    ///
    /// The inner result is [`Undefined::BothEmpty`] if no case is positive or called so.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a beta that is not a positive number.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 2, true_negatives: 4 };
    /// assert_eq!(counts.f_beta(2.0)?, Ok(0.625));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn f_beta(&self, beta: f64) -> Result<Result<f64, Undefined>, InputError> {
        if !(beta > 0.0 && beta.is_finite()) {
            return Err(InputError::Setting { what: "beta", value: beta, expected: "a positive number" });
        }
        let weight = beta * beta;
        let hits = (1.0 + weight) * self.tp();
        Ok(ratio(hits, hits + weight * self.fn_() + self.fp(), Undefined::BothEmpty))
    }

    /// Youden's index, sensitivity + specificity - 1 (-1 to 1, higher is better).
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if all cases are of one class.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 1 };
    /// assert_eq!(counts.youden(), Ok(0.25));
    /// ```
    pub fn youden(&self) -> Result<f64, Undefined> {
        match (self.sensitivity(), self.specificity()) {
            (Ok(sensitivity), Ok(specificity)) => Ok(sensitivity + specificity - 1.0),
            _ => Err(Undefined::OneClass),
        }
    }

    /// Matthews correlation coefficient (-1 to 1, higher is better).
    ///
    /// Source: B. W. Matthews, Biochimica et Biophysica Acta 405 (1975), <https://doi.org/10.1016/0005-2795(75)90109-9>.
    ///
    /// # Errors
    /// [`Undefined::Constant`] if all cases are of one class or are decided alike (scikit-learn says 0).
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 3 };
    /// assert_eq!(counts.mcc(), Ok(0.5));
    /// ```
    pub fn mcc(&self) -> Result<f64, Undefined> {
        let called = self.tp() + self.fp();
        let spread = (self.positives() * self.negatives() * (called * (self.tn() + self.fn_()))).sqrt();
        ratio(self.tp() * self.tn() - self.fp() * self.fn_(), spread, Undefined::Constant)
    }

    /// Cohen's kappa: agreement beyond chance (-1 to 1, higher is better).
    ///
    /// Source: J. Cohen, Educational and Psychological Measurement 20 (1960),
    /// <https://doi.org/10.1177/001316446002000104>.
    ///
    /// # Errors
    /// [`Undefined::Constant`] if reference and decisions are all of one and the same class.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 1, false_negatives: 1, true_negatives: 3 };
    /// assert_eq!(counts.kappa(), Ok(0.5));
    /// ```
    pub fn kappa(&self) -> Result<f64, Undefined> {
        let called = self.tp() + self.fp();
        let chance = self.positives() * (self.tn() + self.fn_()) + self.negatives() * called;
        ratio(2.0 * (self.tp() * self.tn() - self.fp() * self.fn_()), chance, Undefined::Constant)
    }

    /// Net benefit at a threshold probability: true positives per case less false positives per case weighted by the
    /// threshold's odds (below the prevalence, higher is better).
    ///
    /// Source: A. J. Vickers, E. B. Elkin, Medical Decision Making 26 (2006),
    /// <https://doi.org/10.1177/0272989X06295361>. The inner result is [`Undefined::TooFew`] without cases.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a threshold that is not at least 0 and below 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Confusion;
    /// let counts = Confusion { true_positives: 3, false_positives: 2, false_negatives: 1, true_negatives: 2 };
    /// assert_eq!(counts.net_benefit(0.2)?, Ok(0.3125));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn net_benefit(&self, threshold: f64) -> Result<Result<f64, Undefined>, InputError> {
        if !(0.0..1.0).contains(&threshold) {
            let expected = "at least 0 and below 1";
            return Err(InputError::Setting {
                what: "the threshold probability",
                value: threshold,
                expected,
            });
        }
        let defined = self.total() > 0.0;
        Ok(if defined { Ok(self.benefit(threshold / (1.0 - threshold))) } else { Err(Undefined::TooFew) })
    }

    /// Net benefit for odds at which a false positive outweighs a true positive; there must be cases.
    pub(super) fn benefit(&self, odds: f64) -> f64 {
        (self.tp() - self.fp() * odds) / self.total()
    }
}
