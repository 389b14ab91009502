//! Zhang and Suen's thinning of 2-D masks, with the exceptions that scikit-image makes.

use super::crop::Crop;
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

/// Positions of the skeleton in the image, ascending. The runs are those of an image of that many rows and columns.
pub(super) fn thin(mask: &Runs, rows: usize, columns: usize) -> Vec<usize> {
    let Some(crop) = Crop::of(mask, [1, rows, columns]) else { return Vec::new() };
    let width = crop.padded[2];
    let mut pixels = vec![0u8; crop.voxels()];
    let mut pending = Vec::new();
    for run in mask.list() {
        for at in run.begin as usize..run.end as usize {
            pixels[crop.inside(at)] = 1;
            pending.push(crop.inside(at));
        }
    }
    // Whether a pixel is in the list of those to look at.
    let mut listed = pixels.clone();
    while !pending.is_empty() {
        let mut changed = false;
        for half in [FIRST, SECOND] {
            changed |= half_round(&mut pixels, &mut listed, &mut pending, width, half);
        }
        if !changed {
            break;
        }
    }
    (0..pixels.len()).filter(|&at| pixels[at] == 1).map(|at| crop.outside(at)).collect()
}

/// Takes away, all at once, the pixels that go in this half of a round.
fn half_round(
    pixels: &mut [u8],
    listed: &mut [u8],
    pending: &mut Vec<usize>,
    width: usize,
    half: u8,
) -> bool {
    let mut gone = Vec::new();
    pending.retain(|&at| {
        let rule = RULES[usize::from(code(pixels, at, width))];
        if rule & half != 0 {
            gone.push(at);
        }
        let stays_listed = rule != 0 && rule & half == 0;
        listed[at] = u8::from(stays_listed);
        stays_listed
    });
    for &at in &gone {
        pixels[at] = 0;
    }
    for &at in &gone {
        for neighbour in around(at, width) {
            if pixels[neighbour] == 1 && listed[neighbour] == 0 {
                listed[neighbour] = 1;
                pending.push(neighbour);
            }
        }
    }
    !gone.is_empty()
}

/// The neighbours, clockwise from the one above left.
fn around(at: usize, width: usize) -> [usize; 8] {
    let (above, below) = (at - width, at + width);
    [above - 1, above, above + 1, at + 1, below + 1, below, below - 1, at - 1]
}

fn code(pixels: &[u8], at: usize, width: usize) -> u8 {
    around(at, width).iter().rev().fold(0, |code, &neighbour| code << 1 | pixels[neighbour])
}
