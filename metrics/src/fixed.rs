//! Fixed-point numbers in units of 2^-72: their sums are exact in any order.

use crate::error::MetricError;

/// 2^72.
pub(crate) const UNIT: f64 = 4_722_366_482_869_645_213_696.0;
/// 2^72 as an integer.
pub(crate) const ONE: i128 = 1 << 72;

/// The nearest multiple of 2^-72, as an integer; exact for every double of at least 2^-20.
pub(crate) fn from_f64(value: f64, what: &'static str) -> Result<i128, MetricError> {
    let scaled = (value * UNIT).round();
    // 2^120 leaves room for the sum of two hundred values and is far above any real measurement.
    if !scaled.is_finite() || scaled.abs() > 2f64.powi(120) {
        return Err(MetricError::Overflow(what));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie within 2^120")]
    Ok(scaled as i128)
}

/// Least size of the largest of some values: its fixed-point form then has 40 bits or more, and what is lost of the
/// smaller ones is little beside it.
pub(crate) const LEAST: f64 = 2.3e-10;

/// Refuses values of which sums would keep next to nothing.
pub(crate) fn check_scale(values: &[f64], what: &'static str) -> Result<(), MetricError> {
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest > 0.0 && largest < LEAST {
        return Err(MetricError::Underflow { what, least: LEAST });
    }
    Ok(())
}

/// The value divided by `n`.
pub(crate) fn mean(sum: i128, n: u64) -> f64 {
    sum as f64 / n as f64 / UNIT
}

/// Reads the decimal form.
pub(crate) fn parse(text: &str) -> Result<i128, MetricError> {
    text.parse().map_err(|_| MetricError::Malformed(format!("`{text}` is not a decimal integer of 128 bits")))
}

/// Adds, or says what overflowed.
pub(crate) fn add(a: i128, b: i128, what: &'static str) -> Result<i128, MetricError> {
    a.checked_add(b).ok_or(MetricError::Overflow(what))
}

/// Adds counts, or says what overflowed.
pub(crate) fn count(a: u64, b: u64) -> Result<u64, MetricError> {
    a.checked_add(b).ok_or(MetricError::Overflow("a number of cases"))
}
