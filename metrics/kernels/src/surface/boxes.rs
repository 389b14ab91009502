//! Bounding boxes of all labels, in one pass.

use super::grid::Grid;
use super::runs::{Boxes, Extent};
use crate::error::InputError;
use crate::overlap::{Label, label_table, same_length, stranger};
use rayon::prelude::*;

/// Rows one task looks at; fixed, so that the work is cut the same way on any number of threads.
const TASK_ROWS: usize = 4096;

/// Where the labels of two maps lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The box around each declared label in both maps together.
    pub(super) extents: Vec<Extent>,
    /// For each map and each of its rows whether it holds anything but background.
    pub(super) occupied: [Vec<bool>; 2],
}

/// Finds the labels, and refuses maps with others.
pub(super) fn layout<T: Label>(
    grid: &Grid,
    reference: &[T],
    prediction: &[T],
    labels: &[T],
) -> Result<Layout, InputError> {
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
    let [nx, ny, nz] = grid.shape;
    let none = || vec![Extent::NONE; classes + 1];
    let mut occupied = [vec![false; ny * nz], vec![false; ny * nz]];
    let [in_reference, in_prediction] = &mut occupied;
    let found = reference
        .par_chunks(TASK_ROWS * nx)
        .zip(prediction.par_chunks(TASK_ROWS * nx))
        .zip(in_reference.par_chunks_mut(TASK_ROWS).zip(in_prediction.par_chunks_mut(TASK_ROWS)))
        .enumerate()
        .map(|(task, ((r, p), (in_r, in_p)))| {
            let mut extents = none();
            let place = [task * TASK_ROWS, nx, ny];
            T::boxes(r, Boxes { place, table: &table, extents: &mut extents, occupied: in_r });
            T::boxes(p, Boxes { place, table: &table, extents: &mut extents, occupied: in_p });
            extents
        })
        .reduce(none, |a, b| a.into_iter().zip(b).map(|(a, b)| a.join(b)).collect());
    if !found[classes].is_empty() {
        return Err(stranger(reference, prediction, &table, classes));
    }
    Ok(Layout { extents: found[1..classes].to_vec(), occupied })
}
