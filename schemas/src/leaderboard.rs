//! The leaderboard document: ranked submissions with pooled and per-site values and their provenance.

use crate::assessment::Estimate;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A challenge's leaderboard, recomputed whenever an assessment arrives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Leaderboard {
    /// Always `fiel/leaderboard/v1`.
    pub schema: String,
    /// Challenge id.
    pub challenge: String,
    /// Challenge version.
    pub challenge_version: String,
    /// Digest of the challenge definition.
    pub challenge_digest: String,
    /// Phase id.
    pub phase: String,
    /// The ranking metric.
    pub primary_metric: String,
    /// When the newest assessment in it arrived.
    pub updated_at: Option<DateTime<Utc>>,
    /// How stable the ranking is, where every site of every ranked row sent replicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// Ranked rows first, then rows without a rank.
    pub leaderboard: Vec<Row>,
}

/// How stable a ranking is over bootstrap replicates of the cases, paired over submissions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stability {
    /// Replicates.
    pub replicates: u32,
    /// Ranked submissions.
    pub submissions: u64,
    /// Mean over the replicates of Kendall's tau-b between the replicate's ranks and those of all cases.
    pub kendall_tau: f64,
    /// Range of the middle 95 % of the replicates.
    pub kendall_tau_ci95: [f64; 2],
}

/// How stable a row's rank is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowStability {
    /// Range of the ranks in the middle 95 % of the replicates.
    pub ranks: [u32; 2],
    /// Share of the replicates in which the row is first.
    pub first: f64,
    /// 95 % interval of how much better the row is than the one ranked next, over the same replicates: in the primary
    /// metric, or in mean ranks where several metrics order the board; `null` for the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<[f64; 2]>,
    /// Number of its group, from 1: the interval of its distance to the group's first row includes zero.
    pub group: u32,
}

/// One submission on the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Competition rank (1, 2, 2, 4); `null` where the row is not ranked.
    pub rank: Option<u32>,
    /// Why the row has no rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unranked: Option<String>,
    /// Rows that share this rank because their values cannot be told apart within their numeric bounds.
    pub tied: bool,
    /// Mean of the ranks in the metrics that the challenge ranks by, where these are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_rank: Option<f64>,
    /// How stable the rank is, where the board's `stability` is known and the row is ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<RowStability>,
    /// Tool name.
    pub submission: String,
    /// Tool version.
    pub version: String,
    /// Submission id.
    pub submission_id: String,
    /// Account name.
    pub participant: String,
    /// SHA-256 of the artifact.
    pub artifact: String,
    /// Pooled value per metric id.
    pub metrics: BTreeMap<String, Estimate>,
    /// The sites' own results.
    pub sites: BTreeMap<String, SiteRow>,
    /// Cases by outcome over all sites.
    pub cases: BTreeMap<String, u64>,
    /// Median seconds per case: the median over sites.
    pub case_s_p50: Option<f64>,
}

/// One site's part of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteRow {
    /// State of the run there: `queued`, `leased`, `reported`, `failed`, ...
    pub state: String,
    /// The site's own value per metric id.
    pub metrics: BTreeMap<String, Estimate>,
    /// Cases by outcome.
    pub cases: BTreeMap<String, u64>,
    /// SHA-256 of the signed envelope.
    pub statement: Option<String>,
    /// Digest of the reference set.
    pub reference_set_digest: Option<String>,
    /// Engine name and version.
    pub engine: Option<String>,
    /// Version of the metrics crate.
    pub metrics_version: Option<String>,
}
