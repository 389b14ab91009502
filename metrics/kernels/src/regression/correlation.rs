//! Correlation coefficients.

use super::errors::{Pairs, is_constant, mean};
use crate::Undefined;
use crate::calibration::sums::sum;

impl Pairs<'_> {
    fn both_vary(&self) -> Result<(), Undefined> {
        if self.count() < 2 {
            return Err(Undefined::TooFew);
        }
        if is_constant(self.predicted) || is_constant(self.reference) {
            return Err(Undefined::Constant);
        }
        Ok(())
    }

    /// Pearson's correlation, from -1 to 1.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] for a single pair, [`Undefined::Constant`] if either list is.
    ///
    /// Pearson 1895, doi:10.1098/rspl.1895.0041.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// let r = Pairs::new(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0])?.pearson()?;
    /// assert!((r - 1.0).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pearson(&self) -> Result<f64, Undefined> {
        self.both_vary()?;
        pearson(self.predicted, self.reference)
    }

    /// Spearman's rank correlation, from -1 to 1; equal values share their mean rank.
    ///
    /// # Errors
    /// As [`Pairs::pearson`].
    ///
    /// Spearman 1904, doi:10.2307/1412159.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// assert_eq!(Pairs::new(&[1.0, 5.0, 9.0], &[3.0, 4.0, 50.0])?.spearman()?, 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spearman(&self) -> Result<f64, Undefined> {
        self.both_vary()?;
        pearson(&mean_ranks(self.predicted), &mean_ranks(self.reference))
    }

    /// Kendall's tau-b, from -1 to 1: concordant minus discordant pairs over the geometric mean of the pairs not tied
    /// in either list. Cost grows as n log n.
    ///
    /// # Errors
    /// As [`Pairs::pearson`].
    ///
    /// Kendall 1945, doi:10.1093/biomet/33.3.239; Knight 1966, doi:10.1080/01621459.1966.10480879.
    ///
    /// ```
    /// # use fiel_kernels::regression::Pairs;
    /// let tau = Pairs::new(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0])?.kendall()?;
    /// assert!((tau - 1.0 / 3.0).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kendall(&self) -> Result<f64, Undefined> {
        self.both_vary()?;
        // Adding 0.0 makes -0.0 equal to 0.0 in the total order.
        let mut pairs: Vec<(f64, f64)> =
            self.predicted.iter().zip(self.reference).map(|(p, r)| (p + 0.0, r + 0.0)).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let tied_left = tied(pairs.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len));
        let tied_both = tied(pairs.chunk_by(|a, b| a == b).map(<[_]>::len));
        let mut right: Vec<f64> = pairs.iter().map(|p| p.1).collect();
        let mut spare = right.clone();
        let discordant = inversions(&mut right, &mut spare);
        let tied_right = tied(right.chunk_by(|a, b| a == b).map(<[_]>::len));
        let n = self.count() as i128;
        let all = n * (n - 1) / 2;
        let excess = all - tied_left - tied_right + tied_both - 2 * discordant;
        let scale = ((all - tied_left) as f64 * (all - tied_right) as f64).sqrt();
        Ok((excess as f64 / scale).clamp(-1.0, 1.0))
    }
}

fn pearson(a: &[f64], b: &[f64]) -> Result<f64, Undefined> {
    let (ca, cb) = (mean(a.iter().copied()), mean(b.iter().copied()));
    // Scaled by the largest deviation, so that squares neither overflow nor vanish.
    let largest = |v: &[f64], c: f64| v.iter().fold(0.0_f64, |m, x| m.max((x - c).abs()));
    let (sa, sb) = (largest(a, ca), largest(b, cb));
    if sa == 0.0 || sb == 0.0 {
        return Err(Undefined::Constant);
    }
    let deviations = || a.iter().zip(b).map(|(x, y)| ((x - ca) / sa, (y - cb) / sb));
    let product = sum(deviations().map(|(x, y)| x * y));
    let (left, right) = (sum(deviations().map(|d| d.0 * d.0)), sum(deviations().map(|d| d.1 * d.1)));
    Ok((product / (left * right).sqrt()).clamp(-1.0, 1.0))
}

/// Ranks from 1; equal values share the mean of theirs.
fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for run in order.chunk_by(|&a, &b| values[a] == values[b]) {
        for &i in run {
            ranks[i] = before as f64 + 0.5 * (run.len() + 1) as f64;
        }
        before += run.len();
    }
    ranks
}

/// Pairs within runs of these lengths.
fn tied(runs: impl Iterator<Item = usize>) -> i128 {
    runs.map(|n| n as i128 * (n as i128 - 1) / 2).sum()
}

/// Sorts and counts the pairs that stood in falling order.
fn inversions(values: &mut [f64], spare: &mut [f64]) -> i128 {
    if values.len() < 2 {
        return 0;
    }
    let middle = values.len() / 2;
    let (left, right) = values.split_at_mut(middle);
    let (spare_left, spare_right) = spare.split_at_mut(middle);
    let mut count = inversions(left, spare_left) + inversions(right, spare_right);
    let (mut i, mut j) = (0, 0);
    for slot in spare.iter_mut() {
        if i < middle && (j == values.len() - middle || values[i] <= values[middle + j]) {
            *slot = values[i];
            i += 1;
        } else {
            *slot = values[middle + j];
            count += (middle - i) as i128;
            j += 1;
        }
    }
    values.copy_from_slice(spare);
    count
}
