//! Boxes in two or three dimensions, and when one counts as a hit on another.

use crate::InputError;

/// An axis-parallel box, by its lower corner and its extent along each axis (millimetres or pixels).
///
/// ```
/// use fiel_kernels::detection::AxisBox;
/// let a = AxisBox::new([0.0, 0.0], [2.0, 2.0])?;
/// let b = AxisBox::new([1.0, 0.0], [2.0, 2.0])?;
/// assert_eq!(a.iou(&b), 2.0 / 6.0);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AxisBox<const D: usize> {
    corner: [f64; D],
    extent: [f64; D],
}

impl<const D: usize> AxisBox<D> {
    /// Checks a lower corner and an extent.
    ///
    /// # Errors
    /// A coordinate that is NaN or infinite, an extent below zero; the index is that of the axis.
    ///
    /// ```
    /// use fiel_kernels::detection::AxisBox;
    /// assert!(AxisBox::new([0.0, 0.0, 0.0], [1.0, 1.0, -1.0]).is_err());
    /// ```
    pub fn new(corner: [f64; D], extent: [f64; D]) -> Result<Self, InputError> {
        let refuse = |what, index, value, expected| Err(InputError::Value { what, index, value, expected });
        for axis in 0..D {
            if !corner[axis].is_finite() {
                return refuse("box corner", axis, corner[axis], "finite");
            }
            // The far side and the size must be finite as well.
            if !(extent[axis] >= 0.0 && extent[axis] <= 1e100 && corner[axis].abs() <= 1e100) {
                return refuse(
                    "box extent",
                    axis,
                    extent[axis],
                    "at least 0, and within 1e100 like the corner",
                );
            }
        }
        Ok(Self { corner, extent })
    }

    /// Length, area or volume: the product of the extents.
    ///
    /// ```
    /// # use fiel_kernels::detection::AxisBox;
    /// assert_eq!(AxisBox::new([0.0; 3], [2.0, 3.0, 4.0])?.size(), 24.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn size(&self) -> f64 {
        self.extent.iter().product()
    }

    /// The middle of the box.
    ///
    /// ```
    /// # use fiel_kernels::detection::AxisBox;
    /// assert_eq!(AxisBox::new([1.0, 1.0], [2.0, 3.0])?.centre(), [2.0, 2.5]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn centre(&self) -> [f64; D] {
        std::array::from_fn(|axis| self.corner[axis] + self.extent[axis] / 2.0)
    }

    /// Size of what two boxes share.
    ///
    /// ```
    /// # use fiel_kernels::detection::AxisBox;
    /// let a = AxisBox::new([0.0; 3], [2.0; 3])?;
    /// assert_eq!(a.intersection(&AxisBox::new([1.0; 3], [5.0; 3])?), 1.0);
    /// assert_eq!(a.intersection(&AxisBox::new([2.0; 3], [5.0; 3])?), 0.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn intersection(&self, other: &Self) -> f64 {
        let side = |axis: usize| {
            let end = |b: &Self| b.corner[axis] + b.extent[axis];
            (end(self).min(end(other)) - self.corner[axis].max(other.corner[axis])).max(0.0)
        };
        (0..D).map(side).product()
    }

    /// Intersection over union, from 0 to 1; 0 for two boxes without size.
    ///
    /// ```
    /// # use fiel_kernels::detection::AxisBox;
    /// let a = AxisBox::new([0.0, 0.0], [2.0, 2.0])?;
    /// assert_eq!(a.iou(&a), 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn iou(&self, other: &Self) -> f64 {
        ratio(self.intersection(other), |shared| self.size() + other.size() - shared)
    }

    /// Share of this box that lies in another, from 0 to 1; 0 for a box without size.
    ///
    /// ```
    /// # use fiel_kernels::detection::AxisBox;
    /// let inner = AxisBox::new([0.0, 0.0], [1.0, 1.0])?;
    /// assert_eq!(inner.share_in(&AxisBox::new([0.5, 0.0], [9.0, 9.0])?), 0.5);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn share_in(&self, other: &Self) -> f64 {
        ratio(self.intersection(other), |_| self.size())
    }

    fn squared_distance(&self, other: &Self) -> f64 {
        self.centre().iter().zip(other.centre()).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

fn ratio(shared: f64, whole: impl Fn(f64) -> f64) -> f64 {
    if shared > 0.0 { (shared / whole(shared)).min(1.0) } else { 0.0 }
}

/// When a candidate hits a reference finding.
///
/// ```
/// use fiel_kernels::detection::{AxisBox, HitCriterion};
/// let candidate = AxisBox::new([0.0, 0.0], [2.0, 2.0])?;
/// let reference = AxisBox::new([1.0, 0.0], [2.0, 2.0])?;
/// assert_eq!(HitCriterion::IouAtLeast(0.3).affinity(&candidate, &reference), Some(1.0 / 3.0));
/// assert_eq!(HitCriterion::IouAtLeast(0.5).affinity(&candidate, &reference), None);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HitCriterion {
    /// Intersection over union is at least this, and above 0.
    IouAtLeast(f64),
    /// At least this share of the reference lies in the candidate, and more than 0.
    OverlapAtLeast(f64),
    /// The centres are at most this far apart.
    DistanceAtMost(f64),
    /// The candidate's centre is nearer to the reference's centre than half the longest side of the reference (LUNA16).
    WithinRadius,
    /// The candidate's centre lies in the reference, its border included.
    CentreInside,
}

impl HitCriterion {
    /// How well a candidate hits a reference, above 0 to 1 (higher: better), or none when it does not.
    ///
    /// Overlaps stand for themselves; a distance `d` within a limit `l` becomes 1 - d / l; a centre inside is 1.
    ///
    /// ```
    /// use fiel_kernels::detection::{AxisBox, HitCriterion};
    /// let point = AxisBox::new([1.0, 0.0], [0.0, 0.0])?;
    /// let reference = AxisBox::new([0.0, 0.0], [2.0, 2.0])?;
    /// assert_eq!(HitCriterion::CentreInside.affinity(&point, &reference), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn affinity<const D: usize>(&self, candidate: &AxisBox<D>, reference: &AxisBox<D>) -> Option<f64> {
        let at_least = |value: f64, minimum: f64| (value > 0.0 && value >= minimum).then_some(value);
        let nearness = |distance: f64, limit: f64| (1.0 - distance / limit).max(f64::MIN_POSITIVE);
        match *self {
            Self::IouAtLeast(minimum) => at_least(candidate.iou(reference), minimum),
            Self::OverlapAtLeast(minimum) => at_least(reference.share_in(candidate), minimum),
            Self::DistanceAtMost(limit) => {
                let distance = candidate.squared_distance(reference).sqrt();
                (distance <= limit).then(|| if limit > 0.0 { nearness(distance, limit) } else { 1.0 })
            }
            Self::WithinRadius => {
                let radius = reference.extent.iter().copied().fold(0.0, f64::max) / 2.0;
                let squared = candidate.squared_distance(reference);
                (squared < radius * radius).then(|| nearness(squared.sqrt(), radius))
            }
            Self::CentreInside => {
                let centre = candidate.centre();
                let inside = |axis: usize| {
                    let from = reference.corner[axis];
                    (from..=from + reference.extent[axis]).contains(&centre[axis])
                };
                (0..D).all(inside).then_some(1.0)
            }
        }
    }

    pub(super) fn check(self) -> Result<(), InputError> {
        let (limit, highest, expected) = match self {
            Self::IouAtLeast(share) | Self::OverlapAtLeast(share) => (share, 1.0, "from 0 to 1"),
            Self::DistanceAtMost(limit) => (limit, f64::MAX, "finite and at least 0"),
            Self::WithinRadius | Self::CentreInside => return Ok(()),
        };
        if (0.0..=highest).contains(&limit) {
            return Ok(());
        }
        Err(InputError::Setting { what: "limit of the hit criterion", value: limit, expected })
    }
}
