//! No byte of patient-level data leaves a site: everything a node sends is recorded, checked and searched.

use base64::Engine as _;
use fiel_schemas::assessment::Statement;
use fiel_schemas::dsse::Envelope;
use fiel_schemas::validate::{Kind, from_json};
use fiel_tests::{Hub, breast_fna_site, enrol, node, open_policy, repository};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Record = Arc<Mutex<Vec<u8>>>;

/// A proxy in front of the hub that keeps every byte the node sends.
async fn recorder(hub: &str) -> (String, Record) {
    let target = hub.trim_start_matches("http://").to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = format!("http://{}", listener.local_addr().expect("a bound address"));
    let record = Record::default();
    let kept = record.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (kept, target) = (kept.clone(), target.clone());
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(&target).await else { return };
                let (mut from_node, mut to_node) = client.split();
                let (mut from_hub, mut to_hub) = server.split();
                let up = async {
                    let mut buffer = vec![0; 65536];
                    while let Ok(n) = from_node.read(&mut buffer).await {
                        if n == 0 {
                            break;
                        }
                        kept.lock().expect("no panic while held").extend_from_slice(&buffer[..n]);
                        if to_hub.write_all(&buffer[..n]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! { () = up => {}, _ = tokio::io::copy(&mut from_hub, &mut to_node) => {} }
            });
        }
    });
    (address, record)
}

/// Bodies of the requests in a recorded stream: whatever stands between braces at the top level.
fn bodies(sent: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (at, _) in sent.match_indices("\r\n\r\n") {
        let mut values = serde_json::Deserializer::from_str(&sent[at + 4..]).into_iter::<Value>();
        if let Some(Ok(value @ Value::Object(_))) = values.next() {
            found.push(value);
        }
    }
    found
}

/// Every number in a JSON document, and every run of digits and decimal points in its strings.
fn numbers(value: &Value, out: &mut HashSet<String>) {
    match value {
        Value::Number(n) => {
            out.insert(n.to_string());
        }
        Value::Array(items) => items.iter().for_each(|v| numbers(v, out)),
        Value::Object(fields) => fields.values().for_each(|v| numbers(v, out)),
        _ => {}
    }
}

async fn scored(client: &fiel_tests::Client, id: &str) {
    let start = Instant::now();
    loop {
        let status = client.get(&format!("/submissions/{id}")).await;
        if status["state"] == "done" {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(90) && status["state"] != "failed", "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_single_patient_is_ever_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = Hub::start(&folder.path().join("hub"), &[]).await;
    let admin = hub.client(&hub.admin_token());
    let yaml =
        fs_err::read_to_string(repository().join("challenges/breast-fna/challenge.yaml")).expect("yaml");
    admin.challenge(&yaml).await;
    let site = folder.path().join("site");
    open_policy(&site);
    let rows = breast_fna_site(&site, "site-b", usize::MAX);
    let (proxy, record) = recorder(&hub.url).await;
    enrol(&admin, "site-b", &site, &proxy).await;
    let _node = node(&site);

    let participant = admin.account("ada", "participant").await;
    for name in ["logistic", "boosted", "broken"] {
        let wasm = repository().join(format!("challenges/breast-fna/baselines/{name}.wasm"));
        let digest = participant.upload(&fs_err::read(wasm).expect("the baseline is built")).await;
        let body = json!({"tool": name, "version": "1", "artifact": digest});
        let answer = participant.post("/challenges/breast-fna/submissions", body).await;
        let id = answer["submission"]["id"].as_str().expect("an id").to_string();
        scored(&participant, &id).await;
    }

    let sent = String::from_utf8_lossy(&record.lock().expect("no panic while held")).to_string();
    let (statements, rest) = statements(&sent);
    assert_eq!(statements.len(), 3, "one statement for each run");
    let mut text = rest;
    let mut seen = HashSet::new();
    for payload in &statements {
        from_json::<Statement>(Kind::Statement, payload).unwrap_or_else(|e| panic!("{e}"));
        // Times of runs are of the machine, not of a patient, and as short as some feature values.
        let mut shown: Value = serde_json::from_slice(payload).expect("JSON");
        shown["predicate"]["costs"] = Value::Null;
        text.push_str(&shown.to_string());
        numbers(&shown, &mut seen);
    }
    search(&text, &seen, &rows);
    scores_are_absent(&site, &text, &seen);
}

/// Statements sent, decoded, and everything else as text.
fn statements(sent: &str) -> (Vec<Vec<u8>>, String) {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for body in bodies(sent) {
        if let Ok(envelope) = serde_json::from_value::<Envelope>(body["envelope"].clone()) {
            let payload =
                base64::engine::general_purpose::STANDARD.decode(&envelope.payload).expect("base64");
            if !found.contains(&payload) {
                found.push(payload);
            }
        }
    }
    (found, sent.to_string())
}

/// Every number as it is written anywhere in a text. Whole numbers are compared, since a short feature value such as
/// 0.033 is bound to be the beginning of some longer one.
fn number_tokens(text: &str) -> HashSet<&str> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|t| !t.is_empty()).collect()
}

/// Case ids, rows and feature values of the held-out cases must not occur.
fn search(text: &str, seen: &HashSet<String>, rows: &[String]) {
    let tokens = number_tokens(text);
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        assert!(!text.contains(fields[0]), "case id {} was sent", fields[0]);
        let labelled = format!("{},{}", fields[30], fields[31]);
        assert!(!text.contains(&labelled), "a label with its row was sent");
        for value in &fields[1..31] {
            // Short values such as 0.1 or 17.0 say nothing by themselves; four digits and more would.
            let digits = value.chars().filter(char::is_ascii_digit).count();
            let number = value.parse::<f64>().expect("features are numbers");
            let printed = serde_json::to_string(&number).expect("a number");
            if digits >= 4 {
                assert!(!seen.contains(&printed), "feature value {value} was sent");
            }
            if digits >= 4 {
                assert!(!tokens.contains(*value), "feature value {value} was sent");
            }
        }
    }
}

/// The scores in the site's own case tables must not occur, in any of the ways a float is written.
fn scores_are_absent(site: &std::path::Path, text: &str, seen: &HashSet<String>) {
    let tokens = number_tokens(text);
    let scores = fiel_tests::scores_of_runs(site);
    assert!(scores.len() > 200, "the site's case tables hold the scores: found {}", scores.len());
    for score in scores {
        let printed = serde_json::to_string(&score).expect("a number");
        assert!(!seen.contains(&printed), "score {printed} was sent");
        let bits = format!("{:016x}", score.to_bits());
        assert!(!text.contains(&bits), "the bits of score {printed} were sent");
        #[expect(clippy::cast_possible_truncation, reason = "the same rounding as the summaries'")]
        let fixed = (score * 2f64.powi(72)).round() as i128;
        assert!(!text.contains(&format!("\"{fixed}\"")), "score {printed} was sent in fixed point");
        assert!(!tokens.contains(printed.as_str()), "score {printed} was sent");
    }
}
