//! Artifacts of other kinds than modules, and results that do not depend on who ran what when.

mod native;
mod onnx;

use crate::support::{TestSite, baseline, eventually, run_id, sandbox_of};
use crate::{reason_told, report};
use fiel_node::evaluate::{Evaluation, evaluate};
use fiel_node::policy::{Engines, Policy, ReleaseRule};
use fiel_node::{NodeError, reference_set};
use fiel_sandbox::{Dialect, Model};
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::Statement;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::digest::{challenge_digest, sha256_hex};
use fiel_schemas::dsse;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::{ArtifactKind, MediaType};
use fiel_schemas::validate::{self, Kind};
use std::path::{Path, PathBuf};

fn folder(challenge: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges").join(challenge)
}

/// Runs an artifact on the public cases of a challenge.
fn try_it(
    challenge: &str,
    bytes: &[u8],
    media_type: MediaType,
    parallel: usize,
) -> Result<Evaluation, NodeError> {
    let text = std::fs::read_to_string(folder(challenge).join("challenge.yaml")).unwrap();
    let definition: Challenge = validate::from_yaml(Kind::Challenge, &text).unwrap();
    let set = reference_set::load(&folder(challenge).join("public")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("artifact");
    std::fs::write(&path, bytes).unwrap();
    let model = Model { path, sha256: sha256_hex(bytes), media_type };
    evaluate(&definition, &set, &sandbox_of(work.path(), parallel), &model, &|_, _| {})
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The scores of an evaluation as a file of predictions, one file for each case.
fn predictions(evaluation: &Evaluation) -> Vec<u8> {
    let ids = evaluation.table.column("case_id").unwrap().str().unwrap().clone();
    let scores = evaluation.table.column("score").unwrap().f64().unwrap().clone();
    let answer = |(id, score): (Option<&str>, Option<f64>)| {
        let (id, score) = (id.unwrap(), score.unwrap());
        (format!("{id}/prediction.csv"), format!("case_id,probability\n{id},{score:e}\n").into_bytes())
    };
    archive(&ids.iter().zip(scores.iter()).map(answer).collect::<Vec<_>>())
}

#[test]
fn the_case_table_is_the_same_for_one_and_two_workers_and_for_every_run() {
    let smooth = std::fs::read(folder("lesion-phantom").join("baselines/smooth-threshold.wasm")).unwrap();
    let other = std::fs::read(folder("lesion-phantom").join("baselines/threshold.wasm")).unwrap();
    for (challenge, model, other) in
        [("breast-fna", baseline("logistic"), baseline("threshold")), ("lesion-phantom", smooth, other)]
    {
        let digest = |model: &[u8], parallel: usize| {
            try_it(challenge, model, MediaType::Wasm, parallel).unwrap().table_digest().unwrap()
        };
        let first = digest(&model, 1);
        assert_eq!([digest(&model, 2), digest(&model, 2)], [first.clone(), first.clone()], "{challenge}");
        assert_ne!(digest(&other, 2), first, "{challenge}");
    }
}

#[test]
fn predictions_are_measured_as_if_a_model_had_just_given_them() {
    let model = try_it("breast-fna", &baseline("logistic"), MediaType::Wasm, 2).unwrap();
    let file = predictions(&model);
    let read = try_it("breast-fna", &file, MediaType::Predictions, 2).unwrap();
    assert_eq!(read.table_digest().unwrap(), model.table_digest().unwrap());
    assert_eq!((read.engine.name.as_str(), read.dialect), ("predictions", Dialect::Fiel));
    assert_eq!(read.cases, model.cases);
    let pseudonyms = read.table.column("pseudonym").unwrap().str().unwrap().clone();
    let ids = read.table.column("case_id").unwrap().str().unwrap().clone();
    assert!(pseudonyms.iter().eq(ids.iter()), "the cases' own names are the keys");
}

#[test]
fn a_mask_without_an_answer_is_counted_and_its_neighbours_are_measured() {
    let set = reference_set::load(&folder("lesion-phantom").join("public")).unwrap();
    let (ids, truth) = (set.column("case_id").unwrap(), set.column("lesions").unwrap());
    let mut files = Vec::new();
    for (id, path) in ids.iter().zip(&truth).skip(1) {
        let bytes = std::fs::read(set.dir.join(path)).unwrap();
        let limits = fiel_metrics::image::ReadLimits::default();
        files
            .push((format!("{id}/lesions.nii"), fiel_metrics::image::recode_nifti(&bytes, &limits).unwrap()));
    }
    let evaluation = try_it("lesion-phantom", &archive(&files), MediaType::Predictions, 1).unwrap();
    assert_eq!(evaluation.cases["missing-output"], 1);
    assert_eq!(evaluation.cases["ok"], ids.len() as u64 - 1);
    let dice = evaluation.table.column("dice").unwrap().f64().unwrap().clone();
    assert!(dice.iter().flatten().all(|value| value >= 1.0), "the truth answers itself");
    assert!(dice.iter().flatten().count() > 2);
}

/// An order for predictions, in a phase whose inputs are public or not.
fn order(site: &TestSite, run: &str, bytes: &[u8], public_inputs: bool) -> RunOrder {
    let mut order = site.order(run, 1, bytes);
    order.submission.artifact.media_type = MediaType::Predictions;
    order.challenge.phases[0].public_inputs = public_inputs;
    order.challenge_digest = challenge_digest(&order.challenge);
    order
}

/// A constant answer to every case of a site.
fn answers(site: &TestSite) -> Vec<(String, Vec<u8>)> {
    let set = reference_set::load(&site.path().join("reference-sets/held-out")).unwrap();
    let ids = set.column("case_id").unwrap();
    let answer =
        |id: &&str| (format!("{id}/prediction.csv"), format!("case_id,probability\n{id},0.5\n").into_bytes());
    ids.iter().map(answer).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_with_public_inputs_takes_predictions_and_the_statement_says_so() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    site.queue(order(&site, "1", &archive(&answers(&site)), true));
    let node = site.start();
    eventually("a report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    let key = fiel_node::folder::signing_key(site.path()).unwrap().verifying_key();
    let payload = dsse::verify(&report(&site, 0).envelope, &key).unwrap();
    let statement: Statement = validate::from_json(Kind::Statement, &payload).unwrap();
    assert_eq!(statement.predicate.engine.name, "predictions");
    assert_eq!(statement.predicate.cases.get("ok"), Some(&20));
    assert!(site.path().join("runs").join(run_id("1")).join("cases.parquet").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_whose_inputs_are_not_public_takes_no_predictions() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    site.queue(order(&site, "1", &archive(&answers(&site)), false));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::ArtifactInvalid);
    node.stop().await;
    assert!(site.hub.with(|s| s.received.iter().all(|(line, _)| !line.contains("artifacts"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_case_that_is_not_there_makes_the_file_invalid() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let mut files = answers(&site);
    files.push(("unknown/prediction.csv".to_owned(), b"case_id,probability\nunknown,0.5\n".to_vec()));
    site.queue(order(&site, "1", &archive(&files), true));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::ArtifactInvalid);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_the_policy_does_not_name_is_refused_before_it_is_fetched() {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let policy = Policy::open(site.path()).unwrap();
    let engines =
        Engines { allow: vec![ArtifactKind::Onnx, ArtifactKind::Predictions], ..Engines::default() };
    Policy { engines, ..policy }.save(site.path()).unwrap();
    site.queue(site.order("1", 1, &baseline("constant")));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::PolicyRefused);
    node.stop().await;
    assert!(site.hub.with(|s| s.received.iter().all(|(line, _)| !line.contains("artifacts"))));
}
