//! Checks a module or component and compiles it, inside a worker.

use std::fs::File;
use std::io::Write;

use fiel_schemas::api::FailureReason;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Engine, ExternType, Module, Store};

use crate::engine;
use crate::guest::{INFERENCE, NamedValue, RUN};
use crate::log::Log;
use crate::nn;
use crate::protocol::Reply;
use crate::world::{self, Bounds, OFFERED, World};

/// The modules whose functions a core module may import.
const OFFERED_MODULES: [&str; 2] = ["wasi_snapshot_preview1", nn::MODULE];

/// Most characters of a message about a module.
const MESSAGE: usize = 600;

/// Checks `source`, compiles it, and writes the result to `target`.
pub(crate) fn compile(source: &[u8], mut target: File, metered: bool) -> Reply {
    let engine = match engine::engine(metered) {
        Ok(engine) => engine,
        Err(error) => return failed("engine", &error),
    };
    let compiled = match source.get(..8) {
        Some(b"\0asm\x01\0\0\0") => compile_module(&engine, source),
        Some(b"\0asm\x0d\0\x01\0") => compile_component(&engine, source),
        Some([0, b'a', b's', b'm', ..]) => Err(invalid(
            "this version of WebAssembly is not known; version 1 is expected, or a component of version 13",
        )),
        _ => Err(invalid(
            "this is not WebAssembly: the file does not begin with \"\\0asm\"; submit the .wasm file",
        )),
    };
    let (compiled, networks) = match compiled {
        Ok(compiled) => compiled,
        Err(reply) => return reply,
    };
    match target.write_all(&compiled).and_then(|()| target.sync_all()) {
        Ok(()) => Reply::Compiled { networks },
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            refused(FailureReason::CompileLimit, "the compiled module is larger than allowed")
        }
        Err(error) => failed("compiled module", &error),
    }
}

/// The compiled module, and whether it imports wasi-nn.
fn compile_module(engine: &Engine, source: &[u8]) -> Result<(Vec<u8>, bool), Reply> {
    let module = Module::from_binary(engine, source)
        .map_err(|error| invalid(&format!("not a valid module: {error:#}")))?;
    check_module_imports(engine, &module)?;
    check_module_exports(&module).map_err(invalid)?;
    let compiled = module.serialize().map_err(|error| failed("compiled module", &error))?;
    Ok((compiled, nn::imported(&module)))
}

fn check_module_imports(engine: &Engine, module: &Module) -> Result<(), Reply> {
    let linker = world::module_linker(engine).map_err(|error| failed("linker", &error))?;
    let nowhere = World::without_folders(Bounds::module(0), &Log::default(), &Log::default());
    let mut store = Store::new(engine, nowhere);
    let unknown: Vec<String> = module
        .imports()
        .filter(|import| {
            !OFFERED_MODULES.contains(&import.module()) || linker.get_by_import(&mut store, import).is_none()
        })
        .map(|import| format!("{}::{}", import.module(), import.name()))
        .collect();
    refuse_unknown(&unknown, &format!("only functions of {} are", OFFERED_MODULES.join(" and ")))?;
    linker.instantiate_pre(module).map(|_| ()).map_err(|error| wrong_import(&error))
}

fn check_module_exports(module: &Module) -> Result<(), &'static str> {
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

/// The compiled component, and whether it imports wasi-nn.
fn compile_component(engine: &Engine, source: &[u8]) -> Result<(Vec<u8>, bool), Reply> {
    let component = Component::from_binary(engine, source)
        .map_err(|error| invalid(&format!("not a valid component: {error:#}")))?;
    let unknown: Vec<String> = component
        .component_type()
        .imports(engine)
        .map(|(name, _)| name)
        .filter(|name| !offered(name) && !nn::offered(name))
        .map(str::to_owned)
        .collect();
    refuse_unknown(
        &unknown,
        "only wasi:cli, wasi:clocks, wasi:filesystem, wasi:io and wasi:random of version 0.2 are, and wasi:nn of \
         version 0.2.0-rc-2024-10-28",
    )?;
    let linker = world::component_linker(engine).map_err(|error| failed("linker", &error))?;
    linker.instantiate_pre(&component).map_err(|error| wrong_import(&error))?;
    check_component_exports(&component).map_err(|message| invalid(&message))?;
    let compiled = component.serialize().map_err(|error| failed("compiled component", &error))?;
    Ok((compiled, nn::imported_by_component(engine, &component)))
}

/// Whether an interface of this name and version may be imported.
fn offered(import: &str) -> bool {
    import
        .split_once('@')
        .is_some_and(|(interface, version)| OFFERED.contains(&interface) && version.starts_with("0.2."))
}

/// A component must export one of the two entries, with its very type: another one would fail in every case.
fn check_component_exports(component: &Component) -> Result<(), String> {
    let entry = |interface: &str, function: &str| {
        let (_, instance) = component.get_export(None, interface)?;
        let (item, _) = component.get_export(Some(&instance), function)?;
        Some(item)
    };
    let whole = component.component_type();
    let types = whole.instance_type();
    let (interface, right) = match (entry(INFERENCE, "predict"), entry(RUN, "run")) {
        (Some(ComponentItem::ComponentFunc(predict)), _) => {
            type Answer = Result<Vec<NamedValue>, String>;
            (INFERENCE, predict.typecheck::<(Vec<NamedValue>,), (Answer,)>(&types).is_ok())
        }
        (Some(_), _) => (INFERENCE, false),
        (None, Some(ComponentItem::ComponentFunc(run))) => {
            (RUN, run.typecheck::<(), (Result<(), ()>,)>(&types).is_ok())
        }
        (None, Some(_)) => (RUN, false),
        (None, None) => {
            return Err(format!(
                "exports neither {RUN} nor {INFERENCE}; build a command, or a component of the world `predictor`"
            ));
        }
    };
    if right { Ok(()) } else { Err(format!("what it exports as {interface} has another type")) }
}

fn refuse_unknown(unknown: &[String], offered: &str) -> Result<(), Reply> {
    let Some(first) = unknown.first() else { return Ok(()) };
    let count = unknown.len();
    let names = if count == 1 { first.clone() } else { unknown[..count.min(8)].join(", ") };
    let message = format!("imports what is not offered ({count}): {names}; {offered}");
    Err(refused(FailureReason::ImportRefused, &message))
}

fn wrong_import(error: &wasmtime::Error) -> Reply {
    refused(FailureReason::ImportRefused, &format!("imports a function with another type: {error:#}"))
}

fn invalid(message: &str) -> Reply {
    refused(FailureReason::ArtifactInvalid, message)
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Reply {
    Reply::Failed { message: format!("{what}: {error:#}") }
}

/// A refusal whose text, which may quote the module, is short and printable.
pub(crate) fn refused(reason: FailureReason, message: &str) -> Reply {
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable = one_line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    Reply::Refused { reason, message: printable.take(MESSAGE).collect() }
}
