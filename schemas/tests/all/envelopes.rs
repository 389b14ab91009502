//! DSSE envelopes: the specification's vector, and what tampering meets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use fiel_schemas::digest::{canonical_json, sha256_hex};
use fiel_schemas::dsse::{DsseError, Envelope, key_id, pre_authentication_encoding, sign, verify};
use fiel_schemas::validate::{Kind, from_json};

use crate::samples;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn signed() -> (SigningKey, Envelope) {
    let key = key(7);
    let envelope = sign(b"hello world", &key);
    (key, envelope)
}

#[test]
fn the_encoding_equals_the_specifications_example() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn the_encoding_counts_bytes_and_keeps_any_payload() {
    let encoded = pre_authentication_encoding("é", &[0, 255, b' ']);
    assert_eq!(encoded, [b"DSSEv1 2 \xc3\xa9 3 ".as_slice(), &[0, 255, b' ']].concat());
    assert_eq!(pre_authentication_encoding("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn a_signed_statement_comes_back_whole() {
    let key = key(1);
    let payload = canonical_json(&samples::statement());
    let envelope = sign(&payload, &key);
    let sent: Envelope = serde_json::from_slice(&serde_json::to_vec(&envelope).unwrap()).unwrap();
    let received = verify(&sent, &key.verifying_key()).unwrap();
    assert_eq!(from_json(Kind::Statement, &received), Ok(samples::statement()));
}

#[test]
fn the_key_id_is_the_digest_of_the_public_key() {
    let (key, envelope) = signed();
    let public = key.verifying_key();
    assert_eq!(key_id(&public), sha256_hex(public.as_bytes()));
    assert_eq!(envelope.signatures[0].keyid, key_id(&public));
}

#[test]
fn every_changed_byte_of_the_payload_is_noticed() {
    let (key, envelope) = signed();
    for index in 0..b"hello world".len() {
        let mut payload = b"hello world".to_vec();
        payload[index] ^= 1;
        let changed = Envelope { payload: STANDARD.encode(payload), ..envelope.clone() };
        assert!(
            matches!(verify(&changed, &key.verifying_key()), Err(DsseError::BadSignature(_))),
            "byte {index}"
        );
    }
}

#[test]
fn every_changed_byte_of_the_signature_is_noticed() {
    let (key, envelope) = signed();
    let signature = STANDARD.decode(&envelope.signatures[0].sig).unwrap();
    for index in 0..signature.len() {
        let mut bytes = signature.clone();
        bytes[index] ^= 0x10;
        let mut changed = envelope.clone();
        changed.signatures[0].sig = STANDARD.encode(bytes);
        assert!(
            matches!(verify(&changed, &key.verifying_key()), Err(DsseError::BadSignature(_))),
            "byte {index}"
        );
    }
}

#[test]
fn another_payload_type_is_refused() {
    let (key, envelope) = signed();
    let changed = Envelope { payload_type: "text/plain".into(), ..envelope };
    assert!(matches!(verify(&changed, &key.verifying_key()), Err(DsseError::PayloadType(_))));
}

#[test]
fn a_stranger_is_refused_also_under_a_borrowed_key_id() {
    let (_, mut envelope) = signed();
    let other = key(8).verifying_key();
    assert!(matches!(verify(&envelope, &other), Err(DsseError::UnknownKey(_))));
    envelope.signatures[0].keyid = key_id(&other);
    assert!(matches!(verify(&envelope, &other), Err(DsseError::BadSignature(_))));
}

#[test]
fn an_envelope_without_signatures_is_refused() {
    let (key, envelope) = signed();
    let bare = Envelope { signatures: Vec::new(), ..envelope };
    assert!(matches!(verify(&bare, &key.verifying_key()), Err(DsseError::UnknownKey(_))));
}

#[test]
fn base64_is_read_strictly() {
    let (key, envelope) = signed();
    let good = envelope.payload.clone();
    for bad in
        [good.trim_end_matches('='), &format!("{good}\n"), &format!(" {good}"), "aGVsbG8gd29ybGR=", "*"]
    {
        let changed = Envelope { payload: bad.into(), ..envelope.clone() };
        assert_eq!(verify(&changed, &key.verifying_key()), Err(DsseError::Base64("payload")), "{bad:?}");
    }
    let mut short = envelope;
    short.signatures[0].sig = STANDARD.encode([0; 63]);
    assert!(matches!(verify(&short, &key.verifying_key()), Err(DsseError::BadSignature(_))));
}

#[test]
fn a_weak_public_key_verifies_nothing() {
    // The identity point as key: with R the identity and s = 0, lax verification accepts any message.
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = ed25519_dalek::VerifyingKey::from_bytes(&identity).unwrap();
    let (_, mut envelope) = signed();
    let mut forged = [0; 64];
    forged[..32].copy_from_slice(&identity);
    envelope.signatures[0].sig = STANDARD.encode(forged);
    envelope.signatures[0].keyid = key_id(&weak);
    assert!(matches!(verify(&envelope, &weak), Err(DsseError::BadSignature(_))));
}
