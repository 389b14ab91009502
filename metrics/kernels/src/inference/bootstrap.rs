//! Bootstrap replicates of a statistic and the intervals made of them.

use super::distributions::{normal_lower, normal_upper_quantile};
use super::resamples::Resamples;
use super::weighted_sums::{Columns, for_each_replicate};
use crate::{InputError, Undefined};
use rayon::prelude::*;

/// How sure an interval is to be: a share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence(f64);

impl Confidence {
    /// 95 %.
    pub const P95: Self = Self(0.95);

    /// Takes a share such as 0.95.
    ///
    /// # Errors
    /// Anything that is not above 0 and below 1.
    ///
    /// ```
    /// # use fiel_kernels::inference::Confidence;
    /// assert!(Confidence::new(0.9).is_ok() && Confidence::new(95.0).is_err());
    /// ```
    pub fn new(share: f64) -> Result<Self, InputError> {
        if share > 0.0 && share < 1.0 {
            return Ok(Self(share));
        }
        Err(InputError::Setting { what: "the confidence", value: share, expected: "above 0 and below 1" })
    }

    /// What is left outside at each end.
    pub(crate) fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }
}

/// Values of a statistic over the replicates of a bootstrap; those without a value are left out and counted.
///
/// ```
/// use fiel_kernels::inference::{Confidence, Replicates, Resamples};
/// let values = [0.82, 0.77, 0.91, 0.64, 0.88, 0.79];
/// let resamples = Resamples::multinomial(3, 2_000, values.len())?;
/// let means = Replicates::of_mean(&values, &resamples)?;
/// let [low, high] = means.percentile(Confidence::P95).expect("2,000 values");
/// assert!(low < 0.80 && 0.80 < high);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    /// Values in the order of the replicates.
    values: Vec<f64>,
    undefined: usize,
}

/// Bias-corrected and accelerated interval with the numbers it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bca {
    /// Bias correction.
    pub z0: f64,
    /// Acceleration.
    pub acceleration: f64,
    /// Quantiles of the replicates that bound the interval.
    pub levels: [f64; 2],
    /// The interval.
    pub interval: [f64; 2],
}

impl Replicates {
    /// Applies `statistic` to the weights of every replicate (one whole number per case).
    ///
    /// The result does not depend on the number of threads.
    ///
    /// ```
    /// use fiel_kernels::inference::{Replicates, Resamples};
    /// let resamples = Resamples::from_indices(3, &[vec![0, 0, 2], vec![1, 1, 1]])?;
    /// let share_of_first = Replicates::of_weights(&resamples, |w| Ok(f64::from(w[0]) / 3.0));
    /// assert_eq!(share_of_first.values(), [2.0 / 3.0, 0.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_weights(
        resamples: &Resamples,
        statistic: impl Fn(&[u8]) -> Result<f64, Undefined> + Sync,
    ) -> Self {
        let found = (0..resamples.replicates())
            .into_par_iter()
            .map_init(
                || vec![0; resamples.cases()],
                |weights, replicate| {
                    resamples.fill(replicate, weights);
                    statistic(weights)
                },
            )
            .collect();
        Self::gather(found)
    }

    /// Applies `statistic` to the case numbers of every replicate: in the order of the draws where these were
    /// given, in ascending order with repetitions otherwise.
    ///
    /// ```
    /// use fiel_kernels::inference::{Replicates, Resamples};
    /// let x = [4.0, 1.0, 9.0];
    /// let resamples = Resamples::from_indices(3, &[vec![2, 0, 2]])?;
    /// let largest = Replicates::of_cases(&resamples, |cases| {
    ///     Ok(cases.iter().map(|&c| x[c]).fold(0.0, f64::max))
    /// });
    /// assert_eq!(largest.values(), [9.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_cases(
        resamples: &Resamples,
        statistic: impl Fn(&[usize]) -> Result<f64, Undefined> + Sync,
    ) -> Self {
        let found = (0..resamples.replicates())
            .into_par_iter()
            .map(|replicate| {
                let cases: Vec<usize> = match resamples.drawn(replicate) {
                    Some(drawn) => drawn.iter().map(|&case| case as usize).collect(),
                    None => (resamples.weights(replicate).iter().enumerate())
                        .flat_map(|(case, &weight)| std::iter::repeat_n(case, usize::from(weight)))
                        .collect(),
                };
                statistic(&cases)
            })
            .collect();
        Self::gather(found)
    }

    /// Means of the values, one per case.
    ///
    /// # Errors
    /// Another number of values than cases, a value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::inference::{Replicates, Resamples};
    /// let resamples = Resamples::from_indices(3, &[vec![0, 0, 2], vec![1, 1, 1]])?;
    /// let means = Replicates::of_mean(&[3.0, 6.0, 9.0], &resamples)?;
    /// assert_eq!(means.values(), [5.0, 6.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_mean(values: &[f64], resamples: &Resamples) -> Result<Self, InputError> {
        let columns = Self::of_means(values, 1, resamples)?;
        columns.into_iter().next().ok_or(InputError::Empty("the columns"))
    }

    /// Means of several columns (cases x columns, row after row) over the same draws, so that the replicates of
    /// different columns are paired.
    ///
    /// A replicate whose weights are all zero (only the Poisson bootstrap of few cases has such) is undefined in
    /// every column.
    ///
    /// # Errors
    /// No column, another number of rows than cases, a value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::inference::{Replicates, Resamples};
    /// let table = [0.9, 0.8, 0.7, 0.6]; // two cases, two algorithms
    /// let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 1]])?;
    /// let means = Replicates::of_means(&table, 2, &resamples)?;
    /// assert_eq!(means[0].values()[0], 0.9);
    /// let difference = means[0].minus(&means[1])?;
    /// assert!(difference.values().iter().all(|d| (d - 0.1).abs() < 1e-15));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_means(values: &[f64], columns: usize, resamples: &Resamples) -> Result<Vec<Self>, InputError> {
        if columns == 0 {
            return Err(InputError::Empty("the columns"));
        }
        let cases = resamples.cases();
        if values.len() != cases * columns {
            return Err(InputError::Length {
                left: "the values",
                left_len: values.len(),
                right: "the resampled cases times the columns",
                right_len: cases * columns,
            });
        }
        check_finite("the values", values)?;
        let packed = Columns::new(values, cases, columns);
        let means = for_each_replicate(&packed, resamples, None, |sums| {
            (sums.total > 0.0).then(|| sums.columns.iter().map(|sum| sum / sums.total).collect::<Vec<_>>())
        });
        let undefined = means.iter().filter(|row| row.is_none()).count();
        let column = |c: usize| means.iter().flatten().map(|row| row[c]).collect();
        Ok((0..columns).map(|c| Self { values: column(c), undefined }).collect())
    }

    /// Takes values computed elsewhere, and the number of replicates in which the statistic had none.
    ///
    /// # Errors
    /// A value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, Replicates};
    /// let replicates = Replicates::new((0..=100).map(f64::from).collect(), 0)?;
    /// assert_eq!(replicates.percentile(Confidence::new(0.5)?), Ok([25.0, 75.0]));
    /// assert!(Replicates::new(vec![f64::NAN], 0).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(values: Vec<f64>, undefined: usize) -> Result<Self, InputError> {
        check_finite("the replicates", &values)?;
        Ok(Self { values, undefined })
    }

    fn gather(found: Vec<Result<f64, Undefined>>) -> Self {
        let all = found.len();
        let values: Vec<f64> = found.into_iter().flatten().filter(|value| value.is_finite()).collect();
        let undefined = all - values.len();
        Self { values, undefined }
    }

    /// The values, in the order of the replicates; those without a value are left out.
    ///
    /// ```
    /// use fiel_kernels::inference::{Replicates, Resamples};
    /// let resamples = Resamples::from_indices(2, &[vec![1, 1], vec![0, 1], vec![0, 0]])?;
    /// let counts = Replicates::of_weights(&resamples, |weights| Ok(f64::from(weights[0])));
    /// assert_eq!(counts.values(), [0.0, 1.0, 2.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of replicates in which the statistic had no value.
    ///
    /// ```
    /// use fiel_kernels::Undefined;
    /// use fiel_kernels::inference::{Replicates, Resamples};
    /// let resamples = Resamples::from_indices(2, &[vec![1, 1], vec![0, 1], vec![0, 0]])?;
    /// let share_of_first = Replicates::of_weights(&resamples, |weights| match weights[1] {
    ///     0 => Err(Undefined::ZeroDenominator),
    ///     n => Ok(f64::from(weights[0]) / f64::from(n)),
    /// });
    /// assert_eq!((share_of_first.values(), share_of_first.undefined()), (&[0.0, 1.0][..], 1));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn undefined(&self) -> usize {
        self.undefined
    }

    /// Replicate by replicate difference to another statistic over the same draws.
    ///
    /// # Errors
    /// Different numbers of values: then the two do not belong together.
    ///
    /// ```
    /// use fiel_kernels::inference::Replicates;
    /// let (a, b) = (Replicates::new(vec![3.0, 2.0], 0)?, Replicates::new(vec![1.0, 5.0], 0)?);
    /// assert_eq!(a.minus(&b)?.values(), [2.0, -3.0]);
    /// assert!(a.minus(&Replicates::new(vec![1.0], 1)?).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn minus(&self, other: &Self) -> Result<Self, InputError> {
        if self.values.len() != other.values.len() {
            return Err(InputError::Length {
                left: "the replicates",
                left_len: self.values.len(),
                right: "the other replicates",
                right_len: other.values.len(),
            });
        }
        let values = self.values.iter().zip(&other.values).map(|(a, b)| a - b).collect();
        Ok(Self { values, undefined: self.undefined.max(other.undefined) })
    }

    /// Standard deviation of the replicates (denominator one less than their number).
    ///
    /// # Errors
    /// Fewer than two replicates with a value.
    ///
    /// ```
    /// use fiel_kernels::Undefined;
    /// use fiel_kernels::inference::Replicates;
    /// assert_eq!(Replicates::new(vec![1.0, 2.0, 3.0], 0)?.standard_error(), Ok(1.0));
    /// assert_eq!(Replicates::new(vec![1.0], 4)?.standard_error(), Err(Undefined::TooFew));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn standard_error(&self) -> Result<f64, Undefined> {
        if self.values.len() < 2 {
            return Err(Undefined::TooFew);
        }
        let n = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / n;
        let squares: f64 = self.values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Ok((squares / (n - 1.0)).sqrt())
    }

    /// Percentile interval: quantiles (linear interpolation, type 7) of the replicates.
    ///
    /// # Errors
    /// No replicate with a value.
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, Replicates};
    /// let replicates = Replicates::new(vec![5.0, 1.0, 4.0, 2.0, 3.0], 0)?;
    /// assert_eq!(replicates.percentile(Confidence::new(0.5)?), Ok([2.0, 4.0]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn percentile(&self, confidence: Confidence) -> Result<[f64; 2], Undefined> {
        let sorted = self.sorted();
        let tail = confidence.tail();
        Ok([quantile_sorted(&sorted, tail)?, quantile_sorted(&sorted, 1.0 - tail)?])
    }

    /// Basic (reverse percentile) interval around the `estimate` of the whole sample.
    ///
    /// # Errors
    /// No replicate with a value.
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, Replicates};
    /// let replicates = Replicates::new(vec![5.0, 1.0, 4.0, 2.0, 3.0], 0)?;
    /// // The middle half is 2 to 4: as far as that lies from the estimate, the interval lies on the other side.
    /// assert_eq!(replicates.basic(2.5, Confidence::new(0.5)?), Ok([1.0, 3.0]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn basic(&self, estimate: f64, confidence: Confidence) -> Result<[f64; 2], Undefined> {
        let [low, high] = self.percentile(confidence)?;
        Ok([2.0 * estimate - high, 2.0 * estimate - low])
    }

    /// Bias-corrected and accelerated interval (Efron 1987, <https://doi.org/10.2307/2289144>).
    ///
    /// Replicates equal to the estimate count half for the bias correction.
    ///
    /// # Errors
    /// No replicate ([`Undefined::TooFew`]); all replicates on one side of the estimate, or a jackknife without
    /// variation ([`Undefined::Constant`]).
    ///
    /// ```
    /// use fiel_kernels::inference::{Confidence, Jackknife, Replicates, Resamples};
    /// let x = [0.2, 0.9, 0.4, 0.7, 0.5, 0.8, 0.3];
    /// let replicates = Replicates::of_mean(&x, &Resamples::multinomial(1, 999, 7)?)?;
    /// let bca = replicates.bca(&Jackknife::of_mean(&x)?, Confidence::P95).expect("it varies");
    /// assert!(bca.interval[0] < 3.8 / 7.0 && 3.8 / 7.0 < bca.interval[1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bca(&self, jackknife: &Jackknife, confidence: Confidence) -> Result<Bca, Undefined> {
        if self.values.is_empty() {
            return Err(Undefined::TooFew);
        }
        let estimate = jackknife.estimate;
        let below = self.values.iter().filter(|&&v| v < estimate).count();
        let at_most = self.values.iter().filter(|&&v| v <= estimate).count();
        let share = (below + at_most) as f64 / (2 * self.values.len()) as f64;
        if share <= 0.0 || share >= 1.0 {
            return Err(Undefined::Constant);
        }
        let z0 = -normal_upper_quantile(share);
        let acceleration = jackknife.acceleration()?;
        let level = |z: f64| normal_lower(z0 + (z0 + z) / (1.0 - acceleration * (z0 + z)));
        let z = normal_upper_quantile(confidence.tail());
        let levels = [level(-z), level(z)];
        let sorted = self.sorted();
        let interval = [quantile_sorted(&sorted, levels[0])?, quantile_sorted(&sorted, levels[1])?];
        Ok(Bca { z0, acceleration, levels, interval })
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }
}

/// A statistic over all cases, and without each case in turn: what [`Replicates::bca`] needs beside replicates.
#[derive(Debug, Clone, PartialEq)]
pub struct Jackknife {
    estimate: f64,
    left_out: Vec<f64>,
}

impl Jackknife {
    /// Takes values computed elsewhere: over all cases, and without each in turn.
    ///
    /// # Errors
    /// Fewer than two values, a value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::inference::Jackknife;
    /// let jackknife = Jackknife::new(3.0, vec![4.0, 3.5, 1.5])?;
    /// assert_eq!(jackknife, Jackknife::of_mean(&[1.0, 2.0, 6.0])?);
    /// assert!(Jackknife::new(3.0, vec![3.0]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(estimate: f64, left_out: Vec<f64>) -> Result<Self, InputError> {
        if left_out.len() < 2 {
            return Err(InputError::Setting {
                what: "the number of cases",
                value: left_out.len() as f64,
                expected: "at least 2",
            });
        }
        check_finite("the estimate", &[estimate])?;
        check_finite("the values without one case", &left_out)?;
        Ok(Self { estimate, left_out })
    }

    /// The mean.
    ///
    /// # Errors
    /// Fewer than two values, a value that is not finite.
    ///
    /// ```
    /// # use fiel_kernels::inference::Jackknife;
    /// let jackknife = Jackknife::of_mean(&[1.0, 2.0, 6.0])?;
    /// assert_eq!(jackknife.left_out(), [4.0, 3.5, 1.5]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_mean(values: &[f64]) -> Result<Self, InputError> {
        check_finite("the values", values)?;
        let mean = |kept: &[usize]| kept.iter().map(|&i| values[i]).sum::<f64>() / kept.len() as f64;
        let (estimate, left_out) = leave_each_out(values.len(), mean);
        Self::new(estimate, left_out)
    }

    /// Any statistic, from the numbers of the cases that are kept (in ascending order).
    ///
    /// # Errors
    /// Fewer than two cases; the first reason why the statistic has no value; [`Undefined::ZeroDenominator`] when
    /// it is not finite.
    ///
    /// ```
    /// # use fiel_kernels::inference::Jackknife;
    /// let x: [f64; 3] = [3.0, 1.0, 2.0];
    /// let largest = Jackknife::of_cases(3, |kept| Ok(kept.iter().map(|&i| x[i]).fold(0.0, f64::max)))?;
    /// assert_eq!((largest.estimate(), largest.left_out()), (3.0, &[2.0, 3.0, 3.0][..]));
    /// # Ok::<(), fiel_kernels::Undefined>(())
    /// ```
    pub fn of_cases(
        cases: usize,
        statistic: impl Fn(&[usize]) -> Result<f64, Undefined>,
    ) -> Result<Self, Undefined> {
        if cases < 2 {
            return Err(Undefined::TooFew);
        }
        let (estimate, left_out) = leave_each_out(cases, statistic);
        let left_out = left_out.into_iter().collect::<Result<Vec<f64>, Undefined>>()?;
        Self::new(estimate?, left_out).map_err(|_| Undefined::ZeroDenominator)
    }

    /// The statistic over all cases.
    ///
    /// ```
    /// # use fiel_kernels::inference::Jackknife;
    /// assert_eq!(Jackknife::of_mean(&[1.0, 2.0, 6.0])?.estimate(), 3.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The statistic without each case in turn.
    ///
    /// ```
    /// # use fiel_kernels::inference::Jackknife;
    /// assert_eq!(Jackknife::of_mean(&[1.0, 2.0, 6.0])?.left_out(), [4.0, 3.5, 1.5]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn left_out(&self) -> &[f64] {
        &self.left_out
    }

    fn acceleration(&self) -> Result<f64, Undefined> {
        let mean = self.left_out.iter().sum::<f64>() / self.left_out.len() as f64;
        let (mut squares, mut cubes) = (0.0, 0.0);
        for value in &self.left_out {
            let d = mean - value;
            squares += d * d;
            cubes += d * d * d;
        }
        if squares > 0.0 { Ok(cubes / (6.0 * squares.powf(1.5))) } else { Err(Undefined::Constant) }
    }
}

fn leave_each_out<T>(cases: usize, statistic: impl Fn(&[usize]) -> T) -> (T, Vec<T>) {
    let all: Vec<usize> = (0..cases).collect();
    let without = |left_out: usize| {
        let kept: Vec<usize> = all.iter().copied().filter(|&case| case != left_out).collect();
        statistic(&kept)
    };
    (statistic(&all), (0..cases).map(without).collect())
}

/// Quantile of sorted values by linear interpolation (type 7 of Hyndman & Fan 1996), `level` taken to 0 to 1.
pub(crate) fn quantile_sorted(sorted: &[f64], level: f64) -> Result<f64, Undefined> {
    let last = sorted.len().checked_sub(1).ok_or(Undefined::TooFew)?;
    let position = level.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last index"
    )]
    let below = position.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = position - below as f64;
    // From the nearer end, so that the value never leaves the two ends (and as NumPy does it, to the last bit).
    Ok(if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part })
}

/// Refuses NaN and infinities.
pub(crate) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), InputError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(InputError::Value { what, index, value: values[index], expected: "finite" }),
        None => Ok(()),
    }
}
