//! Several hubs, or several data folders, and one database.

use crate::harness::{TestHub, assessment, read};
use fiel_server::config::HubConfig;
use fiel_server::hub;
use reqwest::Method;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_s_board_follows_what_another_hub_on_the_database_accepts() {
    let first = TestHub::start().await;
    // SQLite belongs to one hub; the pass on PostgreSQL is where this says something.
    let Some(url) = first.database_url() else { return first.end().await };
    first.challenge(100).await;
    let site = first.site("north").await;
    let token = first.account("anna", "participant").await;
    let id = first.submit(&token, "tool").await;

    let folder = tempfile::tempdir().unwrap();
    let mut config = HubConfig::new(folder.path());
    config.database_url = Some(url);
    config.workers = 1;
    let second = hub::start(config).await.unwrap();
    assert!(second.admin_token.is_none(), "the administrator's token lies in the first hub's folder");
    assert!(!folder.path().join("admin-token").exists(), "no token that does not work is written");

    let address = format!("{}/api/v1/challenges/test/leaderboard", second.url);
    let board = async || read(reqwest::get(&address).await.unwrap()).await.1;
    assert_eq!(board().await["leaderboard"][0]["submission_id"], Value::from(id), "cached from now on");
    let order = first.claim(&site).await.unwrap();
    assert_eq!(first.report(&site, &order, &assessment(&site, &order, 0.5)).await.0, 200);
    let started = std::time::Instant::now();
    while board().await["leaderboard"][0]["metrics"]["dice"]["value"] != 0.5 {
        assert!(started.elapsed().as_secs() < 20, "the second hub's board stays stale: {}", board().await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    second.stop().await;
    first.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_file_of_another_database_is_kept_and_not_passed_off_as_working() {
    let hub = TestHub::start().await;
    let foreign = tempfile::tempdir().unwrap();
    let token = "f".repeat(64);
    std::fs::write(foreign.path().join("admin-token"), &token).unwrap();
    let mut config = HubConfig::new(foreign.path());
    config.database_url = hub.database_url();
    let other = hub::start(config).await.unwrap();
    if hub.database_url().is_some() {
        assert_eq!(other.admin_token, None, "the database's administrator has another token");
    } else {
        // A database of its own: the file says which token its administrator gets.
        assert_eq!(other.admin_token.as_ref(), Some(&token));
        let me = reqwest::Client::new().get(format!("{}/api/v1/auth/me", other.url)).bearer_auth(&token);
        assert_eq!(me.send().await.unwrap().status(), 200);
    }
    assert_eq!(std::fs::read_to_string(foreign.path().join("admin-token")).unwrap(), token);
    other.stop().await;
    let (status, _) =
        read(hub.request(Method::GET, "/auth/me", Some(&hub.admin)).send().await.unwrap()).await;
    assert_eq!(status, 200);
    hub.end().await;
}
