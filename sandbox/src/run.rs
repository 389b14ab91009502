//! Runs cases on lanes, several at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::batch::Batches;
use crate::onnx::OnnxRunner;
use crate::output::{BadOutput, MAX_ENTRIES, Output};
use crate::runner::{Ended, Runner, Stop, mebibytes};
use crate::sandbox::Sandbox;
use crate::slot::Slot;
use crate::types::{CaseInput, CaseResult, Expected, Prepared, Program, SandboxError};
use crate::wasm::WasmRunner;

impl Sandbox {
    /// Runs the cases, each apart from all others (but for those of a batch, see [`Prepared::in_batches_of`]), as many at
    /// once as configured; calls `on_result` once for each case, in the order they end. An error means that the sandbox
    /// failed, not the model; cases without a result were then not run to their end.
    pub fn run_cases(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: impl Iterator<Item = CaseInput> + Send,
        expected: &[Expected],
        on_result: &(dyn Fn(CaseResult) + Sync),
    ) -> Result<(), SandboxError> {
        self.run_cases_until(prepared, limits, cases, expected, on_result, &|| false)
    }

    /// As [`Sandbox::run_cases`]; once `stop` answers true, as it then must for good, the running cases are ended with all
    /// they started, no other is begun, and none of them has a result.
    pub fn run_cases_until(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: impl Iterator<Item = CaseInput> + Send,
        expected: &[Expected],
        on_result: &(dyn Fn(CaseResult) + Sync),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), SandboxError> {
        let cases = Mutex::new(Cases { left: cases.enumerate(), failed: false });
        let work = || {
            let mut lane =
                Lane { limits, expected, stop, slot: self.slot()?, runner: self.runner(prepared)? };
            let next = || cases.lock().unwrap_or_else(PoisonError::into_inner).next();
            match prepared.batch {
                None => {
                    while !stop()
                        && let Some((index, case)) = next()
                        && let Some(result) = lane.run(index, case)?
                    {
                        on_result(result);
                    }
                    Ok(())
                }
                Some(size) => {
                    lane.run_batches(&Batches { size, dialect: prepared.dialect, on_result }, &next)
                }
            }
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

    /// The engine of a prepared model.
    fn runner<'a>(&'a self, prepared: &Prepared) -> Result<Box<dyn Runner + 'a>, SandboxError> {
        match &prepared.program {
            Program::Wasm { compiled, networks } => {
                Ok(Box::new(WasmRunner::new(self, compiled.clone(), *networks)))
            }
            Program::Image { image, api } => self.containers.runner(image, *api, prepared.dialect),
            Program::Onnx { archive } => Ok(Box::new(OnnxRunner::new(self, archive.clone()))),
        }
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

/// One slot with its engine.
pub(crate) struct Lane<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) expected: &'a [Expected],
    pub(crate) stop: Stop<'a>,
    pub(crate) slot: Slot,
    pub(crate) runner: Box<dyn Runner + 'a>,
}

impl Lane<'_> {
    /// Runs a case alone; nothing if it was stopped.
    fn run(&mut self, index: usize, case: CaseInput) -> Result<Option<CaseResult>, SandboxError> {
        self.slot.fill(&case.files)?;
        let ended = self.runner.run(&self.slot, self.limits, self.stop)?;
        Ok((!(self.stop)()).then(|| self.judged(index, case.name, ended, Ok(self.slot.output()))))
    }

    /// The result of a case that left its answer in this folder, or has none.
    pub(crate) fn judged(
        &self,
        index: usize,
        name: String,
        mut ended: Ended,
        output: Result<&Output, BadOutput>,
    ) -> CaseResult {
        ended.usage.output_bytes = output.as_ref().map_or(0, |output| output.written());
        let outputs = self.outputs(&mut ended, output);
        let Ended { outcome, reason, seconds, usage, log } = ended;
        CaseResult { index, name, outcome, reason, seconds, usage, outputs, log }
    }

    /// Reads the outputs of a case that ended well, and changes the verdict where they are not as they should be.
    fn outputs(&self, ended: &mut Ended, output: Result<&Output, BadOutput>) -> BTreeMap<String, Vec<u8>> {
        if ended.outcome != Outcome::Ok {
            return BTreeMap::new();
        }
        let bytes = mebibytes(self.limits.output_mib);
        let read = output.and_then(|output| match output.excess(bytes, MAX_ENTRIES, 0) {
            Some(excess) => Err(BadOutput::Invalid(excess)),
            None => output.read(self.expected, bytes),
        });
        read.unwrap_or_else(|bad| {
            (ended.outcome, ended.reason) = match bad {
                BadOutput::Missing(reason) => (Outcome::MissingOutput, reason),
                BadOutput::Invalid(reason) => (Outcome::InvalidOutput, reason),
            };
            BTreeMap::new()
        })
    }
}
