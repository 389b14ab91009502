//! JSON Schema validation with errors for people.

use super::text::{quoted, step};
use super::{Kind, PROBLEMS_MAX, Problem};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Registry, ValidationError, Validator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The published schemas by their `$id`.
static DOCUMENTS: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (id(kind), published(kind))).collect());

static VALIDATORS: LazyLock<BTreeMap<Kind, Validator>> = LazyLock::new(|| {
    let mut registry = Registry::new();
    for (id, document) in DOCUMENTS.iter() {
        registry = registry.add(id, document).expect("the published schemas have valid identifiers");
    }
    let registry = registry.prepare().expect("the published schemas refer only to each other");
    let compile = |kind| {
        jsonschema::draft202012::options()
            .with_registry(&registry)
            .should_validate_formats(true)
            .offline()
            .build(&DOCUMENTS[&id(kind)])
            .expect("the published schemas are valid JSON Schema 2020-12")
    };
    Kind::ALL.into_iter().map(|kind| (kind, compile(kind))).collect()
});

fn published(kind: Kind) -> Value {
    serde_json::from_str(kind.schema_json()).expect("the published schemas are JSON")
}

fn id(kind: Kind) -> String {
    published(kind)["$id"].as_str().expect("every published schema has an identifier").to_owned()
}

/// Problems of form, at most about [`PROBLEMS_MAX`].
pub(super) fn problems(kind: Kind, value: &Value) -> Vec<Problem> {
    let errors = VALIDATORS[&kind].iter_errors(value).take(PROBLEMS_MAX);
    let mut problems: Vec<Problem> = errors.flat_map(|error| explain(value, &error)).collect();
    // A time that breaks both pattern and format is one problem.
    problems.dedup_by(|b, a| a.pointer == b.pointer && a.expected == b.expected);
    problems
}

/// The schema around the keyword that failed.
fn schema_around(error: &ValidationError<'_>) -> Option<&'static Value> {
    let location = error.absolute_keyword_location()?.as_str();
    let (document, fragment) = location.split_once('#')?;
    let fragment = fragment.replace("%24", "$");
    let parent = &fragment[..fragment.rfind('/')?];
    DOCUMENTS.get(document)?.pointer(parent)
}

fn explain(document: &Value, error: &ValidationError<'_>) -> Vec<Problem> {
    let pointer = error.instance_path().as_str();
    let around = schema_around(error);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| unknown_field(pointer, name, around)).collect()
        }
        ValidationErrorKind::Required { property } => {
            vec![missing_field(document, pointer, property.as_str().unwrap_or_default(), around)]
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let (name, expected) = (inner.instance().as_str().unwrap_or_default(), expected(inner));
            let problem = Problem::new(step(pointer, name), format!("the key {}", quoted(name)), expected);
            vec![with_near_option(problem, name, inner)]
        }
        _ => {
            let problem = Problem::new(pointer, found(error.instance()), expected(error));
            vec![match error.instance().as_ref() {
                Value::String(text) => with_near_option(problem, text, error),
                other => with_type_hint(problem, other, error),
            }]
        }
    }
}

fn unknown_field(pointer: &str, name: &str, around: Option<&Value>) -> Problem {
    let known: Vec<&str> = around
        .and_then(|schema| schema["properties"].as_object())
        .map(|fields| fields.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let problem = Problem::new(
        step(pointer, name),
        format!("the unknown field {}", quoted(name)),
        format!("one of {}", listed(&known)),
    );
    match nearest(name, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("remove it"),
    }
}

fn missing_field(document: &Value, pointer: &str, name: &str, around: Option<&Value>) -> Problem {
    let fields = around.map(|schema| &schema["properties"]);
    let meaning = fields.and_then(|fields| fields[name]["description"].as_str());
    let expected =
        meaning.map_or_else(|| format!("the field `{name}`"), |text| format!("the field `{name}`: {text}"));
    let problem = Problem::new(pointer, format!("no field `{name}`"), expected);
    let known = |key: &str| fields.is_some_and(|fields| fields.get(key).is_some());
    let object = document.pointer(pointer).and_then(Value::as_object);
    let strangers = object.into_iter().flat_map(|object| object.keys()).filter(|key| !known(key));
    match nearest(name, strangers.map(String::as_str)) {
        Some(near) => problem.hint(format!("is `{near}` meant to be `{name}`?")),
        None => problem.hint(format!("add `{name}`")),
    }
}

fn with_near_option(problem: Problem, text: &str, error: &ValidationError<'_>) -> Problem {
    let options: Vec<&str> = match error.kind() {
        ValidationErrorKind::Enum { options } => {
            options.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        }
        ValidationErrorKind::Constant { expected_value } => expected_value.as_str().into_iter().collect(),
        _ => return problem,
    };
    match nearest(text, options.into_iter()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

fn with_type_hint(problem: Problem, value: &Value, error: &ValidationError<'_>) -> Problem {
    let wants = |name: &str| match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => kind.to_string() == name,
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            kinds.iter().any(|k| k.to_string() == name)
        }
        _ => false,
    };
    match value {
        Value::Number(_) | Value::Bool(_) if wants("string") => {
            problem.hint("put it in quotes: it is a text")
        }
        Value::Object(_) | Value::String(_) | Value::Number(_) if wants("array") => {
            problem.hint("write it as a list, also where there is only one")
        }
        _ => problem,
    }
}

/// What an error expected, in the schema's own words where it has some.
fn expected(error: &ValidationError<'_>) -> String {
    let words = schema_around(error).and_then(|schema| schema["description"].as_str());
    let rule = match error.kind() {
        ValidationErrorKind::Constant { expected_value } => shown(expected_value),
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(shown).collect();
            format!("one of {}", options.join(", "))
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => {
            type_words(&kind.to_string()).to_owned()
        }
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<String> =
                kinds.iter().map(|kind| type_words(&kind.to_string()).to_owned()).collect();
            kinds.join(" or ")
        }
        ValidationErrorKind::MaxItems { limit } => format!("at most {limit} items"),
        ValidationErrorKind::MinItems { limit } => format!("at least {limit} item{}", plural(*limit)),
        ValidationErrorKind::MaxProperties { limit } => format!("at most {limit} entries"),
        ValidationErrorKind::MinProperties { limit } => {
            format!("at least {limit} entr{}", if *limit == 1 { "y" } else { "ies" })
        }
        ValidationErrorKind::MaxLength { limit } => format!("at most {limit} characters"),
        ValidationErrorKind::MinLength { limit } => format!("at least {limit} character{}", plural(*limit)),
        ValidationErrorKind::Maximum { limit } => format!("at most {limit}"),
        ValidationErrorKind::Minimum { limit } => format!("at least {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        ValidationErrorKind::UniqueItems => "no item twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => {
            return words.map_or(format!("text like {pattern}"), str::to_owned);
        }
        ValidationErrorKind::Format { format } => return words.map_or(format.clone(), str::to_owned),
        other => format!("the rule `{}` to hold", other.keyword()),
    };
    words.map_or_else(|| rule.clone(), |words| format!("{rule} ({words})"))
}

const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn type_words(name: &str) -> &str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping of fields",
        other => other,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("a mapping of {} fields", fields.len()),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The candidate within a third of the word's length (at least 1, at most 3 edits), if there is one.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const WORD_MAX: usize = 80;
    let length = word.chars().count();
    if length > WORD_MAX {
        return None;
    }
    let allowed = (length / 3).clamp(1, 3);
    let scored =
        candidates.filter(|c| c.len() <= WORD_MAX).map(|c| (edit_distance(&word.to_lowercase(), c), c));
    scored.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, c)| c)
}

/// Levenshtein distance; a swap of neighbours counts as two.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_single_edits() {
        for (a, b, distance) in
            [("", "", 0), ("metric", "metric", 0), ("metrc", "metric", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn nearest_suggests_only_what_is_close() {
        let fields = ["metric", "failed_cases", "max_failed_fraction"];
        assert_eq!(nearest("Metrics", fields.into_iter()), Some("metric"));
        assert_eq!(nearest("failed-cases", fields.into_iter()), Some("failed_cases"));
        assert_eq!(nearest("colour", fields.into_iter()), None);
    }

    #[test]
    fn every_published_schema_compiles_without_outside_references() {
        assert_eq!(VALIDATORS.len(), Kind::ALL.len());
    }
}
