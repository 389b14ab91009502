//! Runs cases on lanes, several at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::onnx::OnnxRunner;
use crate::runner::{Ended, Runner, mebibytes};
use crate::sandbox::Sandbox;
use crate::slot::{BadOutput, Slot};
use crate::types::{CaseInput, CaseResult, Expected, Prepared, Program, SandboxError};
use crate::wasm::WasmRunner;

impl Sandbox {
    /// Runs the cases, each apart from all others, as many at once as configured; calls `on_result` once for each
    /// case, in the order they end. An error means that the sandbox failed, not the model; cases without a result
    /// were then not run to their end.
    pub fn run_cases(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: impl Iterator<Item = CaseInput> + Send,
        expected: &[Expected],
        on_result: &(dyn Fn(CaseResult) + Sync),
    ) -> Result<(), SandboxError> {
        let cases = Mutex::new(Cases { left: cases.enumerate(), failed: false });
        let work = || {
            let mut lane = Lane { limits, expected, slot: self.slot()?, runner: self.runner(prepared)? };
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
struct Lane<'a> {
    limits: &'a Limits,
    expected: &'a [Expected],
    slot: Slot,
    runner: Box<dyn Runner + 'a>,
}

impl Lane<'_> {
    fn run(&mut self, index: usize, case: CaseInput) -> Result<CaseResult, SandboxError> {
        self.slot.fill(&case.files)?;
        let mut ended = self.runner.run(&self.slot, self.limits)?;
        let outputs = self.outputs(&mut ended);
        ended.usage.output_bytes = self.slot.written();
        let Ended { outcome, reason, seconds, usage, log } = ended;
        Ok(CaseResult { index, name: case.name, outcome, reason, seconds, usage, outputs, log })
    }

    /// Reads the outputs of a case that ended well, and changes the verdict where they are not as they should be.
    fn outputs(&self, ended: &mut Ended) -> BTreeMap<String, Vec<u8>> {
        if ended.outcome != Outcome::Ok {
            return BTreeMap::new();
        }
        let bytes = mebibytes(self.limits.output_mib);
        let read = match self.slot.excess(bytes) {
            Some(excess) => Err(BadOutput::Invalid(excess)),
            None => self.slot.outputs(self.expected, bytes),
        };
        read.unwrap_or_else(|bad| {
            (ended.outcome, ended.reason) = match bad {
                BadOutput::Missing(reason) => (Outcome::MissingOutput, reason),
                BadOutput::Invalid(reason) => (Outcome::InvalidOutput, reason),
            };
            BTreeMap::new()
        })
    }
}
