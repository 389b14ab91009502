//! What happens to an ONNX artifact inside a worker.

use std::fs::File;
use std::io::{Stdin, Stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fiel_schemas::api::FailureReason;

use super::backend::{last_words, no_memory};
use super::model::{Failed, Model};
use super::ort::Library;
use super::spent::Meter;
use super::tract;
use crate::compile::refused;
use crate::confine::confine;
use crate::files::Case;
use crate::protocol::{self, Confine, Ending, OnnxTask, Reply, RunCase};
use crate::worker::{THREAD_STACK, say};

/// Longest log of a case, bytes.
const LOG: usize = 8 * 1024;

/// Carries out one task. A model's bytes are read after confinement only.
pub(crate) fn work(
    limits: &Confine,
    onnxruntime: Option<&Path>,
    task: &OnnxTask,
    from: Stdin,
    to: Stdout,
) -> Result<(), String> {
    let archive = match task {
        OnnxTask::Probe => None,
        OnnxTask::Check(path) | OnnxTask::Run(path) => {
            Some(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?)
        }
    };
    let library = onnxruntime.map(Library::open).transpose()?;
    let confinement = confine(limits)?;
    let version = library.as_ref().map_or(tract::VERSION, |library| &library.version).to_owned();
    let ready = Reply::Ready { confinement, engine: version };
    let checking = matches!(task, OnnxTask::Check(_));
    let serve = move || match archive {
        None => {
            library.map(Library::start).transpose()?;
            say(&mut &to, &ready)
        }
        Some(archive) if checking => say(&mut &to, &check(archive, library)?),
        Some(archive) => {
            say(&mut &to, &ready)?;
            run(archive, library, from, &to)
        }
    };
    let thread = std::thread::Builder::new().stack_size(THREAD_STACK).spawn(serve);
    let thread = thread.map_err(|error| format!("thread: {error}"))?;
    thread.join().map_err(|_| "the engine panicked".to_owned())?
}

/// Loads an artifact and runs it once over zeros.
fn check(archive: File, library: Option<Library>) -> Result<Reply, String> {
    let environment = library.map(Library::start).transpose()?;
    // A parser that panics says the same as one that refuses.
    let tried = catch_unwind(AssertUnwindSafe(|| {
        Model::load(archive, environment.as_ref()).and_then(|mut model| model.trial())
    }));
    let tried =
        tried.unwrap_or_else(|_| Err("the engine cannot work with this model: it failed inside".into()));
    Ok(match tried {
        Ok(()) => Reply::Loaded,
        Err(message) => refused(FailureReason::ArtifactInvalid, &message),
    })
}

/// Loads an artifact that was checked before, says so, and runs cases.
fn run(archive: File, library: Option<Library>, mut from: Stdin, mut to: &Stdout) -> Result<(), String> {
    let environment = library.map(Library::start).transpose()?;
    let mut model = match Model::load(archive, environment.as_ref()) {
        Ok(model) => model,
        Err(message) => return say(&mut to, &refused(FailureReason::ArtifactInvalid, &message)),
    };
    say(&mut to, &Reply::Loaded)?;
    while let Some(RunCase) = protocol::receive(&mut from).map_err(|error| format!("request: {error}"))? {
        let meter = Meter::start();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let case = Case::open(Path::new("."))?;
            model.run(&case)
        }));
        let ran = ran.unwrap_or_else(|panic| Err(Failed::Engine(last_words(&*panic))));
        let used = meter.stop();
        let (ending, log) = ending(ran);
        say(&mut to, &Reply::Done { ending, used })?;
        let log = &log.as_bytes()[..log.len().min(LOG)];
        protocol::write_frame(&mut to, log).map_err(|error| format!("log: {error}"))?;
    }
    Ok(())
}

/// How a case ended in the platform's words, and what only the site may read.
fn ending(ran: Result<(), Failed>) -> (Ending, String) {
    match ran {
        Ok(()) => (Ending::Ok, String::new()),
        Err(Failed::Case(trouble)) => (Ending::Crashed { why: trouble.reason }, trouble.detail),
        Err(Failed::Output(why)) => (Ending::InvalidOutput { rule: why.clone() }, why),
        Err(Failed::Engine(error)) if no_memory(&error) => (Ending::OutOfMemory, error),
        Err(Failed::Engine(error)) => {
            (Ending::Crashed { why: "the engine stopped while it ran the model".to_owned() }, error)
        }
    }
}
