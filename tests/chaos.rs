//! kill -9, 200 times, while 500 submissions are processed: nothing lost, nothing done twice.

use fiel_tests::{Client, Hub, Process, breast_fna_site, enrol, node, open_policy, repository};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

const SUBMISSIONS: usize = 500;
const KILLS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_lose_and_duplicate_nothing() {
    let start = Instant::now();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut hub = Hub::start(&folder.path().join("hub"), &["--lease-s", "2"]).await;
    let admin = hub.client(&hub.admin_token());
    let yaml =
        fs_err::read_to_string(repository().join("challenges/breast-fna/challenge.yaml")).expect("yaml");
    let generous = yaml.replace("submissions: 20", "submissions: 1000");
    assert_ne!(yaml, generous, "the challenge's quota is the one this test widens");
    admin.challenge(&generous).await;
    let site = folder.path().join("site");
    open_policy(&site);
    let _ = breast_fna_site(&site, "site-c", 12);
    enrol(&admin, "site-c", &site, &hub.url).await;
    let mut agent = node(&site);

    let participant = admin.account("ada", "participant").await;
    let model = repository().join("challenges/breast-fna/baselines/constant.wasm");
    let digest = participant.upload(&fs_err::read(model).expect("the baseline is built")).await;
    let submitter = tokio::spawn(submit_all(participant.clone(), digest));
    kills(&mut hub, &mut agent, &site).await;
    let acknowledged = submitter.await.expect("the submitter ends");
    assert_eq!(acknowledged.len(), SUBMISSIONS);

    wait_until_done(&participant, &acknowledged, start).await;
    assert_board(&participant, &acknowledged).await;
    drop(agent);
    hub.kill();
    check_database(&hub);
    println!("{SUBMISSIONS} submissions, {KILLS} kills, {:.1} s", start.elapsed().as_secs_f64());
}

/// Submits with an idempotency key until each is acknowledged.
async fn submit_all(client: Client, digest: String) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for i in 0..SUBMISSIONS {
        let body = json!({"tool": format!("trivial-{i:03}"), "version": "1", "artifact": digest});
        let key = format!("chaos-{i}");
        loop {
            let path = "/challenges/breast-fna/submissions";
            let sent = client.send(reqwest::Method::POST, path, Some(body.clone()), Some(&key)).await;
            if let Ok((status, answer)) = sent
                && status < 300
            {
                acknowledged.push(answer["submission"]["id"].as_str().expect("an id").to_string());
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    acknowledged
}

/// Kills hub and node in turn, at uneven moments, and starts each again at once.
async fn kills(hub: &mut Hub, agent: &mut Process, site: &Path) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    println!("seed {state:x}");
    for i in 0..KILLS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(120 + (state >> 33) % 280)).await;
        if i % 2 == 0 {
            hub.kill();
            hub.restart();
        } else {
            agent.kill();
            *agent = node(site);
        }
    }
    hub.wait().await;
}

async fn wait_until_done(client: &Client, ids: &[String], start: Instant) {
    for id in ids {
        loop {
            let status = client.get(&format!("/submissions/{id}")).await;
            if status["state"] == "done" {
                break;
            }
            assert!(start.elapsed() < Duration::from_mins(4), "still open: {status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Every acknowledged submission stands on the board once, measured on every case.
async fn assert_board(client: &Client, ids: &[String]) {
    let start = Instant::now();
    loop {
        let board = client.get("/challenges/breast-fna/leaderboard").await;
        let rows = board["leaderboard"].as_array().expect("rows");
        let mut seen: HashMap<&str, &Value> = HashMap::new();
        for row in rows {
            let id = row["submission_id"].as_str().expect("an id");
            assert!(seen.insert(id, row).is_none(), "{id} stands on the board twice");
        }
        let complete = ids.iter().all(|id| seen.get(id.as_str()).is_some_and(|r| r["cases"]["ok"] == 12));
        if complete && seen.len() == ids.len() {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "lost: {} of {} on the board",
            seen.len(),
            ids.len()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asks the database itself: counts, uniqueness, and its own integrity check.
fn check_database(hub: &Hub) {
    let counts = "select (select count(*) from submissions), (select count(*) from runs), \
        (select count(*) from runs where state = 'reported'), (select count(*) from assessments), \
        (select count(distinct run) from assessments)";
    let answer = fiel_tests::query(hub, counts);
    let n = SUBMISSIONS;
    assert_eq!(answer, format!("{n}|{n}|{n}|{n}|{n}"));
    if hub.database.is_none() {
        assert_eq!(fiel_tests::query(hub, "pragma integrity_check"), "ok");
    }
}
