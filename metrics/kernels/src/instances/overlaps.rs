//! How much each reference instance and each predicted instance have in common.

use super::matching::{self, MatchRule, Matching};
use crate::InputError;
use crate::components::Components;

/// A reference instance and a predicted instance that share voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Number of the reference instance, from 0.
    pub reference: u32,
    /// Number of the predicted instance, from 0.
    pub prediction: u32,
    /// Voxels they share, at least 1.
    pub voxels: u64,
}

/// The overlap table of two sets of instances, without its zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlaps {
    reference_voxels: Vec<u64>,
    prediction_voxels: Vec<u64>,
    /// Ascending by reference, then prediction.
    pairs: Vec<Overlap>,
}

impl Overlaps {
    /// Lays two sets of instances of one image over each other. Costs time by the number of runs.
    ///
    /// # Errors
    /// Images of different shapes.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// use fiel_kernels::instances::Overlaps;
    /// let reference = Components::of_mask(&[1, 1, 0, 1], [1, 1, 4], Connectivity::Corners)?;
    /// let prediction = Components::of_mask(&[0, 1, 1, 1], [1, 1, 4], Connectivity::Corners)?;
    /// let overlaps = Overlaps::between(&reference, &prediction)?;
    /// assert_eq!(overlaps.iou_matrix(), [[0.25], [1.0 / 3.0]]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn between(reference: &Components, prediction: &Components) -> Result<Self, InputError> {
        if reference.shape() != prediction.shape() {
            return Err(InputError::Shape {
                left: "the reference",
                left_shape: reference.shape(),
                right: "the prediction",
                right_shape: prediction.shape(),
            });
        }
        let sizes = |c: &Components| c.list().iter().map(|c| c.voxels).collect();
        Ok(Self {
            reference_voxels: sizes(reference),
            prediction_voxels: sizes(prediction),
            pairs: shared(reference, prediction),
        })
    }

    /// Pairs that share voxels, ascending by reference, then prediction.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{Overlap, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 2, 3], [1, 1, 4])?;
    /// let prediction = Components::of_instances(&[0u8, 5, 5, 0], [1, 1, 4])?;
    /// let pair = |reference| Overlap { reference, prediction: 0, voxels: 1 };
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.pairs(), [pair(0), pair(1)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn pairs(&self) -> &[Overlap] {
        &self.pairs
    }

    /// Voxels of each reference instance.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::Overlaps;
    /// let reference = Components::of_instances(&[1u8, 1, 2, 3], [1, 1, 4])?;
    /// let prediction = Components::of_instances(&[0u8, 5, 5, 0], [1, 1, 4])?;
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.reference_voxels(), [2, 1, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference_voxels(&self) -> &[u64] {
        &self.reference_voxels
    }

    /// Voxels of each predicted instance.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::Overlaps;
    /// let reference = Components::of_instances(&[1u8, 1, 2, 3], [1, 1, 4])?;
    /// let prediction = Components::of_instances(&[0u8, 5, 5, 0], [1, 1, 4])?;
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.prediction_voxels(), [2]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction_voxels(&self) -> &[u64] {
        &self.prediction_voxels
    }

    /// Intersection over union of a pair of this table.
    pub(super) fn iou(&self, pair: &Overlap) -> f64 {
        let (shared, sum) = self.shared_and_sum(pair);
        shared / (sum - shared)
    }

    /// Dice of a pair of this table.
    pub(super) fn dice(&self, pair: &Overlap) -> f64 {
        let (shared, sum) = self.shared_and_sum(pair);
        2.0 * shared / sum
    }

    fn shared_and_sum(&self, pair: &Overlap) -> (f64, f64) {
        let sum =
            self.reference_voxels[pair.reference as usize] + self.prediction_voxels[pair.prediction as usize];
        (pair.voxels as f64, sum as f64)
    }

    /// Intersection over union of every reference instance (rows) with every predicted one (columns).
    ///
    /// Dense: takes 8 bytes per cell. The scores need only [`Overlaps::pairs`].
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::Overlaps;
    /// let reference = Components::of_instances(&[1u8, 1, 2], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[0u8, 5, 5], [1, 1, 3])?;
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.iou_matrix(), [[1.0 / 3.0], [0.5]]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn iou_matrix(&self) -> Vec<Vec<f64>> {
        let mut matrix = vec![vec![0.0; self.prediction_voxels.len()]; self.reference_voxels.len()];
        for pair in &self.pairs {
            matrix[pair.reference as usize][pair.prediction as usize] = self.iou(pair);
        }
        matrix
    }

    /// Pairs instances by a rule.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 2], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[0u8, 5, 5], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!((matching.tp(), matching.fn_()), (1, 1));
    /// assert_eq!(matching.pairs()[0].reference, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn matched(&self, rule: MatchRule) -> Matching {
        matching::pair_up(self, rule)
    }
}

/// Counts shared voxels by walking both lists of runs.
fn shared(reference: &Components, prediction: &Components) -> Vec<Overlap> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    let mut predicted = prediction.runs().peekable();
    for (run, number) in reference.runs() {
        while let Some(&(other, other_number)) = predicted.peek() {
            let (begin, end) = (run.begin.max(other.begin), run.end.min(other.end));
            if begin < end {
                let key = u64::from(number) << 32 | u64::from(other_number);
                match found.last_mut() {
                    // Neighbouring rows mostly meet the same pair again.
                    Some(last) if last.0 == key => last.1 += u64::from(end - begin),
                    _ => found.push((key, u64::from(end - begin))),
                }
            }
            if other.end > run.end {
                break;
            }
            predicted.next();
        }
    }
    found.sort_unstable_by_key(|&(key, _)| key);
    let mut pairs: Vec<Overlap> = Vec::new();
    for (key, voxels) in found {
        let (reference, prediction) = ((key >> 32) as u32, (key & 0xffff_ffff) as u32);
        match pairs.last_mut() {
            Some(last) if (last.reference, last.prediction) == (reference, prediction) => {
                last.voxels += voxels;
            }
            _ => pairs.push(Overlap { reference, prediction, voxels }),
        }
    }
    pairs
}
