//! Finds the runs in a slice of voxels. The slice is read once; blocks of background cost one comparison.

#![expect(clippy::cast_possible_truncation, reason = "positions are at most 2^31, checked before")]

use super::Run;
use crate::vectorized::vectorized;

/// Voxels looked at together for anything but background.
const BLOCK: usize = 512;

vectorized! {
    /// Runs of values other than 0.
    pub(super) fn foreground(mask: &[u8]) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut open: Option<u32> = None;
        let mut at = 0u32;
        for block in mask.chunks(BLOCK) {
            let quiet = open.is_none() && block.iter().fold(0, |any, &v| any | v) == 0;
            if quiet {
                at += block.len() as u32;
                continue;
            }
            for chunk in block.chunks(64) {
                let bits = match <&[u8; 64]>::try_from(chunk) {
                    Ok(whole) => pack(whole),
                    Err(_) => chunk.iter().rev().fold(0, |bits, &v| bits << 1 | u64::from(v != 0)),
                };
                let mut changes = bits ^ (bits << 1 | u64::from(open.is_some()));
                if chunk.len() < 64 {
                    // What follows the last voxel is no change: an open run is closed after the loop.
                    changes &= (1 << chunk.len()) - 1;
                }
                while changes != 0 {
                    let here = at + changes.trailing_zeros();
                    changes &= changes - 1;
                    open = match open {
                        None => Some(here),
                        Some(begin) => {
                            runs.push(Run { begin, end: here });
                            None
                        }
                    };
                }
                at += chunk.len() as u32;
            }
        }
        if let Some(begin) = open {
            runs.push(Run { begin, end: at });
        }
        runs
    }
}

/// One bit per voxel, set where the value is not 0.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn pack(voxels: &[u8; 64]) -> u64 {
    let mut bits = 0;
    for (i, eight) in voxels.as_chunks::<8>().0.iter().enumerate() {
        let mut word = u64::from_le_bytes(*eight);
        // The lowest bit of each byte becomes the union of its bits, and the product gathers them in the top byte.
        word |= word >> 4 & 0x0f0f_0f0f_0f0f_0f0f;
        word |= word >> 2 & 0x3f3f_3f3f_3f3f_3f3f;
        word |= word >> 1;
        word &= 0x0101_0101_0101_0101;
        bits |= (word.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    bits
}

/// Runs of one value other than 0, with their values.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn labelled<L: Copy + Eq + Default + Into<u32>>(labels: &[L]) -> (Vec<Run>, Vec<u32>) {
    let background = L::default();
    let (mut runs, mut values) = (Vec::new(), Vec::new());
    let mut current = background;
    let mut begin = 0u32;
    let mut at = 0u32;
    for block in labels.chunks(64) {
        let changed = block.iter().fold(0, |any, &v| any | u8::from(v != current)) != 0;
        if changed {
            for &value in block {
                if value != current {
                    if current != background {
                        runs.push(Run { begin, end: at });
                        values.push(current.into());
                    }
                    (current, begin) = (value, at);
                }
                at += 1;
            }
        } else {
            at += block.len() as u32;
        }
    }
    if current != background {
        runs.push(Run { begin, end: at });
        values.push(current.into());
    }
    (runs, values)
}

vectorized! {
    /// Runs of one label other than 0.
    pub(super) fn labels_u8(labels: &[u8]) -> (Vec<Run>, Vec<u32>) {
        labelled(labels)
    }
}

vectorized! {
    /// Runs of one label other than 0.
    pub(super) fn labels_u16(labels: &[u16]) -> (Vec<Run>, Vec<u32>) {
        labelled(labels)
    }
}

vectorized! {
    /// Runs of one label other than 0.
    pub(super) fn labels_u32(labels: &[u32]) -> (Vec<Run>, Vec<u32>) {
        labelled(labels)
    }
}
