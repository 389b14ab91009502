//! Nearest neighbours close by: all bits of a word at once, step by step in order of distance.

use super::bits::Frame;
use super::grid::Grid;
use crate::vectorized::vectorized;

/// Steps tried before a voxel counts as far.
const STEPS: usize = 320;
/// Longest step along the fast axis; below 64, so that it reaches no further than the neighbouring words.
const REACH_FAST: i32 = 48;
/// Longest step along the other axes.
const REACH: i32 = 16;

/// The shortest steps between voxels, in order of length, in groups of equal length.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// Step and number of its group.
    list: Vec<([i32; 3], u32)>,
    /// Length of each group's steps, squared, mm².
    pub(super) squared_mm: Vec<f64>,
    /// Longest step along the second and the third axis.
    pub(super) margin: [usize; 2],
}

impl Steps {
    /// Every step shorter than some length, for a grid.
    pub(super) fn new(grid: &Grid) -> Self {
        // No step is longer than its image; a little room is left because frames have a margin of one anyway.
        let limit =
            |axis: usize, reach: i32| i32::try_from(grid.shape[axis]).map_or(reach, |n| n.min(reach)).max(1);
        let reach = [limit(0, REACH_FAST), limit(1, REACH), if grid.planar { 0 } else { limit(2, REACH) }];
        // All steps shorter than this lie within reach.
        let mut bound = f64::INFINITY;
        for axis in 0..3 {
            let mut beyond = [0; 3];
            beyond[axis] = reach[axis] + 1;
            if !(grid.planar && axis == 2) {
                bound = bound.min(grid.squared_mm(beyond));
            }
        }
        let mut all: Vec<(f64, [i32; 3])> = Vec::new();
        for z in -reach[2]..=reach[2] {
            for y in -reach[1]..=reach[1] {
                for x in -reach[0]..=reach[0] {
                    let squared = grid.squared_mm([x, y, z]);
                    if squared < bound {
                        all.push((squared, [x, y, z]));
                    }
                }
            }
        }
        if all.len() > STEPS {
            let (_, cut, _) = all.select_nth_unstable_by(STEPS, |a, b| a.0.total_cmp(&b.0));
            let cut = cut.0;
            all.retain(|(squared, _)| *squared < cut);
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut steps = Self { list: Vec::with_capacity(all.len()), squared_mm: Vec::new(), margin: [1; 2] };
        for (squared, step) in all {
            if steps.squared_mm.last() != Some(&squared) {
                steps.squared_mm.push(squared);
            }
            let group = u32::try_from(steps.squared_mm.len() - 1).unwrap_or(u32::MAX);
            steps.list.push((step, group));
            for (margin, axis) in steps.margin.iter_mut().zip([1, 2]) {
                *margin = (*margin).max(step[axis].unsigned_abs() as usize);
            }
        }
        steps
    }

    /// The steps as moves of words and bits in a frame.
    pub(super) fn moves(&self, frame: &Frame) -> Vec<Move> {
        let [row, plane] = frame.strides().map(usize::cast_signed);
        let origin = self.margin[1].cast_signed() * plane + self.margin[0].cast_signed() * row + 1;
        self.list
            .iter()
            .map(|&([x, y, z], group)| {
                let word = z as isize * plane + y as isize * row + x.div_euclid(64) as isize;
                Move {
                    words: (origin + word).cast_unsigned(),
                    shift: x.rem_euclid(64).cast_unsigned(),
                    group,
                }
            })
            .collect()
    }
}

/// Where to look for a neighbour: so many words after the first word within reach, so many bits further on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    words: usize,
    shift: u32,
    group: u32,
}

/// What a search close by has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Voxels by group of steps.
    pub(super) counts: Vec<u64>,
    /// Word and bits of the voxels without a neighbour close by.
    pub(super) far: Vec<(usize, u64)>,
}

vectorized! {
    /// Counts, for each set bit, the group of the shortest step to a set bit of the target.
    ///
    /// `rows` are the rows of the source that have any bit.
    pub(super) fn search(
        source: &[u64],
        target: &[u64],
        moves: &[Move],
        rows: &[usize],
        frame: &Frame,
        groups: usize,
    ) -> Found {
        let mut found = Found { counts: vec![0; groups], far: Vec::new() };
        let (width, margin_words) = (frame.width(), margin_words(frame));
        let window = 2 * margin_words + 2;
        for word in rows.iter().flat_map(|&start| start..start + width) {
            let mut open = source[word];
            if open == 0 {
                continue;
            }
            let near = &target[word - margin_words..word - margin_words + window];
            for step in moves {
                let moved = near[step.words] >> step.shift | (near[step.words + 1] << 1) << (63 - step.shift);
                let hit = open & moved;
                if hit != 0 {
                    found.counts[step.group as usize] += u64::from(hit.count_ones());
                    open &= !hit;
                    if open == 0 {
                        break;
                    }
                }
            }
            if open != 0 {
                found.far.push((word, open));
            }
        }
        found
    }
}

vectorized! {
    /// As [`search`], but lists for each group the words and bits that were found: for voxels of different weight.
    pub(super) fn search_each(
        source: &[u64],
        target: &[u64],
        moves: &[Move],
        rows: &[usize],
        frame: &Frame,
        codes: &mut dyn FnMut(u32, usize, u64),
    ) -> Vec<(usize, u64)> {
        let mut far = Vec::new();
        let (width, margin_words) = (frame.width(), margin_words(frame));
        let window = 2 * margin_words + 2;
        for word in rows.iter().flat_map(|&start| start..start + width) {
            let mut open = source[word];
            if open == 0 {
                continue;
            }
            let near = &target[word - margin_words..word - margin_words + window];
            for step in moves {
                let moved = near[step.words] >> step.shift | (near[step.words + 1] << 1) << (63 - step.shift);
                let hit = open & moved;
                if hit != 0 {
                    codes(step.group, word, hit);
                    open &= !hit;
                    if open == 0 {
                        break;
                    }
                }
            }
            if open != 0 {
                far.push((word, open));
            }
        }
        far
    }
}

/// How many words the search reaches back from any word.
fn margin_words(frame: &Frame) -> usize {
    let [row, plane] = frame.strides();
    frame.margin[1] * plane + frame.margin[0] * row + 1
}
