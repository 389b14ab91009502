//! Core modules that make a list of calls of wasi-nn and write down what each answered.

use std::fmt::Write as _;
use std::path::Path;

use fiel_sandbox::{CaseInput, CaseResult, Prepared, Refusal, SandboxConfig};
use fiel_schemas::challenge::Limits;

use crate::support::{Bench, case, config};

/// Where the code of each call goes, a word each.
const CODES: u32 = 256;
/// Where calls put handles and lengths.
pub(crate) const WORDS: u32 = 4096;
/// Where calls put tensors.
pub(crate) const BUFFER: u32 = 6144;
/// End of what is written to the answer.
const END: u32 = 8192;
/// Where the data of a script begins.
const DATA: u32 = 16384;

/// A page of memory.
pub(crate) const PAGE: u32 = 1 << 16;

/// A list of calls, and what lies in memory for them.
#[derive(Clone)]
pub(crate) struct Script {
    pages: u32,
    next: u32,
    segments: String,
    calls: String,
    count: u32,
}

/// What a script wrote down.
pub(crate) struct Answer {
    pub(crate) codes: Vec<u32>,
    bytes: Vec<u8>,
}

impl Script {
    /// A module with so many pages of memory.
    pub(crate) fn new(pages: u32) -> Self {
        Self { pages, next: DATA, segments: String::new(), calls: String::new(), count: 0 }
    }

    /// Puts bytes into memory; gives their address.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> u32 {
        let at = self.next;
        let text = bytes.iter().fold(String::new(), |text, byte| text + &format!("\\{byte:02x}"));
        writeln!(self.segments, "(data (i32.const {at}) \"{text}\")").unwrap();
        self.next = (at + u32::try_from(bytes.len()).unwrap()).next_multiple_of(8);
        at
    }

    pub(crate) fn words(&mut self, words: &[u32]) -> u32 {
        self.data(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Puts a list of one model into memory.
    pub(crate) fn model(&mut self, model: &[u8]) -> u32 {
        let at = self.data(model);
        self.words(&[at, u32::try_from(model.len()).unwrap()])
    }

    /// Puts a tensor into memory.
    pub(crate) fn tensor(&mut self, kind: u32, shape: &[u32], data: &[u8]) -> u32 {
        let data_at = self.data(data);
        self.tensor_at(kind, shape, data_at, u32::try_from(data.len()).unwrap())
    }

    /// The same where the numbers lie somewhere already.
    pub(crate) fn tensor_at(&mut self, kind: u32, shape: &[u32], data: u32, length: u32) -> u32 {
        let shape_at = self.words(shape);
        self.words(&[shape_at, u32::try_from(shape.len()).unwrap(), kind, data, length])
    }

    pub(crate) fn floats(&mut self, shape: &[u32], numbers: &[f32]) -> u32 {
        self.tensor(1, shape, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Calls a function.
    pub(crate) fn call(&mut self, function: &str, arguments: &[u32]) {
        let at = CODES + 4 * self.count;
        assert!(at < WORDS);
        let list =
            arguments.iter().fold(String::new(), |list, number| list + &format!(" (i32.const {number})"));
        writeln!(self.calls, "(i32.store (i32.const {at}) (call ${function}{list}))").unwrap();
        self.count += 1;
    }

    /// Loads a model and makes a context of it: graph and context get the next numbers.
    pub(crate) fn open(&mut self, model: &[u8]) {
        let model = self.model(model);
        self.call("load", &[model, 1, 1, 0, WORDS]);
        self.call("init_execution_context", &[0, WORDS + 4]);
    }

    /// The module.
    pub(crate) fn module(&self) -> Vec<u8> {
        let Self { pages, segments, calls, .. } = self;
        let size = END - CODES;
        wat::parse_str(format!(
            r#"(module
            (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_ephemeral_nn" "load_by_name" (func $load_by_name (param i32 i32 i32) (result i32)))
            (import "wasi_ephemeral_nn" "init_execution_context"
                (func $init_execution_context (param i32 i32) (result i32)))
            (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
            (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
            (import "wasi_ephemeral_nn" "get_output"
                (func $get_output (param i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") {pages})
            (data (i32.const 0) "answer")
            (data (i32.const 16) "\{a:02x}\{b:02x}\00\00\{c:02x}\{d:02x}\00\00")
            {segments}
            (func (export "_start")
                {calls}
                (if (call $open (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 1)
                    (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)) (then unreachable))
                (if (call $write (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 40))
                    (then unreachable))))"#,
            a = CODES & 255,
            b = CODES >> 8,
            c = size & 255,
            d = size >> 8,
        ))
        .unwrap()
    }

    /// What it writes down, with this engine.
    pub(crate) fn answer(&self, engine: Option<&Path>) -> Answer {
        self.read(&self.results(engine, &limits(), 1)[0])
    }

    /// The answer in the result of a case that ended well.
    pub(crate) fn read(&self, result: &CaseResult) -> Answer {
        assert_eq!((result.outcome.as_str(), result.reason.as_str()), ("ok", ""), "{}", log(result));
        let bytes = result.outputs["answer"].clone();
        let codes = bytes.as_chunks().0.iter().take(self.count as usize);
        Answer { codes: codes.map(|code| u32::from_le_bytes(*code)).collect(), bytes }
    }

    /// The results of the same case, so many times.
    pub(crate) fn results(&self, engine: Option<&Path>, limits: &Limits, cases: usize) -> Vec<CaseResult> {
        let bench = site(engine);
        let prepared = bench.prepare(&self.module()).unwrap_or_else(|refusal| panic!("{refusal}"));
        run(&bench, &prepared, limits, cases)
    }
}

impl Answer {
    /// The word that a call put there.
    pub(crate) fn word(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.bytes[(at - CODES) as usize..][..4].try_into().unwrap())
    }

    /// Bytes that calls put into the buffer.
    pub(crate) fn buffer(&self, length: usize) -> &[u8] {
        &self.bytes[(BUFFER - CODES) as usize..][..length]
    }

    pub(crate) fn floats(&self, count: usize) -> Vec<f32> {
        self.buffer(4 * count).as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
    }
}

/// A sandbox whose site has this engine.
pub(crate) fn site(engine: Option<&Path>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let own = config(folder.path(), 1, false);
    let own = SandboxConfig { onnxruntime: engine.map(Path::to_owned), ..own };
    Bench { sandbox: fiel_sandbox::Sandbox::new(own).unwrap(), folder }
}

pub(crate) fn run(bench: &Bench, prepared: &Prepared, limits: &Limits, cases: usize) -> Vec<CaseResult> {
    let cases: Vec<CaseInput> = (0..cases).map(|_| case("none", b"")).collect();
    bench.cases(prepared, limits, cases)
}

/// Why this text, as a module, is refused.
pub(crate) fn refusal(text: &str) -> Refusal {
    site(None).prepare(&wat::parse_str(text).unwrap()).unwrap_err()
}

pub(crate) fn log(result: &CaseResult) -> String {
    String::from_utf8_lossy(&result.log).into_owned()
}

pub(crate) fn limits() -> Limits {
    Limits { memory_mib: 64, case_ms: 60_000, output_mib: 4, artifact_mib: 16 }
}
