//! Tables for people.

use comfy_table::{Table, presets};
use fiel_schemas::assessment::{Estimate, Pooling};
use fiel_schemas::leaderboard::{Leaderboard, Row};
use std::collections::{BTreeMap, BTreeSet};

/// A table with thin lines.
pub(crate) fn table(header: impl IntoIterator<Item = impl Into<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
    table
}

/// A leaderboard: rank, primary metric, the sites' own values, failures, seconds; then the other metrics.
pub(crate) fn leaderboard(board: &Leaderboard) -> String {
    let mut parts = vec![format!("{} {} · phase {}", board.challenge, board.challenge_version, board.phase)];
    parts.push(ranking(board));
    for row in &board.leaderboard {
        let failed = failures(&row.cases);
        let why = row.unranked.as_deref().map(|why| format!("not ranked: {why}"));
        let remarks: Vec<String> = failed.into_iter().chain(why).collect();
        if !remarks.is_empty() {
            parts.push(format!("  {}: {}", row.submission, remarks.join("; ")));
        }
    }
    if !other_metrics(board).is_empty() {
        parts.push(further_metrics(board));
    }
    parts.join("\n")
}

fn ranking(board: &Leaderboard) -> String {
    let primary = board.primary_metric.as_str();
    let sites: BTreeSet<&str> =
        board.leaderboard.iter().flat_map(|row| row.sites.keys().map(String::as_str)).collect();
    let is_stable = board.stability.is_some();
    let mut header = vec!["rank".into(), "submission".into(), format!("{primary} [95 % CI]")];
    header.extend(sites.iter().map(ToString::to_string));
    if is_stable {
        header.push("ranks in 95 %".into());
    }
    header.extend(["cases".into(), "failed".into(), "s/case".into()]);
    let mut table = table(header);
    for row in &board.leaderboard {
        let mut line = vec![rank(row), row.submission.clone(), with_interval(row.metrics.get(primary))];
        line.extend(sites.iter().map(|site| at_site(row, site, primary)));
        if is_stable {
            let ranks = row.stability.as_ref().map(|s| s.ranks);
            line.push(ranks.map_or("-".into(), |[low, high]| format!("{low}-{high}")));
        }
        let all: u64 = row.cases.values().sum();
        line.push(all.to_string());
        line.push((all - row.cases.get("ok").copied().unwrap_or(0)).to_string());
        line.push(row.case_s_p50.map_or("-".into(), |s| format!("{s:.4}")));
        table.add_row(line);
    }
    table.trim_fmt()
}

fn further_metrics(board: &Leaderboard) -> String {
    let others = other_metrics(board);
    let header = std::iter::once("submission").chain(others.iter().map(|m| shorter(m)));
    let mut table = table(header);
    for row in &board.leaderboard {
        let values = others.iter().map(|m| value(row.metrics.get(*m)));
        table.add_row(std::iter::once(row.submission.clone()).chain(values).collect::<Vec<_>>());
    }
    table.trim_fmt()
}

/// Metrics other than the primary one, as the rows carry them.
fn other_metrics(board: &Leaderboard) -> Vec<&str> {
    let all: BTreeSet<&str> =
        board.leaderboard.iter().flat_map(|row| row.metrics.keys().map(String::as_str)).collect();
    all.into_iter().filter(|m| *m != board.primary_metric).collect()
}

/// A metric's name where a column is narrow.
fn shorter(metric: &str) -> &str {
    match metric {
        "average_precision" => "AP",
        "sensitivity@specificity=0.95" => "sens@spec=0.95",
        "calibration_slope" => "slope",
        "calibration_intercept" => "intercept",
        other => other,
    }
}

fn rank(row: &Row) -> String {
    match row.rank {
        Some(rank) if row.tied => format!("{rank}="),
        Some(rank) => rank.to_string(),
        None => "-".into(),
    }
}

fn at_site(row: &Row, site: &str, metric: &str) -> String {
    match row.sites.get(site) {
        Some(own) if own.state == "reported" => value(own.metrics.get(metric)),
        Some(own) => own.state.clone(),
        None => "-".into(),
    }
}

/// Failed cases by kind; `None` where every case has a valid answer.
fn failures(cases: &BTreeMap<String, u64>) -> Option<String> {
    let failed = cases.iter().filter(|(kind, n)| *kind != "ok" && **n > 0);
    let text: Vec<String> = failed.map(|(kind, n)| format!("{n} {kind}")).collect();
    (!text.is_empty()).then(|| text.join(", "))
}

/// A value with four decimals, `(RE)` after it where it was pooled by random effects; `undefined` where there is none.
pub(crate) fn value(estimate: Option<&Estimate>) -> String {
    let Some(estimate) = estimate else { return "-".into() };
    match (estimate.value, estimate.pooling) {
        (Some(value), None) => format!("{value:.4}"),
        (Some(value), Some(Pooling::RandomEffects)) => format!("{value:.4} (RE)"),
        (None, _) => "undefined".into(),
    }
}

/// A value with its interval.
pub(crate) fn with_interval(estimate: Option<&Estimate>) -> String {
    match estimate.and_then(|e| e.ci95) {
        Some([low, high]) => format!("{} [{low:.4}, {high:.4}]", value(estimate)),
        None => value(estimate),
    }
}
