//! Which candidate is taken for which reference finding.

use super::geometry::{AxisBox, HitCriterion};
use crate::InputError;
use crate::assignment::largest_weight;

/// How well each candidate of a case hits each reference finding, or that it does not.
///
/// ```
/// use fiel_kernels::detection::Hits;
/// let hits = Hits::from_overlaps(2, 1, &[0.05, 0.4], 0.1)?;
/// assert_eq!((hits.get(0, 0), hits.get(1, 0)), (None, Some(0.4)));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    candidates: usize,
    references: usize,
    /// Candidate after candidate; 0: no hit.
    affinity: Vec<f64>,
}

impl Hits {
    /// From an overlap (0 to 1; IoU, Dice, ...) of each candidate with each reference, candidate after candidate; a hit
    /// is an overlap that is above 0 and at least `minimum`.
    ///
    /// # Errors
    /// A number of overlaps other than candidates x references, an overlap outside 0 to 1 or NaN, such a minimum.
    ///
    /// ```
    /// use fiel_kernels::detection::Hits;
    /// assert!(Hits::from_overlaps(1, 1, &[1.5], 0.1).is_err());
    /// ```
    pub fn from_overlaps(
        candidates: usize,
        references: usize,
        overlaps: &[f64],
        minimum: f64,
    ) -> Result<Self, InputError> {
        let expected = candidates.saturating_mul(references);
        if overlaps.len() != expected {
            let (left, right) = ("candidates x references", "overlaps");
            return Err(InputError::Length { left, left_len: expected, right, right_len: overlaps.len() });
        }
        if !(0.0..=1.0).contains(&minimum) {
            return Err(InputError::Setting {
                what: "minimum overlap",
                value: minimum,
                expected: "from 0 to 1",
            });
        }
        if let Some(index) = overlaps.iter().position(|o| !(0.0..=1.0).contains(o)) {
            let (what, expected) = ("overlaps", "from 0 to 1");
            return Err(InputError::Value { what, index, value: overlaps[index], expected });
        }
        let affinity = overlaps.iter().map(|&o| if o >= minimum { o } else { 0.0 }).collect();
        Ok(Self { candidates, references, affinity })
    }

    /// From boxes by a criterion.
    ///
    /// # Errors
    /// A criterion with a limit that is NaN, infinite, below zero or, for an overlap, above 1.
    ///
    /// ```
    /// use fiel_kernels::detection::{AxisBox, HitCriterion, Hits};
    /// let reference = [AxisBox::new([0.0; 3], [8.0; 3])?];
    /// let candidates = [AxisBox::new([5.0; 3], [1.0; 3])?, AxisBox::new([9.0; 3], [1.0; 3])?];
    /// let hits = Hits::from_boxes(&candidates, &reference, HitCriterion::CentreInside)?;
    /// assert_eq!((hits.get(0, 0), hits.get(1, 0)), (Some(1.0), None));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_boxes<const D: usize>(
        candidates: &[AxisBox<D>],
        references: &[AxisBox<D>],
        criterion: HitCriterion,
    ) -> Result<Self, InputError> {
        criterion.check()?;
        let row = |c| references.iter().map(move |r| criterion.affinity(c, r).unwrap_or(0.0));
        Ok(Self {
            candidates: candidates.len(),
            references: references.len(),
            affinity: candidates.iter().flat_map(row).collect(),
        })
    }

    /// Number of candidates.
    ///
    /// ```
    /// use fiel_kernels::detection::Hits;
    /// let hits = Hits::from_overlaps(2, 1, &[0.05, 0.4], 0.1)?;
    /// assert_eq!(hits.candidates(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// Number of reference findings.
    ///
    /// ```
    /// use fiel_kernels::detection::Hits;
    /// let hits = Hits::from_overlaps(2, 1, &[0.05, 0.4], 0.1)?;
    /// assert_eq!(hits.references(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn references(&self) -> usize {
        self.references
    }

    /// How well a candidate hits a reference (above 0 to 1), or none when it does not or there are no such findings.
    ///
    /// ```
    /// use fiel_kernels::detection::Hits;
    /// let hits = Hits::from_overlaps(2, 1, &[0.05, 0.4], 0.1)?;
    /// assert_eq!(hits.get(1, 0), Some(0.4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self, candidate: usize, reference: usize) -> Option<f64> {
        if candidate >= self.candidates || reference >= self.references {
            return None;
        }
        Some(self.affinity[candidate * self.references + reference]).filter(|&a| a > 0.0)
    }

    /// Whether a candidate hits any reference.
    ///
    /// ```
    /// use fiel_kernels::detection::Hits;
    /// let hits = Hits::from_overlaps(2, 1, &[0.05, 0.4], 0.1)?;
    /// assert_eq!((hits.hits_any(0), hits.hits_any(1)), (false, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hits_any(&self, candidate: usize) -> bool {
        (0..self.references).any(|r| self.get(candidate, r).is_some())
    }

    /// For each candidate, the reference it is matched with; no reference is matched twice.
    ///
    /// # Errors
    /// For the greedy choice by confidence: a number of confidences other than that of the candidates, one that is NaN
    /// or infinite. For the optimal choice: more than 2^28 pairs.
    ///
    /// ```
    /// use fiel_kernels::detection::{Hits, Matching};
    /// let hits = Hits::from_overlaps(2, 1, &[0.3, 0.4], 0.1)?;
    /// assert_eq!(hits.matched(&Matching::ByConfidence(&[0.9, 0.8]))?, [Some(0), None]);
    /// assert_eq!(hits.matched(&Matching::ByOverlap)?, [None, Some(0)]);
    /// assert_eq!(hits.matched(&Matching::Optimal)?, [None, Some(0)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn matched(&self, matching: &Matching) -> Result<Vec<Option<usize>>, InputError> {
        match matching {
            Matching::Optimal => self.optimal(),
            Matching::ByOverlap => {
                let mut pairs: Vec<usize> =
                    (0..self.affinity.len()).filter(|&i| self.affinity[i] > 0.0).collect();
                pairs.sort_by(|&a, &b| self.affinity[b].total_cmp(&self.affinity[a]));
                Ok(self.first_free(pairs.iter().map(|i| (i / self.references, i % self.references))))
            }
            Matching::ByConfidence(confidences) => self.by_confidence(confidences),
        }
    }

    /// Maximises the sum of the affinities; lines of references, as picai_eval lays them out.
    fn optimal(&self) -> Result<Vec<Option<usize>>, InputError> {
        let weights: Vec<f64> = (0..self.references)
            .flat_map(|r| (0..self.candidates).map(move |c| self.affinity[c * self.references + r]))
            .collect();
        let mut matched = vec![None; self.candidates];
        let columns = largest_weight(self.references, self.candidates, &weights)?;
        for (reference, candidate) in columns.into_iter().enumerate() {
            if let Some(candidate) = candidate.filter(|&c| self.get(c, reference).is_some()) {
                matched[candidate] = Some(reference);
            }
        }
        Ok(matched)
    }

    fn by_confidence(&self, confidences: &[f64]) -> Result<Vec<Option<usize>>, InputError> {
        if confidences.len() != self.candidates {
            let (left, right) = ("candidates", "confidences");
            let (left_len, right_len) = (self.candidates, confidences.len());
            return Err(InputError::Length { left, left_len, right, right_len });
        }
        check_finite("confidences", confidences)?;
        let mut order: Vec<usize> = (0..self.candidates).collect();
        order.sort_by(|&a, &b| confidences[b].total_cmp(&confidences[a]));
        let mut matched = vec![None; self.candidates];
        let mut taken = vec![false; self.references];
        for candidate in order {
            let free = (0..self.references).filter(|&r| !taken[r] && self.get(candidate, r).is_some());
            let affinity = |r: usize| self.affinity[candidate * self.references + r];
            // Reversed, so that the first of equally good references is chosen.
            let best = free.rev().max_by(|&a, &b| affinity(a).total_cmp(&affinity(b)));
            if let Some(reference) = best {
                taken[reference] = true;
                matched[candidate] = Some(reference);
            }
        }
        Ok(matched)
    }

    fn first_free(&self, pairs: impl Iterator<Item = (usize, usize)>) -> Vec<Option<usize>> {
        let mut matched = vec![None; self.candidates];
        let mut taken = vec![false; self.references];
        for (candidate, reference) in pairs {
            if matched[candidate].is_none() && !taken[reference] {
                matched[candidate] = Some(reference);
                taken[reference] = true;
            }
        }
        matched
    }
}

/// How candidates are matched with reference findings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Matching<'c> {
    /// Candidates by falling confidence (equal ones in their order) each take the free reference they hit best.
    ByConfidence(&'c [f64]),
    /// Pairs by falling overlap are taken as long as both sides are free; of equal pairs the first candidate's.
    ByOverlap,
    /// The pairs with the largest total overlap (Hungarian method).
    Optimal,
}

/// Refuses NaN and infinite values.
pub(super) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), InputError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(InputError::Value { what, index, value: values[index], expected: "finite" }),
    }
}
