//! One-to-one assignment with the largest total score.

#![expect(clippy::cast_possible_truncation, reason = "the number of scores is checked to be below 2^32")]

use crate::{InputError, assignment};
use std::collections::BTreeMap;

/// A row and a column that were assigned to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assigned {
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
    /// Their score.
    pub score: f64,
}

/// Pairs rows with columns one to one so that the total score is the largest possible.
///
/// `scores` holds `columns` values per row. Pairs below `least` are not allowed, and a row or column may stay
/// unpaired, which counts 0. Ascending by row. Time grows with the cube of the number of rows and columns that hang
/// together by allowed pairs.
///
/// # Errors
/// A score that is not finite, a `least` that is NaN or below 0, or a length that is not a whole number of rows.
///
/// # Source
/// Shortest augmenting paths: Jonker, Volgenant (1987), doi:10.1007/BF02278710.
///
/// ```
/// use fiel_kernels::instances::assign_best;
/// let found = assign_best(&[0.9, 0.8,
///                           0.8, 0.0], 2, 0.1)?;
/// let pairs: Vec<_> = found.iter().map(|a| (a.row, a.column)).collect();
/// assert_eq!(pairs, [(0, 1), (1, 0)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn assign_best(scores: &[f64], columns: usize, least: f64) -> Result<Vec<Assigned>, InputError> {
    if let Some((index, &value)) = scores.iter().enumerate().find(|(_, s)| !s.is_finite()) {
        return Err(InputError::Value { what: "scores", index, value, expected: "finite" });
    }
    if least.is_nan() || least < 0.0 {
        return Err(InputError::Setting { what: "least score", value: least, expected: "0 or above" });
    }
    if scores.is_empty() {
        return Ok(Vec::new());
    }
    if columns == 0 || !scores.len().is_multiple_of(columns) {
        return Err(InputError::Length {
            left: "scores",
            left_len: scores.len(),
            right: "a row",
            right_len: columns,
        });
    }
    if scores.len() > u32::MAX as usize {
        let limit = u64::from(u32::MAX);
        return Err(InputError::TooLarge { what: "scores", found: scores.len() as u64, limit });
    }
    let cell = |(i, &score): (usize, &f64)| ((i / columns) as u32, (i % columns) as u32, score);
    let allowed: Vec<_> = scores.iter().enumerate().map(cell).filter(|c| c.2 >= least && c.2 > 0.0).collect();
    let mut found: Vec<_> = best_pairs(&allowed)
        .into_iter()
        .map(|i| Assigned { row: allowed[i].0 as usize, column: allowed[i].1 as usize, score: allowed[i].2 })
        .collect();
    found.sort_unstable_by_key(|a| a.row);
    Ok(found)
}

/// Indices of the pairs (row, column, score above 0) that make up an assignment of the largest total.
///
/// Rows and columns that hang together by pairs are solved by themselves: lesions overlap few others.
pub(super) fn best_pairs(pairs: &[(u32, u32, f64)]) -> Vec<usize> {
    let mut chosen = Vec::new();
    for group in groups(pairs) {
        if let [only] = group[..] {
            chosen.push(only);
        } else {
            solve(pairs, &group, &mut chosen);
        }
    }
    chosen
}

/// Indices of pairs that hang together by a shared row or column.
fn groups(pairs: &[(u32, u32, f64)]) -> Vec<Vec<usize>> {
    let mut parents: Vec<usize> = (0..pairs.len()).collect();
    let (mut of_row, mut of_column) = (BTreeMap::new(), BTreeMap::new());
    for (i, &(row, column, _)) in pairs.iter().enumerate() {
        for other in [*of_row.entry(row).or_insert(i), *of_column.entry(column).or_insert(i)] {
            let (a, b) = (root(&mut parents, i), root(&mut parents, other));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..pairs.len() {
        groups.entry(root(&mut parents, i)).or_default().push(i);
    }
    groups.into_values().collect()
}

fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

/// Solves one group densely and appends the chosen pairs.
fn solve(pairs: &[(u32, u32, f64)], group: &[usize], chosen: &mut Vec<usize>) {
    let distinct = |of: &dyn Fn(usize) -> u32| {
        let mut all: Vec<u32> = group.iter().map(|&i| of(i)).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (mut rows, mut columns) = (distinct(&|i| pairs[i].0), distinct(&|i| pairs[i].1));
    let turned = rows.len() > columns.len();
    if turned {
        std::mem::swap(&mut rows, &mut columns);
    }
    let width = columns.len();
    // Staying unpaired costs nothing; a pair costs less than nothing.
    let mut costs = vec![0.0; rows.len() * width];
    let mut origin = vec![None; costs.len()];
    for &i in group {
        let (row, column) = if turned { (pairs[i].1, pairs[i].0) } else { (pairs[i].0, pairs[i].1) };
        let position =
            |list: &[u32], n| list.binary_search(&n).expect("every number of the group is in its list");
        let cell = position(&rows, row) * width + position(&columns, column);
        costs[cell] = -pairs[i].2;
        origin[cell] = Some(i);
    }
    for (row, column) in assignment::solve(rows.len(), width, &costs).into_iter().enumerate() {
        chosen.extend(column.and_then(|column| origin[row * width + column]));
    }
}
