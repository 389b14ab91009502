//! Sorts scores with their labels in time that grows with their number.
//!
//! A score becomes an integer of the same order; the label becomes its lowest bit, so that one array of eight bytes
//! a case is sorted and labels travel along for nothing. One pass distributes the cases over cells of equal width in
//! score, each cell small enough for the processor's cache; then every cell is distributed again by the bits in which
//! its own keys differ, which leaves next to no disorder, and an insertion sort removes that.

use super::{scatter::Scatter, scores::Group};
use crate::{memory, vectorized::vectorized};

/// Cases in a cell after the first pass, on average: keys, their copy and the counts stay in the level-one cache.
const CELL_TARGET: usize = 1 << 11;
/// Most cells of the first pass: a line of memory for each stays in the level-two cache.
const CELLS_MAX: usize = 1 << 13;
/// Below this many cases the first pass alone separates nearly all.
const ONE_PASS_MAX: usize = 1 << 14;
/// Log2 of the most cells that one distribution inside a cell makes.
const REFINE_BITS_MAX: u32 = 14;
/// Ranges up to this length are sorted by insertion.
const INSERTION_MAX: usize = 24;

/// The key of a finite score: ordered as scores are, equal for -0.0 and 0.0.
pub(super) fn key(score: f64) -> i64 {
    // Adding 0.0 turns -0.0 into 0.0 and changes nothing else.
    let bits = (score + 0.0).to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The score of a key.
fn score(key: i64) -> f64 {
    let bits = key ^ ((key >> 63).cast_unsigned() >> 1).cast_signed();
    f64::from_bits(bits.cast_unsigned())
}

vectorized! {
    /// Lowest and highest key, and whether every score is finite.
    fn key_range(scores: &[f64]) -> (i64, i64, bool) {
        let (mut low, mut high, mut finite) = (i64::MAX, i64::MIN, true);
        for line in scores.chunks(64) {
            memory::fetch_ahead(line);
            for &score in line {
                let key = key(score);
                low = low.min(key);
                high = high.max(key);
                finite &= score.abs() < f64::INFINITY;
            }
        }
        (low, high, finite)
    }
}

/// Lowest and highest key of scores; the index of the first score that is not finite, if there is one.
pub(super) fn finite_range(scores: &[f64]) -> Result<(i64, i64), usize> {
    let (low, high, finite) = key_range(scores);
    if finite { Ok((low, high)) } else { Err(scores.iter().position(|s| !s.is_finite()).unwrap_or(0)) }
}

vectorized! {
    /// Number of positive labels.
    pub(super) fn count_positives(labels: &[bool]) -> usize {
        // Chunks of 255 are counted in bytes, a whole vector at a time.
        labels.chunks(255).map(|c| usize::from(c.iter().fold(0_u8, |n, &l| n + u8::from(l)))).sum()
    }
}

/// Scores with labels in ascending order of score.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    /// The key of the lowest score.
    low: i64,
    /// Where the keys' distance from the lowest reaches 2^63: that bit has given way to the label.
    split: usize,
    /// For each case: distance of its key from the lowest, times two, plus one if it is positive.
    packed: Vec<u64>,
}

/// Which cell of the first pass a score falls in; monotone in the score.
#[derive(Debug, Clone, Copy)]
enum Cells {
    /// Equal widths in score.
    Linear { low: f64, scale: f64, last: u32 },
    /// Equal widths in key: for ranges too wide or too narrow for arithmetic on scores.
    Keys { shift: u32 },
}

impl Cells {
    /// Cells for scores between two values; how many there are.
    fn new(low: i64, high: i64, n: usize) -> (Self, usize) {
        let wanted = if n <= ONE_PASS_MAX { n } else { (n / CELL_TARGET).min(CELLS_MAX) }.next_power_of_two();
        let (low_score, width) = (score(low), score(high) - score(low));
        let scale = wanted as f64 / width;
        if width.is_normal() && scale.is_normal() {
            // One more cell than wanted, since the highest score reaches it; another for the top bit.
            let last = u32::try_from(wanted).unwrap_or(u32::MAX);
            return (Self::Linear { low: low_score, scale, last }, wanted + 2);
        }
        let distance = high.wrapping_sub(low).cast_unsigned();
        let shift = (64 - distance.leading_zeros()).saturating_sub(wanted.ilog2());
        // By 63 at most: no cell may hold distances with and without the top bit.
        let shift = shift.min(63);
        let last = usize::try_from(distance >> shift).unwrap_or(usize::MAX);
        (Self::Keys { shift }, last + 1)
    }
}

/// Two to the 52nd: adding it leaves a number's nearest integer in the lowest bits.
const ROUND: f64 = 4_503_599_627_370_496.0;

vectorized! {
    /// The cell of each score.
    fn find_cells(cells: Cells, low_key: i64, scores: &[f64], found: &mut [u32]) -> () {
        let distance = |score: f64| key(score).wrapping_sub(low_key).cast_unsigned();
        #[allow(clippy::cast_possible_truncation, reason = "cells are fewer than 2^32")]
        match cells {
            Cells::Linear { low, scale, last } => {
                for (found, &score) in found.iter_mut().zip(scores) {
                    let cell = ((score - low) * scale + ROUND).to_bits() as u32;
                    // The distance's top bit moves a score one cell up: no cell then holds distances with and
                    // without it, and packing may drop it.
                    *found = cell.min(last) + (distance(score) >> 63) as u32;
                }
            }
            Cells::Keys { shift } => {
                for (found, &score) in found.iter_mut().zip(scores) {
                    *found = (distance(score) >> shift) as u32;
                }
            }
        }
    }
}

vectorized! {
    /// Distances from the lowest key, times two, plus one for positive cases.
    fn pack(low_key: i64, scores: &[f64], labels: &[bool], packed: &mut [u64]) -> () {
        for ((packed, &score), &label) in packed.iter_mut().zip(scores).zip(labels) {
            *packed = key(score).wrapping_sub(low_key).cast_unsigned() << 1 | u64::from(label);
        }
    }
}

impl Sorted {
    /// Sorts finite scores whose lowest and highest keys are known.
    pub(super) fn new(scores: &[f64], labels: &[bool], (low, high): (i64, i64)) -> Self {
        let (cells, count) = Cells::new(low, high, scores.len());
        let mut packed = memory::zeros(scores.len());
        let ends = distribute(scores, labels, low, (cells, count), &mut packed);
        let mut sorter = Refiner::default();
        sorter.cells(&mut packed, &ends);
        let split = match high.wrapping_sub(low).cast_unsigned() >> 63 {
            0 => packed.len(),
            _ => scores.iter().filter(|&&s| key(s).wrapping_sub(low).cast_unsigned() >> 63 == 0).count(),
        };
        Self { low, split, packed }
    }

    /// The packed cases: two times the distance from the lowest key (modulo 2^64), plus one if positive.
    pub(super) fn packed(&self) -> &[u64] {
        &self.packed
    }

    /// Where two neighbours may look equal and are not.
    pub(super) fn split(&self) -> usize {
        self.split
    }

    /// The score at a position.
    fn score(&self, position: usize) -> f64 {
        let top = u64::from(position >= self.split) << 63;
        score(self.low.wrapping_add((self.packed[position] >> 1 | top).cast_signed()))
    }

    /// Where the group that ends before `end` starts.
    fn group_start(&self, end: usize) -> usize {
        let limit = if end > self.split { self.split } else { 0 };
        let distance = self.packed[end - 1] >> 1;
        let rest = &self.packed[limit..end];
        limit + rest.iter().rposition(|&p| p >> 1 != distance).map_or(0, |i| i + 1)
    }

    fn group(&self, start: usize, end: usize) -> Group {
        let positives = positives(&self.packed[start..end]);
        Group { score: self.score(start), positives, negatives: (end - start) as u64 - positives }
    }

    /// Cases of equal score together, from the highest score to the lowest.
    pub(super) fn groups_descending(&self) -> impl Iterator<Item = Group> {
        let mut end = self.packed.len();
        std::iter::from_fn(move || {
            let to = end;
            (to > 0).then(|| {
                end = self.group_start(to);
                self.group(end, to)
            })
        })
    }

    /// How many positives and negatives have at least this score.
    pub(super) fn at_least(&self, threshold: f64) -> (u64, u64) {
        let threshold = key(threshold);
        let (mut low, mut high) = (0, self.packed.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if key(self.score(middle)) < threshold { low = middle + 1 } else { high = middle }
        }
        let positives = positives(&self.packed[low..]);
        (positives, (self.packed.len() - low) as u64 - positives)
    }
}

/// Positive cases among packed ones.
fn positives(packed: &[u64]) -> u64 {
    packed.iter().map(|&p| p & 1).sum()
}

/// Cases whose cells are found at a time, a vector of them after the other.
const CHUNK: usize = 512;

/// Writes the packed cases cell by cell; where each cell ends.
fn distribute(
    scores: &[f64],
    labels: &[bool],
    low: i64,
    (cells, count): (Cells, usize),
    packed: &mut [u64],
) -> Vec<u32> {
    let mut counts = vec![0_u32; count];
    let (mut found, mut values) = ([0; CHUNK], [0; CHUNK]);
    for scores in scores.chunks(CHUNK) {
        find_cells(cells, low, scores, &mut found);
        for &cell in &found[..scores.len()] {
            counts[cell as usize] += 1;
        }
    }
    starts(&mut counts);
    let mut scatter = Scatter::new(packed, counts);
    for (scores, labels) in scores.chunks(CHUNK).zip(labels.chunks(CHUNK)) {
        find_cells(cells, low, scores, &mut found);
        pack(low, scores, labels, &mut values);
        for (&cell, &value) in found[..scores.len()].iter().zip(&values) {
            scatter.push(cell as usize, value);
        }
    }
    scatter.finish()
}

/// Turns counts into where each cell starts; the largest count.
fn starts(counts: &mut [u32]) -> u32 {
    let (mut sum, mut largest) = (0, 0);
    for count in counts {
        largest = largest.max(*count);
        sum += std::mem::replace(count, sum);
    }
    largest
}

/// Sorts inside cells; holds the memory that this needs.
#[derive(Default)]
struct Refiner {
    scratch: Vec<u64>,
    counts: Vec<u32>,
}

impl Refiner {
    /// Sorts each cell.
    fn cells(&mut self, packed: &mut [u64], ends: &[u32]) {
        let mut start = 0;
        for &end in ends {
            let end = end as usize;
            self.sort(&mut packed[start..end]);
            start = end;
        }
    }

    /// Sorts packed cases that agree in the bit that packing dropped.
    fn sort(&mut self, packed: &mut [u64]) {
        if packed.len() <= INSERTION_MAX {
            return insertion_sort(packed);
        }
        let (low, high) = distance_range(packed);
        if low == high {
            // All have one score: labels need no order.
            return;
        }
        let bits = (packed.len().ilog2() + 1).min(REFINE_BITS_MAX);
        let shift = (64 - (high - low).leading_zeros()).saturating_sub(bits);
        let mut counts = std::mem::take(&mut self.counts);
        counts.clear();
        #[allow(clippy::cast_possible_truncation, reason = "at most 2^bits")]
        counts.resize(((high - low) >> shift) as usize + 1, 0);
        if self.scratch.len() < packed.len() {
            self.scratch.resize(packed.len(), 0);
        }
        let largest = refine(packed, &mut self.scratch, &mut counts, low, shift);
        if largest as usize <= INSERTION_MAX {
            insertion_sort(packed);
        } else if shift > 0 {
            self.cells(packed, &counts);
        }
        self.counts = counts;
    }
}

vectorized! {
    /// Lowest and highest distance among packed cases.
    fn distance_range(packed: &[u64]) -> (u64, u64) {
        packed.iter().fold((u64::MAX, 0), |(low, high), &p| (low.min(p >> 1), high.max(p >> 1)))
    }
}

/// Distributes packed cases by `(distance - low) >> shift`; the largest cell. `counts` holds the cells' ends then.
fn refine(packed: &mut [u64], scratch: &mut [u64], counts: &mut [u32], low: u64, shift: u32) -> u32 {
    #[allow(clippy::cast_possible_truncation, reason = "below the number of cells")]
    let cell = |p: u64| (((p >> 1) - low) >> shift) as usize;
    for &p in &*packed {
        counts[cell(p)] += 1;
    }
    let largest = starts(counts);
    let scratch = &mut scratch[..packed.len()];
    for &p in &*packed {
        let next = &mut counts[cell(p)];
        scratch[*next as usize] = p;
        *next += 1;
    }
    packed.copy_from_slice(scratch);
    largest
}

/// Sorts a short or nearly sorted slice.
fn insertion_sort(packed: &mut [u64]) {
    for i in 1..packed.len() {
        let case = packed[i];
        let mut hole = i;
        while hole > 0 && packed[hole - 1] > case {
            packed[hole] = packed[hole - 1];
            hole -= 1;
        }
        packed[hole] = case;
    }
}

/// The cases in ascending order of score; cases of equal score in their own order.
pub(super) fn order(scores: &[f64]) -> Vec<u32> {
    let mut keyed: Vec<(i64, u32)> = (0_u32..).zip(scores).map(|(case, &score)| (key(score), case)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, case)| case).collect()
}

/// Runs of cases with one score among cases in ascending order.
pub(super) fn tied<'a>(scores: &'a [f64], order: &'a [u32]) -> impl Iterator<Item = &'a [u32]> {
    // Plain equality: it too holds -0.0 to equal 0.0.
    #[allow(clippy::float_cmp, reason = "a tie is exact")]
    order.chunk_by(|&a, &b| scores[a as usize] == scores[b as usize])
}
