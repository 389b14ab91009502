//! Volumes in millilitres.

use super::Counts;
use crate::error::{InputError, Undefined};

/// Volume of one voxel: finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoxelVolume {
    cubic_mm: f64,
}

impl VoxelVolume {
    /// The volume of a voxel with these edges, millimetres.
    ///
    /// # Errors
    /// [`InputError::Value`] with the axis whose edge is not finite and above 0, [`InputError::Setting`] when the
    /// product is not.
    ///
    /// ```
    /// use fiel_kernels::overlap::VoxelVolume;
    /// assert_eq!(VoxelVolume::from_spacing_mm([1.0, 2.0, 4.0])?.cubic_mm(), 8.0);
    /// assert!(VoxelVolume::from_spacing_mm([1.0, 0.0, 4.0]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_spacing_mm(spacing_mm: [f64; 3]) -> Result<Self, InputError> {
        for (index, value) in spacing_mm.into_iter().enumerate() {
            if !(value.is_finite() && value > 0.0) {
                return Err(InputError::Value {
                    what: "spacing_mm",
                    index,
                    value,
                    expected: "finite and above 0",
                });
            }
        }
        Self::from_cubic_mm(spacing_mm.iter().product())
    }

    /// A voxel of this volume, cubic millimetres.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless it is finite and above 0.
    ///
    /// ```
    /// use fiel_kernels::overlap::VoxelVolume;
    /// assert_eq!(VoxelVolume::from_cubic_mm(1.6)?.cubic_mm(), 1.6);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_cubic_mm(cubic_mm: f64) -> Result<Self, InputError> {
        if cubic_mm.is_finite() && cubic_mm > 0.0 {
            Ok(Self { cubic_mm })
        } else {
            let expected = "finite and above 0";
            Err(InputError::Setting { what: "voxel volume in mm3", value: cubic_mm, expected })
        }
    }

    /// The volume in cubic millimetres.
    ///
    /// ```
    /// # use fiel_kernels::overlap::VoxelVolume;
    /// assert_eq!(VoxelVolume::from_cubic_mm(2.0)?.cubic_mm(), 2.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn cubic_mm(self) -> f64 {
        self.cubic_mm
    }

    /// The volume of so many voxels, millilitres.
    ///
    /// ```
    /// # use fiel_kernels::overlap::VoxelVolume;
    /// assert_eq!(VoxelVolume::from_cubic_mm(2.0)?.millilitres(3000), 6.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn millilitres(self, voxels: u64) -> f64 {
        voxels as f64 * self.cubic_mm / 1000.0
    }
}

impl Counts {
    /// Volume of the label in the reference, mL.
    ///
    /// ```
    /// # use fiel_kernels::overlap::{VoxelVolume, count_masks};
    /// let voxel = VoxelVolume::from_cubic_mm(500.0)?;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.reference_volume_ml(voxel), 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference_volume_ml(&self, voxel: VoxelVolume) -> f64 {
        voxel.millilitres(self.reference())
    }

    /// Volume of the label in the prediction, mL.
    ///
    /// ```
    /// # use fiel_kernels::overlap::{VoxelVolume, count_masks};
    /// let voxel = VoxelVolume::from_cubic_mm(500.0)?;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.prediction_volume_ml(voxel), 0.5);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction_volume_ml(&self, voxel: VoxelVolume) -> f64 {
        voxel.millilitres(self.prediction())
    }

    /// Predicted volume minus reference volume, mL: below 0 when the prediction is too small.
    ///
    /// ```
    /// # use fiel_kernels::overlap::{VoxelVolume, count_masks};
    /// let voxel = VoxelVolume::from_cubic_mm(500.0)?;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.volume_error_ml(voxel), -0.5);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn volume_error_ml(&self, voxel: VoxelVolume) -> f64 {
        // The difference is taken in voxels, so equal volumes give exactly 0.
        if self.prediction() >= self.reference() {
            voxel.millilitres(self.prediction() - self.reference())
        } else {
            -voxel.millilitres(self.reference() - self.prediction())
        }
    }

    /// Size of the difference of the volumes, mL.
    ///
    /// ```
    /// # use fiel_kernels::overlap::{VoxelVolume, count_masks};
    /// let voxel = VoxelVolume::from_cubic_mm(500.0)?;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.absolute_volume_error_ml(voxel), 0.5);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn absolute_volume_error_ml(&self, voxel: VoxelVolume) -> f64 {
        voxel.millilitres(self.prediction().abs_diff(self.reference()))
    }

    /// (Predicted - reference volume) / reference volume, at least -1; undefined when the reference is empty.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_masks;
    /// assert_eq!(count_masks(&[1, 1, 0], &[0, 1, 0])?.relative_volume_error(), Ok(-0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn relative_volume_error(&self) -> Result<f64, Undefined> {
        let (r, p) = (self.reference(), self.prediction());
        if r == 0 {
            return Err(Undefined::ReferenceEmpty);
        }
        let size = p.abs_diff(r) as f64 / r as f64;
        Ok(if p >= r { size } else { -size })
    }

    /// Volume predicted outside the reference, mL.
    ///
    /// ```
    /// # use fiel_kernels::overlap::{VoxelVolume, count_masks};
    /// let voxel = VoxelVolume::from_cubic_mm(500.0)?;
    /// assert_eq!(count_masks(&[1, 0, 0], &[0, 1, 1])?.false_positive_volume_ml(voxel), 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn false_positive_volume_ml(&self, voxel: VoxelVolume) -> f64 {
        voxel.millilitres(self.false_positive)
    }

    /// Volume of the reference that the prediction misses, mL.
    ///
    /// ```
    /// # use fiel_kernels::overlap::{VoxelVolume, count_masks};
    /// let voxel = VoxelVolume::from_cubic_mm(500.0)?;
    /// assert_eq!(count_masks(&[1, 0, 0], &[0, 1, 1])?.false_negative_volume_ml(voxel), 0.5);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn false_negative_volume_ml(&self, voxel: VoxelVolume) -> f64 {
        voxel.millilitres(self.false_negative)
    }
}
