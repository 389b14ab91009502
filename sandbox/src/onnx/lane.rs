//! An ONNX model as a lane sees it: a worker that loads it once and is replaced when it was killed.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::child::{Silence, Worker};
use crate::protocol::{Confine, OnnxTask, Order, Reply};
use crate::runner::{Ended, Runner, Stop, Watch, mebibytes};
use crate::sandbox::{OVERHEAD, START, Sandbox, not_ready};
use crate::slot::Slot;
use crate::types::SandboxError;
use crate::wasm::{ask, verdict};

/// How long a model may take to be loaded; it took less when it was checked.
const LOAD: Duration = Duration::from_mins(2);

/// Runs a checked artifact in a confined worker.
pub(crate) struct OnnxRunner<'a> {
    sandbox: &'a Sandbox,
    archive: PathBuf,
    worker: Option<Worker>,
}

impl<'a> OnnxRunner<'a> {
    /// A runner without a worker yet.
    pub(crate) fn new(sandbox: &'a Sandbox, archive: PathBuf) -> Self {
        Self { sandbox, archive, worker: None }
    }

    /// A confined worker, and whether it could load the model within the challenge's limits.
    fn start(&self, slot: &Slot, limits: &Limits) -> Result<(Worker, Result<(), Silence>), SandboxError> {
        let (memory, output) = (mebibytes(limits.memory_mib), mebibytes(limits.output_mib));
        let private = memory.saturating_add(OVERHEAD);
        let mut worker = self.sandbox.worker(private.saturating_add(output))?;
        let order = Order::Onnx {
            confine: Confine {
                parent: std::process::id(),
                slot: Some(slot.folder().to_owned()),
                file_bytes: output.saturating_add(1),
                data_bytes: private,
                cpu_s: None,
            },
            onnxruntime: self.sandbox.onnx.library().cloned(),
            task: OnnxTask::Run(self.archive.clone()),
        };
        let ready = worker.send(&order).and_then(|()| hear(&mut worker, START));
        if !matches!(ready, Ok(Reply::Ready { .. })) {
            return Err(not_ready(&ready));
        }
        let loaded = match hear(&mut worker, LOAD) {
            Ok(Reply::Loaded) => Ok(()),
            Ok(Reply::Failed { message }) => return Err(SandboxError::Worker(message)),
            // It was loaded before, with more memory.
            Ok(Reply::Refused { .. }) => Err(Silence::OutOfMemory),
            Ok(other) => Err(Silence::Nonsense(format!("{other:?}"))),
            Err(silence) => Err(silence),
        };
        Ok((worker, loaded))
    }
}

fn hear(worker: &mut Worker, within: Duration) -> Result<Reply, Silence> {
    worker.receive(Instant::now() + within, &mut || ControlFlow::Continue(()))
}

impl Runner for OnnxRunner<'_> {
    fn run(&mut self, slot: &Slot, limits: &Limits, stop: Stop<'_>) -> Result<Ended, SandboxError> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => match self.start(slot, limits)? {
                (worker, Ok(())) => worker,
                (_killed, Err(Silence::Late)) => {
                    let reason = format!("could not be loaded within {} s", LOAD.as_secs());
                    return Ok(Ended::failed(Outcome::TimedOut, reason, 0.0));
                }
                (_killed, Err(silence)) => {
                    let (outcome, reason) = verdict(silence, None, limits);
                    return Ok(Ended::failed(outcome, format!("while it was loaded: {reason}"), 0.0));
                }
            },
        };
        let started = Instant::now();
        let mut watch = Watch::start(slot, limits, stop);
        let answer = ask(&mut worker, &mut watch, limits);
        let wall = started.elapsed().as_secs_f64();
        Ok(match answer {
            Ok(ended) => {
                self.worker = Some(worker);
                Ended { seconds: ended.seconds.clamp(0.0, wall), ..ended }
            }
            Err(silence) => {
                // Killed whole; the next case gets a new worker.
                drop(worker);
                let (outcome, reason) = verdict(silence, watch.excess, limits);
                Ended::failed(outcome, reason, wall)
            }
        })
    }
}
