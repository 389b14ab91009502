//! What Fiel itself costs: `cargo bench -p fiel-tests` prints one table.
//!
//! Submit to board with three sites, and the leaderboard page under load with 1,000 submissions on it. The cost of
//! the sandbox per case is measured by `cargo bench -p fiel-sandbox`.

use fiel_tests::{Client, Hub, Process, breast_fna_site, enrol, node, open_policy, repository};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = Hub::start(&folder.path().join("hub"), &[]).await;
    let admin = hub.client(&hub.admin_token());
    let yaml =
        fs_err::read_to_string(repository().join("challenges/breast-fna/challenge.yaml")).expect("yaml");
    admin.challenge(&yaml.replace("submissions: 20", "submissions: 100000")).await;
    let mut nodes = Vec::new();
    for site in ["site-a", "site-b", "site-c"] {
        nodes.push(start_site(&admin, &hub, folder.path(), site).await);
    }
    let participant = admin.account("ada", "participant").await;
    let model = repository().join("challenges/breast-fna/baselines/constant.wasm");
    let digest = participant.upload(&fs_err::read(model).expect("the baseline is built")).await;

    let mut seconds = Vec::new();
    for i in 0..12 {
        seconds.push(submit_to_board(&participant, &digest, i).await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!("submit to board, 3 sites x 10 cases: first {:.3} s", seconds[0]);
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    println!(
        "submit to board, warm: median {:.3} s, worst {:.3} s of {}",
        seconds[5],
        seconds[10],
        seconds.len()
    );

    let wanted = 1000;
    fill(&participant, &digest, wanted).await;
    let page = format!("{}/challenges/breast-fna/leaderboard", hub.url);
    load(&page, wanted).await;
}

async fn start_site(admin: &Client, hub: &Hub, folder: &Path, site: &str) -> Process {
    let data = folder.join(site);
    open_policy(&data);
    let _ = breast_fna_site(&data, site, 10);
    enrol(admin, site, &data, &hub.url).await;
    node(&data)
}

async fn submit(client: &Client, digest: &str, name: &str) -> String {
    let body = json!({"tool": name, "version": "1", "artifact": digest});
    let answer = client.post("/challenges/breast-fna/submissions", body).await;
    answer["submission"]["id"].as_str().expect("an id").to_string()
}

async fn submit_to_board(client: &Client, digest: &str, i: usize) -> f64 {
    let start = Instant::now();
    let id = submit(client, digest, &format!("trivial-{i}")).await;
    loop {
        let board = client.get("/challenges/breast-fna/leaderboard").await;
        let rows = board["leaderboard"].as_array().expect("rows");
        if rows.iter().any(|r| r["submission_id"] == id.as_str() && r["cases"]["ok"] == 30) {
            return start.elapsed().as_secs_f64();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn fill(client: &Client, digest: &str, wanted: usize) {
    let start = Instant::now();
    let mut last = String::new();
    for i in 0..wanted - 12 {
        last = submit(client, digest, &format!("filler-{i}")).await;
    }
    loop {
        let status = client.get(&format!("/submissions/{last}")).await;
        if status["state"] == "done" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!(
        "{wanted} submissions x 3 sites x 10 cases worked through in {:.1} s",
        start.elapsed().as_secs_f64()
    );
}

/// Sixteen connections ask for the page for ten seconds.
async fn load(page: &str, rows: usize) {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let end = Instant::now() + Duration::from_secs(10);
    let client = reqwest::Client::new();
    let mut workers = Vec::new();
    for _ in 0..16 {
        let (client, page) = (client.clone(), page.to_string());
        workers.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let start = Instant::now();
                let answer = client.get(&page).send().await.expect("an answer");
                assert!(answer.status().is_success());
                let bytes = answer.bytes().await.expect("a body");
                times.push((start.elapsed().as_secs_f64() * 1e3, bytes.len()));
            }
            times
        }));
    }
    let mut times = Vec::new();
    let mut size = 0;
    for worker in workers {
        for (ms, bytes) in worker.await.expect("the worker ends") {
            times.push(ms);
            size = bytes;
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "leaderboard page with {rows} submissions, {size} bytes: {:.0} requests/s, median {:.1} ms, p99 {:.1} ms (16 connections, load generator on the same 2 cores)",
        times.len() as f64 / 10.0,
        at(50),
        at(99)
    );
}
