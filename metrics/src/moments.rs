//! Means of a per-case value, exact however the cases are divided.

use crate::error::MetricError;
use crate::fixed;
use crate::sketch;
use crate::stats;
use fiel_schemas::assessment::Estimate;
use fiel_schemas::summary::Moments;

/// Sums the values; `None` is a case whose value is undefined.
pub(crate) fn build(values: &[Option<f64>]) -> Result<Moments, MetricError> {
    let (mut n, mut undefined, mut sum, mut sum_sq) = (0, 0, 0i128, 0i128);
    for value in values {
        let Some(value) = *value else {
            undefined += 1;
            continue;
        };
        n += 1;
        sum = fixed::add(sum, fixed::from_f64(value, "a value")?, "the sum of the values")?;
        let square = fixed::from_f64(value * value, "the square of a value")?;
        sum_sq = fixed::add(sum_sq, square, "the sum of squares")?;
    }
    Ok(Moments { n, undefined, sum: sum.to_string(), sum_sq: sum_sq.to_string(), cells: Vec::new() })
}

/// [`build`] with a sketch of the values' distribution, each cell of at least `least` values.
pub(crate) fn build_sketched(values: &[Option<f64>], least: u64) -> Result<Moments, MetricError> {
    let defined: Vec<f64> = values.iter().flatten().copied().collect();
    Ok(Moments { cells: sketch::build(&defined, least), ..build(values)? })
}

/// Adds two states.
pub(crate) fn merge(a: &Moments, b: &Moments) -> Result<Moments, MetricError> {
    let sum = fixed::add(fixed::parse(&a.sum)?, fixed::parse(&b.sum)?, "the sum of the values")?;
    let sum_sq = fixed::add(fixed::parse(&a.sum_sq)?, fixed::parse(&b.sum_sq)?, "the sum of squares")?;
    Ok(Moments {
        n: fixed::count(a.n, b.n)?,
        undefined: fixed::count(a.undefined, b.undefined)?,
        sum: sum.to_string(),
        sum_sq: sum_sq.to_string(),
        // A sketch of some of the cases would be one of others than the mean is of.
        cells: if is_sketched(a) && is_sketched(b) { sketch::merge(&a.cells, &b.cells)? } else { Vec::new() },
    })
}

/// Mean with its interval, as [`estimate`], of values whose sums go nowhere: where they leave the range of [`build`], the
/// largest of the values is the unit, rounded down to a power of two, and what is lost of any is at most 2^-73 of it.
pub(crate) fn of_values(values: &[Option<f64>], range: (f64, f64)) -> Result<Estimate, MetricError> {
    match build(values) {
        Err(MetricError::Overflow(_)) => {}
        sums => return estimate(&sums?, range),
    }
    let largest = values.iter().flatten().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let unit = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits());
    let smaller: Vec<Option<f64>> = values.iter().map(|value| value.map(|v| v / unit)).collect();
    let found = estimate(&build(&smaller)?, (range.0 / unit, range.1 / unit))?;
    let (value, ci95) = (found.value.map(|v| v * unit), found.ci95.map(|ends| ends.map(|v| v * unit)));
    Ok(Estimate { value, ci95, ..found })
}

fn is_sketched(m: &Moments) -> bool {
    m.n == 0 || !m.cells.is_empty()
}

/// Mean with its Student-t interval, clipped to the metric's range.
pub(crate) fn estimate(m: &Moments, range: (f64, f64)) -> Result<Estimate, MetricError> {
    let (sum, sum_sq) = (fixed::parse(&m.sum)?, fixed::parse(&m.sum_sq)?);
    if sum_sq < 0 || (m.n == 0 && (sum != 0 || sum_sq != 0)) {
        return Err(MetricError::Malformed("the sums do not fit the number of cases".to_owned()));
    }
    let value = (m.n > 0).then(|| fixed::mean(sum, m.n));
    let slack = 1e-9 * range.1.min(1e9);
    if value.is_some_and(|v| v < range.0 - slack || v > range.1 + slack) {
        return Err(MetricError::Malformed(format!(
            "the mean lies outside the range {range:?} of the metric"
        )));
    }
    let ci95 = value.filter(|_| m.n > 1).map(|mean| {
        let n = m.n as f64;
        let variance = ((fixed::mean(sum_sq, m.n) - mean * mean) * n / (n - 1.0)).max(0.0);
        let half = stats::student_t_975(m.n - 1) * (variance / n).sqrt();
        [(mean - half).max(range.0), (mean + half).min(range.1)]
    });
    let quartiles = sketch::quartiles(&m.cells, m.n, range)?;
    Ok(Estimate { value, ci95, bound: Some(0.0), n: m.n, undefined: m.undefined, pooling: None, quartiles })
}
