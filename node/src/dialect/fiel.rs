//! Fiel's own dialect: `inputs.json` and the challenge's files under the challenge's paths.

use super::{Case, InputFile, Value};
use crate::NodeError;
use fiel_schemas::challenge::{Interface, Port, PortKind};
use serde::Serialize;

/// `inputs.json` of a case; `schemas/json/model-inputs.schema.json` is its rule.
#[derive(Debug, Serialize)]
struct InputsDocument<'a> {
    schema: &'static str,
    case: &'a str,
    inputs: Vec<Slot<'a>>,
    outputs: Vec<Slot<'a>>,
}

#[derive(Debug, Serialize)]
struct Slot<'a> {
    name: &'a str,
    kind: PortKind,
    path: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    columns: &'a [String],
}

pub(super) fn inputs(interface: &Interface, case: Case<'_>) -> Result<Vec<InputFile>, NodeError> {
    let mut files = vec![("inputs.json".to_owned(), inputs_document(interface, case.name)?)];
    for (port, value) in interface.inputs.iter().zip(case.values) {
        files.push((port.path.clone(), content(port, case.name, value)));
    }
    Ok(files)
}

/// A port's file: a table of one row, or the image as it is.
pub(super) fn content(port: &Port, case: &str, value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Row(row) => one_row_table(case, &port.columns, &row),
        Value::Image(bytes) => bytes,
    }
}

fn inputs_document(interface: &Interface, case: &str) -> Result<Vec<u8>, NodeError> {
    fn slots(ports: &[Port]) -> Vec<Slot<'_>> {
        ports
            .iter()
            .map(|p| Slot { name: &p.name, kind: p.kind, path: &p.path, columns: &p.columns })
            .collect()
    }
    let document = InputsDocument {
        schema: "fiel/inputs/v1",
        case,
        inputs: slots(&interface.inputs),
        outputs: slots(&interface.outputs),
    };
    serde_json::to_vec(&document).map_err(|e| NodeError::Task(format!("inputs.json: {e}")))
}

fn one_row_table(case: &str, names: &[String], row: &[&str]) -> Vec<u8> {
    let header: Vec<String> =
        std::iter::once("case_id").chain(names.iter().map(String::as_str)).map(csv_field).collect();
    let values: Vec<String> = std::iter::once(case).chain(row.iter().copied()).map(csv_field).collect();
    format!("{}\n{}\n", header.join(","), values.join(",")).into_bytes()
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_one_row_with_the_texts_as_written() {
        let names = ["x".to_owned(), "y".to_owned()];
        assert_eq!(one_row_table("c1", &names, &["17.990", "a,b"]), b"case_id,x,y\nc1,17.990,\"a,b\"\n");
        assert_eq!(one_row_table("c2", &names, &["1", "\"q\""]), b"case_id,x,y\nc2,1,\"\"\"q\"\"\"\n");
    }
}
