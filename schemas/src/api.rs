//! Bodies of the hub's HTTP API that both sides of a connection use.

use crate::submission::Submission;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Documentation address of the code, `/docs/errors#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code, kebab-case.
    pub code: String,
    /// What was wrong, where, and what to do.
    pub detail: String,
}

/// `POST /api/v1/challenges/{id}/submissions`; an `Idempotency-Key` header makes retries safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubmission {
    /// Phase id; the open phase when absent.
    #[serde(default)]
    pub phase: Option<String>,
    /// Tool name.
    pub tool: String,
    /// Tool version.
    pub version: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// SHA-256 of an uploaded artifact; with `image`, of the image's manifest.
    pub artifact: String,
    /// Where the image is that `artifact` names, if that is not this hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ExternalImage>,
}

/// An image in another registry. The hub does not look there: who submits says what the sites will find, and a site
/// that finds something else refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalImage {
    /// Host of the registry, lower case, for instance `registry.example.org` or `registry.example.org:5000`.
    pub registry: String,
    /// Repository in the registry, for instance `group/tool`.
    pub repository: String,
    /// Size of configuration and layers together, bytes, by the manifest.
    pub size: u64,
}

/// A submission with the state of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmissionStatus {
    /// The submission.
    pub submission: Submission,
    /// `running`, `done` (every run ended, at least one reported) or `failed`.
    pub state: String,
    /// One run per site.
    pub runs: Vec<RunStatus>,
}

/// A run as its submitter sees it: platform words and counts, never a byte from the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunStatus {
    /// Run id.
    pub run: String,
    /// Site id.
    pub site: String,
    /// `queued`, `leased`, `awaiting-release`, `reported`, `failed`, `refused`, `cancelled`.
    pub state: String,
    /// Attempts so far.
    pub attempt: u32,
    /// Cases done.
    pub done: u64,
    /// Cases in all; 0 until known.
    pub total: u64,
    /// Reason code where it failed or was refused.
    pub reason: Option<String>,
    /// Cases by outcome, once reported.
    pub cases: BTreeMap<String, u64>,
}

/// `POST /api/v1/node/enrol` (no token; the single-use code is the credential).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Single-use code made by an organizer.
    pub code: String,
    /// Ed25519 public key, base64.
    pub public_key: String,
}

/// Answer to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Site id.
    pub site: String,
    /// Bearer token of the node, shown once.
    pub token: String,
}

/// `PUT /api/v1/node/reference-sets/{id}`: what the hub may know of a reference set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSetOffer {
    /// Challenge id.
    pub challenge: String,
    /// Digest over all files, labels included.
    pub digest: String,
}

/// `POST /api/v1/node/claim`: 200 with a run order, or 204 after waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Seconds to hold the connection open when there is nothing to do, at most 30.
    pub wait_s: u64,
}

/// `POST /api/v1/node/runs/{run}/heartbeat`: renews the lease; 409 `lease-lost` when it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Fence of the run order.
    pub fence: i64,
    /// Cases done.
    pub done: u64,
    /// Cases in all.
    pub total: u64,
    /// True while a person is asked to approve the release.
    #[serde(default)]
    pub awaiting_release: bool,
}

/// `POST /api/v1/node/runs/{run}/assessment`: accepted once; the same bytes again give the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Fence of the run order.
    pub fence: i64,
    /// DSSE envelope of the assessment statement.
    pub envelope: crate::dsse::Envelope,
}

/// `POST /api/v1/node/runs/{run}/failure`: the run could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Fence of the run order.
    pub fence: i64,
    /// Reason code of a closed list, see [`FailureReason`].
    pub reason: FailureReason,
}

/// Why a run could not be done: the platform's words only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureReason {
    /// The artifact is not something this engine runs.
    ArtifactInvalid,
    /// The container image could not be unpacked: it is damaged, lies about sizes or digests, or holds what is refused.
    ImageInvalid,
    /// The model did not start, or did not become ready in time.
    StartFailed,
    /// The site has no engine for this kind of artifact, or not with the protections that its policy demands.
    EngineUnavailable,
    /// The module imports something that is not offered.
    ImportRefused,
    /// Compiling took longer or more memory than allowed.
    CompileLimit,
    /// The downloaded bytes do not match the digest.
    DigestMismatch,
    /// The registry that the submission names does not give the image to everybody, or does not have it.
    PullFailed,
    /// The site's policy or a person at the site refused.
    PolicyRefused,
    /// Too few cases to release anything.
    TooFewCases,
    /// The site has no such reference set, or another version of it.
    ReferenceSetMissing,
    /// Something at the site failed; the run goes back to the queue.
    SiteError,
}
