//! `fiel challenge check`.

use crate::{fiel, fiel_in, write};
use std::path::Path;

const CHALLENGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../challenges");

#[test]
fn both_shipped_challenges_are_valid() {
    for id in ["breast-fna", "lesion-phantom"] {
        let ran = fiel(&["challenge", "check", &format!("{CHALLENGES}/{id}")]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(ran.out.contains(&format!("{id} ")) && ran.out.contains("is valid"), "{}", ran.all());
        assert_eq!(ran.err, "", "no remarks");
    }
}

#[test]
fn a_broken_definition_is_refused_with_pointer_line_and_hint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = fs_err::read_to_string(Path::new(CHALLENGES).join("breast-fna/challenge.yaml")).expect("yaml");
    let bad = good
        .replace("task: classification", "task: clasification")
        .replace("  case_ms: 2000", "  case_ms: soon");
    let line = 1 + bad.lines().position(|l| l.starts_with("task:")).expect("there is a task");
    write(folder.path(), "challenge.yaml", &bad);
    let ran = fiel_in(folder.path(), &["challenge", "check", "challenge.yaml"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    for part in
        ["error: challenge.yaml", "/task", &format!("line {line}"), "/limits/case_ms", "expected", "hint: "]
    {
        assert!(ran.err.contains(part), "`{part}` is missing in {}", ran.all());
    }
    let ran = fiel_in(folder.path(), &["challenge", "check", ".", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let answer = ran.json();
    assert_eq!(answer["valid"], false);
    assert_eq!(answer["problems"][0]["pointer"], "/task");
    assert_eq!(answer["problems"][0]["line"], line);
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = fiel_in(folder.path(), &["challenge", "check", "nowhere.yaml"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.err.contains("nowhere.yaml"), "{}", ran.all());
}
