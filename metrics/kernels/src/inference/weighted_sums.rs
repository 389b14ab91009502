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
    let padded = columns.tiles.len() / cases;
    let table: [f64; 256] = std::array::from_fn(|count| {
        let count = count as u8;
        reweight.map_or(f64::from(count), |reweight| reweight(count))
    });
    let block = |scratch: &mut Scratch, first: usize| {
        let rows = ROWS.min(replicates - first);
        for (row, weights) in scratch.weights.chunks_exact_mut(cases).take(rows).enumerate() {
            resamples.fill(first + row, &mut scratch.counts);
            scratch.totals[row] = widen(&scratch.counts, &table, weights) as f64;
        }
        for (packed, sums) in
            columns.tiles.chunks_exact(cases * TILE).zip(scratch.sums.chunks_exact_mut(ROWS * TILE))
        {
            multiply(&scratch.weights, packed, cases, sums);
        }
        let one = |row: usize| {
            let tiles = scratch.sums.chunks_exact(ROWS * TILE);
            let flat: Vec<f64> =
                tiles.flat_map(|tile| &tile[row * TILE..(row + 1) * TILE]).copied().collect();
            finish(Sums { columns: &flat[..columns.columns], total: scratch.totals[row] })
        };
        (0..rows).map(one).collect::<Vec<T>>()
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
    weights: Vec<f64>,
    totals: [f64; ROWS],
    sums: Vec<f64>,
}

impl Scratch {
    fn new(cases: usize, padded: usize) -> Self {
        Self {
            counts: vec![0; cases],
            weights: vec![0.0; ROWS * cases],
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
        let mut flat = Vec::with_capacity(columns.tiles.len() / columns.cases);
        for tile in columns.tiles.chunks_exact(columns.cases * TILE) {
            let mut sums = [0.0; TILE];
            for &case in drawn {
                let values = &tile[case as usize * TILE..][..TILE];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            flat.extend(sums);
        }
        finish(Sums { columns: &flat[..columns.columns], total: drawn.len() as f64 })
    };
    (0..resamples.replicates()).into_par_iter().map(one).collect()
}

/// Looks up the weights of the counts; returns the sum of the counts.
fn widen(counts: &[u8], table: &[f64; 256], weights: &mut [f64]) -> u64 {
    let mut total = 0;
    for (weight, &count) in weights.iter_mut().zip(counts) {
        *weight = table[usize::from(count)];
        total += u64::from(count);
    }
    total
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
