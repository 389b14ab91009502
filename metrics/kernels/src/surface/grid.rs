//! The grid that masks lie on: its shape, its spacing, and whether it is a volume or a plane.

use crate::error::InputError;
use crate::image::Geometry;

/// No image may have more voxels (distances are searched with 32-bit coordinates).
const MAX_VOXELS: u64 = 1 << 31;

/// Shape and spacing of an image, checked.
///
/// A *volume* has six neighbours per voxel and surfaces with an area, also where an axis has one voxel only: there
/// every voxel of a mask is on the border. A *plane* has four neighbours per pixel and contours with a length. The
/// references decide between the two by the number of axes of the array; here the caller says which it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    pub(super) shape: [usize; 3],
    pub(super) spacing_mm: [f64; 3],
    pub(super) planar: bool,
}

impl Grid {
    /// A volume; the first axis runs fastest.
    ///
    /// # Errors
    /// [`InputError::Value`] with the axis whose length is 0 or whose spacing (millimetres) is not finite and above
    /// 0, [`InputError::TooLarge`] for more than 2^31 voxels.
    ///
    /// ```
    /// use fiel_kernels::surface::Grid;
    /// let grid = Grid::volume([512, 512, 300], [0.8, 0.8, 2.5])?;
    /// assert_eq!(grid.voxels(), 78_643_200);
    /// assert!(Grid::volume([512, 512, 0], [0.8, 0.8, 2.5]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn volume(shape: [usize; 3], spacing_mm: [f64; 3]) -> Result<Self, InputError> {
        let mut voxels = 1_u64;
        for axis in 0..3 {
            if shape[axis] == 0 {
                return Err(refused("shape", axis, 0.0, "at least 1"));
            }
            // Squares of distances must neither vanish nor overflow.
            if !(1e-100..=1e100).contains(&spacing_mm[axis]) {
                return Err(refused("spacing_mm", axis, spacing_mm[axis], "finite and above 0"));
            }
            voxels = voxels.saturating_mul(shape[axis] as u64);
        }
        if voxels > MAX_VOXELS {
            return Err(InputError::TooLarge { what: "voxels", found: voxels, limit: MAX_VOXELS });
        }
        Ok(Self { shape, spacing_mm, planar: false })
    }

    /// A plane; the first axis runs fastest.
    ///
    /// # Errors
    /// As [`Grid::volume`].
    ///
    /// ```
    /// use fiel_kernels::surface::Grid;
    /// assert_eq!(Grid::plane([20, 24], [0.5, 1.5])?.voxels(), 480);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn plane(shape: [usize; 2], spacing_mm: [f64; 2]) -> Result<Self, InputError> {
        let volume = Self::volume([shape[0], shape[1], 1], [spacing_mm[0], spacing_mm[1], 1.0])?;
        Ok(Self { planar: true, ..volume })
    }

    /// The grid of an image taken as a volume, also if one of its axes has length 1.
    ///
    /// # Errors
    /// As [`Grid::volume`].
    ///
    /// ```
    /// use fiel_kernels::{image::Geometry, surface::Grid};
    /// let geometry = Geometry::axis_aligned([4, 1, 4], [1.0, 3.0, 1.0]);
    /// assert!(!Grid::volume_of(&geometry)?.is_plane());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn volume_of(geometry: &Geometry) -> Result<Self, InputError> {
        Self::volume(geometry.shape, geometry.spacing_mm)
    }

    /// The grid of an image one of whose axes has length 1, taken as the plane of the other two.
    ///
    /// # Errors
    /// As [`Grid::volume`], and [`InputError::Setting`] when no axis has length 1.
    ///
    /// ```
    /// use fiel_kernels::{image::Geometry, surface::Grid};
    /// let geometry = Geometry::axis_aligned([4, 1, 5], [1.0, 3.0, 2.0]);
    /// assert_eq!(Grid::plane_of(&geometry)?, Grid::plane([4, 5], [1.0, 2.0])?);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn plane_of(geometry: &Geometry) -> Result<Self, InputError> {
        let Self { shape, spacing_mm, .. } = Self::volume_of(geometry)?;
        let Some(flat) = (0..3).rev().find(|&axis| shape[axis] == 1) else {
            let thinnest = shape.iter().min().map_or(0.0, |&n| n as f64);
            let expected = "1 for a plane";
            return Err(InputError::Setting { what: "the shortest axis", value: thinnest, expected });
        };
        let (first, second) = [(1, 2), (0, 2), (0, 1)][flat];
        Self::plane([shape[first], shape[second]], [spacing_mm[first], spacing_mm[second]])
    }

    /// Number of voxels.
    ///
    /// ```
    /// # use fiel_kernels::surface::Grid;
    /// assert_eq!(Grid::plane([3, 4], [1.0, 1.0])?.voxels(), 12);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it is a plane.
    ///
    /// ```
    /// # use fiel_kernels::surface::Grid;
    /// assert!(Grid::plane([3, 4], [1.0, 1.0])?.is_plane());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn is_plane(&self) -> bool {
        self.planar
    }

    /// Square of the length of a step given in voxels, mm².
    ///
    /// The differences are whole numbers before they are multiplied, and the three squares are added from the smallest
    /// to the largest: the sum is the same for every order of the axes, so that `d <= tau` does not depend on it.
    pub(super) fn squared_mm(&self, step: [i32; 3]) -> f64 {
        squared(step, &self.spacing_mm)
    }
}

/// Square of the length of a step; grows with the size of each component also after rounding.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version of the callers")]
#[inline(always)]
pub(super) fn squared(step: [i32; 3], spacing_mm: &[f64; 3]) -> f64 {
    let square = |axis: usize| {
        let length = f64::from(step[axis]) * spacing_mm[axis];
        length * length
    };
    // Comparisons rather than `min` and `max`, which would also look for NaN.
    let order = |a: f64, b: f64| if a < b { (a, b) } else { (b, a) };
    let (low, high) = order(square(0), square(1));
    let (middle, largest) = order(high, square(2));
    let (smallest, middle) = order(low, middle);
    (smallest + middle) + largest
}

fn refused(what: &'static str, index: usize, value: f64, expected: &'static str) -> InputError {
    InputError::Value { what, index, value, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_added_from_the_smallest() {
        let spacing = [0.1, 0.7, 1.3];
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for step in [[3, -2, 5], [1, 1, 1], [7, 0, -1], [9, 4, 2]] {
            let mut terms: Vec<f64> = (0..3).map(|i| (f64::from(step[i]) * spacing[i]).powi(2)).collect();
            terms.sort_by(f64::total_cmp);
            for order in orders {
                let found = squared(order.map(|i| step[i]), &order.map(|i| spacing[i]));
                assert_eq!(found.to_bits(), ((terms[0] + terms[1]) + terms[2]).to_bits());
            }
        }
    }
}
