//! A site in a temporary folder, with the first rows of the public breast-fna cases as its held-out set.

use super::FakeHub;
use chrono::{TimeDelta, Utc};
use fiel_node::policy::{POLICY_SCHEMA, Policy, ReleaseRule};
use fiel_node::{Node, NodeError, NodeOptions, enrol, reference_set};
use fiel_sandbox::{Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::challenge::{Challenge, Task};
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::{Artifact, MediaType, Submission};
use fiel_schemas::validate::{self, Kind};
use fiel_schemas::{digest, reference_set::ReferenceSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A site and the hub it is enrolled with.
pub(crate) struct TestSite {
    pub(crate) dir: TempDir,
    pub(crate) hub: FakeHub,
    pub(crate) challenge: Challenge,
    pub(crate) set: ReferenceSet,
}

/// A node at work; dropped by `stop`.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), NodeError>>,
}

fn challenge_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges/breast-fna")
}

/// A committed baseline of the challenge.
pub(crate) fn baseline(name: &str) -> Vec<u8> {
    std::fs::read(challenge_folder().join("baselines").join(format!("{name}.wasm"))).unwrap()
}

impl TestSite {
    pub(crate) async fn new(cases: usize, min_cases: u64, release: ReleaseRule) -> Self {
        let hub = FakeHub::start().await;
        let dir = tempfile::tempdir().unwrap();
        enrol(dir.path(), &hub.url, "code-1").await.unwrap();
        let policy =
            Policy { schema: POLICY_SCHEMA.to_owned(), min_cases, min_cell: 5, release, ..Policy::default() };
        policy.save(dir.path()).unwrap();
        let text = std::fs::read_to_string(challenge_folder().join("challenge.yaml")).unwrap();
        let challenge: Challenge = validate::from_yaml(Kind::Challenge, &text).unwrap();
        let folder = dir.path().join("reference-sets/held-out");
        std::fs::create_dir_all(&folder).unwrap();
        let public = std::fs::read_to_string(challenge_folder().join("public/cases.csv")).unwrap();
        let lines: Vec<&str> = public.lines().take(cases + 1).collect();
        std::fs::write(folder.join("cases.csv"), lines.join("\n") + "\n").unwrap();
        let set = reference_set::seal(
            &folder,
            "held-out",
            "breast-fna",
            Task::Classification,
            "cases.csv",
            "malignant",
        )
        .unwrap();
        Self { dir, hub, challenge, set }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// An order for these bytes, which the hub serves.
    pub(crate) fn order(&self, run: &str, fence: i64, artifact: &[u8]) -> RunOrder {
        let sha256 = digest::sha256_hex(artifact);
        self.hub.with(|s| s.artifacts.insert(sha256.clone(), artifact.to_vec()));
        RunOrder {
            schema: "fiel/run-order/v1".to_owned(),
            run: run_id(run),
            site: "north".to_owned(),
            reference_set: "held-out".to_owned(),
            reference_set_digest: reference_set::digest(&self.set),
            fence,
            attempt: 1,
            lease_until: Utc::now() + TimeDelta::seconds(1),
            challenge_digest: digest::challenge_digest(&self.challenge),
            challenge: self.challenge.clone(),
            submission: Submission {
                schema: "fiel/submission/v1".to_owned(),
                id: run_id("5"),
                challenge: "breast-fna".to_owned(),
                phase: self.challenge.phases[0].id.clone(),
                tool: "tool".to_owned(),
                version: "1".to_owned(),
                description: String::new(),
                participant: "ada".to_owned(),
                artifact: Artifact {
                    media_type: MediaType::Wasm,
                    sha256,
                    size: artifact.len() as u64,
                    source: None,
                },
                submitted_at: Utc::now(),
            },
        }
    }

    pub(crate) fn queue(&self, order: RunOrder) {
        self.hub.with(|s| s.orders.push_back(order));
    }

    pub(crate) fn start(&self) -> Running {
        let options =
            NodeOptions { parallel: 2, claim_wait: Duration::from_secs(1), ..NodeOptions::new(worker()) };
        let node = Node::open(self.path(), options).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let result = node.run(async { drop(stopped.await) }).await;
            drop(node);
            result
        });
        Running { stop, task }
    }
}

impl Running {
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }
}

fn worker() -> WorkerCommand {
    WorkerCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_fiel-node-test-worker")), args: Vec::new() }
}

/// A sandbox of its own.
pub(crate) fn sandbox(folder: &Path) -> Sandbox {
    sandbox_of(folder, 2)
}

/// A sandbox of its own that runs so many cases at once.
pub(crate) fn sandbox_of(folder: &Path, parallel: usize) -> Sandbox {
    let config = SandboxConfig::new(folder.join("work"), folder.join("cache"), worker());
    Sandbox::new(SandboxConfig { parallel, ..config }).unwrap()
}

/// A valid run id that ends in the given hexadecimal digits.
pub(crate) fn run_id(tail: &str) -> String {
    format!("019ac1f2-7b11-7d3e-a111-{tail:0>12}")
}

/// Waits until a condition holds, at most 30 s.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
