//! How a case ended: `ok` or one of a closed list of failures.

use serde::{Deserialize, Serialize};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A valid answer.
    Ok,
    /// The model trapped or ended with another exit code than 0.
    Crashed,
    /// It ran longer than the limit per case.
    TimedOut,
    /// It asked for more memory than the limit.
    OutOfMemory,
    /// What it wrote breaks a rule of the interface.
    InvalidOutput,
    /// An expected file is not there.
    MissingOutput,
    /// The model was not run.
    Refused,
}

impl Outcome {
    /// Every outcome, `ok` first.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Crashed,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::InvalidOutput,
        Self::MissingOutput,
        Self::Refused,
    ];

    /// The word used in documents and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::InvalidOutput => "invalid-output",
            Self::MissingOutput => "missing-output",
            Self::Refused => "refused",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
