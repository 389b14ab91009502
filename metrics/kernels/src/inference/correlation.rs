//! Rank correlation of two lists: Kendall's tau and Spearman's rho.

use super::bootstrap::check_finite;
use super::distributions::normal_upper;
use super::ranks::{midranks, same, tie_sizes};
use crate::{InputError, Undefined};

/// Two checked lists of equal length, such as two rankings of the same algorithms.
///
/// ```
/// use fiel_kernels::inference::RankedPairs;
/// let pairs = RankedPairs::new(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0])?;
/// assert!((pairs.kendall().tau_b().expect("no list is constant") - 2.0 / 3.0).abs() < 1e-15);
/// assert!((pairs.spearman().expect("no list is constant") - 0.8).abs() < 1e-15);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RankedPairs {
    a: Vec<f64>,
    b: Vec<f64>,
}

/// Pairs of elements by the order in which the two lists put them.
#[derive(Debug, Clone, PartialEq)]
pub struct Kendall {
    /// Pairs in the same order in both lists.
    pub concordant: u64,
    /// Pairs in opposite order.
    pub discordant: u64,
    /// All pairs, n (n - 1) / 2.
    pub pairs: u64,
    /// Sizes of the groups of ties (of at least two) in the first list.
    ties_a: Vec<u64>,
    /// The same of the second.
    ties_b: Vec<u64>,
    /// Numbers of distinct values.
    distinct: [u64; 2],
    length: u64,
}

impl RankedPairs {
    /// Takes two lists.
    ///
    /// # Errors
    /// Fewer than two elements, lists of unequal length, a value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::inference::RankedPairs;
    /// assert_eq!(RankedPairs::new(&[1.0, 2.0], &[2.0, 1.0])?.footrule(), 2.0);
    /// assert!(RankedPairs::new(&[1.0, 2.0], &[2.0, 1.0, 3.0]).is_err());
    /// assert!(RankedPairs::new(&[1.0], &[1.0]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(a: &[f64], b: &[f64]) -> Result<Self, InputError> {
        if a.len() != b.len() {
            return Err(InputError::Length {
                left: "the first list",
                left_len: a.len(),
                right: "the second list",
                right_len: b.len(),
            });
        }
        if a.len() < 2 {
            let expected = "at least 2";
            return Err(InputError::Setting {
                what: "the length of the lists",
                value: a.len() as f64,
                expected,
            });
        }
        check_finite("the first list", a)?;
        check_finite("the second list", b)?;
        Ok(Self { a: a.to_vec(), b: b.to_vec() })
    }

    /// Counts concordant and discordant pairs in O(n log n) (Knight 1966,
    /// <https://doi.org/10.1080/01621459.1966.10480879>).
    ///
    /// ```
    /// use fiel_kernels::inference::RankedPairs;
    /// let kendall = RankedPairs::new(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0])?.kendall();
    /// assert_eq!((kendall.concordant, kendall.discordant, kendall.pairs), (5, 1, 6));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn kendall(&self) -> Kendall {
        let length = self.a.len() as u64;
        let pairs = length * (length - 1) / 2;
        let mut order: Vec<usize> = (0..self.a.len()).collect();
        let (a, b) = (&self.a, &self.b);
        // + 0.0 makes -0 and 0 one value for the total order.
        let key = |list: &[f64], i: usize| list[i] + 0.0;
        order
            .sort_unstable_by(|&i, &j| key(a, i).total_cmp(&key(a, j)).then(key(b, i).total_cmp(&key(b, j))));
        let tied_pairs = |ties: &[u64]| ties.iter().map(|t| t * (t - 1) / 2).sum::<u64>();
        let both: u64 = order
            .chunk_by(|&i, &j| same(a[i], a[j]) && same(b[i], b[j]))
            .map(|tied| (tied.len() * (tied.len() - 1) / 2) as u64)
            .sum();
        let mut sequence: Vec<f64> = order.iter().map(|&i| b[i]).collect();
        let discordant = inversions(&mut sequence);
        let (ties_a, ties_b) = (tie_sizes(a), tie_sizes(b));
        let (only_a, only_b) = (tied_pairs(&ties_a), tied_pairs(&ties_b));
        let distinct = |ties: &[u64]| length - ties.iter().map(|t| t - 1).sum::<u64>();
        Kendall {
            concordant: pairs + both - only_a - only_b - discordant,
            discordant,
            pairs,
            distinct: [distinct(&ties_a), distinct(&ties_b)],
            ties_a,
            ties_b,
            length,
        }
    }

    /// Spearman's rho, from -1 to 1: Pearson's correlation of the midranks (Spearman 1904,
    /// <https://doi.org/10.2307/1412159>).
    ///
    /// # Errors
    /// A list is constant.
    ///
    /// ```
    /// use fiel_kernels::Undefined;
    /// use fiel_kernels::inference::RankedPairs;
    /// let pairs = RankedPairs::new(&[1.0, 2.0, 3.0, 4.0, 5.0], &[20.0, 10.0, 40.0, 30.0, 50.0])?;
    /// assert!((pairs.spearman().expect("no list is constant") - 0.8).abs() < 1e-15);
    /// assert_eq!(RankedPairs::new(&[1.0, 2.0], &[7.0, 7.0])?.spearman(), Err(Undefined::Constant));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn spearman(&self) -> Result<f64, Undefined> {
        let (a, b) = (midranks(&self.a), midranks(&self.b));
        let mean = (a.len() + 1) as f64 / 2.0;
        let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
        for (x, y) in a.iter().zip(&b) {
            let (x, y) = (x - mean, y - mean);
            aa += x * x;
            bb += y * y;
            ab += x * y;
        }
        if aa <= 0.0 || bb <= 0.0 {
            return Err(Undefined::Constant);
        }
        Ok((ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0))
    }

    /// Spearman's footrule: sum of the absolute differences of the two lists, which are taken as ranks.
    ///
    /// ```
    /// # use fiel_kernels::inference::RankedPairs;
    /// assert_eq!(RankedPairs::new(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0])?.footrule(), 4.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn footrule(&self) -> f64 {
        self.a.iter().zip(&self.b).map(|(a, b)| (a - b).abs()).sum()
    }

    /// Footrule in which each difference is divided by the smaller (better) of the two ranks.
    ///
    /// # Errors
    /// A rank that is not above zero.
    ///
    /// ```
    /// use fiel_kernels::inference::RankedPairs;
    /// let pairs = RankedPairs::new(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0])?;
    /// assert_eq!((pairs.weighted_footrule(), pairs.footrule()), (Ok(1.0), 2.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn weighted_footrule(&self) -> Result<f64, Undefined> {
        let terms = self.a.iter().zip(&self.b).map(|(a, b)| {
            let better = a.min(*b);
            if better > 0.0 { Ok((a - b).abs() / better) } else { Err(Undefined::ZeroDenominator) }
        });
        terms.sum()
    }
}

impl Kendall {
    fn excess(&self) -> f64 {
        self.concordant as f64 - self.discordant as f64
    }

    /// Tau-a: concordant less discordant pairs, over all pairs.
    ///
    /// ```
    /// # use fiel_kernels::inference::RankedPairs;
    /// assert_eq!(RankedPairs::new(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0])?.kendall().tau_a(), 2.0 / 3.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tau_a(&self) -> f64 {
        self.excess() / self.pairs as f64
    }

    /// Tau-b: over the geometric mean of the pairs that each list does not tie (Kendall 1945,
    /// <https://doi.org/10.1093/biomet/33.3.239>).
    ///
    /// # Errors
    /// A list is constant.
    ///
    /// ```
    /// use fiel_kernels::inference::RankedPairs;
    /// // Two of three pairs in the same order, the third tied in the first list.
    /// let tau = RankedPairs::new(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0])?.kendall().tau_b();
    /// assert!((tau.expect("no list is constant") - 2.0 / 6.0f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tau_b(&self) -> Result<f64, Undefined> {
        let untied =
            |ties: &[u64]| self.pairs as f64 - ties.iter().map(|t| (t * (t - 1) / 2) as f64).sum::<f64>();
        let (a, b) = (untied(&self.ties_a), untied(&self.ties_b));
        if a <= 0.0 || b <= 0.0 {
            return Err(Undefined::Constant);
        }
        Ok((self.excess() / (a * b).sqrt()).clamp(-1.0, 1.0))
    }

    /// Tau-c of Stuart, for lists of different numbers of distinct values: 2 (concordant - discordant pairs), over
    /// n^2 (m - 1) / m, where m is the smaller of those numbers (Stuart 1953, <https://doi.org/10.2307/2333101>).
    ///
    /// # Errors
    /// A list is constant.
    ///
    /// ```
    /// use fiel_kernels::inference::RankedPairs;
    /// let tau = RankedPairs::new(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0])?.kendall().tau_c();
    /// assert!((tau.expect("no list is constant") - 8.0 / 9.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tau_c(&self) -> Result<f64, Undefined> {
        let classes = self.distinct[0].min(self.distinct[1]) as f64;
        if classes < 2.0 {
            return Err(Undefined::Constant);
        }
        let n = self.length as f64;
        Ok(2.0 * self.excess() / (n * n * (classes - 1.0) / classes))
    }

    /// Two-sided p-value of no association: exact without ties for up to 33 elements or at most one discordant
    /// (or concordant) pair, else normal with tie correction and without continuity correction, as in SciPy.
    ///
    /// # Errors
    /// A list is constant.
    ///
    /// ```
    /// use fiel_kernels::inference::RankedPairs;
    /// // Of the 24 orders of four elements, the same and the opposite one are as far out.
    /// let p = RankedPairs::new(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0])?.kendall().p();
    /// assert!((p.expect("no list is constant") - 2.0 / 24.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn p(&self) -> Result<f64, Undefined> {
        if self.distinct.contains(&1) {
            return Err(Undefined::Constant);
        }
        let rarer = self.discordant.min(self.pairs - self.discordant);
        if self.ties_a.is_empty() && self.ties_b.is_empty() && (self.length <= 33 || rarer <= 1) {
            let chance = chance_of_at_most(rarer, self.length);
            return Ok(if 2 * rarer == self.pairs { 1.0 } else { (2.0 * chance).min(1.0) });
        }
        let n = self.length as f64;
        let sum = |ties: &[u64], f: fn(f64) -> f64| ties.iter().map(|&t| f(t as f64)).sum::<f64>();
        let double = |t: f64| t * (t - 1.0);
        let triple = |t: f64| t * (t - 1.0) * (t - 2.0);
        let spread = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
        let m = n * (n - 1.0);
        let mut variance = (m * (2.0 * n + 5.0) - sum(&self.ties_a, spread) - sum(&self.ties_b, spread))
            / 18.0
            + sum(&self.ties_a, double) * sum(&self.ties_b, double) / (2.0 * m);
        if n > 2.0 {
            variance += sum(&self.ties_a, triple) * sum(&self.ties_b, triple) / (9.0 * m * (n - 2.0));
        }
        if variance <= 0.0 {
            return Err(Undefined::Constant);
        }
        Ok((2.0 * normal_upper((self.excess() / variance.sqrt()).abs())).min(1.0))
    }
}

/// Chance that a random order of `length` elements has at most `inversions` inversions.
fn chance_of_at_most(inversions: u64, length: u64) -> f64 {
    let kept = usize::try_from(inversions).unwrap_or(usize::MAX - 1) + 1;
    let mut chances = vec![0.0; kept];
    chances[0] = 1.0;
    for n in 2..=usize::try_from(length).unwrap_or(usize::MAX) {
        // The n-th element adds 0 to n - 1 inversions: a sliding sum over the last n chances.
        let before = chances.clone();
        let mut window = 0.0;
        for k in 0..kept {
            window += before[k];
            if k >= n {
                window -= before[k - n];
            }
            chances[k] = window / n as f64;
        }
    }
    chances.iter().sum()
}

/// Sorts and counts the pairs that were in descending order.
fn inversions(values: &mut [f64]) -> u64 {
    let mut buffer = values.to_vec();
    let (mut count, mut width) = (0, 1);
    while width < values.len() {
        for (from, to) in values.chunks(2 * width).zip(buffer.chunks_mut(2 * width)) {
            let (left, right) = from.split_at(width.min(from.len()));
            let (mut i, mut j) = (0, 0);
            for slot in to.iter_mut() {
                let take_right = i == left.len() || (j < right.len() && right[j] < left[i]);
                if take_right {
                    count += (left.len() - i) as u64;
                    *slot = right[j];
                    j += 1;
                } else {
                    *slot = left[i];
                    i += 1;
                }
            }
        }
        values.copy_from_slice(&buffer);
        width *= 2;
    }
    count
}
