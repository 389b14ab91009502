//! Rules that pair reference instances with predicted ones.

use super::assignment;
use super::overlaps::{Overlap, Overlaps};
use crate::InputError;

/// A rule that pairs reference instances with predicted ones: one to one, except where it merges predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MatchRule {
    /// Pairs with at least that intersection over union, the largest first; of equal ones, the lower prediction
    /// number first, then the lower reference number (panoptica's naive threshold matching).
    GreedyIou {
        /// Least intersection over union.
        threshold: IouThreshold,
    },
    /// Of all pairings of pairs with at least that intersection over union, one whose total is the largest
    /// (panoptica's maximum bipartite matching).
    Hungarian {
        /// Least intersection over union.
        threshold: IouThreshold,
    },
    /// Pairs that share at least one voxel, the largest intersection over union first.
    AnyOverlap,
    /// As greedy, but a reference instance that is already paired also takes each further predicted instance by which
    /// the intersection over union of all it took grows; those merge into one (panoptica's maximize-merge matching).
    MaximizeMerge {
        /// Least intersection over union of the first of them.
        threshold: IouThreshold,
    },
}

impl MatchRule {
    /// What panoptic quality is computed with by default: greedy at an intersection over union of 0.5.
    pub const PANOPTIC: Self = Self::GreedyIou { threshold: IouThreshold(0.5) };

    /// What lesion-wise scores are computed with by default: greedy at an intersection over union of 0.1, the overlap
    /// from which PI-CAI calls a lesion found (Saha et al., 2024, doi:10.1016/S1470-2045(24)00220-1).
    pub const LESION: Self = Self::GreedyIou { threshold: IouThreshold(0.1) };

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
        IouThreshold::new(threshold).map(|threshold| Self::GreedyIou { threshold })
    }

    /// Optimal matching at a threshold.
    ///
    /// # Errors
    /// A threshold that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::instances::MatchRule;
    /// assert_eq!(MatchRule::hungarian(0.1)?.name(), "hungarian");
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hungarian(threshold: f64) -> Result<Self, InputError> {
        IouThreshold::new(threshold).map(|threshold| Self::Hungarian { threshold })
    }

    /// Merging matching at a threshold.
    ///
    /// # Errors
    /// A threshold that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 1, 1, 1], [1, 1, 5])?;
    /// let prediction = Components::of_instances(&[1u8, 1, 1, 0, 2], [1, 1, 5])?;
    /// let overlaps = Overlaps::between(&reference, &prediction)?;
    /// let matching = overlaps.matched(MatchRule::maximize_merge(0.5)?);
    /// assert_eq!((matching.pairs()[0].iou, matching.fp()), (0.8, 0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn maximize_merge(threshold: f64) -> Result<Self, InputError> {
        IouThreshold::new(threshold).map(|threshold| Self::MaximizeMerge { threshold })
    }

    /// The rule's name: `greedy_iou`, `hungarian`, `any_overlap` or `maximize_merge`.
    ///
    /// ```
    /// use fiel_kernels::instances::MatchRule;
    /// assert_eq!(MatchRule::PANOPTIC.name(), "greedy_iou");
    /// assert_eq!(MatchRule::AnyOverlap.name(), "any_overlap");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::GreedyIou { .. } => "greedy_iou",
            Self::Hungarian { .. } => "hungarian",
            Self::AnyOverlap => "any_overlap",
            Self::MaximizeMerge { .. } => "maximize_merge",
        }
    }
}

/// A least intersection over union: above 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct IouThreshold(f64);

impl IouThreshold {
    /// Takes a threshold.
    ///
    /// # Errors
    /// A number that is not above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::instances::IouThreshold;
    /// assert_eq!(IouThreshold::new(0.25)?.get(), 0.25);
    /// assert!(IouThreshold::new(f64::NAN).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(value: f64) -> Result<Self, InputError> {
        if value > 0.0 && value <= 1.0 {
            return Ok(Self(value));
        }
        Err(InputError::Setting { what: "IoU threshold", value, expected: "above 0 and at most 1" })
    }

    /// The number, above 0 and at most 1.
    ///
    /// ```
    /// use fiel_kernels::instances::{IouThreshold, MatchRule};
    /// assert_eq!(IouThreshold::new(0.25)?.get(), 0.25);
    /// assert!(matches!(MatchRule::LESION, MatchRule::GreedyIou { threshold } if threshold.get() == 0.1));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A reference instance and the predicted instance it is paired with.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Number of the reference instance, from 0.
    pub reference: u32,
    /// Number of the predicted instance, from 0.
    pub prediction: u32,
    /// Numbers of further predicted instances that were merged with it, in the order they were taken.
    pub merged: Vec<u32>,
    /// Intersection over union, above 0 and at most 1.
    pub iou: f64,
    /// Dice, above 0 and at most 1.
    pub dice: f64,
    /// Voxels that both have.
    pub shared_voxels: u64,
    /// Voxels of the reference instance.
    pub reference_voxels: u64,
    /// Voxels of the predicted instance, with those merged with it.
    pub prediction_voxels: u64,
}

impl Matched {
    fn of(overlaps: &Overlaps, pair: &Overlap) -> Self {
        Self {
            reference: pair.reference,
            prediction: pair.prediction,
            merged: Vec::new(),
            iou: overlaps.iou(pair),
            dice: overlaps.dice(pair),
            shared_voxels: pair.voxels,
            reference_voxels: overlaps.reference_voxels()[pair.reference as usize],
            prediction_voxels: overlaps.prediction_voxels()[pair.prediction as usize],
        }
    }

    /// Takes another predicted instance if the intersection over union grows by it.
    fn take(&mut self, other: &Self) -> bool {
        let shared = self.shared_voxels + other.shared_voxels;
        let voxels = self.prediction_voxels + other.prediction_voxels;
        let sum = (self.reference_voxels + voxels) as f64;
        let iou = shared as f64 / (sum - shared as f64);
        if iou <= self.iou {
            return false;
        }
        self.merged.push(other.prediction);
        (self.shared_voxels, self.prediction_voxels) = (shared, voxels);
        (self.iou, self.dice) = (iou, 2.0 * shared as f64 / sum);
        true
    }
}

/// Instances that were paired; the scores are methods.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    pub(super) references: usize,
    /// Those that were merged count as one.
    pub(super) predictions: usize,
    /// Ascending by reference.
    pub(super) pairs: Vec<Matched>,
}

impl Matching {
    /// The pairs, ascending by reference.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// use fiel_kernels::instances::{MatchRule, Overlaps};
    /// let reference = Components::of_instances(&[1u8, 1, 0, 2, 2, 2, 2], [1, 1, 7])?;
    /// let prediction = Components::of_instances(&[0u8, 1, 0, 2, 2, 2, 0], [1, 1, 7])?;
    /// let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::AnyOverlap);
    /// let found: Vec<_> = matching.pairs().iter().map(|m| (m.reference, m.prediction, m.iou)).collect();
    /// assert_eq!(found, [(0, 0, 0.5), (1, 1, 0.75)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn pairs(&self) -> &[Matched] {
        &self.pairs
    }
}

/// Applies a rule to an overlap table.
pub(super) fn pair_up(overlaps: &Overlaps, rule: MatchRule) -> Matching {
    let least = match rule {
        MatchRule::GreedyIou { threshold } | MatchRule::Hungarian { threshold } => threshold.get(),
        // The threshold of merging is for the first prediction only.
        MatchRule::AnyOverlap | MatchRule::MaximizeMerge { .. } => 0.0,
    };
    let candidates = overlaps.pairs().iter().map(|pair| Matched::of(overlaps, pair));
    let candidates: Vec<_> = candidates.filter(|m| m.iou >= least).collect();
    let (references, predictions) = (overlaps.reference_voxels().len(), overlaps.prediction_voxels().len());
    let mut pairs = match rule {
        MatchRule::Hungarian { .. } => optimal(candidates),
        MatchRule::GreedyIou { .. } | MatchRule::AnyOverlap => greedy(candidates, references, predictions),
        MatchRule::MaximizeMerge { threshold } => {
            merging(candidates, references, predictions, threshold.get())
        }
    };
    pairs.sort_unstable_by_key(|m| m.reference);
    let merged: usize = pairs.iter().map(|m| m.merged.len()).sum();
    Matching { references, predictions: predictions - merged, pairs }
}

/// The pairing with the largest total.
fn optimal(mut candidates: Vec<Matched>) -> Vec<Matched> {
    let weights: Vec<_> = candidates.iter().map(|m| (m.reference, m.prediction, m.iou)).collect();
    let mut chosen = vec![false; candidates.len()];
    for i in assignment::best_pairs(&weights) {
        chosen[i] = true;
    }
    let mut chosen = chosen.into_iter();
    candidates.retain(|_| chosen.next() == Some(true));
    candidates
}

/// The largest intersection over union first.
fn sort_best_first(candidates: &mut [Matched]) {
    let order = |m: &Matched| (m.prediction, m.reference);
    candidates.sort_unstable_by(|a, b| b.iou.total_cmp(&a.iou).then_with(|| order(a).cmp(&order(b))));
}

/// Takes the best pair of which neither is taken yet, again and again.
fn greedy(mut candidates: Vec<Matched>, references: usize, predictions: usize) -> Vec<Matched> {
    sort_best_first(&mut candidates);
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

/// Takes the best pair at or above the threshold, and lets paired references take more, again and again.
fn merging(
    mut candidates: Vec<Matched>,
    references: usize,
    predictions: usize,
    threshold: f64,
) -> Vec<Matched> {
    sort_best_first(&mut candidates);
    let mut paired: Vec<Option<Matched>> = vec![None; references];
    let mut free_predictions = vec![true; predictions];
    for candidate in candidates {
        let (reference, prediction) = (candidate.reference as usize, candidate.prediction as usize);
        if !free_predictions[prediction] {
            continue;
        }
        let taken = match &mut paired[reference] {
            Some(pair) => pair.take(&candidate),
            empty => {
                let enough = candidate.iou >= threshold;
                if enough {
                    *empty = Some(candidate);
                }
                enough
            }
        };
        free_predictions[prediction] = !taken;
    }
    paired.into_iter().flatten().collect()
}
