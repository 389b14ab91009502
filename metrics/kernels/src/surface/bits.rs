//! Masks as packed bits, one row of the fast axis after the other, in a frame of empty bits.

use super::grid::Grid;
use super::runs::Extent;
use crate::overlap::Label;
use crate::vectorized::vectorized;

/// How a label's box is laid out in words; the same for its masks, borders and surface elements.
///
/// Each row begins and ends with an empty word, and empty rows surround the box, so that a search around any bit
/// stays inside the buffer without asking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Voxels of the box.
    pub(super) size: [usize; 3],
    /// Words of a row.
    pub(super) row: usize,
    /// Rows of a plane.
    pub(super) rows: usize,
    /// Planes.
    pub(super) planes: usize,
    /// Empty rows before the box in a plane, and empty planes before the box.
    pub(super) margin: [usize; 2],
}

impl Frame {
    /// A frame for a box, with room for its corners and a margin of so many rows and planes.
    pub(super) fn new(size: [usize; 3], margin: [usize; 2]) -> Self {
        let row = (size[0] + 1).div_ceil(64) + 2;
        Self {
            size,
            row,
            rows: size[1] + 1 + 2 * margin[0],
            planes: size[2] + 1 + 2 * margin[1],
            margin,
        }
    }

    /// Words of the buffer; the last one is never addressed by a bit, only read past.
    pub(super) fn words(&self) -> usize {
        self.row * self.rows * self.planes + 1
    }

    /// First word of a row of the box (after its empty word).
    pub(super) fn start(&self, y: usize, z: usize) -> usize {
        ((z + self.margin[1]) * self.rows + y + self.margin[0]) * self.row + 1
    }

    /// Words of a row that hold bits.
    pub(super) fn width(&self) -> usize {
        self.row - 2
    }

    /// The first word of the box and the number of words up to its last, corners included.
    pub(super) fn span(&self) -> [usize; 2] {
        let (first, last) = (self.start(0, 0), self.start(self.size[1], self.size[2]) + self.width());
        [first, last - first]
    }

    /// Words between a row and the next, a plane and the next.
    pub(super) fn strides(&self) -> [usize; 2] {
        [self.row, self.row * self.rows]
    }
}

/// The voxels of one label inside its box.
pub(super) fn pack<T: Label>(map: &[T], label: T, grid: &Grid, extent: &Extent, frame: &Frame) -> Vec<u64> {
    let mut bits = vec![0_u64; frame.words()];
    let [nx, ny, _] = grid.shape;
    let [from_x, from_y, from_z] = extent.low;
    for z in 0..frame.size[2] {
        for y in 0..frame.size[1] {
            let begin = ((z + from_z) * ny + y + from_y) * nx + from_x;
            let voxels = &map[begin..begin + frame.size[0]];
            let start = frame.start(y, z);
            T::pack(voxels, label, &mut bits[start..start + frame.width()]);
        }
    }
    bits
}

/// The voxels of a mask that touch the outside by a face: mask XOR erosion, the outside being background.
pub(super) fn borders(mask: &[u64], frame: &Frame, planar: bool) -> Vec<u64> {
    let mut found = vec![0_u64; mask.len()];
    let [row, plane] = frame.strides();
    for z in 0..frame.size[2] {
        for y in 0..frame.size[1] {
            let start = frame.start(y, z);
            let at = |first: usize| &mask[first..first + frame.width()];
            // In a plane there are no neighbours across; the row stands in for them and changes nothing.
            let (front, back) =
                if planar { (at(start), at(start)) } else { (at(start - plane), at(start + plane)) };
            let own = &mask[start - 1..=start + frame.width()];
            let out = &mut found[start..start + frame.width()];
            border_row(own, [at(start - row), at(start + row), front, back], out);
        }
    }
    found
}

vectorized! {
    /// One row of borders; `own` has a word more at either end.
    fn border_row(own: &[u64], around: [&[u64]; 4], out: &mut [u64]) -> () {
        let width = out.len();
        let [a, b, c, d] = around;
        let (own, a, b, c, d) = (&own[..width + 2], &a[..width], &b[..width], &c[..width], &d[..width]);
        for i in 0..width {
            let word = own[i + 1];
            let left = word << 1 | own[i] >> 63;
            let right = word >> 1 | own[i + 2] << 63;
            out[i] = word & !(left & right & a[i] & b[i] & c[i] & d[i]);
        }
    }
}

/// The corners between voxels where a mask and its outside meet: corner `(x, y, z)` lies before voxel `(x, y, z)`.
pub(super) fn corners(mask: &[u64], frame: &Frame, planar: bool) -> Vec<u64> {
    let mut found = vec![0_u64; mask.len()];
    let [row, plane] = frame.strides();
    let last = if planar { 0 } else { frame.size[2] };
    for z in 0..=last {
        for y in 0..=frame.size[1] {
            let start = frame.start(y, z);
            let at = |first: usize| &mask[first - 1..first + frame.width()];
            let (front, back) = if planar {
                (at(start), at(start - row))
            } else {
                (at(start - plane), at(start - plane - row))
            };
            let out = &mut found[start..start + frame.width()];
            corner_row([at(start), at(start - row), front, back], out);
        }
    }
    found
}

vectorized! {
    /// One row of corners; each of the four rows around has a word more before it.
    fn corner_row(around: [&[u64]; 4], out: &mut [u64]) -> () {
        let width = out.len();
        let [a, b, c, d] = around;
        let (a, b, c, d) = (&a[..=width], &b[..=width], &c[..=width], &d[..=width]);
        for i in 0..width {
            let some = a[i + 1] | b[i + 1] | c[i + 1] | d[i + 1];
            let all = a[i + 1] & b[i + 1] & c[i + 1] & d[i + 1];
            let some_before = a[i] | b[i] | c[i] | d[i];
            let all_before = a[i] & b[i] & c[i] & d[i];
            let any = some | some << 1 | some_before >> 63;
            let full = all & (all << 1 | all_before >> 63);
            out[i] = any & !full;
        }
    }
}

vectorized! {
    /// Bits that are set.
    pub(super) fn ones(words: &[u64]) -> u64 {
        words.iter().map(|w| u64::from(w.count_ones())).sum()
    }
}

vectorized! {
    /// Bits set in both and in either.
    pub(super) fn ones_of_both_and_either(a: &[u64], b: &[u64]) -> [u64; 2] {
        let mut sums = [0_u64; 2];
        for (a, b) in a.iter().zip(b) {
            sums[0] += u64::from((a & b).count_ones());
            sums[1] += u64::from((a | b).count_ones());
        }
        sums
    }
}
