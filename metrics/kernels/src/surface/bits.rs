//! Masks as packed bits, one row of the fast axis after the other, in a frame of empty bits.

use super::grid::Grid;
use super::runs::{Extent, Packing};
use crate::overlap::Label;
use crate::vectorized::vectorized;

/// How a label's box is laid out in words; the same for its masks, borders and surface elements.
///
/// An empty word stands before each row (and so after it), and empty rows surround the box, so that a search around
/// any bit stays inside the buffer without asking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
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
        let row = (size[0] + 1).div_ceil(64) + 1;
        Self { size, row, rows: size[1] + 1 + 2 * margin[0], planes: size[2] + 1 + 2 * margin[1], margin }
    }

    /// Words of the buffer: two more than the rows have, since a search reads one word past where it looks.
    pub(super) fn words(&self) -> usize {
        self.row * self.rows * self.planes + 2
    }

    /// First word of a row of the box (after its empty word).
    pub(super) fn start(&self, y: usize, z: usize) -> usize {
        ((z + self.margin[1]) * self.rows + y + self.margin[0]) * self.row + 1
    }

    /// Words of a row that hold bits.
    pub(super) fn width(&self) -> usize {
        self.row - 1
    }

    /// Row and plane of the box that a first word belongs to.
    pub(super) fn place(&self, start: usize) -> [usize; 2] {
        let row = start / self.row;
        [row % self.rows - self.margin[0], row / self.rows - self.margin[1]]
    }

    /// Words between a row and the next, a plane and the next.
    pub(super) fn strides(&self) -> [usize; 2] {
        [self.row, self.row * self.rows]
    }
}

/// Bits in a frame, and which of its rows have any.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    pub(super) words: Vec<u64>,
    /// First words of the rows that have any bit, ascending.
    pub(super) rows: Vec<usize>,
}

impl Bits {
    /// Number of set bits.
    pub(super) fn count(&self, frame: &Frame) -> u64 {
        self.rows.iter().map(|&start| ones(&self.words[start..start + frame.width()])).sum()
    }

    /// The words with any bit, with their position.
    pub(super) fn filled(&self, frame: &Frame) -> Vec<(usize, u64)> {
        let mut found = Vec::with_capacity(self.rows.len());
        for &start in &self.rows {
            for (i, &bits) in self.words[start..start + frame.width()].iter().enumerate() {
                if bits != 0 {
                    found.push((start + i, bits));
                }
            }
        }
        found
    }
}

/// The voxels of one label inside its box; `occupied` are the rows of the map that are not all background.
pub(super) fn pack<T: Label>(
    map: &[T],
    label: T,
    grid: &Grid,
    extent: &Extent,
    frame: &Frame,
    occupied: &[bool],
) -> Bits {
    let mut words = vec![0_u64; frame.words()];
    let packing = Packing { map: [grid.shape[0], grid.shape[1]], low: extent.low, frame: *frame, occupied };
    let rows = if extent.is_empty() { Vec::new() } else { T::pack(map, label, &packing, &mut words) };
    Bits { words, rows }
}

/// The voxels of a mask that touch the outside by a face: mask XOR erosion, the outside being background.
pub(super) fn borders(mask: &Bits, frame: &Frame, planar: bool) -> Bits {
    let mut words = vec![0_u64; frame.words()];
    let rows = border_rows(&mask.words, &mask.rows, frame, planar, &mut words);
    Bits { words, rows }
}

vectorized! {
    /// The borders of some rows; returns those that have any.
    fn border_rows(mask: &[u64], rows: &[usize], frame: &Frame, planar: bool, found: &mut [u64]) -> Vec<usize> {
        let (width, [row, plane]) = (frame.width(), frame.strides());
        // In a plane there are no neighbours across; the row stands in for them and changes nothing.
        let plane = if planar { 0 } else { plane };
        let mut filled = Vec::with_capacity(rows.len());
        for &start in rows {
            let own = &mask[start - 1..=start + width];
            let (a, b) = (&mask[start - row..][..width], &mask[start + row..][..width]);
            let (c, d) = (&mask[start - plane..][..width], &mask[start + plane..][..width]);
            let out = &mut found[start..start + width];
            let mut any = 0;
            for i in 0..width {
                let word = own[i + 1];
                let left = word << 1 | own[i] >> 63;
                let right = word >> 1 | own[i + 2] << 63;
                out[i] = word & !(left & right & a[i] & b[i] & c[i] & d[i]);
                any |= out[i];
            }
            if any != 0 {
                filled.push(start);
            }
        }
        filled
    }
}

/// The corners between voxels where a mask and its outside meet: corner `(x, y, z)` lies before voxel `(x, y, z)`.
pub(super) fn corners(mask: &Bits, frame: &Frame, planar: bool) -> Bits {
    let mut words = vec![0_u64; frame.words()];
    let [row, plane] = frame.strides();
    let across = if planar { 0 } else { plane };
    let mut touched = vec![false; frame.rows * frame.planes];
    for &start in &mask.rows {
        for corner in [start, start + row, start + across, start + across + row] {
            touched[corner / row] = true;
        }
    }
    let rows: Vec<usize> =
        touched.iter().enumerate().filter(|(_, touched)| **touched).map(|(i, _)| i * row + 1).collect();
    let rows = corner_rows(&mask.words, &rows, frame, planar, &mut words);
    Bits { words, rows }
}

vectorized! {
    /// The corners of some rows; returns those that have any.
    fn corner_rows(mask: &[u64], rows: &[usize], frame: &Frame, planar: bool, found: &mut [u64]) -> Vec<usize> {
        let (width, [row, plane]) = (frame.width(), frame.strides());
        let plane = if planar { 0 } else { plane };
        let mut filled = Vec::with_capacity(rows.len());
        for &start in rows {
            // Each of the four rows around has a word more before it.
            let (a, b) = (&mask[start - 1..][..=width], &mask[start - row - 1..][..=width]);
            let (c, d) = (&mask[start - plane - 1..][..=width], &mask[start - plane - row - 1..][..=width]);
            let out = &mut found[start..start + width];
            let mut any_bit = 0;
            for i in 0..width {
                let some = a[i + 1] | b[i + 1] | c[i + 1] | d[i + 1];
                let all = a[i + 1] & b[i + 1] & c[i + 1] & d[i + 1];
                let some_before = a[i] | b[i] | c[i] | d[i];
                let all_before = a[i] & b[i] & c[i] & d[i];
                let any = some | some << 1 | some_before >> 63;
                let full = all & (all << 1 | all_before >> 63);
                out[i] = any & !full;
                any_bit |= out[i];
            }
            if any_bit != 0 {
                filled.push(start);
            }
        }
        filled
    }
}

/// Bits that are set.
fn ones(words: &[u64]) -> u64 {
    words.iter().map(|w| u64::from(w.count_ones())).sum()
}
