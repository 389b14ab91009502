//! Sketches of the distribution of a per-case value: counts on a fixed grid, from which quantiles follow with
//! certified ends and a certified rank error.
//!
//! A value's cell is its sign, exponent and seven leading binary digits: the same at every site whatever its values,
//! so that sketches add up exactly, in any order.

use crate::cells;
use crate::error::MetricError;
use crate::fixed::count;
use fiel_schemas::assessment::Quantile;
use fiel_schemas::summary::ValueCell;
use std::collections::BTreeMap;

/// Digits of a double below its sign, its exponent and seven digits of its fraction.
const SHIFT: u32 = 45;
/// First and last cell.
const GRID: (i32, i32) = (-(1 << 18), (1 << 18) - 1);

/// The cell of a finite value.
fn cell(value: f64) -> i32 {
    let magnitude = (value.abs().to_bits() >> SHIFT) as i32;
    if value < 0.0 { -1 - magnitude } else { magnitude }
}

/// Smallest and largest value of a run of cells; infinite at the grid's ends.
fn edges(first: i32, last: i32) -> [f64; 2] {
    // The lower end of the magnitudes of a cell, from 0 on; beyond the finite ones all is infinite.
    let end = |magnitude: i32| {
        let bits = u64::from(magnitude.unsigned_abs()) << SHIFT;
        if bits >= f64::INFINITY.to_bits() { f64::INFINITY } else { f64::from_bits(bits) }
    };
    let low = if first < 0 { -end(-first) } else { end(first) };
    let high = if last < 0 { -end(-1 - last) } else { end(last + 1) };
    [low, high]
}

/// The sketch of the values, every cell of at least `least` of them.
pub(crate) fn build(values: &[f64], least: u64) -> Vec<ValueCell> {
    let mut sorted: Vec<i32> = values.iter().map(|v| cell(*v)).collect();
    sorted.sort_unstable();
    let runs = cells::runs(&sorted, least, GRID);
    runs.into_iter().map(|r| ValueCell { first: r.first, last: r.last, n: r.members.len() as u64 }).collect()
}

/// Adds two sketches.
pub(crate) fn merge(a: &[ValueCell], b: &[ValueCell]) -> Result<Vec<ValueCell>, MetricError> {
    let mut sums: BTreeMap<(i32, i32), u64> = BTreeMap::new();
    for c in a.iter().chain(b) {
        let n = sums.entry((c.first, c.last)).or_default();
        *n = count(*n, c.n)?;
    }
    Ok(sums.into_iter().map(|((first, last), n)| ValueCell { first, last, n }).collect())
}

/// Lower quartile, median and upper quartile of `n` sketched values within `range`; none without a sketch, or where a
/// quartile may lie anywhere up to infinity.
///
/// The quantile is the smallest value with at least its share of the cases at or below it.
pub(crate) fn quartiles(
    cells: &[ValueCell],
    n: u64,
    range: (f64, f64),
) -> Result<Option<[Quantile; 3]>, MetricError> {
    if cells.is_empty() {
        return Ok(None);
    }
    if cells.iter().any(|c| c.first > c.last || c.first < GRID.0 || c.last > GRID.1) {
        return Err(MetricError::Malformed("a cell of the sketch lies outside its grid".to_owned()));
    }
    if cells.iter().try_fold(0, |sum, c| count(sum, c.n))? != n {
        return Err(MetricError::Malformed("the sketch does not add up to the number of cases".to_owned()));
    }
    let located: Vec<([f64; 2], u64)> =
        cells.iter().map(|c| (edges(c.first, c.last).map(|e| e.clamp(range.0, range.1)), c.n)).collect();
    let mut found = [Quantile { value: 0.0, low: 0.0, high: 0.0, rank_error: 0.0 }; 3];
    for (quarter, quantile) in (1..).zip(&mut found) {
        let rank = (n * quarter).div_ceil(4).max(1);
        *quantile = at_rank(&located, rank, n);
        if !quantile.low.is_finite() || !quantile.high.is_finite() {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// The value of the given rank (from 1): no value can be further down than the same rank among all lower ends, nor
/// further up than among all upper ends.
fn at_rank(cells: &[([f64; 2], u64)], rank: u64, n: u64) -> Quantile {
    let of_ends = |end: usize| {
        let mut ends: Vec<(f64, u64)> = cells.iter().map(|(edges, n)| (edges[end], *n)).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0;
        ends.iter()
            .find(|(_, n)| {
                below += n;
                below >= rank
            })
            .map_or(f64::INFINITY, |e| e.0)
    };
    let (low, high) = (of_ends(0), of_ends(1));
    let value = 0.5 * (low + high);
    let share = |within: &dyn Fn(&[f64; 2]) -> bool| {
        cells.iter().filter(|(edges, _)| within(edges)).map(|(_, n)| n).sum::<u64>()
    };
    let (least, most) = (share(&|e| e[1] <= value), share(&|e| e[0] <= value));
    let rank_error = rank.abs_diff(least).max(rank.abs_diff(most)) as f64 / n as f64;
    Quantile { value, low, high, rank_error: rank_error.min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_its_cell_and_no_cell_is_wide() {
        let values = [0.0, -0.0, 1.0, 0.999, 1e-300, 5e-324, 1e300, f64::MAX, 3.0, 0.5, 0.75, 127.99];
        for v in values.into_iter().flat_map(|v| [v, -v]) {
            let c = cell(v);
            let [low, high] = edges(c, c);
            assert!(low <= v && v <= high && (GRID.0..=GRID.1).contains(&c), "{v}: {c} {low} {high}");
            let width = high - low;
            assert!(v.abs() < 1e-300 || width.is_infinite() || width <= v.abs() / 128.0, "{v}");
        }
        assert!(cell(-2.0) < cell(-1.0) && cell(-1.0) < cell(0.0) && cell(0.0) < cell(1e-10));
        assert!(edges(GRID.0, GRID.1).into_iter().all(f64::is_infinite));
    }
}
