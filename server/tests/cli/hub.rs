//! The commands that speak to a hub, against a real one: SQLite or, where `FIEL_TEST_DATABASE_URL` names a
//! PostgreSQL, that.

use crate::{fiel, fiel_in};
use fiel_tests::{Hub, repository};

fn challenge_folder() -> String {
    repository().join("challenges/breast-fna").display().to_string()
}

/// Runs `fiel` as the owner of a token; its standard output without the end of the line.
fn say(hub: &Hub, token: &str, args: &[&str]) -> String {
    let ran = fiel(&[args, &["--hub", &hub.url, "--token", token]].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.all());
    ran.out.trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_published_fetched_and_submitted_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = Hub::start(&folder.path().join("hub"), &[]).await;
    let admin = hub.admin_token();
    let organizer = say(&hub, &admin, &["account", "create", "otto", "--role", "organizer"]);
    let published = say(&hub, &organizer, &["challenge", "create", &challenge_folder()]);
    assert!(published.starts_with("breast-fna 1"), "{published}");
    let participant = say(&hub, &admin, &["account", "create", "ada"]);
    let own = folder.path().join("fetched").display().to_string();
    say(&hub, &participant, &["challenge", "fetch", "breast-fna", "--into", &own]);
    assert!(folder.path().join("fetched/public/cases.csv").exists());

    let model = format!("{}/baselines/constant.wasm", challenge_folder());
    let submit = ["submit", "breast-fna", &model, "--tool", "mine", "--idempotency-key", "one", "--json"];
    let first = fiel_json(&say(&hub, &participant, &submit));
    let again = fiel_json(&say(&hub, &participant, &submit));
    assert_eq!(first["submission"]["id"], again["submission"]["id"], "the same key enters it once");
    let board = fiel_json(&say(&hub, &participant, &["leaderboard", "breast-fna", "--json"]));
    let rows = board["leaderboard"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0]["submission"]), (1, &"mine".into()), "{board:#}");
    let csv = say(&hub, &participant, &["leaderboard", "breast-fna", "--csv"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");

    let refused = ["challenge", "create", &challenge_folder(), "--hub", &hub.url, "--token", &participant];
    let ran = fiel(&refused);
    assert_eq!(ran.code, 1, "a participant publishes nothing: {}", ran.all());
    if let Some(database) = &hub.database {
        assert_eq!(database.query("select participant, tool from submissions"), "ada|mine");
    }
}

fn fiel_json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
}

#[test]
fn a_demo_says_what_is_wrong_with_its_database() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = fiel_tests::free_port().to_string();
    let nobody = format!("postgres://fiel@127.0.0.1:{port}/none");
    let hub = fiel_tests::free_port().to_string();
    let ran = fiel_in(folder.path(), &["demo", "--once", "--port", &hub, "--database-url", &nobody]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.err.contains("the hub ended early") && ran.err.contains("database"), "{}", ran.all());
}
