//! DSSE envelopes (Dead Simple Signing Envelope v1) signed with Ed25519.

use serde::{Deserialize, Serialize};

/// Media type of the payload of a signed in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A signed payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Media type of the payload.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Payload, base64.
    pub payload: String,
    /// At least one signature.
    pub signatures: Vec<Signature>,
}

/// One signature over the payload's pre-authentication encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// SHA-256 of the public key, hexadecimal.
    pub keyid: String,
    /// Signature, base64.
    pub sig: String,
}
