//! The gate: every body that leaves the site is built here, and only here.
//!
//! [`Outgoing`] has no public constructor but the functions of this module, and [`crate::hub_client`] sends nothing
//! else. What they accept is narrow: numbers of cases, digests, reasons of a closed list, and envelopes that are
//! already in the release log. No function takes free text about a case, a table, or bytes of a model.

use crate::NodeError;
use crate::release_log::LoggedEnvelope;
use base64::Engine as _;
use ed25519_dalek::VerifyingKey;
use fiel_schemas::api::{Claim, Enrolment, Failure, FailureReason, Heartbeat, ReferenceSetOffer, Report};
use serde::Serialize;

/// A request that may leave the site.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(crate) method: reqwest::Method,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) authenticated: bool,
    /// Where a download that broke off goes on, bytes.
    pub(crate) offset: u64,
}

impl Outgoing {
    fn post(path: String, body: &impl Serialize) -> Result<Self, NodeError> {
        Self::with(reqwest::Method::POST, path, body)
    }

    fn with(method: reqwest::Method, path: String, body: &impl Serialize) -> Result<Self, NodeError> {
        let body = serde_json::to_vec(body).map_err(|e| NodeError::Task(format!("request body: {e}")))?;
        Ok(Self { method, path, body, authenticated: true, offset: 0 })
    }

    /// The body, for tests and logs.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Enrolment: the single-use code and the public key.
pub fn enrolment(code: &str, key: &VerifyingKey) -> Result<Outgoing, NodeError> {
    let public_key = base64::engine::general_purpose::STANDARD.encode(key.as_bytes());
    let body = Enrolment { code: code.to_owned(), public_key };
    Ok(Outgoing { authenticated: false, ..Outgoing::post("/api/v1/node/enrol".to_owned(), &body)? })
}

/// The offer of a reference set: its id, its challenge, its digest.
pub fn offer(id: &str, challenge: &str, digest: &str) -> Result<Outgoing, NodeError> {
    let body = ReferenceSetOffer { challenge: challenge.to_owned(), digest: digest.to_owned() };
    Outgoing::with(reqwest::Method::PUT, format!("/api/v1/node/reference-sets/{}", segment(id)?), &body)
}

/// A claim.
pub fn claim(wait_s: u64) -> Result<Outgoing, NodeError> {
    Outgoing::post("/api/v1/node/claim".to_owned(), &Claim { wait_s })
}

/// The download of an artifact; no body.
pub fn artifact(sha256: &str) -> Result<Outgoing, NodeError> {
    let path = format!("/api/v1/artifacts/{}", segment(sha256)?);
    Ok(Outgoing { method: reqwest::Method::GET, path, body: Vec::new(), authenticated: true, offset: 0 })
}

/// The download of a blob of an image from its byte `offset` on; no body.
pub fn artifact_blob(manifest: &str, sha256: &str, offset: u64) -> Result<Outgoing, NodeError> {
    let path = format!("/api/v1/artifacts/{}/blobs/{}", segment(manifest)?, segment(sha256)?);
    Ok(Outgoing { path, offset, ..artifact(manifest)? })
}

/// A heartbeat: how many cases are done, of how many.
pub fn heartbeat(
    run: &str,
    fence: i64,
    done: u64,
    total: u64,
    awaiting: bool,
) -> Result<Outgoing, NodeError> {
    let body = Heartbeat { fence, done, total, awaiting_release: awaiting };
    Outgoing::post(format!("/api/v1/node/runs/{}/heartbeat", segment(run)?), &body)
}

/// A failure, as a reason of the closed list.
pub fn failure(run: &str, fence: i64, reason: FailureReason) -> Result<Outgoing, NodeError> {
    Outgoing::post(format!("/api/v1/node/runs/{}/failure", segment(run)?), &Failure { fence, reason })
}

/// A signed assessment that stands in the release log.
pub fn report(run: &str, fence: i64, envelope: &LoggedEnvelope) -> Result<Outgoing, NodeError> {
    let body = Report { fence, envelope: envelope.envelope().clone() };
    Outgoing::post(format!("/api/v1/node/runs/{}/assessment", segment(run)?), &body)
}

/// A name as one path segment; names that are not plain are refused rather than escaped.
fn segment(name: &str) -> Result<&str, NodeError> {
    if crate::folder::is_plain_name(name) {
        Ok(name)
    } else {
        Err(NodeError::Task(format!("`{}` is not a plain name", name.escape_default())))
    }
}
