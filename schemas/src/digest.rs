//! SHA-256 digests name things: artifacts, reference sets, challenge definitions, statements.

use crate::challenge::Challenge;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Lower-case hexadecimal SHA-256 of bytes.
///
/// ```
/// assert!(fiel_schemas::digest::sha256_hex(b"abc").starts_with("ba7816bf"));
/// ```
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// SHA-256 of bytes.
///
/// ```
/// assert_eq!(fiel_schemas::digest::sha256(b"abc")[..2], [0xba, 0x78]);
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal of bytes.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A document as compact JSON with the keys of every object sorted, so that equal documents have equal bytes.
///
/// # Panics
/// Never for the documents of this crate: their maps have string keys and their numbers are finite.
#[must_use]
pub fn canonical_json<T: Serialize>(document: &T) -> Vec<u8> {
    // serde_json's own map is a BTreeMap (feature `preserve_order` is off), hence sorted.
    let value = serde_json::to_value(document).expect("documents have string keys and finite numbers");
    value.to_string().into_bytes()
}

/// SHA-256 of a challenge definition in canonical JSON.
#[must_use]
pub fn challenge_digest(challenge: &Challenge) -> String {
    sha256_hex(&canonical_json(challenge))
}
