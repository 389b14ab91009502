//! The run order: what the hub asks a site to do, under a lease.

use crate::{challenge::Challenge, submission::Submission};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One submission to be run on one reference set, leased to one site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOrder {
    /// Always `fiel/run-order/v1`.
    pub schema: String,
    /// UUIDv7 of the run.
    pub run: String,
    /// Site id the run is leased to.
    pub site: String,
    /// Id of the reference set at the site.
    pub reference_set: String,
    /// Digest of the reference set as registered with the hub.
    pub reference_set_digest: String,
    /// Fencing number; every later call about the run carries it.
    pub fence: i64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The lease ends at this time unless a heartbeat renews it.
    pub lease_until: DateTime<Utc>,
    /// The challenge definition the run is measured by.
    pub challenge: Challenge,
    /// SHA-256 of the challenge definition in canonical JSON.
    pub challenge_digest: String,
    /// The submission to run.
    pub submission: Submission,
}
