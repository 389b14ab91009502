//! Ranking: sums over sites, who is ranked, in which order, who ties.

use super::rows::Made;
use super::stability;
use crate::error::Error;
use fiel_metrics::registry;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::{Row, Stability};
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn index(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}

/// Cases by outcome over all sites, for every row at once.
fn cases(made: &[&Made]) -> Result<Vec<BTreeMap<String, u64>>, PolarsError> {
    let (mut rows, mut outcomes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (i, m) in made.iter().enumerate() {
        for (outcome, n) in &m.outcomes {
            rows.push(index(i));
            outcomes.push(outcome.as_str());
            counts.push(*n);
        }
    }
    let mut all = vec![BTreeMap::new(); made.len()];
    if rows.is_empty() {
        return Ok(all);
    }
    let sums = df!("row" => rows, "outcome" => outcomes, "n" => counts)?
        .lazy()
        .group_by([col("row"), col("outcome")])
        .agg([col("n").sum()])
        .collect()?;
    let (row, outcome, n) =
        (sums.column("row")?.u32()?, sums.column("outcome")?.str()?, sums.column("n")?.u64()?);
    for i in 0..sums.height() {
        if let (Some(row), Some(outcome), Some(n)) = (row.get(i), outcome.get(i), n.get(i)) {
            all[row as usize].insert(outcome.to_owned(), n);
        }
    }
    Ok(all)
}

/// The median over sites of the median seconds per case, for every row at once.
fn seconds(made: &[&Made]) -> Result<Vec<Option<f64>>, PolarsError> {
    let (rows, values): (Vec<u32>, Vec<f64>) =
        made.iter().enumerate().flat_map(|(i, m)| m.case_s.iter().map(move |s| (index(i), *s))).unzip();
    let mut all = vec![None; made.len()];
    if rows.is_empty() {
        return Ok(all);
    }
    let medians = df!("row" => rows, "s" => values)?
        .lazy()
        .group_by([col("row")])
        .agg([col("s").median()])
        .collect()?;
    let (row, s) = (medians.column("row")?.u32()?, medians.column("s")?.f64()?);
    for i in 0..medians.height() {
        if let Some(row) = row.get(i) {
            all[row as usize] = s.get(i);
        }
    }
    Ok(all)
}

/// Why a row is not ranked; `None` where it is.
fn unranked(
    challenge: &Challenge,
    row: &Row,
    reported: &[String],
    needed: &BTreeSet<&String>,
) -> Option<String> {
    if row.unranked.is_some() {
        return row.unranked.clone();
    }
    let missing: Vec<String> = needed
        .iter()
        .filter(|c| !reported.contains(c))
        .map(|c| match row.sites.get(*c) {
            Some(site) => format!("{c} ({})", site.state),
            None => (*c).clone(),
        })
        .collect();
    if !missing.is_empty() {
        return Some(format!("not measured at {}", missing.join(", ")));
    }
    let total: u64 = row.cases.values().sum();
    let failed = total - row.cases.get("ok").copied().unwrap_or(0);
    let fraction_max = challenge.ranking.max_failed_fraction;
    if total > 0 && failed as f64 / total as f64 > fraction_max {
        return Some(format!("{failed} of {total} cases failed; at most {:.0} % may", fraction_max * 100.0));
    }
    let undefined = ranking_metrics(challenge).find(|id| value_of(row, id).is_none());
    undefined.map(|id| format!("{id} is undefined"))
}

/// The metrics that order submissions, the primary one first.
pub(super) fn ranking_metrics(challenge: &Challenge) -> impl Iterator<Item = &String> {
    std::iter::once(&challenge.ranking.metric).chain(&challenge.ranking.mean_rank_with)
}

/// A row's value of a metric with its numeric bound; none is known of values pooled by random effects, which tie only
/// where they are equal.
fn value_of(row: &Row, metric: &str) -> Option<(f64, f64)> {
    let estimate = row.metrics.get(metric)?;
    Some((estimate.value.filter(|v| v.is_finite())?, estimate.bound.unwrap_or(0.0)))
}

/// The order of the ranked rows, best first; equal values by age of the submission.
fn order(values: &[f64], rows: &[u32], best_first_descending: bool) -> Result<Vec<u32>, PolarsError> {
    let sorted = df!("row" => rows, "value" => values)?
        .lazy()
        .sort_by_exprs(
            [col("value"), col("row")],
            SortMultipleOptions::default().with_order_descending_multi([best_first_descending, false]),
        )
        .collect()?;
    Ok(sorted.column("row")?.u32()?.into_no_null_iter().collect())
}

/// Competition ranks in the given order: a row ties with the first of its group where their values differ by no more
/// than the sum of their bounds.
fn competition(values: &[(f64, f64)]) -> Vec<(u32, bool)> {
    let mut ranks: Vec<(u32, bool)> = Vec::with_capacity(values.len());
    let mut leader = 0;
    for (i, (value, bound)) in values.iter().enumerate() {
        let (first, first_bound) = values[leader];
        if i > 0 && (value - first).abs() <= bound + first_bound {
            ranks[leader].1 = true;
            ranks.push((index(leader) + 1, true));
        } else {
            leader = i;
            ranks.push((index(i) + 1, false));
        }
    }
    ranks
}

/// Competition ranks with whether each is shared.
type Ranks = Vec<(u32, bool)>;

/// The rows in the order of one metric, with their competition ranks.
fn ranked(rows: &[Row], candidates: &[u32], metric: &str) -> Result<(Vec<u32>, Ranks), Error> {
    let spec = registry::find(metric).ok_or_else(|| Error::internal(format!("no metric {metric}")))?;
    let value = |i: &u32| value_of(&rows[*i as usize], metric).unwrap_or((f64::NAN, 0.0));
    let badness: Vec<f64> = candidates.iter().map(|i| spec.badness(value(i).0)).collect();
    let order = order(&badness, candidates, false).map_err(Error::internal)?;
    let ordered: Vec<(f64, f64)> = order.iter().map(|i| (spec.badness(value(i).0), value(i).1)).collect();
    Ok((order, competition(&ordered)))
}

/// Ranked rows first, best first; then the others by age; and how stable the ranking is.
pub(super) fn rank(challenge: &Challenge, made: &[&Made]) -> Result<(Vec<Row>, Option<Stability>), Error> {
    let needed: BTreeSet<&String> = made.iter().flat_map(|m| &m.reported).collect();
    let cases = cases(made).map_err(Error::internal)?;
    let seconds = seconds(made).map_err(Error::internal)?;
    let mut rows: Vec<Row> = Vec::with_capacity(made.len());
    for ((m, cases), case_s) in made.iter().zip(cases).zip(seconds) {
        let mut row = m.row.clone();
        row.cases = cases;
        row.case_s_p50 = case_s;
        row.unranked = unranked(challenge, &row, &m.reported, &needed);
        rows.push(row);
    }
    let candidates: Vec<u32> = (0..rows.len()).filter(|i| rows[*i].unranked.is_none()).map(index).collect();
    let metrics: Vec<&String> = ranking_metrics(challenge).collect();
    let (order, ranks) = if metrics.len() == 1 {
        ranked(&rows, &candidates, metrics[0])?
    } else {
        let mut sums = vec![0.0; rows.len()];
        for metric in &metrics {
            let (order, ranks) = ranked(&rows, &candidates, metric)?;
            order.iter().zip(ranks).for_each(|(i, (rank, _))| sums[*i as usize] += f64::from(rank));
        }
        let mean = |i: &u32| sums[*i as usize] / metrics.len() as f64;
        for i in &candidates {
            rows[*i as usize].mean_rank = Some(mean(i));
        }
        let means: Vec<f64> = candidates.iter().map(mean).collect();
        let order = order(&means, &candidates, false).map_err(Error::internal)?;
        let ranks = competition(&order.iter().map(|i| (mean(i), 0.0)).collect::<Vec<_>>());
        (order, ranks)
    };
    for (i, (rank, tied)) in order.iter().zip(ranks) {
        rows[*i as usize].rank = Some(rank);
        rows[*i as usize].tied = tied;
    }
    let ordered: Vec<&Made> = order.iter().map(|i| made[*i as usize]).collect();
    let stability = stability::of(challenge, &ordered).map(|(board, found)| {
        for (i, stability) in order.iter().zip(found) {
            rows[*i as usize].stability = Some(stability);
        }
        board
    });
    let mut slots: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let mut sorted: Vec<Row> = order.iter().filter_map(|i| slots[*i as usize].take()).collect();
    sorted.extend(slots.into_iter().flatten());
    Ok((sorted, stability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_within_their_bounds_share_the_rank_of_their_leader() {
        let ranks =
            competition(&[(0.9, 0.0), (0.8, 0.01), (0.79, 0.01), (0.77, 0.005), (0.5, 0.0), (0.5, 0.0)]);
        assert_eq!(ranks, [(1, false), (2, true), (2, true), (4, false), (5, true), (5, true)]);
    }

    #[test]
    fn equal_values_stay_in_the_order_of_their_submission() {
        assert_eq!(order(&[0.5, 0.9, 0.5], &[0, 1, 2], true).unwrap(), [1, 0, 2]);
        assert_eq!(order(&[0.5, 0.9, 0.5], &[3, 4, 5], false).unwrap(), [3, 5, 4]);
    }
}
