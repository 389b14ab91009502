//! Two answers to the same cases, compared in pairs.

use super::measured::{Cases, NoValue, Valued};
use super::{Intervals, Request, ScoreError};
use crate::registry::{Level, MetricId};
use fiel_kernels::Undefined;
use fiel_kernels::inference::{
    Alternative, Confidence, Differences, Jackknife, Replicates, Resamples, SignedRankMethod, Zeros,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// How the answers differ from others to the same cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The column of the other answers.
    pub with: String,
    /// Every metric that was asked for, by its id as asked.
    pub metrics: BTreeMap<String, Compared>,
}

/// One metric of both answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The metric of the other answers; `null` where it is undefined.
    pub other: Option<f64>,
    /// The metric of the answers less that of the others.
    pub difference: Option<f64>,
    /// Its 95 % interval: of means over cases BCa over resamples of the pairs, of the AUC DeLong's, else percentiles over
    /// resamples that both share.
    pub ci95: Option<[f64; 2]>,
    /// Two-sided p-values of no difference by test: `wilcoxon` (signed ranks, zeros dropped) and `permutation` (signs
    /// flipped) of means over cases, `delong` of the AUC.
    pub p: BTreeMap<&'static str, f64>,
}

/// Sign flips of a permutation test beyond 32 cases.
const FLIPS: u32 = 10_000;

/// Compares two sets of answers to the same cases in the same order.
pub(super) fn compare<C: Cases>(
    first: &C,
    second: &C,
    with: &str,
    request: &Request,
) -> Result<Comparison, ScoreError> {
    let mut metrics = BTreeMap::new();
    for (id, metric) in &request.metrics {
        let found = if metric.spec.level == Level::Case {
            of_cases(&first.of_cases(metric), &second.of_cases(metric), request)?
        } else {
            of_sets(first, second, metric, request)?
        };
        metrics.insert(id.clone(), found);
    }
    Ok(Comparison { with: with.to_owned(), metrics })
}

/// Means over the cases that have both values.
fn of_cases(
    first: &[Option<f64>],
    second: &[Option<f64>],
    request: &Request,
) -> Result<Compared, ScoreError> {
    let pairs: Vec<(f64, f64)> = first.iter().zip(second).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    let mut found = Compared { other: None, difference: None, ci95: None, p: BTreeMap::new() };
    let n = differences.len();
    if n == 0 {
        return Ok(found);
    }
    found.other = Some(pairs.iter().map(|p| p.1).sum::<f64>() / n as f64);
    found.difference = Some(differences.iter().sum::<f64>() / n as f64);
    if request.intervals != Intervals::Off && n > 1 {
        let resamples = Resamples::multinomial(request.seed, request.replicates, n)?;
        let replicates = Replicates::of_mean(&differences, &resamples)?;
        let bca = replicates.bca(&Jackknife::of_mean(&differences)?, Confidence::P95);
        found.ci95 = bca.map(|b| b.interval).or_else(|_| replicates.percentile(Confidence::P95)).ok();
    }
    let differences = Differences::new(differences)?;
    let two_sided = Alternative::TwoSided;
    if let Ok(test) = differences.signed_rank(two_sided, Zeros::Drop, SignedRankMethod::Auto) {
        found.p.insert("wilcoxon", test.p);
    }
    found.p.insert("permutation", differences.sign_flip(two_sided, FLIPS, request.seed)?.p);
    Ok(found)
}

fn of_sets<C: Cases>(
    first: &C,
    second: &C,
    metric: &MetricId,
    request: &Request,
) -> Result<Compared, ScoreError> {
    let all: Vec<usize> = (0..first.names().len()).collect();
    let whole = |set: &C| match set.of_set(metric, &all) {
        Ok(Valued { value, .. }) => Ok(Some(value)),
        Err(NoValue::Undefined(_)) => Ok(None),
        Err(NoValue::Error(e)) => Err(e),
    };
    let (one, other) = (whole(first)?, whole(second)?);
    let difference = one.zip(other).map(|(a, b)| a - b);
    let mut found = Compared { other, difference, ci95: None, p: BTreeMap::new() };
    if difference.is_none() {
        return Ok(found);
    }
    if let Some((name, p, interval)) = first.paired_test(second, metric) {
        found.p.insert(name, p);
        found.ci95 = interval.filter(|_| request.intervals == Intervals::Auto);
    }
    if found.ci95.is_none() && request.intervals != Intervals::Off && all.len() > 1 {
        let resamples = Resamples::multinomial(request.seed, request.replicates, all.len())?;
        let value = |set: &C, drawn: &[usize]| -> Result<f64, Undefined> {
            set.of_set(metric, drawn).map(|v| v.value).map_err(NoValue::reason)
        };
        let replicates =
            Replicates::of_cases(&resamples, |drawn| Ok(value(first, drawn)? - value(second, drawn)?));
        if replicates.undefined() * 20 <= request.replicates {
            found.ci95 = replicates.percentile(Confidence::P95).ok();
        }
    }
    Ok(found)
}
