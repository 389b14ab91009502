//! Friedman's test: do the algorithms differ at all?

use super::bootstrap::check_finite;
use super::distributions::chi_squared_upper;
use super::ranks::{midranks, tie_sizes};
use crate::{InputError, Undefined};

/// Result of Friedman's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Friedman {
    /// The statistic, corrected for ties.
    pub chi_squared: f64,
    /// Its p-value with one degree of freedom less than algorithms.
    pub p: f64,
}

/// Tests whether the midranks of the algorithms within the cases differ (Friedman 1937,
/// <https://doi.org/10.1080/01621459.1937.10503522>); `values` is cases x `algorithms`, row after row.
///
/// # Errors
/// No case, rows that are not full, a value that is not finite; inside, fewer than three algorithms
/// ([`Undefined::TooFew`]) or ties throughout ([`Undefined::Constant`]).
///
/// ```
/// use fiel_kernels::inference::friedman;
/// let test = friedman(&[0.1, 0.2, 0.3, 0.2, 0.4, 0.6, 0.5, 0.6, 0.9], 3)?.expect("three algorithms");
/// assert!((test.chi_squared - 6.0).abs() < 1e-12);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn friedman(values: &[f64], algorithms: usize) -> Result<Result<Friedman, Undefined>, InputError> {
    if values.is_empty() || algorithms == 0 {
        return Err(InputError::Empty("the table"));
    }
    if !values.len().is_multiple_of(algorithms) {
        return Err(InputError::Length {
            left: "the table",
            left_len: values.len(),
            right: "its full rows",
            right_len: values.len() / algorithms * algorithms,
        });
    }
    check_finite("the table", values)?;
    if algorithms < 3 {
        return Ok(Err(Undefined::TooFew));
    }
    let mut sums = vec![0.0; algorithms];
    let mut ties = 0.0;
    for row in values.chunks_exact(algorithms) {
        for (sum, rank) in sums.iter_mut().zip(midranks(row)) {
            *sum += rank;
        }
        ties += tie_sizes(row).into_iter().map(|t| (t * (t * t - 1)) as f64).sum::<f64>();
    }
    let (n, k) = ((values.len() / algorithms) as f64, algorithms as f64);
    let correction = 1.0 - ties / (k * (k * k - 1.0) * n);
    if correction <= 0.0 {
        return Ok(Err(Undefined::Constant));
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let chi_squared = (12.0 / (k * n * (k + 1.0)) * squares - 3.0 * n * (k + 1.0)) / correction;
    Ok(Ok(Friedman { chi_squared, p: chi_squared_upper(chi_squared, k - 1.0) }))
}
