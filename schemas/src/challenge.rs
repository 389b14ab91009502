//! The challenge document: what is asked of a model, how answers are measured, ranked and bounded.

pub use crate::socket::Socket;
use crate::submission::ArtifactKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A challenge definition, immutable once one of its phases has opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// Always `fiel/challenge/v1`.
    pub schema: String,
    /// Short name used in addresses: lower-case letters, digits and hyphens.
    pub id: String,
    /// Semantic version of this definition.
    pub version: String,
    /// Title for people.
    pub title: String,
    /// The community that owns the challenge.
    pub community: String,
    /// One or two sentences.
    pub summary: String,
    /// What kind of answer is asked for.
    pub task: Task,
    /// What one case gives a model and what the model must give back.
    pub interface: Interface,
    /// Metric ids of the registry, in the order of the leaderboard's columns.
    pub metrics: Vec<String>,
    /// How submissions are ordered.
    pub ranking: Ranking,
    /// What a run may use.
    pub limits: Limits,
    /// Kinds of artifacts that may be submitted; empty means [`ArtifactKind::MODELS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<ArtifactKind>,
    /// When submissions are accepted, and how many.
    pub phases: Vec<Phase>,
    /// Where the data comes from.
    pub data: DataStatement,
}

impl Challenge {
    /// Kinds of artifacts that may be submitted.
    pub fn accepted(&self) -> &[ArtifactKind] {
        if self.accepts.is_empty() { &ArtifactKind::MODELS } else { &self.accepts }
    }
}

/// The kind of answer a challenge asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A probability for each case.
    Classification,
    /// A mask for each image.
    Segmentation,
}

/// The files a case gives a model and the files the model must write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Files below `/input`.
    pub inputs: Vec<Port>,
    /// Files below `/output`.
    pub outputs: Vec<Port>,
    /// How many cases a container of Fiel's or MedPerf's dialect may be given at one start, 1 to
    /// [`Interface::BATCH_MAX`]; the model then sees the other cases of its batch. One where absent.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub batch: u32,
}

impl Interface {
    /// Most cases that a container may be given at one start.
    pub const BATCH_MAX: u32 = 32;
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_one(count: &u32) -> bool {
    *count == 1
}

/// One file of the interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Name of the slot, for instance `features`.
    pub name: String,
    /// What the file holds.
    pub kind: PortKind,
    /// Path relative to `/input` or `/output`.
    pub path: String,
    /// Columns after `case_id`, for tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The port's name on Grand Challenge, where it differs from what follows from the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<Socket>,
}

/// What a file of the interface holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortKind {
    /// CSV with a header and exactly one row: `case_id`, then the port's columns.
    Table,
    /// Uncompressed NIfTI-1, intensities.
    Image,
    /// Uncompressed NIfTI-1, unsigned 8-bit labels on the grid of the input image.
    Mask,
}

/// How submissions are ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// The primary metric; its direction comes from the registry.
    pub metric: String,
    /// Further metrics: the order is then that of the mean of a submission's ranks in the primary metric and in these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean_rank_with: Vec<String>,
    /// What a case without a valid answer counts as.
    pub failed_cases: FailedCases,
    /// A submission that fails on a larger fraction of cases is listed without a rank.
    pub max_failed_fraction: f64,
}

/// What a case without a valid answer counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedCases {
    /// Left out of the metrics, counted and shown.
    Exclude,
    /// Given the worst possible answer, counted and shown.
    Worst,
}

/// What a run may use. Every limit is enforced by the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory of the model, MiB.
    pub memory_mib: u64,
    /// Wall time of one case, milliseconds.
    pub case_ms: u64,
    /// Bytes written to `/output` by one case, MiB.
    pub output_mib: u64,
    /// Size of an artifact, MiB.
    pub artifact_mib: u64,
}

/// A period in which submissions are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Short name, unique in the challenge.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Opening time.
    pub opens: DateTime<Utc>,
    /// Closing time; open-ended when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<DateTime<Utc>>,
    /// True where participants have the inputs of the cases, so that predictions may be entered instead of a model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub public_inputs: bool,
    /// Submissions per participant and window that reached a score or still may.
    pub quota: Quota,
}

/// How many submissions a participant may enter in a rolling window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Number of submissions.
    pub submissions: u32,
    /// Length of the window in days.
    pub days: u32,
}

/// Where the data comes from and on what terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataStatement {
    /// What the data is, in plain words.
    pub description: String,
    /// Licence name.
    pub licence: String,
    /// Names and identifiers to be cited.
    pub attribution: String,
}
