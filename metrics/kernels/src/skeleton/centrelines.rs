//! Centreline Dice and its two parts.

use super::{Thinning, positions};
use crate::components::Runs;
use crate::{InputError, Undefined};

/// How much of each mask's skeleton lies in the other mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Centrelines {
    /// Voxels of the reference's skeleton.
    pub reference: u64,
    /// Voxels of the reference's skeleton that lie in the prediction.
    pub reference_inside: u64,
    /// Voxels of the prediction's skeleton.
    pub prediction: u64,
    /// Voxels of the prediction's skeleton that lie in the reference.
    pub prediction_inside: u64,
}

impl Centrelines {
    /// Thins both masks (every value other than 0 is foreground) and counts.
    ///
    /// # Errors
    /// Masks that do not fit the shape, a shape with an axis of length 0 or of more than 2^31 voxels;
    /// [`Thinning::ZhangSuen`] for an image without an axis of length 1.
    ///
    /// ```
    /// use fiel_kernels::skeleton::{Centrelines, Thinning};
    /// let reference = [1, 1, 1, 1, 0, 0];
    /// let prediction = [0, 0, 1, 1, 1, 1];
    /// let lines = Centrelines::of(&reference, &prediction, [1, 1, 6], Thinning::ZhangSuen)?;
    /// assert_eq!(lines.cldice(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of(
        reference: &[u8],
        prediction: &[u8],
        shape: [usize; 3],
        thinning: Thinning,
    ) -> Result<Self, InputError> {
        let lines = |mask: &[u8]| positions(&Runs::of_mask(mask, shape)?, thinning);
        let (reference_line, prediction_line) = (lines(reference)?, lines(prediction)?);
        let inside = |line: &[usize], mask: &[u8]| line.iter().filter(|&&at| mask[at] != 0).count() as u64;
        Ok(Self {
            reference: reference_line.len() as u64,
            reference_inside: inside(&reference_line, prediction),
            prediction: prediction_line.len() as u64,
            prediction_inside: inside(&prediction_line, reference),
        })
    }

    /// Share of the prediction's skeleton that lies in the reference, in 0 to 1.
    ///
    /// # Errors
    /// `ZeroDenominator` when the prediction has no skeleton.
    ///
    /// ```
    /// use fiel_kernels::skeleton::{Centrelines, Thinning};
    /// let lines = Centrelines::of(&[1, 1, 1, 1], &[0, 1, 1, 1], [1, 1, 4], Thinning::Lee)?;
    /// assert_eq!(lines.topology_precision(), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn topology_precision(&self) -> Result<f64, Undefined> {
        share(self.prediction_inside, self.prediction)
    }

    /// Share of the reference's skeleton that lies in the prediction, in 0 to 1.
    ///
    /// # Errors
    /// `ZeroDenominator` when the reference has no skeleton.
    ///
    /// ```
    /// use fiel_kernels::skeleton::{Centrelines, Thinning};
    /// let lines = Centrelines::of(&[1, 1, 1, 1], &[0, 1, 1, 1], [1, 1, 4], Thinning::Lee)?;
    /// assert_eq!(lines.topology_sensitivity(), Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn topology_sensitivity(&self) -> Result<f64, Undefined> {
        share(self.reference_inside, self.reference)
    }

    /// Centreline Dice `cldice`: harmonic mean of topology precision and sensitivity, in 0 to 1.
    ///
    /// # Errors
    /// `ZeroDenominator` when a mask has no skeleton (an empty one, and some blocks of even width), or when neither
    /// skeleton meets the other mask, as MetricsReloaded and panoptica have it.
    ///
    /// # Source
    /// Shit et al. (2021), doi:10.1109/CVPR46437.2021.01629.
    ///
    /// ```
    /// use fiel_kernels::skeleton::{Centrelines, Thinning};
    /// let lines = Centrelines::of(&[1, 1, 1, 1], &[0, 1, 1, 1], [1, 1, 4], Thinning::Lee)?;
    /// assert_eq!(lines.cldice(), Ok(2.0 * 0.75 / 1.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn cldice(&self) -> Result<f64, Undefined> {
        let (precision, sensitivity) = (self.topology_precision()?, self.topology_sensitivity()?);
        if precision + sensitivity == 0.0 {
            return Err(Undefined::ZeroDenominator);
        }
        Ok(2.0 * precision * sensitivity / (precision + sensitivity))
    }
}

fn share(part: u64, whole: u64) -> Result<f64, Undefined> {
    if whole == 0 {
        return Err(Undefined::ZeroDenominator);
    }
    Ok(part as f64 / whole as f64)
}
