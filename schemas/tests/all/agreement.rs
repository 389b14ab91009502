//! Schema and type agree, in both directions.

use fiel_schemas::assessment::Statement;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::Leaderboard;
use fiel_schemas::onnx::OnnxManifest;
use fiel_schemas::reference_set::ReferenceSet;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::Submission;
use fiel_schemas::validate::{Kind, from_json};
use jsonschema::{Registry, Validator};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::samples;

static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let parse = |kind: Kind| serde_json::from_str::<Value>(kind.schema_json()).unwrap();
    Kind::ALL.into_iter().map(|kind| (parse(kind)["$id"].as_str().unwrap().to_owned(), parse(kind))).collect()
});

static VALIDATORS: LazyLock<BTreeMap<Kind, Validator>> = LazyLock::new(|| {
    let registry = Registry::new().extend(SCHEMAS.iter()).unwrap().prepare().unwrap();
    let build = |kind: Kind| {
        let options = jsonschema::draft202012::options()
            .with_registry(&registry)
            .should_validate_formats(true)
            .offline();
        options.build(&serde_json::from_str(kind.schema_json()).unwrap()).unwrap()
    };
    Kind::ALL.into_iter().map(|kind| (kind, build(kind))).collect()
});

fn schema_accepts(kind: Kind, value: &Value) -> bool {
    VALIDATORS[&kind].is_valid(value)
}

fn type_accepts(kind: Kind, value: &Value) -> bool {
    fn reads<T: DeserializeOwned>(value: &Value) -> bool {
        T::deserialize(value).is_ok()
    }
    match kind {
        Kind::Challenge => reads::<Challenge>(value),
        Kind::ReferenceSet => reads::<ReferenceSet>(value),
        Kind::Submission => reads::<Submission>(value),
        Kind::RunOrder => reads::<RunOrder>(value),
        Kind::Statement => reads::<Statement>(value),
        Kind::Leaderboard => reads::<Leaderboard>(value),
        Kind::OnnxManifest => reads::<OnnxManifest>(value),
    }
}

/// Follows references; a summary's form is chosen by its `kind`.
fn resolve(mut base: String, mut schema: Value, instance: &Value) -> (String, Value) {
    loop {
        if let Some(reference) = schema["$ref"].as_str() {
            let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
            if !document.is_empty() {
                base = format!("https://fiel.eu/schemas/v1/{document}");
            }
            schema = SCHEMAS[&base]
                .pointer(fragment)
                .unwrap_or_else(|| panic!("{reference} leads nowhere"))
                .clone();
        } else if let Some(branches) = schema["allOf"].as_array() {
            let branch =
                branches.iter().find(|b| b["if"]["properties"]["kind"]["const"] == instance["kind"]).unwrap();
            schema = branch["then"].clone();
        } else {
            return (base, schema);
        }
    }
}

/// Calls `visit` with the pointer and the schema of every value of a document.
fn walk(
    base: &str,
    schema: &Value,
    pointer: &str,
    value: &Value,
    visit: &mut dyn FnMut(&str, &Value, &Value),
) {
    let (base, schema) = resolve(base.to_owned(), schema.clone(), value);
    visit(pointer, &schema, value);
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&base, &schema["items"], &format!("{pointer}/{index}"), item, visit);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let inner = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
                assert!(inner.is_object(), "{pointer}/{name} is in the type and not in the schema");
                walk(&base, inner, &format!("{pointer}/{name}"), field, visit);
            }
        }
        _ => {}
    }
}

fn each_value(kind: Kind, mut visit: impl FnMut(&Value, &str, &Value, &Value)) {
    let document = samples::full(kind);
    let schema: Value = serde_json::from_str(kind.schema_json()).unwrap();
    let base = schema["$id"].as_str().unwrap().to_owned();
    walk(&base, &schema, "", &document, &mut |pointer, schema, value| {
        visit(&document, pointer, schema, value);
    });
}

fn changed(document: &Value, pointer: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut document = document.clone();
    change(document.pointer_mut(pointer).unwrap());
    document
}

/// The one place where the type is wider than the schema: in-toto digests are a map, of which we fill one entry.
fn is_map(pointer: &str, schema: &Value) -> bool {
    schema["properties"].is_null() || pointer.ends_with("/digest") && pointer.starts_with("/subject")
}

#[test]
fn full_instances_are_valid_and_come_back_equal() {
    fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(kind: Kind, document: &T) {
        let bytes = serde_json::to_vec(document).unwrap();
        let read = from_json::<T>(kind, &bytes).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(&read, document);
    }
    check(Kind::Challenge, &samples::challenge());
    check(Kind::ReferenceSet, &samples::reference_set());
    check(Kind::Submission, &samples::submission());
    check(Kind::RunOrder, &samples::run_order());
    check(Kind::Statement, &samples::statement());
    check(Kind::Leaderboard, &samples::leaderboard());
    check(Kind::OnnxManifest, &samples::onnx_manifest());
}

#[test]
fn property_names_are_the_same() {
    for kind in Kind::ALL {
        each_value(kind, |_, pointer, schema, value| {
            let Value::Object(fields) = value else { return };
            if is_map(pointer, schema) {
                return;
            }
            let of_type: BTreeSet<&String> = fields.keys().collect();
            let of_schema: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
            assert_eq!(of_type, of_schema, "{kind:?} {pointer}");
        });
    }
}

#[test]
fn required_fields_are_the_same() {
    for kind in Kind::ALL {
        each_value(kind, |document, pointer, schema, value| {
            let Value::Object(fields) = value else { return };
            if is_map(pointer, schema) {
                return;
            }
            for name in fields.keys() {
                let without = changed(document, pointer, |value| {
                    value.as_object_mut().unwrap().remove(name);
                });
                let required = schema["required"].as_array().unwrap().contains(&json!(name));
                assert_eq!(schema_accepts(kind, &without), !required, "schema: {kind:?} {pointer}/{name}");
                assert_eq!(type_accepts(kind, &without), !required, "type: {kind:?} {pointer}/{name}");
            }
        });
    }
}

#[test]
fn an_unknown_field_fails_both() {
    for kind in Kind::ALL {
        each_value(kind, |document, pointer, schema, value| {
            if !value.is_object() || is_map(pointer, schema) {
                return;
            }
            let with = changed(document, pointer, |value| value["surprise"] = json!(1));
            assert!(!schema_accepts(kind, &with), "schema: {kind:?} {pointer}");
            assert!(!type_accepts(kind, &with), "type: {kind:?} {pointer}");
        });
    }
}

#[test]
fn a_value_of_another_type_fails_both() {
    for kind in Kind::ALL {
        each_value(kind, |document, pointer, _, value| {
            let other = if value.is_number() { json!("text") } else { json!(17) };
            let with = changed(document, pointer, |value| *value = other);
            assert!(!schema_accepts(kind, &with), "schema: {kind:?} {pointer}");
            assert!(!type_accepts(kind, &with), "type: {kind:?} {pointer}");
        });
    }
}

#[test]
fn null_is_accepted_by_both_or_by_none() {
    for kind in Kind::ALL {
        each_value(kind, |document, pointer, _, _| {
            let with = changed(document, pointer, |value| *value = Value::Null);
            assert_eq!(schema_accepts(kind, &with), type_accepts(kind, &with), "{kind:?} {pointer}");
        });
    }
}

#[test]
fn every_string_list_map_and_number_of_the_schemas_is_bounded() {
    fn check(path: &str, schema: &Value) {
        let Value::Object(node) = schema else { return };
        let kinds: Vec<&str> = match node.get("type") {
            Some(Value::String(kind)) => vec![kind.as_str()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for (kind, bounds) in [
            ("string", &["maxLength"][..]),
            ("array", &["maxItems", "items"]),
            ("number", &["minimum", "maximum"]),
            ("integer", &["minimum", "maximum"]),
        ] {
            if kinds.contains(&kind) {
                assert!(
                    bounds.iter().all(|bound| node.contains_key(*bound)),
                    "{path}: {kind} needs {bounds:?}"
                );
            }
        }
        if kinds.contains(&"object") && !node.contains_key("allOf") {
            let closed = node.get("additionalProperties") == Some(&json!(false));
            assert!(closed || node.contains_key("maxProperties"), "{path}: an open object");
        }
        for (key, inner) in node {
            check(&format!("{path}/{key}"), inner);
        }
    }
    for (id, schema) in SCHEMAS.iter() {
        check(id, schema);
    }
}

#[test]
fn references_stay_inside_the_published_schemas() {
    for kind in Kind::ALL {
        for part in kind.schema_json().split("\"$ref\": \"").skip(1) {
            let reference = part.split('"').next().unwrap();
            let document = reference.split('#').next().unwrap();
            assert!(
                ["", "challenge.schema.json", "submission.schema.json"].contains(&document),
                "{reference}"
            );
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    proptest::sample::select(Kind::ALL.to_vec())
}

/// Values that sit at the edges of types.
fn edge_values() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(65536),
        json!(4_294_967_296_u64),
        json!(9_223_372_036_854_775_807_i64),
        json!(u64::MAX),
        json!(""),
        json!("a"),
        json!("0"),
        json!([]),
        json!({}),
        json!([1, 2]),
        json!([1, 2, 3]),
        json!("2026-02-30T00:00:00Z"),
        json!("2026-06-30T23:59:60Z"),
        json!("2026-01-01T24:00:00Z"),
        json!("2026-01-01T00:00:00+23:59"),
        json!("0000-01-01T00:00:00Z"),
        json!({"kind": "moments"}),
        json!({"a": 1}),
        json!("table"),
        json!("moments"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the schema accepts, the type reads: no document is valid on paper and refused by the programme.
    #[test]
    fn what_the_schema_accepts_the_type_reads(kind in kinds(), place in any::<prop::sample::Index>(), edge in edge_values()) {
        let mut places = Vec::new();
        each_value(kind, |_, pointer, _, _| places.push(pointer.to_owned()));
        let pointer = place.get(&places);
        let with = changed(&samples::full(kind), pointer, |value| *value = edge);
        if schema_accepts(kind, &with) {
            prop_assert!(type_accepts(kind, &with), "{kind:?} {pointer}: {}", with.pointer(pointer).unwrap());
        }
    }

    /// Whatever the type writes from legal values, the schema accepts and reading gives it back.
    #[test]
    fn what_the_type_writes_the_schema_accepts(
        (value, spread, bound, n) in (proptest::option::of(-1e6..1e6_f64), 0.0..1e3_f64, 0.0..1e9_f64, 0..1_u64 << 50),
        (sum, sum_sq) in (any::<i128>(), any::<i128>()),
        cells in proptest::collection::vec((0..1024_u16, 0..1024_u16, any::<u32>(), proptest::option::of(any::<u64>())), 0..20),
        fuel in proptest::option::of(any::<u64>()),
        millis in 0..4_000_000_000_000_i64,
        tool in "[^\\x00-\\x1f\\x7f]{1,80}",
    ) {
        use fiel_schemas::summary::{ScoreCell, Summary};
        let mut statement = samples::statement();
        let predicate = &mut statement.predicate;
        predicate.costs.fuel = fuel;
        predicate.measured_at = chrono::DateTime::from_timestamp_millis(millis).unwrap();
        for metric in predicate.metrics.values_mut() {
            metric.estimate.value = value;
            metric.estimate.ci95 = value.map(|value| [value - spread, value + spread]);
            (metric.estimate.bound, metric.estimate.n) = (Some(bound), n);
            match &mut metric.summary {
                Summary::Moments(moments) => (moments.sum, moments.sum_sq) = (sum.to_string(), sum_sq.to_string()),
                Summary::Scores(scores) => scores.cells = cells.iter().map(|(a, b, count, tie)| ScoreCell {
                    first: *a.min(b), last: *a.max(b), pos: u64::from(*count), neg: 1, tie: tie.map(|tie| format!("{tie:016x}")),
                }).collect(),
                Summary::Calibration(calibration) => calibration.bins[0].slack = bound,
                Summary::Confusion(confusion) => confusion.tp = n,
                Summary::Agreement(agreement) => (agreement.sum_p, agreement.sum_pr) = (sum.to_string(), sum_sq.to_string()),
                Summary::PerSite(per_site) => {
                    (per_site.sites[0].value, per_site.sites[0].variance) = (spread, value.map(f64::abs));
                }
            }
        }
        let bytes = serde_json::to_vec(&statement).unwrap();
        prop_assert_eq!(from_json::<Statement>(Kind::Statement, &bytes), Ok(statement));

        let mut submission = samples::submission();
        submission.tool = tool;
        let bytes = serde_json::to_vec(&submission).unwrap();
        prop_assert_eq!(from_json::<Submission>(Kind::Submission, &bytes), Ok(submission));
    }

    /// No input, however odd, does anything but give a document or a list of problems.
    #[test]
    fn odd_text_never_panics(text in "[-a-z{}\\[\\]:&*!?|>'\"#%@, \\n\\t~0-9.]{0,80}") {
        let _ = fiel_schemas::validate::from_yaml::<Challenge>(Kind::Challenge, &text);
        let _ = from_json::<Challenge>(Kind::Challenge, text.as_bytes());
    }
}

#[test]
fn canonical_json_sorts_the_keys_of_every_object() {
    let mut map = Map::new();
    map.insert("b".into(), json!({"z": 1, "a": [ {"y": 1, "x": 2} ]}));
    map.insert("a".into(), json!(1.5));
    let bytes = fiel_schemas::digest::canonical_json(&map);
    assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"a":1.5,"b":{"a":[{"x":2,"y":1}],"z":1}}"#);
}
