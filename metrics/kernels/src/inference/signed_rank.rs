//! Wilcoxon's signed-rank test.

use super::distributions::normal_upper;
use super::paired::Differences;
use super::ranks::{midranks, tie_sizes};
use crate::Undefined;

/// What the test is looking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alternative {
    /// The first is larger.
    Greater,
    /// The first is smaller.
    Less,
    /// Either.
    TwoSided,
}

/// What becomes of differences of zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zeros {
    /// Dropped before ranking (Wilcoxon; R's and SciPy's default).
    Drop,
    /// Ranked with the others, then left out of the sums (Pratt 1959, <https://doi.org/10.1080/01621459.1959.10501526>).
    Pratt,
}

/// How the p-value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignedRankMethod {
    /// Exact for at most 50 cases without ties and zeros, else normal with continuity and tie correction.
    Auto,
    /// The distribution of the sum over untied ranks; a statistic between two whole numbers is taken to the one
    /// that makes the p-value larger. An approximation when there are ties, as in SciPy's `method="exact"`.
    Exact,
    /// Normal approximation with tie correction and, if asked for, continuity correction.
    Normal {
        /// Move the statistic by one half towards its mean, as R does by default.
        continuity: bool,
    },
}

/// Result of the signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// Sum of the ranks of the positive differences (R's V).
    pub positive: f64,
    /// Sum of the ranks of the negative differences.
    pub negative: f64,
    /// Number of differences that were ranked and are not zero.
    pub counted: usize,
    /// Probability, under no difference, of such a sum or one further out.
    pub p: f64,
}

/// Most cases for which [`SignedRankMethod::Auto`] is exact.
const EXACT_CASES_MAX: usize = 50;

impl Differences {
    /// Wilcoxon's signed-rank test (1945, <https://doi.org/10.2307/3001968>).
    ///
    /// # Errors
    /// No difference other than zero ([`Undefined::Constant`]); a tie correction that leaves no variance.
    ///
    /// ```
    /// use fiel_kernels::inference::{Alternative, Differences, SignedRankMethod, Zeros};
    /// let d = Differences::new(vec![0.1, 0.3, -0.2, 0.5, 0.4])?;
    /// let test = d.signed_rank(Alternative::Greater, Zeros::Drop, SignedRankMethod::Auto).expect("not all zero");
    /// assert_eq!((test.positive, test.negative), (13.0, 2.0));
    /// assert!((test.p - 3.0 / 32.0).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn signed_rank(
        &self,
        alternative: Alternative,
        zeros: Zeros,
        method: SignedRankMethod,
    ) -> Result<SignedRank, Undefined> {
        let kept: Vec<f64> = match zeros {
            Zeros::Drop => self.values().iter().copied().filter(|d| *d != 0.0).collect(),
            Zeros::Pratt => self.values().to_vec(),
        };
        let sizes: Vec<f64> = kept.iter().map(|d| d.abs()).collect();
        let counted = sizes.iter().filter(|size| **size > 0.0).count();
        if counted == 0 {
            return Err(Undefined::Constant);
        }
        let ranks = midranks(&sizes);
        let sum = |positive: bool| {
            kept.iter()
                .zip(&ranks)
                .filter(|(d, _)| **d != 0.0 && (**d > 0.0) == positive)
                .map(|(_, r)| r)
                .sum()
        };
        let (positive, negative): (f64, f64) = (sum(true), sum(false));
        let tied = tie_sizes(&sizes.iter().copied().filter(|size| *size > 0.0).collect::<Vec<_>>());
        let plain = tied.is_empty() && counted == self.values().len();
        let exact = match method {
            SignedRankMethod::Auto => plain && counted <= EXACT_CASES_MAX,
            SignedRankMethod::Exact => true,
            SignedRankMethod::Normal { .. } => false,
        };
        let p = if exact {
            exact_p(positive, kept.len(), alternative)
        } else {
            let continuity = !matches!(method, SignedRankMethod::Normal { continuity: false });
            normal_p(positive, kept.len(), kept.len() - counted, tie_sum(&tied), continuity, alternative)?
        };
        Ok(SignedRank { positive, negative, counted, p })
    }
}

impl Differences {
    /// p-values of "greater" and "less" by the normal approximation with both corrections, zeros dropped.
    pub(crate) fn one_sided_both_ways(&self) -> Result<[f64; 2], Undefined> {
        let method = SignedRankMethod::Normal { continuity: true };
        let greater = self.signed_rank(Alternative::Greater, Zeros::Drop, method)?;
        let sizes: Vec<f64> = self.values().iter().map(|d| d.abs()).filter(|size| *size > 0.0).collect();
        let ties = tie_sum(&tie_sizes(&sizes));
        let less = normal_p(greater.positive, greater.counted, 0, ties, true, Alternative::Less)?;
        Ok([greater.p, less])
    }
}

/// Sum of t^3 - t over groups of ties.
fn tie_sum(tied: &[u64]) -> f64 {
    tied.iter().map(|&t| (t as f64).powi(3) - t as f64).sum()
}

/// p-value by the normal approximation; `cases` ranked, `zeros` of them zero, `ties` = sum of t^3 - t.
fn normal_p(
    positive: f64,
    cases: usize,
    zeros: usize,
    ties: f64,
    continuity: bool,
    alternative: Alternative,
) -> Result<f64, Undefined> {
    let (n, m) = (cases as f64, zeros as f64);
    let mean = n * (n + 1.0) / 4.0 - m * (m + 1.0) / 4.0;
    let steps = n * (n + 1.0) * (2.0 * n + 1.0) - m * (m + 1.0) * (2.0 * m + 1.0);
    let variance = steps / 24.0 - ties / 48.0;
    if variance <= 0.0 {
        return Err(Undefined::Constant);
    }
    let half = if continuity { 0.5 } else { 0.0 };
    let centred = positive - mean;
    let deviation = variance.sqrt();
    Ok(match alternative {
        Alternative::Greater => normal_upper((centred - half) / deviation),
        Alternative::Less => normal_upper(-(centred + half) / deviation),
        Alternative::TwoSided => {
            let towards = if centred == 0.0 { 0.0 } else { half.copysign(centred) };
            (2.0 * normal_upper(((centred - towards) / deviation).abs())).min(1.0)
        }
    })
}

/// p-value from the exact distribution of the sum of `cases` untied ranks.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of ranks, at least 0")]
fn exact_p(positive: f64, cases: usize, alternative: Alternative) -> f64 {
    let chances = sum_of_ranks(cases);
    let at_most = |k: usize| chances[..=k.min(chances.len() - 1)].iter().sum::<f64>();
    let at_least = |k: usize| chances[k.min(chances.len())..].iter().sum::<f64>();
    let (down, up) = (positive.floor() as usize, positive.ceil() as usize);
    match alternative {
        Alternative::Greater => at_least(down),
        Alternative::Less => at_most(up),
        Alternative::TwoSided => (2.0 * at_least(down).min(at_most(up))).min(1.0),
    }
}

/// Chance of each sum 0, 1, ... when every rank 1 to `cases` is counted with probability one half.
fn sum_of_ranks(cases: usize) -> Vec<f64> {
    let largest = cases * (cases + 1) / 2;
    let mut chances = vec![0.0; largest + 1];
    chances[0] = 1.0;
    let mut reached = 0;
    for rank in 1..=cases {
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = 0.5 * (chances[sum] + with);
        }
    }
    chances
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::*;

    #[test]
    fn sums_of_three_ranks() {
        let eighth = 0.125;
        assert_eq!(sum_of_ranks(3), [eighth, eighth, eighth, 0.25, eighth, eighth, eighth]);
    }

    #[test]
    fn exact_tails_overlap_at_the_statistic() {
        assert_eq!(exact_p(6.0, 3, Alternative::Greater), 0.125);
        assert_eq!(exact_p(6.0, 3, Alternative::Less), 1.0);
        assert_eq!(exact_p(0.0, 3, Alternative::TwoSided), 0.25);
        assert_eq!(exact_p(2.5, 3, Alternative::Greater), 0.75);
        assert_eq!(exact_p(2.5, 3, Alternative::Less), 0.625);
        assert_eq!(exact_p(3.0, 3, Alternative::TwoSided), 1.0);
    }
}
