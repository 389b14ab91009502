//! Nearest neighbours far away: bricks of voxels against bricks of voxels, then voxels against the few bricks left.

use super::bits::Frame;
use super::grid::{Grid, squared};

/// A brick is about as large as a cube of so many voxels along each edge.
const EDGE: f64 = 8.0;

type Voxel = [i32; 3];

/// Voxels grouped by brick, with the smallest box around each group.
struct Bricks {
    /// Voxels, brick by brick, with their position in the list they came from.
    voxels: Vec<(Voxel, usize)>,
    /// First voxel of each brick, and the number of voxels at the end.
    first: Vec<usize>,
    low: Vec<Voxel>,
    high: Vec<Voxel>,
}

impl Bricks {
    fn new(list: impl Iterator<Item = Voxel>, edge: Voxel) -> Self {
        let brick = |v: &Voxel| -> Voxel { std::array::from_fn(|i| v[2 - i] / edge[2 - i]) };
        let mut keyed: Vec<(Voxel, Voxel, usize)> =
            list.enumerate().map(|(position, v)| (brick(&v), v, position)).collect();
        keyed.sort_unstable_by_key(|&(key, _, position)| (key, position));
        let mut bricks = Self { voxels: Vec::new(), first: Vec::new(), low: Vec::new(), high: Vec::new() };
        for (i, &(key, voxel, position)) in keyed.iter().enumerate() {
            if i == 0 || keyed[i - 1].0 != key {
                bricks.first.push(i);
                bricks.low.push(voxel);
                bricks.high.push(voxel);
            }
            let last = bricks.low.len() - 1;
            for axis in 0..3 {
                bricks.low[last][axis] = bricks.low[last][axis].min(voxel[axis]);
                bricks.high[last][axis] = bricks.high[last][axis].max(voxel[axis]);
            }
            bricks.voxels.push((voxel, position));
        }
        bricks.first.push(keyed.len());
        bricks
    }

    fn len(&self) -> usize {
        self.low.len()
    }

    fn members(&self, brick: usize) -> &[(Voxel, usize)] {
        &self.voxels[self.first[brick]..self.first[brick + 1]]
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
#[inline]
fn gap(low: &Voxel, high: &Voxel, other_low: &Voxel, other_high: &Voxel) -> Voxel {
    std::array::from_fn(|i| (other_low[i] - high[i]).max(low[i] - other_high[i]).max(0))
}

/// Largest step between two boxes.
#[inline]
fn span(low: &Voxel, high: &Voxel, other_low: &Voxel, other_high: &Voxel) -> Voxel {
    std::array::from_fn(|i| (other_high[i] - low[i]).max(high[i] - other_low[i]))
}

/// Squared distance from each voxel to the nearest target, mm², in the order of the list; the target is not empty.
pub(super) fn nearest(list: &[Voxel], target: impl Iterator<Item = Voxel>, grid: &Grid) -> Vec<f64> {
    let edge = edge(grid);
    let target = Bricks::new(target, edge);
    let source = Bricks::new(list.iter().copied(), edge);
    let spacing = &grid.spacing_mm;
    let mut distances = vec![f64::INFINITY; list.len()];
    let mut gaps = vec![0.0; target.len()];
    let mut candidates: Vec<(f64, usize)> = Vec::new();
    for brick in 0..source.len() {
        let (low, high) = (&source.low[brick], &source.high[brick]);
        let mut bound = f64::INFINITY;
        for (i, gap_to) in gaps.iter_mut().enumerate() {
            *gap_to = squared(gap(low, high, &target.low[i], &target.high[i]), spacing);
            bound = bound.min(squared(span(low, high, &target.low[i], &target.high[i]), spacing));
        }
        candidates.clear();
        candidates.extend(gaps.iter().enumerate().filter(|(_, g)| **g <= bound).map(|(i, g)| (*g, i)));
        candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut neighbour = target.members(candidates[0].1)[0].0;
        for &(voxel, position) in source.members(brick) {
            let mut best = squared(std::array::from_fn(|i| voxel[i] - neighbour[i]), spacing);
            for &(gap_to, i) in &candidates {
                if gap_to >= best {
                    break;
                }
                if squared(gap(&voxel, &voxel, &target.low[i], &target.high[i]), spacing) >= best {
                    continue;
                }
                for &(other, _) in target.members(i) {
                    let found = squared(std::array::from_fn(|i| voxel[i] - other[i]), spacing);
                    if found < best {
                        best = found;
                        neighbour = other;
                    }
                }
            }
            distances[position] = best;
        }
    }
    distances
}

/// The voxels of a list of words and bits.
pub(super) fn voxels<'a>(
    words: impl Iterator<Item = (usize, u64)> + 'a,
    frame: &'a Frame,
) -> impl Iterator<Item = Voxel> + 'a {
    words.flat_map(move |(word, bits)| {
        let row = word / frame.row;
        // Coordinates count from the frame's first row and plane, alike for source and target; they fit, since an
        // image has at most 2^31 voxels.
        let place = [(word % frame.row) * 64, row % frame.rows, row / frame.rows];
        let [x, y, z] = place.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        SetBits(bits).map(move |bit| [x + bit.cast_signed(), y, z])
    })
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
