//! Technical metrics: from what runs cost at the sites to one value.
//!
//! Costs are measured by the engine and signed in the statement, so that they need no summary of their own. Times are
//! averaged over sites by their numbers of cases; they describe the sites' machines as well as the model.

use crate::registry::{MetricId, MetricTask};
use fiel_schemas::assessment::{Costs, Estimate};

/// What a run cost at a site.
#[derive(Debug, Clone, Copy)]
pub struct SiteCosts<'a> {
    /// The costs as the site signed them.
    pub costs: &'a Costs,
    /// Cases of the run, whatever their outcome.
    pub cases: u64,
}

impl MetricId {
    /// Whether the metric is computed from costs and not from answers.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    /// assert!(MetricId::parse("case_seconds_p50")?.is_technical());
    /// assert!(!MetricId::parse("dice")?.is_technical());
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn is_technical(&self) -> bool {
        self.spec.task == MetricTask::Technical
    }
}

/// A technical metric over sites; `None` for metrics of answers and where no site has reported a case. Cases of sites
/// that do not count what is asked for are `undefined`.
///
/// ```
/// use fiel_metrics::registry::MetricId;
/// use fiel_metrics::technical::{SiteCosts, pool};
/// use fiel_schemas::assessment::Costs;
///
/// let costs = |p50: f64| Costs {
///     load_s: 0.5, case_s_p50: p50, case_s_p95: 4.0, fuel: None, cpu_s: None, memory_mib_peak: None, output_mib: None,
/// };
/// let (a, b) = (costs(1.0), costs(3.0));
/// let sites = [SiteCosts { costs: &a, cases: 30 }, SiteCosts { costs: &b, cases: 10 }];
/// let value = |id: &str| pool(&MetricId::parse(id).unwrap(), 1 << 20, &sites).unwrap().value;
/// assert_eq!(value("case_seconds_p50"), Some(1.5));
/// assert_eq!(value("artifact_mib"), Some(1.0));
/// assert_eq!(value("memory_mib_peak"), None);
/// ```
pub fn pool(metric: &MetricId, artifact_bytes: u64, sites: &[SiteCosts<'_>]) -> Option<Estimate> {
    let n: u64 = sites.iter().map(|site| site.cases).sum();
    if n == 0 || !metric.is_technical() {
        return None;
    }
    let artifact = artifact_bytes as f64 / f64::from(1 << 20);
    // A site's own figure, with the number that it is weighted by.
    let counted = |figure: &dyn Fn(&Costs) -> Option<f64>| -> Vec<(f64, f64)> {
        let figures = sites.iter().filter(|site| site.cases > 0);
        figures.filter_map(|site| Some((figure(site.costs)?, site.cases as f64))).collect()
    };
    let mean = |figures: &[(f64, f64)]| {
        let cases: f64 = figures.iter().map(|(_, cases)| cases).sum();
        (cases > 0.0).then(|| figures.iter().map(|(value, weight)| value * weight).sum::<f64>() / cases)
    };
    let per_case = |figures: &[(f64, f64)]| {
        let cases: f64 = figures.iter().map(|(_, cases)| cases).sum();
        (cases > 0.0).then(|| figures.iter().map(|(total, _)| total).sum::<f64>() / cases)
    };
    let (figures, value) = match metric.spec.id {
        "case_seconds_p50" => with(counted(&|c| Some(c.case_s_p50)), mean),
        "case_seconds_p95" => with(counted(&|c| Some(c.case_s_p95)), mean),
        "load_seconds" => with(counted(&|c| Some(c.load_s)), mean),
        "cpu_seconds_per_case" => with(counted(&|c| c.cpu_s), per_case),
        "memory_mib_peak" => {
            with(counted(&|c| c.memory_mib_peak), |all| all.iter().map(|(mib, _)| *mib).reduce(f64::max))
        }
        "output_mib" => with(counted(&|c| c.output_mib), per_case),
        "fuel_per_case" => with(counted(&|c| c.fuel.map(|fuel| fuel as f64)), per_case),
        _ => with(counted(&|_| Some(artifact)), |_| Some(artifact)),
    };
    // A sum of case numbers, far below 2^53.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of numbers of cases")]
    let counted = figures.iter().map(|(_, cases)| *cases as u64).sum();
    Some(Estimate {
        value,
        ci95: None,
        bound: Some(0.0),
        n: counted,
        undefined: n - counted,
        pooling: None,
        quartiles: None,
    })
}

fn with(
    figures: Vec<(f64, f64)>,
    value: impl Fn(&[(f64, f64)]) -> Option<f64>,
) -> (Vec<(f64, f64)>, Option<f64>) {
    let value = value(&figures);
    (figures, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::all;

    fn costs(seconds: f64, counted: Option<f64>) -> Costs {
        Costs {
            load_s: 2.0 * seconds,
            case_s_p50: seconds,
            case_s_p95: 3.0 * seconds,
            fuel: counted.map(|_| 600),
            cpu_s: counted,
            memory_mib_peak: counted,
            output_mib: counted,
        }
    }

    #[test]
    fn every_technical_metric_has_a_value_and_a_rule() {
        let (a, b, silent) = (costs(1.0, Some(60.0)), costs(4.0, Some(30.0)), costs(1.0, None));
        let sites = [
            SiteCosts { costs: &a, cases: 20 },
            SiteCosts { costs: &b, cases: 10 },
            SiteCosts { costs: &silent, cases: 30 },
        ];
        let expected = [
            ("case_seconds_p50", 1.5, 0),
            ("case_seconds_p95", 4.5, 0),
            ("load_seconds", 3.0, 0),
            ("cpu_seconds_per_case", 3.0, 30),
            ("memory_mib_peak", 60.0, 30),
            ("output_mib", 3.0, 30),
            ("fuel_per_case", 40.0, 30),
            ("artifact_mib", 2.0, 0),
        ];
        let ids: Vec<&str> =
            all().filter(|spec| spec.task == MetricTask::Technical).map(|spec| spec.id).collect();
        assert_eq!(ids, expected.map(|(id, ..)| id));
        for (id, value, undefined) in expected {
            let metric = MetricId::parse(id).unwrap();
            let found = pool(&metric, 2 << 20, &sites).unwrap();
            assert_eq!(
                (found.value, found.n, found.undefined),
                (Some(value), 60 - undefined, undefined),
                "{id}"
            );
            assert!(pool(&metric, 1, &[]).is_none(), "{id}");
        }
        assert!(pool(&MetricId::parse("dice").unwrap(), 1, &sites).is_none());
    }
}
