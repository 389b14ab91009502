//! What a person who wrote a bad document is told.

use fiel_schemas::challenge::{Challenge, Socket};
use fiel_schemas::reference_set::ReferenceSet;
use fiel_schemas::submission::Submission;
use fiel_schemas::validate::{DEPTH_MAX, DocumentError, Kind, PROBLEMS_MAX, Problem, from_json, from_yaml};
use serde_json::{Value, json};

use crate::samples;

const YAML: &str = include_str!("challenge.yaml");

fn yaml(source: &str) -> Result<Challenge, DocumentError> {
    from_yaml(Kind::Challenge, source)
}

/// Replaces one text of the good challenge and returns the only problem.
fn only(from: &str, to: &str) -> Problem {
    assert_eq!(YAML.matches(from).count(), 1, "{from:?} stands once in the sample");
    let error = yaml(&YAML.replace(from, to)).unwrap_err();
    assert_eq!(error.problems.len(), 1, "{error}");
    error.problems[0].clone()
}

fn check(from: &str, to: &str, pointer: &str, line: usize, says: &[&str]) {
    let problem = only(from, to);
    assert_eq!((problem.pointer.as_str(), problem.line), (pointer, Some(line)), "{problem}");
    for words in says {
        assert!(problem.to_string().contains(words), "{words:?} is missing from: {problem}");
    }
}

#[test]
fn the_good_challenge_is_read() {
    assert_eq!(yaml(YAML).unwrap().id, "tiny");
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_known_one() {
    check(
        "    description: Rows.",
        "    descripton: Rows.",
        "/interface/inputs/0/descripton",
        13,
        &["unknown field `descripton`", "did you mean `description`?"],
    );
    check("    description: Rows.", "    colour: Rows.", "/interface/inputs/0/colour", 13, &["remove it"]);
}

#[test]
fn a_misspelt_required_field_is_two_problems_that_point_at_each_other() {
    let error = yaml(&YAML.replace("failed_cases:", "failed-cases:")).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.problems.len(), 2, "{text}");
    assert!(text.contains("is `failed-cases` meant to be `failed_cases`?"), "{text}");
    assert!(text.contains("/ranking/failed-cases (line 22)"), "{text}");
    assert!(text.starts_with("the challenge has 2 problems:\n"), "{text}");
}

#[test]
fn values_of_a_wrong_kind_are_explained() {
    check("version: 1.0.0", "version: 1.5", "/version", 3, &["the number 1.5", "a text", "put it in quotes"]);
    check("  memory_mib: 256", "  memory_mib: lots", "/limits/memory_mib", 25, &["`lots`", "a whole number"]);
    check(
        "  memory_mib: 256",
        "  memory_mib: 0",
        "/limits/memory_mib",
        25,
        &["at least 1", "memory of the model"],
    );
    check("task: classification", "task: clasification", "/task", 7, &["did you mean `classification`?"]);
    check(
        "version: 1.0.0",
        "version: v1",
        "/version",
        3,
        &["`v1`", "a semantic version, for instance 1.0.0"],
    );
    check(
        "max_failed_fraction: 0.05",
        "max_failed_fraction: 5",
        "/ranking/max_failed_fraction",
        23,
        &["at most 1"],
    );
    check("opens: 2026-01-01T00:00:00Z", "opens: tomorrow", "/phases/0/opens", 32, &["RFC 3339"]);
}

#[test]
fn an_impossible_date_is_refused() {
    check("opens: 2026-01-01T00:00:00Z", "opens: 2026-02-30T00:00:00Z", "/phases/0/opens", 32, &["RFC 3339"]);
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    for path in ["../case.csv", "/etc/passwd", "a/../b", "a//b", ".hidden", "a/", "'a\\b'", "a/.."] {
        let problem = only("path: case.csv", &format!("path: {path}"));
        assert_eq!(problem.pointer, "/interface/inputs/0/path", "{problem}");
        assert!(problem.expected.contains("without `..`"), "{problem}");
    }
}

#[test]
fn what_the_schema_cannot_say_is_checked_too() {
    check("  metric: auc", "  metric: dice", "/ranking/metric", 21, &["add `dice` to `metrics`"]);
    check("path: prediction.csv", "path: inputs.json", "/interface/outputs/0/path", 17, &["the platform's"]);
    check(
        "columns: [probability]",
        "columns: [case_id]",
        "/interface/outputs/0/columns",
        18,
        &["after `case_id`"],
    );
    check(
        "    closes: 2026-06-01T00:00:00Z",
        "    closes: 2025-06-01T00:00:00Z",
        "/phases/0/closes",
        33,
        &["after"],
    );
    check("task: classification", "task: segmentation", "/interface/outputs", 15, &["kind `mask`"]);
}

#[test]
fn names_that_must_be_unique_are() {
    let mut challenge = samples::challenge();
    challenge.phases.push(challenge.phases[0].clone());
    let port = challenge.interface.inputs[0].clone();
    challenge.interface.inputs.push(port);
    let bytes = serde_json::to_vec(&challenge).unwrap();
    let error = from_json::<Challenge>(Kind::Challenge, &bytes).unwrap_err();
    let pointers: Vec<&str> = error.problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/interface/inputs/1/name", "/interface/inputs/1/path", "/phases/1/id"]);
}

#[test]
fn sockets_have_names_and_places_of_their_own() {
    let problems = |slug: &str, path: Option<&str>| {
        let mut challenge = samples::challenge();
        let mut port = challenge.interface.inputs[0].clone();
        "other".clone_into(&mut port.name);
        "other.csv".clone_into(&mut port.path);
        let relative_path = path.map(str::to_owned);
        port.socket = Some(Socket { slug: slug.to_owned(), kind: None, relative_path });
        challenge.interface.inputs.push(port);
        let bytes = serde_json::to_vec(&challenge).unwrap();
        from_json::<Challenge>(Kind::Challenge, &bytes).map_or_else(|e| e.problems, |_| Vec::new())
    };
    assert_eq!(problems("another", None), []);
    for (slug, path) in [
        ("features-on-grand-challenge", None),
        ("another", Some("features.json")),
        ("another", Some("features.json/inner")),
        ("another", Some("inputs.json")),
    ] {
        let found = problems(slug, path);
        assert_eq!(found.len(), 1, "{slug} {path:?}");
        assert_eq!(found[0].pointer, "/interface/inputs/1/socket");
    }
}

#[test]
fn a_doubled_key_is_refused_in_yaml_and_json() {
    check("community: fiel\n", "community: fiel\nid: again\n", "/id", 6, &["first in line 2"]);
    let error = from_json::<Challenge>(Kind::Challenge, b"{\"id\": \"a\",\n \"id\": \"b\"}").unwrap_err();
    assert!(error.to_string().contains("the field `id` twice"), "{error}");
    assert_eq!(error.problems[0].line, Some(2));
}

#[test]
fn yaml_beyond_plain_data_is_refused() {
    check("community: fiel\n", "community: &a fiel\nsummary2: *a\n", "/summary2", 6, &["alias"]);
    check("community: fiel", "community: !secret fiel", "/community", 5, &["tag"]);
    check("community: fiel", "? [a]\n: b", "", 5, &["as a key"]);
    check(
        "max_failed_fraction: 0.05",
        "max_failed_fraction: .nan",
        "/ranking/max_failed_fraction",
        23,
        &["finite"],
    );
    let error = yaml(&format!("{YAML}---\n{YAML}")).unwrap_err();
    assert!(error.to_string().contains("a second document"), "{error}");
    for empty in ["", "# nothing\n"] {
        assert!(yaml(empty).unwrap_err().to_string().contains("empty document"));
    }
}

#[test]
fn syntax_errors_carry_their_line() {
    let error = yaml("id: a\ntitle: \"unclosed\nversion: 1\n").unwrap_err();
    assert!(error.problems[0].line.is_some(), "{error}");
    let error = from_json::<Challenge>(Kind::Challenge, b"{\n \"id\": }").unwrap_err();
    assert_eq!(error.problems[0].line, Some(2), "{error}");
    let error = from_json::<Challenge>(Kind::Challenge, b"{} {}").unwrap_err();
    assert!(error.to_string().contains("trailing"), "{error}");
}

#[test]
fn hostile_nesting_and_size_end_early() {
    let million = 1_000_000;
    for source in
        ["[".repeat(million), "- ".repeat(million / 2), "{a: ".repeat(million / 4), "? ".repeat(million / 2)]
    {
        assert!(yaml(&source).is_err());
    }
    for source in ["[".repeat(million), "{\"a\":".repeat(million / 5)] {
        assert!(from_json::<Challenge>(Kind::Challenge, source.as_bytes()).is_err());
    }
    let deep = format!("{}1{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1));
    let error = from_json::<Challenge>(Kind::Challenge, deep.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("nested more than 32 deep"), "{error}");
    let large = format!("{YAML}# {}\n", "x".repeat(1 << 20));
    assert!(yaml(&large).unwrap_err().to_string().contains("at most 1048576 bytes"));
}

#[test]
fn the_number_of_problems_and_the_length_of_quotes_are_bounded() {
    let mut value: Value = samples::full(Kind::Challenge);
    value["metrics"] =
        (0..64).map(|index| json!(format!("NOT A METRIC {index} {}", "x".repeat(9000)))).collect();
    for index in 0..100 {
        value[format!("unknown{index}")] = json!(1);
    }
    let error = from_json::<Challenge>(Kind::Challenge, value.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.problems.len(), PROBLEMS_MAX);
    assert!(error.to_string().len() < 50_000);
}

#[test]
fn a_reference_set_lists_its_table_once_and_in_order() {
    let mut set = samples::reference_set();
    set.files.reverse();
    set.table = "other.csv".into();
    let error =
        from_json::<ReferenceSet>(Kind::ReferenceSet, &serde_json::to_vec(&set).unwrap()).unwrap_err();
    let pointers: Vec<&str> = error.problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/files/1/path", "/table"]);
}

#[test]
fn a_run_order_is_refused_when_its_parts_do_not_belong_together() {
    let mut order = samples::run_order();
    order.challenge.limits.case_ms += 1;
    order.submission.challenge = "another".into();
    let error =
        from_json::<fiel_schemas::run_order::RunOrder>(Kind::RunOrder, &serde_json::to_vec(&order).unwrap())
            .unwrap_err();
    let pointers: Vec<&str> = error.problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/challenge_digest", "/submission/challenge"]);
}

#[test]
fn only_images_stay_in_other_registries_whose_names_are_names() {
    let problems = |change: &dyn Fn(&mut Value)| {
        let mut value = samples::full(Kind::Submission);
        change(&mut value["artifact"]);
        let read = from_json::<Submission>(Kind::Submission, value.to_string().as_bytes());
        let pointers = |e: DocumentError| e.problems.into_iter().map(|p| p.pointer).collect::<Vec<_>>();
        read.map_or_else(pointers, |_| Vec::new())
    };
    for registry in ["localhost", "127.0.0.1:5000", "registry.example.org", "a-b.c:65535"] {
        assert_eq!(
            problems(&|artifact| artifact["source"]["registry"] = json!(registry)),
            [""; 0],
            "{registry}"
        );
    }
    let at = "/artifact/source/registry";
    for registry in [
        "",
        "a b",
        "https://a",
        "a/b",
        "A.org",
        "a..b",
        "-a",
        "a:0",
        "a:65536",
        "a:99999",
        "a:",
        "[::1]:5000",
        "u@a",
    ] {
        assert_eq!(
            problems(&|artifact| artifact["source"]["registry"] = json!(registry)),
            [at],
            "{registry}"
        );
    }
    let at = "/artifact/source/repository";
    for repository in ["", "/a", "a/", "a//b", "a/../b", "A", "a:1", "a@b", "a___b", &"a".repeat(256)] {
        assert_eq!(
            problems(&|artifact| artifact["source"]["repository"] = json!(repository)),
            [at],
            "{repository}"
        );
    }
    let other = |artifact: &mut Value| artifact["media_type"] = json!("application/wasm");
    assert_eq!(problems(&other), ["/artifact/source"]);
    let mut order = samples::full(Kind::RunOrder);
    other(&mut order["submission"]["artifact"]);
    let error = from_json::<fiel_schemas::run_order::RunOrder>(Kind::RunOrder, order.to_string().as_bytes());
    assert_eq!(error.unwrap_err().problems[0].pointer, "/submission/artifact/source");
}

#[test]
fn problems_inside_an_embedded_document_name_its_fields() {
    let mut value = samples::full(Kind::RunOrder);
    value["challenge"]["rankin"] = json!({});
    let error = from_json::<fiel_schemas::run_order::RunOrder>(Kind::RunOrder, value.to_string().as_bytes())
        .unwrap_err();
    assert!(error.to_string().contains("/challenge/rankin: found the unknown field `rankin`"), "{error}");
    assert!(error.to_string().contains("did you mean `ranking`?"), "{error}");
}

#[test]
fn a_statement_with_a_sum_beyond_128_bits_or_a_reversed_interval_is_refused() {
    let mut value = samples::full(Kind::Statement);
    let brier = &mut value["predicate"]["metrics"]["brier"];
    brier["summary"]["sum"] = json!("9".repeat(39));
    brier["estimate"]["ci95"] = json!([1, 0]);
    let error =
        from_json::<fiel_schemas::assessment::Statement>(Kind::Statement, value.to_string().as_bytes())
            .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("/predicate/metrics/brier/summary/sum") && text.contains("128 bits"), "{text}");
    assert!(text.contains("/predicate/metrics/brier/estimate/ci95"), "{text}");
}

#[test]
fn the_projects_own_challenges_are_valid() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../challenges");
    for id in ["breast-fna", "lesion-phantom"] {
        let source = std::fs::read_to_string(format!("{root}/{id}/challenge.yaml")).unwrap();
        assert_eq!(yaml(&source).unwrap().id, id);
    }
}

#[test]
fn a_batch_is_a_whole_number_from_1_to_32_and_one_is_not_written() {
    let with = |batch: &str| YAML.replace("interface:\n", &format!("interface:\n  batch: {batch}\n"));
    for wrong in ["0", "33", "-1", "1.5", "many", "[2]"] {
        let error = yaml(&with(wrong)).unwrap_err();
        let [problem] = error.problems.as_slice() else { panic!("{wrong}: {error}") };
        assert_eq!((problem.pointer.as_str(), problem.line), ("/interface/batch", Some(9)), "{problem}");
    }
    assert_eq!(yaml(&with("32")).unwrap().interface.batch, 32);
    // A challenge that says what holds anyway is the same challenge.
    assert_eq!(yaml(&with("1")).unwrap(), yaml(YAML).unwrap());
    assert!(!serde_json::to_string(&yaml(&with("1")).unwrap()).unwrap().contains("batch"));
}
