//! What can go wrong while measuring and summarising.

use fiel_kernels::ImageError;
use std::path::PathBuf;
use thiserror::Error;

/// A metric could not be computed, merged or estimated.
#[derive(Debug, Error)]
pub enum MetricError {
    /// The metric id is not in the registry.
    #[error(
        "there is no metric `{id}`{nearest}; `fiel metrics` lists those that exist with their conventions and parameters"
    )]
    UnknownMetric {
        /// The id as asked.
        id: String,
        /// The question whether another id is meant; empty where none is near.
        nearest: String,
    },
    /// The metric is in the registry, but has no such convention or takes no parameter.
    #[error("`{id}`: {problem}; {takes}")]
    Form {
        /// The id as asked.
        id: String,
        /// What is wrong with it.
        problem: String,
        /// What the metric does take.
        takes: String,
    },
    /// The metric measures answers of another kind than the table's.
    #[error("`{id}` is a metric of {found}, and cannot be computed from a case table of {wanted}")]
    OtherTask {
        /// The id as asked.
        id: String,
        /// Its task.
        found: &'static str,
        /// The tasks that have case tables.
        wanted: &'static str,
    },
    /// Failed cases cannot be given a worst value.
    #[error(
        "`{0}` has no worst value that a failed case could count as; leave failed cases out (`failed_cases: exclude`)"
    )]
    NoWorst(String),
    /// The number after `@` is not one that the metric takes.
    #[error("`{id}`: {name} must be {limits}")]
    Parameter {
        /// The id as asked.
        id: String,
        /// What the number is.
        name: &'static str,
        /// The numbers allowed.
        limits: String,
    },
    /// The case table lacks a column, or holds it in another type.
    #[error("the case table needs a column `{column}` of type {expected}: {found}")]
    Column {
        /// The column.
        column: String,
        /// The type it should have.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },
    /// One case holds a value outside the metric's domain.
    #[error("case `{case}` (row {row}): {problem}")]
    Case {
        /// The case's id.
        case: String,
        /// Row of the table, the first being 1.
        row: usize,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// Two summaries of different kinds, or a summary of the wrong kind for the metric.
    #[error("cannot combine {left} with {right}: only summaries of the same metric merge")]
    Mismatch {
        /// One side.
        left: String,
        /// The other side.
        right: String,
    },
    /// A summary contradicts itself.
    #[error("the summary is malformed: {0}; ask the site to measure again")]
    Malformed(String),
    /// A sum left the range of its counter.
    #[error(
        "{0} is too large to be summed exactly; give the values in a larger unit (10^9 per litre, not 1 per litre)"
    )]
    Overflow(&'static str),
    /// Values are so small that sums of them would lose what they differ by.
    #[error(
        "all values of {what} lie below {least:e}, too small to be summed exactly; give them in a smaller unit"
    )]
    Underflow {
        /// Which values.
        what: &'static str,
        /// What the largest must reach.
        least: f64,
    },
    /// A table's file cannot be read.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Values that a metric cannot be computed from.
    #[error(transparent)]
    Input(#[from] fiel_kernels::InputError),
    /// A table operation failed.
    #[error("the case table could not be processed: {0}")]
    Table(#[from] polars::error::PolarsError),
}

/// Files could not be scored.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// A table's file, or a column of it, cannot be used.
    #[error("{path}: {problem}")]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// One row of a table holds something else than it should.
    #[error("{path}, row {row}: {problem}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, the first after the header being 1.
        row: usize,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// References and predictions do not pair up.
    #[error("{path}: {problem}")]
    Pairing {
        /// The file or folder.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A spacing was given for an image that has its own.
    #[error(
        "{path} is no NumPy array and tells its own spacing; leave `--spacing` out, which is for `.npy` alone"
    )]
    Spacing {
        /// The image.
        path: PathBuf,
    },
    /// A setting that cannot be, or does not fit the files.
    #[error("`{option}`: {problem}")]
    Setting {
        /// The option of the command line that sets it.
        option: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// A column of values stands twice among those to rank by.
    #[error("`{0}` is given twice; each metric counts once")]
    Twice(String),
    /// A metric of another task was asked for.
    #[error("`{id}` is a metric of {found}, not of {wanted}; `fiel metrics` lists those of each task")]
    OtherTask {
        /// The id as asked.
        id: String,
        /// Its task.
        found: &'static str,
        /// The task being scored.
        wanted: &'static str,
    },
    /// Something was asked for that needs further input.
    #[error("`{id}` needs {what}")]
    Missing {
        /// What was asked for.
        id: String,
        /// What it needs and how to give it.
        what: &'static str,
    },
    /// Values that a metric cannot be computed from.
    #[error(transparent)]
    Input(#[from] fiel_kernels::InputError),
    /// An image cannot be read, or does not fit its counterpart.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A metric could not be computed.
    #[error(transparent)]
    Metric(#[from] MetricError),
}
