//! What happens inside a worker process.

use std::fs::File;
use std::io::{self, Stdin, Stdout, Write};
use std::process::ExitCode;
use std::time::Instant;

use wasmtime::{InstancePre, Module, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::compile;
use crate::confine::{begin, confine, confine_unpacking};
use crate::container;
use crate::engine::{self, World};
use crate::image;
use crate::log::Log;
use crate::protocol::{self, Ending, Order, Reply, RunCase};

/// Stack of the thread that runs models: room for the module's own and for the engine's.
const THREAD_STACK: usize = 16 << 20;

/// Fuel given to a metered case; more than any deadline lets it use.
const FUEL: u64 = u64::MAX / 2;

/// Entry point of a worker process: takes its order from standard input, confines itself, works, answers on
/// standard output. Call it before anything that starts threads or opens files.
pub fn worker_main() -> ExitCode {
    let (mut from, mut to) = (io::stdin(), io::stdout());
    let done = begin().and_then(|()| match protocol::receive::<Order>(&mut from) {
        Ok(Some(order)) => carry_out(order, from, &mut to),
        Ok(None) => Ok(()),
        Err(error) => Err(format!("order: {error}")),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // The node may have gone; there is nobody else to tell.
            let _unheard = protocol::send(&mut to, &Reply::Failed { message });
            ExitCode::FAILURE
        }
    }
}

fn carry_out(order: Order, from: Stdin, to: &mut Stdout) -> Result<(), String> {
    match order {
        Order::Probe(limits) => {
            let confinement = confine(&limits)?;
            let engine = engine::engine(false).map_err(|error| format!("engine: {error:#}"))?;
            say(to, &Reply::Ready { confinement, engine: engine::compatibility(&engine) })
        }
        Order::Compile { confine: limits, module, compiled, metered } => {
            let source = std::fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
            let target =
                File::create(&compiled).map_err(|error| format!("{}: {error}", compiled.display()))?;
            confine(&limits)?;
            say(to, &compile::compile(&source, target, metered))
        }
        Order::Canary(errand) => container::fly(errand, to),
        Order::Guard { node } => container::stand_guard(node, &mut { from }),
        Order::Unpack { confine: limits, source, manifest, owner_base } => {
            let opened = image::Opened::open(&source, manifest.is_some())
                .map_err(|error| format!("{}: {error}", source.display()))?;
            confine_unpacking(&limits, manifest.is_some().then_some(source.as_path()))?;
            say(to, &image::unpack(opened, manifest.as_deref(), owner_base))
        }
        Order::Run { confine: limits, compiled, metered, memory_bytes } => {
            let file = File::open(&compiled).map_err(|error| format!("{}: {error}", compiled.display()))?;
            let confinement = confine(&limits)?;
            let work =
                move || Runner::load(file, metered, memory_bytes)?.serve(confinement, from, io::stdout());
            let thread = std::thread::Builder::new().stack_size(THREAD_STACK).spawn(work);
            let thread = thread.map_err(|error| format!("thread: {error}"))?;
            thread.join().map_err(|_| "the engine panicked".to_owned())?
        }
    }
}

fn say(to: &mut impl Write, reply: &Reply) -> Result<(), String> {
    protocol::send(to, reply).map_err(|error| format!("reply: {error}"))
}

/// One module, ready to be instantiated again and again.
struct Runner {
    module: InstancePre<World>,
    metered: bool,
    memory_bytes: u64,
    engine: String,
}

impl Runner {
    #[expect(unsafe_code, reason = "compiled code can only be loaded on trust")]
    fn load(file: File, metered: bool, memory_bytes: u64) -> Result<Self, String> {
        let engine = engine::engine(metered).map_err(|error| format!("engine: {error:#}"))?;
        // SAFETY: the file comes from the node's own cache, which only the node's user can write and where files
        // appear by renaming and never change; it was made by this engine from a validated module. Should it be
        // hostile all the same, it runs inside this confined process.
        let module = unsafe { Module::deserialize_open_file(&engine, file) }
            .map_err(|error| format!("compiled module: {error:#}"))?;
        let linker = engine::linker(&engine).map_err(|error| format!("linker: {error:#}"))?;
        let module = linker.instantiate_pre(&module).map_err(|error| format!("imports: {error:#}"))?;
        Ok(Self { module, metered, memory_bytes, engine: engine::compatibility(&engine) })
    }

    fn serve(&self, confinement: Vec<String>, mut from: Stdin, mut to: Stdout) -> Result<(), String> {
        say(&mut to, &Reply::Ready { confinement, engine: self.engine.clone() })?;
        while let Some(RunCase) = protocol::receive(&mut from).map_err(|error| format!("request: {error}"))? {
            let (out, err) = (Log::default(), Log::default());
            let reply = self.run(&out, &err).map_err(|error| format!("case: {error:#}"))?;
            say(&mut to, &reply)?;
            let log = [out.take(), err.take()].concat();
            protocol::write_frame(&mut to, &log).map_err(|error| format!("log: {error}"))?;
        }
        Ok(())
    }

    /// Runs one case in a fresh instance.
    fn run(&self, out: &Log, err: &Log) -> wasmtime::Result<Reply> {
        let started = Instant::now();
        let mut store = Store::new(self.module.module().engine(), World::new(self.memory_bytes, out, err)?);
        store.limiter(|world| &mut world.bounds);
        if self.metered {
            store.set_fuel(FUEL)?;
        }
        let ended = self
            .module
            .instantiate(&mut store)
            .and_then(|instance| instance.get_typed_func::<(), ()>(&mut store, "_start"))
            .and_then(|start| start.call(&mut store, ()));
        let seconds = started.elapsed().as_secs_f64();
        let fuel = if self.metered { Some(FUEL - store.get_fuel()?) } else { None };
        Ok(Reply::Done { ending: ending(ended, store.data().bounds.exceeded), seconds, fuel })
    }
}

/// The platform's words for how a model ended; nothing of the model's own gets in.
fn ending(ended: wasmtime::Result<()>, memory_refused: bool) -> Ending {
    let Err(error) = ended else { return Ending::Ok };
    if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) {
        return Ending::Ok;
    }
    if memory_refused {
        return Ending::OutOfMemory;
    }
    let why = match (error.downcast_ref::<I32Exit>(), error.downcast_ref::<Trap>()) {
        (Some(_), _) => "ended with an exit code other than 0".to_owned(),
        (_, Some(trap)) => format!("trapped: {}", trap.to_string().trim_start_matches("wasm trap: ")),
        _ => "failed while it was started or while it called the system".to_owned(),
    };
    Ending::Crashed { why }
}
