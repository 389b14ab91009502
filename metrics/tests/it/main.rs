//! Behaviour of the crate as its users see it.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![allow(clippy::float_cmp, reason = "what is exact by construction is compared exactly")]

mod clusters;
mod examples;
mod federation;
mod golden_values;
mod hostile_images;
mod ids;
mod laws;
mod multiclass;
mod planes;
mod pooling;
mod replicates;
mod scoring;
mod tables;

use fiel_metrics::Options;
use fiel_schemas::challenge::FailedCases;
use polars::prelude::*;

/// A classification table without failures.
fn table(scores: &[f64], labels: &[i32]) -> DataFrame {
    let ids: Vec<String> = (0..scores.len()).map(|i| format!("k{i}")).collect();
    df!("case_id" => ids, "outcome" => vec!["ok"; scores.len()], "label" => labels, "score" => scores)
        .unwrap()
}

fn options(min_cell: u64) -> Options {
    Options { min_cell, failed_cases: FailedCases::Exclude }
}
