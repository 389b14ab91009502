//! Waiting for the demo's runs, with a bar on a terminal and plain lines elsewhere.

use super::super::output::{CommandError, OrFail, Result, note};
use super::Demo;
use fiel_schemas::api::SubmissionStatus;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Longest silence before the demo gives up.
const SILENCE_MAX: Duration = Duration::from_mins(5);

/// Waits until every run of the submissions has ended.
pub(super) async fn watch(demo: &mut Demo, submissions: &[String]) -> Result {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.set_style(
        ProgressStyle::with_template("{msg:12} {bar:40} {pos}/{len} cases")
            .or_fail_while("preparing a progress bar")?,
    );
    let mut told = HashSet::new();
    let mut last = (0, Instant::now());
    loop {
        demo.check()?;
        let mut states = Vec::with_capacity(submissions.len());
        for id in submissions {
            states.push(demo.admin.get::<SubmissionStatus>(&format!("/submissions/{id}")).await?);
        }
        tell(&bar, &states, &mut told);
        if states.iter().all(ended) {
            bar.finish_and_clear();
            return Ok(());
        }
        let moved = states.iter().flat_map(|s| &s.runs).map(|r| r.done).sum::<u64>() + told.len() as u64;
        if moved != last.0 {
            last = (moved, Instant::now());
        }
        if last.1.elapsed() > SILENCE_MAX {
            return Err(CommandError::new(format!("no run moved for {} s", SILENCE_MAX.as_secs()))
                .hint(format!("the logs lie in {}; use `--data DIR` to keep them", demo.data.display())));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// True where every run ended, and there is one for each site.
fn ended(status: &SubmissionStatus) -> bool {
    status.state != "running" && status.runs.len() >= super::sites::NAMES.len()
}

/// Moves the bar and tells each run's end once.
fn tell(bar: &ProgressBar, states: &[SubmissionStatus], told: &mut HashSet<String>) {
    let runs = || states.iter().flat_map(|s| &s.runs);
    bar.set_length(runs().map(|r| r.total).sum());
    bar.set_position(runs().map(|r| r.done).sum());
    let over = |state: &str| matches!(state, "reported" | "failed" | "refused" | "cancelled");
    bar.set_message(format!("{}/{} runs", runs().filter(|r| over(&r.state)).count(), runs().count()));
    for status in states {
        for run in status.runs.iter().filter(|r| over(&r.state)) {
            if told.insert(run.run.clone()) {
                let s = &status.submission;
                let reason = run.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
                let line = format!("{:12} {} · {} at {}{reason}", run.state, s.challenge, s.tool, run.site);
                bar.suspend(|| note(line));
            }
        }
    }
}
