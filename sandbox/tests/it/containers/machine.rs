//! What the machine offers, and what happens when a node dies.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use fiel_sandbox::{ContainerConfig, EngineReport, Sandbox};
use fiel_schemas::api::FailureReason;
use serde_json::json;

use super::bench::{Bench, bench, bench_with, case, config, hostile, model, run};
use super::engines::{Engine, on_every_engine};
use super::traces::{assert_nothing_left, groups, soon};

/// What the sandbox found out about containers, with the runtime that it chose.
fn containers(bench: &Bench) -> EngineReport {
    bench
        .sandbox
        .engines()
        .into_iter()
        .find(|engine| !["wasmtime", "tract"].contains(&engine.name.as_str()))
        .unwrap()
}

#[test]
fn runc_is_what_a_node_takes_that_is_not_told_otherwise() {
    let report = containers(&bench());
    assert_eq!((report.name.as_str(), report.available), ("runc", true), "{report:?}");
}

fn every_protection_was_tried_and_holds(engine: Engine) {
    let bench = engine.bench();
    let report = engine.report(&bench);
    let names: Vec<&str> = report.protections.iter().map(|protection| protection.name.as_str()).collect();
    for required in ContainerConfig::default().required {
        assert!(names.contains(&required.as_str()), "{required} was not tried: {names:?}");
    }
    let broken = report.protections.iter().filter(|protection| !protection.holds);
    let broken: Vec<&str> = broken.map(|protection| protection.name.as_str()).collect();
    assert_eq!(broken, Vec::<&str>::new(), "{report:#?}");
    bench.assert_nothing_left("the canaries");
}

#[test]
fn without_a_runtime_images_are_refused_with_the_reason() {
    let missing = ContainerConfig { runtime: Some("/no/such/runc".to_owned()), ..ContainerConfig::default() };
    let bench = bench_with(1, missing);
    let report = containers(&bench);
    assert!(!report.available && report.version.is_none());
    assert!(report.advice.contains("apt-get install runc"), "{}", report.advice);
    let refusal = bench.try_prepare(&hostile(&json!({}))).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::EngineUnavailable);
    assert!(refusal.message.contains("/no/such/runc"), "{}", refusal.message);
}

#[test]
fn a_protection_that_does_not_hold_makes_the_engine_unavailable() {
    let mut demanding = ContainerConfig::default();
    demanding.required.push("virtual-machine".to_owned());
    let refusal = bench_with(1, demanding).try_prepare(&hostile(&json!({}))).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::EngineUnavailable);
    assert_eq!(
        refusal.message,
        "this site does not run container images: runc cannot guarantee here: virtual-machine"
    );
}

#[test]
fn a_runtime_that_does_not_work_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("runc");
    std::fs::write(&fake, "#!/bin/sh\necho runc version 0; exit 1\n").unwrap();
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let runtime = Some(fake.to_str().unwrap().to_owned());
    let bench = bench_with(1, ContainerConfig { runtime, ..ContainerConfig::default() });
    let report = containers(&bench);
    assert!(!report.available && report.advice.contains("a trial container did not run"), "{report:?}");
}

/// Set in the process that plays an ordinary user.
const USER: &str = "FIEL_TEST_CONTAINER_USER";

/// Says what the engine is for a user without rights.
fn play_user(folder: &Path) {
    let mut config = config(folder, 1, ContainerConfig::default());
    config.worker.program = folder.join("worker");
    let sandbox = Sandbox::new(config).unwrap();
    let report = sandbox.engines().remove(2);
    println!("\navailable {}", report.available);
    println!("advice {}", report.advice);
    let refusal = sandbox.prepare(&model(folder, &hostile(&json!({})))).unwrap_err();
    println!("refusal {:?} {}", refusal.reason, refusal.message);
}

#[test]
fn an_ordinary_user_is_told_what_is_missing() {
    if let Some(folder) = std::env::var_os(USER) {
        return play_user(Path::new(&folder));
    }
    let bench = bench();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(crate::support::worker().program, folder.path().join("worker")).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    let told = Command::new("/proc/self/exe")
        .args(["containers::machine::an_ordinary_user_is_told_what_is_missing", "--exact", "--nocapture"])
        .env(USER, folder.path())
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{text}{}", String::from_utf8_lossy(&told.stderr));
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default();
    assert_eq!(line("available "), "false", "{text}");
    let reason = line("refusal EngineUnavailable this site does not run container images: ");
    // Either containers run but cannot be bounded, or they do not run at all.
    assert!(reason.contains("memory-limit") || reason.contains("did not run"), "{text}");
    assert!(line("advice ").contains("run the node as root"), "{text}");
    drop(bench);
}

/// Set in the process that plays the node.
const NODE: &str = "FIEL_TEST_CONTAINER_NODE";

fn play_node(engine: Engine, folder: &Path) {
    let runtime = Some(engine.name().to_owned());
    let containers = ContainerConfig { runtime, ..ContainerConfig::default() };
    let sandbox = Sandbox::new(config(folder, 1, containers)).unwrap();
    let prepared = sandbox.prepare(&model(folder, &hostile(&json!({})))).unwrap();
    println!("\nready");
    run(&sandbox, &prepared, &engine.limits(), vec![case(&[("mode", "deaf")])]);
}

fn a_killed_node_leaves_nothing_behind(engine: Engine) {
    if let Some(folder) = std::env::var_os(NODE) {
        return play_node(engine, Path::new(&folder));
    }
    let bench = engine.bench();
    let folder = tempfile::tempdir().unwrap();
    let test = format!("containers::machine::{}::a_killed_node_leaves_nothing_behind", engine.name());
    let mut node = Command::new(std::env::current_exe().unwrap())
        .args([test.as_str(), "--exact", "--nocapture"])
        .env(NODE, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    let left = || groups(Path::new("/sys/fs/cgroup"), &format!("fiel-{}-c", node.id()));
    let working = || left().iter().any(|group| !processes(group).is_empty());
    soon("the container runs", &working);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let members = || left().iter().flat_map(|group| processes(group)).collect::<Vec<_>>();
    // gVisor's processes bear no name of the program that it runs.
    let is_model = |process: &String| engine == Engine::Runsc || name(process).contains("model");
    soon("the model runs", &|| members().iter().any(is_model));
    let members = members();
    node.kill().unwrap();
    node.wait().unwrap();
    soon("the control groups are gone", &|| {
        groups(Path::new("/sys/fs/cgroup"), &format!("fiel-{}-", node.id())).is_empty()
    });
    soon("the processes are gone", &|| members.iter().all(|process| has_ended(process)));
    assert_nothing_left(node.id(), "a killed node");
    // Its folder goes with the next start.
    let work = folder.path().join("work");
    let again = Sandbox::new(config(folder.path(), 1, ContainerConfig::default())).unwrap();
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 1);
    drop((again, bench));
}

on_every_engine!(every_protection_was_tried_and_holds, a_killed_node_leaves_nothing_behind);

/// The processes of a group and of those below it.
fn processes(group: &Path) -> Vec<String> {
    let below = std::fs::read_dir(group).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.path().is_dir()).flat_map(|entry| processes(&entry.path()));
    let own = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    own.lines().map(str::to_owned).chain(below.collect::<Vec<_>>()).collect()
}

fn name(process: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default()
}

/// A zombie has ended; whoever adopted it takes note of that in its own time.
fn has_ended(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.is_empty() || status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
}
