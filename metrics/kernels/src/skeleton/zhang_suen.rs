//! Zhang and Suen's thinning of 2-D masks, with the exceptions that scikit-image makes.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions are at most 2^31, checked when the runs were made"
)]

use super::crop::{Crop, Segment};
use crate::components::Runs;

/// A pixel with these neighbours goes in the first half of a round.
const FIRST: u8 = 1;
/// A pixel with these neighbours goes in the second half of a round.
const SECOND: u8 = 2;

/// When a pixel goes, by its eight neighbours: bit 0 is the one above left, the others follow clockwise.
const RULES: [u8; 256] = rules();

/// Neighbourhoods that scikit-image's table treats otherwise than the paper: mostly steps of staircases, which go, and
/// ends of two-pixel lines, of which one stays.
const EXCEPTIONS: [(u8, u8); 25] = [
    (3, FIRST),
    (6, FIRST),
    (10, FIRST | SECOND),
    (11, FIRST),
    (12, FIRST),
    (14, FIRST),
    (24, SECOND),
    (26, SECOND),
    (40, FIRST | SECOND),
    (48, 0),
    (56, SECOND),
    (96, SECOND),
    (104, SECOND),
    (108, SECOND),
    (129, 0),
    (130, FIRST | SECOND),
    (131, FIRST),
    (134, FIRST),
    (160, FIRST | SECOND),
    (161, FIRST),
    (176, SECOND),
    (192, SECOND),
    (194, FIRST),
    (198, FIRST),
    (224, SECOND),
];

const fn rules() -> [u8; 256] {
    let mut rules = [0; 256];
    let mut code = 0u8;
    loop {
        rules[code as usize] = paper(code);
        if code == u8::MAX {
            break;
        }
        code += 1;
    }
    let mut i = 0;
    while i < EXCEPTIONS.len() {
        rules[EXCEPTIONS[i].0 as usize] = EXCEPTIONS[i].1;
        i += 1;
    }
    rules
}

/// The conditions of the paper: two to six neighbours, in one piece, and background on the sides of this half round.
const fn paper(code: u8) -> u8 {
    let neighbours = code.count_ones();
    // Places where, going round, foreground follows background.
    let pieces = (code & !code.rotate_left(1)).count_ones();
    if pieces != 1 || neighbours < 2 || neighbours > 6 {
        return 0;
    }
    let (above, right, below, left) = (1 << 1, 1 << 3, 1 << 5, 1 << 7);
    let mut rule = 0;
    if lacks(code, above | right | below) && lacks(code, right | below | left) {
        rule |= FIRST;
    }
    if lacks(code, above | right | left) && lacks(code, above | below | left) {
        rule |= SECOND;
    }
    rule
}

/// Whether one of these neighbours is background.
const fn lacks(code: u8, these: u8) -> bool {
    code & these != these
}

/// The same rules by a pixel's row triples: those above (bits 0 to 2), its own (3 to 5) and those below (6 to 8), in each
/// the lowest bit first in the row.
const BY_TRIPLES: [u8; 512] = by_triples();

const fn by_triples() -> [u8; 512] {
    let mut table = [0; 512];
    let mut triples = 0;
    while triples < 512 {
        let above = triples & 7;
        let right = triples >> 5 & 1;
        let (below_right, below, below_left) = (triples >> 8 & 1, triples >> 7 & 1, triples >> 6 & 1);
        let left = triples >> 3 & 1;
        let code = above | right << 3 | below_right << 4 | below << 5 | below_left << 6 | left << 7;
        table[triples] = RULES[code];
        triples += 1;
    }
    table
}

/// Positions of the skeleton in the image, ascending. The crop is that of an image of one plane.
pub(super) fn thin(mask: &Runs, crop: &Crop) -> Vec<usize> {
    let mut plane = Plane::of(mask, crop);
    loop {
        let first = plane.half_round(FIRST);
        let second = plane.half_round(SECOND);
        if !(first || second) {
            break;
        }
    }
    let left = |segment: Segment| {
        let line = plane.triples[segment.crop..][..segment.len].iter().enumerate();
        line.filter(|&(_, triple)| triple & 2 != 0).map(move |(i, _)| segment.image + i).collect::<Vec<_>>()
    };
    crop.segments(mask).flat_map(left).collect()
}

/// A cropped mask, and the pixels that may go.
struct Plane {
    width: usize,
    /// Three bits per pixel: the one before it in its row, itself, the one after it.
    triples: Vec<u8>,
    /// Pixels whose surroundings changed since they were last found to stay.
    pending: Vec<u32>,
    /// Whether a pixel is among those.
    listed: Vec<bool>,
    gone: Vec<u32>,
}

impl Plane {
    fn of(mask: &Runs, crop: &Crop) -> Self {
        let width = crop.padded[2];
        let mut triples = vec![0; crop.voxels()];
        for Segment { crop: begin, len, .. } in crop.segments(mask) {
            for at in begin..begin + len {
                triples[at - 1] |= 4;
                triples[at] |= 2;
                triples[at + 1] |= 1;
            }
        }
        let (mut pending, mut listed) = (Vec::new(), vec![false; triples.len()]);
        for Segment { crop: begin, len, .. } in crop.segments(mask) {
            let rows = [begin - width, begin, begin + width].map(|row| &triples[row..row + len]);
            for i in 0..len {
                // A pixel with foreground all around stays for now.
                if rows[0][i] & rows[1][i] & rows[2][i] != 7 {
                    listed[begin + i] = true;
                    pending.push((begin + i) as u32);
                }
            }
        }
        Self { width, triples, pending, listed, gone: Vec::new() }
    }

    /// Takes away, all at once, the pixels that go in this half of a round. Returns whether any went.
    fn half_round(&mut self, half: u8) -> bool {
        let Self { width, triples, pending, listed, gone } = self;
        gone.clear();
        pending.retain(|&pixel| {
            let at = pixel as usize;
            let rows = [at - *width, at, at + *width].map(|row| usize::from(triples[row]));
            let rule = BY_TRIPLES[rows[0] | rows[1] << 3 | rows[2] << 6];
            if rule & half != 0 {
                gone.push(pixel);
            }
            // What goes in the other half is looked at again there, unless it goes now.
            let stays_listed = rule != 0 && rule & half == 0;
            listed[at] = stays_listed;
            stays_listed
        });
        for &pixel in &*gone {
            let at = pixel as usize;
            triples[at - 1] &= !4;
            triples[at] &= !2;
            triples[at + 1] &= !1;
        }
        for &pixel in &*gone {
            let at = pixel as usize;
            for row in [at - *width, at, at + *width] {
                for near in row - 1..=row + 1 {
                    if triples[near] & 2 != 0 && !listed[near] {
                        listed[near] = true;
                        pending.push(near as u32);
                    }
                }
            }
        }
        !gone.is_empty()
    }
}
