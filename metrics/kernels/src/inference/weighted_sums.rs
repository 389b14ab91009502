//! Weighted sums of many columns for many replicates: a small matrix product whose left side is made on the fly.

use super::resamples::Resamples;
use crate::vectorized::vectorized;
use rayon::prelude::*;

/// Replicates taken together.
const ROWS: usize = 4;
/// Most columns taken together: four registers of eight for each replicate.
const WIDE: usize = 32;
/// What columns are padded to: one register.
const REGISTER: usize = 8;

/// Columns cut into tiles and padded to whole registers: tile after tile, each case by case.
pub(crate) struct Columns {
    tiles: Vec<Tile>,
    cases: usize,
    width: usize,
}

struct Tile {
    width: usize,
    values: Vec<f64>,
}

impl Columns {
    /// Packs `values` (cases x columns, row after row).
    pub(crate) fn new(values: &[f64], cases: usize, columns: usize) -> Self {
        let mut tiles = Vec::new();
        let mut first = 0;
        while first < columns {
            let used = WIDE.min(columns - first);
            let width = used.next_multiple_of(REGISTER);
            let mut packed = vec![0.0; cases * width];
            for (row, from) in packed.chunks_exact_mut(width).zip(values.chunks_exact(columns)) {
                row[..used].copy_from_slice(&from[first..first + used]);
            }
            tiles.push(Tile { width, values: packed });
            first += width;
        }
        Self { tiles, cases, width: columns }
    }

    /// Columns with their padding.
    fn padded(&self) -> usize {
        self.tiles.iter().map(|tile| tile.width).sum()
    }
}

/// Sums of a replicate: one per column, and the sum of the weights.
pub(crate) struct Sums<'a> {
    pub(crate) columns: &'a [f64],
    pub(crate) total: f64,
}

/// Calls `finish` for every replicate with its sums, in parallel by blocks of replicates, and returns what it
/// returned in the order of the replicates.
///
/// Each draw of a case counts once; with `reweight`, a case counts as much as that makes of its number of draws.
/// Sums run over the cases in their order, whatever the number of threads; over draws that were given one by one,
/// unless reweighted, in the order of the draws.
pub(crate) fn for_each_replicate<T: Send>(
    columns: &Columns,
    resamples: &Resamples,
    reweight: Option<&(dyn Fn(u8) -> f64 + Sync)>,
    finish: impl Fn(Sums<'_>) -> T + Sync,
) -> Vec<T> {
    if reweight.is_none() && resamples.drawn(0).is_some() {
        return in_order_of_draws(columns, resamples, finish);
    }
    let (cases, replicates) = (columns.cases, resamples.replicates());
    let padded = columns.padded();
    let mut table = [0.0; 256];
    for (count, weight) in (0..=u8::MAX).zip(&mut table) {
        *weight = reweight.map_or(f64::from(count), |reweight| reweight(count));
    }
    let block = |scratch: &mut Scratch, first: usize| {
        let rows = ROWS.min(replicates - first);
        for row in 0..rows {
            resamples.fill(first + row, &mut scratch.counts);
            scratch.totals[row] = widen(&scratch.counts, &table, row, &mut scratch.weights) as f64;
        }
        let mut start = 0;
        for tile in &columns.tiles {
            multiply(&scratch.weights, tile, &mut scratch.sums[start..], padded);
            start += tile.width;
        }
        let finish_row = |row: usize| {
            let columns = &scratch.sums[row * padded..][..columns.width];
            finish(Sums { columns, total: scratch.totals[row] })
        };
        (0..rows).map(finish_row).collect::<Vec<T>>()
    };
    let found: Vec<Vec<T>> = (0..replicates.div_ceil(ROWS))
        .into_par_iter()
        .map_init(|| Scratch::new(cases, padded), |scratch, number| block(scratch, number * ROWS))
        .collect();
    found.into_iter().flatten().collect()
}

/// Memory of one thread.
struct Scratch {
    counts: Vec<u8>,
    /// For every case, its weights in the replicates of the block.
    weights: Vec<[f64; ROWS]>,
    totals: [f64; ROWS],
    /// For every replicate of the block, the sums of the columns.
    sums: Vec<f64>,
}

impl Scratch {
    fn new(cases: usize, padded: usize) -> Self {
        Self {
            counts: vec![0; cases],
            weights: vec![[0.0; ROWS]; cases],
            totals: [0.0; ROWS],
            sums: vec![0.0; ROWS * padded],
        }
    }
}

fn in_order_of_draws<T: Send>(
    columns: &Columns,
    resamples: &Resamples,
    finish: impl Fn(Sums<'_>) -> T + Sync,
) -> Vec<T> {
    let one = |replicate: usize| {
        let drawn = resamples.drawn(replicate).unwrap_or_default();
        let mut sums = vec![0.0; columns.padded()];
        let mut start = 0;
        for tile in &columns.tiles {
            let out = &mut sums[start..start + tile.width];
            for &case in drawn {
                let values = &tile.values[case as usize * tile.width..][..tile.width];
                out.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            start += tile.width;
        }
        finish(Sums { columns: &sums[..columns.width], total: drawn.len() as f64 })
    };
    (0..resamples.replicates()).into_par_iter().map(one).collect()
}

/// Looks up the weights of the counts of one replicate; returns the sum of the counts.
fn widen(counts: &[u8], table: &[f64; 256], row: usize, weights: &mut [[f64; ROWS]]) -> u64 {
    let mut total = 0;
    for (weights, &count) in weights.iter_mut().zip(counts) {
        weights[row] = table[usize::from(count)];
        total += u64::from(count);
    }
    total
}

/// Sums of a tile for every replicate of the block; the rows of `sums` are `stride` apart.
fn multiply(weights: &[[f64; ROWS]], tile: &Tile, sums: &mut [f64], stride: usize) {
    match tile.width {
        8 => multiply_8(weights, &tile.values, sums, stride),
        16 => multiply_16(weights, &tile.values, sums, stride),
        24 => multiply_24(weights, &tile.values, sums, stride),
        _ => multiply_32(weights, &tile.values, sums, stride),
    }
}

/// One function per width: counted loops over arrays are what the compiler keeps in vector registers, as long as
/// there is one of them in a function.
macro_rules! multiply_tile {
    ($name:ident, $width:literal) => {
        vectorized! {
            fn $name(weights: &[[f64; ROWS]], values: &[f64], sums: &mut [f64], stride: usize) -> () {
                let mut total = [[0.0f64; $width]; ROWS];
                for (weights, values) in weights.iter().zip(values.chunks_exact($width)) {
                    for row in 0..ROWS {
                        let weight = weights[row];
                        for column in 0..$width {
                            total[row][column] = weight.mul_add(values[column], total[row][column]);
                        }
                    }
                }
                for row in 0..ROWS {
                    sums[row * stride..row * stride + $width].copy_from_slice(&total[row]);
                }
            }
        }
    };
}

multiply_tile!(multiply_8, 8);
multiply_tile!(multiply_16, 16);
multiply_tile!(multiply_24, 24);
multiply_tile!(multiply_32, 32);
