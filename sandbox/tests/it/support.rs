//! What all tests need: models, a sandbox in a folder of its own, cases.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use fiel_sandbox::{
    CaseInput, CaseResult, Expected, Model, Prepared, Refusal, Sandbox, SandboxConfig, WorkerCommand,
};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;

/// The worker program of this crate.
pub(crate) fn worker() -> WorkerCommand {
    WorkerCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_sandbox-worker")), args: Vec::new() }
}

/// The model of `tests/models/model.c` as a core module, compiled once.
pub(crate) fn model() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    MODEL.get_or_init(|| clang("model.c", &[]))
}

/// The same model as a component that exports `wasi:cli/run`.
pub(crate) fn component() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    MODEL.get_or_init(|| clang("model.c", &component_linker()))
}

/// The component of `tests/models/predictor.c`.
pub(crate) fn predictor() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    MODEL.get_or_init(|| clang("predictor.c", &predictor_flags()))
}

/// The component of `tests/models/network.c`.
pub(crate) fn network() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    let wit = concat!("-Wl,--component-type,", env!("CARGO_MANIFEST_DIR"), "/wit/nn/nn.wit");
    MODEL.get_or_init(|| clang("network.c", &[component_linker(), vec![wit.into()]].concat()))
}

/// The component of `tests/models/liar.c` that lies in this way.
pub(crate) fn liar(lie: &str) -> Vec<u8> {
    clang("liar.c", &[predictor_flags(), vec![format!("-DLIE={lie}")]].concat())
}

fn predictor_flags() -> Vec<String> {
    let wit = concat!("-Wl,--component-type,", env!("CARGO_MANIFEST_DIR"), "/wit/model.wit");
    [component_linker(), vec!["-mexec-model=reactor".into(), wit.into()]].concat()
}

/// Flags that make clang link a component: with the linker that comes with Rust.
fn component_linker() -> Vec<String> {
    let libraries =
        Command::new("rustc").args(["--print", "target-libdir"]).output().expect("rustc is needed");
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    let linker = Path::new(libraries.trim()).join("../bin/wasm-component-ld").canonicalize();
    let linker = linker.expect("Rust's own wasm-component-ld is needed: rustup toolchain 1.95 has it");
    vec![format!("-fuse-ld={}", linker.display()), "-Wl,--wasm-ld-path,wasm-ld".into()]
}

fn clang(source: &str, flags: &[String]) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(source);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model.wasm");
    let made = Command::new("clang")
        .args(["--target=wasm32-wasi", "-O2", "-Wno-infinite-recursion", "-Wno-unused-function", "-o"])
        .arg(&target)
        .arg(&source)
        .args(flags)
        .output()
        .expect("clang is needed: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32");
    assert!(
        made.status.success(),
        "clang cannot build for wasm32-wasi (apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32):\n{}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::read(target).unwrap()
}

/// A sandbox with its folders, which go with it.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn bench(parallel: usize) -> Bench {
    bench_with(parallel, false)
}

pub(crate) fn bench_with(parallel: usize, metered: bool) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(config(folder.path(), parallel, metered)).unwrap();
    Bench { sandbox, folder }
}

pub(crate) fn config(folder: &Path, parallel: usize, metered: bool) -> SandboxConfig {
    let config = SandboxConfig::new(folder.join("work"), folder.join("cache"), worker());
    SandboxConfig { parallel, metered, ..config }
}

impl Bench {
    /// Prepares a module given as bytes.
    pub(crate) fn prepare(&self, module: &[u8]) -> Result<Prepared, Refusal> {
        let digest = sha256_hex(module);
        let path = self.folder.path().join(format!("{digest}.wasm"));
        std::fs::write(&path, module).unwrap();
        self.sandbox.prepare(&wasm(&path, &digest))
    }

    /// Runs the core module of `model.c`, one case per mode.
    pub(crate) fn modes(&self, modes: &[&str], limits: &Limits) -> Vec<CaseResult> {
        self.modes_of(model(), modes, limits)
    }

    /// Runs the module or component of `model.c`, one case per mode.
    pub(crate) fn modes_of(&self, model: &[u8], modes: &[&str], limits: &Limits) -> Vec<CaseResult> {
        let prepared = self.prepare(model).unwrap();
        self.cases(&prepared, limits, modes.iter().map(|mode| case(mode, b"a,b\n1,2\n")).collect())
    }

    /// Runs cases with the expected output `answer` and sorts their results.
    pub(crate) fn cases(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: Vec<CaseInput>,
    ) -> Vec<CaseResult> {
        self.cases_expecting(prepared, limits, cases, &["answer"])
    }

    /// Runs cases and sorts their results.
    pub(crate) fn cases_expecting(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: Vec<CaseInput>,
        expected: &[&str],
    ) -> Vec<CaseResult> {
        let expected: Vec<Expected> =
            expected.iter().map(|path| Expected::File((*path).to_owned())).collect();
        let results = Mutex::new(Vec::new());
        self.sandbox
            .run_cases(prepared, limits, cases.into_iter(), &expected, &|result| {
                results.lock().unwrap().push(result);
            })
            .unwrap();
        let mut results = results.into_inner().unwrap();
        results.sort_by_key(|result| result.index);
        results
    }

    /// Runs one case of a module given as text, with the expected output `answer`.
    pub(crate) fn text(&self, text: &str, limits: &Limits) -> CaseResult {
        let prepared = self.prepare(&wat::parse_str(text).unwrap()).unwrap();
        self.cases(&prepared, limits, vec![case("none", b"")]).remove(0)
    }
}

pub(crate) fn case(mode: &str, data: &[u8]) -> CaseInput {
    CaseInput {
        name: format!("case-{mode}"),
        files: vec![("mode".into(), mode.as_bytes().to_vec()), ("data".into(), data.to_vec())],
    }
}

pub(crate) fn limits() -> Limits {
    Limits { memory_mib: 64, case_ms: 20_000, output_mib: 4, artifact_mib: 16 }
}

pub(crate) fn answer(result: &CaseResult) -> String {
    assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
    String::from_utf8(result.outputs["answer"].clone()).unwrap()
}

pub(crate) fn wasm(path: &std::path::Path, sha256: &str) -> Model {
    Model { path: path.to_owned(), sha256: sha256.to_owned(), media_type: MediaType::Wasm }
}
