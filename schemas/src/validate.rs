//! One `validate` for every document: size, depth, JSON Schema, type and meaning, with all problems at once.
//!
//! ```
//! use fiel_schemas::{challenge::Challenge, validate::{Kind, from_yaml}};
//! let error = from_yaml::<Challenge>(Kind::Challenge, "schema: fiel/challenge/v1\n").unwrap_err();
//! assert!(!error.problems.is_empty());
//! ```

use serde::de::DeserializeOwned;

mod meaning;
mod onnx;
mod schema;
mod text;

/// Which document is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`crate::challenge::Challenge`].
    Challenge,
    /// [`crate::reference_set::ReferenceSet`].
    ReferenceSet,
    /// [`crate::submission::Submission`].
    Submission,
    /// [`crate::run_order::RunOrder`].
    RunOrder,
    /// [`crate::assessment::Statement`].
    Statement,
    /// [`crate::leaderboard::Leaderboard`].
    Leaderboard,
    /// [`crate::onnx::OnnxManifest`].
    OnnxManifest,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Challenge,
        Self::ReferenceSet,
        Self::Submission,
        Self::RunOrder,
        Self::Statement,
        Self::Leaderboard,
        Self::OnnxManifest,
    ];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::ReferenceSet => "reference set",
            Self::Submission => "submission",
            Self::RunOrder => "run order",
            Self::Statement => "assessment statement",
            Self::Leaderboard => "leaderboard",
            Self::OnnxManifest => "ONNX manifest",
        }
    }

    /// The JSON Schema 2020-12 of the document, as published.
    #[must_use]
    pub const fn schema_json(self) -> &'static str {
        match self {
            Self::Challenge => include_str!("../json/challenge.schema.json"),
            Self::ReferenceSet => include_str!("../json/reference-set.schema.json"),
            Self::Submission => include_str!("../json/submission.schema.json"),
            Self::RunOrder => include_str!("../json/run-order.schema.json"),
            Self::Statement => include_str!("../json/assessment-statement.schema.json"),
            Self::Leaderboard => include_str!("../json/leaderboard.schema.json"),
            Self::OnnxManifest => include_str!("../json/onnx-manifest.schema.json"),
        }
    }

    /// Longest document accepted, in bytes: 1 MiB, more for the two that list many files or rows.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::ReferenceSet => 16 << 20,
            Self::Leaderboard => 64 << 20,
            _ => 1 << 20,
        }
    }
}

/// Deepest nesting of objects and lists accepted.
pub const DEPTH_MAX: usize = 32;
/// Problems reported at most; a document with more is reported with the first ones.
pub const PROBLEMS_MAX: usize = 50;

/// One thing that is wrong in a document.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// JSON pointer of the place, empty for the whole document.
    pub pointer: String,
    /// Line in the source, from 1, where it is known.
    pub line: Option<usize>,
    /// What was there.
    pub found: String,
    /// What was expected instead.
    pub expected: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    fn new(pointer: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            line: None,
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{place}")?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, ": found {}; expected {}", self.found, self.expected)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Everything that is wrong with a document, in the order of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// Which document was meant.
    pub kind: Kind,
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl std::fmt::Display for DocumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, count) = (self.kind.name(), self.problems.len());
        write!(f, "the {name} has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for DocumentError {}

/// Reads a document from JSON.
///
/// # Errors
/// With every problem found: size, syntax, doubled keys, depth, schema, meaning.
pub fn from_json<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, DocumentError> {
    let parsed = check_size(kind, bytes.len()).and_then(|()| text::parse_json(bytes));
    finish(kind, parsed)
}

/// Reads a document from YAML (1.2 core schema, one document, unique text keys).
///
/// # Errors
/// As [`from_json`]; every problem carries its line.
pub fn from_yaml<T: DeserializeOwned>(kind: Kind, source: &str) -> Result<T, DocumentError> {
    let parsed = check_size(kind, source.len()).and_then(|()| text::parse_yaml(source));
    finish(kind, parsed)
}

/// A YAML document (1.2 core schema, one document, unique text keys) of somebody else's making, as a value.
///
/// # Errors
/// With the first problem and its line.
pub fn yaml_value(source: &str) -> Result<serde_json::Value, String> {
    text::parse_yaml(source).map(|parsed| parsed.value).map_err(|problem| problem.to_string())
}

fn check_size(kind: Kind, len: usize) -> Result<(), Problem> {
    let max = kind.bytes_max();
    if len <= max {
        return Ok(());
    }
    Err(Problem::new("", format!("{len} bytes"), format!("at most {max} bytes")))
}

fn finish<T: DeserializeOwned>(
    kind: Kind,
    parsed: Result<text::Parsed, Problem>,
) -> Result<T, DocumentError> {
    let refuse = |problems| DocumentError { kind, problems };
    let parsed = parsed.map_err(|problem| refuse(vec![problem]))?;
    let mut problems = schema::problems(kind, &parsed.value);
    if problems.is_empty() {
        problems = meaning::problems(kind, &parsed.value);
    }
    if !problems.is_empty() {
        for problem in &mut problems {
            problem.line = parsed.lines.find(&problem.pointer);
        }
        problems.sort_by_key(|problem| problem.line);
        problems.truncate(PROBLEMS_MAX);
        return Err(refuse(problems));
    }
    serde_json::from_value(parsed.value)
        .map_err(|error| refuse(vec![Problem::new("", error.to_string(), format!("a {}", kind.name()))]))
}
