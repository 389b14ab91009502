//! The area under the ROC curve and DeLong's variance of it.

use super::scores::Scores;
use crate::inference::normal_upper_quantile;
use crate::{InputError, Undefined, vectorized::vectorized};

/// An area under the ROC curve with DeLong's variance.
///
/// Source: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988), <https://doi.org/10.2307/2531595>.
///
/// ```
/// use fiel_kernels::classification::Scores;
/// let labels = [false, false, false, true, true, true];
/// let delong = Scores::new(&[0.1, 0.4, 0.6, 0.5, 0.8, 0.9], &labels)?.delong().unwrap();
/// assert!((delong.auc - 8.0 / 9.0).abs() < 1e-15);
/// assert!((delong.variance - 2.0 / 81.0).abs() < 1e-15);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeLong {
    /// The area under the ROC curve, 0 to 1.
    pub auc: f64,
    /// The variance of the area; 0 if the classes are separated completely.
    pub variance: f64,
}

impl DeLong {
    /// Wald's interval, which may reach beyond 0 and 1.
    ///
    /// `level` is the coverage, between 0 and 1 (0.95 for a 95 % interval).
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::DeLong;
    /// let [low, high] = DeLong { auc: 0.9, variance: 0.01 }.wald(0.95)?;
    /// assert!((low - 0.704).abs() < 1e-4 && (high - 1.096).abs() < 1e-4);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn wald(&self, level: f64) -> Result<[f64; 2], InputError> {
        let half_width = two_sided_z(level)? * self.variance.sqrt();
        Ok([self.auc - half_width, self.auc + half_width])
    }

    /// Wald's interval, cut at 0 and 1: the interval to report.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::DeLong;
    /// assert_eq!(DeLong { auc: 0.9, variance: 0.01 }.interval(0.95)?[1], 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn interval(&self, level: f64) -> Result<[f64; 2], InputError> {
        self.wald(level).map(|ends| ends.map(|end| end.clamp(0.0, 1.0)))
    }

    /// Wald's interval of the area's logit, taken back to areas: never beyond 0 and 1.
    ///
    /// The inner result is [`Undefined::Separated`] for an area of 0 or 1, whose logit is infinite.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::DeLong};
    /// let [low, high] = DeLong { auc: 0.5, variance: 0.01 }.logit_interval(0.95)?.unwrap();
    /// assert!((low + high - 1.0).abs() < 1e-15 && low > 0.3);
    /// assert_eq!(DeLong { auc: 1.0, variance: 0.0 }.logit_interval(0.95)?, Err(Undefined::Separated));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn logit_interval(&self, level: f64) -> Result<Result<[f64; 2], Undefined>, InputError> {
        let z = two_sided_z(level)?;
        if self.auc <= 0.0 || self.auc >= 1.0 {
            return Ok(Err(Undefined::Separated));
        }
        let logit = (self.auc / (1.0 - self.auc)).ln();
        let half_width = z * self.variance.sqrt() / (self.auc * (1.0 - self.auc));
        Ok(Ok([logit - half_width, logit + half_width].map(|x| 1.0 / (1.0 + (-x).exp()))))
    }
}

/// How many standard errors an interval of this coverage reaches to either side.
pub(super) fn two_sided_z(level: f64) -> Result<f64, InputError> {
    if level > 0.0 && level < 1.0 {
        return Ok(normal_upper_quantile((1.0 - level) / 2.0));
    }
    Err(InputError::Setting { what: "the interval's level", value: level, expected: "between 0 and 1" })
}

impl Scores<'_> {
    /// The area under the ROC curve: the share of pairs of a positive and a negative case in which the positive has
    /// the higher score, ties counting one half (0 to 1, higher is better).
    ///
    /// Exact but for the last rounding: pairs are counted in whole numbers.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] if all cases are positive or all negative.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::Scores};
    /// assert_eq!(Scores::new(&[0.3, 0.3, 0.9], &[false, true, true])?.auc(), Ok(0.75));
    /// assert_eq!(Scores::new(&[0.3, 0.9], &[true, true])?.auc(), Err(Undefined::OneClass));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn auc(&self) -> Result<f64, Undefined> {
        let (positives, negatives) = self.both_classes()?;
        Ok(self.placement_sums().auc(positives, negatives))
    }

    /// The area under the ROC curve with DeLong's variance (divisors one less than the class sizes).
    ///
    /// Sums of squares are kept as whole numbers, so that nothing is lost however many cases there are.
    ///
    /// # Errors
    /// [`Undefined::OneClass`]; [`Undefined::TooFew`] if a class has a single case.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::Scores};
    /// let delong = Scores::new(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true])?.delong().unwrap();
    /// assert_eq!((delong.auc, delong.variance), (1.0, 0.0));
    /// let single = Scores::new(&[0.1, 0.2, 0.8], &[false, false, true])?;
    /// assert_eq!(single.delong(), Err(Undefined::TooFew));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn delong(&self) -> Result<DeLong, Undefined> {
        let (positives, negatives) = self.both_classes()?;
        if positives == 1 || negatives == 1 {
            return Err(Undefined::TooFew);
        }
        let sums = self.placement_sums();
        let of_positives = mean_variance(positives, negatives, sums.wins, sums.positives_squared);
        let of_negatives = mean_variance(negatives, positives, sums.losses, sums.negatives_squared);
        Ok(DeLong { auc: sums.auc(positives, negatives), variance: of_positives + of_negatives })
    }

    fn placement_sums(&self) -> PlacementSums {
        let (packed, split) = (self.sorted().packed(), self.sorted().split());
        let mut sums = PlacementSums::default();
        // Neighbours on either side of the split may look equal, and are not.
        sums.add_run(&packed[..split]);
        sums.add_run(&packed[split..]);
        sums
    }
}

/// Variance of the mean of `n` structural components, each a placement over twice the other class's size.
pub(super) fn mean_variance(n: u64, others: u64, sum: u128, squares: u128) -> f64 {
    let spread = u128::from(n) * squares - sum * sum;
    let (n, others) = (n as f64, others as f64);
    spread as f64 / (n * n * (n - 1.0) * 4.0 * others * others)
}

/// Sums over placements in ascending order of score.
///
/// The placement of a positive is twice the number of negatives below it plus the number at its score; that of a
/// negative is the same of positives (so it counts lost pairs, and its variance is that of the pairs won).
#[derive(Debug, Default, Clone, Copy)]
struct PlacementSums {
    positives_before: u64,
    negatives_before: u64,
    wins: u128,
    losses: u128,
    positives_squared: u128,
    negatives_squared: u128,
}

/// Cases that the fast path takes at a time.
const CHUNK: usize = 2048;

impl PlacementSums {
    fn auc(&self, positives: u64, negatives: u64) -> f64 {
        self.wins as f64 / (2.0 * (u128::from(positives) * u128::from(negatives)) as f64)
    }

    /// Adds sorted cases in which equal packed distances mean equal scores.
    fn add_run(&mut self, packed: &[u64]) {
        let mut start = 0;
        while start < packed.len() {
            let end = packed.len().min(start + CHUNK);
            // The neighbour after the chunk must differ too.
            if any_tie(&packed[start..packed.len().min(end + 1)]) {
                start = self.add_groups(packed, start, end);
            } else {
                self.add_distinct(&packed[start..end]);
                start = end;
            }
        }
    }

    /// Adds whole groups from `start` until `end` is reached; where the last one ended.
    fn add_groups(&mut self, packed: &[u64], mut start: usize, end: usize) -> usize {
        while start < end {
            let rest = &packed[start..];
            let size = rest.iter().position(|&p| p >> 1 != rest[0] >> 1).unwrap_or(rest.len());
            let positives: u64 = rest[..size].iter().map(|&p| p & 1).sum();
            self.add_group(positives, size as u64 - positives);
            start += size;
        }
        start
    }

    fn add_group(&mut self, positives: u64, negatives: u64) {
        let of_positive = u128::from(2 * self.negatives_before + negatives);
        let of_negative = u128::from(2 * self.positives_before + positives);
        let (positive, negative) = (u128::from(positives), u128::from(negatives));
        self.wins += positive * of_positive;
        self.positives_squared += positive * (of_positive * of_positive);
        self.losses += negative * of_negative;
        self.negatives_squared += negative * (of_negative * of_negative);
        self.positives_before += positives;
        self.negatives_before += negatives;
    }

    /// Adds at most [`CHUNK`] cases of which no two have one score.
    fn add_distinct(&mut self, packed: &[u64]) {
        let [positives, wins, positives_squared, losses, negatives_squared] = local_sums(packed);
        let negatives = packed.len() as u64 - positives;
        let wide = |n: u64| u128::from(n);
        // Inside the chunk counts start from zero; (before + local)^2 is multiplied out.
        let (p, n) = (wide(self.positives_before), wide(self.negatives_before));
        self.wins += 2 * (wide(positives) * n + wide(wins));
        self.positives_squared +=
            4 * (wide(positives) * n * n + 2 * n * wide(wins) + wide(positives_squared));
        self.losses += 2 * (wide(negatives) * p + wide(losses));
        self.negatives_squared +=
            4 * (wide(negatives) * p * p + 2 * p * wide(losses) + wide(negatives_squared));
        self.positives_before += positives;
        self.negatives_before += negatives;
    }
}

vectorized! {
    /// Whether two neighbours have one score.
    pub(super) fn any_tie(packed: &[u64]) -> bool {
        packed.iter().zip(packed.iter().skip(1)).fold(0_u8, |any, (a, b)| any | u8::from((a ^ b) < 2)) > 0
    }
}

/// What eight cases without ties add, by the pattern of their labels: positives; over positives, sum and sum of squares
/// of the negatives before; over negatives, the same of the positives before.
const PATTERNS: [[u8; 5]; 256] = {
    let mut patterns = [[0; 5]; 256];
    let mut pattern = 0;
    while pattern < 256 {
        let (mut bit, mut before) = (0, [0_u8; 2]);
        while bit < 8 {
            let positive = pattern >> bit & 1;
            let others = before[1 - positive];
            let sums = if positive == 1 { 1 } else { 3 };
            if positive == 1 {
                patterns[pattern][0] += 1;
            }
            patterns[pattern][sums] += others;
            patterns[pattern][sums + 1] += others * others;
            before[positive] += 1;
            bit += 1;
        }
        pattern += 1;
    }
    patterns
};

vectorized! {
    /// Of a chunk without ties: positives; over positives, sum and sum of squares of the negatives before; over
    /// negatives, the same of the positives before.
    fn local_sums(packed: &[u64]) -> [u64; 5] {
        let [mut wins, mut wins_squared, mut losses, mut losses_squared] = [0_u64; 4];
        let mut before = [0_u64; 2];
        let (eights, rest) = packed.as_chunks::<8>();
        for eight in eights {
            let pattern = (0..8).fold(0, |pattern, bit| pattern | (eight[bit] & 1) << bit);
            #[allow(clippy::cast_possible_truncation, reason = "eight bits")]
            let [positives, w, ww, l, ll] = PATTERNS[pattern as usize & 255].map(u64::from);
            let [n, p] = before;
            wins += positives * n + w;
            wins_squared += positives * n * n + 2 * n * w + ww;
            losses += (8 - positives) * p + l;
            losses_squared += (8 - positives) * p * p + 2 * p * l + ll;
            before = [n + 8 - positives, p + positives];
        }
        for &case in rest {
            let [n, p] = before;
            if case & 1 == 1 {
                wins += n;
                wins_squared += n * n;
                before[1] += 1;
            } else {
                losses += p;
                losses_squared += p * p;
                before[0] += 1;
            }
        }
        [before[1], wins, wins_squared, losses, losses_squared]
    }
}
