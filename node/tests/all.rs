//! The node against a fake hub that records every byte it is sent.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod kinds;
mod registries;
mod support;

use fiel_node::evaluate::evaluate;
use fiel_node::policy::ReleaseRule;
use fiel_node::{NodeError, approve, pending, reference_set, refuse, verify_log};
use fiel_sandbox::Model;
use fiel_schemas::api::{FailureReason, Report};
use fiel_schemas::assessment::Statement;
use fiel_schemas::dsse;
use fiel_schemas::submission::MediaType;
use fiel_schemas::validate::{self, Kind};
use polars_io::prelude::{ParquetReader, SerReader as _};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{TestSite, baseline, eventually, run_id};

fn report(site: &TestSite, at: usize) -> Report {
    site.hub.with(|s| serde_json::from_slice(&s.reports[at].1).unwrap())
}

async fn reason_told(site: &TestSite) -> FailureReason {
    eventually("a failure", || site.hub.with(|s| !s.failures.is_empty())).await;
    site.hub.with(|s| s.failures[0].1.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_as_a_signed_statement_that_stands_in_the_log() {
    let site = TestSite::new(40, 10, ReleaseRule::Automatic).await;
    site.queue(site.order("1", 7, &baseline("logistic")));
    let node = site.start();
    eventually("a report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    let report = report(&site, 0);
    assert_eq!(report.fence, 7);
    let key = fiel_node::folder::signing_key(site.path()).unwrap().verifying_key();
    let payload = dsse::verify(&report.envelope, &key).unwrap();
    let statement: Statement = validate::from_json(Kind::Statement, &payload).unwrap();
    assert_eq!(statement.predicate.cases.get("ok"), Some(&40));
    assert_eq!(statement.predicate.policy.approved_by, "automatic");
    assert_eq!(statement.predicate.measured_at.timestamp() % 60, 0);
    assert!(statement.predicate.metrics["auc"].estimate.value.unwrap() > 0.9);
    assert_eq!(verify_log(site.path()).unwrap(), 1);
    let run = site.path().join("runs").join(run_id("1"));
    for file in ["cases.parquet", "statement.json", "envelope.json"] {
        assert!(run.join(file).exists(), "{file}");
    }
    assert_eq!(std::fs::read_dir(site.path().join("outbox")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_single_case_is_sent() {
    let site = TestSite::new(60, 10, ReleaseRule::Automatic).await;
    site.queue(site.order("1", 1, &baseline("logistic")));
    site.queue(site.order("2", 1, &baseline("broken")));
    let node = site.start();
    eventually("two reports", || site.hub.with(|s| s.reports.len() == 2)).await;
    node.stop().await;
    let key = fiel_node::folder::signing_key(site.path()).unwrap().verifying_key();
    let mut sent: Vec<u8> =
        site.hub.with(|s| s.received.iter().flat_map(|(_, bytes)| bytes.clone()).collect());
    for at in 0..2 {
        let payload = dsse::verify(&report(&site, at).envelope, &key).unwrap();
        let mut statement: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        // Times of the machine, which may equal a feature value by chance.
        statement["predicate"]["costs"] = serde_json::Value::Null;
        sent.extend(statement.to_string().into_bytes());
    }
    let sent = String::from_utf8(sent).unwrap();
    // Whole numbers and words: a short value may stand inside a longer number by chance.
    let words: HashSet<&str> =
        sent.split(|c: char| !(c.is_ascii_alphanumeric() || ".-_+".contains(c))).collect();
    let forbidden = patient_level_values(&site, &["1", "2"]);
    assert!(forbidden.len() > 1_000);
    for value in &forbidden {
        assert!(!words.contains(value.as_str()), "{value} was sent");
        assert!(value.len() < 10 || !sent.contains(value), "{value} was sent inside another value");
    }
}

/// Case ids, pseudonyms, feature values and scores. Labels and very short numbers occur everywhere and are left out.
fn patient_level_values(site: &TestSite, runs: &[&str]) -> Vec<String> {
    let set = reference_set::load(&site.path().join("reference-sets/held-out")).unwrap();
    let mut values = Vec::new();
    for column in set.table.columns() {
        values.extend(column.str().unwrap().iter().flatten().filter(|v| v.len() >= 5).map(str::to_owned));
    }
    for run in runs {
        let file =
            std::fs::File::open(site.path().join("runs").join(run_id(run)).join("cases.parquet")).unwrap();
        let cases = ParquetReader::new(file).finish().unwrap();
        let scores = cases.column("score").unwrap().f64().unwrap().clone();
        values.extend(scores.iter().flatten().filter(|v| *v > 0.0 && *v < 1.0).map(|v| v.to_string()));
        values.extend(cases.column("pseudonym").unwrap().str().unwrap().iter().flatten().map(str::to_owned));
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lease_is_lost_is_given_up_and_not_reported() {
    let site = TestSite::new(100, 10, ReleaseRule::Automatic).await;
    site.hub.with(|s| s.fence_min = 9);
    site.queue(site.order("1", 1, &baseline("boosted")));
    site.queue(site.order("2", 9, &baseline("constant")));
    let node = site.start();
    eventually("the other run's report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    assert_eq!(
        site.hub.with(|s| s.reports.iter().map(|(run, _)| run.clone()).collect::<Vec<_>>()),
        [run_id("2")]
    );
    assert!(!site.path().join("current.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_left_in_the_middle_is_taken_up_again_by_the_next_process() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let order = site.order("1", 3, &baseline("constant"));
    // What a killed process leaves: the order it had claimed.
    std::fs::write(site.path().join("current.json"), serde_json::to_vec(&order).unwrap()).unwrap();
    let node = site.start();
    eventually("a report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    assert_eq!(report(&site, 0).fence, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_claims_within_300_ms() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        site.hub.with(|s| s.received.clear());
        let started = Instant::now();
        let node = site.start();
        eventually("a claim", || {
            site.hub.with(|s| s.received.iter().any(|(line, _)| line.ends_with("/claim")))
        })
        .await;
        fastest = fastest.min(started.elapsed());
        node.stop().await;
    }
    assert!(fastest < Duration::from_millis(300), "{fastest:?}");
}

#[test]
fn masks_of_the_phantoms_are_measured_and_names_given_to_models_are_not_the_sites() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges/lesion-phantom");
    let text = std::fs::read_to_string(folder.join("challenge.yaml")).unwrap();
    let challenge = validate::from_yaml(Kind::Challenge, &text).unwrap();
    let set = reference_set::load(&folder.join("public")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let sandbox = support::sandbox(work.path());
    let artifact = folder.join("baselines/threshold.wasm");
    let sha256 = fiel_schemas::digest::sha256_hex(&std::fs::read(&artifact).unwrap());
    let model = Model { path: artifact, sha256, media_type: MediaType::Wasm };
    let seen = AtomicU64::new(0);
    let progress = |done: u64, _total: u64| {
        seen.fetch_max(done, Ordering::Relaxed);
    };
    let evaluation = evaluate(&challenge, &set, &sandbox, &model, &progress).unwrap();
    assert_eq!(evaluation.cases, BTreeMap::from([("ok".to_owned(), set.cases() as u64)]));
    assert_eq!(seen.into_inner(), set.cases() as u64);
    let dice = evaluation.table.column("dice").unwrap().f64().unwrap().clone();
    assert!(dice.iter().flatten().all(|v| (0.0..=1.0).contains(&v)));
    assert!(dice.iter().flatten().any(|v| v > 0.3));
    let ids = evaluation.table.column("case_id").unwrap().str().unwrap().clone();
    let names = evaluation.table.column("pseudonym").unwrap().str().unwrap().clone();
    assert!(ids.iter().zip(names.iter()).all(|(id, name)| id != name));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_cases_are_refused_before_the_artifact_is_fetched() {
    let site = TestSite::new(9, 10, ReleaseRule::Automatic).await;
    site.queue(site.order("1", 1, &baseline("constant")));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::TooFewCases);
    node.stop().await;
    assert!(site.hub.with(|s| s.received.iter().all(|(line, _)| !line.contains("artifacts"))));
    assert_eq!(verify_log(site.path()).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_with_other_bytes_than_its_digest_is_refused() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let order = site.order("1", 1, &baseline("constant"));
    let mut other = baseline("constant");
    let last = other.len() - 1;
    other[last] ^= 1;
    site.hub.with(|s| s.artifacts.insert(order.submission.artifact.sha256.clone(), other));
    site.queue(order);
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::DigestMismatch);
    node.stop().await;
    let left = std::fs::read_dir(site.path().join("artifacts"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().is_file());
    assert_eq!(left.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_no_module_is_refused_by_its_reason() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    site.queue(site.order("1", 1, b"this is not wasm"));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::ArtifactInvalid);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_set_with_a_changed_file_is_not_run() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let table = site.path().join("reference-sets/held-out/cases.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    let changed = format!("{}0\n", &text[..text.len() - 2]);
    assert_eq!((changed.len(), changed != text), (text.len(), true));
    std::fs::write(&table, changed).unwrap();
    let message = reference_set::load(&site.path().join("reference-sets/held-out")).unwrap_err().to_string();
    assert!(message.contains("cases.csv") && message.contains("seal"), "{message}");
    site.queue(site.order("1", 1, &baseline("constant")));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::ReferenceSetMissing);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_run_survives_a_restart_and_leaves_once_approved() {
    let site = TestSite::new(20, 10, ReleaseRule::Ask).await;
    site.queue(site.order("1", 1, &baseline("constant")));
    let node = site.start();
    eventually("a pending run", || !pending(site.path()).unwrap().is_empty()).await;
    eventually("its heartbeat", || site.hub.with(|s| s.heartbeats.contains(&(run_id("1"), true)))).await;
    assert_eq!(verify_log(site.path()).unwrap(), 0);
    node.stop().await;
    let stored = std::fs::read(site.path().join("runs").join(run_id("1")).join("statement.json")).unwrap();

    approve(site.path(), &run_id("1")).unwrap();
    assert!(matches!(approve(site.path(), &run_id("1")), Err(NodeError::NotPending(_))));
    // The lease ended meanwhile: the hub leases the run anew and the stored result is used.
    site.hub.with(|s| s.fence_min = 2);
    site.queue(site.order("1", 2, &baseline("constant")));
    let node = site.start();
    eventually("a report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    assert_eq!(report(&site, 0).fence, 2);
    let after = std::fs::read(site.path().join("runs").join(run_id("1")).join("statement.json")).unwrap();
    assert_eq!(stored, after);
    let statement: Statement = serde_json::from_slice(&after).unwrap();
    assert_eq!(statement.predicate.policy.approved_by, "person");
    assert_eq!(verify_log(site.path()).unwrap(), 1);
    assert!(pending(site.path()).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_run_tells_the_hub_the_reason_and_nothing_else() {
    let site = TestSite::new(20, 10, ReleaseRule::Ask).await;
    site.queue(site.order("1", 1, &baseline("constant")));
    let node = site.start();
    eventually("a pending run", || !pending(site.path()).unwrap().is_empty()).await;
    refuse(site.path(), &run_id("1")).unwrap();
    assert_eq!(reason_told(&site).await, FailureReason::PolicyRefused);
    node.stop().await;
    assert!(site.hub.with(|s| s.reports.is_empty()));
    assert_eq!(verify_log(site.path()).unwrap(), 0);
    assert!(pending(site.path()).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsent_result_is_sent_after_a_restart_with_the_same_bytes() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    site.hub.with(|s| s.reports_refused = usize::MAX);
    site.queue(site.order("1", 1, &baseline("constant")));
    let node = site.start();
    let run = site.path().join("runs").join(run_id("1"));
    eventually("a logged envelope", || run.join("envelope.json").exists()).await;
    node.stop().await;
    assert_eq!(std::fs::read_dir(site.path().join("outbox")).unwrap().count(), 1);
    site.hub.with(|s| s.reports_refused = 2);
    let node = site.start();
    eventually("a report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    let stored: dsse::Envelope =
        serde_json::from_slice(&std::fs::read(run.join("envelope.json")).unwrap()).unwrap();
    assert_eq!(report(&site, 0).envelope, stored);
    assert_eq!(verify_log(site.path()).unwrap(), 1);
    assert_eq!(site.hub.with(|s| s.reports.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_another_site_or_with_a_swapped_challenge_is_refused() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let mut elsewhere = site.order("1", 1, &baseline("constant"));
    elsewhere.site = "south".to_owned();
    let mut swapped = site.order("2", 1, &baseline("constant"));
    swapped.challenge.limits.case_ms += 1;
    site.queue(elsewhere);
    site.queue(swapped);
    let node = site.start();
    eventually("two failures", || site.hub.with(|s| s.failures.len() == 2)).await;
    node.stop().await;
    assert!(site.hub.with(|s| s.failures.iter().all(|(_, f)| f.reason == FailureReason::PolicyRefused)));
}

#[test]
fn documents_that_point_outside_their_folder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cases.csv"), "case_id,x,y\na,1,0\nb,2,1\n").unwrap();
    let task = fiel_schemas::challenge::Task::Classification;
    let set = reference_set::seal(dir.path(), "s", "c", task, "cases.csv", "y").unwrap();
    let document = dir.path().join(reference_set::DOCUMENT);
    for path in ["../cases.csv", "/etc/passwd", "a/../../cases.csv", "./../x", "a\\b", ""] {
        let mut hostile = set.clone();
        hostile.files[0].path = path.to_owned();
        hostile.table = path.to_owned();
        std::fs::write(&document, serde_json::to_vec(&hostile).unwrap()).unwrap();
        assert!(matches!(reference_set::load(dir.path()), Err(NodeError::ReferenceSet { .. })), "{path}");
    }
}

#[test]
fn tables_with_double_cases_or_wrong_labels_are_not_sealed() {
    let task = fiel_schemas::challenge::Task::Classification;
    for table in [
        "case_id,y\na,0\na,1\n",
        "case_id,y\n,0\n",
        "case_id,y\na,2\n",
        "case_id,y\na,\n",
        "case_id,y\n",
        "id,y\na,0\n",
        "case_id,z\na,0\n",
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cases.csv"), table).unwrap();
        assert!(reference_set::seal(dir.path(), "s", "c", task, "cases.csv", "y").is_err(), "{table:?}");
    }
}
