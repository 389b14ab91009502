//! How fast a kernel runs as WebAssembly in the sandbox beside the same source built for this machine:
//! `cargo bench -p fiel-sandbox --bench kernels`.
//!
//! `kernels.c` is built by clang with the same options: for any processor of this architecture (vectors of 128 bits, as
//! WebAssembly has them), for this very processor, and as a module with and without SIMD. A time is that of one
//! application: the difference of a case with many and one with none, so that reading, starting and writing are not in
//! it. Every build must give the same sum, to the last bit.

#![allow(clippy::unwrap_used, reason = "a benchmark ends where it unwraps")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use fiel_sandbox::{CaseInput, Expected, Model, Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;

/// Applications in a case.
const TIMES: usize = 20;

/// Cases; the fastest counts.
const RUNS: usize = 7;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let builds: [(&str, &[&str]); 4] = [
        ("native", &[]),
        ("native, this processor", &["-march=native"]),
        ("WebAssembly, SIMD", &["--target=wasm32-wasi", "-msimd128"]),
        ("WebAssembly, plain", &["--target=wasm32-wasi"]),
    ];
    println!("{:<10} {:<24} {:>12} {:>12}", "kernel", "build", "ms", "to native");
    for kernel in ["convolve", "gauss"] {
        let mut native = None;
        let mut sums = Vec::new();
        for (name, flags) in builds {
            let program = build(folder.path(), flags);
            let run = |times| {
                if flags.iter().any(|flag| flag.contains("wasm")) {
                    in_sandbox(&program, kernel, times)
                } else {
                    natively(&program, kernel, times)
                }
            };
            let ((many, sum), (none, _)) = (run(TIMES), run(0));
            let seconds = (many - none) / TIMES as f64;
            let ratio = seconds / *native.get_or_insert(seconds);
            println!("{kernel:<10} {name:<24} {:>12.2} {ratio:>12.2}", seconds * 1e3);
            sums.push(sum);
        }
        assert!(sums.iter().all(|sum| *sum == sums[0]), "{kernel}: the builds disagree: {sums:?}");
    }
}

fn build(folder: &Path, flags: &[&str]) -> PathBuf {
    let target = folder.join(format!("model{}", flags.concat()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/kernels.c");
    let made = Command::new("clang")
        .args(["-O3", "-ffp-contract=off"])
        .args(flags)
        .arg("-o")
        .arg(&target)
        .arg(source)
        .status();
    assert!(
        made.unwrap().success(),
        "clang is needed: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32"
    );
    target
}

/// The fastest run as a process of this machine, and its sum.
fn natively(program: &Path, kernel: &str, times: usize) -> (f64, String) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("input")).unwrap();
    std::fs::create_dir(root.path().join("output")).unwrap();
    std::fs::write(root.path().join("input/plan"), format!("{kernel} {times}")).unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let started = Instant::now();
        assert!(Command::new(program).arg(root.path()).status().unwrap().success());
        best = best.min(started.elapsed().as_secs_f64());
    }
    (best, std::fs::read_to_string(root.path().join("output/answer")).unwrap())
}

/// The fastest case in the sandbox, and its sum.
fn in_sandbox(program: &Path, kernel: &str, times: usize) -> (f64, String) {
    let folder = tempfile::tempdir().unwrap();
    let worker = WorkerCommand { program: env!("CARGO_BIN_EXE_sandbox-worker").into(), args: Vec::new() };
    let config = SandboxConfig::new(folder.path().join("work"), folder.path().join("cache"), worker);
    let sandbox = Sandbox::new(config).unwrap();
    let sha256 = sha256_hex(&std::fs::read(program).unwrap());
    let model = Model { path: program.to_owned(), sha256, media_type: MediaType::Wasm };
    let prepared = sandbox.prepare(&model).unwrap();
    let limits = Limits { memory_mib: 256, case_ms: 120_000, output_mib: 1, artifact_mib: 1 };
    let plan = format!("{kernel} {times}").into_bytes();
    let case = |number: usize| CaseInput {
        name: number.to_string(),
        files: vec![("plan".to_owned(), plan.clone())],
    };
    let results = Mutex::new(Vec::new());
    sandbox
        .run_cases(
            &prepared,
            &limits,
            (0..RUNS).map(case),
            &[Expected::File("answer".to_owned())],
            &|result| {
                assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
                results.lock().unwrap().push((result.seconds, result.outputs["answer"].clone()));
            },
        )
        .unwrap();
    let results = results.into_inner().unwrap();
    let best = results.iter().map(|result| result.0).fold(f64::INFINITY, f64::min);
    (best, String::from_utf8(results[0].1.clone()).unwrap())
}
