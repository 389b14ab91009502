//! Joins runs into components.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions are at most 2^31, checked when the runs were made"
)]

use super::{Component, Connectivity, Run, Runs};
use std::collections::HashMap;

/// A row of neighbours that lies before the current one: planes and rows away, and how far sideways contact reaches.
struct Before {
    planes: usize,
    rows: isize,
    reach: u32,
    /// First run that may still touch; advances with the runs, as both lists are in memory order.
    next: usize,
}

/// Component of each run: runs that touch and have the same label share one.
pub(super) fn by_contact(runs: &Runs, connectivity: Connectivity) -> Vec<u32> {
    let list = runs.list();
    let [_, rows, width] = runs.grid().size.map(|n| n as u32);
    let mut before = neighbours(connectivity);
    let mut parents: Vec<u32> = Vec::with_capacity(list.len());
    for (i, &run) in list.iter().enumerate() {
        parents.push(i as u32);
        let row = run.begin / width;
        let (plane, row_in_plane) = (row / rows, row % rows);
        for direction in &mut before {
            let beside = row_in_plane.checked_add_signed(direction.rows as i32).filter(|&r| r < rows);
            let (Some(beside), true) = (beside, plane as usize >= direction.planes) else { continue };
            let there = (plane - direction.planes as u32) * rows + beside;
            let (row_begin, row_end) = (there * width, (there + 1) * width);
            let shift = (row - there) * width;
            let lower = (run.begin - shift).saturating_sub(direction.reach).max(row_begin);
            let upper = (run.end - shift + direction.reach).min(row_end);
            touch(runs, &mut parents, i, direction, lower..upper);
        }
    }
    flatten(parents)
}

/// Joins run `i` with the runs that meet the given positions.
fn touch(
    runs: &Runs,
    parents: &mut [u32],
    i: usize,
    direction: &mut Before,
    positions: std::ops::Range<u32>,
) {
    let list = runs.list();
    while list[direction.next].end <= positions.start {
        direction.next += 1;
    }
    for (j, other) in list.iter().enumerate().take(i).skip(direction.next) {
        if other.begin >= positions.end {
            break;
        }
        if runs.is_mask() || runs.label(i) == runs.label(j) {
            unite(parents, i as u32, j as u32);
        }
    }
}

/// The rows that are complete when a row is read, and that may touch it.
fn neighbours(connectivity: Connectivity) -> Vec<Before> {
    let row = |planes, rows, reach| Before { planes, rows, reach, next: 0 };
    match connectivity {
        Connectivity::Faces => vec![row(0, -1, 0), row(1, 0, 0)],
        Connectivity::Edges => vec![row(0, -1, 1), row(1, -1, 0), row(1, 0, 1), row(1, 1, 0)],
        Connectivity::Corners => vec![row(0, -1, 1), row(1, -1, 1), row(1, 0, 1), row(1, 1, 1)],
    }
}

fn root(parents: &mut [u32], mut run: u32) -> u32 {
    while parents[run as usize] != run {
        let above = parents[parents[run as usize] as usize];
        parents[run as usize] = above;
        run = above;
    }
    run
}

/// The earlier root stays root, so that a component is known by its first run.
fn unite(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b) as usize] = a.min(b);
}

/// From parents to numbers in the order of first runs.
fn flatten(mut parents: Vec<u32>) -> Vec<u32> {
    let mut count = 0;
    for i in 0..parents.len() {
        let parent = parents[i] as usize;
        // A parent comes before its children, so it already holds its number.
        parents[i] = if parent == i {
            count += 1;
            count - 1
        } else {
            parents[parent]
        };
    }
    parents
}

/// Component of each run when all runs of one label form one.
pub(super) fn by_value(runs: &Runs) -> Vec<u32> {
    let mut numbers = HashMap::new();
    (0..runs.list().len())
        .map(|run| {
            let next = numbers.len() as u32;
            *numbers.entry(runs.label(run)).or_insert(next)
        })
        .collect()
}

/// Size, position and extent of each component.
pub(super) fn describe(runs: &Runs, numbers: &[u32]) -> Vec<Component> {
    let grid = runs.grid();
    let [_, rows, width] = grid.size.map(|n| n as u32);
    let mut list: Vec<Component> = Vec::new();
    for (i, (&Run { begin, end }, &number)) in runs.list().iter().zip(numbers).enumerate() {
        if number as usize == list.len() {
            list.push(Component {
                label: runs.label(i),
                voxels: 0,
                first: begin as usize,
                lower: [usize::MAX; 3],
                upper: [0; 3],
                index_sum: [0; 3],
            });
        }
        let component = &mut list[number as usize];
        let row = begin / width;
        let from = [row / rows, row % rows, begin % width].map(|n| n as usize);
        let voxels = u64::from(end - begin);
        let to = [from[0] + 1, from[1] + 1, from[2] + voxels as usize];
        component.voxels += voxels;
        component.index_sum[0] += from[0] as u64 * voxels;
        component.index_sum[1] += from[1] as u64 * voxels;
        component.index_sum[2] += (from[2] + to[2] - 1) as u64 * voxels / 2;
        for axis in 0..3 {
            component.lower[axis] = component.lower[axis].min(from[axis]);
            component.upper[axis] = component.upper[axis].max(to[axis]);
        }
    }
    for component in &mut list {
        component.lower = grid.to_image(component.lower);
        component.upper = grid.to_image(component.upper);
        component.index_sum = grid.to_image(component.index_sum);
    }
    list
}
