//! Weighted sums of many columns for many replicates: a small matrix product whose left side is made on the fly.

use super::resamples::Resamples;
use crate::vectorized::vectorized;
use rayon::prelude::*;

/// Replicates taken together.
const ROWS: usize = 8;
/// Columns taken together: three registers of eight.
const TILE: usize = 24;

/// Columns padded to whole tiles, tile after tile, each case by case.
pub(crate) struct Columns {
    tiles: Vec<f64>,
    cases: usize,
    columns: usize,
}

impl Columns {
    /// Packs `values` (cases x columns, row after row).
    pub(crate) fn new(values: &[f64], cases: usize, columns: usize) -> Self {
        let count = columns.div_ceil(TILE);
        let mut tiles = vec![0.0; count * cases * TILE];
        for (tile, packed) in tiles.chunks_exact_mut(cases * TILE).enumerate() {
            let first = tile * TILE;
            let width = TILE.min(columns - first);
            for (case, row) in packed.chunks_exact_mut(TILE).enumerate() {
                row[..width].copy_from_slice(&values[case * columns + first..][..width]);
            }
        }
        Self { tiles, cases, columns }
    }
}

/// Sums of a replicate: one per column, and the sum of the weights.
pub(crate) struct Sums<'a> {
    pub(crate) replicate: usize,
    pub(crate) columns: &'a [f64],
    pub(crate) total: f64,
}

/// Calls `finish` for every replicate with its sums, in parallel by blocks of replicates, and returns what it
/// returned in the order of the replicates.
///
/// `reweight` turns the number of draws of a case into its weight (the number itself for means). Each sum runs over
/// the cases in order, whatever the number of threads; draws that were given explicitly are summed in their order.
pub(crate) fn for_each_replicate<T: Send>(
    columns: &Columns,
    resamples: &Resamples,
    reweight: impl Fn(u8) -> f64 + Sync,
    finish: impl Fn(Sums<'_>) -> T + Sync,
) -> Vec<T> {
    let (cases, replicates) = (columns.cases, resamples.replicates());
    let blocks = replicates.div_ceil(ROWS);
    let padded = columns.tiles.len() / cases;
    let table: Vec<f64> = (0..=255).map(&reweight).collect();
    let one = |(counts, weights, sums): &mut (Vec<u8>, Vec<f64>, Vec<f64>), block: usize| {
        let first = block * ROWS;
        let rows = ROWS.min(replicates - first);
        let mut totals = [0.0; ROWS];
        for row in 0..rows {
            resamples.fill(first + row, counts);
            let out = &mut weights[row * cases..(row + 1) * cases];
            widen(counts, &table, out);
            totals[row] = counts.iter().map(|&c| u64::from(c)).sum::<u64>() as f64;
        }
        for (tile, packed) in columns.tiles.chunks_exact(cases * TILE).enumerate() {
            multiply(weights, packed, cases, &mut sums[tile * ROWS * TILE..(tile + 1) * ROWS * TILE]);
        }
        let mut flat = vec![0.0; padded];
        (0..rows)
            .map(|row| {
                for (tile, out) in flat.chunks_exact_mut(TILE).enumerate() {
                    out.copy_from_slice(&sums[(tile * ROWS + row) * TILE..][..TILE]);
                }
                let replicate = first + row;
                finish(Sums { replicate, columns: &flat[..columns.columns], total: totals[row] })
            })
            .collect::<Vec<T>>()
    };
    let scratch = || (vec![0u8; cases], vec![0.0; ROWS * cases], vec![0.0; ROWS * padded]);
    let found: Vec<Vec<T>> =
        (0..blocks).into_par_iter().map_init(scratch, |scratch, block| one(scratch, block)).collect();
    found.into_iter().flatten().collect()
}

/// Weights as floating-point numbers.
fn widen(counts: &[u8], table: &[f64], weights: &mut [f64]) {
    for (weight, &count) in weights.iter_mut().zip(counts) {
        *weight = table[usize::from(count)];
    }
}

vectorized! {
    /// `sums` (rows x tile) = `weights` (rows x cases) times `packed` (cases x tile).
    fn multiply(weights: &[f64], packed: &[f64], cases: usize, sums: &mut [f64]) -> () {
        let mut total = [[0.0f64; TILE]; ROWS];
        let rows: [&[f64]; ROWS] = std::array::from_fn(|r| &weights[r * cases..(r + 1) * cases]);
        for (case, values) in packed.chunks_exact(TILE).enumerate() {
            for r in 0..ROWS {
                let weight = rows[r][case];
                for c in 0..TILE {
                    total[r][c] += weight * values[c];
                }
            }
        }
        for (out, row) in sums.chunks_exact_mut(TILE).zip(&total) {
            out.copy_from_slice(row);
        }
    }
}
