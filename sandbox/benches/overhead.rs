//! What a case costs beyond the model's own time: `cargo bench -p fiel-sandbox`.
//!
//! The model does nothing but write one byte, so that nearly all its time is the sandbox's. "Own" is the time from
//! making the instance until `_start` returned, measured in the worker; "case" is the wall time per case of a whole
//! run, folders filled and outputs read included, in the steady state.
//!
//! The component does nothing at all; the predictor is the baseline that marks every voxel above a cut, given a volume of
//! 128 voxels along each axis (8 MiB of single precision), and its "own" time is that of being handed the volume,
//! marking 2 million voxels and handing back the mask.

#![allow(clippy::unwrap_used, reason = "a benchmark ends where it unwraps")]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use fiel_kernels::image::{Geometry, Volume, encode_nifti_f32};
use fiel_sandbox::{CaseInput, Expected, Model, Prepared, Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;

const CASES: usize = 2_000;

const TRIVIAL: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "answer!\00")
    (data (i32.const 16) "\06\00\00\00\01\00\00\00")
    (func (export "_start")
        (if (call $open (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 1)
                (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)) (then unreachable))
        (if (call $write (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 40)) (then unreachable))))"#;

const NOTHING: &str = r#"(component
    (core module $m (func (export "run") (result i32) i32.const 0))
    (core instance $m (instantiate $m))
    (func $run (result (result)) (canon lift (core func $m "run")))
    (instance $entry (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $entry)))"#;

/// A model with what it is given and must write.
struct Subject {
    name: &'static str,
    model: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    expected: Vec<Expected>,
    cases: usize,
}

fn subjects() -> [Subject; 3] {
    let files = vec![("inputs.json".to_owned(), vec![b'x'; 300]), ("case.csv".to_owned(), vec![b'1'; 900])];
    let baselines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges/lesion-phantom/baselines");
    let document = r#"{"case": "c1", "inputs": [{"name": "ct", "kind": "image", "path": "ct.nii"}],
        "outputs": [{"name": "lesions", "kind": "mask", "path": "lesions.nii"}]}"#;
    let geometry = Geometry::axis_aligned([128; 3], [1.0; 3]);
    let ct = Volume { data: (0..geometry.voxels()).map(|voxel| (voxel % 200) as f32).collect(), geometry };
    [
        Subject {
            name: "module",
            model: wat::parse_str(TRIVIAL).unwrap(),
            files: files.clone(),
            expected: vec![Expected::File("answer".to_owned())],
            cases: CASES,
        },
        Subject {
            name: "component",
            model: wat::parse_str(NOTHING).unwrap(),
            files,
            expected: Vec::new(),
            cases: CASES,
        },
        Subject {
            name: "predictor",
            model: std::fs::read(baselines.join("threshold-predict.wasm")).unwrap(),
            files: vec![
                ("inputs.json".to_owned(), document.as_bytes().to_vec()),
                ("ct.nii".to_owned(), encode_nifti_f32(&ct).unwrap()),
            ],
            expected: vec![Expected::File("lesions.nii".to_owned())],
            cases: CASES / 20,
        },
    ]
}

fn main() {
    println!(
        "{:<10} {:<12} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "model", "folder", "workers", "own p50", "case p50", "beyond p50", "cases/s"
    );
    for subject in subjects() {
        for parent in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
            for parallel in [1, 2] {
                let folder = tempfile::tempdir_in(&parent).unwrap();
                measure(&subject, folder.path(), parallel, &parent);
            }
        }
    }
}

fn measure(subject: &Subject, folder: &Path, parallel: usize, parent: &Path) {
    let worker =
        WorkerCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_sandbox-worker")), args: Vec::new() };
    let config = SandboxConfig::new(folder.join("work"), folder.join("cache"), worker);
    let sandbox = Sandbox::new(SandboxConfig { parallel, ..config }).unwrap();
    let path = folder.join("model.wasm");
    std::fs::write(&path, &subject.model).unwrap();
    let sha256 = sha256_hex(&subject.model);
    let prepared = sandbox.prepare(&Model { path, sha256, media_type: MediaType::Wasm }).unwrap();
    run(&sandbox, &prepared, subject, subject.cases / 40 * parallel);
    let (own, case, wall) = run(&sandbox, &prepared, subject, subject.cases);
    let rate = subject.cases as f64 / wall;
    println!(
        "{:<10} {:<12} {parallel:>8} {:>9.3} ms {:>9.3} ms {:>9.3} ms {rate:>12.0}",
        subject.name,
        parent.display(),
        own * 1e3,
        case * 1e3,
        (case - own) * 1e3
    );
}

thread_local! {
    static LAST: RefCell<Option<Instant>> = const { RefCell::new(None) };
}

/// Medians of the model's own time and of the time between two results of a worker, and the wall time of all.
fn run(sandbox: &Sandbox, prepared: &Prepared, subject: &Subject, cases: usize) -> (f64, f64, f64) {
    let limits = Limits { memory_mib: 64, case_ms: 10_000, output_mib: 4, artifact_mib: 1 };
    let inputs =
        (0..cases).map(|index| CaseInput { name: format!("c{index}"), files: subject.files.clone() });
    let times = Mutex::new((Vec::new(), Vec::new()));
    let started = Instant::now();
    sandbox
        .run_cases(prepared, &limits, inputs, &subject.expected, &|result| {
            assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
            let now = Instant::now();
            let last = LAST.with(|last| last.replace(Some(now)));
            let mut times = times.lock().unwrap();
            times.0.push(result.seconds);
            times.1.extend(last.map(|last| (now - last).as_secs_f64()));
        })
        .unwrap();
    let wall = started.elapsed().as_secs_f64();
    let (mut own, mut between) = times.into_inner().unwrap();
    (median(&mut own), median(&mut between), wall)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
