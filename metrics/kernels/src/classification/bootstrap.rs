//! Bootstrap of the area under the ROC curve: cases are sorted once, replicates weigh them.

use super::{auc::two_sided_z, scores::Scores, sort};
use crate::draws::{POISSON_MAX, case_key, draws, multinomial_weights, poisson, quartet_key};
use crate::{InputError, Undefined, vectorized::vectorized};
use rayon::prelude::*;

/// Replicates that are advanced together, case by case.
const BLOCK: usize = 256;
/// Hashes that a case needs for a block: each holds the draws of four replicates.
const QUARTETS: usize = BLOCK / 4;
/// The most cases: sums of weights must fit 32 bits.
const CASES_MAX: usize = (u32::MAX as u64 / POISSON_MAX) as usize;

/// What comes next on the way from the lowest score to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    /// The case.
    case: u32,
    /// Whether it is positive: it then wins against the negatives so far.
    positive: bool,
    /// Whether its score has cases of both classes. A positive case of this kind only announces that such a score
    /// begins, and weighs nothing; a negative draws with the positives since then.
    tie: bool,
}

/// Scores made ready for weighing: the area under the ROC curve for any weights of the cases.
///
/// ```
/// use fiel_kernels::classification::{AucBootstrap, Scores};
/// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
/// let bootstrap = AucBootstrap::new(&scores)?;
/// assert_eq!(bootstrap.weighted(&[1, 1, 1, 1])?, scores.auc());
/// assert_eq!(bootstrap.weighted(&[3, 1, 1, 1])?, Ok(0.875));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AucBootstrap {
    events: Vec<Event>,
    cases: usize,
}

/// Areas under the ROC curve of bootstrap replicates.
///
/// ```
/// use fiel_kernels::classification::{AucReplicates, Scores};
/// let scores: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 100)).collect();
/// let labels: Vec<bool> = scores.iter().map(|s| (s * 0.7) % 40.0 > 15.0).collect();
/// let replicates: AucReplicates = Scores::new(&scores, &labels)?.bootstrap_auc(200, 1)?;
/// assert_eq!(replicates.each().len(), 200);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AucReplicates {
    each: Vec<Result<f64, Undefined>>,
}

impl Scores<'_> {
    /// Areas under the ROC curve of replicates of the Poisson bootstrap: case `i` counts
    /// [`super::poisson_weight`]`(seed, replicate, i)` times.
    ///
    /// Replicates run in parallel; the values depend on the seed only.
    ///
    /// # Errors
    /// [`InputError::TooLarge`] above 2^29 cases.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2, 0.1], &[true, false, true, false, false])?;
    /// assert_eq!(scores.bootstrap_auc(10, 1)?, scores.bootstrap_auc(10, 1)?);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bootstrap_auc(&self, replicates: usize, seed: u64) -> Result<AucReplicates, InputError> {
        Ok(AucBootstrap::new(self)?.poisson(replicates, seed))
    }
}

impl AucBootstrap {
    /// Sorts the cases.
    ///
    /// # Errors
    /// [`InputError::TooLarge`] above 2^29 cases.
    ///
    /// ```
    /// use fiel_kernels::classification::{AucBootstrap, Scores};
    /// assert!(AucBootstrap::new(&Scores::new(&[0.9, 0.7], &[true, false])?).is_ok());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(scores: &Scores<'_>) -> Result<Self, InputError> {
        let (values, labels) = (scores.scores(), scores.labels());
        let cases = values.len();
        if cases > CASES_MAX {
            return Err(InputError::TooLarge {
                what: "scores",
                found: cases as u64,
                limit: CASES_MAX as u64,
            });
        }
        let mut events = Vec::with_capacity(cases);
        for group in sort::tied(values, &sort::order(values)) {
            let positives = || group.iter().copied().filter(|&case| labels[case as usize]);
            let negatives = || group.iter().copied().filter(|&case| !labels[case as usize]);
            let is_tie = positives().next().is_some() && negatives().next().is_some();
            if is_tie {
                events.push(Event { case: 0, positive: true, tie: true });
            }
            events.extend(positives().map(|case| Event { case, positive: true, tie: false }));
            events.extend(negatives().map(|case| Event { case, positive: false, tie: is_tie }));
        }
        Ok(Self { events, cases })
    }

    /// The area when each case counts as often as its weight says: one weight per case, in the order of the cases.
    ///
    /// The inner result is [`Undefined::OneClass`] if no positive or no negative case has any weight.
    ///
    /// # Errors
    /// [`InputError::Length`] unless there is one weight per case; [`InputError::TooLarge`] for weights whose sum does
    /// not fit 32 bits.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::{AucBootstrap, Scores}};
    /// let bootstrap = AucBootstrap::new(&Scores::new(&[0.9, 0.7, 0.8], &[true, false, false])?)?;
    /// assert_eq!(bootstrap.weighted(&[2, 0, 1])?, Ok(1.0));
    /// assert_eq!(bootstrap.weighted(&[0, 1, 1])?, Err(Undefined::OneClass));
    /// assert!(bootstrap.weighted(&[1, 1]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn weighted(&self, weights: &[u32]) -> Result<Result<f64, Undefined>, InputError> {
        if weights.len() != self.cases {
            let (left_len, right_len) = (weights.len(), self.cases);
            return Err(InputError::Length { left: "weights", left_len, right: "scores", right_len });
        }
        let (sum, limit) = (weights.iter().map(|&w| u64::from(w)).sum(), u64::from(u32::MAX));
        if sum > limit {
            return Err(InputError::TooLarge { what: "the sum of weights", found: sum, limit });
        }
        Ok(self.weighted_unchecked(weights))
    }

    /// The same for weights whose sum fits 32 bits, one for each case.
    fn weighted_unchecked(&self, weights: &[u32]) -> Result<f64, Undefined> {
        let (mut wins, mut draws) = (0_u64, 0_u64);
        let (mut positives, mut negatives, mut before_tie) = (0_u64, 0_u64, 0_u64);
        for &event in &self.events {
            if event.tie && event.positive {
                before_tie = positives;
                continue;
            }
            let weight = u64::from(weights[event.case as usize]);
            if event.tie {
                draws += weight * (positives - before_tie);
            }
            // No branch on the class: it could not be foreseen.
            let positive = weight * u64::from(event.positive);
            wins += positive * negatives;
            positives += positive;
            negatives += weight - positive;
        }
        area(2 * u128::from(wins) + u128::from(draws), positives, negatives)
    }

    /// Replicates of the Poisson bootstrap: case `i` counts [`super::poisson_weight`]`(seed, replicate, i)` times.
    ///
    /// ```
    /// use fiel_kernels::classification::{AucBootstrap, Scores, poisson_weight};
    /// let bootstrap = AucBootstrap::new(&Scores::new(&[0.9, 0.7, 0.8, 0.1], &[true, false, false, true])?)?;
    /// let weights: Vec<u32> = (0..4).map(|case| u32::from(poisson_weight(5, 2, case))).collect();
    /// assert_eq!(bootstrap.poisson(3, 5).each()[2], bootstrap.weighted(&weights)?);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn poisson(&self, replicates: usize, seed: u64) -> AucReplicates {
        let keys: Vec<u64> = (0..self.cases as u64).map(|case| case_key(seed, case)).collect();
        let blocks = replicates.div_ceil(BLOCK);
        let areas = |block: usize| {
            let first = block * BLOCK;
            let mut state = Block::new(seed, first);
            advance(&mut state, &self.events, &keys);
            (0..BLOCK.min(replicates - first)).map(|i| state.area(i)).collect::<Vec<_>>()
        };
        AucReplicates { each: (0..blocks).into_par_iter().flat_map_iter(areas).collect() }
    }

    /// Replicates of the ordinary bootstrap, with the weights of [`multinomial_weights`].
    ///
    /// ```
    /// use fiel_kernels::classification::{AucBootstrap, Scores, multinomial_weights};
    /// let bootstrap = AucBootstrap::new(&Scores::new(&[0.9, 0.7, 0.8, 0.1], &[true, false, false, true])?)?;
    /// let second = bootstrap.weighted(&multinomial_weights(5, 1, 4))?;
    /// assert_eq!(bootstrap.multinomial(2, 5).each()[1], second);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn multinomial(&self, replicates: usize, seed: u64) -> AucReplicates {
        let area = |r: usize| self.weighted_unchecked(&multinomial_weights(seed, r as u64, self.cases));
        AucReplicates { each: (0..replicates).into_par_iter().map(area).collect() }
    }
}

/// The area from twice the pairs won, ties counting once.
fn area(doubled_wins: u128, positives: u64, negatives: u64) -> Result<f64, Undefined> {
    if positives == 0 || negatives == 0 {
        return Err(Undefined::OneClass);
    }
    Ok(doubled_wins as f64 / (2 * (u128::from(positives) * u128::from(negatives))) as f64)
}

/// A block of replicates on their way through the cases.
struct Block {
    quartets: [u64; QUARTETS],
    wins: [u64; BLOCK],
    draws: [u64; BLOCK],
    positives: [u32; BLOCK],
    negatives: [u32; BLOCK],
    before_tie: [u32; BLOCK],
}

impl Block {
    fn new(seed: u64, first_replicate: usize) -> Self {
        let quartet = |i: usize| quartet_key(seed, (first_replicate / 4 + i) as u64);
        Self {
            quartets: std::array::from_fn(quartet),
            wins: [0; BLOCK],
            draws: [0; BLOCK],
            positives: [0; BLOCK],
            negatives: [0; BLOCK],
            before_tie: [0; BLOCK],
        }
    }

    fn area(&self, i: usize) -> Result<f64, Undefined> {
        let doubled = 2 * u128::from(self.wins[i]) + u128::from(self.draws[i]);
        area(doubled, u64::from(self.positives[i]), u64::from(self.negatives[i]))
    }
}

/// The weights of one case in a block of replicates.
#[allow(clippy::inline_always, reason = "compiled into the vectorised loop")]
#[inline(always)]
fn block_weights(case_key: u64, quartets: &[u64; QUARTETS]) -> [u16; BLOCK] {
    // Bytes are where 64-bit hashes turn into 16-bit draws without moving.
    let mut bytes = [0_u8; 2 * BLOCK];
    for (eight, &quartet) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(quartets) {
        *eight = draws(case_key, quartet).to_le_bytes();
    }
    let mut weights = [0; BLOCK];
    for (weight, &draw) in weights.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *weight = poisson(u16::from_le_bytes(draw));
    }
    weights
}

vectorized! {
    /// Takes a block of replicates through all events.
    fn advance(block: &mut Block, events: &[Event], keys: &[u64]) -> () {
        let Block { quartets, wins, draws, positives, negatives, before_tie } = block;
        for &event in events {
            if event.tie && event.positive {
                *before_tie = *positives;
                continue;
            }
            let weights = block_weights(keys[event.case as usize], quartets);
            if event.positive {
                for i in 0..BLOCK {
                    wins[i] += u64::from(weights[i]) * u64::from(negatives[i]);
                    positives[i] += u32::from(weights[i]);
                }
                continue;
            }
            if event.tie {
                for i in 0..BLOCK {
                    draws[i] += u64::from(weights[i]) * u64::from(positives[i] - before_tie[i]);
                }
            }
            for i in 0..BLOCK {
                negatives[i] += u32::from(weights[i]);
            }
        }
    }
}

impl AucReplicates {
    /// Areas of replicates that were resampled elsewhere.
    ///
    /// ```
    /// use fiel_kernels::classification::AucReplicates;
    /// assert_eq!(AucReplicates::new(vec![Ok(0.7), Ok(0.8)]).defined(), [0.7, 0.8]);
    /// ```
    pub fn new(each: Vec<Result<f64, Undefined>>) -> Self {
        Self { each }
    }

    /// Each replicate's area, in order; [`Undefined::OneClass`] for one that drew no positive or no negative case.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, classification::Scores};
    /// let replicates = Scores::new(&[0.9, 0.7], &[true, false])?.bootstrap_auc(50, 1)?;
    /// assert!(replicates.each().contains(&Ok(1.0)));
    /// assert!(replicates.each().contains(&Err(Undefined::OneClass)));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn each(&self) -> &[Result<f64, Undefined>] {
        &self.each
    }

    /// The areas of the replicates that have one.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let replicates = Scores::new(&[0.9, 0.7], &[true, false])?.bootstrap_auc(50, 1)?;
    /// assert!(replicates.defined().iter().all(|&area| area == 1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn defined(&self) -> Vec<f64> {
        self.each.iter().filter_map(|area| area.ok()).collect()
    }

    /// The percentile interval: quantiles of the defined replicates, interpolated linearly (Hyndman and Fan's type 7).
    ///
    /// The inner result is [`Undefined::TooFew`] if no replicate is defined.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.8, 0.3, 0.1, 0.5], &[true, false, true, false, false, true])?;
    /// let [low, high] = scores.bootstrap_auc(100, 1)?.percentile_interval(0.9)?.unwrap();
    /// assert!(low < high);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn percentile_interval(&self, level: f64) -> Result<Result<[f64; 2], Undefined>, InputError> {
        two_sided_z(level)?;
        let mut areas = self.defined();
        if areas.is_empty() {
            return Ok(Err(Undefined::TooFew));
        }
        areas.sort_by(f64::total_cmp);
        let outside = (1.0 - level) / 2.0;
        Ok(Ok([outside, 1.0 - outside].map(|p| quantile(&areas, p))))
    }

    /// The standard deviation of the defined replicates (divisor one less than their number).
    ///
    /// # Errors
    /// [`Undefined::TooFew`] with fewer than two.
    ///
    /// ```
    /// use fiel_kernels::classification::Scores;
    /// let scores = Scores::new(&[0.9, 0.7, 0.8, 0.3, 0.1, 0.5], &[true, false, true, false, false, true])?;
    /// assert!(scores.bootstrap_auc(100, 1)?.standard_error().unwrap() > 0.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn standard_error(&self) -> Result<f64, Undefined> {
        let areas = self.defined();
        if areas.len() < 2 {
            return Err(Undefined::TooFew);
        }
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        let squares: f64 = areas.iter().map(|area| (area - mean) * (area - mean)).sum();
        Ok((squares / (areas.len() - 1) as f64).sqrt())
    }
}

/// Quantile of sorted values, interpolated linearly.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let below = (position as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}
