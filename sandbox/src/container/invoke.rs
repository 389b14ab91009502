//! Grand Challenge's warm interface: a container that serves one case after the other over HTTP.
//!
//! Between two cases all its processes are frozen, so that nothing of it moves while its answer is read and the next
//! case is laid out.

use std::process::Stdio;
use std::time::{Duration, Instant};

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use super::exec::{lost, verdict};
use super::http::{Answer, Network};
use super::launch::Setup;
use super::recipe::Recipe;
use super::running::{Event, Running};
use super::{allowance, give_output};
use crate::runner::{Ended, Runner, Watch};
use crate::slot::Slot;
use crate::types::{SandboxError, Usage};

/// How long a model may take until it says that it is ready, by the contract.
const READY_S: u64 = 300;

/// How long one question for its health may take.
const HEALTH: Duration = Duration::from_secs(10);

/// Longest pause between two such questions.
const PAUSE: Duration = Duration::from_millis(250);

/// How long after the end of a connection the end of its process explains it.
const END: Duration = Duration::from_millis(500);

/// The status that says that a case is done.
const CREATED: u16 = 201;

/// Runs an image once, for as many cases as it survives.
pub(super) struct InvokeRunner<'a> {
    pub(super) setup: &'a Setup,
    pub(super) cores: u64,
    pub(super) processes: u64,
    pub(super) recipe: Recipe,
    pub(super) warm: Option<Warm>,
}

/// A container that answered for its health, frozen between cases.
#[derive(Debug)]
pub(super) struct Warm {
    running: Running,
    network: Network,
}

/// What a case got from a container that is used no more.
struct Failed(Outcome, String);

impl Runner for InvokeRunner<'_> {
    fn run(&mut self, slot: &Slot, limits: &Limits) -> Result<Ended, SandboxError> {
        let warm = match self.warm.take() {
            Some(warm) => warm,
            None => match self.start(slot, limits)? {
                Ok(warm) => warm,
                Err(ended) => return Ok(ended),
            },
        };
        self.invoke(warm, slot, limits)
    }
}

impl InvokeRunner<'_> {
    /// Starts a container and waits until it is ready; `Err` holds what becomes of the case otherwise.
    fn start(&self, slot: &Slot, limits: &Limits) -> Result<Result<Warm, Ended>, SandboxError> {
        give_output(slot, &self.recipe, self.setup.mapping)?;
        let started = Instant::now();
        let patient = Limits { case_ms: READY_S * 1000, ..limits.clone() };
        let mut watch = Watch::start(slot, &patient);
        let allowance = allowance(limits, self.cores, self.processes);
        let mut running = self.setup.start(&self.recipe, slot, allowance, Stdio::null())?;
        match self.ready(&mut running, &mut watch, limits).map_err(|error| lost(&error))? {
            Ok(network) => Ok(Ok(Warm { running, network })),
            Err(Failed(outcome, reason)) => {
                let seconds = started.elapsed().as_secs_f64();
                Ok(Err(Ended { outcome, reason, seconds, usage: running.usage(), log: running.take_log() }))
            }
        }
    }

    /// Asks for the container's health until it is well. Stops a container that will not be.
    fn ready(
        &self,
        running: &mut Running,
        watch: &mut Watch<'_>,
        limits: &Limits,
    ) -> std::io::Result<Result<Network, Failed>> {
        let deadline = watch.deadline;
        let mut network = None;
        let mut pause = Duration::from_millis(2);
        loop {
            network = network.or_else(|| running.network());
            let mut question = match &network {
                Some(network) => Some(network.request("GET", "/health")?),
                None => None,
            };
            let until = Instant::now() + if question.is_some() { HEALTH } else { pause };
            let event = running.attend(watch, until.min(deadline), question.as_mut())?;
            let failed = match (event, network.take()) {
                (Event::Answered(Answer::Status(200)), Some(network)) => return Ok(Ok(network)),
                (Event::Answered(Answer::Status(300..=399)), _) => {
                    "answered `GET /health` with a redirect".to_owned()
                }
                (Event::Late, _) if Instant::now() >= deadline => {
                    format!("did not become ready within {READY_S} s")
                }
                (Event::Answered(_) | Event::Late, known) => {
                    network = known;
                    pause = (pause * 2).min(PAUSE);
                    match running.attend(watch, (Instant::now() + pause).min(deadline), None)? {
                        Event::Late => continue,
                        event => {
                            running.stop();
                            let (outcome, reason) = verdict(&event, running, watch, &self.recipe, limits);
                            return Ok(Err(early(outcome, reason)));
                        }
                    }
                }
                (event, _) => {
                    running.stop();
                    let (outcome, reason) = verdict(&event, running, watch, &self.recipe, limits);
                    return Ok(Err(early(outcome, reason)));
                }
            };
            running.stop();
            return Ok(Err(Failed(Outcome::Crashed, failed)));
        }
    }

    /// Has a ready container work on the case that lies in the slot.
    fn invoke(&mut self, warm: Warm, slot: &Slot, limits: &Limits) -> Result<Ended, SandboxError> {
        let Warm { mut running, network } = warm;
        running.freeze(false);
        running.forget_peak();
        let before = running.usage();
        let started = Instant::now();
        let mut watch = Watch::start(slot, limits);
        let mut ask = || {
            let mut question = network.request("POST", "/invoke")?;
            let until = watch.deadline;
            running.attend(&mut watch, until, Some(&mut question))
        };
        let mut event = ask().map_err(|error| lost(&error))?;
        let seconds = started.elapsed().as_secs_f64();
        if matches!(event, Event::Answered(Answer::Broken | Answer::Refused)) {
            // A connection breaks a moment before its process is seen to have ended.
            let until = Instant::now() + END;
            match running.attend(&mut watch, until, None).map_err(|error| lost(&error))? {
                Event::Late => {}
                why => event = why,
            }
        }
        let kept = matches!(event, Event::Answered(Answer::Status(_))) && running.freeze(true);
        if !kept {
            running.stop();
        }
        let (outcome, reason) = match event {
            _ if running.out_of_memory() => {
                verdict(&Event::OutOfMemory, &running, &mut watch, &self.recipe, limits)
            }
            Event::Answered(Answer::Status(CREATED)) => (Outcome::Ok, String::new()),
            Event::Answered(Answer::Status(status)) => (
                Outcome::Crashed,
                format!("answered `POST /invoke` with status {status}, expected {CREATED}"),
            ),
            Event::Answered(Answer::Refused) => (Outcome::Crashed, "does not listen any more".to_owned()),
            Event::Answered(Answer::Broken) => {
                (Outcome::Crashed, "broke the connection of `POST /invoke`".to_owned())
            }
            Event::Ended(status) if status.success() => {
                (Outcome::Crashed, "ended before it had answered".to_owned())
            }
            event => verdict(&event, &running, &mut watch, &self.recipe, limits),
        };
        let usage = since(&before, running.usage());
        let log = running.take_log();
        if kept && !running.out_of_memory() {
            self.warm = Some(Warm { running, network });
        }
        Ok(Ended { outcome, reason, seconds, usage, log })
    }
}

/// A container that ended in good order did not become ready all the same.
fn early(outcome: Outcome, reason: String) -> Failed {
    match outcome {
        Outcome::Ok => Failed(Outcome::Crashed, "ended before it was ready".to_owned()),
        _ => Failed(outcome, reason),
    }
}

/// What one case used of a container's sum.
fn since(before: &Usage, now: Usage) -> Usage {
    let cpu_s = now.cpu_s.zip(before.cpu_s).map(|(now, before)| (now - before).max(0.0));
    Usage { cpu_s, ..now }
}
