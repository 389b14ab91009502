//! Zhang and Suen's thinning of 2-D masks, with the exceptions that scikit-image makes: 64 pixels at a time, one bit
//! each.

use super::crop::{Crop, Segment};
use crate::components::Runs;
use crate::vectorized::vectorized;

/// Positions of the skeleton in the image, ascending. The crop is that of an image of one plane.
pub(super) fn thin(mask: &Runs, crop: &Crop) -> Vec<usize> {
    let mut plane = Plane::of(mask, crop);
    loop {
        let first = half_round(&mut plane, true);
        let second = half_round(&mut plane, false);
        if !(first || second) {
            break;
        }
    }
    let mut positions = Vec::new();
    for Segment { image, crop: at, len } in crop.segments(mask) {
        positions.extend((0..len).filter(|i| plane.has(at + i)).map(|i| image + i));
    }
    positions
}

/// A cropped mask of one plane as bits, with a word of background before and after each row.
struct Plane {
    /// Pixels per row of the crop.
    width: usize,
    /// Pixels of the crop before its only plane of foreground.
    skipped: usize,
    /// Words per row.
    words: usize,
    rows: usize,
    mask: Vec<u64>,
    /// Pixels that go in this half of a round.
    going: Vec<u64>,
    /// The half round in which a row last changed; they are counted from 1.
    changed: Vec<u32>,
    now: u32,
}

impl Plane {
    fn of(mask: &Runs, crop: &Crop) -> Self {
        let [_, rows, width] = crop.padded;
        let words = width.div_ceil(64) + 2;
        let mut plane = Self {
            width,
            skipped: rows * width,
            words,
            rows,
            mask: vec![0; rows * words],
            going: vec![0; rows * words],
            changed: vec![0; rows],
            now: 0,
        };
        for Segment { crop: begin, len, .. } in crop.segments(mask) {
            for at in begin..begin + len {
                let (word, bit) = plane.place(at);
                plane.mask[word] |= 1 << bit;
            }
        }
        plane
    }

    /// Word and bit of a pixel of the crop.
    fn place(&self, at: usize) -> (usize, usize) {
        let (row, x) = ((at - self.skipped) / self.width, (at - self.skipped) % self.width);
        (row * self.words + 1 + x / 64, x % 64)
    }

    fn has(&self, at: usize) -> bool {
        let (word, bit) = self.place(at);
        self.mask[word] >> bit & 1 == 1
    }

    /// Whether a row's pixels have to be looked at: something near changed since this half was last done.
    fn is_open(&self, row: usize) -> bool {
        let newest = self.changed[row - 1].max(self.changed[row]).max(self.changed[row + 1]);
        newest + 2 >= self.now
    }
}

vectorized! {
    /// Takes away, all at once, the pixels that go in the first or second half of a round. Returns whether any went.
    fn half_round(plane: &mut Plane, first: bool) -> bool {
        plane.now += 1;
        for row in 1..plane.rows - 1 {
            if plane.is_open(row) {
                let line = |row: usize| &plane.mask[row * plane.words..][..plane.words];
                let lines = [line(row - 1), line(row), line(row + 1)];
                let going = &mut plane.going[row * plane.words + 1..][..plane.words - 2];
                if first {
                    find_going(lines, going, goes_first);
                } else {
                    find_going(lines, going, goes_second);
                }
            }
        }
        let mut changed = false;
        for row in 1..plane.rows - 1 {
            if !plane.is_open(row) {
                continue;
            }
            let words = row * plane.words..(row + 1) * plane.words;
            let mut any = 0;
            for (pixels, going) in plane.mask[words.clone()].iter_mut().zip(&mut plane.going[words]) {
                any |= *going;
                *pixels &= !*going;
                *going = 0;
            }
            plane.going[row * plane.words] = any;
        }
        // Marked only now, since whether a row was looked at depends on its neighbours.
        for row in 1..plane.rows - 1 {
            if std::mem::take(&mut plane.going[row * plane.words]) != 0 {
                plane.changed[row] = plane.now;
                changed = true;
            }
        }
        changed
    }
}

/// Applies a rule to a row, given the rows above, itself and below.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version of its caller")]
#[inline(always)]
fn find_going(lines: [&[u64]; 3], going: &mut [u64], rule: impl Fn([u64; 8]) -> u64) {
    let n = going.len();
    let [above, own, below] = lines.map(|line| (&line[..n], &line[1..=n], &line[2..n + 2]));
    for (i, going) in going.iter_mut().enumerate() {
        // The lowest bit comes first in the row.
        let left = |line: (&[u64], &[u64], &[u64])| line.1[i] << 1 | line.0[i] >> 63;
        let right = |line: (&[u64], &[u64], &[u64])| line.1[i] >> 1 | line.2[i] << 63;
        let around = [
            left(above),
            above.1[i],
            right(above),
            right(own),
            right(below),
            below.1[i],
            left(below),
            left(own),
        ];
        *going = own.1[i] & rule(around);
    }
}

/// What goes in the first half of a round, by the eight neighbours: clockwise from the one above left.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn goes_first(p: [u64; 8]) -> u64 {
    let [_, above, _, right, _, below, _, left] = p;
    let exposed = !(above & right & below) & !(right & below & left);
    let added = steps(p) | is::<11>(p) | is::<134>(p) | is::<161>(p) | is::<194>(p) | is::<198>(p);
    let kept = ends(p) | is::<24>(p) | is::<56>(p) | is::<96>(p) | is::<192>(p) | is::<224>(p);
    (one_arc(p) & exposed & !kept) | added
}

/// What goes in the second half of a round.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn goes_second(p: [u64; 8]) -> u64 {
    let [_, above, _, right, _, below, _, left] = p;
    let exposed = !(above & right & left) & !(above & below & left);
    let added = steps(p) | is::<26>(p) | is::<104>(p) | is::<108>(p) | is::<176>(p);
    let kept = ends(p) | is::<3>(p) | is::<6>(p) | is::<12>(p) | is::<14>(p) | is::<131>(p);
    (one_arc(p) & exposed & !kept) | added
}

/// scikit-image's exceptions for both halves, taken away: the corner of a step of two lines.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn steps(p: [u64; 8]) -> u64 {
    is::<10>(p) | is::<40>(p) | is::<130>(p) | is::<160>(p)
}

/// scikit-image's exceptions for both halves, kept.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn ends(p: [u64; 8]) -> u64 {
    is::<48>(p) | is::<129>(p)
}

/// Pixels with exactly these neighbours: bit 0 of the code is the one above left, the others follow clockwise.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn is<const CODE: u8>(p: [u64; 8]) -> u64 {
    let mut all = u64::MAX;
    for (i, neighbour) in p.into_iter().enumerate() {
        all &= if CODE >> i & 1 == 1 { neighbour } else { !neighbour };
    }
    all
}

/// Pixels whose neighbours form one arc of two to six: going round, foreground follows background once.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn one_arc(p: [u64; 8]) -> u64 {
    let (mut once, mut twice, mut two_on, mut two_off) = (0, 0, 0, 0);
    for i in 0..8 {
        let (here, next) = (p[i], p[(i + 1) % 8]);
        let begins = !here & next;
        twice |= once & begins;
        once |= begins;
        // With one arc, two neighbours in a row mean at least two in all; the same of background.
        two_on |= here & next;
        two_off |= !here & !next;
    }
    once & !twice & two_on & two_off
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's conditions for a half round, and scikit-image's exceptions as (code, goes first, goes second).
    fn goes(code: u8) -> [bool; 2] {
        let exceptions = [
            (3, [true, false]),
            (6, [true, false]),
            (10, [true, true]),
            (11, [true, false]),
            (12, [true, false]),
            (14, [true, false]),
            (24, [false, true]),
            (26, [false, true]),
            (40, [true, true]),
            (48, [false, false]),
            (56, [false, true]),
            (96, [false, true]),
            (104, [false, true]),
            (108, [false, true]),
            (129, [false, false]),
            (130, [true, true]),
            (131, [true, false]),
            (134, [true, false]),
            (160, [true, true]),
            (161, [true, false]),
            (176, [false, true]),
            (192, [false, true]),
            (194, [true, false]),
            (198, [true, false]),
            (224, [false, true]),
        ];
        if let Some(&(_, halves)) = exceptions.iter().find(|e| e.0 == code) {
            return halves;
        }
        let has = |i: u32| code >> i & 1 == 1;
        let arcs = (0..8).filter(|&i| !has(i) && has((i + 1) % 8)).count();
        let arc = arcs == 1 && (2..=6).contains(&code.count_ones());
        let open = |three: [u32; 3]| three.iter().any(|&i| !has(i));
        [arc && open([1, 3, 5]) && open([3, 5, 7]), arc && open([1, 3, 7]) && open([1, 5, 7])]
    }

    #[test]
    fn every_neighbourhood_is_judged_as_in_the_table() {
        for code in 0..=255u8 {
            let around = std::array::from_fn(|i| if code >> i & 1 == 1 { 1 << 40 } else { 0 });
            let found = [goes_first(around), goes_second(around)].map(|word| word >> 40 & 1 == 1);
            assert_eq!(found, goes(code), "neighbourhood {code}");
        }
    }
}
