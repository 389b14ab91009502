//! `fiel try` and `fiel node doctor`: models of several kinds on public cases, without any hub.

use crate::{Ran, fiel, fiel_in, write};
use std::path::Path;

const CHALLENGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../challenges");

/// An archive of files, by the `tar` of the machine.
fn archive(folder: &Path, files: &[(&str, String)]) -> String {
    let inside = folder.join("files");
    for (name, content) in files {
        write(&inside, name, content);
    }
    let path = folder.join("model.tar");
    let made = std::process::Command::new("tar")
        .args(["--create", "--file"])
        .arg(&path)
        .arg("--directory")
        .arg(&inside)
        .args(files.iter().map(|(name, _)| *name))
        .status()
        .expect("tar starts");
    assert!(made.success());
    path.display().to_string()
}

fn with_json(model: &str) -> Ran {
    fiel(&["try", "breast-fna", model, "--json", "--parallel", "2"])
}

#[test]
fn a_module_is_tried_and_its_table_has_the_same_digest_again() {
    let model = format!("{CHALLENGES}/breast-fna/baselines/logistic.wasm");
    let (first, again) = (with_json(&model).json(), with_json(&model).json());
    assert_eq!((&first["dialect"], &first["engine"]["name"]), (&"fiel".into(), &"wasmtime".into()));
    assert_eq!(first["media_type"], "application/wasm");
    assert_eq!(first["table_digest"], again["table_digest"]);
    assert_eq!(first["table_digest"].as_str().map(str::len), Some(64));
    let other = with_json(&format!("{CHALLENGES}/breast-fna/baselines/threshold.wasm")).json();
    assert_ne!(first["table_digest"], other["table_digest"]);
}

#[test]
fn failures_are_listed_and_the_first_one_is_shown_whole() {
    let ran = fiel(&["try", "breast-fna", &format!("{CHALLENGES}/breast-fna/baselines/broken.wasm")]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    for words in
        ["crashed", "timed-out", "missing-output", "invalid-output", "dialect fiel", "wasmtime", "loading"]
    {
        assert!(ran.out.contains(words), "{words} is missing: {}", ran.all());
    }
    assert!(ran.out.contains("printed"), "{}", ran.all());
}

#[test]
fn predictions_are_tried_without_an_engine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let public = fs_err::read_to_string(format!("{CHALLENGES}/breast-fna/public/cases.csv")).expect("cases");
    let ids: Vec<&str> = public.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let rows = |ids: &[&str]| -> String {
        std::iter::once("case_id,probability\n".to_owned())
            .chain(ids.iter().map(|id| format!("{id},0.5\n")))
            .collect()
    };
    let model = archive(folder.path(), &[("predictions.csv", rows(&ids))]);
    let tried = with_json(&model).json();
    assert_eq!((&tried["engine"]["name"], &tried["cases"]["ok"]), (&"predictions".into(), &ids.len().into()));
    assert_eq!(tried["metrics"]["auc"]["value"], 0.5);
    let model = archive(folder.path(), &[("predictions.csv", rows(&ids[1..]))]);
    let ran = with_json(&model);
    assert_eq!((ran.code, &ran.json()["cases"]["missing-output"]), (1, &1.into()), "{}", ran.all());
    let model = archive(folder.path(), &[("predictions.csv", rows(&["stranger"]))]);
    let ran = with_json(&model);
    assert!(
        ran.code == 1 && ran.err.contains("line 2") && ran.err.contains("docs/model.md"),
        "{}",
        ran.all()
    );
}

#[test]
fn an_image_is_refused_precisely_where_no_runtime_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let layout = r#"{"imageLayoutVersion": "1.0.0"}"#.to_owned();
    let model =
        archive(folder.path(), &[("oci-layout", layout), ("index.json", r#"{"manifests": []}"#.to_owned())]);
    let ran = fiel(&["try", "lesion-phantom", &model, "--runtime", "/nowhere/runc"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    for words in ["container image", "EngineUnavailable", "/nowhere/runc", "fiel node doctor"] {
        assert!(ran.err.contains(words), "{words} is missing: {}", ran.all());
    }
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "model.wasm", "#!/bin/sh\n");
    let ran = fiel_in(folder.path(), &["try", "breast-fna", "model.wasm"]);
    assert!(ran.code == 1 && ran.err.contains("neither a WebAssembly module"), "{}", ran.all());
    let ran = fiel_in(folder.path(), &["try", "breast-fna", "absent.wasm"]);
    assert!(ran.code == 1 && ran.err.contains("absent.wasm"), "{}", ran.all());
}

#[test]
fn the_doctor_finds_webassembly_with_its_protections() {
    let ran = fiel(&["node", "doctor", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let report = ran.json();
    let engines = report["engines"].as_array().expect("a list of engines");
    let wasm = engines.iter().find(|engine| engine["name"] == "wasmtime").expect("every node has it");
    assert_eq!(wasm["available"], true);
    let protections = wasm["protections"].as_array().expect("a list of protections");
    let holds = |name: &str| protections.iter().any(|p| p["name"] == name && p["holds"] == true);
    assert!(holds("seccomp") && holds("no-new-privs"), "{report}");
    let page = fiel(&["node", "doctor"]);
    assert!(
        page.code == 0 && page.out.contains("wasmtime") && page.out.contains("seccomp"),
        "{}",
        page.all()
    );
}

/// The library that tests/run.sh installs.
fn onnxruntime() -> String {
    std::env::var("FIEL_ONNXRUNTIME")
        .expect("FIEL_ONNXRUNTIME names libonnxruntime.so; tests/run.sh installs it")
}

/// The engine of ONNX models that `fiel node doctor` finds under a policy with these engines.
fn doctor(engines: &serde_json::Value) -> (serde_json::Value, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let policy = serde_json::json!({"schema": "fiel/policy/v1", "min_cases": 10, "min_cell": 5, "release": "ask",
        "engines": engines});
    write(folder.path(), "policy.json", policy.to_string());
    let data = folder.path().display().to_string();
    let ran = fiel(&["node", "doctor", "--data", &data, "--json"]);
    assert_eq!(ran.code, 0, "what is missing keeps no node from starting: {}", ran.all());
    let page = fiel(&["node", "doctor", "--data", &data]);
    (ran.json()["engines"][1].clone(), page.out)
}

#[test]
fn an_onnx_bundle_is_tried_with_the_built_in_engine_or_with_the_library_that_is_named() {
    let model = format!("{CHALLENGES}/breast-fna/baselines/logistic.onnx.tar");
    let built_in = with_json(&model).json();
    let named = fiel(&["try", "breast-fna", &model, "--json", "--onnxruntime", &onnxruntime()]).json();
    assert_eq!(
        (&built_in["engine"]["name"], &named["engine"]["name"]),
        (&"tract".into(), &"onnxruntime".into())
    );
    assert_eq!(built_in["cases"], named["cases"]);
    let ran = fiel(&["try", "breast-fna", &model, "--onnxruntime", "/nowhere/libonnxruntime.so"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    for words in ["onnxruntime cannot be used", "/nowhere/libonnxruntime.so", "tract", "--onnxruntime"] {
        assert!(ran.err.contains(words), "{words} is missing: {}", ran.all());
    }
}

#[test]
fn the_doctor_tries_the_onnxruntime_of_the_policy_and_names_what_would_run_without_it() {
    let (engine, _) = doctor(&serde_json::json!({}));
    assert_eq!((&engine["name"], &engine["available"]), (&"tract".into(), &true.into()));
    let (engine, page) = doctor(&serde_json::json!({"onnxruntime": onnxruntime()}));
    assert_eq!((&engine["name"], &engine["available"]), (&"onnxruntime".into(), &true.into()));
    assert!(engine["version"].as_str().is_some_and(|version| version.starts_with("1.")), "{engine}");
    assert!(page.contains("onnxruntime 1."), "{page}");
    let (engine, page) = doctor(&serde_json::json!({"onnxruntime": "/nowhere/libonnxruntime.so"}));
    assert_eq!((&engine["name"], &engine["available"]), (&"onnxruntime".into(), &false.into()));
    assert!(
        page.contains("onnxruntime: NOT available") && page.contains("tract, which is built in"),
        "{page}"
    );
}
