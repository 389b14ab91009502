//! Loops over the runs of a label map, for each type of voxel and each kind of machine.

use super::bits::Frame;
use crate::overlap::Label;
use crate::vectorized::vectorized;

/// The smallest box around a label: from `low` up to and without `high`; empty when `high` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(super) low: [usize; 3],
    pub(super) high: [usize; 3],
}

impl Extent {
    pub(super) const NONE: Self = Self { low: [usize::MAX; 3], high: [0; 3] };

    pub(super) fn join(self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|i| self.low[i].min(other.low[i])),
            high: std::array::from_fn(|i| self.high[i].max(other.high[i])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.high[0] == 0
    }

    /// Voxels along each axis.
    pub(super) fn size(&self) -> [usize; 3] {
        std::array::from_fn(|i| self.high[i].saturating_sub(self.low[i]))
    }
}

vectorized! {
    pub(crate) fn boxes_u8(voxels: &[u8], found: Boxes<'_>) -> () {
        rows(voxels, found);
    }
}

vectorized! {
    pub(crate) fn boxes_u16(voxels: &[u16], found: Boxes<'_>) -> () {
        rows(voxels, found);
    }
}

/// What a pass over some rows looks up and fills in.
#[derive(Debug)]
pub struct Boxes<'a> {
    /// Number of the first row, length of a row, rows of a plane.
    pub(super) place: [usize; 3],
    /// The number of each label.
    pub(super) table: &'a [u16],
    /// The box of each number.
    pub(super) extents: &'a mut [Extent],
    /// For each row whether it holds anything but background.
    pub(super) occupied: &'a mut [bool],
}

/// Widens the boxes by the runs of some rows.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn rows<T: Label>(voxels: &[T], found: Boxes<'_>) {
    let Boxes { place: [first_row, nx, ny], table, extents, occupied } = found;
    let background = T::default();
    for (i, (row, occupied)) in voxels.chunks(nx).zip(occupied).enumerate() {
        *occupied = any(row, |v| v != background);
        if !*occupied {
            continue;
        }
        let (y, z) = ((first_row + i) % ny, (first_row + i) / ny);
        let mut x = 0;
        while x < nx {
            let end = run_end(row, x);
            let label = row[x];
            if label != background {
                let bounds = &mut extents[usize::from(table[usize::from(label.into())])];
                bounds.low = [bounds.low[0].min(x), bounds.low[1].min(y), bounds.low[2].min(z)];
                bounds.high = [bounds.high[0].max(end), bounds.high[1].max(y + 1), bounds.high[2].max(z + 1)];
            }
            x = end;
        }
    }
}

/// Whether any voxel meets a condition; looks at all of them.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn any<T: Label>(voxels: &[T], condition: impl Fn(T) -> bool) -> bool {
    #[allow(clippy::needless_bitwise_bool, reason = "branches would keep this from being vectorised")]
    voxels.iter().fold(false, |any, v| any | condition(*v))
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

/// Where the voxels of a label's box lie and where their bits go.
#[derive(Debug, Clone, Copy)]
pub struct Packing<'a> {
    /// Length of a row of the map, rows of a plane.
    pub(super) map: [usize; 2],
    /// First voxel of the box.
    pub(super) low: [usize; 3],
    /// The frame of the bits.
    pub(super) frame: Frame,
    /// For each row of the map whether it holds anything but background.
    pub(super) occupied: &'a [bool],
}

/// Sets the bits of the voxels that have the label; returns the first words of the rows that have any.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn pack<T: Label>(map: &[T], label: T, packing: &Packing<'_>, bits: &mut [u64]) -> Vec<usize> {
    let [nx, ny] = packing.map;
    let [low_x, low_y, low_z] = packing.low;
    let frame = &packing.frame;
    let mut rows = Vec::new();
    for z in 0..frame.size[2] {
        for y in 0..frame.size[1] {
            let row = (z + low_z) * ny + y + low_y;
            if !packing.occupied[row] {
                continue;
            }
            let begin = row * nx + low_x;
            let start = frame.start(y, z);
            let mut any = false;
            for (voxels, out) in map[begin..begin + frame.size[0]].chunks(64).zip(&mut bits[start..]) {
                if self::any(voxels, |v| v == label) {
                    *out = T::equal(voxels, label);
                    any = true;
                }
            }
            if any {
                rows.push(start);
            }
        }
    }
    rows
}

vectorized! {
    pub(crate) fn pack_u8(map: &[u8], label: u8, packing: &Packing<'_>, bits: &mut [u64]) -> Vec<usize> {
        pack(map, label, packing, bits)
    }
}

vectorized! {
    pub(crate) fn pack_u16(map: &[u16], label: u16, packing: &Packing<'_>, bits: &mut [u64]) -> Vec<usize> {
        pack(map, label, packing, bits)
    }
}

/// The bits of up to 64 voxels that have the label.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
pub(crate) fn equal_u8(voxels: &[u8], label: u8) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let splat = u64::from(label) * 0x0101_0101_0101_0101;
    let (words, rest) = voxels.as_chunks::<8>();
    let mut found = 0;
    for (i, bytes) in words.iter().enumerate() {
        let differ = u64::from_le_bytes(*bytes) ^ splat;
        // The high bit of each byte that differs nowhere; carries cannot cross bytes.
        let equal = !(((differ & !HIGH) + !HIGH) | differ) & HIGH;
        // Each product bit is one flag, moved to the top byte.
        let gathered = (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        found |= gathered << (8 * i);
    }
    let done = words.len() * 8;
    rest.iter().enumerate().fold(found, |all, (i, &v)| all | u64::from(v == label) << (done + i))
}

/// The bits of up to 64 voxels that have the label.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
pub(crate) fn equal_u16(voxels: &[u16], label: u16) -> u64 {
    voxels.iter().enumerate().fold(0, |all, (i, &v)| all | u64::from(v == label) << i)
}
