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

use crate::digest::sha256_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

/// Why an envelope was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// The payload is of another kind.
    #[error("the envelope's payloadType is `{0}`, expected `{PAYLOAD_TYPE}`")]
    PayloadType(String),
    /// A field is not base64.
    #[error("the envelope's {0} is not base64")]
    Base64(&'static str),
    /// No signature by the expected key.
    #[error("no signature by key {0}: the envelope was signed by somebody else")]
    UnknownKey(String),
    /// The signature does not match.
    #[error("the signature by key {0} does not match the payload: the envelope was changed after signing")]
    BadSignature(String),
}

/// The name of a public key: SHA-256 of its 32 bytes, hexadecimal.
#[must_use]
pub fn key_id(key: &VerifyingKey) -> String {
    sha256_hex(key.as_bytes())
}

/// DSSE pre-authentication encoding: `DSSEv1 <len> <type> <len> <payload>`
/// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs an in-toto statement.
#[must_use]
pub fn sign(payload: &[u8], key: &SigningKey) -> Envelope {
    let signature = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload));
    Envelope {
        payload_type: PAYLOAD_TYPE.into(),
        payload: STANDARD.encode(payload),
        signatures: vec![Signature {
            keyid: key_id(&key.verifying_key()),
            sig: STANDARD.encode(signature.to_bytes()),
        }],
    }
}

/// Checks the signature by `key` and returns the payload.
///
/// # Errors
/// When the payload is of another kind, is not base64, or carries no valid signature by `key`.
pub fn verify(envelope: &Envelope, key: &VerifyingKey) -> Result<Vec<u8>, DsseError> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(DsseError::PayloadType(envelope.payload_type.clone()));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| DsseError::Base64("payload"))?;
    let id = key_id(key);
    let signature = envelope.signatures.iter().find(|s| s.keyid == id);
    let signature = signature.ok_or_else(|| DsseError::UnknownKey(id.clone()))?;
    let bytes = STANDARD.decode(&signature.sig).map_err(|_| DsseError::Base64("signature"))?;
    let bytes: [u8; 64] = bytes.try_into().map_err(|_| DsseError::BadSignature(id.clone()))?;
    let message = pre_authentication_encoding(&envelope.payload_type, &payload);
    key.verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&bytes))
        .map_err(|_| DsseError::BadSignature(id))?;
    Ok(payload)
}
