//! What a case of a container image costs beyond the model's own time, beside the bare runtime and podman:
//! `cargo bench -p fiel-sandbox --bench containers`.
//!
//! The model is a static program that copies a few bytes, so that nearly all its time is the engine's. The bare
//! runtime runs the same files on the bundle that `runc spec` writes, without filter, limits or mapped users. podman
//! runs them too, where it is installed.
//!
//! Each engine is measured twice, since the kernel makes a difference: in a row, one case right after the other, and
//! in turns, a case and then the bare runtime, so that both meet the same moment of a machine whose speed varies. What
//! comes right after a container profits from what the kernel still holds ready from it; see `Group::make_ready`.

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

const RUNS: usize = 60;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let program = build(folder.path());
    let bare = Bare::new(folder.path(), &program);
    println!("{:<34} {:>9} {:>12} {:>6}", "start to exit, medians in ms", "this", "bare runc", "ratio");
    let show = |what: &str, this: Option<Vec<f64>>, bare: Option<Vec<f64>>| {
        let [this, bare] = [this, bare].map(|times| times.map(|mut times| median(&mut times) * 1e3));
        let written = |value: Option<f64>| value.map_or("not here".to_owned(), |value| format!("{value:.1}"));
        let ratio = this.zip(bare).map_or(String::new(), |(this, bare)| format!("{:.2}", this / bare));
        println!("{what:<34} {:>9} {:>12} {ratio:>6}", written(this), written(bare));
    };
    let in_a_row = || bare.as_ref().and_then(|bare| timed(|| bare.run()));
    for runtime in ["runc", "crun", "runsc", "podman"] {
        let engine = |turns| engine(folder.path(), &program, runtime, &["/model"], turns);
        show(&format!("a case with {runtime}, in a row"), engine(None).map(|times| times.0), in_a_row());
        let turns = bare.as_ref().and_then(|bare| engine(Some(bare)));
        let (this, bare) = turns.unzip();
        show(&format!("a case with {runtime}, in turns"), this, bare);
    }
    show("podman run, in a row", podman(folder.path()), in_a_row());
    let warm = engine(folder.path(), &program, "runc", &["/model", "serve"], None);
    show("a warm case over HTTP, in a row", warm.map(|times| times.0), None);
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
struct Bare {
    bundle: PathBuf,
}

impl Bare {
    fn new(folder: &Path, program: &[u8]) -> Option<Self> {
        let bundle = folder.join("bundle");
        std::fs::create_dir_all(bundle.join("rootfs/input")).unwrap();
        std::fs::create_dir_all(bundle.join("rootfs/output")).unwrap();
        executable(&bundle.join("rootfs/model"), program);
        std::fs::write(bundle.join("rootfs/input/mode"), "nothing").unwrap();
        let written = Command::new("runc").arg("spec").arg("-b").arg(&bundle).status();
        written.ok().filter(std::process::ExitStatus::success)?;
        let path = bundle.join("config.json");
        let mut spec: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["/model"]);
        // A node without the right to raise limits can only lower them.
        spec["process"]["rlimits"] = json!([]);
        std::fs::write(&path, spec.to_string()).unwrap();
        Some(Self { bundle })
    }

    fn run(&self) -> bool {
        let name = format!("bare-{}-{:?}", std::process::id(), Instant::now());
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        quiet(Command::new("runc").args(["run", "-b"]).arg(&self.bundle).arg(name))
    }
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

/// Wall time of each case of a run, folders filled and output read included, and of the bare runtime where it has its
/// turn before each.
fn engine(
    folder: &Path,
    program: &[u8],
    runtime: &str,
    start: &[&str],
    turns: Option<&Bare>,
) -> Option<(Vec<f64>, Vec<f64>)> {
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
    let begun = Mutex::new(Instant::now());
    let times = Mutex::new((Vec::new(), Vec::new()));
    let cases = (0..=RUNS).map(|number| {
        if let Some(bare) = turns {
            let started = Instant::now();
            assert!(bare.run());
            times.lock().unwrap().1.push(started.elapsed().as_secs_f64());
        }
        *begun.lock().unwrap() = Instant::now();
        CaseInput { name: number.to_string(), files: files.clone() }
    });
    let expected = [Expected::File("answer".to_owned())];
    sandbox
        .run_cases(&prepared, &limits, cases, &expected, &|result| {
            assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
            times.lock().unwrap().0.push(begun.lock().unwrap().elapsed().as_secs_f64());
        })
        .unwrap();
    let (mut this, mut bare) = times.into_inner().unwrap();
    // The first fills caches.
    Some((this.split_off(1), bare.split_off(1.min(bare.len()))))
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
