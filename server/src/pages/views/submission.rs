//! A submission's page: what it is and how far its runs are.

use super::layout::render;
use super::{format, markdown, reasons};
use askama::Template;
use fiel_schemas::api::{RunStatus, SubmissionStatus};

struct RunView {
    run: String,
    site: String,
    state: String,
    words: &'static str,
    done: u64,
    total: u64,
    percent: u64,
    attempt: u32,
    failure: Option<&'static str>,
    reason: String,
    cases: Vec<(u64, &'static str)>,
}

impl RunView {
    fn new(run: &RunStatus, is_elsewhere: bool) -> Self {
        let has_failed = matches!(run.state.as_str(), "failed" | "refused");
        let reason = run.reason.clone().unwrap_or_default();
        let is_reported = run.state == "reported";
        let total = if is_reported { run.cases.values().sum() } else { run.total };
        let done = if is_reported { total } else { run.done.min(run.total) };
        let mut cases: Vec<(u64, &'static str)> =
            run.cases.iter().filter(|c| *c.1 > 0).map(|(kind, n)| (*n, reasons::outcome(kind))).collect();
        cases.sort_by_key(|(_, words)| *words != reasons::outcome("ok"));
        Self {
            run: run.run.clone(),
            site: run.site.clone(),
            state: run.state.clone(),
            words: reasons::state(&run.state),
            done,
            total,
            percent: (done * 100).checked_div(total).unwrap_or(0),
            attempt: run.attempt,
            failure: has_failed.then(|| reasons::run_failure(&reason, is_elsewhere)),
            reason,
            cases,
        }
    }
}

#[derive(Template)]
#[template(path = "submission.html")]
struct SubmissionPage<'a> {
    status: &'a SubmissionStatus,
    challenge_title: &'a str,
    state: &'static str,
    ended: bool,
    description: String,
    submitted: String,
    submitted_iso: String,
    size: String,
    runs: Vec<RunView>,
    results: Option<&'a str>,
}

/// The main part of a submission's page; `results` is a rendered table.
pub fn render_submission(status: &SubmissionStatus, challenge_title: &str, results: Option<&str>) -> String {
    let submission = &status.submission;
    let is_elsewhere = submission.artifact.source.is_some();
    render(&SubmissionPage {
        status,
        challenge_title,
        state: reasons::state(&status.state),
        ended: reasons::has_ended(&status.state),
        description: markdown::render(&submission.description),
        submitted: format::date_time(&submission.submitted_at),
        submitted_iso: format::iso(&submission.submitted_at),
        size: format::bytes(submission.artifact.size),
        runs: status.runs.iter().map(|run| RunView::new(run, is_elsewhere)).collect(),
        results,
    })
}
