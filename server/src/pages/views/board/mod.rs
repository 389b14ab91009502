//! The leaderboard as a page: what each row shows, already in words and rounded.

pub mod query;
mod rows;
pub mod whisker;

use self::query::{Key, PAGE_ROWS, Query, pages};
use self::rows::RowView;
use super::layout::render;
use super::metric::{Better, Column};
use super::{format, reasons};
use askama::Template;
use fiel_schemas::assessment::Pooling;
use fiel_schemas::leaderboard::{Leaderboard, Stability};
use whisker::Scale;

/// A heading that orders the table.
struct Heading {
    label: String,
    long: String,
    note: String,
    arrow: String,
    class: &'static str,
    href: String,
    sorted: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "leaderboard.html")]
struct BoardPage<'a> {
    title: &'a str,
    board: &'a Leaderboard,
    updated: String,
    updated_iso: String,
    headings: Vec<Heading>,
    metric_columns: usize,
    site_columns: usize,
    rows: Vec<RowView>,
    first: usize,
    total: usize,
    page: usize,
    pages: usize,
    previous: Option<String>,
    next: Option<String>,
    primary: String,
    ranked_by: String,
    any_close: bool,
    any_tie: bool,
    any_random_effects: bool,
    stability: Option<StabilityView>,
}

/// How stable the ranking is, rounded.
struct StabilityView {
    replicates: u32,
    tau: String,
    range: String,
}

impl StabilityView {
    fn new(found: &Stability) -> Self {
        let [low, high] = found.kendall_tau_ci95;
        Self {
            replicates: found.replicates,
            tau: format::number(found.kendall_tau, 2),
            range: format!("{} to {}", format::number(low, 2), format::number(high, 2)),
        }
    }
}

/// The main part of a leaderboard's page.
pub fn render_board(title: &str, board: &Leaderboard, query: &Query) -> String {
    let columns = metric_columns(board);
    let sites = site_ids(board);
    let ordered = query.order(board);
    let start = (query.page - 1) * PAGE_ROWS;
    let shown: Vec<_> = ordered.iter().skip(start).take(PAGE_ROWS).copied().collect();
    let best = board.leaderboard.iter().find(|r| r.rank == Some(1));
    let best_estimate = best.and_then(|r| r.metrics.get(&board.primary_metric));
    let intervals = shown.iter().filter_map(|r| r.metrics.get(&board.primary_metric)?.ci95);
    let scale = Scale::covering(intervals, best_estimate.and_then(|e| e.value));
    let context = rows::Context { board, columns: &columns, sites: &sites, scale, best: best_estimate };
    let rows: Vec<RowView> = shown.iter().map(|row| RowView::new(&context, row)).collect();
    let base = format!("/challenges/{}/leaderboard", format::url_part(&board.challenge));
    let page_count = pages(board.leaderboard.len());
    let link = |page: usize| format!("{base}{}", query.at_page(page).address());
    render(&BoardPage {
        title,
        board,
        updated: board.updated_at.as_ref().map(format::date_time).unwrap_or_default(),
        updated_iso: board.updated_at.as_ref().map(format::iso).unwrap_or_default(),
        headings: headings(&base, query, &columns, &sites),
        metric_columns: columns.len().saturating_sub(1),
        site_columns: sites.len(),
        first: start + 1,
        total: board.leaderboard.len(),
        page: query.page,
        pages: page_count,
        previous: (query.page > 1).then(|| link(query.page - 1)),
        next: (query.page < page_count).then(|| link(query.page + 1)),
        primary: columns.first().map(|c| c.name.clone()).unwrap_or_default(),
        ranked_by: ranked_by(board, &columns),
        any_close: rows.iter().any(|r| r.close_to_best),
        any_tie: rows.iter().any(|r| r.tied),
        any_random_effects: board
            .leaderboard
            .iter()
            .any(|r| r.metrics.values().any(|e| e.pooling == Some(Pooling::RandomEffects))),
        stability: board.stability.as_ref().map(StabilityView::new),
        rows,
    })
}

/// A short table of the best rows, for the challenge's page.
#[derive(Template)]
#[template(path = "leaderboard_top.html")]
struct TopTable {
    heading: String,
    long: String,
    note: String,
    rows: Vec<RowView>,
}

/// The best rows of a board.
pub fn render_top(board: &Leaderboard, rows_max: usize) -> String {
    let columns = metric_columns(board);
    let shown: Vec<_> = board.leaderboard.iter().filter(|r| r.rank.is_some()).take(rows_max).collect();
    let best = shown.first().and_then(|r| r.metrics.get(&board.primary_metric));
    let intervals = shown.iter().filter_map(|r| r.metrics.get(&board.primary_metric)?.ci95);
    let scale = Scale::covering(intervals, best.and_then(|e| e.value));
    let context = rows::Context { board, columns: &columns, sites: &[], scale, best };
    let primary = Column::of(&board.primary_metric);
    render(&TopTable {
        heading: format!("{} {}", primary.short, primary.arrow()),
        note: primary.better_words(),
        long: primary.name,
        rows: shown.iter().map(|row| RowView::new(&context, row)).collect(),
    })
}

/// What orders the rows, in words.
fn ranked_by(board: &Leaderboard, columns: &[Column]) -> String {
    let primary = columns.first().map(|c| c.name.clone()).unwrap_or_default();
    if board.leaderboard.iter().any(|r| r.mean_rank.is_some()) {
        return format!("the mean of the ranks in {primary} and the other ranking metrics");
    }
    primary
}

/// The primary metric first, then the others in the house's usual order.
fn metric_columns(board: &Leaderboard) -> Vec<Column> {
    let mut ids: Vec<&str> = vec![&board.primary_metric];
    for row in &board.leaderboard {
        for id in row.metrics.keys() {
            if !ids.contains(&id.as_str()) {
                ids.push(id);
            }
        }
    }
    ids[1..].sort_by_key(|id| Column::rank_of(id));
    ids.into_iter().map(Column::of).collect()
}

fn site_ids(board: &Leaderboard) -> Vec<String> {
    let mut ids: Vec<String> = board.leaderboard.iter().flat_map(|r| r.sites.keys().cloned()).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn headings(base: &str, query: &Query, columns: &[Column], sites: &[String]) -> Vec<Heading> {
    let heading = |key: Key, label: &str, class: &'static str, better: Better| {
        let is_sorted = query.key == key;
        // Best first means descending numbers where higher is better; nearness has no numeric direction.
        let sorted = is_sorted.then_some(match (better, query.reversed) {
            (Better::Higher, false) | (Better::Lower, true) => "descending",
            (Better::Lower, false) | (Better::Higher, true) => "ascending",
            (Better::Near(_), _) => "other",
        });
        Heading {
            label: label.to_owned(),
            long: String::new(),
            note: String::new(),
            arrow: String::new(),
            class,
            href: format!("{base}{}", query.toggled(&key).address()),
            sorted,
        }
    };
    let mut out = vec![
        heading(Key::Rank, "Rank", "rank", Better::Lower),
        heading(Key::Tool, "Tool", "tool", Better::Lower),
    ];
    for (index, column) in columns.iter().enumerate() {
        let class = if index == 0 { "num primary" } else { "num" };
        let mut cell = heading(Key::Metric(column.id.clone()), &column.short, class, column.better);
        cell.long.clone_from(&column.name);
        cell.note = column.better_words();
        cell.arrow = column.arrow();
        if !column.unit.is_empty() {
            cell.label = format!("{} ({})", column.short, column.unit);
        }
        out.push(cell);
    }
    for site in sites {
        let better = columns.first().map_or(Better::Higher, |c| c.better);
        out.push(heading(Key::Site(site.clone()), site, "num site", better));
    }
    out.push(heading(Key::Failures, "Cases", "cases", Better::Lower));
    out.push(heading(Key::Seconds, "Time per case", "num", Better::Lower));
    out
}
