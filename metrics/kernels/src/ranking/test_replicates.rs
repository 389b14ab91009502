//! Paired signed-rank tests of all pairs of algorithms in all replicates at once.
//!
//! The sizes of the differences of a pair are sorted once; a replicate then only needs, in that order, how often
//! each case was drawn. 64 replicates are carried side by side, in whole numbers, so that every sum is exact.

use super::methods::Alpha;
use super::table::{Direction, Table};
use crate::inference::{Resamples, normal_upper, normal_upper_quantile};
use crate::vectorized::vectorized;
use rayon::prelude::*;
use std::ops::{Add, AddAssign, Mul, Sub};

/// Replicates side by side.
const LANES: usize = 64;
/// Pairs whose results are held at once.
const PAIRS: usize = 1024;
/// Draws per replicate up to which the sum of cubes fits 32 bits.
const SMALL_MAX: u32 = 1625;

const POSITIVE: u32 = 2;
const ENDS_TIES: u32 = 1;

/// Number of other algorithms that each algorithm beats, per replicate; none where no case was drawn.
pub(super) fn beaten_in_replicates(
    table: &Table,
    resamples: &Resamples,
    alpha: Alpha,
    once: bool,
) -> Vec<Option<Vec<u32>>> {
    let (count, replicates) = (table.algorithms, resamples.replicates());
    let draws = Draws::new(resamples, once);
    let columns: Vec<Vec<f64>> = (0..count).map(|a| table.column(a).collect()).collect();
    let pairs: Vec<(usize, usize)> = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))).collect();
    let threshold = Threshold::new(alpha);
    let mut beaten = vec![0u32; replicates * count];
    for batch in pairs.chunks(PAIRS) {
        let found: Vec<Vec<i8>> = batch
            .par_iter()
            .map(|&(i, j)| {
                let order = order_of(&columns[i], &columns[j], table.direction);
                draws.winners(&order, &threshold)
            })
            .collect();
        for (&(i, j), winners) in batch.iter().zip(&found) {
            for (row, winner) in beaten.chunks_exact_mut(count).zip(winners) {
                row[i] += u32::from(*winner > 0);
                row[j] += u32::from(*winner < 0);
            }
        }
    }
    let totals = draws.drawn.iter().take(replicates);
    beaten.chunks_exact(count).zip(totals).map(|(row, total)| (*total > 0).then(|| row.to_vec())).collect()
}

/// Cases in ascending order of the size of the difference, zeros and missing ones left out: the case's number and
/// two flags.
fn order_of(first: &[f64], second: &[f64], direction: Direction) -> Vec<u32> {
    let mut sized: Vec<(u64, u32)> = Vec::with_capacity(first.len());
    for (case, (a, b)) in (0u32..).zip(first.iter().zip(second)) {
        let advantage = if direction == Direction::HigherIsBetter { a - b } else { b - a };
        // Missing values give NaN, which is neither.
        if advantage != 0.0 && !advantage.is_nan() {
            let flags = if advantage > 0.0 { POSITIVE } else { 0 };
            // The bits of positive numbers are ordered as the numbers are.
            sized.push((advantage.abs().to_bits(), case << 2 | flags));
        }
    }
    sized.sort_unstable();
    let next_sizes = sized.iter().skip(1).map(|(size, _)| Some(*size)).chain([None]);
    sized
        .iter()
        .zip(next_sizes)
        .map(|((size, entry), next)| if next == Some(*size) { *entry } else { entry | ENDS_TIES })
        .collect()
}

/// How often each case was drawn: for every 64 replicates, one row of 64 counts per case.
struct Draws {
    blocks: Vec<Vec<u8>>,
    /// Draws of each replicate.
    drawn: Vec<u32>,
    replicates: usize,
}

impl Draws {
    fn new(resamples: &Resamples, once: bool) -> Self {
        let (cases, replicates) = (resamples.cases(), resamples.replicates());
        let block = |first: usize| {
            let mut rows = vec![0; cases * LANES];
            let mut weights = vec![0; cases];
            let mut drawn = [0u32; LANES];
            for lane in 0..LANES.min(replicates - first) {
                resamples.fill(first + lane, &mut weights);
                for (row, weight) in rows.chunks_exact_mut(LANES).zip(&weights) {
                    row[lane] = if once { (*weight).min(1) } else { *weight };
                    drawn[lane] += u32::from(row[lane]);
                }
            }
            (rows, drawn)
        };
        let made: Vec<(Vec<u8>, [u32; LANES])> =
            (0..replicates.div_ceil(LANES)).into_par_iter().map(|b| block(b * LANES)).collect();
        let drawn = made.iter().flat_map(|(_, drawn)| *drawn).collect();
        Self { blocks: made.into_iter().map(|(rows, _)| rows).collect(), drawn, replicates }
    }

    /// For every replicate: 1 if the first algorithm of the pair is better, -1 if the second is, else 0.
    fn winners(&self, order: &[u32], threshold: &Threshold) -> Vec<i8> {
        let mut winners = Vec::with_capacity(self.blocks.len() * LANES);
        let small = self.drawn.iter().all(|drawn| *drawn <= SMALL_MAX);
        let mut sums = Sums::default();
        for rows in &self.blocks {
            if small {
                tally_small(order, rows, &mut sums);
            } else {
                tally_large(order, rows, &mut sums);
            }
            for lane in 0..LANES {
                winners.push(threshold.winner(sums.counted[lane], sums.doubled[lane], sums.cubes[lane]));
            }
        }
        winners.truncate(self.replicates);
        winners
    }
}

/// Of 64 replicates: draws that count, twice the sum of the positive ranks, sum of the cubed sizes of ties.
struct Sums {
    counted: [f64; LANES],
    doubled: [f64; LANES],
    cubes: [f64; LANES],
}

impl Default for Sums {
    fn default() -> Self {
        Self { counted: [0.0; LANES], doubled: [0.0; LANES], cubes: [0.0; LANES] }
    }
}

/// A number that carries the sums exactly: 32-bit where they fit, floating point (exact below 2^53) otherwise.
trait Count: Copy + Add<Output = Self> + AddAssign + Mul<Output = Self> + Sub<Output = Self> {
    const ZERO: Self;
    const ONE: Self;
    fn of(draws: u8) -> Self;
    fn to_f64(self) -> f64;
    /// Itself if `flag` is 1, zero if it is 0.
    fn only_if(self, flag: u32) -> Self;
}

impl Count for u32 {
    const ZERO: Self = 0;
    const ONE: Self = 1;
    fn of(draws: u8) -> Self {
        Self::from(draws)
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn only_if(self, flag: u32) -> Self {
        self & flag.wrapping_neg()
    }
}

impl Count for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    fn of(draws: u8) -> Self {
        Self::from(draws)
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn only_if(self, flag: u32) -> Self {
        self * Self::from(flag)
    }
}

vectorized! {
    fn tally_small(order: &[u32], rows: &[u8], sums: &mut Sums) -> () {
        tally::<u32, 32>(order, rows, 0, sums);
        tally::<u32, 32>(order, rows, 32, sums);
    }
}

vectorized! {
    fn tally_large(order: &[u32], rows: &[u8], sums: &mut Sums) -> () {
        for first in [0, 16, 32, 48] {
            tally::<f64, 16>(order, rows, first, sums);
        }
    }
}

/// Walks the cases from the smallest difference to the largest, for `L` replicates from `first` on.
///
/// Ties that are still open have been counted as if they ended here: another w draws, p of them positive, add
/// p times the doubled midrank so far, and w to the doubled rank of each of the positive draws before them.
#[allow(clippy::inline_always, reason = "must be compiled into each vector version of its callers")]
#[inline(always)]
fn tally<T: Count, const L: usize>(order: &[u32], rows: &[u8], first: usize, sums: &mut Sums) {
    let (mut tied, mut positive) = ([T::ZERO; L], [T::ZERO; L]);
    let (mut counted, mut doubled, mut cubes) = ([T::ZERO; L], [T::ZERO; L], [T::ZERO; L]);
    for &entry in order {
        let start = (entry >> 2) as usize * LANES + first;
        let row = &rows[start..start + L];
        let (is_positive, ends) = ((entry & POSITIVE) >> 1, entry & ENDS_TIES);
        for lane in 0..L {
            let draws = T::of(row[lane]);
            let gained = draws.only_if(is_positive);
            let size = tied[lane] + draws;
            let before = counted[lane];
            let all = before + draws;
            counted[lane] = all;
            // Twice the midrank: all draws so far, those before the ties, and one.
            doubled[lane] += gained * (all + all - size + T::ONE) + positive[lane] * draws;
            cubes[lane] += (size * size * size).only_if(ends);
            tied[lane] = size.only_if(1 - ends);
            positive[lane] = (positive[lane] + gained).only_if(1 - ends);
        }
    }
    for lane in 0..L {
        sums.counted[first + lane] = counted[lane].to_f64();
        sums.doubled[first + lane] = doubled[lane].to_f64();
        sums.cubes[first + lane] = cubes[lane].to_f64();
    }
}

/// When a sum of ranks is significant.
struct Threshold {
    alpha: f64,
    z: f64,
}

impl Threshold {
    fn new(alpha: Alpha) -> Self {
        Self { alpha: alpha.level(), z: normal_upper_quantile(alpha.level()) }
    }

    fn winner(&self, counted: f64, doubled: f64, cubes: f64) -> i8 {
        let n = counted;
        let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - (cubes - n) / 48.0;
        if variance <= 0.0 {
            return 0;
        }
        let centred = doubled / 2.0 - n * (n + 1.0) / 4.0;
        let z = (centred.abs() - 0.5) / variance.sqrt();
        // Far from the threshold z decides; near it the p-value, which is what the rule is about.
        let significant = if (z - self.z).abs() > 1e-9 { z > self.z } else { normal_upper(z) <= self.alpha };
        match significant {
            false => 0,
            true if centred >= 0.0 => 1,
            true => -1,
        }
    }
}
