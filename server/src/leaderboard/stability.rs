//! How stable a ranking is, from the replicates that the sites sent.

use super::ranking::ranking_metrics;
use super::rows::Made;
use fiel_metrics::{MetricReplicates, ReplicatedRanking, registry};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::{RowStability, Stability};

/// Fewer replicates say nothing about 95 % of them.
const REPLICATES_MIN: usize = 40;

/// The board's stability and that of each ranked row, best first; `None` unless every site of at least two ranked rows
/// sent replicates in which all of them have a value.
pub(super) fn of(challenge: &Challenge, ranked: &[&Made]) -> Option<(Stability, Vec<RowStability>)> {
    if ranked.len() < 2 {
        return None;
    }
    let metrics: Vec<&String> = ranking_metrics(challenge).collect();
    let all = ranked.iter().map(|made| (made.replicates.len() == metrics.len()).then_some(&made.replicates));
    let all: Vec<&Vec<Vec<Option<f64>>>> = all.collect::<Option<_>>()?;
    let count = all.iter().flat_map(|metrics| metrics.iter().map(Vec::len)).min()?;
    let specs = metrics.iter().map(|id| registry::find(id)).collect::<Option<Vec<_>>>()?;
    // The same cases are missing for every submission where a replicate has no value.
    let known = |b: &usize| all.iter().all(|metrics| metrics.iter().all(|values| values[*b].is_some()));
    let usable: Vec<usize> = (0..count).filter(known).collect();
    if usable.len() < REPLICATES_MIN {
        return None;
    }
    let badness = |m: usize, b: usize| -> Vec<f64> {
        all.iter().filter_map(|metrics| metrics[m][b]).map(|v| specs[m].badness(v)).collect()
    };
    let full = |m: usize| -> Option<Vec<f64>> {
        let value = |made: &&Made| Some(specs[m].badness(made.row.metrics.get(metrics[m])?.value?));
        ranked.iter().map(value).collect()
    };
    let replicated = (0..metrics.len()).map(|m| {
        Some(MetricReplicates { full: full(m)?, replicates: usable.iter().map(|&b| badness(m, b)).collect() })
    });
    let ranking = ReplicatedRanking::new(&replicated.collect::<Option<Vec<_>>>()?).ok()?;
    let (kendall_tau, kendall_tau_ci95) = ranking.kendall_tau().ok()?;
    let groups = ranking.groups(&(0..ranked.len()).collect::<Vec<_>>());
    let row = |(i, group): (usize, u32)| RowStability {
        ranks: ranking.rank_range(i),
        first: ranking.share_first(i),
        lead: (i + 1 < ranked.len()).then(|| ranking.lead(i, i + 1)),
        group,
    };
    let board = Stability {
        replicates: u32::try_from(ranking.replicates()).unwrap_or(u32::MAX),
        submissions: ranked.len() as u64,
        kendall_tau,
        kendall_tau_ci95,
    };
    Some((board, groups.into_iter().enumerate().map(row).collect()))
}
