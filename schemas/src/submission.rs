//! The submission document: one immutable version of a tool, entered into a phase.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A submission as the hub stores and shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Always `fiel/submission/v1`.
    pub schema: String,
    /// UUIDv7.
    pub id: String,
    /// Challenge id.
    pub challenge: String,
    /// Phase id.
    pub phase: String,
    /// Name of the tool, 1 to 80 characters.
    pub tool: String,
    /// Version of the tool.
    pub version: String,
    /// What the tool is, Markdown, at most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// Account name of the participant.
    pub participant: String,
    /// What was submitted.
    pub artifact: Artifact,
    /// When the hub acknowledged it.
    pub submitted_at: DateTime<Utc>,
}

/// A submitted file, addressed by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// `application/wasm`.
    pub media_type: String,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}
