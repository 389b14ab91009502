//! Claims, leases, fences, results.

use crate::harness::{TestHub, TestSite, assessment, public_key, sign, statement};
use ed25519_dalek::SigningKey;
use fiel_schemas::run_order::RunOrder;
use fiel_tests::database::{Database, assert_used};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn ready() -> (TestHub, TestSite, String) {
    let hub = TestHub::start().await;
    hub.challenge(100).await;
    let site = hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    (hub, site, token)
}

async fn beat(hub: &TestHub, site: &TestSite, order: &RunOrder) -> (StatusCode, Value) {
    let body = json!({"fence": order.fence, "done": 1, "total": 20});
    hub.post(&format!("/node/runs/{}/heartbeat", order.run), Some(&site.token), &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolment_code_works_once_and_for_fifteen_minutes() {
    let hub = TestHub::start().await;
    hub.post("/sites", Some(&hub.admin), &json!({"id": "north", "title": "North"})).await;
    let key = public_key(&SigningKey::from_bytes(&[3; 32]));
    let code =
        || async { hub.post("/sites/north/codes", Some(&hub.admin), &json!({})).await.1["code"].clone() };
    let body = json!({"code": code().await, "public_key": key});
    let posts = (0..8).map(|_| hub.post("/node/enrol", None, &body));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(answers.iter().filter(|a| a.0 == 200).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.0 == 403 && a.1["code"] == "code-invalid").count(), 7);
    let late = json!({"code": code().await, "public_key": key});
    hub.move_clock(15 * 60_000 + 1);
    assert_eq!(hub.post("/node/enrol", None, &late).await.0, 403);
    let bad = json!({"code": code().await, "public_key": "AAAA"});
    assert_eq!(hub.post("/node/enrol", None, &bad).await.0, 400);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_claim_one_run_get_it_exactly_once() {
    let (hub, site, token) = ready().await;
    for i in 0..5 {
        hub.submit(&token, &format!("tool {i}")).await;
    }
    let answers = futures_util::future::join_all((0..20).map(|_| hub.claim(&site))).await;
    let mut runs: Vec<String> = answers.into_iter().flatten().map(|o| o.run).collect();
    assert_eq!(runs.len(), 5);
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), 5, "no run twice");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_waits_wakes_when_work_arrives() {
    let (hub, site, token) = ready().await;
    let body = json!({"wait_s": 20});
    let waiting = hub.post("/node/claim", Some(&site.token), &body);
    let submitting = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        hub.submit(&token, "tool").await;
        std::time::Instant::now()
    };
    let ((status, _), submitted) = futures_util::future::join(waiting, submitting).await;
    assert_eq!(status, 200);
    assert!(submitted.elapsed().as_millis() < 1000, "woken, not polled");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_ended_goes_to_another_attempt_and_the_fence_keeps_the_first_out() {
    let (hub, site, token) = ready().await;
    hub.submit(&token, "tool").await;
    let first = hub.claim(&site).await.unwrap();
    assert_eq!((first.fence, first.attempt), (1, 1));
    assert!(hub.claim(&site).await.is_none(), "leased");
    hub.move_clock(50_000);
    assert_eq!(beat(&hub, &site, &first).await.0, 200, "renewed in time");
    hub.move_clock(50_000);
    assert!(hub.claim(&site).await.is_none(), "the heartbeat extended the lease");
    hub.move_clock(11_000);
    let second = hub.claim(&site).await.unwrap();
    assert_eq!((second.run.as_str(), second.fence, second.attempt), (first.run.as_str(), 2, 2));
    for (status, body) in [
        beat(&hub, &site, &first).await,
        hub.report(&site, &first, &assessment(&site, &first, 0.5)).await,
        hub.fail(&site, &first, "site-error").await,
    ] {
        assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("lease-lost")), "{body}");
    }
    assert_eq!(hub.report(&site, &second, &assessment(&site, &second, 0.5)).await.0, 200);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_result_counts_while_nobody_else_has_claimed_the_run() {
    let (hub, site, token) = ready().await;
    let id = hub.submit(&token, "tool").await;
    let order = hub.claim(&site).await.unwrap();
    hub.move_clock(120_000);
    // The background task shows the run as queued again.
    for _ in 0..400 {
        let (_, status) = hub.get(&format!("/submissions/{id}"), Some(&token)).await;
        if status["runs"][0]["state"] == "queued" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(hub.report(&site, &order, &assessment(&site, &order, 0.5)).await.0, 200);
    assert!(hub.claim(&site).await.is_none());
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_result_again_gives_the_same_answer_and_another_result_is_refused() {
    let (hub, site, token) = ready().await;
    hub.submit(&token, "tool").await;
    let order = hub.claim(&site).await.unwrap();
    let envelope = assessment(&site, &order, 0.5);
    let posts = (0..8).map(|_| hub.report(&site, &order, &envelope));
    let answers = futures_util::future::join_all(posts).await;
    assert!(answers.iter().all(|a| a.0 == 200 && a.1 == answers[0].1), "{answers:?}");
    let (status, body) = hub.report(&site, &order, &assessment(&site, &order, 0.75)).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("result-differs")));
    let (status, stored) = hub.get(&format!("/assessments/{}", order.run), Some(&token)).await;
    assert_eq!(status, 200);
    assert_eq!(stored, serde_json::to_value(&envelope).unwrap());
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_with_a_foreign_signature_or_about_something_else_is_refused() {
    let (hub, site, token) = ready().await;
    hub.submit(&token, "tool").await;
    let order = hub.claim(&site).await.unwrap();
    let refuse = async |envelope, code: &str, what: &str| {
        let (status, body) = hub.report(&site, &order, &envelope).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some(code)), "{what}: {body}");
    };
    let good = statement(&order, 0.5, 20, 0);
    refuse(sign(&good, &SigningKey::from_bytes(&[1; 32])), "signature-invalid", "another key").await;
    let mut tampered = sign(&good, &site.key);
    tampered.payload = sign(&statement(&order, 0.75, 20, 0), &site.key).payload;
    refuse(tampered, "signature-invalid", "another payload").await;
    let change = |f: &dyn Fn(&mut fiel_schemas::assessment::Statement)| {
        let mut changed = good.clone();
        f(&mut changed);
        sign(&changed, &site.key)
    };
    let other = "0".repeat(64);
    refuse(change(&|s| s.predicate.site = "south".into()), "statement-mismatch", "site").await;
    refuse(change(&|s| s.predicate.challenge_digest.clone_from(&other)), "statement-mismatch", "challenge")
        .await;
    refuse(change(&|s| s.predicate.reference_set_digest.clone_from(&other)), "statement-mismatch", "set")
        .await;
    refuse(
        change(&|s| {
            s.subject[0].digest.insert("sha256".into(), other.clone());
        }),
        "statement-mismatch",
        "artifact",
    )
    .await;
    refuse(change(&|s| s.predicate.metrics.clear()), "document-invalid", "no metrics").await;
    let not_a_statement = fiel_schemas::dsse::sign(br#"{"cases": [0.1, 0.2]}"#, &site.key);
    refuse(not_a_statement, "document-invalid", "not a statement").await;
    assert_eq!(hub.report(&site, &order, &sign(&good, &site.key)).await.0, 200);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_at_the_site_gives_the_run_back_five_times() {
    let (hub, site, token) = ready().await;
    let id = hub.submit(&token, "tool").await;
    for attempt in 1..=5 {
        let order = hub.claim(&site).await.unwrap();
        assert_eq!(order.attempt, attempt);
        assert_eq!(hub.fail(&site, &order, "site-error").await.0, 204);
    }
    assert!(hub.claim(&site).await.is_none());
    let (_, status) = hub.get(&format!("/submissions/{id}"), Some(&token)).await;
    assert_eq!(
        (status["state"].as_str(), status["runs"][0]["reason"].as_str()),
        (Some("failed"), Some("site-error"))
    );
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_set_is_fixed_by_its_digest_and_a_new_one_takes_in_former_submissions() {
    let (hub, site, token) = ready().await;
    let id = hub.submit(&token, "tool").await;
    hub.offer(&site, "held-out").await;
    let other = json!({"challenge": "test", "digest": "0".repeat(64)});
    let (status, body) = hub.put("/node/reference-sets/held-out", Some(&site.token), &other).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("reference-set-fixed")));
    hub.site("south").await;
    let (_, status) = hub.get(&format!("/submissions/{id}"), Some(&token)).await;
    assert_eq!(status["runs"].as_array().unwrap().len(), 2);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_starts_again_knows_everything() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::own();
    let mut config = fiel_server::config::HubConfig::new(folder.path());
    config.database_url = database.as_ref().map(|d| d.url.clone());
    let first = fiel_server::hub::start(config.clone()).await.unwrap();
    let token = first.admin_token.clone().unwrap();
    first.stop().await;
    let started = std::time::Instant::now();
    let second = fiel_server::hub::start(config).await.unwrap();
    println!("started again in {} ms", started.elapsed().as_millis());
    assert_eq!(second.admin_token.as_ref(), Some(&token));
    let me = format!("{}/api/v1/auth/me", second.url);
    let answer = reqwest::Client::new().get(me).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    second.stop().await;
    assert_used(database.as_ref(), folder.path());
}
