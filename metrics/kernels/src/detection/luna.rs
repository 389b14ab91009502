//! Hits on nodules by the rules of the LUNA16 challenge.

use super::froc::ScanOutcome;
use super::matching::check_finite;
use crate::InputError;

const RADIUS_UNKNOWN_MM: f64 = 5.0;

/// A nodule of the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nodule {
    /// Centre in world coordinates, mm.
    pub centre_mm: [f64; 3],
    /// Diameter, mm; below zero when unknown, which counts as 10 mm.
    pub diameter_mm: f64,
    /// Whether it is to be found; marks on other nodules are neither hits nor false positives.
    pub included: bool,
}

/// A mark of the evaluated system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Position in world coordinates, mm.
    pub centre_mm: [f64; 3],
    /// Confidence, higher: more suspicious.
    pub confidence: f64,
}

/// What the LUNA16 rules make of one scan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LunaScan {
    /// Hits (the highest confidence on each nodule) and false positives, for [`super::Froc`].
    pub outcome: ScanOutcome,
    /// Marks that lie on an excluded nodule and on no included one.
    pub ignored: usize,
    /// Further marks on nodules that were hit already.
    pub doubled: usize,
}

/// Applies the LUNA16 rules to the nodules and marks of one scan.
///
/// A mark hits a nodule when their squared distance is below the squared radius. The most confident mark on a nodule
/// counts, the others on it are ignored. A mark may hit several nodules. Source: the challenge's evaluation script
/// (Setio et al. 2017, doi:10.1016/j.media.2017.06.015).
///
/// # Errors
/// A coordinate, diameter or confidence that is NaN or infinite; the index is that of the nodule or mark.
///
/// ```
/// use fiel_kernels::detection::{Mark, Nodule, luna16_scan};
/// let nodule = Nodule { centre_mm: [0.0; 3], diameter_mm: 6.0, included: true };
/// let mark = |x, confidence| Mark { centre_mm: [x, 0.0, 0.0], confidence };
/// let scan = luna16_scan(&[nodule], &[mark(2.9, 0.4), mark(1.0, 0.7), mark(3.0, 0.9)])?;
/// assert_eq!(scan.doubled, 1);
/// assert_eq!(scan.outcome, fiel_kernels::detection::ScanOutcome::new(&[0.7], &[0.9], 1)?);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn luna16_scan(nodules: &[Nodule], marks: &[Mark]) -> Result<LunaScan, InputError> {
    for axis in 0..3 {
        check_finite("nodule centres", &nodules.iter().map(|n| n.centre_mm[axis]).collect::<Vec<_>>())?;
        check_finite("mark centres", &marks.iter().map(|m| m.centre_mm[axis]).collect::<Vec<_>>())?;
    }
    check_finite("nodule diameters", &nodules.iter().map(|n| n.diameter_mm).collect::<Vec<_>>())?;
    check_finite("confidences", &marks.iter().map(|m| m.confidence).collect::<Vec<_>>())?;
    let mut on_included = vec![false; marks.len()];
    let mut on_excluded = vec![false; marks.len()];
    let mut scan = LunaScan::default();
    for nodule in nodules {
        let on = if nodule.included { &mut on_included } else { &mut on_excluded };
        scan.outcome.references += usize::from(nodule.included);
        let mut best: Option<f64> = None;
        for (mark, on) in marks.iter().zip(on).filter(|(mark, _)| lies_on(mark, nodule)) {
            *on = true;
            if nodule.included {
                scan.doubled += usize::from(best.is_some());
                best = Some(best.map_or(mark.confidence, |b| b.max(mark.confidence)));
            }
        }
        scan.outcome.hits.extend(best);
    }
    for ((mark, included), excluded) in marks.iter().zip(on_included).zip(on_excluded) {
        match (included, excluded) {
            (true, _) => {}
            (false, true) => scan.ignored += 1,
            (false, false) => scan.outcome.false_positives.push(mark.confidence),
        }
    }
    Ok(scan)
}

fn lies_on(mark: &Mark, nodule: &Nodule) -> bool {
    let radius = if nodule.diameter_mm < 0.0 { RADIUS_UNKNOWN_MM } else { nodule.diameter_mm / 2.0 };
    let squared: f64 = mark.centre_mm.iter().zip(nodule.centre_mm).map(|(a, b)| (a - b) * (a - b)).sum();
    squared < radius * radius
}
