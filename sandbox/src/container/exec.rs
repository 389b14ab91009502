//! The plain interface: a fresh container for each case, whose end is the answer.

use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use super::launch::Setup;
use super::recipe::Recipe;
use super::running::{Event, Running, signal};
use super::{allowance, give_output};
use crate::runner::{Ended, Runner, Stop, Watch, late_reason, memory_reason};
use crate::slot::Slot;
use crate::types::SandboxError;

/// Runs an image once for each case.
pub(super) struct ExecRunner<'a> {
    pub(super) setup: &'a Setup,
    pub(super) cores: u64,
    pub(super) processes: u64,
    pub(super) recipe: Recipe,
}

impl Runner for ExecRunner<'_> {
    fn run(&mut self, slot: &Slot, limits: &Limits, stop: Stop<'_>) -> Result<Ended, SandboxError> {
        give_output(slot, &self.recipe, self.setup.mapping)?;
        let allowance = allowance(limits, self.cores, self.processes);
        let started = Instant::now();
        let mut watch = Watch::start(slot, limits, stop);
        let mut running = self.setup.start(&self.recipe, slot, allowance, Stdio::null())?;
        let until = watch.deadline;
        let event = running.attend(&mut watch, until, None).map_err(|error| lost(&error))?;
        let seconds = started.elapsed().as_secs_f64();
        running.stop();
        let (outcome, reason) = verdict(&event, &running, &mut watch, &self.recipe, limits);
        Ok(Ended { outcome, reason, seconds, usage: running.usage(), log: running.take_log() })
    }
}

/// The sandbox lost sight of a container.
pub(super) fn lost(error: &std::io::Error) -> SandboxError {
    SandboxError::Worker(format!("a container could not be watched: {error}"))
}

/// The platform's words for how a stopped container ended.
pub(super) fn verdict(
    event: &Event,
    running: &Running,
    watch: &mut Watch<'_>,
    recipe: &Recipe,
    limits: &Limits,
) -> (Outcome, String) {
    let ended_well = matches!(event, Event::Ended(status) if status.success());
    if !ended_well && watch.look().is_break() {
        return (Outcome::InvalidOutput, watch.excess.clone().unwrap_or_default());
    }
    if running.out_of_memory() {
        return (Outcome::OutOfMemory, memory_reason(limits));
    }
    match event {
        Event::Ended(status) if status.success() => (Outcome::Ok, String::new()),
        Event::Ended(status) => (Outcome::Crashed, ending(*status, running, recipe)),
        Event::Late => (Outcome::TimedOut, late_reason(limits)),
        Event::OutOfMemory => (Outcome::OutOfMemory, memory_reason(limits)),
        Event::Excess => (Outcome::InvalidOutput, watch.excess.clone().unwrap_or_default()),
        Event::Answered(_) => (Outcome::Crashed, "answered without being asked".to_owned()),
    }
}

fn ending(status: ExitStatus, running: &Running, recipe: &Recipe) -> String {
    if let Some(complaint) = running.complaint() {
        tracing::warn!(complaint, "a container did not start");
        return not_started(&complaint, recipe);
    }
    match (signal(status), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

/// Why a runtime did not start the program, in the platform's words and with no text of the image but the program's
/// path.
fn not_started(complaint: &str, recipe: &Recipe) -> String {
    let program = sanitised(recipe.argv.first().map_or("", String::as_str));
    let complaint = complaint.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    if says(&["working directory", "workdir", "chdir", "cwd"]) {
        "would not start: the image's working folder cannot be used".to_owned()
    } else if says(&["exec format error"]) {
        format!("would not start: `{program}` is no program for this kind of processor")
    } else if says(&["executable file not found", "no such file", "not found in $path", "not a directory"]) {
        format!("would not start: `{program}` is not in the image, or its interpreter is not")
    } else if says(&["permission denied", "is a directory", "open executable"]) {
        format!("would not start: `{program}` may not be run by the image's user")
    } else {
        "would not start: its container could not be set up".to_owned()
    }
}

/// A path with nothing in it that could be more than a path: at most 64 plain characters.
fn sanitised(path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "/._-+".contains(c) { c } else { '?' };
    path.chars().take(64).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_complaint_becomes_the_platforms_words() {
        let recipe = Recipe { argv: vec!["/bin/m\u{1b}[31m<x>".to_owned()], ..Recipe::empty(Path::new("/")) };
        let said = |complaint| not_started(complaint, &recipe);
        assert_eq!(
            said(r#"exec: \"/bin/m\": stat /bin/m: no such file or directory"#),
            "would not start: `/bin/m??31m?x?` is not in the image, or its interpreter is not"
        );
        assert!(said("exec: permission denied").contains("may not be run"));
        assert!(said("open executable: Operation not permitted").contains("may not be run"));
        assert!(said("exec user process caused: exec format error").contains("kind of processor"));
        assert!(said("chdir to cwd (\"/x\") set in config.json failed").contains("working folder"));
        assert_eq!(said("secret text"), "would not start: its container could not be set up");
        assert_eq!(sanitised(&"x".repeat(1000)).len(), 64);
    }
}
