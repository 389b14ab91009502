//! The documents that the repository ships are the ones the schemas describe.

use fiel_schemas::challenge::Challenge;
use fiel_schemas::validate::{Kind, from_yaml};
use fiel_tests::{fiel, repository};
use std::fmt::Write as _;

#[test]
fn every_shipped_challenge_is_valid() {
    let mut seen = 0;
    for entry in fs_err::read_dir(repository().join("challenges")).expect("challenges/ exists") {
        let path = entry.expect("a folder entry").path().join("challenge.yaml");
        if path.exists() {
            let text = fs_err::read_to_string(&path).expect("it is readable");
            let challenge: Challenge = from_yaml(Kind::Challenge, &text).unwrap_or_else(|e| panic!("{e}"));
            assert!(challenge.metrics.contains(&challenge.ranking.metric));
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}

/// A published schema, ready to check documents.
fn validator(name: &str) -> jsonschema::Validator {
    let path = repository().join("schemas/json").join(name);
    let text = fs_err::read_to_string(path).expect("the schema is in the repository");
    let schema: serde_json::Value = serde_json::from_str(&text).expect("the schema is JSON");
    jsonschema::draft202012::options().offline().build(&schema).expect("the schema is valid")
}

/// What `fiel` prints, given arguments of which the last names the table; it must follow the schema.
fn checked(validator: &jsonschema::Validator, args: &[&str], table: &std::path::Path) -> serde_json::Value {
    let ran = std::process::Command::new(fiel()).args(args).arg(table).output().expect("fiel starts");
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let problems: Vec<String> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(problems.is_empty(), "{args:?}: {problems:?}");
    report
}

/// What `fiel score --json` prints is what its schema says: values, undefined values, strata, comparisons, curves,
/// summaries.
#[test]
fn score_reports_follow_their_schema() {
    let validator = validator("score-report.schema.json");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = folder.path().join("t.csv");
    fs_err::write(&table, "y,p,q,t,site\n1,0.9,0.8,3,a\n0,0.2,0.3,1,a\n1,0.7,0.1,4,b\n1,0.4,0.6,2,b\n")
        .expect("the table can be written");
    let scored = ["score", "classification", "--label", "y", "--score", "p", "--by", "site", "--json"];
    let metrics = "auc,brier,sensitivity@specificity=0.9,ece.equal_mass@3,f1@0.25,ici";
    let more = ["--metrics", metrics, "--compare", "q", "--curves", "--summaries", "1", "--table"];
    let report = checked(&validator, &[&scored[..], &more].concat(), &table);
    assert!(report["by"]["groups"]["b"]["metrics"]["auc"]["value"].is_null(), "site b has one class");
    assert_eq!(report["comparison"]["with"], "q");
    assert!(report["comparison"]["metrics"]["brier"]["p"]["permutation"].is_number());
    assert_eq!(report["curves"]["decision"]["threshold"].as_array().map(Vec::len), Some(99));
    assert_eq!(report["summaries"]["ici"]["summary"]["kind"], "per-site");
    let times = ["score", "survival", "--time", "t", "--event", "y", "--risk", "p", "--by", "site", "--json"];
    let report = checked(&validator, &[&times[..], &["--curves", "--table"]].concat(), &table);
    assert_eq!(report["curves"]["groups"].as_array().map(Vec::len), Some(2));
    let marks = folder.path().join("marks.csv");
    fs_err::write(&marks, "image,x,y,z,diameter_mm,score\na,0,0,0,8,0.9\nb,5,5,5,6,0.4\n")
        .expect("the table can be written");
    let marks = marks.to_str().expect("UTF-8");
    let found = [
        "score",
        "detection",
        "--prediction",
        marks,
        "--metrics",
        "cpm",
        "--curves",
        "--json",
        "--reference",
    ];
    let report = checked(&validator, &found, std::path::Path::new(marks));
    assert_eq!(report["curves"]["froc"]["rate"].as_array().map(Vec::len), Some(7));
    let args =
        ["score", "classification", "--label", "y", "--score", "p", "--metrics", "auc,nope", "--table"];
    let ran = std::process::Command::new(fiel()).args(args).arg(&table).output().expect("fiel starts");
    assert_eq!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// What `fiel rank --json` prints is what its schema says, a missing value and institutions included.
#[test]
fn rank_reports_follow_their_schema() {
    let validator = validator("rank-report.schema.json");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = folder.path().join("r.csv");
    let mut text = "case,algorithm,dice,time,site\n".to_owned();
    for case in 0..8 {
        for (algorithm, dice, time) in [("a", 0.9, 3), ("b", 0.8, 2), ("c", 0.7, 1)] {
            let dice = dice - 0.03 * f64::from(case % 3);
            writeln!(text, "k{case},{algorithm},{dice},{time},s{}", case % 2).expect("a string takes it");
        }
    }
    let args =
        ["rank", "--metric", "dice", "--metric", "time:lower", "--institution", "site", "--json", "--table"];
    fs_err::write(&table, &text).expect("the table can be written");
    let report = checked(&validator, &args, &table);
    assert_eq!(report["metrics"]["dice"]["methods"]["mean-then-rank"]["ranks"], serde_json::json!([1, 2, 3]));
    assert!(report["overall"]["fets"].is_array() && report["overall"]["openebench"].is_object());
    fs_err::write(&table, text.replace("k0,a,0.9,", "k0,a,,")).expect("the table can be written");
    let report = checked(&validator, &args, &table);
    assert_eq!(report["metrics"]["dice"]["missing"], 1);
    let near = ["rank", "--metric", "time:near=2.5", "--json", "--table"];
    assert_eq!(checked(&validator, &near, &table)["metrics"]["time"]["nearest_to"], 2.5);
}
