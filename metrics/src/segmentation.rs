//! Overlap and volume of a predicted mask against its reference.

use fiel_kernels::ImageError;
use fiel_kernels::image::Volume;
use rayon::prelude::*;

/// The measurements of one case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SegmentationCase {
    /// Dice similarity; `None` where both masks are empty.
    pub dice: Option<f64>,
    /// Intersection over union; `None` where both masks are empty.
    pub iou: Option<f64>,
    /// Absolute difference of the volumes, millilitres.
    pub volume_error_ml: f64,
    /// Volume of the reference, millilitres.
    pub reference_ml: f64,
    /// Volume of the prediction, millilitres.
    pub prediction_ml: f64,
}

/// Voxels counted at once by one thread.
const CHUNK: usize = 1 << 16;

/// Compares two masks that lie on the same grid (every corner within 1e-3 mm).
///
/// Labels above 1 are an error: a metric that silently took them for foreground would hide a wrong file.
pub fn measure(reference: &Volume<u8>, prediction: &Volume<u8>) -> Result<SegmentationCase, ImageError> {
    if !reference.geometry.same_grid(&prediction.geometry) {
        return Err(ImageError::Geometry {
            reference: reference.geometry.to_string(),
            prediction: prediction.geometry.to_string(),
        });
    }
    for volume in [reference, prediction] {
        check(volume)?;
    }
    let [both, of_reference, of_prediction] = reference
        .data
        .par_chunks(CHUNK)
        .zip(prediction.data.par_chunks(CHUNK))
        .map(|(r, p)| count(r, p))
        .reduce(|| [0; 3], |a, b| std::array::from_fn(|i| a[i] + b[i]));
    let (sum, union) = (of_reference + of_prediction, of_reference + of_prediction - both);
    let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let millilitres = |voxels: u64| voxels as f64 * reference.geometry.voxel_mm3() / 1000.0;
    Ok(SegmentationCase {
        dice: ratio(2 * both, sum),
        iou: ratio(both, union),
        volume_error_ml: millilitres(of_reference.abs_diff(of_prediction)),
        reference_ml: millilitres(of_reference),
        prediction_ml: millilitres(of_prediction),
    })
}

/// Voxels set in both, in the first, in the second.
fn count(a: &[u8], b: &[u8]) -> [u64; 3] {
    // Blocks short enough for 8-bit lanes keep the loop vectorised.
    let mut total = [0u64; 3];
    for (a, b) in a.chunks(255).zip(b.chunks(255)) {
        let (mut both, mut first, mut second) = (0u8, 0u8, 0u8);
        for (&x, &y) in a.iter().zip(b) {
            both += x & y;
            first += x;
            second += y;
        }
        total[0] += u64::from(both);
        total[1] += u64::from(first);
        total[2] += u64::from(second);
    }
    total
}

fn check(volume: &Volume<u8>) -> Result<(), ImageError> {
    let [x, y, _] = volume.geometry.shape;
    if volume.data.len() != volume.geometry.voxels() {
        return Err(ImageError::Data(format!(
            "{} voxels for a grid of {}",
            volume.data.len(),
            volume.geometry.voxels()
        )));
    }
    match volume.data.iter().position(|&v| v > 1) {
        None => Ok(()),
        Some(i) => {
            Err(ImageError::Label { index: [i % x, i / x % y, i / x / y], value: f64::from(volume.data[i]) })
        }
    }
}
