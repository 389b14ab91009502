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
    /// Ranked rows first, then rows without a rank.
    pub leaderboard: Vec<Row>,
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
