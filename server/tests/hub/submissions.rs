//! Quota, idempotency, status, live progress.

use crate::harness::{DAY_MS, TestHub, assessment};
use futures_util::StreamExt;
use reqwest::Method;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_submissions_at_once_under_a_limit_of_three_give_exactly_three() {
    let hub = TestHub::start().await;
    hub.challenge(3).await;
    hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    let artifact = hub.upload(&token, b"module").await;
    let posts = (0..64).map(|_| hub.try_submit(&token, None, "tool", &artifact));
    let answers = futures_util::future::join_all(posts).await;
    let accepted = answers.iter().filter(|a| a.0 == 201).count();
    let refused = answers.iter().filter(|a| a.0 == 429 && a.1["code"] == "quota-exceeded").count();
    assert_eq!((accepted, refused), (3, 61));
    let (_, mine) = hub.get("/submissions", Some(&token)).await;
    assert_eq!(mine.as_array().unwrap().len(), 3);
    hub.move_clock(DAY_MS + 1000);
    assert_eq!(hub.try_submit(&token, None, "tool", &artifact).await.0, 201, "the window moved on");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_key_gives_the_same_submission_and_other_contents_are_refused() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    let artifact = hub.upload(&token, b"module").await;
    let posts = (0..16).map(|_| hub.try_submit(&token, Some("once"), "tool", &artifact));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(answers.iter().filter(|a| a.0 == 201).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.0 == 200).count(), 15);
    assert!(answers.iter().all(|a| a.1["submission"]["id"] == answers[0].1["submission"]["id"]));
    let (status, body) = hub.try_submit(&token, Some("once"), "other tool", &artifact).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("idempotency-key-reused")));
    let other = hub.account("ben", "participant").await;
    assert_eq!(hub.try_submit(&other, Some("once"), "tool", &artifact).await.0, 201, "keys are per account");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_comes_back_when_every_run_failed_for_reasons_of_the_platform() {
    let hub = TestHub::start().await;
    hub.challenge(1).await;
    let (north, south) = (hub.site("north").await, hub.site("south").await);
    let token = hub.account("anna", "participant").await;
    let artifact = hub.upload(&token, b"module").await;
    assert_eq!(hub.try_submit(&token, None, "tool", &artifact).await.0, 201);
    for (site, reason) in [(&north, "reference-set-missing"), (&south, "policy-refused")] {
        assert_eq!(hub.try_submit(&token, None, "tool", &artifact).await.0, 429);
        let order = hub.claim(site).await.unwrap();
        assert_eq!(hub.fail(site, &order, reason).await.0, 204);
        assert_eq!(hub.fail(site, &order, reason).await.0, 204, "a retried message is no error");
    }
    assert_eq!(hub.try_submit(&token, None, "tool", &artifact).await.0, 201, "the slot came back");
    for site in [&north, &south] {
        let order = hub.claim(site).await.unwrap();
        assert_eq!(hub.fail(site, &order, "artifact-invalid").await.0, 204);
    }
    assert_eq!(
        hub.try_submit(&token, None, "tool", &artifact).await.0,
        429,
        "the model's own fault costs a slot"
    );
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_needs_an_uploaded_artifact_of_allowed_size_and_plain_names() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let token = hub.account("anna", "participant").await;
    let (status, body) = hub.try_submit(&token, None, "tool", &"0".repeat(64)).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("artifact-missing")));
    let large = hub.upload(&token, &vec![0; (1 << 20) + 1]).await;
    let (status, body) = hub.try_submit(&token, None, "tool", &large).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (413, Some("artifact-too-large")));
    let artifact = hub.upload(&token, b"module").await;
    for tool in ["", " ", "a\nb", &"x".repeat(81)] {
        let (status, body) = hub.try_submit(&token, None, tool, &artifact).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (400, Some("bad-request")), "{tool:?}");
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_arrives_as_events_until_every_run_has_ended() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let site = hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    let id = hub.submit(&token, "tool").await;
    let answer =
        hub.request(Method::GET, &format!("/submissions/{id}/events"), Some(&token)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let work = async {
        let order = hub.claim(&site).await.unwrap();
        let beat = serde_json::json!({"fence": order.fence, "done": 5, "total": 20});
        let (status, _) =
            hub.post(&format!("/node/runs/{}/heartbeat", order.run), Some(&site.token), &beat).await;
        assert_eq!(status, 200);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(hub.report(&site, &order, &assessment(&site, &order, 0.5)).await.0, 200);
    };
    let read = async {
        let mut text = String::new();
        let mut bytes = answer.bytes_stream();
        while let Some(part) = bytes.next().await {
            text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        }
        text
    };
    let limit = std::time::Duration::from_secs(20);
    let (text, ()) = tokio::time::timeout(limit, futures_util::future::join(read, work)).await.unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["runs"][0]["state"], "queued");
    assert!(events.iter().any(|e| e["runs"][0]["done"] == 5), "{text}");
    let last = events.last().unwrap();
    assert_eq!((last["state"].as_str(), last["runs"][0]["cases"]["ok"].as_u64()), (Some("done"), Some(20)));
    hub.end().await;
}
