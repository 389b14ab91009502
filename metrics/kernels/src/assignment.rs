//! The assignment problem: pairs of rows and columns with the least total cost.

use crate::InputError;

const CELLS_MAX: u64 = 1 << 28;
/// Sums of so many such costs stay finite.
const COST_MAX: f64 = 1e100;

/// For each row, the column it is paired with, so that as many pairs as fit are made and their total cost is least.
///
/// `costs` holds rows one after another, each with `columns` values. Of a rectangular matrix, each line of the shorter
/// side is paired. Among equally good solutions the choice is fixed: lines of the shorter side are taken in order, each
/// prefers the first free line (so that constant costs pair equal positions). Cost: the shorter side squared times the
/// longer.
///
/// Source: shortest augmenting paths, Jonker and Volgenant 1987, doi:10.1007/BF02278710; rectangular after Crouse 2016,
/// doi:10.1109/TAES.2016.140952.
///
/// # Errors
/// A number of costs other than rows x columns, a cost that is NaN or beyond 1e100, more than 2^28 costs.
///
/// ```
/// use fiel_kernels::detection::assignment::least_cost;
/// assert_eq!(least_cost(2, 3, &[4.0, 1.0, 3.0, 2.0, 0.0, 5.0])?, [Some(1), Some(0)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn least_cost(rows: usize, columns: usize, costs: &[f64]) -> Result<Vec<Option<usize>>, InputError> {
    let cells = (rows as u64).saturating_mul(columns as u64);
    if cells > CELLS_MAX {
        return Err(InputError::TooLarge { what: "costs", found: cells, limit: CELLS_MAX });
    }
    if costs.len() != rows * columns {
        let (left, right) = ("rows x columns", "costs");
        return Err(InputError::Length { left, left_len: rows * columns, right, right_len: costs.len() });
    }
    if let Some(index) = costs.iter().position(|c| c.is_nan() || c.abs() > COST_MAX) {
        let expected = "within -1e100 and 1e100";
        return Err(InputError::Value { what: "costs", index, value: costs[index], expected });
    }
    Ok(solve(rows, columns, costs))
}

/// For each row, the column it is paired with, so that the total of the (at least zero) weights is largest.
///
/// As [`least_cost`] of the negative weights; a pair of weight zero says no more than that both lines were left.
///
/// # Errors
/// As [`least_cost`].
///
/// ```
/// use fiel_kernels::detection::assignment::largest_weight;
/// assert_eq!(largest_weight(2, 1, &[0.3, 0.4])?, [None, Some(0)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn largest_weight(
    rows: usize,
    columns: usize,
    weights: &[f64],
) -> Result<Vec<Option<usize>>, InputError> {
    let costs: Vec<f64> = weights.iter().map(|w| -w).collect();
    least_cost(rows, columns, &costs)
}

/// [`least_cost`] of checked costs.
pub(crate) fn solve(rows: usize, columns: usize, costs: &[f64]) -> Vec<Option<usize>> {
    if rows <= columns {
        let mut search = Search::new(rows, columns, costs);
        for row in 0..rows {
            search.pair(row);
        }
        return search.column_of;
    }
    let transposed: Vec<f64> =
        (0..columns).flat_map(|c| (0..rows).map(move |r| costs[r * columns + c])).collect();
    let mut column_of = vec![None; rows];
    for (column, row) in solve(columns, rows, &transposed).into_iter().enumerate() {
        if let Some(row) = row {
            column_of[row] = Some(column);
        }
    }
    column_of
}

/// The state of the solver: prices of rows and columns under which no pair costs less than nothing, and the pairs so far.
struct Search<'c> {
    columns: usize,
    costs: &'c [f64],
    row_price: Vec<f64>,
    column_price: Vec<f64>,
    column_of: Vec<Option<usize>>,
    row_of: Vec<Option<usize>>,
}

impl<'c> Search<'c> {
    fn new(rows: usize, columns: usize, costs: &'c [f64]) -> Self {
        Self {
            columns,
            costs,
            row_price: vec![0.0; rows],
            column_price: vec![0.0; columns],
            column_of: vec![None; rows],
            row_of: vec![None; columns],
        }
    }

    /// Pairs one more row, moving earlier pairs along the cheapest path to a free column.
    fn pair(&mut self, first: usize) {
        let mut distance = vec![f64::INFINITY; self.columns];
        let mut reached_from = vec![first; self.columns];
        let mut done_rows = Vec::new();
        let mut done_columns = Vec::new();
        // From the last column to the first: the last of equally near free columns wins, which is the first column.
        let mut open: Vec<usize> = (0..self.columns).rev().collect();
        let (mut row, mut length) = (first, 0.0);
        let target = loop {
            done_rows.push(row);
            let mut nearest = f64::INFINITY;
            let mut place = 0;
            for (i, &column) in open.iter().enumerate() {
                let cost = self.costs[row * self.columns + column];
                let through = length + cost - self.row_price[row] - self.column_price[column];
                if through < distance[column] {
                    distance[column] = through;
                    reached_from[column] = row;
                }
                let tie_to_free = distance[column] <= nearest && self.row_of[column].is_none();
                if distance[column] < nearest || tie_to_free {
                    nearest = distance[column];
                    place = i;
                }
            }
            length = nearest;
            let column = open.swap_remove(place);
            match self.row_of[column] {
                None => break column,
                Some(next) => {
                    done_columns.push(column);
                    row = next;
                }
            }
        };
        self.row_price[first] += length;
        for &column in &done_columns {
            let gain = length - distance[column];
            self.column_price[column] -= gain;
            if let Some(row) = self.row_of[column] {
                self.row_price[row] += gain;
            }
        }
        self.move_pairs(first, target, &reached_from);
    }

    fn move_pairs(&mut self, first: usize, target: usize, reached_from: &[usize]) {
        let mut column = target;
        loop {
            let row = reached_from[column];
            self.row_of[column] = Some(row);
            let before = self.column_of[row].replace(column);
            match before {
                Some(next) if row != first => column = next,
                _ => return,
            }
        }
    }
}
