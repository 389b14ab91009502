//! Metrics that no sums of cases give: each site's own value and variance, joined by random effects.
//!
//! The result estimates the mean of the metric over sites like these, not the metric over all cases, and says so.

use crate::error::MetricError;
use crate::fixed::count;
use crate::registry::MetricId;
use crate::stats::Z;
use fiel_kernels::inference::{Confidence, HartungKnapp, Replicates, Resamples, SiteEstimates};
use fiel_kernels::{InputError, Undefined};
use fiel_schemas::assessment::{Estimate, Pooling};
use fiel_schemas::summary::{PerSite, SiteEstimate};

/// Resamples of a site's cases behind its variance.
const REPLICATES: usize = 200;
/// Of these, one in so many may be without a value.
const UNDEFINED_SHARE: usize = 20;

/// One site: the metric of its cases, and its variance over resamples of them.
///
/// `statistic` gives the metric of the cases of the given numbers (from 0, with repetitions).
pub(crate) fn build(
    cases: usize,
    value: Option<f64>,
    statistic: impl Fn(&[usize]) -> Result<f64, Undefined> + Sync,
) -> Result<PerSite, InputError> {
    let n = cases as u64;
    let Some(value) = value else {
        return Ok(PerSite { sites: Vec::new(), undefined: 1, undefined_cases: n });
    };
    let variance = if cases < 2 {
        None
    } else {
        variance(&Replicates::of_cases(&Resamples::multinomial(1, REPLICATES, cases)?, statistic), n)
    };
    Ok(PerSite { sites: vec![SiteEstimate { value, variance, n }], undefined: 0, undefined_cases: 0 })
}

/// The variance over the replicates, at least that of a metric which one case moves by a whole unit over the number of
/// cases: resamples that all agree say only that they saw too little.
fn variance(replicates: &Replicates, n: u64) -> Option<f64> {
    if replicates.undefined() * UNDEFINED_SHARE > REPLICATES {
        return None;
    }
    let values = replicates.values();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let floor = 1.0 / (n as f64 * n as f64);
    Some((squares / (values.len() - 1) as f64).max(floor)).filter(|v| v.is_finite())
}

/// Puts the sites together, sorted, so that the order of merging leaves no trace.
pub(crate) fn merge(a: &PerSite, b: &PerSite) -> Result<PerSite, MetricError> {
    let mut sites: Vec<SiteEstimate> = a.sites.iter().chain(&b.sites).copied().collect();
    // A site without a variance comes before those with one.
    let variance = |s: &SiteEstimate| s.variance.unwrap_or(-1.0);
    sites.sort_by(|x, y| {
        let values = x.value.total_cmp(&y.value);
        values.then(variance(x).total_cmp(&variance(y))).then(x.n.cmp(&y.n))
    });
    Ok(PerSite {
        sites,
        undefined: count(a.undefined, b.undefined)?,
        undefined_cases: count(a.undefined_cases, b.undefined_cases)?,
    })
}

/// Of one site its own value with Wald's interval; of several, random effects over those that have a variance:
/// DerSimonian and Laird's estimate, Hartung and Knapp's interval, never narrower than the normal one.
pub(crate) fn estimate(metric: &MetricId, p: &PerSite) -> Result<Estimate, MetricError> {
    let (low, high) = metric.spec.range;
    let mut n = p.undefined_cases;
    for s in &p.sites {
        n = count(n, s.n)?;
        if !(low..=high).contains(&s.value) || s.variance.is_some_and(|v| !v.is_finite() || v <= 0.0) {
            return Err(MetricError::Malformed("a site's value or variance is impossible".to_owned()));
        }
    }
    let clip = |[a, b]: [f64; 2]| [a.max(low), b.min(high)];
    let all = count(p.sites.len() as u64, p.undefined)?;
    if all <= 1 {
        let site = p.sites.first();
        let wald = |s: &SiteEstimate| {
            let half = Z * s.variance?.sqrt();
            Some(clip([s.value - half, s.value + half]))
        };
        return Ok(Estimate {
            value: site.map(|s| s.value),
            ci95: site.and_then(wald),
            bound: Some(0.0),
            n,
            undefined: p.undefined,
            pooling: None,
            quartiles: None,
        });
    }
    let weighed: Vec<(f64, f64)> = p.sites.iter().filter_map(|s| Some((s.value, s.variance?))).collect();
    let pooled = pooled(&weighed)?;
    Ok(Estimate {
        value: pooled.map(|(value, _)| value.clamp(low, high)),
        ci95: pooled.map(|(_, interval)| clip(interval)),
        bound: None,
        n,
        undefined: count(p.undefined, (p.sites.len() - weighed.len()) as u64)?,
        pooling: Some(Pooling::RandomEffects),
        quartiles: None,
    })
}

/// Value and interval of the sites of these values and variances; `None` for none.
fn pooled(sites: &[(f64, f64)]) -> Result<Option<(f64, [f64; 2])>, MetricError> {
    if let [(value, variance)] = sites {
        let half = Z * variance.sqrt();
        return Ok(Some((*value, [value - half, value + half])));
    }
    let (values, variances): (Vec<f64>, Vec<f64>) = sites.iter().copied().unzip();
    if values.is_empty() {
        return Ok(None);
    }
    let joined = SiteEstimates::new(&values, &variances)?.der_simonian_laird();
    Ok(joined.ok().map(|r| (r.estimate, r.hartung_knapp(HartungKnapp::AtLeastNormal, Confidence::P95))))
}
