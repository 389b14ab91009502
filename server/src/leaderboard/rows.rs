//! One row: its sites' results and their pooled values.

use super::ranking::ranking_metrics;
use super::{Entry, RunPart};
use chrono::{DateTime, Utc};
use fiel_metrics::registry::MetricId;
use fiel_metrics::technical::{self, SiteCosts};
use fiel_schemas::assessment::{Assessment, Estimate};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::{Row, SiteRow};
use fiel_schemas::summary::Summary;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A row before ranking, with what ranking needs.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// The row; rank, ties, cases and times are filled in by ranking.
    pub(super) row: Row,
    /// Pooled summaries per metric.
    pub(super) pooled: Arc<BTreeMap<String, Summary>>,
    /// The ranking metrics in each replicate, the primary one first; empty unless every site that reported sent them.
    pub(super) replicates: Vec<Vec<Option<f64>>>,
    /// Cases by outcome per site.
    pub(super) outcomes: Vec<(String, u64)>,
    /// Median seconds per case at each site.
    pub(super) case_s: Vec<f64>,
    /// Columns whose run has reported.
    pub(super) reported: Vec<String>,
    /// When the newest assessment arrived.
    pub(super) received_at: Option<DateTime<Utc>>,
}

/// Rows by submission, kept between builds.
#[derive(Debug, Default)]
pub(crate) struct Rows(HashMap<String, (String, Made)>);

impl Rows {
    pub(super) fn keep(&mut self, alive: &HashSet<String>) {
        self.0.retain(|id, _| alive.contains(id));
    }

    pub(super) fn put(&mut self, entry: &Entry, made: Made) {
        self.0.insert(entry.submission.id.clone(), (entry.fingerprint.clone(), made));
    }

    pub(super) fn get(&self, submission: &str) -> Option<&Made> {
        self.0.get(submission).map(|(_, made)| made)
    }

    /// Fingerprints of the rows that are kept.
    pub(crate) fn fingerprints(&self) -> HashMap<String, String> {
        self.0.iter().map(|(id, (fingerprint, _))| (id.clone(), fingerprint.clone())).collect()
    }

    /// Pooled summaries of every row.
    pub(crate) fn pooled(&self) -> HashMap<String, Arc<BTreeMap<String, Summary>>> {
        self.0.iter().map(|(id, (_, made))| (id.clone(), made.pooled.clone())).collect()
    }
}

fn pool(metric: &str, entry: &Entry) -> Option<(Summary, Estimate)> {
    let mut summaries =
        entry.runs.iter().filter_map(|r| Some(&r.assessment.as_ref()?.1.metrics.get(metric)?.summary));
    let first = summaries.next()?.clone();
    let merged = summaries.try_fold(first, |a, b| fiel_metrics::merge(&a, b));
    // Summaries are checked when they are accepted; a failure here concerns one cell and must not hide the board.
    let outcome = merged.and_then(|m| fiel_metrics::estimate(metric, &m).map(|e| (m, e)));
    outcome
        .inspect_err(|error| {
            tracing::error!(submission = %entry.submission.id, metric, %error, "summaries do not pool");
        })
        .ok()
}

/// A technical metric from the costs of these assessments; `None` for any other metric.
fn technical<'a>(id: &str, entry: &Entry, of: impl Iterator<Item = &'a Assessment>) -> Option<Estimate> {
    let metric = MetricId::parse(id).ok()?;
    let costs: Vec<SiteCosts<'_>> =
        of.map(|a| SiteCosts { costs: &a.costs, cases: a.cases.values().sum() }).collect();
    technical::pool(&metric, entry.submission.artifact.size, &costs)
}

/// A metric in each replicate over all sites; `None` unless every site that reported sent replicates.
fn pool_replicates(metric: &str, entry: &Entry, summary: &Summary) -> Option<Vec<Option<f64>>> {
    let assessed = entry.runs.iter().filter_map(|r| r.assessment.as_ref());
    let mut all = assessed.map(|(_, a)| a.metrics.get(metric)?.replicates.as_ref());
    let first = all.next()??.clone();
    let merged = all.try_fold(first, |a, b| fiel_metrics::merge_replicates(&a, b?).ok())?;
    fiel_metrics::replicate_values(metric, summary, &merged).ok()
}

fn site_row(challenge: &Challenge, entry: &Entry, run: &RunPart) -> SiteRow {
    let mut row = SiteRow {
        state: run.state.clone(),
        metrics: BTreeMap::new(),
        cases: BTreeMap::new(),
        statement: None,
        reference_set_digest: run.reference_set_digest.clone(),
        engine: None,
        metrics_version: None,
    };
    if let Some((digest, assessment)) = &run.assessment {
        row.metrics = assessment.metrics.iter().map(|(id, m)| (id.clone(), m.estimate.clone())).collect();
        let costs = challenge.metrics.iter();
        let costs =
            costs.filter_map(|id| Some((id.clone(), technical(id, entry, std::iter::once(assessment))?)));
        row.metrics.extend(costs);
        row.cases.clone_from(&assessment.cases);
        row.statement = Some(digest.clone());
        row.reference_set_digest = Some(assessment.reference_set_digest.clone());
        row.engine = Some(format!("{} {}", assessment.engine.name, assessment.engine.version));
        row.metrics_version = Some(assessment.metrics_version.clone());
    }
    row
}

/// Why the run at a column gave nothing, for people.
fn unranked_so_far(entry: &Entry) -> Option<String> {
    let total = entry.runs.len();
    if total == 0 {
        return Some("no site offers a reference set yet".into());
    }
    if entry.runs.iter().any(|r| r.state == "reported") {
        return None;
    }
    let ended: Vec<&RunPart> = entry.runs.iter().filter(|r| r.reason.is_some()).collect();
    if ended.len() < total {
        return Some("no site has reported yet".into());
    }
    let mut reasons: Vec<&str> = ended.iter().filter_map(|r| r.reason.as_deref()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    Some(format!("no site could run it: {}", reasons.join(", ")))
}

/// Makes the row of a submission from its assessments.
pub(super) fn make(challenge: &Challenge, entry: &Entry) -> Made {
    let assessed = || entry.runs.iter().filter_map(|r| r.assessment.as_ref().map(|(_, a)| a));
    let mut pooled = BTreeMap::new();
    let mut metrics = BTreeMap::new();
    for id in &challenge.metrics {
        if let Some((summary, estimate)) = pool(id, entry) {
            pooled.insert(id.clone(), summary);
            metrics.insert(id.clone(), estimate);
        } else if let Some(estimate) = technical(id, entry, assessed()) {
            metrics.insert(id.clone(), estimate);
        }
    }
    let replicates: Option<Vec<_>> =
        ranking_metrics(challenge).map(|id| pool_replicates(id, entry, pooled.get(id)?)).collect();
    let s = &entry.submission;
    let row = Row {
        rank: None,
        mean_rank: None,
        unranked: unranked_so_far(entry),
        tied: false,
        stability: None,
        submission: s.tool.clone(),
        version: s.version.clone(),
        submission_id: s.id.clone(),
        participant: s.participant.clone(),
        artifact: s.artifact.sha256.clone(),
        metrics,
        sites: entry.runs.iter().map(|r| (r.column.clone(), site_row(challenge, entry, r))).collect(),
        cases: BTreeMap::new(),
        case_s_p50: None,
    };
    Made {
        row,
        pooled: Arc::new(pooled),
        replicates: replicates.unwrap_or_default(),
        outcomes: assessed().flat_map(|a| a.cases.iter().map(|(k, n)| (k.clone(), *n))).collect(),
        case_s: assessed().map(|a| a.costs.case_s_p50).filter(|s| s.is_finite()).collect(),
        reported: entry.runs.iter().filter(|r| r.state == "reported").map(|r| r.column.clone()).collect(),
        received_at: entry.runs.iter().filter_map(|r| r.received_at).max(),
    }
}
