//! Dividing sorted cases into cells that hold enough of them and whose edges mark none of them.

use std::ops::Range;

/// A run of neighbouring grid cells with the cases in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// First cell of the grid.
    pub(crate) first: i32,
    /// Last cell of the grid, inclusive.
    pub(crate) last: i32,
    /// Numbers of its cases in the sorted list.
    pub(crate) members: Range<usize>,
}

/// Cuts cases, given by their grid cells in ascending order, into runs of at least `least`, never within a grid cell.
///
/// A run ends at the roundest grid line before the next case, and the outer ends of the first and last run are
/// rounded outwards. A set smaller than one cell becomes one cell over the whole `grid`, which says no more than its
/// size.
pub(crate) fn runs(cells: &[i32], least: u64, grid: (i32, i32)) -> Vec<Run> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let (mut start, mut end) = (0, 0);
    for bucket in cells.chunk_by(|a, b| a == b) {
        end += bucket.len();
        if (end - start) as u64 >= least {
            parts.push(start..end);
            start = end;
        }
    }
    match parts.last_mut() {
        Some(last) => last.end = end,
        None if end == 0 => {}
        None => return vec![Run { first: grid.0, last: grid.1, members: 0..end }],
    }
    let ends: Vec<(i32, i32)> = parts.iter().map(|r| (cells[r.start], cells[r.end - 1])).collect();
    let range = |k: usize| {
        let (first, last) = ends[k];
        if first == last {
            return (first, last);
        }
        let low = if k == 0 { first & !(ROUND - 1) } else { roundest(ends[k - 1].1 + 1, first) };
        let high =
            if k + 1 == ends.len() { last | (ROUND - 1) } else { roundest(last + 1, ends[k + 1].0) - 1 };
        (low, high)
    };
    let ranges: Vec<_> = (0..parts.len()).map(range).collect();
    let run = |(members, (first, last))| Run { first, last, members };
    parts.into_iter().zip(ranges).map(run).collect()
}

/// The outer ends of the outer runs are multiples of this.
const ROUND: i32 = 32;

/// The number from `low` to `high` that the highest power of two divides, 0 before all others.
fn roundest(low: i32, high: i32) -> i32 {
    (0..31).rev().map(|bit| high >> bit << bit).find(|n| *n >= low).unwrap_or(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roundest_number_is_the_one_with_most_trailing_zeros() {
        for (low, high, expected) in
            [(3, 9, 8), (5, 7, 6), (7, 7, 7), (0, 1000, 0), (-9, -3, -8), (-5, 5, 0), (513, 1023, 768)]
        {
            assert_eq!(roundest(low, high), expected, "{low} to {high}");
        }
    }

    #[test]
    fn runs_hold_enough_and_end_at_round_lines() {
        let found = runs(&[10, 11, 11, 40, 41, 70], 3, (0, 1023));
        assert_eq!(
            found,
            [Run { first: 0, last: 31, members: 0..3 }, Run { first: 32, last: 95, members: 3..6 }]
        );
        assert_eq!(runs(&[5, 6], 3, (0, 1023)), [Run { first: 0, last: 1023, members: 0..2 }]);
        assert_eq!(runs(&[], 3, (0, 1023)), []);
    }
}
