//! The assessment statement: what a site signs about a run (in-toto Statement v1).

use crate::summary::{Replicates, Summary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `_type` of an in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of an assessment.
pub const PREDICATE_TYPE: &str = "https://fiel.eu/assessment/v1";

/// An in-toto statement about a submitted artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The artifact, exactly one.
    pub subject: Vec<Subject>,
    /// Always [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What was measured.
    pub predicate: Assessment,
}

/// What the statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Tool name and version.
    pub name: String,
    /// `{"sha256": ...}`.
    pub digest: BTreeMap<String, String>,
}

/// The measured result of one run: aggregates only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// Run id.
    pub run: String,
    /// Submission id.
    pub submission: String,
    /// Challenge id.
    pub challenge: String,
    /// Challenge version.
    pub challenge_version: String,
    /// Digest of the challenge definition.
    pub challenge_digest: String,
    /// Site id.
    pub site: String,
    /// Reference set id.
    pub reference_set: String,
    /// Digest of the reference set, labels included.
    pub reference_set_digest: String,
    /// Which engine ran the model, and how.
    pub engine: EngineInfo,
    /// Version of the metrics crate.
    pub metrics_version: String,
    /// Cases by outcome (`ok`, `crashed`, `timed-out`, ...); absent means none.
    pub cases: BTreeMap<String, u64>,
    /// Mergeable summary and the site's own estimate per metric id.
    pub metrics: BTreeMap<String, SiteMetric>,
    /// What the run cost.
    pub costs: Costs,
    /// The policy the release went through.
    pub policy: PolicyInfo,
    /// When measuring ended, rounded to the minute.
    pub measured_at: DateTime<Utc>,
}

/// One metric at one site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteMetric {
    /// The site's own estimate, exact.
    pub estimate: Estimate,
    /// State that merges with other sites'.
    pub summary: Summary,
    /// Replicates that merge with other sites', where the challenge ranks by the metric and the site's policy permits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicates: Option<Replicates>,
}

/// A metric's value with its uncertainty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The value; `null` where it is undefined.
    pub value: Option<f64>,
    /// 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
    /// The value for the same cases held centrally differs from `value` by at most this; `null` where `pooling` says
    /// that `value` is not meant to be that value.
    pub bound: Option<f64>,
    /// Cases that entered.
    pub n: u64,
    /// Cases (or, for whole-set metrics, sites) for which the metric was undefined.
    pub undefined: u64,
    /// How the sites' values were joined, where the result is another quantity than the metric over all cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// Quartiles of a per-case value: lower quartile, median, upper quartile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quartiles: Option<[Quantile; 3]>,
}

/// How sites' values were joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Random effects over the sites' own values: DerSimonian and Laird, interval of Hartung and Knapp.
    RandomEffects,
}

/// A quantile of per-case values, read from a sketch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantile {
    /// An approximate value.
    pub value: f64,
    /// The exact quantile, the smallest value with at least its share of the cases at or below it, is at least this ...
    pub low: f64,
    /// ... and at most this.
    pub high: f64,
    /// The share of the cases that lie at or below `value` differs from the quantile's by at most this.
    pub rank_error: f64,
}

/// Which engine ran the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineInfo {
    /// `wasmtime`, `runc`, `tract`, ...
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of the engine's configuration.
    pub config_digest: String,
    /// Confinements in force, for instance `landlock`, `seccomp`, `nobody`.
    pub confinement: Vec<String>,
    /// Processor and accelerator, for instance `x86_64, 2 cores, AMD EPYC 9B45`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
}

/// What a run cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Seconds to compile or load the model, apart from the cases.
    pub load_s: f64,
    /// Median seconds per case.
    pub case_s_p50: f64,
    /// 95th percentile of seconds per case.
    pub case_s_p95: f64,
    /// Fuel used over all cases, in metered mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Processor seconds over all cases, where the engine counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// Largest memory of any case, MiB, where the engine counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib_peak: Option<f64>,
    /// Bytes written to `/output` over all cases, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_mib: Option<f64>,
}

/// The policy a release went through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyInfo {
    /// Fewest cases a released aggregate may describe.
    pub min_cases: u64,
    /// Fewest cases in a released histogram cell.
    pub min_cell: u64,
    /// SHA-256 of the policy document.
    pub digest: String,
    /// `automatic` or `person`.
    pub approved_by: String,
}
