//! The WebAssembly engine as a lane sees it: a worker that is replaced when it was killed.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use fs_err as fs;

use crate::child::{Silence, Worker};
use crate::protocol::{Confine, Ending, Order, Reply, RunCase};
use crate::runner::{Ended, Runner, Stop, Watch, late_reason, mebibytes, memory_reason};
use crate::sandbox::{OVERHEAD, START, Sandbox, not_ready};
use crate::slot::Slot;
use crate::types::{SandboxError, Usage};

/// Runs a compiled module in a confined worker, each case in a fresh instance.
pub(crate) struct WasmRunner<'a> {
    sandbox: &'a Sandbox,
    compiled: PathBuf,
    /// Whether the module imports wasi-nn.
    networks: bool,
    worker: Option<Worker>,
}

impl<'a> WasmRunner<'a> {
    /// A runner without a worker yet.
    pub(crate) fn new(sandbox: &'a Sandbox, compiled: PathBuf, networks: bool) -> Self {
        Self { sandbox, compiled, networks, worker: None }
    }

    fn start(&self, slot: &Slot, limits: &Limits) -> Result<Worker, SandboxError> {
        let (memory, output) = (mebibytes(limits.memory_mib), mebibytes(limits.output_mib));
        let compiled = fs::metadata(&self.compiled).map_or(0, |file| file.len());
        // Beside the model's own memory: its code, once as read and once as loaded, and values on their way out,
        // as returned, encoded and written.
        let private = [OVERHEAD, 2 * compiled, output.saturating_mul(3)]
            .iter()
            .fold(memory, |sum, part| sum.saturating_add(*part));
        let mut worker = self.sandbox.worker(private.saturating_add(output))?;
        let order = Order::Run {
            confine: Confine {
                parent: std::process::id(),
                slot: Some(slot.folder().to_owned()),
                // A byte more than allowed, so that a file cut at the limit is seen to be too large.
                file_bytes: output.saturating_add(1),
                data_bytes: private,
                cpu_s: None,
            },
            compiled: self.compiled.clone(),
            metered: self.sandbox.config.metered,
            networks: self.networks,
            // Loading it takes time that other modules need not spend.
            onnxruntime: self.sandbox.onnx.library().filter(|_| self.networks).cloned(),
            memory_bytes: memory,
            output_bytes: output,
        };
        let ready = worker
            .send(&order)
            .and_then(|()| worker.receive(Instant::now() + START, &mut || ControlFlow::Continue(())));
        match ready {
            Ok(Reply::Ready { .. }) => Ok(worker),
            other => Err(not_ready(&other)),
        }
    }
}

impl Runner for WasmRunner<'_> {
    fn run(&mut self, slot: &Slot, limits: &Limits, stop: Stop<'_>) -> Result<Ended, SandboxError> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start(slot, limits)?,
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

pub(crate) fn ask(worker: &mut Worker, watch: &mut Watch<'_>, limits: &Limits) -> Result<Ended, Silence> {
    worker.send(&RunCase)?;
    let (ending, used) = match worker.receive(watch.deadline, &mut || watch.look())? {
        Reply::Done { ending, used } => (ending, used),
        other => return Err(Silence::Nonsense(format!("{other:?}"))),
    };
    // The log follows at once; only a worker out of order lets it wait.
    let log = worker.frame(Instant::now() + START, &mut || ControlFlow::Continue(()))?;
    let (outcome, reason) = match ending {
        Ending::Ok => (Outcome::Ok, String::new()),
        Ending::Crashed { why } => (Outcome::Crashed, why),
        Ending::InvalidOutput { rule } => (Outcome::InvalidOutput, rule),
        Ending::OutOfMemory => (Outcome::OutOfMemory, memory_reason(limits)),
    };
    let usage = Usage {
        fuel: used.fuel,
        cpu_s: Some(used.cpu_s.max(0.0)),
        memory_bytes_peak: Some(used.memory_bytes),
        output_bytes: 0,
    };
    Ok(Ended { outcome, reason, seconds: used.seconds, usage, log })
}

pub(crate) fn verdict(silence: Silence, excess: Option<String>, limits: &Limits) -> (Outcome, String) {
    match (silence, excess) {
        (_, Some(excess)) => (Outcome::InvalidOutput, excess),
        (Silence::Late, _) => (Outcome::TimedOut, late_reason(limits)),
        (Silence::OutOfMemory, _) => (Outcome::OutOfMemory, memory_reason(limits)),
        (Silence::Died(how), _) => (Outcome::Crashed, how),
        (Silence::Stopped, _) => (Outcome::Crashed, "its process was stopped".to_owned()),
        (Silence::Nonsense(what), _) => {
            tracing::warn!(what, "a worker answered something unexpected");
            (Outcome::Crashed, "its process broke the protocol".to_owned())
        }
    }
}
