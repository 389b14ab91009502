//! Bootstrap replicates over a federation, paired over submissions.
//!
//! A site draws how often each of its cases counts in each replicate from a secret that never leaves it, the same for
//! every submission. What it releases per replicate is one weighted sum, rounded; sums add up over sites. So the hub
//! sees how much two submissions' difference, or a whole ranking, moves when other patients had been there, and no
//! weight and no case.

use crate::assess::{self, Data, Options};
use crate::error::MetricError;
use crate::fixed::count;
use crate::registry::MetricId;
use fiel_kernels::inference::poisson_of;
use fiel_schemas::digest::sha256;
use fiel_schemas::summary::{Replicates, Summary};
use polars::prelude::DataFrame;
use rayon::prelude::*;

/// Most replicates.
pub const REPLICATES_MAX: u16 = 1000;

/// Steps of a released sum in one unit of the metric: 2^13.
const STEPS: f64 = 8192.0;

/// How often each case of a reference set counts in each replicate: the Poisson bootstrap, drawn from a secret.
#[derive(Clone)]
pub struct Draws {
    key: [u8; 32],
    replicates: u16,
    least_cases: u64,
}

impl std::fmt::Debug for Draws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draws").field("replicates", &self.replicates).finish_non_exhaustive()
    }
}

impl Draws {
    /// The draws for one reference set, named by its digest: other sets get other draws from the same secret.
    ///
    /// Sets of fewer than `least_cases` (with a value of the metric) have no replicates; more than
    /// [`REPLICATES_MAX`] are not made.
    ///
    /// ```
    /// use fiel_metrics::{Draws, Options, replicates};
    /// use polars::prelude::*;
    ///
    /// let table = df!("case_id" => ["a", "b", "c"], "outcome" => ["ok"; 3],
    ///                 "label" => [0, 1, 1], "score" => [0.25, 0.75, 0.5])?;
    /// let draws = Draws::new(&[7; 32], "digest of the set", 20, 1);
    /// let found = replicates("brier", &table, &Options::default(), &draws)?.expect("three cases");
    /// assert_eq!((found.sums.len(), found.weights.len()), (20, 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(secret: &[u8; 32], set_digest: &str, replicates: u16, least_cases: u64) -> Self {
        let message = [secret.as_slice(), b"fiel/replicates/v1/", set_digest.as_bytes()].concat();
        Self { key: sha256(&message), replicates: replicates.min(REPLICATES_MAX), least_cases }
    }

    /// Number of replicates: what was asked for, [`REPLICATES_MAX`] at most.
    ///
    /// ```
    /// use fiel_metrics::{Draws, REPLICATES_MAX};
    /// assert_eq!(Draws::new(&[7; 32], "digest of the set", 200, 20).replicates(), 200);
    /// assert_eq!(Draws::new(&[7; 32], "digest of the set", 2000, 20).replicates(), REPLICATES_MAX);
    /// ```
    pub fn replicates(&self) -> u16 {
        self.replicates
    }

    /// The weights of the cases of a set in one replicate. Whoever learns some of them learns nothing of the others:
    /// they are the output of a keyed hash.
    fn weights(&self, replicate: u16, cases: usize) -> Vec<u8> {
        let mut message = [0; 42];
        message[..32].copy_from_slice(&self.key);
        message[32..34].copy_from_slice(&replicate.to_be_bytes());
        let mut weights = Vec::with_capacity(cases + 16);
        for block in 0_u64.. {
            if weights.len() >= cases {
                break;
            }
            message[34..].copy_from_slice(&block.to_be_bytes());
            let hash = sha256(&message);
            weights.extend(hash.chunks_exact(2).map(|two| poisson_of(u16::from_be_bytes([two[0], two[1]]))));
        }
        weights.truncate(cases);
        weights
    }
}

/// Sum and weight of one replicate, from the weights of the table's rows.
type Replicate<'a> = dyn Fn(&[u8]) -> Result<(i64, u64), MetricError> + Sync + 'a;

/// A metric's replicates over a case table, whose rows are the cases of the set in their order; `None` where there are
/// too few cases, or the metric has no value to resample.
///
/// # Errors
/// As [`assess()`](crate::assess()); [`MetricError::Overflow`] for sums beyond 2^52 steps of 2^-13.
///
/// ```
/// use fiel_metrics::{Draws, Options, replicates};
/// use polars::prelude::df;
///
/// let table = |scores: [f64; 3]| {
///     df!("case_id" => ["a", "b", "c"], "outcome" => ["ok"; 3], "label" => [0, 1, 1], "score" => scores)
/// };
/// let (options, draws) = (Options::default(), Draws::new(&[7; 32], "digest of the set", 100, 1));
/// // Two submissions meet the same draws: the cases of a replicate weigh as much for the one as for the other.
/// let first = replicates("brier", &table([0.5, 0.5, 0.5])?, &options, &draws)?.expect("three cases");
/// let second = replicates("brier", &table([0.0, 1.0, 1.0])?, &options, &draws)?.expect("three cases");
/// assert_eq!(first.weights, second.weights);
/// // Every case of the first has a Brier score of 0.25, every case of the second of 0; a step is 2^-13.
/// let quarter = |weight: &u64| i64::try_from(weight * 8192 / 4);
/// assert_eq!(first.sums, first.weights.iter().map(quarter).collect::<Result<Vec<_>, _>>()?);
/// assert_eq!(second.sums, [0; 100]);
/// // A site that releases replicates of twenty cases or more only has none of these.
/// let draws = Draws::new(&[7; 32], "digest of the set", 100, 20);
/// assert_eq!(replicates("brier", &table([0.5, 0.5, 0.5])?, &options, &draws)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replicates(
    metric_id: &str,
    table: &DataFrame,
    options: &Options,
    draws: &Draws,
) -> Result<Option<Replicates>, MetricError> {
    let metric = MetricId::parse(metric_id)?;
    let data = Data::read(metric_id, &metric, table, options)?;
    let one: Box<Replicate<'_>> = if assess::is_mean(&metric) {
        let values = data.of_cases(&metric);
        let defined: Vec<(usize, f64)> =
            data.rows().iter().zip(values).filter_map(|(row, value)| Some((*row, value?))).collect();
        if (defined.len() as u64) < draws.least_cases.max(1) {
            return Ok(None);
        }
        Box::new(move |weights| {
            let (mut sum, mut weight) = (0.0, 0);
            for &(row, value) in &defined {
                sum += f64::from(weights[row]) * value;
                weight += u64::from(weights[row]);
            }
            Ok((steps(sum)?, weight))
        })
    } else {
        let n = data.rows().len();
        let all: Vec<usize> = (0..n).collect();
        let Some(value) = data.of_chosen(&metric, &all)?.filter(|_| n as u64 >= draws.least_cases) else {
            return Ok(None);
        };
        let (data, metric) = (&data, &metric);
        Box::new(move |weights| {
            let times = |(case, &row): (usize, &usize)| std::iter::repeat_n(case, weights[row].into());
            let drawn: Vec<usize> = data.rows().iter().enumerate().flat_map(times).collect();
            let Some(found) = data.of_chosen(metric, &drawn)? else { return Ok((0, 0)) };
            let overflow = || MetricError::Overflow("a replicate");
            let cases = i64::try_from(n).map_err(|_| overflow())?;
            Ok((steps(found - value)?.checked_mul(cases).ok_or_else(overflow)?, n as u64))
        })
    };
    let found: Vec<(i64, u64)> = (0..draws.replicates)
        .into_par_iter()
        .map(|replicate| one(&draws.weights(replicate, table.height())))
        .collect::<Result<_, _>>()?;
    let (sums, weights) = found.into_iter().unzip();
    Ok(Some(Replicates { sums, weights }).filter(|r: &Replicates| !r.sums.is_empty()))
}

/// Rounds to whole steps.
fn steps(value: f64) -> Result<i64, MetricError> {
    let rounded = (value * STEPS).round();
    if rounded.is_nan() || rounded.abs() > 2f64.powi(52) {
        return Err(MetricError::Overflow("a replicate"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie within 2^52")]
    Ok(rounded as i64)
}

/// Adds two sites' replicates; of sites with different numbers of them, as many as the fewer. The order of merging does
/// not matter.
///
/// # Errors
/// [`MetricError::Overflow`] for sums that leave their range.
///
/// ```
/// use fiel_metrics::merge_replicates;
/// use fiel_schemas::summary::Replicates;
///
/// let left = Replicates { sums: vec![8192, -4096, 0], weights: vec![10, 12, 9] };
/// let right = Replicates { sums: vec![4096, 4096], weights: vec![3, 5] };
/// let both = merge_replicates(&left, &right)?;
/// assert_eq!(both, Replicates { sums: vec![12_288, 0], weights: vec![13, 17] });
/// # Ok::<(), fiel_metrics::MetricError>(())
/// ```
pub fn merge_replicates(a: &Replicates, b: &Replicates) -> Result<Replicates, MetricError> {
    let add = |(x, y): (&i64, &i64)| x.checked_add(*y).ok_or(MetricError::Overflow("a sum of replicates"));
    Ok(Replicates {
        sums: a.sums.iter().zip(&b.sums).map(add).collect::<Result<_, _>>()?,
        weights: a.weights.iter().zip(&b.weights).map(|(x, y)| count(*x, *y)).collect::<Result<_, _>>()?,
    })
}

/// The metric in each replicate of merged summaries; `None` where the resampled cases have no value.
///
/// For means over cases (and their roots) each is the metric of all resampled cases held centrally, to within 2^-14 per
/// site over the cases. For other metrics each site is resampled by itself and its change is weighed by its cases: the
/// pooled value plus the weighted mean of the sites' changes. That leaves out how cases of different sites rank among
/// each other anew, and is exact to first order where sites are alike.
///
/// # Errors
/// [`MetricError::UnknownMetric`], [`MetricError::Form`] and [`MetricError::Parameter`] for the id; for metrics that
/// are no mean, [`MetricError::Mismatch`] for a summary of another kind than the metric's and
/// [`MetricError::Malformed`] for one that contradicts itself.
///
/// ```
/// use fiel_metrics::{Draws, MetricReplicates, Options, ReplicatedRanking, assess, estimate, merge};
/// use fiel_metrics::{merge_replicates, replicate_values, replicates};
/// use polars::prelude::df;
///
/// // A submission's pooled Brier score over two sites of eight cases, and the same in each of 200 replicates.
/// let pooled = |scores: [f64; 8]| -> Result<(f64, Vec<f64>), Box<dyn std::error::Error>> {
///     let (names, labels) = (["a", "b", "c", "d", "e", "f", "g", "h"], [0, 1, 0, 1, 0, 1, 0, 1]);
///     let table = df!("case_id" => names, "outcome" => ["ok"; 8], "label" => labels, "score" => scores)?;
///     let site = |secret: u8| {
///         let draws = Draws::new(&[secret; 32], "digest of the site's set", 200, 1);
///         let drawn = replicates("brier", &table, &Options::default(), &draws)?.expect("eight cases");
///         Ok::<_, fiel_metrics::MetricError>((assess("brier", &table, &Options::default())?.summary, drawn))
///     };
///     let ((left, drawn_left), (right, drawn_right)) = (site(1)?, site(2)?);
///     let summary = merge(&left, &right)?;
///     let values = replicate_values("brier", &summary, &merge_replicates(&drawn_left, &drawn_right)?)?;
///     let value = estimate("brier", &summary)?.value.expect("sixteen cases");
///     Ok((value, values.into_iter().map(|value| value.expect("some case is drawn")).collect()))
/// };
/// let better = pooled([0.25, 0.75, 0.5, 0.75, 0.25, 0.75, 0.5, 0.75])?;
/// let worse = pooled([0.5; 8])?;
/// assert_eq!((better.0, worse.0), (0.109_375, 0.25));
/// // Which cases are drawn decides how far the one is ahead, never whether it is ahead.
/// let replicates = better.1.iter().zip(&worse.1).map(|(a, b)| vec![*a, *b]).collect();
/// let ranking = ReplicatedRanking::new(&[MetricReplicates { full: vec![better.0, worse.0], replicates }])?;
/// assert_eq!(ranking.rank_range(0), [1, 1]);
/// let [low, high] = ranking.lead(0, 1);
/// assert!(0.0 < low && low < 0.140_625 && 0.140_625 < high, "{low} {high}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replicate_values(
    metric_id: &str,
    summary: &Summary,
    replicates: &Replicates,
) -> Result<Vec<Option<f64>>, MetricError> {
    let metric = MetricId::parse(metric_id)?;
    let base = if assess::is_mean(&metric) { Some(0.0) } else { assess::estimate(metric_id, summary)?.value };
    let value = |(&sum, &weight): (&i64, &u64)| {
        let mean = (weight > 0).then(|| sum as f64 / STEPS / weight as f64)?;
        let value = base? + mean;
        Some(if assess::is_mean(&metric) { assess::of_mean(&metric, value) } else { value })
    };
    Ok(replicates.sums.iter().zip(&replicates.weights).map(value).collect())
}
