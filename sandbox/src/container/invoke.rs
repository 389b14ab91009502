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
use crate::runner::{Ended, Runner, Stop, Watch};
use crate::slot::Slot;
use crate::types::{SandboxError, Usage};

/// How long a model may take until it says that it is ready, by the contract.
pub(super) const READY: Duration = Duration::from_mins(5);

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
    /// [`READY`], but in tests.
    pub(super) ready: Duration,
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
    fn run(&mut self, slot: &Slot, limits: &Limits, stop: Stop<'_>) -> Result<Ended, SandboxError> {
        let warm = match self.warm.take() {
            Some(warm) => warm,
            None => match self.start(slot, limits, stop)? {
                Ok(warm) => warm,
                Err(ended) => return Ok(ended),
            },
        };
        self.invoke(warm, slot, limits, stop)
    }
}

impl InvokeRunner<'_> {
    /// Starts a container and waits until it is ready; `Err` holds what becomes of the case otherwise.
    fn start(
        &self,
        slot: &Slot,
        limits: &Limits,
        stop: Stop<'_>,
    ) -> Result<Result<Warm, Ended>, SandboxError> {
        give_output(slot, &self.recipe, self.setup.mapping)?;
        let started = Instant::now();
        let mut watch = Watch::start(slot, limits, stop);
        watch.deadline = started + self.ready;
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
        let mut network: Option<Network> = None;
        let mut pause = Duration::from_millis(2);
        loop {
            network = network.or_else(|| running.network());
            if let Some(known) = network.take() {
                let mut question = known.request("GET", "/health")?;
                let until = (Instant::now() + HEALTH).min(deadline);
                match running.attend(watch, until, Some(&mut question))? {
                    Event::Answered(Answer::Status(200)) => return Ok(Ok(known)),
                    Event::Answered(Answer::Status(300..=399)) => {
                        return Ok(Err(crashed(running, "answered `GET /health` with a redirect")));
                    }
                    Event::Answered(_) | Event::Late => network = Some(known),
                    event => return Ok(Err(self.early(&event, running, watch, limits))),
                }
            }
            pause = (pause * 2).min(PAUSE);
            match running.attend(watch, (Instant::now() + pause).min(deadline), None)? {
                Event::Late if Instant::now() >= deadline => {
                    let why = format!("did not become ready within {} s", self.ready.as_secs_f64());
                    return Ok(Err(crashed(running, &why)));
                }
                Event::Late => {}
                event => return Ok(Err(self.early(&event, running, watch, limits))),
            }
        }
    }

    /// What becomes of a case whose container ended, or had to be ended, before it was ready.
    fn early(&self, event: &Event, running: &mut Running, watch: &mut Watch<'_>, limits: &Limits) -> Failed {
        running.stop();
        match verdict(event, running, watch, &self.recipe, limits) {
            (Outcome::Ok, _) => Failed(Outcome::Crashed, "ended before it was ready".to_owned()),
            (outcome, reason) => Failed(outcome, reason),
        }
    }

    /// Has a ready container work on the case that lies in the slot.
    fn invoke(
        &mut self,
        warm: Warm,
        slot: &Slot,
        limits: &Limits,
        stop: Stop<'_>,
    ) -> Result<Ended, SandboxError> {
        let Warm { mut running, network } = warm;
        running.freeze(false);
        running.forget_peak();
        let before = running.usage();
        let started = Instant::now();
        let mut watch = Watch::start(slot, limits, stop);
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

/// Ends a container that will not become ready.
fn crashed(running: &mut Running, why: &str) -> Failed {
    running.stop();
    Failed(Outcome::Crashed, why.to_owned())
}

/// What one case used of a container's sum.
fn since(before: &Usage, now: Usage) -> Usage {
    let cpu_s = now.cpu_s.zip(before.cpu_s).map(|(now, before)| (now - before).max(0.0));
    Usage { cpu_s, ..now }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::cdi::Edits;
    use super::super::recipe::{Bind, Source};
    use super::super::runtime::Runtime;
    use super::super::spec::Mapping;
    use super::super::{SHIFTED, stage};
    use super::*;

    /// A container that runs a program of this machine, on this machine's libraries.
    fn recipe(root: &Path, argv: &[&str]) -> Recipe {
        let mut recipe = Recipe::empty(root);
        recipe.argv = argv.iter().map(|&word| word.to_owned()).collect();
        for folder in ["/lib", "/lib64", "/usr"].into_iter().filter(|folder| Path::new(folder).is_dir()) {
            let source = Source::Host(std::fs::canonicalize(folder).unwrap());
            recipe.binds.push(Bind::new(source, folder));
        }
        recipe.make_places(0).unwrap();
        recipe
    }

    #[test]
    fn a_model_that_is_not_ready_in_time_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let work = |name: &str| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        std::fs::create_dir_all(stage::STAGE).expect("containers are tried as root");
        let runtime = Runtime::find(Some("runc")).expect("apt-get install runc");
        let mapping = Mapping::Shifted { base: SHIFTED };
        let (bundles, devices) = (work("bundles"), Edits::default());
        let setup = Setup { runtime, mapping, grouped: true, staged: true, work: bundles, devices };
        let slot = Slot::create(folder.path().join("slot")).unwrap();
        let recipe = recipe(&work("root"), &["/usr/bin/sleep", "1000"]);
        let ready = Duration::from_millis(700);
        let mut runner = InvokeRunner { setup: &setup, cores: 1, processes: 16, recipe, ready, warm: None };
        // A case's own time is another limit, which a model has not begun to use.
        let limits = Limits { memory_mib: 64, case_ms: 1, output_mib: 1, artifact_mib: 1 };
        let ended = runner.run(&slot, &limits, &|| false).unwrap();
        assert_eq!(
            (ended.outcome, ended.reason.as_str()),
            (Outcome::Crashed, "did not become ready within 0.7 s")
        );
        assert!((0.7..5.0).contains(&ended.seconds), "{} s", ended.seconds);
        assert_eq!(std::fs::read_dir(&setup.work).unwrap().count(), 0, "its bundle has gone");
        assert_eq!(READY.as_secs(), 300, "the contract of Grand Challenge");
    }
}
