//! Checks a module and compiles it, inside a worker.

use std::fs::File;
use std::io::Write;

use fiel_schemas::api::FailureReason;
use wasmtime::{Engine, ExternType, Module, Store};

use crate::engine::{self, World};
use crate::protocol::Reply;

/// The only module whose functions may be imported.
const WASI: &str = "wasi_snapshot_preview1";

/// Most characters of a message about a module.
const MESSAGE: usize = 600;

/// Checks `source`, compiles it, and writes the result to `target`.
pub(crate) fn compile(source: &[u8], mut target: File, metered: bool) -> Reply {
    if let Err(message) = looks_like_a_core_module(source) {
        return refused(FailureReason::ArtifactInvalid, message);
    }
    let failed =
        |what: &str, error: &dyn std::fmt::Display| Reply::Failed { message: format!("{what}: {error}") };
    let engine = match engine::engine(metered) {
        Ok(engine) => engine,
        Err(error) => return failed("engine", &error),
    };
    let module = match Module::from_binary(&engine, source) {
        Ok(module) => module,
        Err(error) => {
            return refused(FailureReason::ArtifactInvalid, &format!("not a valid module: {error:#}"));
        }
    };
    if let Err(reply) = check_imports(&engine, &module) {
        return reply;
    }
    if let Err(message) = check_exports(&module) {
        return refused(FailureReason::ArtifactInvalid, message);
    }
    let compiled = match module.serialize() {
        Ok(compiled) => compiled,
        Err(error) => return failed("compiled module", &error),
    };
    match target.write_all(&compiled).and_then(|()| target.sync_all()) {
        Ok(()) => Reply::Compiled,
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            refused(FailureReason::CompileLimit, "the compiled module is larger than allowed")
        }
        Err(error) => failed("compiled module", &error),
    }
}

fn looks_like_a_core_module(source: &[u8]) -> Result<(), &'static str> {
    match source.get(..8) {
        Some(b"\0asm\x01\0\0\0") => Ok(()),
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Err(
            "this is a WebAssembly component; submit a core module, built for wasm32-wasip1 (wasm32-wasi)",
        ),
        Some([0, b'a', b's', b'm', ..]) => {
            Err("this version of WebAssembly is not known; version 1 is expected")
        }
        _ => Err("this is not WebAssembly: the file does not begin with \"\\0asm\"; submit the .wasm file"),
    }
}

fn check_imports(engine: &Engine, module: &Module) -> Result<(), Reply> {
    let failed = |error: wasmtime::Error| Reply::Failed { message: format!("linker: {error:#}") };
    let linker = engine::linker(engine).map_err(failed)?;
    let mut store = Store::new(engine, World::empty());
    let unknown: Vec<String> = module
        .imports()
        .filter(|import| import.module() != WASI || linker.get_by_import(&mut store, import).is_none())
        .map(|import| format!("{}::{}", import.module(), import.name()))
        .collect();
    if let [first, ..] = unknown.as_slice() {
        let count = unknown.len();
        let names = if count == 1 { first.clone() } else { unknown[..count.min(8)].join(", ") };
        let message = format!("imports what is not offered ({count}): {names}; only functions of {WASI} are");
        return Err(refused(FailureReason::ImportRefused, &message));
    }
    linker.instantiate_pre(module).map(|_| ()).map_err(|error| {
        refused(FailureReason::ImportRefused, &format!("imports a function with another type: {error:#}"))
    })
}

fn check_exports(module: &Module) -> Result<(), &'static str> {
    match module.get_export("_start") {
        Some(ExternType::Func(start)) if start.params().len() == 0 && start.results().len() == 0 => {}
        Some(_) => return Err("the export `_start` must be a function without parameters and results"),
        None => {
            return Err(
                "exports no function `_start`; build a command (a program with `main`), not a library",
            );
        }
    }
    match module.get_export("memory") {
        Some(ExternType::Memory(_)) => Ok(()),
        _ => Err("exports no memory named `memory`; the system interface needs it"),
    }
}

/// A refusal whose text, which may quote the module, is short and printable.
pub(crate) fn refused(reason: FailureReason, message: &str) -> Reply {
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable = one_line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    Reply::Refused { reason, message: printable.take(MESSAGE).collect() }
}
