//! The documents that the repository ships are the ones the schemas describe.

use fiel_schemas::challenge::Challenge;
use fiel_schemas::validate::{Kind, from_yaml};
use fiel_tests::repository;

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
