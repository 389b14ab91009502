//! Images that stay in other registries: what the hub takes, passes on, and does not give away.

use crate::harness::{TestHub, assessment, module, read};
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::OCI_MANIFEST;
use fiel_schemas::submission::{MediaType, Source};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Enters an image of `registry.example.org/group/tool`, changed as the test wants it.
async fn enter(
    hub: &TestHub,
    token: &str,
    sha256: &str,
    change: impl FnOnce(&mut Value),
) -> (StatusCode, Value) {
    let mut body = json!({"tool": "tool", "version": "1", "artifact": sha256,
        "image": {"registry": "registry.example.org", "repository": "group/tool", "size": 700_000}});
    change(&mut body);
    hub.post("/challenges/test/submissions", Some(token), &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_elsewhere_is_ordered_by_its_place_and_digest_and_reported_like_any_other() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let site = hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    let sha256 = sha256_hex(b"a manifest that the hub never sees");
    let (status, body) = enter(&hub, &token, &sha256, |_| {}).await;
    assert_eq!(status, 201, "{body}");
    let source = json!({"registry": "registry.example.org", "repository": "group/tool"});
    let artifact = json!({"media_type": OCI_MANIFEST, "sha256": sha256, "size": 700_000, "source": source});
    assert_eq!(body["submission"]["artifact"], artifact);

    let order = hub.claim(&site).await.unwrap();
    let ordered = &order.submission.artifact;
    let source = Source { registry: "registry.example.org".into(), repository: "group/tool".into() };
    assert_eq!((ordered.media_type, &ordered.source), (MediaType::ImageManifest, &Some(source)));
    assert_eq!((ordered.sha256.as_str(), ordered.size), (sha256.as_str(), 700_000));
    for path in [format!("/artifacts/{sha256}"), format!("/artifacts/{sha256}/blobs/{sha256}")] {
        assert_eq!(hub.get(&path, Some(&site.token)).await.0, 404, "the hub has no bytes of it");
    }
    let (status, answer) = hub.report(&site, &order, &assessment(&site, &order, 0.5)).await;
    assert_eq!(status, 200, "{answer}");
    let board = hub.board_when(|board| board["leaderboard"][0]["rank"] == 1).await;
    assert_eq!(board["leaderboard"][0]["artifact"], sha256);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_an_image_elsewhere_is_not_believed_of_bytes_that_are_here() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let site = hub.site("north").await;
    let (mallory, anna) =
        (hub.account("mallory", "participant").await, hub.account("anna", "participant").await);
    let bytes = module(b"anna's");
    let sha256 = sha256_hex(&bytes);
    // Mallory names the digest before Anna uploads, and again after.
    assert_eq!(enter(&hub, &mallory, &sha256, |_| {}).await.0, 201);
    let (status, body) = hub.try_submit(&anna, None, "tool", &sha256).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("artifact-missing")), "{body}");
    assert_eq!(hub.upload(&anna, b"anna's").await, sha256);
    assert_eq!(enter(&hub, &mallory, &sha256, |_| {}).await.0, 201);
    assert_eq!(hub.upload(&anna, b"anna's").await, sha256);
    let (status, body) = hub.try_submit(&anna, None, "tool", &sha256).await;
    assert_eq!(status, 201, "{body}");
    let expected = json!({"media_type": "application/wasm", "sha256": sha256, "size": bytes.len()});
    assert_eq!(body["submission"]["artifact"], expected);

    let download = async || {
        let path = format!("/artifacts/{sha256}");
        hub.request(Method::GET, &path, Some(&site.token)).send().await.unwrap()
    };
    for is_elsewhere in [true, true, false] {
        let order = hub.claim(&site).await.unwrap();
        assert_eq!(order.submission.artifact.source.is_some(), is_elsewhere);
        let answer = download().await;
        assert_eq!(answer.status(), if is_elsewhere { 404 } else { 200 });
        if !is_elsewhere {
            assert_eq!(answer.bytes().await.unwrap(), bytes);
        }
        hub.fail(&site, &order, "policy-refused").await;
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_elsewhere_is_held_to_the_rules_of_the_challenge_and_to_names_that_are_names() {
    let hub = TestHub::start().await;
    hub.challenge(2).await;
    let token = hub.account("anna", "participant").await;
    let sha256 = "ab".repeat(32);
    for (name, value, words) in [
        ("registry", json!("https://registry.example.org"), "`image/registry` must be a host"),
        ("registry", json!("Registry.example.org"), "`image/registry` must be a host"),
        ("registry", json!(""), "`image/registry` must be a host"),
        ("repository", json!("group/tool:1.0"), "`image/repository` must be the name"),
        ("repository", json!("../tool"), "`image/repository` must be the name"),
        ("size", json!(0), "`image/size` must be"),
        ("size", json!(-1), "JSON body is wrong"),
        ("tag", json!("1.0"), "JSON body is wrong"),
    ] {
        let (status, body) = enter(&hub, &token, &sha256, |body| body["image"][name] = value).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (400, Some("bad-request")), "{name}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(words), "{name}: {body}");
    }
    let (status, body) = enter(&hub, &token, "1.0", |_| {}).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (400, Some("bad-request")), "a tag is no digest");
    let large = |body: &mut Value| body["image"]["size"] = json!((1 << 20) + 1);
    let (status, body) = enter(&hub, &token, &sha256, large).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (413, Some("artifact-too-large")));
    let whole = |body: &mut Value| body["image"]["size"] = json!(1 << 20);
    assert_eq!(enter(&hub, &token, &sha256, whole).await.0, 201);
    assert_eq!(enter(&hub, &token, &sha256, |_| {}).await.0, 201);
    assert_eq!(enter(&hub, &token, &sha256, |_| {}).await.0, 429, "the quota counts them");

    let mut modules = crate::harness::challenge(10);
    (modules["id"], modules["accepts"]) = (json!("modules"), json!(["wasm"]));
    assert_eq!(hub.post("/challenges", Some(&hub.admin), &modules).await.0, 201);
    let body = json!({"tool": "tool", "version": "1", "artifact": sha256,
        "image": {"registry": "registry.example.org", "repository": "group/tool", "size": 1}});
    let request = hub.request(Method::POST, "/challenges/modules/submissions", Some(&token)).json(&body);
    let (status, body) = read(request.send().await.unwrap()).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("artifact-kind-refused")), "{body}");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_gives_nothing_costs_its_submitter_a_slot_and_one_that_a_site_refuses_does_not() {
    let hub = TestHub::start().await;
    hub.challenge(1).await;
    let site = hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    let sha256 = "ab".repeat(32);
    for (reason, state) in [("policy-refused", "refused"), ("pull-failed", "failed")] {
        let (status, body) = enter(&hub, &token, &sha256, |_| {}).await;
        assert_eq!(status, 201, "{reason}: {body}");
        let order = hub.claim(&site).await.unwrap();
        assert_eq!(hub.fail(&site, &order, reason).await.0, 204);
        let id = body["submission"]["id"].as_str().unwrap();
        let (_, told) = hub.get(&format!("/submissions/{id}"), Some(&token)).await;
        assert_eq!((&told["runs"][0]["state"], &told["runs"][0]["reason"]), (&state.into(), &reason.into()));
    }
    assert_eq!(enter(&hub, &token, &sha256, |_| {}).await.0, 429, "the second one's slot is used up");
    hub.end().await;
}
