//! The documents that the repository ships are the ones the schemas describe.

use fiel_schemas::challenge::Challenge;
use fiel_schemas::validate::{Kind, from_yaml};
use fiel_tests::{fiel, repository};

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

/// What `fiel score --json` prints is what its schema says, values, undefined values and strata included.
#[test]
fn score_reports_follow_their_schema() {
    let schema = repository().join("schemas/json/score-report.schema.json");
    let schema = fs_err::read_to_string(schema).expect("the schema is in the repository");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::draft202012::options().offline().build(&schema).expect("the schema is valid");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = folder.path().join("t.csv");
    fs_err::write(&table, "y,p,site\n1,0.9,a\n0,0.2,a\n1,0.7,b\n1,0.4,b\n")
        .expect("the table can be written");
    for (metrics, code) in
        [("auc,brier,sensitivity@specificity=0.9,ece.equal_mass@3,f1@0.25", 0), ("auc,nope", 2)]
    {
        let ran = std::process::Command::new(fiel())
            .args([
                "score",
                "classification",
                "--label",
                "y",
                "--score",
                "p",
                "--by",
                "site",
                "--json",
                "--table",
            ])
            .arg(&table)
            .args(["--metrics", metrics])
            .output()
            .expect("fiel starts");
        assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
        if code == 0 {
            let report: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
            let problems: Vec<String> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
            assert!(problems.is_empty(), "{problems:?}");
            assert!(report["by"]["groups"]["b"]["metrics"]["auc"]["value"].is_null(), "site b has one class");
        }
    }
}
