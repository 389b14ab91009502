//! A compiled model inside a worker: loaded once, then run case after case in fresh instances.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use ort::environment::Environment;
use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::Component;
use wasmtime::{Engine, InstancePre, Module, Precompiled, Store, Trap};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::sync::CommandPre;

use crate::engine;
use crate::log::Log;
use crate::nn;
use crate::onnx;
use crate::protocol::{Ending, Used};
use crate::values::{Case, Unfit, WrongAnswer};
use crate::world::{self, Bounds, World};

/// The interface a command component exports; any version 0.2 of it will do.
pub(crate) const RUN: &str = "wasi:cli/run@0.2.0";

/// The interface a predictor exports.
pub(crate) const INFERENCE: &str = "fiel:model/inference@1.0.0";

/// Fuel given to a metered case; more than any deadline lets it use.
const FUEL: u64 = u64::MAX / 2;

/// Bytes a component may hand over in one call of the system, at least. A page of text is far less.
const CALL_BYTES: usize = 1 << 20;

/// How the engine says that a component handed over more; the error has no type to ask for.
const TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "made by the engine's macro from sandbox/wit/model.wit"
)]
mod bindings {
    wasmtime::component::bindgen!({ path: "wit", world: "predictor" });
}

pub(crate) use bindings::exports::fiel::model::inference::{Cell, Grid, Image, Mask, NamedValue, Value};

/// What the cases of a run are given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Whether fuel is counted.
    pub(crate) metered: bool,
    /// Whether the model imports wasi-nn, as it was found when it was compiled.
    pub(crate) networks: bool,
    /// Most memory of a case, bytes.
    pub(crate) memory_bytes: u64,
    /// Most output of a case, bytes.
    pub(crate) output_bytes: u64,
}

/// A loaded model.
pub(crate) struct Guest {
    entry: Entry,
    engine: Engine,
    settings: Settings,
    /// The site's engine of networks, started.
    onnxruntime: Option<Environment>,
}

/// Where a model begins.
enum Entry {
    /// A core module's `_start`.
    Module(InstancePre<World>),
    /// A component's `wasi:cli/run`.
    Command(CommandPre<World>),
    /// A component's `predict`.
    Predictor(bindings::PredictorPre<World>),
}

/// How a case ended and what it used.
pub(crate) struct Ran {
    pub(crate) ending: Ending,
    pub(crate) used: Used,
}

impl Guest {
    /// Loads what [`crate::compile`] wrote.
    #[expect(unsafe_code, reason = "compiled code can only be loaded on trust")]
    pub(crate) fn load(
        mut file: File,
        settings: Settings,
        onnxruntime: Option<Environment>,
    ) -> Result<Self, String> {
        let engine = engine::engine(settings.metered).map_err(|error| format!("engine: {error:#}"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| format!("compiled module: {error}"))?;
        let kind = Engine::detect_precompiled(&bytes);
        let loaded = |error: wasmtime::Error| format!("compiled module: {error:#}");
        let linked = |error: wasmtime::Error| format!("imports: {error:#}");
        // Otherwise its networks would be run by another engine than the statement names.
        let described = |networks| {
            let same = networks == settings.networks;
            same.then_some(()).ok_or("compiled module: it is not the one that the cache describes")
        };
        // SAFETY, for both: the file comes from the node's own cache, which only the node's user can write and where
        // files appear by renaming and never change; it was made by this engine from a validated module. Should it be
        // hostile all the same, it runs inside this confined process.
        let entry = if kind == Some(Precompiled::Component) {
            let component = unsafe { Component::deserialize(&engine, &bytes) }.map_err(loaded)?;
            described(nn::imported_by_component(&engine, &component))?;
            let linker = world::component_linker(&engine).map_err(linked)?;
            let component = linker.instantiate_pre(&component).map_err(linked)?;
            match bindings::PredictorPre::new(component.clone()) {
                Ok(predictor) => Entry::Predictor(predictor),
                Err(_) => Entry::Command(CommandPre::new(component).map_err(linked)?),
            }
        } else {
            drop(bytes);
            let module = unsafe { Module::deserialize_open_file(&engine, file) }.map_err(loaded)?;
            described(nn::imported(&module))?;
            let linker = world::module_linker(&engine).map_err(linked)?;
            Entry::Module(linker.instantiate_pre(&module).map_err(linked)?)
        };
        Ok(Self { entry, engine, settings, onnxruntime })
    }

    /// The engine it was loaded by.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs the case in the folders `input` and `output` in a fresh instance. An error is the worker's own.
    pub(crate) fn run(&self, out: &Log, err: &Log) -> wasmtime::Result<Ran> {
        let memory = self.settings.memory_bytes;
        match &self.entry {
            Entry::Module(module) => {
                let world = World::with_folders(Bounds::module(memory), out, err)?
                    .with_engine(self.onnxruntime.clone());
                let (ended, used, exceeded) = self.measure(world, |store| {
                    let instance = module.instantiate(&mut *store)?;
                    instance.get_typed_func::<(), ()>(&mut *store, "_start")?.call(&mut *store, ())
                })?;
                Ok(Ran { ending: ended.map_or_else(|e| ending(&e, exceeded), |()| Ending::Ok), used })
            }
            Entry::Command(command) => {
                let world = World::with_folders(Bounds::component(memory), out, err)?
                    .with_engine(self.onnxruntime.clone());
                let (ended, used, exceeded) = self.measure(world, |store| {
                    store.set_hostcall_fuel(self.call_bytes(0));
                    command.instantiate(&mut *store)?.wasi_cli_run().call_run(&mut *store)
                })?;
                let ending = match ended {
                    Ok(Ok(())) => Ending::Ok,
                    Ok(Err(())) => Ending::Crashed { why: WRONG_EXIT.to_owned() },
                    Err(error) => ending(&error, exceeded),
                };
                Ok(Ran { ending, used })
            }
            Entry::Predictor(predictor) => self.predict(predictor, out, err),
        }
    }

    fn predict(
        &self,
        predictor: &bindings::PredictorPre<World>,
        out: &Log,
        err: &Log,
    ) -> wasmtime::Result<Ran> {
        let Settings { memory_bytes, output_bytes, .. } = self.settings;
        let case = match Case::read(Path::new("input"), memory_bytes / 2) {
            Ok(case) => case,
            Err(unfit) => {
                let ending = match unfit {
                    Unfit::TooLarge => Ending::OutOfMemory,
                    Unfit::NoValue(why) => Ending::Crashed { why },
                };
                return Ok(Ran { ending, used: Used::default() });
            }
        };
        // The values are the model's as well, although the worker holds them for it.
        let bounds = Bounds::component(memory_bytes - case.bytes());
        let world = World::without_folders(bounds, out, err).with_engine(self.onnxruntime.clone());
        let (ended, used, exceeded) = self.measure(world, |store| {
            store.set_hostcall_fuel(self.call_bytes(output_bytes));
            let instance = predictor.instantiate(&mut *store)?;
            instance.fiel_model_inference().call_predict(&mut *store, &case.inputs)
        })?;
        let ending = match ended {
            Ok(Ok(values)) => match case.write(Path::new("output"), values, output_bytes) {
                Ok(()) => Ending::Ok,
                Err(WrongAnswer::Rule(rule)) => Ending::InvalidOutput { rule },
                Err(WrongAnswer::Io(error)) => return Err(error.into()),
            },
            Ok(Err(text)) => {
                err.keep(text.as_bytes());
                Ending::Crashed { why: "said that it failed".to_owned() }
            }
            Err(error) if format!("{error:#}").contains(TOO_MUCH) => {
                Ending::InvalidOutput { rule: format!("returned more than {} MiB", output_bytes >> 20) }
            }
            Err(error) => ending(&error, exceeded),
        };
        Ok(Ran { ending, used })
    }

    /// Bytes a component may hand over in one call, where its answer may have so many: models and tensors are as large as
    /// its memory allows.
    fn call_bytes(&self, answer: u64) -> usize {
        let large = if self.settings.networks { self.settings.memory_bytes } else { answer };
        usize::try_from(large.max(answer)).unwrap_or(usize::MAX).max(CALL_BYTES)
    }

    /// Calls a model and measures it; says also whether it asked for too much memory.
    fn measure<T>(
        &self,
        world: World,
        call: impl FnOnce(&mut Store<World>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<(wasmtime::Result<T>, Used, bool)> {
        let (started, cpu) = (Instant::now(), cpu_time());
        let mut store = Store::new(&self.engine, world);
        store.limiter(|world| &mut world.bounds);
        if self.settings.metered {
            store.set_fuel(FUEL)?;
        }
        let ended = call(&mut store);
        let fuel = if self.settings.metered { Some(FUEL - store.get_fuel()?) } else { None };
        let bounds = &store.data().bounds;
        let used = Used {
            seconds: started.elapsed().as_secs_f64(),
            cpu_s: cpu_time().saturating_sub(cpu).as_secs_f64(),
            // What an engine of networks takes is seen in the whole worker only.
            memory_bytes: if self.settings.networks { onnx::resident_peak() } else { bounds.bytes as u64 },
            fuel,
        };
        Ok((ended, used, bounds.exceeded))
    }
}

/// The platform's words for an exit code other than 0.
const WRONG_EXIT: &str = "ended with an exit code other than 0";

/// How a model that did not return ended, in the platform's words; nothing of the model's own gets in.
fn ending(error: &wasmtime::Error, memory_refused: bool) -> Ending {
    if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) {
        return Ending::Ok;
    }
    if memory_refused {
        return Ending::OutOfMemory;
    }
    let why = match (error.downcast_ref::<I32Exit>(), error.downcast_ref::<Trap>()) {
        (Some(_), _) => WRONG_EXIT.to_owned(),
        (_, Some(trap)) => format!("trapped: {}", trap.to_string().trim_start_matches("wasm trap: ")),
        _ => "failed while it was started or while it called the system".to_owned(),
    };
    Ending::Crashed { why }
}

/// Processor time of this process, which runs one case at a time.
fn cpu_time() -> Duration {
    // Neither part can be negative for this clock.
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
