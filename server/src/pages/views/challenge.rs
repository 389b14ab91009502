//! A challenge's page.

use super::layout::render;
use super::metric::Column;
use super::{format, markdown};
use askama::Template;
use chrono::{DateTime, Utc};
use fiel_metrics::registry::MetricSpec;
use fiel_schemas::challenge::{Challenge, FailedCases, Phase, Port, PortKind, Task};

/// A task in words.
pub fn task_words(task: Task) -> &'static str {
    match task {
        Task::Classification => "Classification",
        Task::Segmentation => "Segmentation",
    }
}

/// What a port's file holds, in words.
fn kind_words(port: &Port) -> &'static str {
    match port.kind {
        PortKind::Table => "CSV table, a header and one row",
        PortKind::Image => "NIfTI-1 image, uncompressed",
        PortKind::Mask => "NIfTI-1 mask, uncompressed, unsigned 8-bit, on the input’s grid",
    }
}

/// True while the phase accepts submissions.
pub fn is_open(phase: &Phase, now: DateTime<Utc>) -> bool {
    phase.opens <= now && phase.closes.is_none_or(|closes| now < closes)
}

/// The phase's dates in words.
pub fn phase_words(phase: &Phase, now: DateTime<Utc>) -> String {
    match phase.closes {
        _ if now < phase.opens => format!("opens {}", format::date(&phase.opens)),
        Some(closes) if now < closes => format!("open until {}", format::date(&closes)),
        Some(closes) => format!("closed {}", format::date(&closes)),
        None => "open".into(),
    }
}

struct PhaseView {
    title: String,
    state: String,
    open: bool,
    quota: String,
    left: Option<u64>,
}

struct PortView {
    folder: &'static str,
    path: String,
    kind: &'static str,
    description: String,
    columns: String,
    column_count: usize,
}

struct MetricView {
    column: Column,
    is_primary: bool,
    undefined: String,
    reference: &'static str,
}

/// What the page needs beyond the definition.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// README, Markdown.
    pub readme: String,
    /// Definition's digest.
    pub digest: String,
    /// Submissions left for the signed-in person, per phase in the definition's order.
    pub left: Vec<Option<u64>>,
    /// Rendered table of the best rows.
    pub top: String,
    /// Rendered plots, empty where the task has none.
    pub curves: String,
    /// Sites and the digests of their reference sets.
    pub sites: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "challenge.html")]
struct ChallengePage<'a> {
    challenge: &'a Challenge,
    extras: &'a Extras,
    task: &'static str,
    overview: String,
    data: String,
    phases: Vec<PhaseView>,
    ports: Vec<PortView>,
    metrics: Vec<MetricView>,
    case_time: String,
    failed_cases: &'static str,
    failed_percent: String,
    is_open: bool,
    /// The metrics whose ranks are averaged, in words.
    mean_rank: Option<String>,
}

/// `Dice, NSD 1 mm and HD95`, where several metrics order submissions.
fn mean_rank_words(challenge: &Challenge) -> Option<String> {
    let (last, others) = challenge.ranking.mean_rank_with.split_last()?;
    let mut first = vec![Column::of(&challenge.ranking.metric).short];
    first.extend(others.iter().map(|id| Column::of(id).short));
    Some(format!("{} and {}", first.join(", "), Column::of(last).short))
}

/// The main part of a challenge's page.
pub fn render_challenge(challenge: &Challenge, extras: &Extras, now: DateTime<Utc>) -> String {
    let phases = challenge.phases.iter().enumerate().map(|(index, phase)| PhaseView {
        title: phase.title.clone(),
        state: phase_words(phase, now),
        open: is_open(phase, now),
        quota: quota_words(phase),
        left: extras.left.get(index).copied().flatten(),
    });
    let ports = |folder: &'static str, ports: &[Port]| -> Vec<PortView> {
        ports
            .iter()
            .map(|port| PortView {
                folder,
                path: port.path.clone(),
                kind: kind_words(port),
                description: port.description.clone(),
                columns: port.columns.join(", "),
                column_count: port.columns.len(),
            })
            .collect()
    };
    let mut all_ports = ports("/input", &challenge.interface.inputs);
    all_ports.extend(ports("/output", &challenge.interface.outputs));
    let metrics = challenge.metrics.iter().map(|id| {
        let spec = fiel_metrics::registry::find(id);
        MetricView {
            column: Column::of(id),
            is_primary: *id == challenge.ranking.metric || challenge.ranking.mean_rank_with.contains(id),
            undefined: spec.map_or_else(String::new, MetricSpec::undefined_words),
            reference: spec.map_or("", |s| s.reference),
        }
    });
    render(&ChallengePage {
        task: task_words(challenge.task),
        overview: markdown::render_readme(&extras.readme),
        data: markdown::render(&challenge.data.description),
        phases: phases.collect(),
        ports: all_ports,
        metrics: metrics.collect(),
        case_time: format::seconds(challenge.limits.case_ms as f64 / 1e3),
        failed_cases: match challenge.ranking.failed_cases {
            FailedCases::Exclude => "is left out of the metrics, counted and shown",
            FailedCases::Worst => "counts as the worst possible answer, and is shown",
        },
        failed_percent: format::number(challenge.ranking.max_failed_fraction * 100.0, 0),
        is_open: challenge.phases.iter().any(|p| is_open(p, now)),
        mean_rank: mean_rank_words(challenge),
        challenge,
        extras,
    })
}

/// A phase's quota in words.
pub fn quota_words(phase: &Phase) -> String {
    let window = match phase.quota.days {
        1 => "day".to_owned(),
        days => format!("{days} days"),
    };
    format!("{} per {window}", phase.quota.submissions)
}
