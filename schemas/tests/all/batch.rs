//! The list of a batch's cases: its type and its schema say the same, and so do the most cases it may hold.

use fiel_schemas::batch::Batch;
use fiel_schemas::challenge::Interface;
use fiel_schemas::validate::Kind;
use serde_json::{Value, json};

#[test]
fn the_list_that_is_written_follows_its_schema() {
    let schema: Value = serde_json::from_str(Batch::SCHEMA_JSON).unwrap();
    let rule = jsonschema::draft202012::new(&schema).unwrap();
    let most: Vec<String> = (0..Interface::BATCH_MAX).map(|number| format!("c{number:08x}")).collect();
    for cases in [&most[..1], &most[..]] {
        let written = serde_json::to_value(Batch::new(cases)).unwrap();
        assert!(rule.is_valid(&written), "{written}");
        assert_eq!(serde_json::from_value::<Batch>(written).unwrap().cases, cases);
    }
    let more = [&most[..], &["c-one-more".to_owned()]].concat();
    for wrong in [
        json!({"schema": "fiel/batch/v1", "cases": []}),
        json!({"schema": "fiel/batch/v1", "cases": more}),
        json!({"schema": "fiel/batch/v1", "cases": ["c1", "c1"]}),
        json!({"schema": "fiel/batch/v1", "cases": [".."]}),
        json!({"schema": "fiel/batch/v1", "cases": ["a/b"]}),
        json!({"schema": "fiel/inputs/v1", "cases": ["c1"]}),
    ] {
        assert!(!rule.is_valid(&wrong), "{wrong}");
    }
    for wrong in [json!({"cases": ["c1"]}), json!({"schema": "fiel/batch/v1", "cases": ["c1"], "more": 1})] {
        assert!(!rule.is_valid(&wrong) && serde_json::from_value::<Batch>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn every_document_names_the_same_most_cases() {
    let of = |text: &str, pointer: &str| {
        serde_json::from_str::<Value>(text).unwrap().pointer(pointer).and_then(Value::as_u64)
    };
    let most = Some(u64::from(Interface::BATCH_MAX));
    let challenge = Kind::Challenge.schema_json();
    assert_eq!(of(challenge, "/properties/interface/properties/batch/maximum"), most);
    assert_eq!(of(Batch::SCHEMA_JSON, "/properties/cases/maxItems"), most);
}
