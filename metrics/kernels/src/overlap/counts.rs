//! Counts of a binary comparison and the measures that follow from them.

use crate::error::{InputError, Undefined};

/// How often reference and prediction agree and disagree on one label, in voxels.
///
/// Measures follow Taha & Hanbury 2015 (<https://doi.org/10.1186/s12880-015-0068-x>) and Maier-Hein et al. 2024
/// (<https://doi.org/10.1038/s41592-023-02151-z>). A measure without a value says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Voxels of the label in both.
    pub true_positive: u64,
    /// Voxels of the label in the prediction only.
    pub false_positive: u64,
    /// Voxels of the label in the reference only.
    pub false_negative: u64,
    /// Voxels of the label in neither.
    pub true_negative: u64,
}

/// The quotient of two counts, or the reason why there is none.
fn ratio(numerator: u64, denominator: u64, otherwise: Undefined) -> Result<f64, Undefined> {
    if denominator == 0 { Err(otherwise) } else { Ok(numerator as f64 / denominator as f64) }
}

impl Counts {
    /// Voxels of the label in the reference.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.reference(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference(&self) -> u64 {
        self.true_positive + self.false_negative
    }

    /// Voxels of the label in the prediction.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.prediction(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction(&self) -> u64 {
        self.true_positive + self.false_positive
    }

    /// All voxels.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.total(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn total(&self) -> u64 {
        self.reference() + self.false_positive + self.true_negative
    }

    /// Dice similarity, 2 TP / (|reference| + |prediction|), in [0, 1]; undefined when both are empty.
    ///
    /// Dice 1945, <https://doi.org/10.2307/1932409>.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::{Undefined, overlap::count_masks};
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 1])?.dice(), Ok(0.5));
    /// assert_eq!(count_masks(&[0], &[0])?.dice(), Err(Undefined::BothEmpty));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn dice(&self) -> Result<f64, Undefined> {
        ratio(2 * self.true_positive, self.reference() + self.prediction(), Undefined::BothEmpty)
    }

    /// Intersection over union (Jaccard), in [0, 1]; undefined when both are empty.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[0, 1, 1, 0])?.iou(), Ok(1.0 / 3.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn iou(&self) -> Result<f64, Undefined> {
        ratio(self.true_positive, self.reference() + self.false_positive, Undefined::BothEmpty)
    }

    /// F-beta, in [0, 1]: beta above 1 weighs sensitivity more; undefined when both are empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless beta is finite and above 0.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// let counts = count_masks(&[1, 1, 1, 0], &[1, 0, 0, 0])?;
    /// assert_eq!(counts.f_beta(1.0)?, counts.dice());
    /// assert!(counts.f_beta(2.0)?.is_ok_and(|f2| (f2 - 5.0 / 13.0).abs() < 1e-15));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn f_beta(&self, beta: f64) -> Result<Result<f64, Undefined>, InputError> {
        if !(beta.is_finite() && beta > 0.0) {
            return Err(InputError::Setting { what: "beta", value: beta, expected: "finite and above 0" });
        }
        if self.reference() + self.prediction() == 0 {
            return Ok(Err(Undefined::BothEmpty));
        }
        let (tp, fp, fne) =
            (self.true_positive as f64, self.false_positive as f64, self.false_negative as f64);
        // Weights that add up to 1: no beta, however large, can make infinity over infinity of it.
        let (miss, alarm) = (1.0 / (1.0 + (1.0 / beta).powi(2)), 1.0 / (1.0 + beta.powi(2)));
        Ok(Ok(if self.true_positive == 0 { 0.0 } else { tp / (tp + miss * fne + alarm * fp) }))
    }

    /// Sensitivity (recall, true positive rate), in [0, 1]; undefined when the reference is empty.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 1])?.sensitivity(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn sensitivity(&self) -> Result<f64, Undefined> {
        ratio(self.true_positive, self.reference(), Undefined::ReferenceEmpty)
    }

    /// Precision (positive predictive value), in [0, 1]; undefined when the prediction is empty.
    ///
    /// # Errors
    /// [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 0, 0, 0], &[1, 1, 1, 1])?.precision(), Ok(0.25));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn precision(&self) -> Result<f64, Undefined> {
        ratio(self.true_positive, self.prediction(), Undefined::PredictionEmpty)
    }

    /// Specificity (true negative rate), in [0, 1]; undefined when the reference fills the image.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] where the reference fills the image.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 0, 0, 0, 0], &[0, 1, 0, 0, 0])?.specificity(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn specificity(&self) -> Result<f64, Undefined> {
        ratio(self.true_negative, self.true_negative + self.false_positive, Undefined::ZeroDenominator)
    }

    /// Negative predictive value, in [0, 1]; undefined when the prediction fills the image.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] where the prediction fills the image.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[0, 1, 0, 1])?.npv(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn npv(&self) -> Result<f64, Undefined> {
        ratio(self.true_negative, self.true_negative + self.false_negative, Undefined::ZeroDenominator)
    }

    /// Share of voxels on which both agree, in [0, 1].
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] without a voxel.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[0, 1, 0, 0])?.accuracy(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn accuracy(&self) -> Result<f64, Undefined> {
        ratio(self.true_positive + self.true_negative, self.total(), Undefined::ZeroDenominator)
    }

    /// Mean of sensitivity and specificity, in [0, 1]; undefined where either is.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`]; [`Undefined::ZeroDenominator`] where the reference fills the image.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[0, 1, 0, 0])?.balanced_accuracy(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn balanced_accuracy(&self) -> Result<f64, Undefined> {
        Ok(0.5 * (self.sensitivity()? + self.specificity()?))
    }

    /// Sensitivity + specificity - 1 (Youden's J), in [-1, 1]; undefined where either is.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`]; [`Undefined::ZeroDenominator`] where the reference fills the image.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[0, 1, 0, 0])?.youden(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn youden(&self) -> Result<f64, Undefined> {
        Ok(self.sensitivity()? + self.specificity()? - 1.0)
    }

    /// Cohen's kappa, in [-1, 1]; undefined when both are empty or both fill the image.
    ///
    /// Cohen 1960, <https://doi.org/10.1177/001316446002000104>.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`]; [`Undefined::ZeroDenominator`] where both fill the image.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[0, 1, 0, 0])?.kappa(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn kappa(&self) -> Result<f64, Undefined> {
        let (r, p) = (u128::from(self.reference()), u128::from(self.prediction()));
        let n = u128::from(self.total());
        let denominator = p * (n - r) + r * (n - p);
        if denominator == 0 {
            return Err(if r == 0 { Undefined::BothEmpty } else { Undefined::ZeroDenominator });
        }
        Ok(2.0 * self.determinant() / denominator as f64)
    }

    /// Matthews' correlation coefficient, in [-1, 1]; undefined when either is empty or fills the image.
    ///
    /// Matthews 1975, <https://doi.org/10.1016/0005-2795(75)90109-9>.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`], [`Undefined::PredictionEmpty`];
    /// [`Undefined::ZeroDenominator`] where one fills the image.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0, 0], &[1, 1, 0, 0])?.mcc(), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mcc(&self) -> Result<f64, Undefined> {
        let (r, p, n) = (self.reference(), self.prediction(), self.total());
        match (r == 0, p == 0) {
            (true, true) => return Err(Undefined::BothEmpty),
            (true, false) => return Err(Undefined::ReferenceEmpty),
            (false, true) => return Err(Undefined::PredictionEmpty),
            (false, false) => {}
        }
        if r == n || p == n {
            return Err(Undefined::ZeroDenominator);
        }
        // Both products are below 2^128, and their roots are taken apart so that their product cannot overflow.
        let spread = |a: u64| (u128::from(a) * u128::from(n - a)) as f64;
        Ok((self.determinant() / (spread(r) * spread(p)).sqrt()).clamp(-1.0, 1.0))
    }

    /// Volumetric similarity, 1 - ||reference| - |prediction|| / (|reference| + |prediction|), in [0, 1]; undefined
    /// when both are empty.
    ///
    /// Taha & Hanbury 2015, <https://doi.org/10.1186/s12880-015-0068-x>.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 1, 0], &[0, 0, 0, 1])?.volumetric_similarity(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn volumetric_similarity(&self) -> Result<f64, Undefined> {
        let (r, p) = (self.reference(), self.prediction());
        Ok(1.0 - ratio(r.abs_diff(p), r + p, Undefined::BothEmpty)?)
    }

    /// TP x TN - FP x FN.
    fn determinant(&self) -> f64 {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let (agree, differ) = (
            product(self.true_positive, self.true_negative),
            product(self.false_positive, self.false_negative),
        );
        if agree >= differ { (agree - differ) as f64 } else { -((differ - agree) as f64) }
    }
}
