//! Volumes of missed and of false lesions, and the distance between centres.

use super::overlaps::Overlaps;
use crate::components::Runs;
use crate::{InputError, Undefined};

/// Volume of the predicted components that share no voxel with any reference component, in millilitres.
///
/// `voxel_mm3` is the volume of a voxel in cubic millimetres. 0 when nothing is predicted.
///
/// # Errors
/// A voxel volume that is not finite and above 0.
///
/// # Source
/// autoPET challenge: Gatidis et al. (2024), doi:10.1038/s42256-024-00912-9 (components there are 18-connected).
///
/// ```
/// use fiel_kernels::components::{Components, Connectivity};
/// use fiel_kernels::instances::{Overlaps, false_negative_volume_ml, false_positive_volume_ml};
/// let reference = Components::of_mask(&[1, 1, 0, 0, 0], [1, 1, 5], Connectivity::Edges)?;
/// let prediction = Components::of_mask(&[0, 1, 0, 1, 1], [1, 1, 5], Connectivity::Edges)?;
/// let overlaps = Overlaps::between(&reference, &prediction)?;
/// assert_eq!(false_positive_volume_ml(&overlaps, 500.0)?, 1.0);
/// assert_eq!(false_negative_volume_ml(&overlaps, 500.0)?, 0.0);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn false_positive_volume_ml(overlaps: &Overlaps, voxel_mm3: f64) -> Result<f64, InputError> {
    let met = overlaps.pairs().iter().map(|pair| pair.prediction);
    unmet_volume(overlaps.prediction_voxels(), met, voxel_mm3)
}

/// Volume of the reference components that share no voxel with any predicted component, in millilitres.
///
/// `voxel_mm3` is the volume of a voxel in cubic millimetres. 0 when the reference is empty.
///
/// # Errors
/// A voxel volume that is not finite and above 0.
///
/// # Source
/// autoPET challenge: Gatidis et al. (2024), doi:10.1038/s42256-024-00912-9 (components there are 18-connected).
///
/// ```
/// use fiel_kernels::components::{Components, Connectivity};
/// use fiel_kernels::instances::{Overlaps, false_negative_volume_ml};
/// let reference = Components::of_mask(&[1, 1, 0, 1], [1, 1, 4], Connectivity::Edges)?;
/// let prediction = Components::of_mask(&[1, 0, 0, 0], [1, 1, 4], Connectivity::Edges)?;
/// let overlaps = Overlaps::between(&reference, &prediction)?;
/// assert_eq!(false_negative_volume_ml(&overlaps, 1.0)?, 0.001);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn false_negative_volume_ml(overlaps: &Overlaps, voxel_mm3: f64) -> Result<f64, InputError> {
    let met = overlaps.pairs().iter().map(|pair| pair.reference);
    unmet_volume(overlaps.reference_voxels(), met, voxel_mm3)
}

fn unmet_volume(voxels: &[u64], met: impl Iterator<Item = u32>, voxel_mm3: f64) -> Result<f64, InputError> {
    if !(voxel_mm3.is_finite() && voxel_mm3 > 0.0) {
        return Err(InputError::Setting {
            what: "voxel volume in cubic millimetres",
            value: voxel_mm3,
            expected: "finite and above 0",
        });
    }
    let mut unmet = voxels.to_vec();
    for number in met {
        unmet[number as usize] = 0;
    }
    Ok(unmet.iter().sum::<u64>() as f64 * voxel_mm3 / 1000.0)
}

/// Distance between the centres of mass of two masks, in millimetres.
///
/// `spacing_mm` is the distance between voxels along each axis. The outer error is about the input, the inner one says
/// why there is no distance.
///
/// # Errors
/// `InputError` for masks of different shapes or a spacing that is not finite and above 0;
/// `Undefined` when a mask is empty.
///
/// ```
/// use fiel_kernels::components::Runs;
/// use fiel_kernels::instances::centroid_distance_mm;
/// let reference = Runs::of_mask(&[1, 1, 1, 0], [1, 1, 4])?;
/// let prediction = Runs::of_mask(&[0, 0, 1, 1], [1, 1, 4])?;
/// assert_eq!(centroid_distance_mm(&reference, &prediction, [1.0, 1.0, 2.0])?, Ok(3.0));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn centroid_distance_mm(
    reference: &Runs,
    prediction: &Runs,
    spacing_mm: [f64; 3],
) -> Result<Result<f64, Undefined>, InputError> {
    if reference.shape() != prediction.shape() {
        return Err(InputError::Shape {
            left: "the reference",
            left_shape: reference.shape(),
            right: "the prediction",
            right_shape: prediction.shape(),
        });
    }
    if let Some((index, &value)) = spacing_mm.iter().enumerate().find(|(_, s)| !(s.is_finite() && **s > 0.0))
    {
        return Err(InputError::Value { what: "spacing", index, value, expected: "finite and above 0" });
    }
    let (reference, prediction) = match (reference.centroid(), prediction.centroid()) {
        (Some(reference), Some(prediction)) => (reference, prediction),
        (None, None) => return Ok(Err(Undefined::BothEmpty)),
        (None, Some(_)) => return Ok(Err(Undefined::ReferenceEmpty)),
        (Some(_), None) => return Ok(Err(Undefined::PredictionEmpty)),
    };
    let square = |axis: usize| ((reference[axis] - prediction[axis]) * spacing_mm[axis]).powi(2);
    Ok(Ok((square(0) + square(1) + square(2)).sqrt()))
}
