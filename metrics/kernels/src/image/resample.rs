//! Label maps on another grid, by their nearest voxel.

use super::geometry::determinant;
use super::{Geometry, Volume};
use crate::error::InputError;
use rayon::prelude::*;

/// A label map on another grid: each voxel of `grid` takes the label of the nearest voxel of `labels`, and 0
/// where it lies outside (more than half a voxel beyond the outermost centres).
///
/// Half-way between two voxels, the one of the larger index is taken. The result does not depend on the number
/// of threads.
///
/// # Errors
/// [`InputError::Length`] if `labels` does not hold a voxel for each place of its grid, [`InputError::Value`] if a
/// number of a grid is not finite or its axes are parallel, [`InputError::TooLarge`] beyond 2^31 voxels.
///
/// ```
/// use fiel_kernels::image::{Geometry, Volume, resample_nearest};
/// let coarse = Volume { geometry: Geometry::axis_aligned([2, 1, 1], [2.0, 1.0, 1.0]), data: vec![0, 7] };
/// let fine = resample_nearest(&coarse, &Geometry::axis_aligned([4, 1, 1], [1.0, 1.0, 1.0])).unwrap();
/// assert_eq!(fine.data, [0, 7, 7, 0]);
/// ```
pub fn resample_nearest(labels: &Volume<u8>, grid: &Geometry) -> Result<Volume<u8>, InputError> {
    let source = &labels.geometry;
    for geometry in [source, grid] {
        check(geometry)?;
    }
    if labels.data.len() != source.voxels() {
        return Err(InputError::Length {
            left: "labels",
            left_len: labels.data.len(),
            right: "its grid",
            right_len: source.voxels(),
        });
    }
    let Some(to_source) = source.inverse_matrix() else {
        return Err(parallel(determinant(&source.direction)));
    };
    let [nx, ny, _] = grid.shape;
    let step = product(&to_source, &grid.matrix());
    let start = apply(&to_source, std::array::from_fn(|i| grid.origin_mm[i] - source.origin_mm[i]));
    let mut data = vec![0u8; grid.voxels()];
    data.par_chunks_mut(nx.max(1)).with_min_len(64).enumerate().for_each(|(row, out)| {
        let (y, z) = ((row % ny) as f64, (row / ny) as f64);
        let base: [f64; 3] = std::array::from_fn(|i| start[i] + step[3 * i + 1] * y + step[3 * i + 2] * z);
        for (x, out) in out.iter_mut().enumerate() {
            let x = x as f64;
            let at = [base[0] + step[0] * x, base[1] + step[3] * x, base[2] + step[6] * x];
            if let Some(place) = nearest(at, source.shape) {
                *out = labels.data[place];
            }
        }
    });
    Ok(Volume { geometry: grid.clone(), data })
}

/// Place of the voxel whose cell holds the point.
fn nearest(at: [f64; 3], shape: [usize; 3]) -> Option<usize> {
    let mut place = 0;
    for axis in (0..3).rev() {
        // Rounding noise must not decide ties: a point this near to the border between two voxels is on it.
        let rounded = (at[axis] + 0.5 + 1e-9).floor();
        if !(rounded >= 0.0 && rounded < shape[axis] as f64) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the axis")]
        let index = rounded as usize;
        place = place * shape[axis] + index;
    }
    Some(place)
}

fn check(geometry: &Geometry) -> Result<(), InputError> {
    let finite = |what, values: &[f64], expected| match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(InputError::Value { what, index, value: values[index], expected }),
        None => Ok(()),
    };
    finite("direction", &geometry.direction, "finite")?;
    finite("origin_mm", &geometry.origin_mm, "finite")?;
    if let Some(index) = geometry.spacing_mm.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
        let value = geometry.spacing_mm[index];
        return Err(InputError::Value { what: "spacing_mm", index, value, expected: "finite and above 0" });
    }
    let determinant = determinant(&geometry.direction);
    if determinant.abs() < 1e-4 {
        return Err(parallel(determinant));
    }
    let voxels = geometry.shape.iter().try_fold(1u64, |n, &axis| n.checked_mul(axis as u64));
    match voxels {
        Some(n) if n <= 1 << 31 => Ok(()),
        found => Err(InputError::TooLarge {
            what: "the grid's number of voxels",
            found: found.unwrap_or(u64::MAX),
            limit: 1 << 31,
        }),
    }
}

fn parallel(value: f64) -> InputError {
    InputError::Setting {
        what: "the determinant of direction",
        value,
        expected: "1 or -1 for perpendicular axes, not near 0",
    }
}

fn product(a: &[f64; 9], b: &[f64; 9]) -> [f64; 9] {
    std::array::from_fn(|i| (0..3).map(|k| a[i / 3 * 3 + k] * b[k * 3 + i % 3]).sum())
}

fn apply(m: &[f64; 9], v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|row| (0..3).map(|k| m[row * 3 + k] * v[k]).sum())
}

/// The inverse of a matrix stored row by row, `None` if a number of it is not finite.
pub(super) fn inverse(m: &[f64; 9]) -> Option<[f64; 9]> {
    let d = determinant(m);
    let minor = |a: usize, b: usize, c: usize, e: usize| (m[a] * m[e] - m[b] * m[c]) / d;
    let inverse = [
        minor(4, 5, 7, 8),
        minor(2, 1, 8, 7),
        minor(1, 2, 4, 5),
        minor(5, 3, 8, 6),
        minor(0, 2, 6, 8),
        minor(2, 0, 5, 3),
        minor(3, 4, 6, 7),
        minor(1, 0, 7, 6),
        minor(0, 1, 3, 4),
    ];
    inverse.iter().all(|v| v.is_finite()).then_some(inverse)
}
