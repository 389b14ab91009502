//! Several cases at one start of a container, where the challenge wants that.
//!
//! Each case has a folder of its own below `/input` and `/output`. A batch that ends well is judged case by case, as
//! cases are that ran alone. Where a batch as a whole went wrong, nobody knows which of its cases is to blame: all are
//! run again one by one, in folders as before, so that a failure counts against its own case only.

use std::num::NonZeroU32;

use fiel_schemas::batch::Batch;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::run::Lane;
use crate::runner::{Ended, mebibytes};
use crate::types::{CaseInput, CaseResult, Dialect, SandboxError, Usage};

/// How cases are run in batches.
pub(crate) struct Batches<'a> {
    /// Most cases of one.
    pub(crate) size: NonZeroU32,
    /// How the model is told which cases there are.
    pub(crate) dialect: Dialect,
    /// Takes the result of each case.
    pub(crate) on_result: &'a dyn Fn(CaseResult),
}

/// A case whose files lie in the slot, or beside it.
struct Member {
    index: usize,
    name: String,
}

impl Lane<'_> {
    /// Runs cases in batches until `next` gives none; one case's files are in memory at a time.
    pub(crate) fn run_batches(
        &mut self,
        batches: &Batches<'_>,
        next: &dyn Fn() -> Option<(usize, CaseInput)>,
    ) -> Result<(), SandboxError> {
        loop {
            self.slot.clear()?;
            let mut members = Vec::new();
            for (index, case) in std::iter::from_fn(next).take(batches.size.get() as usize) {
                self.slot.add_case(&case.name, &case.files)?;
                members.push(Member { index, name: case.name });
            }
            if members.is_empty() || (self.stop)() {
                return Ok(());
            }
            self.run_batch(members, batches)?;
        }
    }

    /// Runs the cases that lie in the slot, together and where need be one by one.
    fn run_batch(&mut self, members: Vec<Member>, batches: &Batches<'_>) -> Result<(), SandboxError> {
        let &Batches { dialect, on_result, .. } = batches;
        let ended = self.run_members(&members, dialect)?;
        if (self.stop)() {
            return Ok(());
        }
        if ended.outcome == Outcome::Ok || members.len() == 1 {
            self.judge(members, &ended, on_result);
            return Ok(());
        }
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        self.slot.set_aside(&names)?;
        for member in members {
            self.slot.bring_back(&member.name)?;
            let alone = vec![member];
            let ended = self.run_members(&alone, dialect)?;
            if (self.stop)() {
                return Ok(());
            }
            self.judge(alone, &ended, on_result);
        }
        Ok(())
    }

    /// Starts the model on the cases that lie in the slot; ends `invalid-output` where they hold too much together.
    fn run_members(&mut self, members: &[Member], dialect: Dialect) -> Result<Ended, SandboxError> {
        if dialect == Dialect::Fiel {
            let list = Batch::new(members.iter().map(|member| member.name.as_str()));
            let list = serde_json::to_vec(&list).map_err(|error| SandboxError::Worker(error.to_string()))?;
            self.slot.add(&[("inputs.json".to_owned(), list)])?;
        }
        let limits = together(self.limits, members.len());
        let mut ended = self.runner.run(&self.slot, &limits, self.stop)?;
        if ended.outcome == Outcome::Ok
            && let Some(excess) = self.slot.excess(mebibytes(limits.output_mib))
        {
            (ended.outcome, ended.reason) = (Outcome::InvalidOutput, excess);
        }
        Ok(ended)
    }

    /// Gives the result of each case of a batch.
    fn judge(&self, members: Vec<Member>, ended: &Ended, on_result: &dyn Fn(CaseResult)) {
        let share = 1.0 / members.len() as f64;
        for Member { index, name } in members {
            let own = Ended {
                outcome: ended.outcome,
                reason: ended.reason.clone(),
                seconds: ended.seconds * share,
                usage: Usage { cpu_s: ended.usage.cpu_s.map(|seconds| seconds * share), ..ended.usage },
                log: ended.log.clone(),
            };
            let output = self.slot.output_of(&name);
            on_result(self.judged(index, name, own, output.as_ref().map_err(Clone::clone)));
        }
    }
}

/// What so many cases may use together: memory as one, time and output as often as there are cases.
fn together(limits: &Limits, cases: usize) -> Limits {
    let cases = cases as u64;
    Limits {
        case_ms: limits.case_ms.saturating_mul(cases),
        output_mib: limits.output_mib.saturating_mul(cases),
        ..limits.clone()
    }
}
