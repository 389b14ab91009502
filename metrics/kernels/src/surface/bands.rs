//! What is counted on packed masks without a search: bands along borders, and centroids.

use super::bits::{self, Bits, Frame};
use super::grid::Grid;
use crate::error::Undefined;

/// Intersection over union of two bands: the voxels of each mask closer than `distance` voxels to its border.
pub(super) fn boundary_iou(
    masks: [&Bits; 2],
    frame: &Frame,
    grid: &Grid,
    distance: f64,
) -> Result<f64, Undefined> {
    let (a, b) =
        rayon::join(|| band(masks[0], frame, grid, distance), || band(masks[1], frame, grid, distance));
    let width = frame.width();
    let common = |&start: &usize| -> u64 {
        let pairs = a.words[start..start + width].iter().zip(&b.words[start..start + width]);
        pairs.map(|(a, b)| u64::from((a & b).count_ones())).sum()
    };
    let both: u64 = a.rows.iter().map(common).sum();
    let either = a.count(frame) + b.count(frame) - both;
    if either == 0 { Err(Undefined::BothEmpty) } else { Ok(both as f64 / either as f64) }
}

/// The voxels of a mask that are closer to its border than `distance`, in voxels.
fn band(mask: &Bits, frame: &Frame, grid: &Grid, distance: f64) -> Bits {
    let border = bits::borders(mask, frame, grid.planar);
    let widest = frame.size.into_iter().max().unwrap_or(1);
    // Farther than any two voxels of the box: the band is the mask.
    if distance > 2.0 * widest as f64 {
        return mask.clone();
    }
    let square = distance * distance;
    let reach = (0..widest).take_while(|&n| ((n * n) as f64) < square).count().saturating_sub(1);
    // For each pair of offsets across, how far the band reaches along the row.
    let mut across = Vec::new();
    let reach_z = if grid.planar { 0 } else { reach };
    for z in 0..=reach_z {
        for y in 0..=reach {
            let along = (0..=reach).take_while(|&x| ((x * x + y * y + z * z) as f64) < square).count();
            if along > 0 {
                across.push((y, z, along - 1));
            }
        }
    }
    let mut words = vec![0_u64; frame.words()];
    let width = frame.width();
    let mut wide = vec![vec![0_u64; width]; reach + 1];
    for &start in &border.rows {
        let [y, z] = frame.place(start);
        wide[0].copy_from_slice(&border.words[start..start + width]);
        for along in 1..=reach {
            let (done, next) = wide.split_at_mut(along);
            widen(&done[along - 1], &mut next[0]);
        }
        for &(dy, dz, along) in &across {
            for to_y in sides(y, dy, frame.size[1]) {
                for to_z in sides(z, dz, frame.size[2]) {
                    let to = frame.start(to_y, to_z);
                    let (own, out) = (&mask.words[to..to + width], &mut words[to..to + width]);
                    for ((out, word), own) in out.iter_mut().zip(&wide[along]).zip(own) {
                        *out |= word & own;
                    }
                }
            }
        }
    }
    Bits { words, rows: mask.rows.clone() }
}

/// The positions at a distance before and after another, inside the box.
fn sides(at: usize, offset: usize, size: usize) -> impl Iterator<Item = usize> + Clone {
    let after = Some(at + offset).filter(|&n| n < size);
    let before = at.checked_sub(offset).filter(|_| offset > 0);
    after.into_iter().chain(before)
}

/// Each bit and its neighbours along the row.
fn widen(row: &[u64], out: &mut [u64]) {
    for i in 0..row.len() {
        let before = if i > 0 { row[i - 1] >> 63 } else { 0 };
        let after = row.get(i + 1).map_or(0, |next| next << 63);
        out[i] = row[i] | row[i] << 1 | before | row[i] >> 1 | after;
    }
}

/// Sums of the coordinates of all voxels, and their number.
fn moments(mask: &Bits, frame: &Frame) -> [u64; 4] {
    // Which of a word's bits have a given bit set in their number.
    const PLACES: [u64; 6] = [
        0xaaaa_aaaa_aaaa_aaaa,
        0xcccc_cccc_cccc_cccc,
        0xf0f0_f0f0_f0f0_f0f0,
        0xff00_ff00_ff00_ff00,
        0xffff_0000_ffff_0000,
        0xffff_ffff_0000_0000,
    ];
    let mut sums = [0_u64; 4];
    for &start in &mask.rows {
        let [y, z] = frame.place(start);
        for (i, &word) in mask.words[start..start + frame.width()].iter().enumerate() {
            let count = u64::from(word.count_ones());
            let within: u64 =
                PLACES.iter().enumerate().map(|(p, m)| u64::from((word & m).count_ones()) << p).sum();
            sums[0] += within + count * (64 * i) as u64;
            sums[1] += count * y as u64;
            sums[2] += count * z as u64;
            sums[3] += count;
        }
    }
    sums
}

/// Distance between the centroids of two masks, mm.
pub(super) fn centroid_distance(masks: [&Bits; 2], frame: &Frame, grid: &Grid) -> Result<f64, Undefined> {
    let [a, b] = masks.map(|mask| moments(mask, frame));
    match (a[3] == 0, b[3] == 0) {
        (true, true) => return Err(Undefined::BothEmpty),
        (true, false) => return Err(Undefined::ReferenceEmpty),
        (false, true) => return Err(Undefined::PredictionEmpty),
        (false, false) => {}
    }
    let mut squares: [f64; 3] = std::array::from_fn(|i| {
        // Over the common denominator, so that equal centroids are exactly 0 apart.
        let (one, two) = (u128::from(a[i]) * u128::from(b[3]), u128::from(b[i]) * u128::from(a[3]));
        let step = one.abs_diff(two) as f64 / (a[3] as f64 * b[3] as f64);
        (step * grid.spacing_mm[i]).powi(2)
    });
    squares.sort_by(f64::total_cmp);
    Ok(((squares[0] + squares[1]) + squares[2]).sqrt())
}
