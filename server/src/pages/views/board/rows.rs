//! One row of a leaderboard in words.

use super::whisker::Scale;
use super::{format, reasons};
use crate::pages::views::metric::Column;
use fiel_schemas::assessment::{Estimate, Pooling};
use fiel_schemas::leaderboard::{Leaderboard, Row, RowStability, SiteRow};

/// What all rows of a page share.
pub(super) struct Context<'a> {
    pub(super) board: &'a Leaderboard,
    pub(super) columns: &'a [Column],
    pub(super) sites: &'a [String],
    pub(super) scale: Option<Scale>,
    pub(super) best: Option<&'a Estimate>,
}

/// A number as shown and as it is.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) exact: String,
    pub(super) note: String,
}

pub(super) struct Failure {
    pub(super) n: u64,
    pub(super) words: &'static str,
    pub(super) kind: String,
}

/// Where a site's numbers come from.
pub(super) struct Origin {
    pub(super) site: String,
    pub(super) state: &'static str,
    pub(super) n: u64,
    pub(super) reference_set: String,
    pub(super) engine: String,
    pub(super) metrics_version: String,
    pub(super) statement: Option<String>,
}

/// A row as the template shows it.
pub(super) struct RowView {
    pub(super) rank: String,
    pub(super) rank_words: String,
    pub(super) tied: bool,
    pub(super) unranked: Option<String>,
    pub(super) close_to_best: bool,
    pub(super) tool: String,
    pub(super) version: String,
    pub(super) participant: String,
    pub(super) id: String,
    pub(super) primary: Option<Cell>,
    pub(super) interval: String,
    /// Stands where a metric has no value.
    pub(super) no_value: &'static str,
    pub(super) whisker: String,
    pub(super) others: Vec<Option<Cell>>,
    pub(super) sites: Vec<Result<Cell, &'static str>>,
    pub(super) cases: String,
    pub(super) failures: Vec<Failure>,
    pub(super) seconds: String,
    pub(super) artifact: String,
    pub(super) bound: String,
    /// How the primary metric was pooled, where the value is another quantity than the metric over all cases.
    pub(super) pooling: Option<&'static str>,
    pub(super) stability: String,
    pub(super) origins: Vec<Origin>,
}

impl RowView {
    pub(super) fn new(context: &Context<'_>, row: &Row) -> Self {
        let primary = row.metrics.get(&context.board.primary_metric);
        let column = &context.columns[0];
        let interval = primary.and_then(|e| Some((e.value?, e.ci95?)));
        let (rank, rank_words) = rank(row);
        Self {
            rank,
            rank_words,
            tied: row.tied && row.rank.is_some(),
            unranked: row.rank.is_none().then(|| {
                reasons::unranked(row.unranked.as_deref().unwrap_or("not every site has reported yet"))
            }),
            close_to_best: row.rank.is_some_and(|r| r > 1) && overlaps(primary, context.best),
            tool: row.submission.clone(),
            version: row.version.clone(),
            participant: row.participant.clone(),
            id: row.submission_id.clone(),
            primary: primary.and_then(|e| cell(e, column)),
            interval: interval.map_or_else(String::new, |(_, ci)| {
                format!("{} to {}", format::number(ci[0], 3), format::number(ci[1], 3))
            }),
            no_value: if row.metrics.is_empty() { "–" } else { "undefined" },
            whisker: match (interval, context.scale) {
                (Some((value, ci)), Some(scale)) => scale.draw(value, ci),
                _ => String::new(),
            },
            others: context.columns[1..]
                .iter()
                .map(|c| row.metrics.get(&c.id).and_then(|e| cell(e, c)))
                .collect(),
            sites: context.sites.iter().map(|site| site_cell(row.sites.get(site), column)).collect(),
            cases: format::count(row.cases.values().sum()),
            failures: row
                .cases
                .iter()
                .filter(|(kind, n)| *kind != "ok" && **n > 0)
                .map(|(kind, n)| Failure { n: *n, words: reasons::outcome(kind), kind: kind.clone() })
                .collect(),
            seconds: row.case_s_p50.map_or_else(|| "–".into(), format::seconds),
            artifact: row.artifact.clone(),
            bound: primary
                .and_then(|e| e.bound.filter(|b| *b > 0.0))
                .map_or_else(String::new, |bound| format!("{bound:.1e}")),
            pooling: primary.and_then(|e| e.pooling).map(pooling),
            stability: row.stability.as_ref().map_or_else(String::new, stability),
            origins: row.sites.iter().map(|(site, part)| origin(site, part)).collect(),
        }
    }

    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }
}

fn rank(row: &Row) -> (String, String) {
    match row.rank {
        Some(rank) if row.tied => (format!("={rank}"), format!("tied at rank {rank}")),
        Some(rank) => (rank.to_string(), format!("rank {rank}")),
        None => ("–".into(), "not ranked".into()),
    }
}

fn overlaps(a: Option<&Estimate>, b: Option<&Estimate>) -> bool {
    match (a.and_then(|e| e.ci95), b.and_then(|e| e.ci95)) {
        (Some(a), Some(b)) => a[0] <= b[1] && b[0] <= a[1],
        _ => false,
    }
}

fn cell(estimate: &Estimate, column: &Column) -> Option<Cell> {
    let value = estimate.value?;
    let mut note = estimate.ci95.map_or_else(String::new, |ci| {
        let (low, high) = (format::number(ci[0], column.decimals), format::number(ci[1], column.decimals));
        format!("95 % interval {low} to {high}, n = {}", estimate.n)
    });
    if let Some(way) = estimate.pooling {
        note = format!("{note}{}{}", if note.is_empty() { "" } else { "; " }, pooling(way));
    }
    if let Some([low, median, high]) = estimate.quartiles {
        let [low, median, high] = [low, median, high].map(|q| format::number(q.value, column.decimals));
        note = format!("{note}; median about {median}, quartiles about {low} and {high}");
    }
    if estimate.undefined > 0 {
        note = format!("{note}{}{} undefined", if note.is_empty() { "" } else { ", " }, estimate.undefined);
    }
    let text = format::estimate(estimate, column.decimals)?;
    Some(Cell { text, exact: value.to_string(), note })
}

fn pooling(way: Pooling) -> &'static str {
    match way {
        Pooling::RandomEffects => "random effects over the sites’ own values, not the metric over all cases",
    }
}

fn stability(found: &RowStability) -> String {
    let [low, high] = found.ranks;
    let ranks = if low == high { format!("rank {low}") } else { format!("ranks {low} to {high}") };
    format!("{ranks} in 95 % of replicates, group {}", found.group)
}

fn site_cell(part: Option<&SiteRow>, column: &Column) -> Result<Cell, &'static str> {
    let Some(part) = part else { return Err("No run") };
    let value = part.metrics.get(&column.id).and_then(|e| cell(e, column));
    value.ok_or_else(|| if part.state == "reported" { "Undefined" } else { reasons::state(&part.state) })
}

fn origin(site: &str, part: &SiteRow) -> Origin {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".into());
    Origin {
        site: site.to_owned(),
        state: reasons::state(&part.state),
        n: part.cases.values().sum(),
        reference_set: word(&part.reference_set_digest),
        engine: word(&part.engine),
        metrics_version: word(&part.metrics_version),
        statement: part.statement.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::pages::views::board::query::failures;

    #[test]
    fn failures_are_all_cases_but_the_measured_ones() {
        let row: fiel_schemas::leaderboard::Row = serde_json::from_value(serde_json::json!({
            "rank": null, "tied": false, "submission": "t", "version": "1", "submission_id": "s",
            "participant": "p", "artifact": "a", "metrics": {}, "sites": {},
            "cases": {"ok": 7, "crashed": 2, "timed-out": 1}, "case_s_p50": null
        }))
        .unwrap();
        assert_eq!(failures(&row), 3);
    }
}
