//! What a case of a container image costs beyond the model's own time, beside the bare runtime and podman:
//! `cargo bench -p fiel-sandbox --bench containers`.
//!
//! The model is a static program that copies a few bytes, so that nearly all its time is the engine's. The bare
//! runtime runs the same files on the bundle that `runc spec` writes, without filter, limits or mapped users. podman
//! runs them too, where it is installed. Each figure is the median of so many runs, one after the other.

#![allow(clippy::unwrap_used, reason = "a benchmark ends where it unwraps")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use fiel_sandbox::{CaseInput, ContainerConfig, Expected, Model, Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;
use serde_json::{Value, json};

const RUNS: usize = 30;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let program = build(folder.path());
    println!("{:<44} {:>10}", "start to exit, median", "ms");
    let show = |what: &str, times: Option<Vec<f64>>| match times {
        Some(mut times) => println!("{what:<44} {:>10.1}", median(&mut times) * 1e3),
        None => println!("{what:<44} {:>10}", "not here"),
    };
    show("runc run, bare bundle", bare(folder.path(), &program));
    for runtime in ["runc", "crun", "runsc"] {
        show(
            &format!("this engine with {runtime}, a case"),
            engine(folder.path(), &program, runtime, &["/model"]),
        );
    }
    show("podman run", podman(folder.path()));
    show("this engine, a warm case over HTTP", engine(folder.path(), &program, "runc", &["/model", "serve"]));
}

/// The program of the tests, linked statically.
fn build(folder: &Path) -> Vec<u8> {
    let target = folder.join("model");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/hostile.c");
    let made = Command::new("gcc").args(["-O1", "-static", "-o"]).arg(&target).arg(source).status();
    assert!(made.unwrap().success(), "gcc cannot build the model (apt-get install gcc libc6-dev)");
    std::fs::read(target).unwrap()
}

fn timed(mut run: impl FnMut() -> bool) -> Option<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..=RUNS {
        let started = Instant::now();
        if !run() {
            return None;
        }
        times.push(started.elapsed().as_secs_f64());
    }
    // The first fills caches.
    Some(times.split_off(1))
}

/// `runc run` on a bundle as `runc spec` writes it.
fn bare(folder: &Path, program: &[u8]) -> Option<Vec<f64>> {
    let bundle = folder.join("bundle");
    std::fs::create_dir_all(bundle.join("rootfs/input")).unwrap();
    std::fs::create_dir_all(bundle.join("rootfs/output")).unwrap();
    executable(&bundle.join("rootfs/model"), program);
    std::fs::write(bundle.join("rootfs/input/mode"), "nothing").unwrap();
    Command::new("runc")
        .arg("spec")
        .arg("-b")
        .arg(&bundle)
        .status()
        .ok()
        .filter(std::process::ExitStatus::success)?;
    let path = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!(["/model"]);
    // A node without the right to raise limits can only lower them.
    spec["process"]["rlimits"] = json!([]);
    std::fs::write(&path, spec.to_string()).unwrap();
    let mut number = 0;
    timed(|| {
        number += 1;
        let name = format!("bare-{}-{number}", std::process::id());
        quiet(Command::new("runc").args(["run", "-b"]).arg(&bundle).arg(name))
    })
}

/// The same files by podman, without network and pulled from nowhere.
fn podman(folder: &Path) -> Option<Vec<f64>> {
    let rootfs = folder.join("bundle/rootfs");
    timed(|| {
        let options = ["run", "--rm", "--network=none", "--cgroup-manager=cgroupfs", "--runtime=runc"];
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=512:512", "--rootfs"];
        let global = [options[3], options[4]];
        quiet(Command::new("podman").args(global).args(&options[..3]).args(limits).arg(&rootfs).arg("/model"))
    })
}

fn quiet(command: &mut Command) -> bool {
    let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Wall time of each case of a run, folders filled and output read included.
fn engine(folder: &Path, program: &[u8], runtime: &str, start: &[&str]) -> Option<Vec<f64>> {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let worker =
        WorkerCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_sandbox-worker")), args: Vec::new() };
    let config = SandboxConfig::new(folder.path().join("work"), folder.path().join("cache"), worker);
    let containers = ContainerConfig { runtime: Some(runtime.to_owned()), ..ContainerConfig::default() };
    let sandbox = Sandbox::new(SandboxConfig { containers, ..config }).unwrap();
    if !sandbox.engines().iter().any(|engine| engine.name == runtime && engine.available) {
        return None;
    }
    let api = if start.len() > 1 { "invoke" } else { "exec" };
    let prepared = sandbox.prepare(&image(folder.path(), program, start, api)).unwrap();
    let limits = Limits { memory_mib: 256, case_ms: 10_000, output_mib: 1, artifact_mib: 16 };
    let files = vec![("mode".to_owned(), b"echo".to_vec()), ("data".to_owned(), b"1".to_vec())];
    let cases = (0..=RUNS).map(|number| CaseInput { name: number.to_string(), files: files.clone() });
    let ends = Mutex::new(vec![Instant::now()]);
    sandbox
        .run_cases(&prepared, &limits, cases, &[Expected::File("answer".to_owned())], &|result| {
            assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
            ends.lock().unwrap().push(Instant::now());
        })
        .unwrap();
    let ends = ends.into_inner().unwrap();
    Some(ends.windows(2).skip(1).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect())
}

/// An image with the program alone, in the OCI layout.
fn image(folder: &Path, program: &[u8], start: &[&str], api: &str) -> Model {
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    layer.append_data(&mut header, "model", program).unwrap();
    let layer = layer.into_inner().unwrap();
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": { "Entrypoint": start, "Labels": { "org.grand-challenge.api-method": api } },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256_hex(&layer))] },
    });
    let layout = folder.join("image");
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |media_type: &str, content: &[u8]| {
        let digest = sha256_hex(content);
        std::fs::write(blobs.join(&digest), content).unwrap();
        json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": content.len() })
    };
    let kind = "application/vnd.oci.image";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": format!("{kind}.manifest.v1+json"),
        "config": put(&format!("{kind}.config.v1+json"), config.to_string().as_bytes()),
        "layers": [put(&format!("{kind}.layer.v1.tar"), &layer)],
    });
    let manifest = manifest.to_string();
    let entry = put(&format!("{kind}.manifest.v1+json"), manifest.as_bytes());
    std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    std::fs::write(
        layout.join("index.json"),
        json!({ "schemaVersion": 2, "manifests": [entry] }).to_string(),
    )
    .unwrap();
    Model { path: layout, sha256: sha256_hex(manifest.as_bytes()), media_type: MediaType::ImageManifest }
}

fn executable(path: &Path, content: &[u8]) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
