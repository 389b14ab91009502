//! Free-response operating characteristic: sensitivity against false positives per scan.

use super::matching::check_finite;
use super::random::Stream;
use crate::survival::order::ascending;
use crate::{InputError, Undefined};
use rayon::prelude::*;

/// Rates of false positives per scan at which a curve is read: finite, at least 0, at least one.
///
/// ```
/// use fiel_kernels::detection::Rates;
/// assert_eq!(Rates::luna16().rates(), [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]);
/// assert!(Rates::new(&[f64::NAN]).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rates(Vec<f64>);

impl Rates {
    /// Checks the rates, in any order.
    ///
    /// # Errors
    /// An empty list, a rate that is NaN, infinite or below 0.
    ///
    /// ```
    /// use fiel_kernels::detection::Rates;
    /// assert!(Rates::new(&[0.5, 1.0]).is_ok());
    /// ```
    pub fn new(rates: &[f64]) -> Result<Self, InputError> {
        let what = "false positives per scan";
        if rates.is_empty() {
            return Err(InputError::Empty(what));
        }
        if let Some(index) = rates.iter().position(|r| !(r.is_finite() && *r >= 0.0)) {
            return Err(InputError::Value {
                what,
                index,
                value: rates[index],
                expected: "finite and at least 0",
            });
        }
        Ok(Self(rates.to_vec()))
    }

    /// Those of the LUNA16 challenge: 1/8, 1/4, 1/2, 1, 2, 4 and 8.
    ///
    /// ```
    /// use fiel_kernels::detection::Rates;
    /// assert_eq!(Rates::luna16().rates()[0], 0.125);
    /// ```
    pub fn luna16() -> Self {
        Self(vec![0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
    }

    /// Those of the CAMELYON16 challenge and of MONAI: 1/4, 1/2, 1, 2, 4 and 8.
    ///
    /// ```
    /// use fiel_kernels::detection::Rates;
    /// assert_eq!(Rates::camelyon16().rates(), [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]);
    /// ```
    pub fn camelyon16() -> Self {
        Self(vec![0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
    }

    /// The rates.
    ///
    /// ```
    /// use fiel_kernels::detection::Rates;
    /// assert_eq!(Rates::new(&[3.0])?.rates(), [3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rates(&self) -> &[f64] {
        &self.0
    }
}

/// What was found in one scan: confidences of hits, one per reference finding that was hit, and of false positives.
///
/// ```
/// use fiel_kernels::detection::ScanOutcome;
/// assert!(ScanOutcome::new(&[0.9, 0.8], &[], 1).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScanOutcome {
    pub(super) hits: Vec<f64>,
    pub(super) false_positives: Vec<f64>,
    pub(super) references: usize,
}

impl ScanOutcome {
    /// Checks confidences (finite) and the number of reference findings, those not hit included.
    ///
    /// # Errors
    /// A confidence that is NaN or infinite, more hits than reference findings.
    ///
    /// ```
    /// use fiel_kernels::detection::ScanOutcome;
    /// assert!(ScanOutcome::new(&[0.9], &[0.2, 0.1], 3).is_ok());
    /// ```
    pub fn new(hits: &[f64], false_positives: &[f64], references: usize) -> Result<Self, InputError> {
        check_finite("confidences of hits", hits)?;
        check_finite("confidences of false positives", false_positives)?;
        if hits.len() > references {
            let (found, limit) = (hits.len() as u64, references as u64);
            return Err(InputError::TooLarge { what: "hits on reference findings", found, limit });
        }
        Ok(Self { hits: hits.to_vec(), false_positives: false_positives.to_vec(), references })
    }
}

/// One operating point: candidates with at least this confidence count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrocPoint {
    /// The lowest confidence that counts; infinite for the first point, at which none does.
    pub threshold: f64,
    /// False positives per scan.
    pub false_positives_per_scan: f64,
    /// Share of the reference findings that are hit, 0 to 1.
    pub sensitivity: f64,
}

/// How far the curve reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CurveEnd {
    /// To the point at which every candidate counts (LUNA16).
    #[default]
    All,
    /// One point less: candidates of the lowest confidence never count (MONAI's `compute_froc_curve_data`).
    WithoutLowest,
}

/// The FROC curve of a set of scans.
///
/// Source: Bunch, Hamilton, Sanderson and Simmons 1978; LUNA16: Setio et al. 2017, doi:10.1016/j.media.2017.06.015.
///
/// ```
/// use fiel_kernels::detection::{Froc, Rates, ScanOutcome};
/// let scans = [ScanOutcome::new(&[0.9], &[0.4], 2)?, ScanOutcome::new(&[], &[0.8], 0)?];
/// let froc = Froc::new(&scans)?;
/// assert_eq!(froc.sensitivities(&Rates::new(&[0.25, 1.0])?), Ok(vec![0.5, 0.5]));
/// assert_eq!(froc.cpm(&Rates::luna16()), Ok(0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Froc {
    /// By falling confidence.
    entries: Vec<Entry>,
    references: Vec<usize>,
    end: CurveEnd,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    confidence: f64,
    scan: u32,
    hit: bool,
}

impl Froc {
    /// Sorts the findings of all scans.
    ///
    /// # Errors
    /// No scan, or more than 2^32 - 2 findings or scans.
    ///
    /// ```
    /// use fiel_kernels::detection::Froc;
    /// assert!(Froc::new(&[]).is_err());
    /// ```
    pub fn new(scans: &[ScanOutcome]) -> Result<Self, InputError> {
        if scans.is_empty() {
            return Err(InputError::Empty("scans"));
        }
        let findings = scans.iter().map(|s| s.hits.len() + s.false_positives.len()).sum::<usize>();
        let (found, limit) = (findings.max(scans.len()) as u64, u64::from(u32::MAX - 1));
        if found > limit {
            return Err(InputError::TooLarge { what: "findings", found, limit });
        }
        let mut unsorted = Vec::with_capacity(findings);
        for (scan, outcome) in (0..).zip(scans) {
            let entry = |hit| move |&confidence: &f64| Entry { confidence, scan, hit };
            unsorted.extend(outcome.hits.iter().map(entry(true)));
            unsorted.extend(outcome.false_positives.iter().map(entry(false)));
        }
        let falling: Vec<f64> = unsorted.iter().map(|e| -e.confidence).collect();
        let entries = ascending(&falling).iter().map(|&i| unsorted[i as usize]).collect();
        let references = scans.iter().map(|s| s.references).collect();
        Ok(Self { entries, references, end: CurveEnd::All })
    }

    /// The same findings, with the curve ending elsewhere.
    ///
    /// ```
    /// use fiel_kernels::detection::{CurveEnd, Froc, Rates, ScanOutcome};
    /// let froc = Froc::new(&[ScanOutcome::new(&[0.9, 0.8], &[], 3)?])?;
    /// assert_eq!(froc.cpm(&Rates::luna16()), Ok(2.0 / 3.0));
    /// assert_eq!(froc.ending(CurveEnd::WithoutLowest).cpm(&Rates::luna16()), Ok(1.0 / 3.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ending(mut self, end: CurveEnd) -> Self {
        self.end = end;
        self
    }

    /// The number of reference findings.
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, ScanOutcome};
    /// assert_eq!(Froc::new(&[ScanOutcome::new(&[0.9], &[], 3)?])?.references(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn references(&self) -> usize {
        self.references.iter().sum()
    }

    /// The operating points, from none of the candidates on, one more for each distinct confidence.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`] when there is no reference finding.
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, ScanOutcome};
    /// let points = Froc::new(&[ScanOutcome::new(&[0.9], &[0.9, 0.5], 1)?])?.points()?;
    /// let pairs: Vec<_> = points.iter().map(|p| (p.false_positives_per_scan, p.sensitivity)).collect();
    /// assert_eq!(pairs, [(0.0, 0.0), (1.0, 1.0), (2.0, 1.0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn points(&self) -> Result<Vec<FrocPoint>, Undefined> {
        if self.references() == 0 {
            return Err(Undefined::ReferenceEmpty);
        }
        let mut points = Vec::with_capacity(self.entries.len() + 1);
        let (scans, references) = (self.references.len() as f64, self.references() as f64);
        self.walk(None, |threshold, false_positives, hits| {
            points.push(FrocPoint {
                threshold,
                false_positives_per_scan: false_positives as f64 / scans,
                sensitivity: hits as f64 / references,
            });
        });
        Ok(points)
    }

    /// Calls with threshold, false positives and hits at each point of the curve, each scan counted as often as drawn.
    fn walk(&self, draws: Option<&[u32]>, mut point: impl FnMut(f64, u64, u64)) {
        let lowest = self.entries.last().map_or(f64::NEG_INFINITY, |e| e.confidence);
        let (mut false_positives, mut hits) = (0_u64, 0_u64);
        point(f64::INFINITY, 0, 0);
        let mut entries = self.entries.iter().peekable();
        while let Some(entry) = entries.next() {
            if self.end == CurveEnd::WithoutLowest && entry.confidence <= lowest {
                return;
            }
            let times = draws.map_or(1, |d| u64::from(d[entry.scan as usize]));
            if entry.hit {
                hits += times;
            } else {
                false_positives += times;
            }
            if entries.peek().is_none_or(|next| next.confidence < entry.confidence) {
                point(entry.confidence, false_positives, hits);
            }
        }
    }

    /// The highest sensitivity of a point with at most each rate of false positives per scan, without interpolation
    /// (picai_eval's `lesion_TPR_at_FPR`).
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`].
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, Rates, ScanOutcome};
    /// let froc = Froc::new(&[ScanOutcome::new(&[0.9, 0.3], &[0.5, 0.4], 2)?])?;
    /// assert_eq!(froc.sensitivities_within(&Rates::new(&[1.9, 2.0])?), Ok(vec![0.5, 1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sensitivities_within(&self, rates: &Rates) -> Result<Vec<f64>, Undefined> {
        let points = self.points()?;
        let within = |&rate: &f64| {
            let reached = points.partition_point(|p| p.false_positives_per_scan <= rate);
            // The first point has neither false positives nor hits, so that it lies within every rate.
            points[reached - 1].sensitivity
        };
        Ok(rates.0.iter().map(within).collect())
    }

    /// The lowest rate of false positives per scan of a point with at least this sensitivity (the reverse).
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`], or [`Undefined::NotReached`] when no point is that sensitive.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, detection::{Froc, ScanOutcome}};
    /// let froc = Froc::new(&[ScanOutcome::new(&[0.9, 0.3], &[0.5, 0.4], 3)?])?;
    /// assert_eq!(froc.rate_at_sensitivity(0.6), Ok(2.0));
    /// assert_eq!(froc.rate_at_sensitivity(0.7), Err(Undefined::NotReached));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rate_at_sensitivity(&self, sensitivity: f64) -> Result<f64, Undefined> {
        let points = self.points()?;
        let point = points.iter().find(|p| p.sensitivity >= sensitivity);
        point.map(|p| p.false_positives_per_scan).ok_or(Undefined::NotReached)
    }

    /// The mean sensitivity over rates of false positives per scan: the competition performance metric (CPM) with
    /// [`Rates::luna16`], the CAMELYON16 score with [`Rates::camelyon16`]; 0 to 1.
    ///
    /// Each sensitivity is that of [`Self::sensitivities`]. Source: Niemeijer et al. 2011,
    /// doi:10.1109/TMI.2010.2072789.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`].
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, Rates, ScanOutcome};
    /// let froc = Froc::new(&[ScanOutcome::new(&[0.9], &[0.95], 1)?])?;
    /// assert_eq!(froc.cpm(&Rates::new(&[0.5, 1.0])?), Ok(0.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cpm(&self, rates: &Rates) -> Result<f64, Undefined> {
        Ok(mean(&self.sensitivities(rates)?))
    }

    /// The sensitivity at each rate of false positives per scan, interpolated linearly between points; where several
    /// points share the rate, the highest counts; beyond the last point, its sensitivity.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`].
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, Rates, ScanOutcome};
    /// let froc = Froc::new(&[ScanOutcome::new(&[0.3], &[0.5, 0.2], 1)?])?;
    /// assert_eq!(froc.sensitivities(&Rates::new(&[0.5, 1.0, 2.0])?), Ok(vec![0.0, 1.0, 1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sensitivities(&self, rates: &Rates) -> Result<Vec<f64>, Undefined> {
        self.drawn_sensitivities(&rates.0, None)
    }

    fn drawn_sensitivities(&self, rates: &[f64], draws: Option<&[u32]>) -> Result<Vec<f64>, Undefined> {
        let times = |scan: usize| draws.map_or(1, |d| u64::from(d[scan]));
        let references: u64 = self.references.iter().enumerate().map(|(s, &n)| n as u64 * times(s)).sum();
        if references == 0 {
            return Err(Undefined::ReferenceEmpty);
        }
        let (scans, references) = (self.references.len() as f64, references as f64);
        let mut order: Vec<usize> = (0..rates.len()).collect();
        order.sort_by(|&a, &b| rates[a].total_cmp(&rates[b]));
        let mut pending = order.into_iter().peekable();
        let mut found = vec![0.0; rates.len()];
        let mut last = (0.0, 0.0);
        self.walk(draws, |_, false_positives, hits| {
            let point = (false_positives as f64 / scans, hits as f64 / references);
            while let Some(&next) = pending.peek().filter(|&&next| rates[next] < point.0) {
                let slope = (point.1 - last.1) / (point.0 - last.0);
                found[next] = slope * (rates[next] - last.0) + last.1;
                pending.next();
            }
            last = point;
        });
        for next in pending {
            found[next] = last.1;
        }
        Ok(found)
    }

    /// Average precision of all findings together: the sum over the thresholds of the gain in sensitivity times the
    /// precision (steps, no interpolation; equal confidences form one threshold); 0 to 1.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`].
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, ScanOutcome};
    /// let froc = Froc::new(&[ScanOutcome::new(&[0.9, 0.3], &[0.5], 2)?])?;
    /// assert_eq!(froc.average_precision(), Ok(0.5 + 0.5 * (2.0 / 3.0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn average_precision(&self) -> Result<f64, Undefined> {
        let references = self.references() as f64;
        if references == 0.0 {
            return Err(Undefined::ReferenceEmpty);
        }
        let (mut sum, mut before) = (0.0, 0);
        self.walk(None, |_, false_positives, hits| {
            if hits > before {
                let precision = hits as f64 / (hits + false_positives) as f64;
                sum += (hits - before) as f64 / references * precision;
                before = hits;
            }
        });
        Ok(sum)
    }

    /// Percentile intervals of the CPM and of the sensitivity at each rate, from drawing scans with replacement.
    ///
    /// The same seed gives the same bytes for any number of threads. Cost: resamples x findings.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`] when no resample (or the set itself) has a reference finding.
    ///
    /// ```
    /// use fiel_kernels::detection::{Froc, Rates, Resampling, ScanOutcome};
    /// let scans = [ScanOutcome::new(&[0.9], &[0.4], 2)?, ScanOutcome::new(&[0.3], &[0.8], 1)?];
    /// let found = Froc::new(&scans)?.bootstrap(&Rates::luna16(), Resampling::new(200, 7, 0.95)?)?;
    /// assert!(found.cpm[0] <= found.cpm[1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bootstrap(&self, rates: &Rates, resampling: Resampling) -> Result<FrocIntervals, Undefined> {
        let scans = self.references.len();
        let one = |resample: u64| {
            let mut stream = Stream::new(resampling.seed, resample);
            let mut draws = vec![0_u32; scans];
            for _ in 0..scans {
                draws[stream.below(scans)] += 1;
            }
            self.drawn_sensitivities(&rates.0, Some(&draws)).ok()
        };
        let drawn: Vec<Vec<f64>> = (0..resampling.resamples).into_par_iter().filter_map(one).collect();
        if drawn.is_empty() {
            return Err(Undefined::ReferenceEmpty);
        }
        let interval = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            let outside = (1.0 - resampling.level) / 2.0;
            [quantile(&values, outside), quantile(&values, 1.0 - outside)]
        };
        Ok(FrocIntervals {
            cpm: interval(drawn.iter().map(|d| mean(d)).collect()),
            sensitivities: (0..rates.0.len())
                .map(|i| interval(drawn.iter().map(|d| d[i]).collect()))
                .collect(),
            undefined: resampling.resamples - drawn.len() as u64,
        })
    }
}

/// Intervals from a bootstrap over scans.
#[derive(Debug, Clone, PartialEq)]
pub struct FrocIntervals {
    /// Of the CPM.
    pub cpm: [f64; 2],
    /// Of the sensitivity at each rate.
    pub sensitivities: Vec<[f64; 2]>,
    /// Resamples left out since they held no reference finding.
    pub undefined: u64,
}

/// A plan for a bootstrap.
///
/// ```
/// use fiel_kernels::detection::Resampling;
/// assert!(Resampling::new(1000, 42, 0.95).is_ok());
/// assert!(Resampling::new(0, 42, 0.95).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    resamples: u64,
    seed: u64,
    level: f64,
}

impl Resampling {
    /// Checks the number of resamples (1 to 1,000,000) and the confidence level (strictly between 0 and 1).
    ///
    /// # Errors
    /// Either is out of range.
    ///
    /// ```
    /// use fiel_kernels::detection::Resampling;
    /// assert!(Resampling::new(1000, 42, 1.0).is_err());
    /// ```
    pub fn new(resamples: u64, seed: u64, level: f64) -> Result<Self, InputError> {
        if !(1..=1_000_000).contains(&resamples) {
            let value = resamples as f64;
            return Err(InputError::Setting { what: "resamples", value, expected: "from 1 to 1,000,000" });
        }
        if !(level > 0.0 && level < 1.0) {
            let expected = "strictly between 0 and 1";
            return Err(InputError::Setting { what: "confidence level", value: level, expected });
        }
        Ok(Self { resamples, seed, level })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Linear interpolation between the two nearest of the ascending values.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in the list")]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * share;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}
