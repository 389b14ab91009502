//! A submission's results, as its leaderboard has them.

use super::layout::render;
use super::metric::Column;
use super::{format, reasons};
use askama::Template;
use fiel_schemas::assessment::Estimate;
use fiel_schemas::leaderboard::{Leaderboard, Row};

struct Line {
    name: String,
    better: String,
    pooled: String,
    exact: String,
    interval: String,
    sites: Vec<String>,
}

#[derive(Template)]
#[template(path = "entry.html")]
struct Entry<'a> {
    rank: String,
    sites: Vec<&'a str>,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "entry_public.html")]
struct PublicEntry<'a> {
    title: &'a str,
    board: &'a Leaderboard,
    row: &'a Row,
    results: String,
}

/// The table of results, where the board has any for this submission.
pub fn render_entry(board: &Leaderboard, id: &str) -> Option<String> {
    let row = board.leaderboard.iter().find(|r| r.submission_id == id)?;
    if row.metrics.is_empty() {
        return None;
    }
    let mut ids: Vec<&String> = row.metrics.keys().collect();
    ids.sort_by_key(|m| (**m != board.primary_metric, Column::rank_of(m)));
    let sites: Vec<&str> = row.sites.keys().map(String::as_str).collect();
    let lines = ids.into_iter().map(|metric| line(row, metric)).collect();
    Some(render(&Entry { rank: rank_words(row), sites, lines }))
}

/// The whole main part for people other than the participant.
pub fn render_public(title: &str, board: &Leaderboard, id: &str) -> Option<String> {
    let row = board.leaderboard.iter().find(|r| r.submission_id == id)?;
    Some(render(&PublicEntry { title, board, row, results: render_entry(board, id).unwrap_or_default() }))
}

fn rank_words(row: &Row) -> String {
    match (row.rank, &row.unranked) {
        (Some(rank), _) if row.tied => format!("Tied at rank {rank}."),
        (Some(rank), _) => format!("Rank {rank}."),
        (None, Some(reason)) => format!("Not ranked: {}.", reasons::unranked(reason).trim_end_matches('.')),
        (None, None) => "Not ranked yet.".into(),
    }
}

fn line(row: &Row, metric: &str) -> Line {
    let column = Column::of(metric);
    let text = |estimate: Option<&Estimate>| {
        let text = estimate.and_then(|e| format::estimate(e, column.decimals));
        text.unwrap_or_else(|| "undefined".into())
    };
    let pooled = row.metrics.get(metric);
    let interval = pooled.and_then(|e| e.ci95).map_or_else(String::new, |ci| {
        format!("{} to {}", format::number(ci[0], column.decimals), format::number(ci[1], column.decimals))
    });
    Line {
        better: column.better_words(),
        pooled: text(pooled),
        exact: pooled.and_then(|e| e.value).map(|v| v.to_string()).unwrap_or_default(),
        interval,
        sites: row
            .sites
            .values()
            .map(|s| s.metrics.get(metric).map_or_else(|| "–".into(), |e| text(Some(e))))
            .collect(),
        name: if column.unit.is_empty() { column.name } else { format!("{}, {}", column.name, column.unit) },
    }
}
