//! What can go wrong while measuring, summarising and reading images.

use std::path::PathBuf;
use thiserror::Error;

/// A metric could not be computed, merged or estimated.
#[derive(Debug, Error)]
pub enum MetricError {
    /// The metric id is not in the registry.
    #[error("there is no metric `{0}`; `fiel_metrics::registry::all()` lists those that exist")]
    UnknownMetric(String),
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
    #[error("{0} is too large to be summed exactly; check the unit of the values")]
    Overflow(&'static str),
    /// A table's file cannot be read.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A table operation failed.
    #[error("the case table could not be processed: {0}")]
    Table(#[from] polars::error::PolarsError),
}

/// An image could not be read, written or compared.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a NIfTI-1 file that this crate reads.
    #[error("not a readable NIfTI-1 image: {0}")]
    Header(String),
    /// The image is larger than the reader may accept.
    #[error("the image is too large: {what} is {found}, the limit is {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The number found or declared.
        found: u64,
        /// The number allowed.
        limit: u64,
    },
    /// The data do not match what the header declares.
    #[error("the image's data are damaged: {0}")]
    Data(String),
    /// A mask holds something other than 0 and 1.
    #[error("voxel {index:?} of the mask is {value}; a mask holds 0 (background) and 1 (foreground) only")]
    Label {
        /// Position of the voxel.
        index: [usize; 3],
        /// Its value.
        value: f64,
    },
    /// Two images lie on different grids.
    #[error("the images lie on different grids: reference {reference}; prediction {prediction}")]
    Geometry {
        /// Grid of the reference.
        reference: String,
        /// Grid of the prediction.
        prediction: String,
    },
    /// The same, naming the file.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ImageError>,
    },
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
    /// An image cannot be read, or does not fit its counterpart.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A metric could not be computed.
    #[error(transparent)]
    Metric(#[from] MetricError),
}
