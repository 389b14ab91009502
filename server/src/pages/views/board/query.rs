//! The order and the page of a leaderboard, as they stand in its address.

use crate::pages::views::format::url_part;
use crate::pages::views::metric::Column;
use fiel_schemas::leaderboard::{Leaderboard, Row};
use std::cmp::Ordering;

/// Rows on one page.
pub const PAGE_ROWS: usize = 50;

/// What the rows are ordered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The leaderboard's own order.
    Rank,
    /// Name of the tool.
    Tool,
    /// Pooled value of a metric.
    Metric(String),
    /// A site's own value of the primary metric.
    Site(String),
    /// Cases that failed.
    Failures,
    /// Seconds per case.
    Seconds,
}

/// A page of a leaderboard in some order. Equal queries have equal addresses and equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    /// What the rows are ordered by.
    pub key: Key,
    /// Worst first.
    pub reversed: bool,
    /// From 1.
    pub page: usize,
}

impl Query {
    /// Reads `?sort=` and `?page=`; what the board does not have falls back to its own order and nearest page.
    pub fn read(sort: Option<&str>, page: Option<usize>, board: &Leaderboard) -> Self {
        let sort = sort.unwrap_or("rank");
        let (name, reversed) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
        let key = match name {
            "tool" => Key::Tool,
            "failures" => Key::Failures,
            "seconds" => Key::Seconds,
            _ => match name.strip_prefix("site.") {
                Some(site) if board.leaderboard.iter().any(|r| r.sites.contains_key(site)) => {
                    Key::Site(site.to_owned())
                }
                None if board.leaderboard.iter().any(|r| r.metrics.contains_key(name)) => {
                    Key::Metric(name.to_owned())
                }
                _ => Key::Rank,
            },
        };
        let pages = pages(board.leaderboard.len());
        let reversed = reversed && (key != Key::Rank || name == "rank");
        Self { key, reversed, page: page.unwrap_or(1).clamp(1, pages) }
    }

    /// The query part of the address, empty for the first page in the board's own order.
    pub fn address(&self) -> String {
        let mut parts = Vec::new();
        if self.key != Key::Rank || self.reversed {
            let sign = if self.reversed { "-" } else { "" };
            parts.push(format!("sort={sign}{}", url_part(&self.key.name())));
        }
        if self.page > 1 {
            parts.push(format!("page={}", self.page));
        }
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }

    /// The address of the first page ordered by `key`: reversed where it is already ordered so.
    #[must_use]
    pub fn toggled(&self, key: &Key) -> Self {
        Self { key: key.clone(), reversed: self.key == *key && !self.reversed, page: 1 }
    }

    /// The same order on another page.
    #[must_use]
    pub fn at_page(&self, page: usize) -> Self {
        Self { page, ..self.clone() }
    }

    /// Rows of the whole board in this order. Rows without a value come last in both directions.
    pub fn order<'a>(&self, board: &'a Leaderboard) -> Vec<&'a Row> {
        let mut rows: Vec<&Row> = board.leaderboard.iter().collect();
        let primary = Column::of(&board.primary_metric);
        match &self.key {
            Key::Rank => self.sort(&mut rows, |row| row.rank.map(f64::from)),
            Key::Tool => {
                rows.sort_by(|a, b| {
                    let by_name = (a.submission.to_lowercase(), &a.version)
                        .cmp(&(b.submission.to_lowercase(), &b.version));
                    if self.reversed { by_name.reverse() } else { by_name }
                });
            }
            Key::Metric(id) => {
                let column = Column::of(id);
                self.sort(&mut rows, |row| Some(column.badness(row.metrics.get(id)?.value?)));
            }
            Key::Site(site) => self.sort(&mut rows, |row| {
                Some(primary.badness(row.sites.get(site)?.metrics.get(&primary.id)?.value?))
            }),
            Key::Failures => self.sort(&mut rows, |row| Some(failures(row) as f64)),
            Key::Seconds => self.sort(&mut rows, |row| row.case_s_p50),
        }
        rows
    }

    fn sort(&self, rows: &mut [&Row], key: impl Fn(&Row) -> Option<f64>) {
        rows.sort_by(|a, b| match (key(a), key(b)) {
            (Some(a), Some(b)) if self.reversed => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
    }
}

impl Key {
    /// The key as it stands in an address.
    pub fn name(&self) -> String {
        match self {
            Self::Rank => "rank".into(),
            Self::Tool => "tool".into(),
            Self::Metric(id) => id.clone(),
            Self::Site(site) => format!("site.{site}"),
            Self::Failures => "failures".into(),
            Self::Seconds => "seconds".into(),
        }
    }
}

/// Number of pages of a board, at least one.
pub fn pages(rows: usize) -> usize {
    rows.div_ceil(PAGE_ROWS).max(1)
}

/// Cases of a row that have no valid answer.
pub fn failures(row: &Row) -> u64 {
    row.cases.iter().filter(|(kind, _)| *kind != "ok").map(|(_, n)| n).sum()
}
