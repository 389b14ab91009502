//! Where an image lies in space, in one convention for all formats.

use super::resample::inverse;
use crate::error::ImageError;
use std::fmt;

/// Largest cosine of the angle between two axes that counts as rounding of a right angle.
const SHEAR_MAX: f64 = 1e-3;

/// Where an image lies in space.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Voxels along each axis.
    pub shape: [usize; 3],
    /// Distance between voxels along each axis, millimetres.
    pub spacing_mm: [f64; 3],
    /// Position of the first voxel's centre, millimetres, in NIfTI's RAS+ space.
    pub origin_mm: [f64; 3],
    /// Unit vectors of the axes as the columns of a matrix, stored row by row.
    pub direction: [f64; 9],
    /// Whether the file has two axes only: a plane, not a volume of one layer. The third axis then has length 1.
    pub plane: bool,
}

impl Geometry {
    /// Axis-aligned grid with its first voxel at the origin.
    ///
    /// ```
    /// use fiel_kernels::image::Geometry;
    /// let grid = Geometry::axis_aligned([10, 20, 30], [0.5, 0.5, 2.0]);
    /// assert_eq!(grid.position([2.0, 0.0, 1.0]), [1.0, 0.0, 2.0]);
    /// ```
    pub fn axis_aligned(shape: [usize; 3], spacing_mm: [f64; 3]) -> Self {
        Self {
            shape,
            spacing_mm,
            origin_mm: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            plane: false,
        }
    }

    /// Number of voxels.
    ///
    /// ```
    /// # use fiel_kernels::image::Geometry;
    /// assert_eq!(Geometry::axis_aligned([2, 3, 4], [1.0; 3]).voxels(), 24);
    /// ```
    pub fn voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Volume of a voxel in cubic millimetres.
    ///
    /// ```
    /// # use fiel_kernels::image::Geometry;
    /// assert_eq!(Geometry::axis_aligned([2, 3, 4], [0.5, 0.5, 2.0]).voxel_mm3(), 0.5);
    /// ```
    pub fn voxel_mm3(&self) -> f64 {
        (determinant(&self.direction) * self.spacing_mm.iter().product::<f64>()).abs()
    }

    /// Position in millimetres of a point given in voxels.
    ///
    /// ```
    /// # use fiel_kernels::image::Geometry;
    /// let grid = Geometry::axis_aligned([2, 3, 4], [0.5, 0.5, 2.0]);
    /// assert_eq!(grid.position([1.0, 1.0, 1.5]), [0.5, 0.5, 3.0]);
    /// ```
    pub fn position(&self, voxel: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            let axis = |i: usize| self.direction[row * 3 + i] * self.spacing_mm[i] * voxel[i];
            self.origin_mm[row] + axis(0) + axis(1) + axis(2)
        })
    }

    /// Whether both grids have the same shape and every corner lies within 1e-3 mm of its counterpart.
    ///
    /// ```
    /// # use fiel_kernels::image::Geometry;
    /// let grid = Geometry::axis_aligned([2, 3, 4], [0.5, 0.5, 2.0]);
    /// let mut moved = grid.clone();
    /// moved.origin_mm[0] += 5e-4;
    /// assert!(grid.same_grid(&moved));
    /// moved.origin_mm[0] += 1e-3;
    /// assert!(!grid.same_grid(&moved));
    /// ```
    pub fn same_grid(&self, other: &Self) -> bool {
        let corner = |bits: usize| -> [f64; 3] {
            std::array::from_fn(|i| if bits >> i & 1 == 1 { self.shape[i] as f64 - 0.5 } else { -0.5 })
        };
        self.shape == other.shape
            && (0..8).all(|bits| {
                let (a, b) = (self.position(corner(bits)), other.position(corner(bits)));
                (0..3).all(|i| (a[i] - b[i]).abs() <= 1e-3)
            })
    }

    /// The grid of an affine that takes voxels to millimetres in RAS+ space: columns of `matrix` (stored row by
    /// row) are the steps from voxel to voxel. `format` and `field` name the source in errors.
    pub(super) fn from_affine(
        shape: [usize; 3],
        matrix: [f64; 9],
        origin_mm: [f64; 3],
        format: &'static str,
        field: &'static str,
    ) -> Result<Self, ImageError> {
        let bad = |problem: String| Err(ImageError::Field { format, field, problem });
        let mut spacing_mm = [0.0; 3];
        let mut direction = [0.0; 9];
        for axis in 0..3 {
            let column = [matrix[axis], matrix[3 + axis], matrix[6 + axis]];
            let length = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            if !(1e-6..=1e6).contains(&length) {
                return bad(format!("gives axis {axis} a spacing of {length} mm; 1e-6 to 1e6 is read"));
            }
            spacing_mm[axis] = length;
            for row in 0..3 {
                direction[row * 3 + axis] = column[row] / length;
            }
        }
        if !origin_mm.iter().all(|v| v.is_finite() && v.abs() <= 1e9) {
            return bad(format!("has the origin {origin_mm:?}, which is not finite or farther than 1e9 mm"));
        }
        if determinant(&direction).abs() < 1e-4 {
            return bad("is not invertible: its axes are parallel".to_owned());
        }
        // Distances and areas are measured along the axes, as if they were perpendicular.
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let cosine = (0..3).map(|row| direction[row * 3 + a] * direction[row * 3 + b]).sum::<f64>();
            if cosine.abs() > SHEAR_MAX {
                return bad(format!(
                    "is sheared: the cosine of the angle between axes {a} and {b} is {cosine:.4}, at most {SHEAR_MAX} is read; \
                     put the image on a grid of perpendicular axes"
                ));
            }
        }
        Ok(Self { shape, spacing_mm, origin_mm, direction, plane: false })
    }

    /// The same for an affine in the LPS+ space of DICOM and ITK: the first two coordinates change sign.
    pub(super) fn from_lps(
        shape: [usize; 3],
        mut matrix: [f64; 9],
        mut origin_mm: [f64; 3],
        format: &'static str,
        field: &'static str,
    ) -> Result<Self, ImageError> {
        for value in matrix[..6].iter_mut().chain(&mut origin_mm[..2]) {
            // Not a negation: zero must not become minus zero.
            *value = 0.0 - *value;
        }
        Self::from_affine(shape, matrix, origin_mm, format, field)
    }

    /// The affine from voxels to millimetres, row by row, without the origin.
    pub(super) fn matrix(&self) -> [f64; 9] {
        std::array::from_fn(|i| self.direction[i] * self.spacing_mm[i % 3])
    }

    /// The affine from millimetres to voxels, if there is one.
    pub(super) fn inverse_matrix(&self) -> Option<[f64; 9]> {
        inverse(&self.matrix())
    }

    /// Position of a voxel given its place in the list of voxels.
    pub(super) fn index(shape: [usize; 3], place: usize) -> [usize; 3] {
        let [x, y, _] = shape;
        [place % x, place / x % y, place / x / y]
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[f64], digits: usize, separator: &str| {
            values.iter().map(|v| format!("{v:.digits$}")).collect::<Vec<_>>().join(separator)
        };
        let shape = self.shape.map(|n| n.to_string()).join("x");
        let (spacing, origin) = (list(&self.spacing_mm, 4, "x"), list(&self.origin_mm, 3, ", "));
        let direction = list(&self.direction, 4, " ");
        write!(f, "{shape} voxels of {spacing} mm at ({origin}) mm, direction [{direction}]")
    }
}

pub(super) fn determinant(m: &[f64; 9]) -> f64 {
    m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6])
        + m[2] * (m[3] * m[7] - m[4] * m[6])
}
