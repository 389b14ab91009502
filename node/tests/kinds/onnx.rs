//! ONNX bundles, run by the engine that the policy names.

use super::folder;
use crate::support::{TestSite, baseline, eventually};
use crate::{reason_told, report};
use fiel_node::policy::{Engines, Policy, ReleaseRule};
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::Statement;
use fiel_schemas::dsse;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::MediaType;
use fiel_schemas::validate::{self, Kind};
use std::path::{Path, PathBuf};

/// A site whose policy names this library.
async fn site(library: &Path) -> TestSite {
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    let policy = Policy::open(site.path()).unwrap();
    let engines = Engines { onnxruntime: Some(library.to_owned()), ..Engines::default() };
    Policy { engines, ..policy }.save(site.path()).unwrap();
    site
}

fn order(site: &TestSite, run: &str) -> RunOrder {
    let bundle = std::fs::read(folder("breast-fna").join("baselines/logistic.onnx.tar")).unwrap();
    let mut order = site.order(run, 1, &bundle);
    order.submission.artifact.media_type = MediaType::Onnx;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_that_the_policy_names_runs_them_and_the_statement_says_so() {
    let named = std::env::var_os("FIEL_ONNXRUNTIME").map(PathBuf::from);
    let library = named.expect("FIEL_ONNXRUNTIME names libonnxruntime.so; tests/run.sh installs it");
    let site = site(&library).await;
    site.queue(order(&site, "1"));
    let node = site.start();
    eventually("a report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
    let key = fiel_node::folder::signing_key(site.path()).unwrap().verifying_key();
    let payload = dsse::verify(&report(&site, 0).envelope, &key).unwrap();
    let statement: Statement = validate::from_json(Kind::Statement, &payload).unwrap();
    assert_eq!(statement.predicate.engine.name, "onnxruntime");
    assert_eq!(statement.predicate.cases.get("ok"), Some(&20));
    assert!(statement.predicate.metrics["auc"].estimate.value.unwrap() > 0.9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_cannot_be_used_refuses_them_and_nothing_else() {
    let site = site(Path::new("/nowhere/libonnxruntime.so")).await;
    site.queue(order(&site, "1"));
    site.queue(site.order("2", 1, &baseline("constant")));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::EngineUnavailable);
    eventually("the other run's report", || site.hub.with(|s| !s.reports.is_empty())).await;
    node.stop().await;
}
