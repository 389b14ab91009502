//! Runs cases on workers, several at once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::child::{Silence, Worker};
use crate::protocol::{Confine, Ending, Order, Reply, RunCase};
use crate::sandbox::{OVERHEAD, START, Sandbox, not_ready};
use crate::slot::{BadOutput, Slot};
use crate::types::{CaseInput, CaseResult, Prepared, SandboxError};

impl Sandbox {
    /// Runs the cases, each in a fresh instance, as many at once as configured; calls `on_result` once for each
    /// case, in the order they end. An error means that the sandbox failed, not the model; cases without a result
    /// were then not run to their end.
    pub fn run_cases(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: impl Iterator<Item = CaseInput> + Send,
        expected_outputs: &[String],
        on_result: &(dyn Fn(CaseResult) + Sync),
    ) -> Result<(), SandboxError> {
        let cases = Mutex::new(Cases { left: cases.enumerate(), failed: false });
        let work = || {
            let mut lane = Lane {
                sandbox: self,
                prepared,
                limits,
                expected: expected_outputs,
                slot: self.slot()?,
                worker: None,
            };
            while let Some((index, case)) = cases.lock().unwrap_or_else(PoisonError::into_inner).next() {
                on_result(lane.run(index, case)?);
            }
            Ok(())
        };
        let guarded = || {
            let done = work();
            cases.lock().unwrap_or_else(PoisonError::into_inner).failed |= done.is_err();
            done
        };
        std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..self.config.parallel.max(1)).map(|_| scope.spawn(guarded)).collect();
            let ended = lanes
                .into_iter()
                .map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

/// The cases not yet taken; none once a lane has failed.
struct Cases<I> {
    left: I,
    failed: bool,
}

impl<I: Iterator> Cases<I> {
    fn next(&mut self) -> Option<I::Item> {
        if self.failed { None } else { self.left.next() }
    }
}

/// One slot with its worker.
struct Lane<'a> {
    sandbox: &'a Sandbox,
    prepared: &'a Prepared,
    limits: &'a Limits,
    expected: &'a [String],
    slot: Slot,
    worker: Option<Worker>,
}

/// How a case ended before its outputs were looked at.
struct Ended {
    outcome: Outcome,
    reason: String,
    seconds: f64,
    fuel: Option<u64>,
    log: Vec<u8>,
}

impl Lane<'_> {
    fn run(&mut self, index: usize, case: CaseInput) -> Result<CaseResult, SandboxError> {
        self.slot.fill(&case.files)?;
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start()?,
        };
        let started = Instant::now();
        let mut excess = None;
        let answer = self.ask(&mut worker, started, &mut excess);
        let wall = started.elapsed().as_secs_f64();
        let mut ended = match answer {
            Ok(ended) => {
                self.worker = Some(worker);
                Ended { seconds: ended.seconds.clamp(0.0, wall), ..ended }
            }
            Err(silence) => {
                // Killed whole; the next case gets a new worker.
                drop(worker);
                let (outcome, reason) = self.verdict(silence, excess);
                Ended { outcome, reason, seconds: wall, fuel: None, log: Vec::new() }
            }
        };
        let outputs = self.outputs(&mut ended);
        let Ended { outcome, reason, seconds, fuel, log } = ended;
        Ok(CaseResult { index, name: case.name, outcome, reason, seconds, fuel, outputs, log })
    }

    fn start(&self) -> Result<Worker, SandboxError> {
        let (memory, output) = (mebibytes(self.limits.memory_mib), self.output_bytes());
        let mut worker = self.sandbox.worker(memory.saturating_add(OVERHEAD).saturating_add(output))?;
        let order = Order::Run {
            confine: Confine {
                parent: std::process::id(),
                slot: Some(self.slot.folder().to_owned()),
                // A byte more than allowed, so that a file cut at the limit is seen to be too large.
                file_bytes: output.saturating_add(1),
                data_bytes: memory.saturating_add(OVERHEAD),
                cpu_s: None,
            },
            compiled: self.prepared.compiled.clone(),
            metered: self.sandbox.config.metered,
            memory_bytes: memory,
        };
        let ready = worker
            .send(&order)
            .and_then(|()| worker.receive(Instant::now() + START, &mut || ControlFlow::Continue(())));
        match ready {
            Ok(Reply::Ready { .. }) => Ok(worker),
            other => Err(not_ready(&other)),
        }
    }

    fn ask(
        &self,
        worker: &mut Worker,
        started: Instant,
        excess: &mut Option<String>,
    ) -> Result<Ended, Silence> {
        let deadline = started + Duration::from_millis(self.limits.case_ms);
        let mut watch = || {
            *excess = self.slot.excess(self.output_bytes());
            if excess.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        worker.send(&RunCase)?;
        let (ending, seconds, fuel) = match worker.receive(deadline, &mut watch)? {
            Reply::Done { ending, seconds, fuel } => (ending, seconds, fuel),
            other => return Err(Silence::Nonsense(format!("{other:?}"))),
        };
        // The log follows at once; only a worker out of order lets it wait.
        let log = worker.frame(Instant::now() + START, &mut || ControlFlow::Continue(()))?;
        let (outcome, reason) = match ending {
            Ending::Ok => (Outcome::Ok, String::new()),
            Ending::Crashed { why } => (Outcome::Crashed, why),
            Ending::OutOfMemory => (Outcome::OutOfMemory, self.memory_reason()),
        };
        Ok(Ended { outcome, reason, seconds, fuel, log })
    }

    fn verdict(&self, silence: Silence, excess: Option<String>) -> (Outcome, String) {
        match (silence, excess) {
            (_, Some(excess)) => (Outcome::InvalidOutput, excess),
            (Silence::Late, _) => (Outcome::TimedOut, format!("ran longer than {} ms", self.limits.case_ms)),
            (Silence::OutOfMemory, _) => (Outcome::OutOfMemory, self.memory_reason()),
            (Silence::Died(how), _) => (Outcome::Crashed, how),
            (Silence::Stopped, _) => (Outcome::Crashed, "its process was stopped".to_owned()),
            (Silence::Nonsense(what), _) => {
                tracing::warn!(what, "a worker answered something unexpected");
                (Outcome::Crashed, "its process broke the protocol".to_owned())
            }
        }
    }

    /// Reads the outputs of a case that ended well, and changes the verdict where they are not as they should be.
    fn outputs(&self, ended: &mut Ended) -> BTreeMap<String, Vec<u8>> {
        if ended.outcome != Outcome::Ok {
            return BTreeMap::new();
        }
        let read = match self.slot.excess(self.output_bytes()) {
            Some(excess) => Err(BadOutput::Invalid(excess)),
            None => self.slot.outputs(self.expected, self.output_bytes()),
        };
        read.unwrap_or_else(|bad| {
            (ended.outcome, ended.reason) = match bad {
                BadOutput::Missing(reason) => (Outcome::MissingOutput, reason),
                BadOutput::Invalid(reason) => (Outcome::InvalidOutput, reason),
            };
            BTreeMap::new()
        })
    }

    fn output_bytes(&self) -> u64 {
        mebibytes(self.limits.output_mib)
    }

    fn memory_reason(&self) -> String {
        format!("asked for more than {} MiB of memory", self.limits.memory_mib)
    }
}

/// Bytes of so many MiB; a number without sense means no limit rather than a small one.
fn mebibytes(count: u64) -> u64 {
    count.saturating_mul(1 << 20)
}
