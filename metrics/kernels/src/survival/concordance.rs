//! Concordance of risks with the order of events.

use super::confidence::Confidence;
use super::counter::RankCounter;
use super::curve::CensoringDistribution;
use super::order::ascending;
use super::times::{SurvivalTimes, all, same_length};
use crate::vectorized::vectorized;
use crate::{InputError, Undefined};

/// Pairs of cases, counted by whether risk and time agree.
///
/// A pair is comparable when the earlier of its times is an event, or when both times are equal and exactly one is an
/// event, which then counts as the earlier. Two events at the same time are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairCounts {
    /// Comparable pairs in which the earlier case has the higher risk.
    pub concordant: u64,
    /// Comparable pairs in which the earlier case has the lower risk.
    pub discordant: u64,
    /// Comparable pairs with equal risks.
    pub tied_risk: u64,
    /// Comparable pairs with equal times (one event, one censored), counted in the three above as well.
    pub tied_time: u64,
}

impl PairCounts {
    /// All comparable pairs.
    ///
    /// ```
    /// use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?;
    /// let counts = RiskConcordance::new(&times, &[0.9, 0.2, 0.4], 0.0)?.counts();
    /// assert_eq!(counts.comparable(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn comparable(&self) -> u64 {
        self.concordant + self.discordant + self.tied_risk
    }
}

/// A place in the order of risks: the case's own, and the bounds of those tied with it.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    own: u32,
    low: u32,
    high: u32,
}

impl RankCounter {
    /// Members with a lower risk than the case, and members tied with it.
    #[allow(clippy::inline_always, reason = "to be compiled for the caller's vector instructions")]
    #[inline(always)]
    fn below_and_between(&self, place: Place) -> (u64, u64) {
        let lower = self.below(place.low as usize);
        (lower, self.below(place.high as usize) - lower)
    }
}

/// Sums over the events of one distinct time.
#[derive(Debug, Clone, Copy)]
struct Tally {
    concordant: u64,
    tied: u64,
}

/// Risks of the cases of a [`SurvivalTimes`], compared with the order of its events once.
///
/// ```
/// use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
/// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?;
/// let risks = RiskConcordance::new(&times, &[0.9, 0.2, 0.4], 0.0)?;
/// assert_eq!(risks.c_index_harrell(), Ok(2.0 / 3.0));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RiskConcordance<'t> {
    times: &'t SurvivalTimes,
    places: Vec<Place>,
    tallies: Vec<Tally>,
    counts: PairCounts,
}

impl<'t> RiskConcordance<'t> {
    /// Checks risks (higher: earlier event; in the order of the cases) and counts all pairs in O(n log n).
    ///
    /// Two risks are tied when they differ by at most `tied_tolerance`: 0 for exact ties (as lifelines), 1e-8 for the
    /// default of scikit-survival.
    ///
    /// # Errors
    /// A number of risks other than that of the cases, a risk that is NaN or infinite, a tolerance that is NaN,
    /// infinite or below zero.
    ///
    /// ```
    /// use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false])?;
    /// let counts = |tolerance| RiskConcordance::new(&times, &[0.3, 0.2], tolerance).map(|r| r.counts());
    /// assert_eq!(counts(0.0)?.concordant, 1);
    /// assert_eq!(counts(0.5)?.tied_risk, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(times: &'t SurvivalTimes, risks: &[f64], tied_tolerance: f64) -> Result<Self, InputError> {
        let places = places(times, risks, tied_tolerance)?;
        let tallies = sweep_back(&places, &times.starts, &times.splits);
        let mut counts = PairCounts::default();
        let mut comparable = 0;
        for (tally, step) in tallies.iter().zip(times.steps()) {
            counts.concordant += tally.concordant;
            counts.tied_risk += tally.tied;
            counts.tied_time += step.events * step.censored;
            comparable += step.events * (step.at_risk - step.events);
        }
        counts.discordant = comparable - counts.concordant - counts.tied_risk;
        Ok(Self { times, places, tallies, counts })
    }

    /// The numbers of pairs.
    ///
    /// ```
    /// use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?;
    /// let counts = RiskConcordance::new(&times, &[0.9, 0.2, 0.4], 0.0)?.counts();
    /// assert_eq!((counts.concordant, counts.discordant), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn counts(&self) -> PairCounts {
        self.counts
    }

    /// Harrell's C, from 0 to 1 (0.5: no better than chance): the share of comparable pairs that are concordant, ties in
    /// risk counting one half.
    ///
    /// Source: Harrell, Lee and Mark 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.
    ///
    /// # Errors
    /// [`Undefined::NoEvents`], or [`Undefined::NoPairs`] when no pair is comparable.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, survival::{RiskConcordance, SurvivalTimes}};
    /// let times = SurvivalTimes::new(&[1.0, 2.0], &[false, false])?;
    /// assert_eq!(RiskConcordance::new(&times, &[0.3, 0.2], 0.0)?.c_index_harrell(), Err(Undefined::NoEvents));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn c_index_harrell(&self) -> Result<f64, Undefined> {
        let counts = self.counts;
        if counts.comparable() == 0 {
            return Err(no_pairs(self.times));
        }
        Ok((counts.concordant as f64 + 0.5 * counts.tied_risk as f64) / counts.comparable() as f64)
    }

    /// Uno's C, from 0 to 1: as Harrell's, each pair weighted with the inverse square of the probability of being
    /// uncensored at the earlier time, which makes the limit independent of the censoring.
    ///
    /// The censoring distribution is that of the training set (or of these times). With a horizon `tau`, only pairs
    /// whose earlier time lies strictly below it count. All cases without an event keep their role as later members.
    ///
    /// Source: Uno, Cai, Pencina, D'Agostino and Wei 2011, doi:10.1002/sim.4154; ties as in scikit-survival's
    /// `concordance_index_ipcw`.
    ///
    /// # Errors
    /// [`Undefined::NoEvents`] (none below the horizon), [`Undefined::NoPairs`], [`Undefined::CensoringZero`] when the
    /// weight of an event would be infinite, [`Undefined::BeyondFollowUp`] when an event is later than all training
    /// times.
    ///
    /// ```
    /// use fiel_kernels::survival::{CensoringDistribution, RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0, 4.0, 5.0], &[false, true, false, true, true])?;
    /// let risks = RiskConcordance::new(&times, &[0.9, 0.7, 0.8, 0.2, 0.1], 0.0)?;
    /// let c = risks.c_index_uno(&CensoringDistribution::new(&times), None)?;
    /// assert!((c - 0.8095238095238095).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn c_index_uno(
        &self,
        censoring: &CensoringDistribution,
        tau: Option<Horizon>,
    ) -> Result<f64, Undefined> {
        let (mut agreeing, mut comparable, mut events) = (0.0, 0.0, 0);
        for (tally, step) in self.tallies.iter().zip(self.times.steps()) {
            if step.events == 0 {
                continue;
            }
            if tau.is_some_and(|tau| step.time >= tau.0) {
                break;
            }
            events += step.events;
            let weight = censoring.weight(step.time)?;
            let weight = weight * weight;
            agreeing += weight * (tally.concordant as f64 + 0.5 * tally.tied as f64);
            comparable += weight * (step.events * (step.at_risk - step.events)) as f64;
        }
        if events == 0 {
            return Err(Undefined::NoEvents);
        }
        if comparable == 0.0 {
            return Err(Undefined::NoPairs);
        }
        Ok(agreeing / comparable)
    }

    /// The influence of every case on Harrell's C, in the order of the cases: the derivative of C by the case's weight.
    ///
    /// The sum is zero. The sum of the squares is the variance (see [`Self::variance_harrell`]); for two risk scores of
    /// the same cases the sum of the squared differences is the variance of the difference.
    ///
    /// # Errors
    /// [`Undefined::NoEvents`] or [`Undefined::NoPairs`].
    ///
    /// ```
    /// use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?;
    /// let influence = RiskConcordance::new(&times, &[0.9, 0.2, 0.4], 0.0)?.influence_harrell()?;
    /// assert!(influence.iter().sum::<f64>().abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn influence_harrell(&self) -> Result<Vec<f64>, Undefined> {
        let c = self.c_index_harrell()?;
        let mut roles = vec![Role::default(); self.times.len()];
        as_earlier(&self.places, &self.times.events, &self.times.starts, &mut roles);
        as_later(&self.places, &self.times.events, &self.times.starts, &mut roles);
        let pairs = self.counts.comparable() as f64;
        let mut influence = vec![0.0; roles.len()];
        for (role, &case) in roles.iter().zip(&self.times.order) {
            influence[case as usize] =
                (role.doubled_agreeing as f64 / 2.0 - c * role.comparable as f64) / pairs;
        }
        Ok(influence)
    }

    /// The variance of Harrell's C by the infinitesimal jackknife: the sum of the squared influences.
    ///
    /// Source: the estimator of R's `survival::concordance` (Therneau and Atkinson, vignette "Concordance", 2020).
    ///
    /// # Errors
    /// [`Undefined::NoEvents`] or [`Undefined::NoPairs`].
    ///
    /// ```
    /// use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?;
    /// let risks = RiskConcordance::new(&times, &[0.9, 0.2, 0.4], 0.0)?;
    /// assert!((risks.variance_harrell()? - 6.0 / 81.0).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn variance_harrell(&self) -> Result<f64, Undefined> {
        Ok(self.influence_harrell()?.iter().map(|v| v * v).sum())
    }

    /// A Wald interval of Harrell's C from [`Self::variance_harrell`], cut to 0 and 1.
    ///
    /// # Errors
    /// [`Undefined::NoEvents`] or [`Undefined::NoPairs`].
    ///
    /// ```
    /// use fiel_kernels::survival::{Confidence, RiskConcordance, SurvivalTimes};
    /// let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[true, true, false])?;
    /// let [lo, hi] = RiskConcordance::new(&times, &[0.9, 0.2, 0.4], 0.0)?.interval_harrell(Confidence::new(0.95)?)?;
    /// assert!(lo < 2.0 / 3.0 && hi == 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn interval_harrell(&self, confidence: Confidence) -> Result<[f64; 2], Undefined> {
        let c = self.c_index_harrell()?;
        let half = confidence.z() * self.variance_harrell()?.sqrt();
        Ok([(c - half).max(0.0), (c + half).min(1.0)])
    }
}

/// A time up to which something is evaluated: finite and above zero.
///
/// ```
/// use fiel_kernels::survival::Horizon;
/// assert!(Horizon::new(365.0).is_ok() && Horizon::new(0.0).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Horizon(pub(super) f64);

impl Horizon {
    /// Checks the time.
    ///
    /// # Errors
    /// A time that is NaN, infinite or not above zero.
    ///
    /// ```
    /// use fiel_kernels::survival::Horizon;
    /// assert!(Horizon::new(f64::NAN).is_err());
    /// assert!(Horizon::new(0.5).is_ok());
    /// ```
    pub fn new(time: f64) -> Result<Self, InputError> {
        if time.is_finite() && time > 0.0 {
            return Ok(Self(time));
        }
        Err(InputError::Setting { what: "horizon", value: time, expected: "finite and above 0" })
    }

    /// The time.
    ///
    /// ```
    /// use fiel_kernels::survival::Horizon;
    /// assert_eq!(Horizon::new(365.0)?.time(), 365.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn time(self) -> f64 {
        self.0
    }
}

/// Why there is no comparable pair.
pub(super) fn no_pairs(times: &SurvivalTimes) -> Undefined {
    if times.events() == 0 { Undefined::NoEvents } else { Undefined::NoPairs }
}

/// Refuses risks that do not fit the cases, or a tolerance below zero; gives the risks by ascending time.
pub(super) fn checked_risks(
    times: &SurvivalTimes,
    risks: &[f64],
    tied_tolerance: f64,
) -> Result<Vec<f64>, InputError> {
    same_length("times", times.len(), "risks", risks.len())?;
    all("risks", risks, "finite", f64::is_finite)?;
    if !(tied_tolerance.is_finite() && tied_tolerance >= 0.0) {
        return Err(InputError::Setting {
            what: "tied tolerance",
            value: tied_tolerance,
            expected: "finite and at least 0",
        });
    }
    Ok(times.order.iter().map(|&i| risks[i as usize]).collect())
}

/// The place of each case in the order of risks, by ascending time.
fn places(times: &SurvivalTimes, risks: &[f64], tied_tolerance: f64) -> Result<Vec<Place>, InputError> {
    let risks = checked_risks(times, risks, tied_tolerance)?;
    let order = ascending(&risks);
    let mut places = vec![Place::default(); order.len()];
    if tied_tolerance > 0.0 {
        let sorted: Vec<f64> = order.iter().map(|&i| risks[i as usize]).collect();
        for ((own, (low, high)), &case) in (0..).zip(tied_within(&sorted, tied_tolerance)).zip(&order) {
            places[case as usize] = Place { own, low, high };
        }
    } else {
        place_exactly(&order, &risks, &mut places);
    }
    Ok(places)
}

/// Sets the places when only equal risks are tied; `order` is that of the risks.
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than u32::MAX cases")]
fn place_exactly(order: &[u32], risks: &[f64], places: &mut [Place]) {
    // Selections instead of loops over each run, whose lengths no processor could foresee. The risks ascend, so that
    // one that is not larger is equal; the first is compared with NaN.
    let (mut low, mut before) = (0, f64::NAN);
    let start = |(k, &case): (usize, &u32)| {
        let risk = risks[case as usize];
        low = if risk <= before { low } else { k as u32 };
        before = risk;
        low
    };
    let starts: Vec<u32> = order.iter().enumerate().map(start).collect();
    let (mut high, mut after) = (0, u32::MAX);
    for ((own, &low), &case) in starts.iter().enumerate().zip(order).rev() {
        high = if low == after { high } else { own as u32 + 1 };
        after = low;
        places[case as usize] = Place { own: own as u32, low, high };
    }
}

/// For each of the ascending values, where those that differ by at most the tolerance start and end.
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than u32::MAX cases")]
fn tied_within(sorted: &[f64], tolerance: f64) -> Vec<(u32, u32)> {
    let (mut low, mut high) = (0, 0);
    let bounds = |&value: &f64| {
        while value - sorted[low] > tolerance {
            low += 1;
        }
        while high < sorted.len() && sorted[high] - value <= tolerance {
            high += 1;
        }
        (low as u32, high as u32)
    };
    sorted.iter().map(bounds).collect()
}

vectorized! {
    /// For each distinct time, from the latest: of the cases that its events are compared with, how many have a lower
    /// risk and how many a tied one.
    fn sweep_back(places: &[Place], starts: &[u32], splits: &[u32]) -> Vec<Tally> {
        let mut later = RankCounter::new(places.len());
        let mut tallies = vec![Tally { concordant: 0, tied: 0 }; starts.len() - 1];
        for ((tally, bounds), &split) in tallies.iter_mut().zip(starts.windows(2)).zip(splits).rev() {
            let (start, split, end) = (bounds[0] as usize, split as usize, bounds[1] as usize);
            if end - start == 1 {
                // A case alone at its time is asked for without looking whether it is an event, which no processor
                // could foresee; what a censored one answers is dropped.
                let keep = (split - start) as u64;
                let (lower, tied) = later.below_and_between(places[start]);
                (tally.concordant, tally.tied) = (keep * lower, keep * tied);
                later.insert(places[start].own as usize);
                continue;
            }
            for place in &places[split..end] {
                later.insert(place.own as usize);
            }
            for &place in &places[start..split] {
                let (lower, tied) = later.below_and_between(place);
                tally.concordant += lower;
                tally.tied += tied;
            }
            for place in &places[start..split] {
                later.insert(place.own as usize);
            }
        }
        tallies
    }
}

/// What one case contributes to its comparable pairs, in both roles.
#[derive(Debug, Clone, Copy, Default)]
struct Role {
    /// Twice the concordant pairs plus the tied ones.
    doubled_agreeing: u64,
    comparable: u64,
}

vectorized! {
    /// Adds the pairs in which the case is the earlier one.
    fn as_earlier(places: &[Place], events: &[bool], starts: &[u32], roles: &mut [Role]) -> () {
        let mut later = RankCounter::new(places.len());
        let mut members = 0;
        for bounds in starts.windows(2).rev() {
            let group = bounds[0] as usize..bounds[1] as usize;
            for case in group.clone().filter(|&i| !events[i]) {
                later.insert(places[case].own as usize);
                members += 1;
            }
            for case in group.clone().filter(|&i| events[i]) {
                let (low, high) = (places[case].low as usize, places[case].high as usize);
                roles[case].doubled_agreeing += later.below(low) + later.below(high);
                roles[case].comparable += members;
            }
            for case in group.filter(|&i| events[i]) {
                later.insert(places[case].own as usize);
                members += 1;
            }
        }
    }
}

vectorized! {
    /// Adds the pairs in which the case is the later one.
    fn as_later(places: &[Place], events: &[bool], starts: &[u32], roles: &mut [Role]) -> () {
        let mut earlier = RankCounter::new(places.len());
        let mut members = 0;
        for bounds in starts.windows(2) {
            let group = bounds[0] as usize..bounds[1] as usize;
            for censored_pass in [false, true] {
                if censored_pass {
                    for case in group.clone().filter(|&i| events[i]) {
                        earlier.insert(places[case].own as usize);
                        members += 1;
                    }
                }
                for case in group.clone().filter(|&i| events[i] != censored_pass) {
                    let (low, high) = (places[case].low as usize, places[case].high as usize);
                    roles[case].doubled_agreeing += 2 * members - earlier.below(high) - earlier.below(low);
                    roles[case].comparable += members;
                }
            }
        }
    }
}
