//! Every path and method of the OpenAPI document as anonymous, with a wrong role, with the right role.

use crate::harness::{TestHub, challenge, module, public_key};
use ed25519_dalek::SigningKey;
use fiel_schemas::digest::sha256_hex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Who {
    Anybody,
    Reader,
    Participant,
    Organizer,
    Administrator,
    Site,
}

use Who::{Administrator, Anybody, Organizer, Participant, Reader, Site};

/// Method, path of the document, path to call, body, who may, status for them.
type Case = (&'static str, &'static str, String, Value, Who, u16);

fn public(digest: &str, code: &str) -> Vec<Case> {
    let key = public_key(&SigningKey::from_bytes(&[9; 32]));
    let none = Value::Null;
    let login = json!({"account": "reader", "password": "correct horse battery"});
    let file = "/challenges/test/files/README.md".to_owned();
    vec![
        ("get", "/health", "/health".into(), none.clone(), Anybody, 200),
        ("get", "/openapi.json", "/openapi.json".into(), none.clone(), Anybody, 200),
        ("post", "/auth/login", "/auth/login".into(), login, Anybody, 200),
        ("post", "/auth/logout", "/auth/logout".into(), none.clone(), Anybody, 204),
        ("get", "/challenges", "/challenges".into(), none.clone(), Anybody, 200),
        ("get", "/challenges/{id}", "/challenges/test".into(), none.clone(), Anybody, 200),
        ("get", "/challenges/{id}/files", "/challenges/test/files".into(), none.clone(), Anybody, 200),
        ("get", "/challenges/{id}/files/{path}", file.clone(), none.clone(), Anybody, 200),
        (
            "get",
            "/challenges/{id}/leaderboard",
            "/challenges/test/leaderboard".into(),
            none.clone(),
            Anybody,
            200,
        ),
        (
            "get",
            "/challenges/{id}/leaderboard.csv",
            "/challenges/test/leaderboard.csv".into(),
            none.clone(),
            Anybody,
            200,
        ),
        ("get", "/sites", "/sites".into(), none.clone(), Anybody, 200),
        ("get", "/sites/{id}", "/sites/north".into(), none.clone(), Anybody, 200),
        // The code is the credential: only the first use works, which anonymous makes.
        ("post", "/node/enrol", "/node/enrol".into(), json!({"code": code, "public_key": key}), Anybody, 403),
        ("put", "/challenges/{id}/files/{path}", format!("{file}?sha256={digest}"), none, Organizer, 200),
    ]
}

fn people(submission: &str, digest: &str) -> Vec<Case> {
    let none = Value::Null;
    let new = json!({"tool": "a", "version": "1", "artifact": digest});
    let account = json!({"name": "new", "role": "reader", "password": "correct horse battery"});
    vec![
        ("get", "/auth/me", "/auth/me".into(), none.clone(), Reader, 200),
        (
            "put",
            "/auth/password",
            "/auth/password".into(),
            json!({"password": "correct horse battery"}),
            Reader,
            204,
        ),
        // One's own; asked as whoever calls, `reader` is another's account for all but the reader: see below.
        (
            "post",
            "/accounts/{account}/tokens",
            "/accounts/reader/tokens".into(),
            json!({"name": "t"}),
            Reader,
            201,
        ),
        ("delete", "/tokens/{id}", "/tokens/none".into(), none.clone(), Reader, 404),
        ("get", "/assessments/{run}", "/assessments/none".into(), none.clone(), Reader, 404),
        ("put", "/artifacts/{sha256}", format!("/artifacts/{digest}"), none.clone(), Participant, 200),
        (
            "post",
            "/challenges/{id}/submissions",
            "/challenges/test/submissions".into(),
            new,
            Participant,
            201,
        ),
        ("get", "/submissions", "/submissions".into(), none.clone(), Reader, 200),
        ("get", "/submissions/{id}", format!("/submissions/{submission}"), none.clone(), Reader, 404),
        (
            "get",
            "/submissions/{id}/events",
            format!("/submissions/{submission}/events"),
            none.clone(),
            Reader,
            404,
        ),
        ("post", "/challenges", "/challenges".into(), challenge(100), Organizer, 200),
        ("post", "/sites", "/sites".into(), json!({"id": "new", "title": "New"}), Organizer, 201),
        ("post", "/sites/{id}/codes", "/sites/north/codes".into(), json!({}), Organizer, 201),
        ("post", "/accounts", "/accounts".into(), account, Administrator, 201),
        ("get", "/accounts", "/accounts".into(), none, Administrator, 200),
    ]
}

fn nodes(run: &str, digest: &str) -> Vec<Case> {
    let envelope = json!({"payloadType": "application/vnd.in-toto+json", "payload": "", "signatures": []});
    let offer = json!({"challenge": "test", "digest": sha256_hex(b"north/held-out")});
    let beat = json!({"fence": 99, "done": 0, "total": 1});
    let at = |what: &str| format!("/node/runs/{run}/{what}");
    vec![
        ("put", "/node/reference-sets/{id}", "/node/reference-sets/held-out".into(), offer, Site, 204),
        ("post", "/node/runs/{run}/heartbeat", at("heartbeat"), beat, Site, 409),
        (
            "post",
            "/node/runs/{run}/assessment",
            at("assessment"),
            json!({"fence": 99, "envelope": envelope}),
            Site,
            422,
        ),
        (
            "post",
            "/node/runs/{run}/failure",
            at("failure"),
            json!({"fence": 99, "reason": "site-error"}),
            Site,
            409,
        ),
        ("get", "/artifacts/{sha256}", format!("/artifacts/{digest}"), Value::Null, Site, 404),
        (
            "get",
            "/artifacts/{manifest}/blobs/{sha256}",
            format!("/artifacts/{digest}/blobs/{digest}"),
            Value::Null,
            Site,
            404,
        ),
        ("post", "/node/claim", "/node/claim".into(), json!({"wait_s": 0}), Site, 200),
    ]
}

/// The registry, for whoever may submit.
fn registry(digest: &str) -> Vec<Case> {
    let blob = "/v2/{challenge}/{tool}/blobs/{digest}";
    let upload = "/v2/{challenge}/{tool}/blobs/uploads/{id}";
    let manifest = "/v2/{challenge}/{tool}/manifests/{reference}";
    let at = |what: &str| format!("/v2/test/tool/{what}");
    let (none, unknown) = (at("blobs/uploads/none"), at(&format!("blobs/sha256:{digest}")));
    let rows = [
        ("get", "/v2/", "/v2/".to_owned(), 200),
        ("post", "/v2/{challenge}/{tool}/blobs/uploads/", at("blobs/uploads/"), 202),
        ("get", upload, none.clone(), 404),
        ("patch", upload, none.clone(), 404),
        ("put", upload, format!("{none}?digest=sha256:{digest}"), 404),
        ("delete", upload, none, 404),
        ("head", blob, unknown.clone(), 404),
        ("get", blob, unknown, 404),
        ("head", manifest, at("manifests/1.0"), 404),
        ("get", manifest, at("manifests/1.0"), 404),
        ("put", manifest, at("manifests/1.0"), 400),
        ("get", "/v2/{challenge}/{tool}/tags/list", at("tags/list"), 200),
    ];
    rows.map(|(method, path, call, status)| (method, path, call, Value::Null, Participant, status)).into()
}

struct Tokens {
    reader: String,
    participant: String,
    organizer: String,
    administrator: String,
    site: String,
}

impl Tokens {
    fn of(&self, who: Who) -> Option<&str> {
        match who {
            Anybody => None,
            Reader => Some(&self.reader),
            Participant => Some(&self.participant),
            Organizer => Some(&self.organizer),
            Administrator => Some(&self.administrator),
            Site => Some(&self.site),
        }
    }

    /// The strongest tokens that must not do.
    fn wrong(&self, needed: Who) -> Vec<&str> {
        match needed {
            Anybody => vec![],
            Reader => vec![&self.site],
            Participant => vec![&self.reader, &self.site],
            Organizer => vec![&self.participant, &self.reader, &self.site],
            Administrator => vec![&self.organizer, &self.participant, &self.reader, &self.site],
            Site => vec![&self.administrator, &self.organizer, &self.participant, &self.reader],
        }
    }
}

async fn call(hub: &TestHub, case: &Case, token: Option<&str>) -> (StatusCode, Value) {
    let method = Method::from_bytes(case.0.to_uppercase().as_bytes()).unwrap();
    let request = hub.request(method, &case.2, token);
    let is_upload = case.0 == "put" && (case.1.contains("artifacts") || case.1.contains("files"));
    let request = match &case.3 {
        Value::Null if is_upload => request.body(module(b"module")),
        Value::Null => request,
        body => request.json(body),
    };
    crate::harness::read(request.send().await.unwrap()).await
}

/// Whether the answer carries the platform's code, which the registry gives as the detail of the specification's.
fn check_code(case: &Case, body: &Value, expected: &str, who: &str) {
    let (method, path) = (case.0, case.1);
    let code = if path.starts_with("/v2/") { &body["errors"][0]["detail"]["code"] } else { &body["code"] };
    // Answers to `HEAD` have no body.
    let expected = if method == "head" { Value::Null } else { expected.into() };
    assert_eq!(*code, expected, "{method} {path} {who}: {body}");
}

async fn documented(hub: &TestHub) -> BTreeSet<(String, String)> {
    let (_, document) = hub.get("/openapi.json", None).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            found.insert((method.clone(), path.strip_prefix("/api/v1").unwrap_or(path).to_owned()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_to_the_right_role_only() {
    let hub = TestHub::start().await;
    hub.challenge(100).await;
    let site = hub.site("north").await;
    let tokens = Tokens {
        reader: hub.account("reader", "reader").await,
        participant: hub.account("participant", "participant").await,
        organizer: hub.account("organizer", "organizer").await,
        administrator: hub.admin.clone(),
        site: site.token.clone(),
    };
    let submission = hub.submit(&tokens.participant, "module").await;
    let (_, status) = hub.get(&format!("/submissions/{submission}"), Some(&tokens.participant)).await;
    let run = status["runs"][0]["run"].as_str().unwrap().to_owned();
    let digest = sha256_hex(&module(b"module"));
    let mut cases = people(&submission, &digest);
    cases.extend(nodes(&run, &digest));
    cases.extend(registry(&digest));
    // The file must be there before anybody reads it.
    let (files, rest): (Vec<Case>, Vec<Case>) =
        public(&digest, "unknown").into_iter().partition(|c| c.0 == "put");
    cases = files.into_iter().chain(cases).chain(rest).collect();
    let covered: BTreeSet<(String, String)> = cases.iter().map(|c| (c.0.into(), c.1.into())).collect();
    let documented = documented(&hub).await;
    assert_eq!(covered, documented, "every route has a row here, and no row is stale");
    for case in &cases {
        let name = format!("{} {}", case.0, case.1);
        if case.4 != Anybody {
            let (status, body) = call(&hub, case, None).await;
            assert_eq!(status, 401, "{name} as anonymous");
            check_code(case, &body, "not-signed-in", "as anonymous");
            let (status, _) =
                call(&hub, case, Some("fiel_000000000000000000000000000000000000000000000000")).await;
            assert_eq!(status, 401, "{name} with an unknown token");
        }
        for token in tokens.wrong(case.4) {
            let (status, body) = call(&hub, case, Some(token)).await;
            assert_eq!(status, 403, "{name} in a wrong role");
            check_code(case, &body, "wrong-role", "in a wrong role");
        }
        let (status, body) = call(&hub, case, tokens.of(case.4)).await;
        assert_eq!(status.as_u16(), case.5, "{name} as {:?}: {body}", case.4);
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_somebody_else_does_not_exist() {
    let hub = TestHub::start().await;
    hub.challenge(100).await;
    let (north, south) = (hub.site("north").await, hub.site("south").await);
    let (anna, ben) = (hub.account("anna", "participant").await, hub.account("ben", "participant").await);
    let submission = hub.submit(&anna, "module").await;
    let path = format!("/submissions/{submission}");
    assert_eq!(hub.get(&path, Some(&anna)).await.0, 200);
    assert_eq!(hub.get(&path, Some(&hub.admin)).await.0, 200);
    assert_eq!(hub.get(&path, Some(&ben)).await.0, 404);
    assert_eq!(hub.get(&format!("{path}/events"), Some(&ben)).await.0, 404);
    let (status, _) = hub.post("/accounts/anna/tokens", Some(&ben), &json!({"name": "t"})).await;
    assert_eq!(status, 404, "another's account");
    let order = hub.claim(&north).await.unwrap();
    let beat = json!({"fence": order.fence, "done": 0, "total": 1});
    let (status, _) =
        hub.post(&format!("/node/runs/{}/heartbeat", order.run), Some(&south.token), &beat).await;
    assert_eq!(status, 404, "another site's run");
    let artifact = format!("/artifacts/{}", order.submission.artifact.sha256);
    assert_eq!(hub.get(&artifact, Some(&south.token)).await.0, 404, "not leased to it");
    assert_eq!(hub.get(&artifact, Some(&north.token)).await.0, 200);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_logout_and_cross_site_writes_are_refused() {
    let hub = TestHub::start().await;
    hub.account("anna", "participant").await;
    let login = json!({"account": "anna", "password": "correct horse battery"});
    let wrong = json!({"account": "anna", "password": "wrong horse battery"});
    assert_eq!(hub.post("/auth/login", None, &wrong).await.0, 401);
    let answer = hub.request(Method::POST, "/auth/login", None).json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(header.contains("HttpOnly") && header.contains("SameSite=Lax"), "{header}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let cookie = header.split(';').next().unwrap().to_owned();
    let with = |method: Method, path: &str| hub.request(method, path, None).header("Cookie", &cookie);
    let get = || async { with(Method::GET, "/auth/me").send().await.unwrap().status() };
    assert_eq!(get().await, 200);
    let password = json!({"password": "another long password"});
    for (header, value) in
        [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("X-None", "")]
    {
        let request = with(Method::PUT, "/auth/password").header(header, value).json(&password);
        assert_eq!(request.send().await.unwrap().status(), 403, "{header}");
    }
    let out =
        with(Method::POST, "/auth/logout").header("Sec-Fetch-Site", "same-origin").send().await.unwrap();
    assert_eq!(out.status(), 204);
    assert_eq!(get().await, 401, "replayed after logout");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_stored_hashed_only() {
    let hub = TestHub::start().await;
    let token = hub.account("anna", "participant").await;
    let site = hub.site_without_data("north").await;
    if std::env::var("FIEL_TEST_DATABASE_URL").is_err() {
        for name in ["hub.sqlite", "hub.sqlite-wal"] {
            let bytes = std::fs::read(hub.folder().join(name)).unwrap_or_default();
            for secret in [&token, &site.token, &hub.admin] {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "a secret stands in {name}");
            }
        }
    }
    let mode = std::fs::metadata(hub.folder().join("admin-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    hub.end().await;
}
