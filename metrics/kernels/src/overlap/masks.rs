//! Counting over two masks, at the speed of the memory.

use super::{Counts, same_length};
use crate::error::InputError;
use crate::{memory, vectorized::vectorized};
use rayon::prelude::*;

/// Voxels one task counts; fixed, so that the work is cut the same way on any number of threads.
const TASK: usize = 1 << 22;
/// Bytes added side by side.
const LANES: usize = 64;
/// A byte-wide sum of zeros and ones stays below 256 for so many steps.
const STEPS: usize = 255;

/// Two masks of the same image, holding nothing but 0 and 1.
#[derive(Debug, Clone, Copy)]
pub struct MaskPair<'a> {
    reference: &'a [u8],
    prediction: &'a [u8],
    counts: Counts,
}

impl<'a> MaskPair<'a> {
    /// Checks two masks and counts their voxels in the same pass.
    ///
    /// # Errors
    /// [`InputError::Length`] for different lengths, [`InputError::Empty`] for no voxels, [`InputError::Value`]
    /// with the index of the first voxel that is neither 0 nor 1.
    ///
    /// ```
    /// use fiel_kernels::overlap::MaskPair;
    /// assert_eq!(MaskPair::new(&[0, 1], &[1, 1])?.counts().true_positive, 1);
    /// assert!(MaskPair::new(&[0, 2], &[1, 1]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(reference: &'a [u8], prediction: &'a [u8]) -> Result<Self, InputError> {
        same_length(reference.len(), prediction.len())?;
        let [both, in_reference, in_prediction, bits] = reference
            .par_chunks(TASK)
            .zip(prediction.par_chunks(TASK))
            .map(|(r, p)| tally(r, p))
            .reduce(|| [0; 4], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] | b[3]]);
        if bits > 1 {
            return Err(stranger(reference, prediction));
        }
        let counts = Counts {
            true_positive: both,
            false_positive: in_prediction - both,
            false_negative: in_reference - both,
            true_negative: reference.len() as u64 + both - in_reference - in_prediction,
        };
        Ok(Self { reference, prediction, counts })
    }

    /// The counts.
    ///
    /// ```
    /// # use fiel_kernels::overlap::MaskPair;
    /// assert_eq!(MaskPair::new(&[0, 1], &[1, 1])?.counts().false_positive, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The mask of the reference.
    ///
    /// ```
    /// # use fiel_kernels::overlap::MaskPair;
    /// assert_eq!(MaskPair::new(&[0, 1], &[1, 1])?.reference(), [0, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference(&self) -> &'a [u8] {
        self.reference
    }

    /// The mask of the prediction.
    ///
    /// ```
    /// # use fiel_kernels::overlap::MaskPair;
    /// assert_eq!(MaskPair::new(&[0, 1], &[1, 1])?.prediction(), [1, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction(&self) -> &'a [u8] {
        self.prediction
    }
}

/// Counts two masks of 0 and 1.
///
/// # Errors
/// As [`MaskPair::new`].
///
/// ```
/// let counts = fiel_kernels::overlap::count_masks(&[0, 1, 1], &[1, 1, 0])?;
/// assert_eq!((counts.true_positive, counts.false_positive, counts.false_negative), (1, 1, 1));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn count_masks(reference: &[u8], prediction: &[u8]) -> Result<Counts, InputError> {
    Ok(MaskPair::new(reference, prediction)?.counts())
}

/// The first voxel that is neither 0 nor 1.
#[cold]
fn stranger(reference: &[u8], prediction: &[u8]) -> InputError {
    let expected = "0 (background) or 1 (foreground)";
    let found = |what, mask: &[u8]| {
        let index = mask.iter().position(|&v| v > 1)?;
        Some(InputError::Value { what, index, value: f64::from(mask[index]), expected })
    };
    found("reference", reference)
        .or_else(|| found("prediction", prediction))
        .unwrap_or(InputError::Empty("reference"))
}

vectorized! {
    /// Voxels in both, in the first and in the second, and all values or-ed.
    fn tally(reference: &[u8], prediction: &[u8]) -> [u64; 4] {
        let mut sums = [0_u64; 3];
        let mut bits = [0_u8; LANES];
        for (r, p) in reference.chunks(LANES * STEPS).zip(prediction.chunks(LANES * STEPS)) {
            let mut both = [0_u8; LANES];
            let mut first = [0_u8; LANES];
            let mut second = [0_u8; LANES];
            let (r, r_rest) = r.as_chunks::<LANES>();
            let (p, p_rest) = p.as_chunks::<LANES>();
            for (r, p) in r.iter().zip(p) {
                memory::fetch_ahead(r);
                memory::fetch_ahead(p);
                for lane in 0..LANES {
                    both[lane] = both[lane].wrapping_add(r[lane] & p[lane]);
                    first[lane] = first[lane].wrapping_add(r[lane]);
                    second[lane] = second[lane].wrapping_add(p[lane]);
                    bits[lane] |= r[lane] | p[lane];
                }
            }
            for (sum, lanes) in sums.iter_mut().zip([both, first, second]) {
                *sum += lanes.iter().map(|&v| u64::from(v)).sum::<u64>();
            }
            for (&r, &p) in r_rest.iter().zip(p_rest) {
                sums[0] += u64::from(r & p);
                sums[1] += u64::from(r);
                sums[2] += u64::from(p);
                bits[0] |= r | p;
            }
        }
        let bits = bits.iter().fold(0, |all, &b| all | b);
        [sums[0], sums[1], sums[2], u64::from(bits)]
    }
}
