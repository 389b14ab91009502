//! Evaluation at given times with inverse weights for censoring: discrimination and squared error.

use super::concordance::checked_risks;
use super::curve::{CensoringDistribution, KaplanMeier};
use super::order::ascending;
use super::times::{SurvivalTimes, TimeGrid, all, same_length};
use crate::{InputError, Undefined};

/// AUC at each of several times, and its mean over them.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeDependentAuc {
    /// At each time: of pairs of a case with its event until then and a case still free of it, the weighted share
    /// whose risks are in the right order, ties counting one half; from 0 to 1.
    pub at: Vec<Result<f64, Undefined>>,
    /// The mean over the times, each weighted with the fall of the Kaplan-Meier curve since the time before it.
    pub mean: Result<f64, Undefined>,
}

/// The cumulative/dynamic AUC of risks (higher: earlier event; in the order of the cases) at each time of a grid.
///
/// The cases with their event until a time are weighted with the inverse probability of being uncensored at their event.
/// Neighbours in the order of risks that differ by at most `tied_tolerance` are tied, so that a chain of such
/// neighbours is one tie (scikit-survival; its default is 1e-8; 0: exact ties). Cost O(n log n) once and O(n) per time.
///
/// Per time, [`Undefined::BeyondFollowUp`] at or after the longest time of the cases, [`Undefined::NoEvents`] when no
/// event is that early, [`Undefined::CensoringZero`] when a weight would be infinite; the mean is undefined when one of
/// its parts is.
///
/// Source: Uno, Cai, Tian and Wei 2007, doi:10.1198/016214507000000149; Hung and Chiang 2010, doi:10.1002/cjs.10046;
/// the mean as Lambert and Chevret 2016, doi:10.1177/0962280213515571.
///
/// # Errors
/// A number of risks other than that of the cases, a risk that is NaN or infinite, a tolerance below zero.
///
/// ```
/// use fiel_kernels::survival::{CensoringDistribution, SurvivalTimes, TimeGrid, time_dependent_auc};
/// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0, 4.0], &[true, false, true, false])?;
/// let censoring = CensoringDistribution::new(&times);
/// let auc = time_dependent_auc(&times, &censoring, &[0.5, 0.9, 0.7, 0.2], &TimeGrid::new(&[1.0])?, 0.0)?;
/// assert_eq!(auc.at, [Ok(1.0 / 3.0)]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn time_dependent_auc(
    times: &SurvivalTimes,
    censoring: &CensoringDistribution,
    risks: &[f64],
    grid: &TimeGrid,
    tied_tolerance: f64,
) -> Result<TimeDependentAuc, InputError> {
    let risks = checked_risks(times, risks, tied_tolerance)?;
    let order = ascending(&risks);
    let mut tie_ends: Vec<usize> = (1..order.len())
        .filter(|&k| risks[order[k] as usize] - risks[order[k - 1] as usize] > tied_tolerance)
        .collect();
    tie_ends.push(order.len());
    let weights = event_weights(times, censoring);
    let at: Vec<_> = grid.times().iter().map(|&t| auc_at(times, &weights, &order, &tie_ends, t)).collect();
    let mean = mean_auc(times, grid, &at);
    Ok(TimeDependentAuc { at, mean })
}

/// The inverse weight of each event, by ascending time; cases without an event have weight 0.
fn event_weights(times: &SurvivalTimes, censoring: &CensoringDistribution) -> Vec<Result<f64, Undefined>> {
    let mut weights = vec![Ok(0.0); times.len()];
    for (start, end) in times.groups() {
        let weight = censoring.weight(times.times[start]);
        for (case, _) in weights[start..end].iter_mut().zip(&times.events[start..end]).filter(|(_, e)| **e) {
            *case = weight;
        }
    }
    weights
}

fn auc_at(
    times: &SurvivalTimes,
    weights: &[Result<f64, Undefined>],
    order: &[u32],
    tie_ends: &[usize],
    time: f64,
) -> Result<f64, Undefined> {
    // By ascending time, the cases until then come first and those free of the event follow.
    let until = times.times.partition_point(|&t| t <= time);
    if until == times.len() {
        return Err(Undefined::BeyondFollowUp);
    }
    if !times.events[..until].iter().any(|&e| e) {
        return Err(Undefined::NoEvents);
    }
    let weights = weights[..until].iter().copied().collect::<Result<Vec<f64>, Undefined>>()?;
    let (mut agreeing, mut total, mut lower, mut start) = (0.0, 0.0, 0_u64, 0);
    for &end in tie_ends {
        let (mut weight, mut free) = (0.0, 0_u64);
        for &case in &order[start..end] {
            match weights.get(case as usize) {
                Some(w) => weight += w,
                None => free += 1,
            }
        }
        agreeing += weight * (lower as f64 + 0.5 * free as f64);
        total += weight;
        lower += free;
        start = end;
    }
    Ok(agreeing / (total * lower as f64))
}

fn mean_auc(times: &SurvivalTimes, grid: &TimeGrid, at: &[Result<f64, Undefined>]) -> Result<f64, Undefined> {
    let curve = KaplanMeier::new(times);
    if let [only] = at {
        return *only;
    }
    let (mut sum, mut before) = (0.0, 1.0);
    for (auc, &time) in at.iter().zip(grid.times()) {
        let survival = curve.at(time)?;
        sum += (*auc)? * (before - survival);
        before = survival;
    }
    if before >= 1.0 {
        return Err(Undefined::NoEvents);
    }
    Ok(sum / (1.0 - before))
}

/// Predicted probabilities of being free of the event, for each case at each time of a grid.
///
/// ```
/// use fiel_kernels::survival::{PredictedSurvival, SurvivalTimes, TimeGrid};
/// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
/// let grid = TimeGrid::new(&[0.5, 1.5])?;
/// assert!(PredictedSurvival::new(&times, &grid, &[0.9, 0.4, 0.9, 0.7]).is_ok());
/// assert!(PredictedSurvival::new(&times, &grid, &[0.9, 1.4, 0.9, 0.7]).is_err());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PredictedSurvival<'t> {
    times: &'t SurvivalTimes,
    grid: &'t TimeGrid,
    /// In the order of the cases; the grid's times are adjacent.
    probabilities: &'t [f64],
}

impl<'t> PredictedSurvival<'t> {
    /// Checks probabilities (0 to 1): those of the first case at all times, then those of the second, and so on.
    ///
    /// # Errors
    /// A number of probabilities other than cases x times, a probability outside 0 to 1 or NaN.
    ///
    /// ```
    /// use fiel_kernels::survival::{PredictedSurvival, SurvivalTimes, TimeGrid};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// let grid = TimeGrid::new(&[1.5])?;
    /// assert!(PredictedSurvival::new(&times, &grid, &[0.9]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        times: &'t SurvivalTimes,
        grid: &'t TimeGrid,
        probabilities: &'t [f64],
    ) -> Result<Self, InputError> {
        let expected = times.len() * grid.times().len();
        same_length("cases x evaluation times", expected, "survival probabilities", probabilities.len())?;
        all("survival probabilities", probabilities, "from 0 to 1", |p| (0.0..=1.0).contains(&p))?;
        Ok(Self { times, grid, probabilities })
    }

    /// The Brier score at each time, weighted for censoring: lower is better, 0 to about 1.
    ///
    /// A case with its event until the time adds its squared predicted probability over G(its time), a case still free
    /// of the event adds the squared complement over G(the time), a case censored before adds nothing; the sum is
    /// divided by the number of cases. G includes the censoring at its time (not the left limit), as scikit-survival.
    ///
    /// Per time, [`Undefined::BeyondFollowUp`] at or after the longest time of the cases or when G is not known there;
    /// [`Undefined::CensoringZero`] when a weight would be infinite.
    ///
    /// Source: Graf, Schmoor, Sauerbrei and Schumacher 1999,
    /// doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.
    ///
    /// ```
    /// use fiel_kernels::survival::{CensoringDistribution, PredictedSurvival, SurvivalTimes, TimeGrid};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// let grid = TimeGrid::new(&[1.5])?;
    /// let predicted = PredictedSurvival::new(&times, &grid, &[0.5, 0.75])?;
    /// assert_eq!(predicted.brier(&CensoringDistribution::new(&times)), [Ok((0.25 + 0.0625) / 2.0)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn brier(&self, censoring: &CensoringDistribution) -> Vec<Result<f64, Undefined>> {
        let weights = event_weights(self.times, censoring);
        let grid = self.grid.times().iter().enumerate();
        grid.map(|(column, &time)| self.brier_at(column, time, &weights, censoring)).collect()
    }

    fn brier_at(
        &self,
        column: usize,
        time: f64,
        weights: &[Result<f64, Undefined>],
        censoring: &CensoringDistribution,
    ) -> Result<f64, Undefined> {
        let until = self.times.times.partition_point(|&t| t <= time);
        if until == self.times.len() {
            return Err(Undefined::BeyondFollowUp);
        }
        let free_weight = censoring.weight(time)?;
        let columns = self.grid.times().len();
        let mut sum = 0.0;
        for (k, &case) in self.times.order.iter().enumerate() {
            let p = self.probabilities[case as usize * columns + column];
            sum += if k < until { p * p * weights[k]? } else { (1.0 - p) * (1.0 - p) * free_weight };
        }
        Ok(sum / self.times.len() as f64)
    }

    /// The Brier score integrated over the grid by the trapezoidal rule and divided by the grid's length: lower is
    /// better.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] with fewer than two times, else as [`Self::brier`].
    ///
    /// ```
    /// use fiel_kernels::{Undefined, survival::{CensoringDistribution, PredictedSurvival, SurvivalTimes, TimeGrid}};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// let grid = TimeGrid::new(&[1.5])?;
    /// let predicted = PredictedSurvival::new(&times, &grid, &[0.5, 0.75])?;
    /// assert_eq!(predicted.integrated_brier(&CensoringDistribution::new(&times)), Err(Undefined::TooFew));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn integrated_brier(&self, censoring: &CensoringDistribution) -> Result<f64, Undefined> {
        let grid = self.grid.times();
        if grid.len() < 2 {
            return Err(Undefined::TooFew);
        }
        if self.times.events() == 0 {
            return Err(Undefined::NoEvents);
        }
        let scores = self.brier(censoring).into_iter().collect::<Result<Vec<_>, _>>()?;
        let area: f64 = grid
            .windows(2)
            .zip(scores.windows(2))
            .map(|(t, s)| (t[1] - t[0]) * f64::midpoint(s[0], s[1]))
            .sum();
        Ok(area / (grid[grid.len() - 1] - grid[0]))
    }
}
