//! From a set of cases to a report: values, intervals, strata.

use super::{Gap, Intervals, Request, ScoreCase, ScoreError, ScoreMetric, ScoreReport, Strata, Stratum};
use crate::assess::{self, Data, Options};
use crate::registry::{Level, MetricId, MetricTask};
use crate::{moments, per_site, stats};
use fiel_kernels::inference::{Confidence, Jackknife, Replicates, Resamples};
use fiel_kernels::{InputError, Undefined};
use fiel_schemas::assessment::SiteMetric;
use fiel_schemas::summary::Summary;
use std::collections::BTreeMap;

/// Why a metric has no value: the cases leave it undefined, or they are wrong for it.
#[derive(Debug)]
pub(super) enum NoValue {
    /// Nothing is wrong with the cases.
    Undefined(Undefined),
    /// The metric cannot be computed from such cases at all.
    Error(ScoreError),
}

impl NoValue {
    /// Why a resample has no value: a sample of valid cases is valid, but it may be too poor for the metric.
    pub(super) fn reason(self) -> Undefined {
        match self {
            Self::Undefined(reason) => reason,
            Self::Error(_) => Undefined::TooFew,
        }
    }
}

impl From<Undefined> for NoValue {
    fn from(reason: Undefined) -> Self {
        Self::Undefined(reason)
    }
}

impl<E: Into<ScoreError>> From<E> for NoValue
where
    E: std::error::Error,
{
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// A metric's value over some cases, with its interval in closed form where there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Valued {
    pub(super) value: f64,
    pub(super) interval: Option<[f64; 2]>,
}

impl From<f64> for Valued {
    fn from(value: f64) -> Self {
        Self { value, interval: None }
    }
}

/// Cases of one task, checked, that can be measured in any selection (with repetitions, for bootstraps).
pub(super) trait Cases: Sync {
    /// The task.
    const TASK: MetricTask;

    /// Case and label of each row. The rows of one case, one per label, stand side by side.
    fn names(&self) -> Vec<(String, Option<u8>)>;

    /// A metric of a whole set over the cases of these numbers; each is one row.
    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue>;

    /// The cases as a table's, where the metrics of a whole set have sums that merge.
    fn data(&self) -> Option<Data> {
        None
    }

    /// A paired test in closed form of a metric of both sets being equal: its name, two-sided p, interval of the
    /// difference.
    fn paired_test(&self, _: &Self, _: &MetricId) -> Option<(&'static str, f64, Option<[f64; 2]>)>
    where
        Self: Sized,
    {
        None
    }

    /// A metric of single cases: each row's value, `None` where undefined.
    fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>>;
}

/// Measures everything that was asked for.
pub(super) fn report<C: Cases>(
    set: &C,
    request: &Request,
    strata: Option<Vec<String>>,
) -> Result<ScoreReport, ScoreError> {
    let names = set.names();
    let own: Vec<Option<Vec<Option<f64>>>> = request
        .metrics
        .iter()
        .map(|(_, metric)| (metric.spec.level == Level::Case).then(|| set.of_cases(metric)))
        .collect();
    let units = Units::of(&names);
    let all: Vec<usize> = (0..names.len()).collect();
    if request.summaries.is_some() && units.count(&all) < all.len() as u64 {
        let what = "one label: in the summaries that sites merge every row counts as a case of its own, and the labels of \
                    one case are not; score each label by itself";
        return Err(ScoreError::Missing { id: "--summaries".to_owned(), what });
    }
    let metrics = measure(set, request, &own, &units, &all)?;
    let by = match (strata, &request.by) {
        (Some(strata), Some(column)) => Some(stratify(set, request, &own, &units, (&strata, column))?),
        _ => None,
    };
    let case = |(i, (case, label)): (usize, (String, Option<u8>))| {
        let value = |((id, _), own): (&(String, MetricId), &Option<Vec<Option<f64>>>)| {
            own.as_ref().map(|values| (id.clone(), values[i]))
        };
        ScoreCase { case, label, values: request.metrics.iter().zip(&own).filter_map(value).collect() }
    };
    let (n, rows) = units.counts(&all);
    let cases = names.into_iter().enumerate().map(case).collect();
    let summaries = request.summaries.map(|options| summaries(set, request, &own, &options)).transpose()?;
    Ok(ScoreReport {
        task: C::TASK.as_str(),
        n,
        rows,
        metrics,
        cases,
        by,
        comparison: None,
        curves: None,
        summaries,
    })
}

/// What a site would send of these cases: for each metric an estimate and the summary that merges with others.
fn summaries<C: Cases>(
    set: &C,
    request: &Request,
    own: &[Option<Vec<Option<f64>>>],
    options: &Options,
) -> Result<BTreeMap<String, SiteMetric>, ScoreError> {
    let data = set.data();
    let all: Vec<usize> = (0..set.names().len()).collect();
    let mut found = BTreeMap::new();
    for ((id, metric), own) in request.metrics.iter().zip(own) {
        let summary = match (&data, own) {
            (Some(data), _) => data.summary(metric, options)?,
            (None, Some(values)) => Summary::Moments(moments::build_sketched(values, options.min_cell)?),
            (None, None) => {
                let value = |cases: &[usize]| set.of_set(metric, cases).map(|v| v.value);
                let whole = match value(&all) {
                    Ok(value) => Some(value),
                    Err(NoValue::Undefined(_)) => None,
                    Err(NoValue::Error(e)) => return Err(e),
                };
                let statistic = |cases: &[usize]| value(cases).map_err(NoValue::reason);
                Summary::PerSite(per_site::build(all.len(), whole, statistic)?)
            }
        };
        let estimate = assess::estimate(id, &summary)?;
        found.insert(id.clone(), SiteMetric { estimate, summary, replicates: None });
    }
    Ok(found)
}

fn stratify<C: Cases>(
    set: &C,
    request: &Request,
    own: &[Option<Vec<Option<f64>>>],
    units: &Units,
    (strata, column): (&[String], &str),
) -> Result<Strata, ScoreError> {
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, stratum) in strata.iter().enumerate() {
        members.entry(stratum).or_default().push(i);
    }
    let mut groups = BTreeMap::new();
    for (name, members) in &members {
        let metrics = measure(set, request, own, units, members)?;
        let (n, rows) = units.counts(members);
        groups.insert((*name).to_owned(), Stratum { n, rows, metrics });
    }
    let mut gaps = BTreeMap::new();
    for (id, metric) in &request.metrics {
        let values = groups.iter().filter_map(|(name, g)| Some((name, g.metrics.get(id)?.value?)));
        let mut values: Vec<(&String, f64)> = values.collect();
        values.sort_by(|a, b| metric.spec.badness(a.1).total_cmp(&metric.spec.badness(b.1)));
        if let (Some(best), Some(worst)) = (values.first(), values.last()) {
            let gap = (best.1 - worst.1).abs();
            gaps.insert(id.clone(), Gap { worst: worst.0.clone(), best: best.0.clone(), gap });
        }
    }
    Ok(Strata { column: column.to_owned(), groups, gaps })
}

fn measure<C: Cases>(
    set: &C,
    request: &Request,
    own: &[Option<Vec<Option<f64>>>],
    units: &Units,
    rows: &[usize],
) -> Result<BTreeMap<String, ScoreMetric>, ScoreError> {
    let mut metrics = BTreeMap::new();
    for ((id, metric), own) in request.metrics.iter().zip(own) {
        let found = match own {
            Some(own) => mean(metric, own, units, rows, request)?,
            None => of_set(set, metric, rows, request)?,
        };
        metrics.insert(id.clone(), found);
    }
    Ok(metrics)
}

fn scored(metric: &MetricId, value: Option<f64>, ci95: Option<[f64; 2]>, undefined: u64) -> ScoreMetric {
    let unit = if metric.spec.unit.is_empty() { "1" } else { metric.spec.unit };
    ScoreMetric { id: metric.full(), value, ci95, unit, undefined, reason: None }
}

/// The mean of a per-case metric over rows, whose interval takes the case as the unit: the labels of one patient say less
/// together than as many patients would.
fn mean(
    metric: &MetricId,
    own: &[Option<f64>],
    units: &Units,
    rows: &[usize],
    request: &Request,
) -> Result<ScoreMetric, ScoreError> {
    let chosen: Vec<Option<f64>> = rows.iter().map(|&row| own[row]).collect();
    let estimate = moments::of_values(&chosen, metric.spec.range)?;
    let clusters = units.clusters(own, rows);
    let ci95 = match request.intervals {
        Intervals::Off => None,
        Intervals::Auto if clusters.iter().all(|c| c.rows == 1) => estimate.ci95,
        Intervals::Auto => estimate.value.and_then(|mean| clustered_t(&clusters, mean, metric.spec.range)),
        Intervals::Bootstrap | Intervals::Bca => bootstrap(clusters.len(), request, |drawn| {
            let sum = drawn.iter().map(|&i| clusters[i].sum).sum::<f64>();
            Ok(sum / drawn.iter().map(|&i| clusters[i].rows).sum::<usize>() as f64)
        })?,
    };
    Ok(scored(metric, estimate.value, ci95, estimate.undefined))
}

fn of_set<C: Cases>(
    set: &C,
    metric: &MetricId,
    cases: &[usize],
    request: &Request,
) -> Result<ScoreMetric, ScoreError> {
    let found = match set.of_set(metric, cases) {
        Ok(found) => found,
        Err(NoValue::Undefined(reason)) => {
            let reason = Some(reason.to_string());
            return Ok(ScoreMetric { reason, ..scored(metric, None, None, 1) });
        }
        Err(NoValue::Error(e)) => return Err(e),
    };
    let closed = found.interval.filter(|_| request.intervals == Intervals::Auto);
    let ci95 = match (request.intervals, closed) {
        (Intervals::Off, _) => None,
        (_, Some(interval)) => Some(interval),
        (_, None) => bootstrap(cases.len(), request, |drawn| {
            let drawn: Vec<usize> = drawn.iter().map(|&i| cases[i]).collect();
            set.of_set(metric, &drawn).map(|v| v.value).map_err(NoValue::reason)
        })?,
    };
    Ok(scored(metric, Some(found.value), ci95, 0))
}

/// The percentile or BCa interval over samples of cases; none where too few samples have a value.
fn bootstrap(
    cases: usize,
    request: &Request,
    statistic: impl Fn(&[usize]) -> Result<f64, Undefined> + Sync,
) -> Result<Option<[f64; 2]>, ScoreError> {
    if cases < 2 {
        return Ok(None);
    }
    let resamples = Resamples::multinomial(request.seed, request.replicates, cases)?;
    let replicates = Replicates::of_cases(&resamples, &statistic);
    if replicates.undefined() * 20 > request.replicates {
        return Ok(None);
    }
    if request.intervals == Intervals::Bca {
        if cases > BCA_CASES_MAX {
            let (what, found, limit) = ("cases of a BCa interval", cases as u64, BCA_CASES_MAX as u64);
            return Err(InputError::TooLarge { what, found, limit }.into());
        }
        let bca = Jackknife::of_cases(cases, &statistic).and_then(|j| replicates.bca(&j, Confidence::P95));
        return Ok(bca.ok().map(|found| found.interval));
    }
    Ok(replicates.percentile(Confidence::P95).ok())
}

/// The jackknife measures as often as there are cases.
const BCA_CASES_MAX: usize = 20_000;

/// Which rows belong to one case.
struct Units {
    /// The number of each row's case, never falling.
    case: Vec<usize>,
}

/// The defined values of one case.
struct Cluster {
    rows: usize,
    sum: f64,
}

impl Units {
    fn of(names: &[(String, Option<u8>)]) -> Self {
        let mut case = Vec::with_capacity(names.len());
        let mut number = 0;
        for (row, (name, _)) in names.iter().enumerate() {
            number += usize::from(row > 0 && names[row - 1].0 != *name);
            case.push(number);
        }
        Self { case }
    }

    /// Cases among rows, which are in rising order.
    fn count(&self, rows: &[usize]) -> u64 {
        rows.chunk_by(|&a, &b| self.case[a] == self.case[b]).count() as u64
    }

    /// Cases among rows, and the rows where these are more.
    fn counts(&self, rows: &[usize]) -> (u64, Option<u64>) {
        let (n, rows) = (self.count(rows), rows.len() as u64);
        (n, (rows > n).then_some(rows))
    }

    /// The cases among rows that have a defined value.
    fn clusters(&self, own: &[Option<f64>], rows: &[usize]) -> Vec<Cluster> {
        let of_case = |rows: &[usize]| {
            let defined: Vec<f64> = rows.iter().filter_map(|&row| own[row]).collect();
            (!defined.is_empty()).then(|| Cluster { rows: defined.len(), sum: defined.iter().sum() })
        };
        rows.chunk_by(|&a, &b| self.case[a] == self.case[b]).filter_map(of_case).collect()
    }
}

/// Student's t interval of a mean over the rows of several cases, clipped to the range: the variance is the sum over cases
/// of their residuals' squared sum, times C/(C - 1), with C - 1 degrees of freedom for C cases (Liang and Zeger 1986,
/// <https://doi.org/10.1093/biomet/73.1.13>). With equally many rows per case it is the t interval of the cases' means.
fn clustered_t(clusters: &[Cluster], mean: f64, range: (f64, f64)) -> Option<[f64; 2]> {
    if clusters.len() < 2 {
        return None;
    }
    let (cases, rows) = (clusters.len() as f64, clusters.iter().map(|c| c.rows).sum::<usize>() as f64);
    let residual = |c: &Cluster| (c.sum - mean * c.rows as f64) / rows;
    let variance = clusters.iter().map(|c| residual(c).powi(2)).sum::<f64>() * cases / (cases - 1.0);
    let half = stats::student_t_975(clusters.len() as u64 - 1) * variance.sqrt();
    Some([(mean - half).max(range.0), (mean + half).min(range.1)])
}
