//! NIfTI-1 images: a reader that trusts nothing in the header, and a writer whose bytes are reproducible.

mod header;
mod read;
mod write;

pub use read::{parse_nifti_f32, parse_nifti_mask, read_nifti_f32, read_nifti_mask, recode_nifti};
pub use write::{
    encode_nifti_f32, encode_nifti_i16, encode_nifti_mask, write_nifti_f32, write_nifti_i16, write_nifti_mask,
};

use std::fmt;

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
}

impl Geometry {
    /// Axis-aligned grid with its first voxel at the origin.
    pub fn axis_aligned(shape: [usize; 3], spacing_mm: [f64; 3]) -> Self {
        Self {
            shape,
            spacing_mm,
            origin_mm: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        }
    }

    /// Number of voxels.
    pub fn voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Volume of a voxel in cubic millimetres.
    pub fn voxel_mm3(&self) -> f64 {
        (determinant(&self.direction) * self.spacing_mm.iter().product::<f64>()).abs()
    }

    /// Position of a point given in voxels.
    pub fn position(&self, voxel: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            let axis = |i: usize| self.direction[row * 3 + i] * self.spacing_mm[i] * voxel[i];
            self.origin_mm[row] + axis(0) + axis(1) + axis(2)
        })
    }

    /// Whether both grids have the same shape and every corner lies within 1e-3 mm of its counterpart.
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

/// Voxels with their grid, the first axis running fastest, as in NIfTI.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    /// The grid.
    pub geometry: Geometry,
    /// The voxels.
    pub data: Vec<T>,
}

/// How much a reader may accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of the file as stored.
    pub file_bytes: u64,
    /// Voxels declared.
    pub voxels: u64,
    /// Bytes of voxels after decompression, as stored and as returned.
    pub bytes: u64,
}

impl Default for ReadLimits {
    /// 1 GiB on disk, 2^29 voxels, 2 GiB decompressed.
    fn default() -> Self {
        Self { file_bytes: 1 << 30, voxels: 1 << 29, bytes: 1 << 31 }
    }
}

pub(crate) fn determinant(m: &[f64; 9]) -> f64 {
    m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6])
        + m[2] * (m[3] * m[7] - m[4] * m[6])
}
