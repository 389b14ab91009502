//! What every engine does for a lane: run one case in a filled slot.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::slot::Slot;
use crate::types::{SandboxError, Usage};

/// Whether nobody waits for a run any more; once true it stays so.
pub(crate) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// An engine that runs one prepared model, case after case.
pub(crate) trait Runner: Send {
    /// Runs the case that lies in the slot, and ends it with everything it started: at its deadline, as soon as `output`
    /// holds too much, and once `stop` answers true; what is said of it then is worth nothing. An error means that the
    /// sandbox failed, not the model.
    fn run(&mut self, slot: &Slot, limits: &Limits, stop: Stop<'_>) -> Result<Ended, SandboxError>;
}

/// How a case ended before its outputs were looked at.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `ok` where the model said that it had done its work.
    pub(crate) outcome: Outcome,
    /// Why, in the platform's words; empty for `ok`.
    pub(crate) reason: String,
    /// Wall time of the model.
    pub(crate) seconds: f64,
    /// What it used, as far as this engine counts.
    pub(crate) usage: Usage,
    /// What it printed.
    pub(crate) log: Vec<u8>,
}

impl Ended {
    /// A case that failed before the model could say anything.
    pub(crate) fn failed(outcome: Outcome, reason: impl Into<String>, seconds: f64) -> Self {
        Self { outcome, reason: reason.into(), seconds, usage: Usage::default(), log: Vec::new() }
    }
}

/// Looks after a running case: when it is late, what it has written too much, whether anybody waits for it.
pub(crate) struct Watch<'a> {
    slot: &'a Slot,
    stop: Stop<'a>,
    output_bytes: u64,
    /// When the case is late.
    pub(crate) deadline: Instant,
    /// What it has written too much.
    pub(crate) excess: Option<String>,
}

impl<'a> Watch<'a> {
    /// Starts the clock.
    pub(crate) fn start(slot: &'a Slot, limits: &Limits, stop: Stop<'a>) -> Self {
        let deadline = Instant::now() + Duration::from_millis(limits.case_ms);
        Self { slot, stop, output_bytes: mebibytes(limits.output_mib), deadline, excess: None }
    }

    /// Looks at `output`; breaks when it holds too much, and when the case is to be stopped.
    pub(crate) fn look(&mut self) -> ControlFlow<()> {
        self.excess = self.slot.excess(self.output_bytes);
        if self.excess.is_some() || (self.stop)() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Bytes of so many MiB; a number without sense means no limit rather than a small one.
pub(crate) fn mebibytes(count: u64) -> u64 {
    count.saturating_mul(1 << 20)
}

/// The platform's words for a case that asked for too much memory.
pub(crate) fn memory_reason(limits: &Limits) -> String {
    format!("asked for more than {} MiB of memory", limits.memory_mib)
}

/// The platform's words for a case that was late.
pub(crate) fn late_reason(limits: &Limits) -> String {
    format!("ran longer than {} ms", limits.case_ms)
}
