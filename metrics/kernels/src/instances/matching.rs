//! Rules that pair reference instances with predicted ones.

use super::assignment;
use super::overlaps::{Overlap, Overlaps};
use crate::InputError;

/// A rule that pairs each reference instance with at most one predicted instance, and the reverse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MatchRule {
    /// Pairs with at least that intersection over union, the largest first; of equal ones, the lower prediction
    /// number first, then the lower reference number (panoptica's naive threshold matching).
    GreedyIou {
        /// Least intersection over union, above 0 and at most 1.
        threshold: f64,
    },
    /// Of all pairings of pairs with at least that intersection over union, one whose total is the largest
    /// (panoptica's maximum bipartite matching).
    Hungarian {
        /// Least intersection over union, above 0 and at most 1.
        threshold: f64,
    },
    /// Pairs that share at least one voxel, the largest intersection over union first.
    AnyOverlap,
}

impl MatchRule {
    /// What panoptic quality is computed with by default: greedy at an intersection over union of 0.5.
    pub const PANOPTIC: Self = Self::GreedyIou { threshold: 0.5 };

    /// What lesion-wise scores are computed with by default: greedy at an intersection over union of 0.1, the overlap
    /// from which PI-CAI calls a lesion found (Saha et al., 2024, doi:10.1016/S1470-2045(24)00220-1).
    pub const LESION: Self = Self::GreedyIou { threshold: 0.1 };

    /// Greedy matching at a threshold.
    ///
    /// # Errors
    /// A threshold that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::instances::MatchRule;
    /// assert_eq!(MatchRule::greedy_iou(0.5)?.name(), "greedy_iou");
    /// assert!(MatchRule::greedy_iou(0.0).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn greedy_iou(threshold: f64) -> Result<Self, InputError> {
        checked(threshold).map(|threshold| Self::GreedyIou { threshold })
    }

    /// Optimal matching at a threshold.
    ///
    /// # Errors
    /// A threshold that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::instances::MatchRule;
    /// assert_eq!(MatchRule::hungarian(0.1)?, MatchRule::Hungarian { threshold: 0.1 });
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hungarian(threshold: f64) -> Result<Self, InputError> {
        checked(threshold).map(|threshold| Self::Hungarian { threshold })
    }

    /// The rule's name: `greedy_iou`, `hungarian` or `any_overlap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GreedyIou { .. } => "greedy_iou",
            Self::Hungarian { .. } => "hungarian",
            Self::AnyOverlap => "any_overlap",
        }
    }
}

fn checked(threshold: f64) -> Result<f64, InputError> {
    if threshold > 0.0 && threshold <= 1.0 {
        return Ok(threshold);
    }
    Err(InputError::Setting { what: "IoU threshold", value: threshold, expected: "above 0 and at most 1" })
}

/// A reference instance and the predicted instance it is paired with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matched {
    /// Number of the reference instance, from 0.
    pub reference: u32,
    /// Number of the predicted instance, from 0.
    pub prediction: u32,
    /// Intersection over union, above 0 and at most 1.
    pub iou: f64,
    /// Dice, above 0 and at most 1.
    pub dice: f64,
    /// Voxels of the reference instance.
    pub reference_voxels: u64,
    /// Voxels of the predicted instance.
    pub prediction_voxels: u64,
}

/// Instances paired one to one; the scores are methods.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    pub(super) references: usize,
    pub(super) predictions: usize,
    /// Ascending by reference.
    pub(super) pairs: Vec<Matched>,
}

impl Matching {
    /// The pairs, ascending by reference.
    pub fn pairs(&self) -> &[Matched] {
        &self.pairs
    }
}

/// Applies a rule to an overlap table.
pub(super) fn pair_up(overlaps: &Overlaps, rule: MatchRule) -> Matching {
    let candidate = |pair: &Overlap| Matched {
        reference: pair.reference,
        prediction: pair.prediction,
        iou: overlaps.iou(pair),
        dice: overlaps.dice(pair),
        reference_voxels: overlaps.reference_voxels()[pair.reference as usize],
        prediction_voxels: overlaps.prediction_voxels()[pair.prediction as usize],
    };
    let least = match rule {
        MatchRule::GreedyIou { threshold } | MatchRule::Hungarian { threshold } => threshold,
        MatchRule::AnyOverlap => 0.0,
    };
    let candidates: Vec<_> = overlaps.pairs().iter().map(candidate).filter(|m| m.iou >= least).collect();
    let (references, predictions) = (overlaps.reference_voxels().len(), overlaps.prediction_voxels().len());
    let mut pairs = match rule {
        MatchRule::Hungarian { .. } => {
            let weights: Vec<_> = candidates.iter().map(|m| (m.reference, m.prediction, m.iou)).collect();
            let chosen = assignment::best_pairs(&weights);
            chosen.into_iter().map(|i| candidates[i]).collect()
        }
        MatchRule::GreedyIou { .. } | MatchRule::AnyOverlap => greedy(candidates, references, predictions),
    };
    pairs.sort_unstable_by_key(|m| m.reference);
    Matching { references, predictions, pairs }
}

/// Takes the best pair of which neither is taken yet, again and again.
fn greedy(mut candidates: Vec<Matched>, references: usize, predictions: usize) -> Vec<Matched> {
    let order = |m: &Matched| (m.prediction, m.reference);
    candidates.sort_unstable_by(|a, b| b.iou.total_cmp(&a.iou).then_with(|| order(a).cmp(&order(b))));
    let mut free_references = vec![true; references];
    let mut free_predictions = vec![true; predictions];
    candidates.retain(|m| {
        let (reference, prediction) = (m.reference as usize, m.prediction as usize);
        let free = free_references[reference] && free_predictions[prediction];
        if free {
            free_references[reference] = false;
            free_predictions[prediction] = false;
        }
        free
    });
    candidates
}
