//! The table of error codes and of the words that runs end with.

use super::layout::render;
use super::reasons;
use askama::Template;

/// A stable error code.
#[derive(Debug, Clone)]
pub struct CodeLine {
    /// The code.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What it means.
    pub title: &'static str,
}

const RUN_REASONS: [&str; 12] = [
    "artifact-invalid",
    "image-invalid",
    "start-failed",
    "engine-unavailable",
    "import-refused",
    "compile-limit",
    "digest-mismatch",
    "pull-failed",
    "policy-refused",
    "too-few-cases",
    "reference-set-missing",
    "site-error",
];
const OUTCOMES: [&str; 6] =
    ["crashed", "timed-out", "out-of-memory", "invalid-output", "missing-output", "refused"];

#[derive(Template)]
#[template(path = "errors.html")]
struct Errors<'a> {
    codes: &'a [CodeLine],
    reasons: Vec<(&'static str, &'static str)>,
    outcomes: Vec<(&'static str, &'static str)>,
}

/// The main part of the page of error codes.
pub fn render_errors(codes: &[CodeLine]) -> String {
    render(&Errors {
        codes,
        reasons: RUN_REASONS.iter().map(|r| (*r, reasons::run_failure(r, false))).collect(),
        outcomes: OUTCOMES.iter().map(|o| (*o, reasons::outcome_advice(o))).collect(),
    })
}
