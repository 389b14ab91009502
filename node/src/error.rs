//! What can go wrong at a site, in words for the person who runs the node.

use fiel_schemas::api::FailureReason;
use std::path::PathBuf;

/// A failure at a data site. Messages are for the site's own staff; the hub only ever sees [`NodeError::reason`].
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file operation failed; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A JSON document of the data folder could not be read or written.
    #[error("{path}: {message}")]
    Document {
        /// The file.
        path: PathBuf,
        /// What was wrong and what to do.
        message: String,
    },
    /// The data folder is in use by another process.
    #[error("{0}: another node process uses this data folder; stop it first or choose another folder")]
    Locked(PathBuf),
    /// The data folder has not been enrolled.
    #[error("{0}: not enrolled; run `fiel node enrol` with a code from the hub's organizer first")]
    NotEnrolled(PathBuf),
    /// A reference set was refused.
    #[error("reference set {path}: {message}")]
    ReferenceSet {
        /// Folder or file.
        path: PathBuf,
        /// What was wrong and what to do.
        message: String,
    },
    /// The challenge asks for something this node does not offer.
    #[error("challenge {challenge}: {message}")]
    Challenge {
        /// Challenge id.
        challenge: String,
        /// What was wrong.
        message: String,
    },
    /// The run was refused, for a reason of the closed list.
    #[error("refused ({reason:?}): {message}")]
    Refused {
        /// The reason the hub is told.
        reason: FailureReason,
        /// The site-side explanation; never sent.
        message: String,
    },
    /// The run was given up: the lease was lost or the node is stopping.
    #[error("the run was abandoned: {0}")]
    Abandoned(&'static str),
    /// Measuring failed.
    #[error("measuring: {0}")]
    Metric(String),
    /// The case table could not be built or written.
    #[error("case table: {0}")]
    Table(#[from] polars::error::PolarsError),
    /// The release log does not verify.
    #[error("release log, line {line}: {message}")]
    ReleaseLog {
        /// Line, from 1.
        line: u64,
        /// What does not hold.
        message: String,
    },
    /// The hub could not be reached, or answered that it is out of order.
    #[error("hub {url}: {message}")]
    Unreachable {
        /// Address that was asked.
        url: String,
        /// What happened.
        message: String,
    },
    /// A registry could not be reached, or answered that it is out of order.
    #[error("registry {registry}: {message}")]
    Registry {
        /// Host of the registry.
        registry: String,
        /// What happened.
        message: String,
    },
    /// The hub refused a request.
    #[error("hub answered {status} ({code}): {detail}")]
    Hub {
        /// HTTP status.
        status: u16,
        /// Stable code of the problem document; empty when there was none.
        code: String,
        /// The hub's words.
        detail: String,
    },
    /// No such pending run.
    #[error("no run {0} waits for a decision; `fiel node pending` lists those that do")]
    NotPending(String),
    /// A task of the node ended unexpectedly.
    #[error("internal task failed: {0}")]
    Task(String),
}

impl NodeError {
    /// The reason of the closed list that the hub is told.
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Refused { reason, .. } => *reason,
            Self::ReferenceSet { .. } => FailureReason::ReferenceSetMissing,
            _ => FailureReason::SiteError,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Registry { .. } => true,
            Self::Hub { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            _ => false,
        }
    }

    /// Whether the hub said that the run is no longer this node's.
    pub fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Hub { status: 404 | 409 | 410, .. })
    }

    pub(crate) fn refused(reason: FailureReason, message: impl Into<String>) -> Self {
        Self::Refused { reason, message: message.into() }
    }
}
