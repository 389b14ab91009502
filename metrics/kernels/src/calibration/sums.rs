//! Sums that lose no digits worth speaking of, in an order that does not depend on threads.

/// Neumaier's compensated sum: the error does not grow with the number of terms.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        let next = self.sum + term;
        self.lost +=
            if self.sum.abs() >= term.abs() { (self.sum - next) + term } else { (term - next) + self.sum };
        self.sum = next;
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        terms.into_iter().for_each(|t| sum.add(t));
        sum
    }
}

/// The compensated sum of the terms.
pub(crate) fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().collect::<Sum>().total()
}

/// A quantile of sorted values, by linear interpolation between order statistics (Hyndman and Fan's type 7).
pub(crate) fn quantile_sorted(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let at = share * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in the list")]
    let low = (at.floor() as usize).min(last);
    let high = (low + 1).min(last);
    let part = at - low as f64;
    let width = sorted[high] - sorted[low];
    // From the nearer end, as NumPy does: monotone, and exact at both ends.
    if part < 0.5 { sorted[low] + width * part } else { sorted[high] - width * (1.0 - part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum([]), 0.0);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile_sorted(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile_sorted(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert_eq!(quantile_sorted(&[7.0], 0.9), 7.0);
    }
}
