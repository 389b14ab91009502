//! Loops over the runs of a label map, for each type of voxel and each kind of machine.

use crate::overlap::Label;
use crate::vectorized::vectorized;

/// The smallest box around a label: from `low` up to and without `high`; empty when `high` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub low: [usize; 3],
    pub high: [usize; 3],
}

impl Extent {
    pub(super) const NONE: Self = Self { low: [usize::MAX; 3], high: [0; 3] };

    pub(super) fn join(self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|i| self.low[i].min(other.low[i])),
            high: std::array::from_fn(|i| self.high[i].max(other.high[i])),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.high[0] == 0
    }

    /// Voxels along each axis.
    pub fn size(&self) -> [usize; 3] {
        std::array::from_fn(|i| self.high[i].saturating_sub(self.low[i]))
    }
}

vectorized! {
    pub(crate) fn boxes_u8(voxels: &[u8], place: [usize; 3], table: &[u16], boxes: &mut [Extent]) -> () {
        rows(voxels, place, table, boxes);
    }
}

vectorized! {
    pub(crate) fn boxes_u16(voxels: &[u16], place: [usize; 3], table: &[u16], boxes: &mut [Extent]) -> () {
        rows(voxels, place, table, boxes);
    }
}

/// Widens the boxes by the runs of some rows; `place` is the first row's number, the row's length, rows per plane.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn rows<T: Label>(voxels: &[T], place: [usize; 3], table: &[u16], boxes: &mut [Extent]) {
    let [first_row, nx, ny] = place;
    let background = T::default();
    for (i, row) in voxels.chunks(nx).enumerate() {
        let any = row.iter().fold(false, |any, v| any | (*v != background));
        if !any {
            continue;
        }
        let (y, z) = ((first_row + i) % ny, (first_row + i) / ny);
        let mut x = 0;
        while x < nx {
            let end = run_end(row, x);
            let label = row[x];
            if label != background {
                let bounds = &mut boxes[usize::from(table[usize::from(label.into())])];
                bounds.low = [bounds.low[0].min(x), bounds.low[1].min(y), bounds.low[2].min(z)];
                bounds.high =
                    [bounds.high[0].max(end), bounds.high[1].max(y + 1), bounds.high[2].max(z + 1)];
            }
            x = end;
        }
    }
}

/// Where the run of equal voxels that begins at `start` ends.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn run_end<T: Label>(row: &[T], start: usize) -> usize {
    let value = row[start];
    let word = value.splat();
    let mut at = start + 1;
    while at + T::PER_WORD <= row.len() {
        let differ = T::word(&row[at..]) ^ word;
        if differ != 0 {
            return at + differ.trailing_zeros() as usize / (64 / T::PER_WORD);
        }
        at += T::PER_WORD;
    }
    while at < row.len() && row[at] == value {
        at += 1;
    }
    at
}

vectorized! {
    /// Sets the bit of each voxel that has the label.
    pub(crate) fn pack_u8(voxels: &[u8], label: u8, bits: &mut [u64]) -> () {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let splat = u64::from(label) * 0x0101_0101_0101_0101;
        for (voxels, out) in voxels.chunks(64).zip(bits) {
            let present = voxels.iter().fold(false, |any, v| any | (*v == label));
            if !present {
                continue;
            }
            let mut padded = [!label; 64];
            padded[..voxels.len()].copy_from_slice(voxels);
            let (words, _) = padded.as_chunks::<8>();
            for (i, bytes) in words.iter().enumerate() {
                let differ = u64::from_le_bytes(*bytes) ^ splat;
                // The high bit of each byte that differs nowhere; carries cannot cross bytes.
                let equal = !(((differ & !HIGH) + !HIGH) | differ) & HIGH;
                // Each product bit is one flag, moved to the top byte.
                let gathered = (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
                *out |= gathered << (8 * i);
            }
        }
    }
}

vectorized! {
    /// Sets the bit of each voxel that has the label.
    pub(crate) fn pack_u16(voxels: &[u16], label: u16, bits: &mut [u64]) -> () {
        for (voxels, out) in voxels.chunks(64).zip(bits) {
            let present = voxels.iter().fold(false, |any, v| any | (*v == label));
            if present {
                for (i, &v) in voxels.iter().enumerate() {
                    *out |= u64::from(v == label) << i;
                }
            }
        }
    }
}
