//! Observed times with their event flags.

use super::order::ascending;
use crate::InputError;

/// Follow-up times of cases, each with whether the event happened then or the case was censored.
///
/// ```
/// use fiel_kernels::survival::SurvivalTimes;
/// let times = SurvivalTimes::new(&[5.0, 3.0, 8.0], &[true, false, true])?;
/// assert_eq!((times.len(), times.events()), (3, 2));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SurvivalTimes {
    /// Position in the input of each case, by ascending time; of equal times, events first.
    pub(super) order: Vec<u32>,
    /// Times, ascending.
    pub(super) times: Vec<f64>,
    /// Event flags, by ascending time.
    pub(super) events: Vec<bool>,
    /// Where each distinct time starts in the lists above, and their length at the end.
    pub(super) starts: Vec<u32>,
    /// For each distinct time, where its events end and its censored cases start.
    pub(super) splits: Vec<u32>,
}

impl SurvivalTimes {
    /// Checks and sorts times (any unit, finite, at least zero) with their event flags (true: event; false: censored).
    ///
    /// # Errors
    /// An empty list, lists of different length, a time that is NaN, infinite or below zero, more than 2^32 - 2 cases.
    ///
    /// ```
    /// use fiel_kernels::survival::SurvivalTimes;
    /// assert!(SurvivalTimes::new(&[1.0, f64::NAN], &[true, true]).is_err());
    /// ```
    pub fn new(times: &[f64], events: &[bool]) -> Result<Self, InputError> {
        if times.is_empty() {
            return Err(InputError::Empty("times"));
        }
        same_length("times", times.len(), "events", events.len())?;
        let limit = u64::from(u32::MAX - 1);
        if times.len() as u64 > limit {
            return Err(InputError::TooLarge { what: "cases", found: times.len() as u64, limit });
        }
        let allowed = |v: f64| v.is_finite() && v >= 0.0;
        all("times", times, "finite and at least 0", allowed)?;
        let mut order = ascending(times);
        let sorted: Vec<f64> = order.iter().map(|&i| times[i as usize] + 0.0).collect();
        let mut starts = vec![0];
        for (k, pair) in (1_u32..).zip(sorted.windows(2)) {
            if pair[0] < pair[1] {
                starts.push(k);
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        starts.push(sorted.len() as u32);
        let splits = events_first(&mut order, &starts, events);
        let events = order.iter().map(|&i| events[i as usize]).collect();
        Ok(Self { order, times: sorted, events, starts, splits })
    }

    /// Number of cases, at least one.
    ///
    /// ```
    /// use fiel_kernels::survival::SurvivalTimes;
    /// assert_eq!(SurvivalTimes::new(&[5.0, 3.0], &[true, false])?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Number of events.
    ///
    /// ```
    /// # use fiel_kernels::survival::SurvivalTimes;
    /// assert_eq!(SurvivalTimes::new(&[5.0, 3.0], &[false, false])?.events(), 0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn events(&self) -> usize {
        self.events.iter().filter(|&&e| e).count()
    }

    /// The longest time.
    ///
    /// ```
    /// use fiel_kernels::survival::SurvivalTimes;
    /// assert_eq!(SurvivalTimes::new(&[5.0, 3.0], &[true, false])?.follow_up(), 5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn follow_up(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    /// The distinct times, ascending, with events, censored cases and cases at risk just before each.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        self.groups().zip(&self.splits).map(|((start, end), &split)| Step {
            time: self.times[start],
            events: (split as usize - start) as u64,
            censored: (end - split as usize) as u64,
            at_risk: (self.len() - start) as u64,
        })
    }

    /// Start and end of each run of equal times.
    pub(super) fn groups(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.starts.windows(2).map(|pair| (pair[0] as usize, pair[1] as usize))
    }
}

/// Puts the events of each run of equal times before its censored cases, and says where they end; otherwise the order
/// stays.
fn events_first(order: &mut [u32], starts: &[u32], events: &[bool]) -> Vec<u32> {
    let mut censored = vec![0; order.len()];
    let split = |bounds: &[u32]| {
        let group = &mut order[bounds[0] as usize..bounds[1] as usize];
        let (mut first, mut rest) = (0, 0);
        // Both lists are written for every case and only one of them grows: the flags are too random to branch on.
        for k in 0..group.len() {
            let case = group[k];
            let event = usize::from(events[case as usize]);
            group[first] = case;
            censored[rest] = case;
            first += event;
            rest += 1 - event;
        }
        if group.len() > 1 {
            group[first..].copy_from_slice(&censored[..rest]);
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are fewer than u32::MAX cases")]
        let split = bounds[0] + first as u32;
        split
    };
    starts.windows(2).map(split).collect()
}

/// What happens at one distinct time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) time: f64,
    pub(super) events: u64,
    pub(super) censored: u64,
    pub(super) at_risk: u64,
}

/// Times at which something is evaluated: finite, at least zero, strictly ascending, at least one.
///
/// ```
/// use fiel_kernels::survival::TimeGrid;
/// assert!(TimeGrid::new(&[1.0, 2.5]).is_ok());
/// assert!(TimeGrid::new(&[2.5, 1.0]).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TimeGrid(Vec<f64>);

impl TimeGrid {
    /// Checks the times.
    ///
    /// # Errors
    /// An empty list, a time that is NaN, infinite, below zero or not larger than the one before it.
    ///
    /// ```
    /// use fiel_kernels::survival::TimeGrid;
    /// assert_eq!(TimeGrid::new(&[365.0])?.times(), [365.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(times: &[f64]) -> Result<Self, InputError> {
        if times.is_empty() {
            return Err(InputError::Empty("evaluation times"));
        }
        all("evaluation times", times, "finite and at least 0", |v| v.is_finite() && v >= 0.0)?;
        for (i, pair) in times.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                return Err(InputError::Value {
                    what: "evaluation times",
                    index: i + 1,
                    value: pair[1],
                    expected: "larger than the time before it",
                });
            }
        }
        Ok(Self(times.to_vec()))
    }

    /// The times, ascending.
    ///
    /// ```
    /// use fiel_kernels::survival::TimeGrid;
    /// assert_eq!(TimeGrid::new(&[1.0, 2.0])?.times(), [1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn times(&self) -> &[f64] {
        &self.0
    }
}

/// Refuses the first value that is not allowed.
pub(super) fn all(
    what: &'static str,
    values: &[f64],
    expected: &'static str,
    allowed: impl Fn(f64) -> bool,
) -> Result<(), InputError> {
    match values.iter().position(|&v| !allowed(v)) {
        None => Ok(()),
        Some(index) => Err(InputError::Value { what, index, value: values[index], expected }),
    }
}

/// Refuses two lists of different length.
pub(super) fn same_length(
    left: &'static str,
    left_len: usize,
    right: &'static str,
    right_len: usize,
) -> Result<(), InputError> {
    if left_len == right_len {
        return Ok(());
    }
    Err(InputError::Length { left, left_len, right, right_len })
}
