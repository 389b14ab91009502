//! The engines themselves: which one runs, what it leaves behind.

use fiel_sandbox::WorkerCommand;
use fiel_schemas::api::FailureReason;
use fiel_schemas::outcome::Outcome;

use super::bundles::{FLOAT, Graph, Lab, bundle, engines, limits, onnxruntime, row_case, table_manifest};
use crate::support::worker;

fn identity() -> Vec<u8> {
    let model = Graph::new().input("x", FLOAT, &[1, 2]).node("Relu", &["x"], "y").output("y", &[1, 2]);
    bundle(&table_manifest(), &model.bytes())
}

#[test]
fn the_engine_is_named_with_its_version() {
    let built_in = Lab::new(None, 1).sandbox.onnx_info();
    assert_eq!(built_in.name, "tract");
    let site = Lab::new(Some(&onnxruntime()), 1).sandbox.onnx_info();
    assert_eq!(site.name, "onnxruntime");
    // The wheel's library bears its version in its name.
    let file = onnxruntime().to_string_lossy().into_owned();
    assert!(site.version.starts_with("1.") && file.ends_with(&format!(".so.{}", site.version)), "{file}");
    assert_ne!(site.config_digest, built_in.config_digest);
    for held in ["seccomp", "no-new-privs", "no-host-files"] {
        assert!(site.confinement.iter().any(|name| name == held), "{:?}", site.confinement);
    }
}

#[test]
fn a_library_that_cannot_be_used_is_refused_and_nothing_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so");
    std::fs::write(&text, "not a library").unwrap();
    for path in [text, folder.path().join("absent.so")] {
        let refusal = Lab::new(Some(&path), 1).prepare(&identity()).unwrap_err();
        assert_eq!(refusal.reason, FailureReason::EngineUnavailable);
        assert!(refusal.message.contains("onnxruntime cannot be used"), "{refusal}");
    }
}

#[test]
fn a_checked_artifact_is_kept_and_made_again_when_it_was_damaged() {
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        assert!(!lab.prepare(&identity()).unwrap().cached);
        assert!(lab.prepare(&identity()).unwrap().cached);
        for entry in std::fs::read_dir(lab.folder.path().join("cache")).unwrap() {
            std::fs::write(entry.unwrap().path(), b"torn").unwrap();
        }
        assert!(!lab.prepare(&identity()).unwrap().cached);
        assert_eq!(lab.row(&identity(), &limits(), &[("a", "1"), ("b", "2")]).outcome, Outcome::Ok);
    }
}

#[test]
fn onnxruntime_leaves_no_trace_of_its_telemetry() {
    let home = tempfile::tempdir().unwrap();
    let session = std::path::Path::new("/tmp/.ses");
    let before = std::fs::metadata(session).and_then(|file| file.modified()).ok();
    let engine = onnxruntime();
    // The worker's environment is empty but for what the sandbox sets; `env` gives it a home to write to.
    let WorkerCommand { program, .. } = worker();
    let args = vec![format!("HOME={}", home.path().display()), program.display().to_string()];
    let command = WorkerCommand { program: "/usr/bin/env".into(), args };
    let lab = Lab::with(Some(&engine), 1, |config| fiel_sandbox::SandboxConfig { worker: command, ..config });
    let result = lab.row(&identity(), &limits(), &[("a", "1"), ("b", "2")]);
    assert_eq!(result.outcome, Outcome::Ok, "{}", result.reason);
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        0,
        "something was written to the home folder"
    );
    assert_eq!(
        std::fs::metadata(session).and_then(|file| file.modified()).ok(),
        before,
        "/tmp/.ses was written"
    );
    // A worker that is not told to be quiet does not load the library at all.
    let WorkerCommand { program, .. } = worker();
    let args = vec!["--unset=ORT_DISABLE_TELEMETRY".to_owned(), program.display().to_string()];
    let command = WorkerCommand { program: "/usr/bin/env".into(), args };
    let lab = Lab::with(Some(&engine), 1, |config| fiel_sandbox::SandboxConfig { worker: command, ..config });
    let refusal = lab.prepare(&identity()).unwrap_err();
    assert!(refusal.message.contains("ORT_DISABLE_TELEMETRY is not set"), "{refusal}");
}

#[test]
fn nothing_is_left_after_a_run_and_no_worker_remains() {
    let lab = Lab::new(None, 2);
    let prepared = lab.prepare(&identity()).unwrap();
    let cases = (0..4).map(|index| row_case(&format!("c{index}"), &[("a", "1"), ("b", "2")])).collect();
    let results = lab.run(&prepared, &limits(), cases, "prediction.csv");
    assert!(results.iter().all(|result| result.outcome == Outcome::Ok));
    let work = lab.folder.path().join("work");
    let inside =
        std::fs::read_dir(std::fs::read_dir(&work).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert_eq!(inside.count(), 0);
    drop(lab.sandbox);
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0);
}
