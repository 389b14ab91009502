//! Groups of cases compared by their survival curves.

use super::confidence::Confidence;
use super::curve::{IntervalScale, KaplanMeier};
use super::order::ascending;
use super::times::{SurvivalTimes, all, same_length};
use crate::inference::chi_squared_upper;
use crate::{InputError, Undefined};

const GROUPS_MAX: usize = 100;

/// Assigns each risk to one of `groups` quantile groups, 0 for the lowest risks.
///
/// The borders are the quantiles k / groups with linear interpolation; a risk equal to a border belongs to the group
/// below it. With many equal risks a group may stay empty.
///
/// # Errors
/// An empty list, a risk that is NaN or infinite, fewer than 2 or more than 100 groups.
///
/// ```
/// use fiel_kernels::survival::quantile_groups;
/// assert_eq!(quantile_groups(&[0.9, 0.1, 0.5, 0.7], 2)?, [1, 0, 0, 1]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn quantile_groups(risks: &[f64], groups: usize) -> Result<Vec<usize>, InputError> {
    if risks.is_empty() {
        return Err(InputError::Empty("risks"));
    }
    all("risks", risks, "finite", f64::is_finite)?;
    check_number(groups)?;
    let sorted: Vec<f64> = ascending(risks).iter().map(|&i| risks[i as usize]).collect();
    let border = |k: usize| {
        let at = (sorted.len() - 1) as f64 * k as f64 / groups as f64;
        // The whole part in integers: the quotient above could be rounded over it.
        let whole = (sorted.len() - 1) * k / groups;
        let (low, high) = (sorted[whole], sorted[(whole + 1).min(sorted.len() - 1)]);
        low + (at - whole as f64) * (high - low)
    };
    let borders: Vec<f64> = (1..groups).map(border).collect();
    Ok(risks.iter().map(|&r| borders.partition_point(|&b| b < r)).collect())
}

fn check_number(groups: usize) -> Result<(), InputError> {
    if (2..=GROUPS_MAX).contains(&groups) {
        return Ok(());
    }
    Err(InputError::Setting { what: "number of groups", value: groups as f64, expected: "from 2 to 100" })
}

/// Cases with a group each.
///
/// ```
/// use fiel_kernels::survival::{GroupedTimes, SurvivalTimes};
/// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
/// let test = GroupedTimes::new(&times, &[1, 0], 2)?.log_rank()?;
/// assert_eq!((test.chi_squared, test.degrees_of_freedom), (1.0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct GroupedTimes<'t> {
    times: &'t SurvivalTimes,
    /// By ascending time.
    labels: Vec<usize>,
    groups: usize,
}

/// A log-rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRank {
    /// The statistic.
    pub chi_squared: f64,
    /// Groups with an expected event, less one.
    pub degrees_of_freedom: usize,
    /// Probability of a statistic at least as large when all groups have the same hazard.
    pub p_value: f64,
}

/// Predicted against observed survival of one group at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupCalibration {
    /// Number of cases.
    pub cases: usize,
    /// Mean of the predicted probabilities of being free of the event.
    pub predicted: f64,
    /// Kaplan-Meier estimate with its log-log interval.
    pub observed: Result<(f64, [f64; 2]), Undefined>,
}

impl<'t> GroupedTimes<'t> {
    /// Checks group labels, from 0 to `groups` - 1, in the order of the cases.
    ///
    /// # Errors
    /// A number of labels other than that of the cases, a label out of range, fewer than 2 or more than 100 groups.
    ///
    /// ```
    /// use fiel_kernels::survival::{GroupedTimes, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// assert!(GroupedTimes::new(&times, &[0, 2], 2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(times: &'t SurvivalTimes, labels: &[usize], groups: usize) -> Result<Self, InputError> {
        same_length("times", times.len(), "group labels", labels.len())?;
        check_number(groups)?;
        if let Some(index) = labels.iter().position(|&g| g >= groups) {
            let value = labels[index] as f64;
            let expected = "below the number of groups";
            return Err(InputError::Value { what: "group labels", index, value, expected });
        }
        let labels = times.order.iter().map(|&i| labels[i as usize]).collect();
        Ok(Self { times, labels, groups })
    }

    /// The Kaplan-Meier curve of each group; none for a group without cases.
    ///
    /// ```
    /// use fiel_kernels::survival::{GroupedTimes, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// let curves = GroupedTimes::new(&times, &[2, 0], 3)?.kaplan_meier();
    /// assert_eq!(curves[0].as_ref().map(|c| c.survival().to_vec()), Some(vec![1.0]));
    /// assert!(curves[1].is_none());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn kaplan_meier(&self) -> Vec<Option<KaplanMeier>> {
        (0..self.groups).map(|g| self.group(g).map(|times| KaplanMeier::new(&times))).collect()
    }

    /// The cases of one group, as far as there are any.
    fn group(&self, group: usize) -> Option<SurvivalTimes> {
        let members: Vec<usize> = (0..self.times.len()).filter(|&i| self.labels[i] == group).collect();
        let times: Vec<f64> = members.iter().map(|&i| self.times.times[i]).collect();
        let events: Vec<bool> = members.iter().map(|&i| self.times.events[i]).collect();
        // Only an empty list can be refused here, since the times were checked before.
        SurvivalTimes::new(&times, &events).ok()
    }

    /// The log-rank test of equal hazards in all groups (hypergeometric variance).
    ///
    /// Groups without any expected event take no part. Source: Mantel 1966; Peto and Peto 1972, doi:10.2307/2344317.
    ///
    /// # Errors
    /// [`Undefined::NoEvents`]; [`Undefined::OneClass`] with fewer than two groups that take part;
    /// [`Undefined::ZeroDenominator`] when the variance is zero.
    ///
    /// ```
    /// use fiel_kernels::survival::{GroupedTimes, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// let test = GroupedTimes::new(&times, &[0, 1], 2)?.log_rank()?;
    /// assert!((test.p_value - 0.31731050786291415).abs() < 1e-13);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log_rank(&self) -> Result<LogRank, Undefined> {
        if self.times.events() == 0 {
            return Err(Undefined::NoEvents);
        }
        let sums = self.log_rank_sums();
        let part: Vec<usize> = (0..self.groups).filter(|&g| sums.expected[g] > 0.0).collect();
        // The excesses sum to zero, so that the last group adds nothing that the others do not say.
        let Some((_, part)) = part.split_last().filter(|(_, rest)| !rest.is_empty()) else {
            return Err(Undefined::OneClass);
        };
        let excess: Vec<f64> = part.iter().map(|&g| sums.observed[g] as f64 - sums.expected[g]).collect();
        let covariance =
            part.iter().map(|&g| part.iter().map(|&h| sums.covariance[g][h]).collect()).collect();
        let chi_squared = quadratic_form(covariance, excess)?;
        let p_value = chi_squared_upper(chi_squared, part.len() as f64);
        Ok(LogRank { chi_squared, degrees_of_freedom: part.len(), p_value })
    }

    fn log_rank_sums(&self) -> LogRankSums {
        let mut sums = LogRankSums {
            observed: vec![0; self.groups],
            expected: vec![0.0; self.groups],
            covariance: vec![vec![0.0; self.groups]; self.groups],
        };
        let mut at_risk = vec![0_u64; self.groups];
        for &label in &self.labels {
            at_risk[label] += 1;
        }
        for ((start, end), step) in self.times.groups().zip(self.times.steps()) {
            if step.events > 0 {
                sums.add(&at_risk, step.at_risk as f64, step.events as f64);
            }
            for i in start..end {
                at_risk[self.labels[i]] -= 1;
                sums.observed[self.labels[i]] += u64::from(self.times.events[i]);
            }
        }
        sums
    }

    /// Calibration at a time: per group with cases, the mean predicted probability (0 to 1, in the order of the cases)
    /// of being free of the event then, beside the observed one.
    ///
    /// # Errors
    /// A number of probabilities other than that of the cases, a probability outside 0 to 1 or NaN.
    ///
    /// ```
    /// use fiel_kernels::survival::{Confidence, GroupedTimes, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0, 3.0], &[true, false, false, false])?;
    /// let groups = GroupedTimes::new(&times, &[1, 1, 0, 0], 2)?;
    /// let calibration = groups.calibration_at(1.5, &[0.5, 0.6, 0.9, 0.9], Confidence::new(0.95)?)?;
    /// assert_eq!(calibration[1].predicted, 0.55);
    /// assert_eq!(calibration[1].observed.map(|(s, _)| s), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn calibration_at(
        &self,
        time: f64,
        predicted: &[f64],
        confidence: Confidence,
    ) -> Result<Vec<GroupCalibration>, InputError> {
        same_length("times", self.times.len(), "survival probabilities", predicted.len())?;
        all("survival probabilities", predicted, "from 0 to 1", |p| (0.0..=1.0).contains(&p))?;
        let calibration = |group: usize| {
            let times = self.group(group)?;
            let members = self.times.order.iter().zip(&self.labels).filter(|(_, label)| **label == group);
            let sum: f64 = members.map(|(&case, _)| predicted[case as usize]).sum();
            let curve = KaplanMeier::new(&times);
            let observed = curve
                .at(time)
                .and_then(|s| Ok((s, curve.interval_at(time, confidence, IntervalScale::LogLog)?)));
            Some(GroupCalibration { cases: times.len(), predicted: sum / times.len() as f64, observed })
        };
        Ok((0..self.groups).filter_map(calibration).collect())
    }
}

struct LogRankSums {
    observed: Vec<u64>,
    expected: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

impl LogRankSums {
    fn add(&mut self, at_risk: &[u64], total: f64, events: f64) {
        let spread = if total > 1.0 { events * (total - events) / (total - 1.0) } else { 0.0 };
        for (g, &n) in at_risk.iter().enumerate() {
            let share = n as f64 / total;
            self.expected[g] += events * share;
            for (h, &m) in at_risk.iter().enumerate() {
                let same = if g == h { 1.0 } else { 0.0 };
                self.covariance[g][h] += spread * share * (same - m as f64 / total);
            }
        }
    }
}

/// x' A^-1 x of a symmetric matrix, by elimination from the largest pivot; fails when A is singular.
fn quadratic_form(mut a: Vec<Vec<f64>>, mut x: Vec<f64>) -> Result<f64, Undefined> {
    let largest = (0..x.len()).map(|i| a[i][i]).fold(0.0, f64::max);
    let mut sum = 0.0;
    while let Some(last) = x.len().checked_sub(1) {
        let pivot = (0..x.len()).max_by(|&i, &j| a[i][i].total_cmp(&a[j][j])).unwrap_or(last);
        x.swap(pivot, last);
        a.swap(pivot, last);
        for row in &mut a {
            row.swap(pivot, last);
        }
        let scale = a[last][last];
        if scale <= largest * 1e-12 {
            return Err(Undefined::ZeroDenominator);
        }
        sum += x[last] * x[last] / scale;
        let row = a[last].clone();
        for i in 0..last {
            let factor = row[i] / scale;
            x[i] -= factor * x[last];
            for j in 0..last {
                a[i][j] -= factor * row[j];
            }
        }
        x.truncate(last);
        a.truncate(last);
    }
    Ok(sum)
}
