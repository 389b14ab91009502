//! Scores of a matching: panoptic quality and detection.

use super::masks::MaskPair;
use super::matching::Matching;
use crate::Undefined;
use crate::components::Components;

impl Matching {
    /// Number of pairs: reference instances that were found.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 2, 3, 4, 0, 0], [1, 1, 6])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0, 0, 2, 3], [1, 1, 6])?;
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.matched(MatchRule::LESION).tp(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tp(&self) -> usize {
        self.pairs.len()
    }

    /// Number of predicted instances without a pair; those that were merged into a pair do not count.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 2, 3, 4, 0, 0], [1, 1, 6])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0, 0, 2, 3], [1, 1, 6])?;
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.matched(MatchRule::LESION).fp(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn fp(&self) -> usize {
        self.predictions - self.pairs.len()
    }

    /// Number of reference instances without a pair.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 2, 3, 4, 0, 0], [1, 1, 6])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0, 0, 2, 3], [1, 1, 6])?;
    /// assert_eq!(Overlaps::between(&reference, &prediction)?.matched(MatchRule::LESION).fn_(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn fn_(&self) -> usize {
        self.references - self.pairs.len()
    }

    fn instances(&self) -> Result<f64, Undefined> {
        match self.references + self.predictions {
            0 => Err(Undefined::BothEmpty),
            n => Ok(n as f64),
        }
    }

    /// Mean over the pairs; 0 without any, as panoptica has it, so that `pq` is the product of `sq` and `rq`.
    fn mean_over_pairs(&self, value: impl Fn(&super::Matched) -> f64) -> Result<f64, Undefined> {
        self.instances()?;
        match self.pairs.len() {
            0 => Ok(0.0),
            n => Ok(self.pairs.iter().map(value).sum::<f64>() / n as f64),
        }
    }

    /// Recognition quality `rq` = TP / (TP + FP/2 + FN/2), in 0 to 1; the same number as the lesion-wise F1.
    ///
    /// # Errors
    /// `BothEmpty` without any instance.
    ///
    /// # Source
    /// Kirillov et al. (2019), doi:10.1109/CVPR.2019.00963.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 2, 0], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::greedy_iou(0.5)?);
    /// assert_eq!(matching.rq()?, 1.0 / 1.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rq(&self) -> Result<f64, Undefined> {
        Ok(self.tp() as f64 / (0.5 * self.instances()?))
    }

    /// Segmentation quality `sq`: mean intersection over union of the pairs, 0 without any pair, in 0 to 1.
    ///
    /// # Errors
    /// `BothEmpty` without any instance.
    ///
    /// # Source
    /// Kirillov et al. (2019), doi:10.1109/CVPR.2019.00963; without a pair as panoptica.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 0], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::greedy_iou(0.5)?);
    /// assert_eq!(matching.sq()?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sq(&self) -> Result<f64, Undefined> {
        self.mean_over_pairs(|m| m.iou)
    }

    /// Panoptic quality `pq` = `sq` x `rq`, in 0 to 1.
    ///
    /// # Errors
    /// `BothEmpty` without any instance.
    ///
    /// # Source
    /// Kirillov et al. (2019), doi:10.1109/CVPR.2019.00963.
    ///
    /// ```
    /// use fiel_kernels::Undefined;
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let nothing = Components::of_instances(&[0u8], [1, 1, 1])?;
    /// let matching = Overlaps::between(&nothing, &nothing)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!(matching.pq(), Err(Undefined::BothEmpty));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn pq(&self) -> Result<f64, Undefined> {
        Ok(self.sq()? * self.rq()?)
    }

    /// Mean Dice of the pairs, 0 without any pair, in 0 to 1 (panoptica's `sq_dsc`).
    ///
    /// # Errors
    /// `BothEmpty` without any instance.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 0], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!(matching.mean_dice()?, 2.0 / 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mean_dice(&self) -> Result<f64, Undefined> {
        self.mean_over_pairs(|m| m.dice)
    }

    /// Mean of (predicted volume - reference volume) / reference volume over the pairs (panoptica's `sq_rvd`).
    ///
    /// # Errors
    /// `BothEmpty` without any instance, `NoPairs` without any pair.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 0], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!(matching.mean_relative_volume_error()?, -0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mean_relative_volume_error(&self) -> Result<f64, Undefined> {
        self.instances()?;
        if self.pairs.is_empty() {
            return Err(Undefined::NoPairs);
        }
        let error = |m: &super::Matched| {
            let reference = m.reference_voxels as f64;
            (m.prediction_voxels as f64 - reference) / reference
        };
        self.mean_over_pairs(error)
    }

    /// Mean over the pairs of any measure of two masks, for instance a surface distance of each matched lesion.
    ///
    /// `reference` and `prediction` are the sets that were matched. The measure gets each pair's masks, cut out of the
    /// image.
    ///
    /// # Errors
    /// `BothEmpty` without any instance, `NoPairs` without any pair, and whatever the measure returns first.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_mask(&[1, 1, 0], [1, 1, 3], Connectivity::Corners)?;
    /// let prediction = Components::of_mask(&[0, 1, 1], [1, 1, 3], Connectivity::Corners)?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// let width = matching.mean_over_masks(&reference, &prediction, |pair| Ok(pair.shape[2] as f64));
    /// assert_eq!(width, Ok(3.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mean_over_masks(
        &self,
        reference: &Components,
        prediction: &Components,
        mut measure: impl FnMut(&MaskPair) -> Result<f64, Undefined>,
    ) -> Result<f64, Undefined> {
        self.instances()?;
        if self.pairs.is_empty() {
            return Err(Undefined::NoPairs);
        }
        let mut sum = 0.0;
        for matched in &self.pairs {
            let predictions = [&[matched.prediction][..], &matched.merged[..]].concat();
            let masks = MaskPair::of(reference, &[matched.reference], prediction, &predictions);
            sum += measure(&masks.ok_or(Undefined::NoPairs)?)?;
        }
        Ok(sum / self.pairs.len() as f64)
    }

    /// Lesion-wise F1 `lesion_f1` = 2 TP / (2 TP + FP + FN), in 0 to 1.
    ///
    /// The default is 26-connected components paired by [`MatchRule::LESION`](super::MatchRule::LESION); the matching
    /// says what it was.
    ///
    /// # Errors
    /// `BothEmpty` without any instance.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_mask(&[1, 0, 1, 0, 1], [1, 1, 5], Connectivity::Corners)?;
    /// let prediction = Components::of_mask(&[1, 0, 0, 0, 0], [1, 1, 5], Connectivity::Corners)?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!(matching.lesion_f1()?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lesion_f1(&self) -> Result<f64, Undefined> {
        self.rq()
    }

    /// Share of the reference instances that were found, in 0 to 1.
    ///
    /// # Errors
    /// `BothEmpty` or `ReferenceEmpty` without a reference instance.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 2, 0], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!((matching.lesion_sensitivity()?, matching.lesion_precision()?), (0.5, 1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lesion_sensitivity(&self) -> Result<f64, Undefined> {
        self.instances()?;
        match self.references {
            0 => Err(Undefined::ReferenceEmpty),
            n => Ok(self.tp() as f64 / n as f64),
        }
    }

    /// Share of the predicted instances that are paired, in 0 to 1.
    ///
    /// # Errors
    /// `BothEmpty` or `PredictionEmpty` without a predicted instance.
    ///
    /// ```
    /// use fiel_kernels::Undefined;
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let (some, none) =
    ///     (Components::of_instances(&[1u8], [1, 1, 1])?, Components::of_instances(&[0u8], [1, 1, 1])?);
    /// let matching = Overlaps::between(&some, &none)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!(matching.lesion_precision(), Err(Undefined::PredictionEmpty));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn lesion_precision(&self) -> Result<f64, Undefined> {
        self.instances()?;
        match self.predictions {
            0 => Err(Undefined::PredictionEmpty),
            n => Ok(self.tp() as f64 / n as f64),
        }
    }

    /// Lesion-wise Dice: sum of the pairs' Dice / (TP + FP + FN), in 0 to 1; each missed and each false instance
    /// counts as 0.
    ///
    /// # Errors
    /// `BothEmpty` without any instance.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 2, 0], [1, 1, 3])?;
    /// let prediction = Components::of_instances(&[1u8, 0, 0], [1, 1, 3])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// assert_eq!(matching.lesion_dice()?, 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lesion_dice(&self) -> Result<f64, Undefined> {
        let all = self.instances()? - self.tp() as f64;
        Ok(self.pairs.iter().map(|m| m.dice).sum::<f64>() / all)
    }
}
