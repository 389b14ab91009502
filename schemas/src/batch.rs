//! What a container finds in place of one case's files where the challenge gives several cases at one start.

use serde::{Deserialize, Serialize};

/// `/input/inputs.json` of a batch in Fiel's own dialect: which cases there are. The files of each lie in
/// `/input/<case>/`, its answer belongs into `/output/<case>/`.
///
/// ```
/// use fiel_schemas::batch::Batch;
/// let batch = Batch::new(["c1f00ba2"]);
/// assert_eq!(serde_json::to_string(&batch).unwrap(), r#"{"schema":"fiel/batch/v1","cases":["c1f00ba2"]}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Always [`Batch::SCHEMA`].
    pub schema: String,
    /// Names of the cases and of their folders, drawn for this run alone: 1 to
    /// [`Interface::BATCH_MAX`](crate::challenge::Interface::BATCH_MAX).
    pub cases: Vec<String>,
}

impl Batch {
    /// What `schema` says.
    pub const SCHEMA: &'static str = "fiel/batch/v1";

    /// The JSON Schema 2020-12 of the document, as published.
    pub const SCHEMA_JSON: &'static str = include_str!("../json/model-batch.schema.json");

    /// The list of these cases.
    pub fn new(cases: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { schema: Self::SCHEMA.to_owned(), cases: cases.into_iter().map(Into::into).collect() }
    }
}
