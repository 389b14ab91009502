//! What happens inside a worker process.

use std::fs::File;
use std::io::{self, Stdin, Stdout, Write};
use std::process::ExitCode;

use crate::compile;
use crate::confine::{begin, confine, confine_unpacking};
use crate::container;
use crate::engine;
use crate::guest::{Guest, Ran, Settings};
use crate::image;
use crate::log::Log;
use crate::onnx::{self, Library};
use crate::protocol::{self, Order, Reply, RunCase};

/// Stack of the thread that runs models: room for the module's own and for the engine's.
pub(crate) const THREAD_STACK: usize = 16 << 20;

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
            let confinement = confine_unpacking(&limits, manifest.is_some().then_some(source.as_path()))?;
            say(to, &image::unpack(opened, manifest.as_deref(), owner_base, confinement))
        }
        Order::Run {
            confine: limits,
            compiled,
            metered,
            networks,
            onnxruntime,
            memory_bytes,
            output_bytes,
        } => {
            let file = File::open(&compiled).map_err(|error| format!("{}: {error}", compiled.display()))?;
            let library = onnxruntime.as_deref().map(Library::open).transpose()?;
            let confinement = confine(&limits)?;
            let settings = Settings { metered, networks, memory_bytes, output_bytes };
            let work = move || {
                let onnxruntime = library.map(Library::start).transpose()?;
                serve(&Guest::load(file, settings, onnxruntime)?, confinement, from, io::stdout())
            };
            let thread = std::thread::Builder::new().stack_size(THREAD_STACK).spawn(work);
            let thread = thread.map_err(|error| format!("thread: {error}"))?;
            thread.join().map_err(|_| "the engine panicked".to_owned())?
        }
        Order::Onnx { confine: limits, onnxruntime, task } => {
            onnx::work(&limits, onnxruntime.as_deref(), &task, from, io::stdout())
        }
    }
}

pub(crate) fn say(to: &mut impl Write, reply: &Reply) -> Result<(), String> {
    protocol::send(to, reply).map_err(|error| format!("reply: {error}"))
}

fn serve(guest: &Guest, confinement: Vec<String>, mut from: Stdin, mut to: Stdout) -> Result<(), String> {
    say(&mut to, &Reply::Ready { confinement, engine: engine::compatibility(guest.engine()) })?;
    while let Some(RunCase) = protocol::receive(&mut from).map_err(|error| format!("request: {error}"))? {
        let (out, err) = (Log::default(), Log::default());
        let Ran { ending, used } = guest.run(&out, &err).map_err(|error| format!("case: {error:#}"))?;
        say(&mut to, &Reply::Done { ending, used })?;
        let log = [out.take(), err.take()].concat();
        protocol::write_frame(&mut to, &log).map_err(|error| format!("log: {error}"))?;
    }
    Ok(())
}
