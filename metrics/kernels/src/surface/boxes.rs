//! Bounding boxes of all labels, in one pass.

use super::grid::Grid;
use crate::error::InputError;
use crate::overlap::{Label, label_table, same_length, stranger};
use super::runs::Extent;
use rayon::prelude::*;

/// Rows one task looks at; fixed, so that the work is cut the same way on any number of threads.
const TASK_ROWS: usize = 4096;

/// The box around each declared label in both maps together.
pub(super) fn extents<T: Label>(
    grid: &Grid,
    reference: &[T],
    prediction: &[T],
    labels: &[T],
) -> Result<Vec<Extent>, InputError> {
    same_length(reference.len(), prediction.len())?;
    if reference.len() != grid.voxels() {
        return Err(InputError::Length {
            left: "reference",
            left_len: reference.len(),
            right: "grid",
            right_len: grid.voxels(),
        });
    }
    let table = label_table(labels)?;
    let classes = labels.len() + 1;
    let [nx, ny, _] = grid.shape;
    let none = || vec![Extent::NONE; classes + 1];
    let found = reference
        .par_chunks(TASK_ROWS * nx)
        .zip(prediction.par_chunks(TASK_ROWS * nx))
        .enumerate()
        .map(|(task, (r, p))| {
            let mut boxes = none();
            let first_row = task * TASK_ROWS;
            T::boxes(r, [first_row, nx, ny], &table, &mut boxes);
            T::boxes(p, [first_row, nx, ny], &table, &mut boxes);
            boxes
        })
        .reduce(none, |a, b| a.into_iter().zip(b).map(|(a, b)| a.join(b)).collect());
    if !found[classes].is_empty() {
        return Err(stranger(reference, prediction, &table, classes));
    }
    Ok(found[1..classes].to_vec())
}
