//! What a module pays for a network that it loads through wasi-nn, with tract and with onnxruntime.
//!
//!     FIEL_ONNXRUNTIME=.../libonnxruntime.so cargo bench -p fiel-sandbox --bench wasi_nn
//!
//! Without the variable only tract is measured. First the three forms of `breast-fna`'s logistic regression: without a
//! network, with one of 302 bytes, and as an artifact that the worker loads once. Then `lesion-phantom`'s small U-Net in
//! a module that loads it, or loads it and runs so many windows of zeros; what a step costs is the difference.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it unwraps")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fiel_sandbox::{CaseInput, Expected, Model, Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::assessment::EngineInfo;
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;

fn main() {
    let site = std::env::var_os("FIEL_ONNXRUNTIME").map(PathBuf::from);
    for library in std::iter::once(None).chain(site.map(Some)) {
        measure(library);
    }
}

fn challenge(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges").join(path)
}

fn measure(onnxruntime: Option<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerCommand { program: env!("CARGO_BIN_EXE_sandbox-worker").into(), args: Vec::new() };
    let config = SandboxConfig::new(folder.path().join("work"), folder.path().join("cache"), worker);
    let sandbox = Sandbox::new(SandboxConfig { onnxruntime, ..config }).unwrap();
    let engine = sandbox.onnx_info();
    let say = |name: &str, model: &Model, case: &CaseInput, count: usize| {
        let [wall, cpu] = own(&sandbox, model, case, count).map(|seconds| seconds * 1e3);
        let EngineInfo { name: engine, version, .. } = &engine;
        println!("{engine} {version}: {name}: {wall:.3} ms, {cpu:.3} ms of processor (medians of {count})");
    };
    for (baseline, kind) in [
        ("logistic.wasm", MediaType::Wasm),
        ("logistic-wasi-nn.wasm", MediaType::Wasm),
        ("logistic.onnx.tar", MediaType::Onnx),
    ] {
        let path = challenge("breast-fna/baselines").join(baseline);
        let sha256 = sha256_hex(&std::fs::read(&path).unwrap());
        say(baseline, &Model { path, sha256, media_type: kind }, &row(), 500);
    }
    let network = network();
    for (name, windows) in
        [("U-Net, loaded", 0), ("loaded, made ready and run once", 1), ("and run four times", 4)]
    {
        let module = module(&network, windows);
        let path = folder.path().join(format!("{windows}.wasm"));
        std::fs::write(&path, &module).unwrap();
        let model = Model { path, sha256: sha256_hex(&module), media_type: MediaType::Wasm };
        say(name, &model, &CaseInput { name: "c1".into(), files: Vec::new() }, 15);
    }
}

/// Medians of the seconds of a case in a warm worker: by the clock, and of the processor.
fn own(sandbox: &Sandbox, model: &Model, case: &CaseInput, count: usize) -> [f64; 2] {
    let prepared = sandbox.prepare(model).unwrap();
    let limits = Limits { memory_mib: 512, case_ms: 60_000, output_mib: 8, artifact_mib: 16 };
    let expected: Vec<Expected> =
        if case.files.is_empty() { Vec::new() } else { vec![Expected::File("prediction.csv".into())] };
    let times = Mutex::new(Vec::new());
    let cases = std::iter::repeat_n(case.clone(), count + 1);
    sandbox
        .run_cases(&prepared, &limits, cases, &expected, &|result| {
            assert_eq!(result.outcome.as_str(), "ok", "{}", String::from_utf8_lossy(&result.log));
            times.lock().unwrap().push([result.seconds, result.usage.cpu_s.unwrap()]);
        })
        .unwrap();
    // The first case finds a cold worker.
    let times = times.into_inner().unwrap().split_off(1);
    [0, 1].map(|kind| {
        let mut times: Vec<f64> = times.iter().map(|both| both[kind]).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// The first public case of `breast-fna`.
fn row() -> CaseInput {
    let table = std::fs::read_to_string(challenge("breast-fna/public/cases.csv")).unwrap();
    let text: String = table.lines().take(2).flat_map(|line| [line, "\n"]).collect();
    let inputs = br#"{"schema": "fiel/inputs/v1", "case": "c1",
        "inputs": [{"name": "features", "kind": "table", "path": "case.csv"}],
        "outputs": [{"name": "prediction", "kind": "table", "path": "prediction.csv"}]}"#;
    let files = vec![("inputs.json".into(), inputs.to_vec()), ("case.csv".into(), text.into_bytes())];
    CaseInput { name: "c1".into(), files }
}

/// The U-Net's `model.onnx`.
fn network() -> Vec<u8> {
    let archive = std::fs::File::open(challenge("lesion-phantom/baselines/unet.onnx.tar")).unwrap();
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut entry = entries.find(|entry| entry.path().unwrap().ends_with("model.onnx")).unwrap();
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A module that loads the network and runs this many windows of 32 x 48 x 48 zeros.
fn module(network: &[u8], windows: usize) -> Vec<u8> {
    let bytes = network.iter().fold(String::new(), |text, byte| text + &format!("\\{byte:02x}"));
    let (size, zeros, voxels) = (network.len(), 1 << 20, 4 * 32 * 48 * 48);
    let run = "(call $must (call $set_input (i32.const 0) (i32.const 0) (i32.const 64)))
               (call $must (call $compute (i32.const 0)))"
        .repeat(windows);
    wat::parse_str(format!(
        r#"(module
        (import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_ephemeral_nn" "init_execution_context" (func $context (param i32 i32) (result i32)))
        (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
        (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
        (memory (export "memory") 64)
        (data (i32.const 4096) "{bytes}")
        (data (i32.const 128) "\01\00\00\00\01\00\00\00\20\00\00\00\30\00\00\00\30\00\00\00")
        (func $must (param i32) (if (local.get 0) (then unreachable)))
        (func (export "_start")
            (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const {size}))
            (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 5))
            (i32.store (i32.const 72) (i32.const 1))
            (i32.store (i32.const 76) (i32.const {zeros})) (i32.store (i32.const 80) (i32.const {voxels}))
            (call $must (call $load (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 32)))
            (call $must (call $context (i32.const 0) (i32.const 36)))
            {run}))"#
    ))
    .unwrap()
}
