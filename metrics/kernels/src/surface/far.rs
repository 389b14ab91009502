//! Nearest neighbours far away: bricks of voxels against bricks of voxels, then voxels against the few bricks left.

use super::bits::Frame;
use super::grid::{Grid, squared};
use crate::vectorized::vectorized;

/// A brick is about as large as a cube of so many voxels along each edge.
const EDGE: f64 = 8.0;

/// Voxels a brick is compared with at once.
const LANES: usize = 8;

type Voxel = [i32; 3];

/// Voxels grouped by brick, with the smallest box around each group.
struct Bricks {
    /// Coordinates of the voxels, brick by brick, axis by axis.
    axes: [Vec<i32>; 3],
    /// The position of each voxel in the list it came from.
    position: Vec<usize>,
    /// First voxel of each brick, and the number of voxels at the end.
    first: Vec<usize>,
    low: Vec<Voxel>,
    high: Vec<Voxel>,
}

impl Bricks {
    /// Sorts voxels of a frame into bricks by counting; their order inside a brick is that of the list.
    fn new(list: &[Voxel], edge: Voxel, frame: &Frame) -> Self {
        let edge = edge.map(|n| n.cast_unsigned() as usize);
        let across = [(frame.row * 64).div_ceil(edge[0]), frame.rows.div_ceil(edge[1])];
        let brick = |v: Voxel| {
            let [x, y, z]: [usize; 3] = std::array::from_fn(|i| v[i].cast_unsigned() as usize / edge[i]);
            (z * across[1] + y) * across[0] + x
        };
        let mut ends = vec![0_usize; across[0] * across[1] * frame.planes.div_ceil(edge[2])];
        for &voxel in list {
            ends[brick(voxel)] += 1;
        }
        let mut bricks = Self {
            axes: [vec![], vec![], vec![]],
            position: vec![],
            first: vec![],
            low: vec![],
            high: vec![],
        };
        // Where each brick is filled next; the numbers of the bricks that are not empty stand apart.
        let mut number = vec![usize::MAX; ends.len()];
        let mut total = 0;
        for (end, number) in ends.iter_mut().zip(&mut number) {
            if *end > 0 {
                *number = bricks.first.len();
                bricks.first.push(total);
                bricks.low.push([i32::MAX; 3]);
                bricks.high.push([i32::MIN; 3]);
            }
            total += std::mem::replace(end, total);
        }
        bricks.first.push(total);
        bricks.axes = std::array::from_fn(|_| vec![0; total]);
        bricks.position = vec![0; total];
        for (position, &voxel) in list.iter().enumerate() {
            let key = brick(voxel);
            let (at, number) = (ends[key], number[key]);
            ends[key] += 1;
            bricks.position[at] = position;
            let (low, high) = (&mut bricks.low[number], &mut bricks.high[number]);
            for (axis, n) in voxel.into_iter().enumerate() {
                bricks.axes[axis][at] = n;
                low[axis] = low[axis].min(n);
                high[axis] = high[axis].max(n);
            }
        }
        bricks
    }

    fn len(&self) -> usize {
        self.low.len()
    }

    fn members(&self, brick: usize) -> std::ops::Range<usize> {
        self.first[brick]..self.first[brick + 1]
    }

    fn voxel(&self, at: usize) -> Voxel {
        std::array::from_fn(|axis| self.axes[axis][at])
    }
}

/// Size of a brick in voxels: about cubic in millimetres.
fn edge(grid: &Grid) -> Voxel {
    let axes = if grid.planar { 2 } else { 3 };
    let mean = grid.spacing_mm[..axes].iter().map(|s| s.ln()).sum::<f64>() / axes as f64;
    std::array::from_fn(|i| {
        // At most 1,024, at least 1: the quotient is far inside an i32.
        #[allow(clippy::cast_possible_truncation, reason = "clamped before")]
        let voxels = (EDGE * mean.exp() / grid.spacing_mm[i]).round().clamp(1.0, 1024.0) as i32;
        voxels
    })
}

/// Smallest step between two boxes.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version of the caller")]
#[inline(always)]
fn gap(low: &Voxel, high: &Voxel, other_low: &Voxel, other_high: &Voxel) -> Voxel {
    std::array::from_fn(|i| (other_low[i] - high[i]).max(low[i] - other_high[i]).max(0))
}

/// Largest step between two boxes.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version of the caller")]
#[inline(always)]
fn span(low: &Voxel, high: &Voxel, other_low: &Voxel, other_high: &Voxel) -> Voxel {
    std::array::from_fn(|i| (other_high[i] - low[i]).max(high[i] - other_low[i]))
}

/// Squared distance from each voxel to the nearest target, mm², in the order of the list; the target is not empty.
pub(super) fn nearest(list: &[Voxel], target: &[Voxel], frame: &Frame, grid: &Grid) -> Vec<f64> {
    let edge = edge(grid);
    let (target, source) = (Bricks::new(target, edge, frame), Bricks::new(list, edge, frame));
    bricks_to_bricks(&source, &target, &grid.spacing_mm)
}

vectorized! {
    /// Squared distance from each voxel of the source to the nearest of the target.
    fn bricks_to_bricks(source: &Bricks, target: &Bricks, spacing: &[f64; 3]) -> Vec<f64> {
        let mut distances = vec![f64::INFINITY; source.position.len()];
        let mut gaps = vec![0.0; target.len()];
        let mut candidates: Vec<(f64, usize)> = Vec::new();
        for brick in 0..source.len() {
            let (low, high) = (&source.low[brick], &source.high[brick]);
            let mut bound = f64::INFINITY;
            for (gap_to, (other_low, other_high)) in gaps.iter_mut().zip(target.low.iter().zip(&target.high)) {
                *gap_to = squared(gap(low, high, other_low, other_high), spacing);
                let farthest = squared(span(low, high, other_low, other_high), spacing);
                bound = if farthest < bound { farthest } else { bound };
            }
            candidates.clear();
            for (i, &gap_to) in gaps.iter().enumerate() {
                if gap_to <= bound {
                    candidates.push((gap_to, i));
                }
            }
            candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let members = source.members(brick);
            let mut before = source.voxel(members.start);
            let mut best = f64::INFINITY;
            for at in members {
                let voxel = source.voxel(at);
                // Distances of two voxels differ by no more than the way between them; the factor covers rounding.
                let way = squared([voxel[0] - before[0], voxel[1] - before[1], voxel[2] - before[2]], spacing);
                let reach = (best.sqrt() + way.sqrt()) * (1.0 + 1e-12);
                let reach = reach * reach;
                best = f64::INFINITY;
                for &(gap_to, i) in &candidates {
                    let limit = if best < reach { best } else { reach };
                    if gap_to > limit {
                        break;
                    }
                    if squared(gap(&voxel, &voxel, &target.low[i], &target.high[i]), spacing) <= limit {
                        let found = nearest_of(target, i, voxel, spacing);
                        best = if found < best { found } else { best };
                    }
                }
                before = voxel;
                distances[source.position[at]] = best;
            }
        }
        distances
    }
}

/// Squared distance from a voxel to the nearest of a brick.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version of the caller")]
#[inline(always)]
fn nearest_of(bricks: &Bricks, brick: usize, voxel: Voxel, spacing: &[f64; 3]) -> f64 {
    let members = bricks.members(brick);
    let (x, x_rest) = bricks.axes[0][members.clone()].as_chunks::<LANES>();
    let (y, y_rest) = bricks.axes[1][members.clone()].as_chunks::<LANES>();
    let (z, z_rest) = bricks.axes[2][members].as_chunks::<LANES>();
    let mut lanes = [f64::INFINITY; LANES];
    for ((x, y), z) in x.iter().zip(y).zip(z) {
        for lane in 0..LANES {
            let step = [voxel[0] - x[lane], voxel[1] - y[lane], voxel[2] - z[lane]];
            let found = squared(step, spacing);
            lanes[lane] = if found < lanes[lane] { found } else { lanes[lane] };
        }
    }
    let mut best = lanes.into_iter().fold(f64::INFINITY, f64::min);
    for ((x, y), z) in x_rest.iter().zip(y_rest).zip(z_rest) {
        let found = squared([voxel[0] - x, voxel[1] - y, voxel[2] - z], spacing);
        best = if found < best { found } else { best };
    }
    best
}

/// The voxels of a list of words and bits, in their order.
pub(super) fn voxels(words: impl Iterator<Item = (usize, u64)>, frame: &Frame) -> Vec<Voxel> {
    let mut found = Vec::new();
    for (word, bits) in words {
        let row = word / frame.row;
        // Coordinates count from the frame's first row and plane, alike for source and target; they fit, since an
        // image has at most 2^31 voxels.
        let place = [(word % frame.row) * 64, row % frame.rows, row / frame.rows];
        let [x, y, z] = place.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        found.extend(SetBits(bits).map(|bit| [x + bit.cast_signed(), y, z]));
    }
    found
}

/// The set bits of a word, lowest first.
pub(super) struct SetBits(pub(super) u64);

impl Iterator for SetBits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit)
    }
}
