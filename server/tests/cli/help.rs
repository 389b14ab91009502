//! What `--help` says, so that a change of it is a decision.

use crate::fiel;

/// Snapshots a help page.
fn check(name: &str, args: &[&str]) {
    let ran = fiel(args);
    assert_eq!(ran.code, 0, "{}", ran.all());
    insta::with_settings!({filters => vec![(r" +\n", "\n")]}, {
        insta::assert_snapshot!(name, ran.out);
    });
}

#[test]
fn the_front_page_lists_every_command() {
    check("fiel", &["--help"]);
}

#[test]
fn demo_and_serve_explain_themselves() {
    check("demo", &["demo", "--help"]);
    check("serve", &["serve", "--help"]);
}

#[test]
fn participants_commands_explain_themselves() {
    check("try", &["try", "--help"]);
    check("submit", &["submit", "--help"]);
    check("leaderboard", &["leaderboard", "--help"]);
}

#[test]
fn organizers_commands_explain_themselves() {
    check("challenge", &["challenge", "--help"]);
    check("site", &["site", "--help"]);
    check("account", &["account", "--help"]);
}

#[test]
fn sites_commands_explain_themselves() {
    check("node", &["node", "--help"]);
    check("node_import_set", &["node", "import-set", "--help"]);
    check("verify", &["verify", "--help"]);
}

#[test]
fn score_explains_itself() {
    check("score", &["score", "--help"]);
    check("score_classification", &["score", "classification", "--help"]);
    check("score_segmentation", &["score", "segmentation", "--help"]);
}
