//! What a case of the lesion-phantom network costs with tract and with onnxruntime, in the sandbox.
//!
//!     FIEL_ONNXRUNTIME=.../libonnxruntime.so cargo bench -p fiel-sandbox --bench onnx
//!
//! Without the variable only tract is measured.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it unwraps")]

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fiel_kernels::image::{ReadLimits, recode_nifti};
use fiel_sandbox::{CaseInput, Expected, Model, Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;

/// How often each phantom is run.
const ROUNDS: usize = 5;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges/lesion-phantom");
    let images: Vec<Vec<u8>> = (1..=6)
        .map(|number| {
            let path = folder.join(format!("public/images/phantom-public-{number:02}.nii.gz"));
            recode_nifti(&std::fs::read(path).unwrap(), &ReadLimits::default()).unwrap()
        })
        .collect();
    let path = folder.join("baselines/unet.onnx.tar");
    let sha256 = sha256_hex(&std::fs::read(&path).unwrap());
    let model = Model { path, sha256, media_type: MediaType::Onnx };
    let site = std::env::var_os("FIEL_ONNXRUNTIME").map(PathBuf::from);
    for library in std::iter::once(None).chain(site.map(Some)) {
        measure(&model, &images, library);
    }
}

fn measure(model: &Model, images: &[Vec<u8>], onnxruntime: Option<PathBuf>) {
    let work = tempfile::tempdir().unwrap();
    let worker = WorkerCommand { program: env!("CARGO_BIN_EXE_sandbox-worker").into(), args: Vec::new() };
    let config = SandboxConfig::new(work.path().join("work"), work.path().join("cache"), worker);
    let sandbox = Sandbox::new(SandboxConfig { onnxruntime, ..config }).unwrap();
    let prepared = sandbox.prepare(model).unwrap();
    let limits = Limits { memory_mib: 512, case_ms: 60_000, output_mib: 8, artifact_mib: 16 };
    let cases = (0..ROUNDS).flat_map(|_| images).map(|image| case(image.clone()));
    let results = Mutex::new(Vec::new());
    sandbox
        .run_cases(&prepared, &limits, cases, &[Expected::File("lesions.nii".into())], &|result| {
            assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
            results.lock().unwrap().push((result.seconds, result.usage));
        })
        .unwrap();
    let results = results.into_inner().unwrap();
    let mut times: Vec<f64> = results.iter().map(|(seconds, _)| seconds * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let cpu: f64 =
        results.iter().filter_map(|(_, usage)| usage.cpu_s).sum::<f64>() * 1e3 / results.len() as f64;
    let memory = results.iter().filter_map(|(_, usage)| usage.memory_bytes_peak).max().unwrap_or(0) >> 20;
    let engine = sandbox.onnx_info();
    println!(
        "{} {}: checked in {:.2} s; a case {:.0} ms (median of {}), {:.0} to {:.0} ms, {cpu:.0} ms of processor, {memory} MiB",
        engine.name,
        engine.version,
        prepared.load_s,
        times[times.len() / 2],
        times.len(),
        times[0],
        times[times.len() - 1],
    );
}

fn case(image: Vec<u8>) -> CaseInput {
    let inputs = br#"{"schema": "fiel/inputs/v1", "case": "c1",
        "inputs": [{"name": "ct", "kind": "image", "path": "ct.nii"}],
        "outputs": [{"name": "lesions", "kind": "mask", "path": "lesions.nii"}]}"#;
    CaseInput {
        name: "c1".into(),
        files: vec![("inputs.json".into(), inputs.to_vec()), ("ct.nii".into(), image)],
    }
}
