//! A sandbox with a container runtime, images to run in it, and eyes for what is left afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fiel_sandbox::{
    CaseInput, CaseResult, ContainerConfig, Expected, Model, Prepared, Refusal, Sandbox, SandboxConfig,
};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;
use serde_json::{Value, json};

use crate::images::craft::{self, Layer, Meta, Tar, archive};
use crate::support::worker;

use super::traces::assert_nothing_left;

/// One bench at a time, so that whatever is left of a container is this bench's.
static TURN: Mutex<()> = Mutex::new(());

/// A sandbox that nobody else uses meanwhile.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) fn bench() -> Bench {
    bench_with(1, ContainerConfig::default())
}

pub(crate) fn bench_with(parallel: usize, containers: ContainerConfig) -> Bench {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(config(folder.path(), parallel, containers)).unwrap();
    Bench { sandbox, folder, _turn: turn }
}

pub(crate) fn config(folder: &Path, parallel: usize, containers: ContainerConfig) -> SandboxConfig {
    let config = SandboxConfig::new(folder.join("work"), folder.join("cache"), worker());
    SandboxConfig { parallel, containers, ..config }
}

impl Bench {
    pub(crate) fn try_prepare(&self, image: &craft::Image) -> Result<Prepared, Refusal> {
        self.sandbox.prepare(&model(self.folder.path(), image))
    }

    pub(crate) fn prepare(&self, image: &craft::Image) -> Prepared {
        self.try_prepare(image).unwrap()
    }

    /// Runs cases; gives their results in the order of the cases.
    pub(crate) fn cases(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: Vec<CaseInput>,
    ) -> Vec<CaseResult> {
        run(&self.sandbox, prepared, limits, cases)
    }

    /// Runs the program of `models/hostile.c`, one case per mode.
    pub(crate) fn modes(&self, modes: &[&str], limits: &Limits) -> Vec<CaseResult> {
        let prepared = self.prepare(&hostile(&json!({})));
        self.cases(&prepared, limits, modes.iter().map(|mode| case(&[("mode", mode)])).collect())
    }

    /// Fails unless nothing of any container is left: no process, control group, mount, slot or bundle.
    pub(crate) fn assert_nothing_left(&self, after: &str) {
        assert_nothing_left(std::process::id(), after);
        for workplace in std::fs::read_dir(self.folder.path().join("work")).unwrap() {
            let workplace = workplace.unwrap().path();
            let folders = [workplace.clone(), workplace.join("containers")];
            for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let of_a_case = ["fiel-", "slot-"].iter().any(|begin| name.starts_with(begin));
                assert!(!of_a_case, "{name} is left after {after}");
            }
        }
    }
}

/// An archive of the image, put into a folder.
pub(crate) fn model(folder: &Path, image: &craft::Image) -> Model {
    let bytes = archive(&image.oci());
    let sha256 = sha256_hex(&bytes);
    let path = folder.join(&sha256);
    std::fs::write(&path, bytes).unwrap();
    Model { path, sha256, media_type: MediaType::ImageArchive }
}

pub(crate) fn run(
    sandbox: &Sandbox,
    prepared: &Prepared,
    limits: &Limits,
    cases: Vec<CaseInput>,
) -> Vec<CaseResult> {
    let results = Mutex::new(Vec::new());
    let expected = [Expected::File("answer".to_owned())];
    sandbox
        .run_cases(prepared, limits, cases.into_iter(), &expected, &|result| {
            results.lock().unwrap().push(result);
        })
        .unwrap();
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|result| result.index);
    results
}

/// A case with `data` and these files.
pub(crate) fn case(files: &[(&str, &str)]) -> CaseInput {
    let data = [("data", "a,b\n1,2\n")];
    let files = data.iter().chain(files).map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    CaseInput { name: "case".to_owned(), files: files.collect() }
}

pub(crate) fn limits() -> Limits {
    Limits { memory_mib: 64, case_ms: 20_000, output_mib: 4, artifact_mib: 64 }
}

pub(crate) fn answer(result: &CaseResult) -> String {
    assert_eq!(result.outcome.as_str(), "ok", "{} {}", result.reason, String::from_utf8_lossy(&result.log));
    String::from_utf8(result.outputs["answer"].clone()).unwrap()
}

/// An image of nothing but the program of `models/hostile.c`; `config` adds to how it is started.
pub(crate) fn hostile(config: &Value) -> craft::Image {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/hostile.c");
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("model");
        let made = Command::new("gcc").args(["-O1", "-static", "-o"]).arg(&target).arg(&source).output();
        let made = made.expect("gcc is needed: apt-get install gcc libc6-dev");
        assert!(made.status.success(), "gcc: {}", String::from_utf8_lossy(&made.stderr));
        std::fs::read(target).unwrap()
    });
    let tar = Tar::default().entry(b'0', b"model", b"", program, EXECUTABLE);
    let tar = tar.file("text", b"no program").folder("etc");
    image(tar, &json!({ "Entrypoint": ["/model"] }), config)
}

const EXECUTABLE: Meta = Meta { mode: 0o755, user: 0, group: 0 };

pub(crate) fn image(tar: Tar, config: &Value, more: &Value) -> craft::Image {
    let mut config = config.clone();
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    craft::Image::new(vec![Layer::plain(&tar.end())]).wants(config)
}

/// An image with the host's Debian Python, without any module that is not its own, and a script that it runs.
pub(crate) fn python(script: &str, more: &Value) -> craft::Image {
    static BASE: OnceLock<Tar> = OnceLock::new();
    let base = BASE.get_or_init(|| {
        let program = std::fs::canonicalize("/usr/bin/python3").expect("apt-get install python3");
        let version = program.file_name().unwrap().to_str().unwrap().to_owned();
        let modules = PathBuf::from(format!("/usr/lib/{version}"));
        let mut files = vec![program.clone()];
        collect(&modules, &mut files);
        let objects: Vec<_> =
            files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "so")).cloned().collect();
        files.extend(libraries(objects.iter().chain([&program])));
        let add = |tar: Tar, path: &PathBuf| {
            let content = std::fs::read(path).unwrap();
            tar.entry(
                b'0',
                path.to_str().unwrap().trim_start_matches('/').as_bytes(),
                b"",
                &content,
                EXECUTABLE,
            )
        };
        let tar = files.iter().fold(Tar::default(), add);
        tar.link("python3", program.to_str().unwrap()).file("etc/passwd", b"u:x:1000:1000::/home/u:/bin/sh\n")
    });
    let tar = base.clone().file("model.py", script.as_bytes());
    let start = json!({ "Entrypoint": ["/python3", "-S", "/model.py"], "User": "1000:1000" });
    image(tar, &start, more)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let unneeded =
            ["__pycache__", "test", "tests", "lib2to3", "pydoc_data", "ensurepip", "idlelib", "tkinter"];
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && !unneeded.contains(&name.as_str()) => collect(&path, files),
            kind if kind.is_file() && path.extension().is_some_and(|kind| kind == "py" || kind == "so") => {
                files.push(path);
            }
            _ => {}
        }
    }
}

/// The shared libraries that programs are linked to, by the names under which they are looked for.
fn libraries<'a>(objects: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let told = Command::new("ldd").args(objects).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    let mut found: Vec<PathBuf> = text
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(PathBuf::from)
        .collect();
    found.sort();
    found.dedup();
    found
}
