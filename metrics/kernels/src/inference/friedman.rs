//! Friedman's test: do the algorithms differ at all?

use super::distributions::chi_squared_upper;
use super::ranks::{midranks, tie_sizes};
use crate::Undefined;

/// Result of Friedman's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Friedman {
    /// The statistic, corrected for ties.
    pub chi_squared: f64,
    /// Its p-value with one degree of freedom less than algorithms.
    pub p: f64,
}

/// Tests whether the midranks of the algorithms within the rows differ (Friedman 1937,
/// <https://doi.org/10.1080/01621459.1937.10503522>).
pub(crate) fn friedman_of_rows<'a>(
    rows: impl Iterator<Item = &'a [f64]>,
    algorithms: usize,
) -> Result<Friedman, Undefined> {
    let mut sums = vec![0.0; algorithms];
    let (mut ties, mut n) = (0.0, 0.0);
    for row in rows {
        for (sum, rank) in sums.iter_mut().zip(midranks(row)) {
            *sum += rank;
        }
        ties += tie_sizes(row).into_iter().map(|t| (t * (t * t - 1)) as f64).sum::<f64>();
        n += 1.0;
    }
    if n == 0.0 || algorithms < 3 {
        return Err(Undefined::TooFew);
    }
    let k = algorithms as f64;
    let correction = 1.0 - ties / (k * (k * k - 1.0) * n);
    if correction <= 0.0 {
        return Err(Undefined::Constant);
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let chi_squared = (12.0 / (k * n * (k + 1.0)) * squares - 3.0 * n * (k + 1.0)) / correction;
    Ok(Friedman { chi_squared, p: chi_squared_upper(chi_squared, k - 1.0) })
}
