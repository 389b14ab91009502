//! Ranks of a list: midranks, and competition ranks with missing values last.

/// Midranks from 1, smallest value first; ties share the mean of their positions.
///
/// ```
/// use fiel_kernels::inference::midranks;
/// assert_eq!(midranks(&[0.3, 0.1, 0.3]), [2.5, 1.0, 2.5]);
/// ```
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let mut end = first + 1;
        while end < order.len() && same(values[order[end]], values[order[first]]) {
            end += 1;
        }
        let rank = (first + 1 + end) as f64 / 2.0;
        order[first..end].iter().for_each(|&i| ranks[i] = rank);
        first = end;
    }
    ranks
}

/// Whether two values are a tie: equal to the last bit, except that 0 and -0 are one value.
#[expect(clippy::float_cmp, reason = "ties are equal values, not close ones")]
pub(crate) fn same(a: f64, b: f64) -> bool {
    a == b
}

/// Number of values in each group of ties of at least two, in no particular order.
pub(crate) fn tie_sizes(values: &[f64]) -> Vec<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.chunk_by(|a, b| same(*a, *b)).map(|tied| tied.len() as u64).filter(|&size| size > 1).collect()
}
