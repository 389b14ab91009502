//! `fiel verify`.

use crate::{fiel_in, write};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePublicKey, spki::der::pem::LineEnding};
use fiel_schemas::assessment::{
    Assessment, Costs, EngineInfo, Estimate, PREDICATE_TYPE, PolicyInfo, STATEMENT_TYPE, SiteMetric,
    Statement, Subject,
};
use fiel_schemas::digest::{canonical_json, sha256_hex};
use fiel_schemas::dsse::sign;
use fiel_schemas::summary::{Moments, Summary};
use std::collections::BTreeMap;
use std::path::Path;

fn statement() -> Statement {
    let digest = sha256_hex(b"something");
    let estimate = Estimate {
        value: Some(0.25),
        ci95: Some([0.2, 0.3]),
        bound: Some(0.0),
        n: 20,
        undefined: 0,
        pooling: None,
        quartiles: None,
    };
    let moments = Moments {
        n: 20,
        undefined: 0,
        sum: "23611832414348226068480".into(),
        sum_sq: "1".into(),
        cells: Vec::new(),
    };
    let metric = SiteMetric { estimate, summary: Summary::Moments(moments), replicates: None };
    let id = "019ac1f2-7b11-7d3e-a111-0123456789ab".to_string();
    Statement {
        statement_type: STATEMENT_TYPE.into(),
        subject: vec![Subject {
            name: "tool 1".into(),
            digest: BTreeMap::from([("sha256".into(), digest.clone())]),
        }],
        predicate_type: PREDICATE_TYPE.into(),
        predicate: Assessment {
            run: id.clone(),
            submission: id,
            challenge: "breast-fna".into(),
            challenge_version: "1.0.0".into(),
            challenge_digest: digest.clone(),
            site: "site-a".into(),
            reference_set: "breast-fna-site-a".into(),
            reference_set_digest: digest.clone(),
            engine: EngineInfo {
                name: "wasmtime".into(),
                version: "48.0.0".into(),
                config_digest: digest.clone(),
                confinement: vec!["landlock".into()],
                hardware: None,
            },
            metrics_version: "0.1.0".into(),
            cases: BTreeMap::from([("ok".into(), 20)]),
            metrics: BTreeMap::from([("brier".into(), metric)]),
            costs: Costs {
                load_s: 0.1,
                case_s_p50: 0.001,
                case_s_p95: 0.002,
                fuel: None,
                cpu_s: None,
                memory_mib_peak: None,
                output_mib: None,
            },
            policy: PolicyInfo { min_cases: 10, min_cell: 5, digest, approved_by: "automatic".into() },
            measured_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        },
    }
}

/// Writes an envelope, the right key in three forms, and another key.
fn prepare(folder: &Path) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let envelope = sign(&canonical_json(&statement()), &key);
    write(folder, "good.json", serde_json::to_vec(&envelope).expect("it serialises"));
    let mut changed = envelope;
    let payload = STANDARD.decode(&changed.payload).expect("base64");
    let text = String::from_utf8(payload).expect("JSON").replace("0.25", "0.95");
    changed.payload = STANDARD.encode(text);
    write(folder, "tampered.json", serde_json::to_vec(&changed).expect("it serialises"));
    let public = key.verifying_key();
    write(folder, "key.base64", STANDARD.encode(public.as_bytes()));
    write(folder, "key.hex", fiel_schemas::digest::to_hex(public.as_bytes()));
    write(folder, "key.pem", public.to_public_key_pem(LineEnding::LF).expect("it encodes"));
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    write(folder, "other.base64", STANDARD.encode(other.as_bytes()));
    write(folder, "nonsense", "hello");
}

#[test]
fn a_signed_statement_is_accepted_and_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path());
    for key in ["key.base64", "key.hex", "key.pem"] {
        let ran = fiel_in(folder.path(), &["verify", "good.json", "--key", key]);
        assert_eq!(ran.code, 0, "{key}: {}", ran.all());
        for part in ["verified", "site-a", "breast-fna", "tool 1", "0.2500"] {
            assert!(ran.out.contains(part), "`{part}` is missing in {}", ran.all());
        }
    }
    let answer = fiel_in(folder.path(), &["verify", "good.json", "--key", "key.pem", "--json"]).json();
    assert_eq!(answer["verified"], true);
    assert_eq!(answer["statement"]["predicate"]["site"], "site-a");
}

#[test]
fn a_changed_statement_and_a_foreign_key_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path());
    for (statement, key, word) in [
        ("tampered.json", "key.pem", "changed after signing"),
        ("good.json", "other.base64", "signed by somebody else"),
        ("good.json", "nonsense", "holds no Ed25519 public key"),
        ("key.pem", "key.pem", "not a DSSE envelope"),
        ("missing.json", "key.pem", "missing.json"),
    ] {
        let ran = fiel_in(folder.path(), &["verify", statement, "--key", key]);
        assert_eq!(ran.code, 1, "{statement} {key}: {}", ran.all());
        assert!(ran.err.contains(word) && ran.out.is_empty(), "{statement} {key}: {}", ran.all());
    }
}
