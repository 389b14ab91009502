//! The score of the PI-CAI challenge: patient-level AUROC and lesion-level average precision.

use super::froc::{Froc, ScanOutcome};
use super::matching::{Hits, Matching};
use crate::survival::order::ascending;
use crate::{InputError, Undefined};

/// The overlap (IoU) from which a candidate may be matched with a lesion in PI-CAI.
pub const PICAI_MINIMUM_OVERLAP: f64 = 0.10;

/// The lesions and candidates of one case.
///
/// ```
/// use fiel_kernels::detection::{PICAI_MINIMUM_OVERLAP, PicaiCase};
/// // Two candidates, one lesion: the second overlaps too little and is a false positive.
/// let case = PicaiCase::new(&[0.8, 0.3], 1, &[0.4, 0.05], PICAI_MINIMUM_OVERLAP)?;
/// assert_eq!(case.confidence(), 0.8);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PicaiCase {
    outcome: ScanOutcome,
    confidence: f64,
}

impl PicaiCase {
    /// Matches candidates with lesions by the largest total overlap.
    ///
    /// `confidences` are those of the candidates (above 0); `overlaps` holds the overlap (IoU, 0 to 1) of each candidate
    /// with each lesion, candidate after candidate. Overlaps below `minimum` are no hits. A candidate that overlaps a
    /// lesion enough and is not matched is neither hit nor false positive.
    ///
    /// # Errors
    /// A confidence that is NaN, infinite or not above 0; a number of overlaps other than candidates x lesions, an
    /// overlap or minimum outside 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::detection::{PicaiCase, ScanOutcome};
    /// let case = PicaiCase::new(&[0.8, 0.3], 1, &[0.4, 0.2], 0.1)?;
    /// assert_eq!(*case.outcome(), ScanOutcome::new(&[0.8], &[], 1)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        confidences: &[f64],
        lesions: usize,
        overlaps: &[f64],
        minimum: f64,
    ) -> Result<Self, InputError> {
        if let Some(index) = confidences.iter().position(|c| !(c.is_finite() && *c > 0.0)) {
            let (what, expected) = ("confidences", "finite and above 0");
            return Err(InputError::Value { what, index, value: confidences[index], expected });
        }
        let hits = Hits::from_overlaps(confidences.len(), lesions, overlaps, minimum)?;
        let matched = hits.matched(&Matching::Optimal)?;
        let mut outcome = ScanOutcome { references: lesions, ..ScanOutcome::default() };
        for (candidate, (&confidence, lesion)) in confidences.iter().zip(matched).enumerate() {
            if lesion.is_some() {
                outcome.hits.push(confidence);
            } else if !hits.hits_any(candidate) {
                outcome.false_positives.push(confidence);
            }
        }
        let confidence = confidences.iter().copied().fold(0.0, f64::max);
        Ok(Self { outcome, confidence })
    }

    /// From matched findings: a pair per lesion (true, confidence of its candidate or 0 when it was missed) and per false
    /// positive (false, confidence). The case's confidence is the highest of these.
    ///
    /// # Errors
    /// A confidence that is NaN, infinite or below 0; the index is that of the pair.
    ///
    /// ```
    /// use fiel_kernels::detection::PicaiCase;
    /// assert_eq!(PicaiCase::from_findings(&[(true, 0.0), (false, 0.4)])?.confidence(), 0.4);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_findings(findings: &[(bool, f64)]) -> Result<Self, InputError> {
        let mut case = Self { outcome: ScanOutcome::default(), confidence: 0.0 };
        for (index, &(lesion, value)) in findings.iter().enumerate() {
            if !(value.is_finite() && value >= 0.0) {
                let (what, expected) = ("confidences", "finite and at least 0");
                return Err(InputError::Value { what, index, value, expected });
            }
            case.outcome.references += usize::from(lesion);
            case.confidence = case.confidence.max(value);
            // A confidence of 0 says that there is no candidate.
            if value > 0.0 {
                let list = if lesion { &mut case.outcome.hits } else { &mut case.outcome.false_positives };
                list.push(value);
            }
        }
        Ok(case)
    }

    /// The case's confidence: the highest of its candidates', 0 without candidates.
    ///
    /// ```
    /// use fiel_kernels::detection::PicaiCase;
    /// assert_eq!(PicaiCase::new(&[], 0, &[], 0.1)?.confidence(), 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// Hits, false positives and the number of lesions.
    ///
    /// ```
    /// use fiel_kernels::detection::{PicaiCase, ScanOutcome};
    /// let case = PicaiCase::from_findings(&[(true, 0.0)])?;
    /// assert_eq!(*case.outcome(), ScanOutcome::new(&[], &[], 1)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outcome(&self) -> &ScanOutcome {
        &self.outcome
    }
}

/// The PI-CAI score and its parts, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PicaiScore {
    /// Area under the ROC curve of the cases' confidences against whether they hold a lesion.
    pub auroc: Result<f64, Undefined>,
    /// Average precision of the lesion candidates of all cases (steps).
    pub average_precision: Result<f64, Undefined>,
    /// The mean of both.
    pub score: Result<f64, Undefined>,
}

/// The PI-CAI score of a set of cases.
///
/// [`Undefined::OneClass`] when all or no cases hold lesions, [`Undefined::ReferenceEmpty`] when there is no lesion.
/// Source: Saha et al. 2024, doi:10.1016/S1470-2045(24)00220-1; semantics of `picai_eval`.
///
/// # Errors
/// No case, or more than 2^32 - 2 candidates.
///
/// ```
/// use fiel_kernels::detection::{PicaiCase, picai_score};
/// let cases = [
///     PicaiCase::new(&[0.8, 0.3], 1, &[0.4, 0.05], 0.1)?,
///     PicaiCase::new(&[0.5], 0, &[], 0.1)?,
/// ];
/// let score = picai_score(&cases)?;
/// assert_eq!((score.auroc, score.average_precision, score.score), (Ok(1.0), Ok(1.0), Ok(1.0)));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn picai_score(cases: &[PicaiCase]) -> Result<PicaiScore, InputError> {
    let outcomes: Vec<ScanOutcome> = cases.iter().map(|c| c.outcome.clone()).collect();
    let average_precision = Froc::new(&outcomes)?.average_precision();
    let auroc = auroc(cases);
    let score = auroc.and_then(|a| Ok(f64::midpoint(a, average_precision?)));
    Ok(PicaiScore { auroc, average_precision, score })
}

/// The share of pairs of a case with and one without lesions in which the former is more confident, ties one half.
fn auroc(cases: &[PicaiCase]) -> Result<f64, Undefined> {
    let confidences: Vec<f64> = cases.iter().map(|c| c.confidence).collect();
    let (mut positives, mut negatives, mut doubled) = (0_u64, 0_u64, 0_u64);
    let order = ascending(&confidences);
    for tied in order.chunk_by(|&a, &b| confidences[a as usize] >= confidences[b as usize]) {
        let with = tied.iter().filter(|&&i| cases[i as usize].outcome.references > 0).count() as u64;
        let without = tied.len() as u64 - with;
        doubled += with * (2 * negatives + without);
        positives += with;
        negatives += without;
    }
    if positives == 0 || negatives == 0 {
        return Err(Undefined::OneClass);
    }
    Ok(doubled as f64 / (2 * positives * negatives) as f64)
}
