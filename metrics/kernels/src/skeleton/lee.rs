//! Lee's thinning: one layer from each of six sides in turn, until nothing changes.

#![expect(clippy::cast_possible_truncation, reason = "a row and a column of an image of at most 2^31 voxels")]

use super::crop::Crop;
use super::neighbourhood::{deletable, one_piece};
use crate::components::Runs;
use crate::vectorized::vectorized;

/// A side from which voxels are taken, by where its background neighbour lies.
#[derive(Debug, Clone, Copy)]
enum Side {
    RowBefore,
    RowAfter,
    ColumnAfter,
    ColumnBefore,
    PlaneAfter,
    PlaneBefore,
}

/// The order in which scikit-image takes the sides; for an image of one plane it takes the first four only.
const SIDES: [Side; 6] = [
    Side::RowBefore,
    Side::RowAfter,
    Side::ColumnAfter,
    Side::ColumnBefore,
    Side::PlaneAfter,
    Side::PlaneBefore,
];

/// Positions of the skeleton in the image, ascending.
pub(super) fn thin(mask: &Runs, crop: &Crop) -> Vec<usize> {
    let mut volume = Volume::of(mask, crop);
    let sides = if mask.shape()[0] == 1 { &SIDES[..4] } else { &SIDES[..] };
    let mut candidates = Vec::new();
    loop {
        let mut changed = false;
        for &side in sides {
            changed |= take_layer(&mut volume, side, &mut candidates);
        }
        if !changed {
            return volume.positions(crop);
        }
    }
}

/// A cropped mask as bits for finding voxels, and as bytes for looking around them.
struct Volume {
    rows_per_plane: usize,
    width: usize,
    /// Words per row.
    words: usize,
    /// One bit per voxel, rows starting at whole words.
    mask: Vec<u64>,
    /// Voxels whose surroundings changed since they were last found to stay.
    pending: Vec<u64>,
    /// Whether a row has such voxels.
    pending_row: Vec<bool>,
    /// Three bits per voxel: the one before it in its row, itself, the one after it.
    triples: Vec<u8>,
}

impl Volume {
    fn of(mask: &Runs, crop: &Crop) -> Self {
        let [planes, rows_per_plane, width] = crop.padded;
        let (rows, words) = (planes * rows_per_plane, width.div_ceil(64));
        let mut volume = Self {
            rows_per_plane,
            width,
            words,
            mask: vec![0; rows * words],
            pending: Vec::new(),
            pending_row: vec![false; rows],
            triples: vec![0; crop.voxels()],
        };
        for segment in crop.segments(mask) {
            volume.fill(segment.crop, segment.crop + segment.len);
        }
        volume.pending.clone_from(&volume.mask);
        volume
    }

    /// Sets voxels of one row.
    fn fill(&mut self, begin: usize, end: usize) {
        let (row, from, to) = (begin / self.width, begin % self.width, begin % self.width + end - begin);
        self.pending_row[row] = true;
        for x in from..to {
            self.mask[row * self.words + x / 64] |= 1 << (x % 64);
        }
        for at in begin..end {
            self.triples[at - 1] |= 4;
            self.triples[at] |= 2;
            self.triples[at + 1] |= 1;
        }
    }

    /// The 27 voxels around one.
    #[allow(clippy::inline_always, reason = "the body must be compiled into each version of its caller")]
    #[inline(always)]
    fn around(&self, at: usize) -> u32 {
        let (row, plane) = (self.width, self.width * self.rows_per_plane);
        let mut around = 0;
        for z in [at - plane, at, at + plane].into_iter().rev() {
            for y in [z - row, z, z + row].into_iter().rev() {
                around = around << 3 | u32::from(self.triples[y]);
            }
        }
        around
    }

    /// Voxels of a row's word whose neighbour on a side is background and that have to be looked at.
    #[allow(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn exposed(&self, row: usize, word: usize, side: Side) -> u64 {
        let at = row * self.words + word;
        let open = self.pending[at] & self.mask[at];
        if open == 0 {
            return 0;
        }
        let line = self.words;
        let beside = match side {
            Side::RowBefore => self.mask[at - line],
            Side::RowAfter => self.mask[at + line],
            Side::PlaneBefore => self.mask[at - line * self.rows_per_plane],
            Side::PlaneAfter => self.mask[at + line * self.rows_per_plane],
            Side::ColumnBefore => {
                let carried = if word > 0 { self.mask[at - 1] >> 63 } else { 0 };
                self.mask[at] << 1 | carried
            }
            Side::ColumnAfter => {
                let carried = if word + 1 < self.words { self.mask[at + 1] << 63 } else { 0 };
                self.mask[at] >> 1 | carried
            }
        };
        open & !beside
    }

    /// Notes that a voxel stays until something around it changes.
    #[allow(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn settle(&mut self, row: usize, x: usize) {
        self.pending[row * self.words + x / 64] &= !(1 << (x % 64));
    }

    /// Takes a voxel away; all around it have to be looked at again.
    #[allow(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn delete(&mut self, row: usize, x: usize) {
        let at = row * self.width + x;
        self.mask[row * self.words + x / 64] &= !(1 << (x % 64));
        self.triples[at - 1] &= !4;
        self.triples[at] &= !2;
        self.triples[at + 1] &= !1;
        let first = x - 1;
        let (word, bit) = (first / 64, first % 64);
        for plane in [row - self.rows_per_plane, row, row + self.rows_per_plane] {
            for row in plane - 1..=plane + 1 {
                self.pending_row[row] = true;
                self.pending[row * self.words + word] |= 7 << bit;
                if bit > 61 {
                    self.pending[row * self.words + word + 1] |= 7 >> (64 - bit);
                }
            }
        }
    }

    fn positions(&self, crop: &Crop) -> Vec<usize> {
        let mut positions = Vec::new();
        for (at, &word) in self.mask.iter().enumerate() {
            let mut bits = word;
            while bits != 0 {
                let x = at % self.words * 64 + bits.trailing_zeros() as usize;
                positions.push(crop.outside(at / self.words * self.width + x));
                bits &= bits - 1;
            }
        }
        positions
    }
}

vectorized! {
    /// Takes away what can go on one side: finds all candidates first, then looks at each again in memory order, since
    /// two neighbours may both be candidates of which only one can go. Returns whether any went.
    fn take_layer(volume: &mut Volume, side: Side, candidates: &mut Vec<(u32, u32)>) -> bool {
        candidates.clear();
        for row in 0..volume.pending_row.len() {
            if !volume.pending_row[row] {
                continue;
            }
            let mut any = 0;
            for word in 0..volume.words {
                let mut bits = volume.exposed(row, word, side);
                while bits != 0 {
                    let x = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    if deletable(volume.around(row * volume.width + x)) {
                        candidates.push((row as u32, x as u32));
                    } else {
                        volume.settle(row, x);
                    }
                }
                let at = row * volume.words + word;
                any |= volume.pending[at] & volume.mask[at];
            }
            volume.pending_row[row] = any != 0;
        }
        let mut changed = false;
        for &(row, x) in candidates.iter() {
            let (row, x) = (row as usize, x as usize);
            if one_piece(volume.around(row * volume.width + x)) {
                volume.delete(row, x);
                changed = true;
            } else {
                volume.settle(row, x);
            }
        }
        changed
    }
}
