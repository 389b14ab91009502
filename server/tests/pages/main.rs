//! Pages through a running hub: signing in, submitting, cached boards, errors as pages. On SQLite or, where
//! `FIEL_TEST_DATABASE_URL` names a PostgreSQL, on that.

use fiel_server::config::HubConfig;
use fiel_server::hub::{self, RunningHub};
use fiel_tests::database::{Database, assert_used};
use reqwest::header::{
    CONTENT_SECURITY_POLICY, ETAG, HeaderMap, IF_NONE_MATCH, LOCATION, ORIGIN, SET_COOKIE,
};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::json;
use std::time::{Duration, Instant};

const CHALLENGE: &str = include_str!("../../../challenges/breast-fna/challenge.yaml");
const BOUNDARY: &str = "----fiel-test-boundary";
const PASSWORD: &str = "a long enough passphrase";

struct TestHub {
    hub: RunningHub,
    client: Client,
    _folder: tempfile::TempDir,
    _database: Option<Database>,
}

impl TestHub {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut HubConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::own();
        let mut config = HubConfig::new(folder.path());
        config.database_url = database.as_ref().map(|d| d.url.clone());
        change(&mut config);
        let hub = hub::start(config).await.expect("the hub starts");
        assert_used(database.as_ref(), folder.path());
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        let test = Self { hub, client, _folder: folder, _database: database };
        test.api(
            "challenges",
            "application/yaml",
            CHALLENGE.replace("artifact_mib: 256", "artifact_mib: 16"),
        )
        .await;
        let account = json!({"name": "ada", "role": "participant", "password": PASSWORD});
        test.api("accounts", "application/json", account.to_string()).await;
        test
    }

    async fn api(&self, path: &str, media_type: &str, body: String) {
        let request = self
            .client
            .post(format!("{}/api/v1/{path}", self.hub.url))
            .bearer_auth(self.hub.admin_token.as_ref().expect("the first start"));
        let response = request.header("content-type", media_type).body(body).send().await.expect("an answer");
        let status = response.status();
        assert!(status.is_success(), "{path}: {status} {}", response.text().await.unwrap_or_default());
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> Response {
        let mut request = self.client.get(format!("{}{path}", self.hub.url));
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.expect("an answer")
    }

    async fn form(&self, path: &str, body: &str, origin: &str, cookie: &str) -> Response {
        self.client
            .post(format!("{}{path}", self.hub.url))
            .header(ORIGIN, origin)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
            .send()
            .await
            .expect("an answer")
    }

    async fn sign_in(&self) -> String {
        let body = format!("name=ada&password={}&next=%2Fsubmit%2Fbreast-fna", PASSWORD.replace(' ', "+"));
        let response = self.form("/login", &body, &self.hub.url, "").await;
        assert_eq!(response.status(), 303, "{}", response.text().await.unwrap_or_default());
        assert_eq!(header(response.headers(), LOCATION.as_str()), "/submit/breast-fna");
        let cookie = header(response.headers(), SET_COOKIE.as_str());
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().expect("a pair").to_owned()
    }

    async fn submit(&self, cookie: &str, csrf: &str, tool: &str, bytes: &[u8]) -> Response {
        self.send(cookie, multipart(csrf, tool, bytes).into()).await
    }

    async fn send(&self, cookie: &str, body: reqwest::Body) -> Response {
        self.client
            .post(format!("{}/submit/breast-fna", self.hub.url))
            .header(ORIGIN, &self.hub.url)
            .header("cookie", cookie)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
            .send()
            .await
            .expect("an answer")
    }
}

/// The submission form as a browser sends it.
fn multipart(csrf: &str, tool: &str, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in
        [("csrf", csrf), ("key", "k1"), ("tool", tool), ("version", "1.0"), ("description", "")]
    {
        let part =
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"artifact\"; filename=\"m.wasm\"\r\n\
             content-type: application/wasm\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

fn token_in(page: &str) -> String {
    let after = page.split("name=\"csrf\" value=\"").nth(1).expect("a token in the page");
    after.split('"').next().expect("its end").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_answers_and_may_load_nothing_from_elsewhere() {
    let test = TestHub::start().await;
    for path in
        ["/", "/challenges/breast-fna", "/challenges/breast-fna/leaderboard", "/login", "/docs/errors"]
    {
        let response = test.get(path, None).await;
        assert_eq!(response.status(), 200, "{path}");
        let policy = header(response.headers(), CONTENT_SECURITY_POLICY.as_str());
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
        let html = response.text().await.expect("text");
        assert!(html.starts_with("<!doctype html>") && html.matches("<h1").count() == 1, "{path}");
    }
    for path in [
        "/static/style.css",
        "/static/plot.css",
        "/static/live.js",
        "/static/favicon.svg",
        "/challenges/breast-fna/plots/roc.svg",
        "/challenges/breast-fna/plots/reliability.svg",
    ] {
        assert_eq!(test.get(path, None).await.status(), 200, "{path}");
    }
    test.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_a_page_for_people_and_a_problem_for_programs() {
    let test = TestHub::start().await;
    for path in ["/nowhere", "/challenges/none", "/challenges/breast-fna/plots/x.svg", "/static/none"] {
        assert_eq!(test.get(path, None).await.status(), 404, "{path}");
    }
    let page = test.get("/challenges/none", None).await.text().await.expect("text");
    assert!(
        page.contains("There is no such thing here") && page.contains("/docs/errors#not-found"),
        "{page}"
    );
    let problem = test.get("/api/v1/nowhere", None).await;
    assert!(header(problem.headers(), "content-type").starts_with("application/problem+json"));
    test.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_board_is_not_sent_again() {
    let test = TestHub::start().await;
    let path = "/challenges/breast-fna/leaderboard";
    let first = test.get(path, None).await;
    let etag = header(first.headers(), ETAG.as_str());
    assert!(!etag.is_empty());
    let again = test.client.get(format!("{}{path}?page=1", test.hub.url)).header(IF_NONE_MATCH, &etag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
    let packed = test.client.get(format!("{}{path}", test.hub.url)).header("accept-encoding", "gzip");
    assert_eq!(header(packed.send().await.expect("an answer").headers(), "content-encoding"), "gzip");
    test.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_submits_and_signs_out() {
    let test = TestHub::start().await;
    let stranger = test.get("/submit/breast-fna", None).await;
    assert_eq!(header(stranger.headers(), LOCATION.as_str()), "/login?next=%2Fsubmit%2Fbreast-fna");
    let cookie = test.sign_in().await;
    let form = test.get("/submit/breast-fna", Some(&cookie)).await.text().await.expect("text");
    assert!(form.contains("You have 20 left"), "{form}");
    let csrf = token_in(&form);
    let done = test.submit(&cookie, &csrf, "my-model", b"\0asm\x01\0\0\0").await;
    assert_eq!(done.status(), 303, "{}", done.text().await.unwrap_or_default());
    let place = header(done.headers(), LOCATION.as_str());
    let page = test.get(&place, Some(&cookie)).await.text().await.expect("text");
    assert!(page.contains("my-model") && page.contains("No site has offered data"), "{page}");
    let again = test.submit(&cookie, &csrf, "my-model", b"\0asm\x01\0\0\0").await;
    assert_eq!(header(again.headers(), LOCATION.as_str()), place, "sending the form twice enters it once");
    let out = test.form("/logout", &format!("csrf={csrf}"), &test.hub.url, &cookie).await;
    assert_eq!(out.status(), 303);
    assert_eq!(test.get("/submit/breast-fna", Some(&cookie)).await.status(), 303, "the session has ended");
    test.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_may_take_longer_to_arrive_than_other_requests_may_last() {
    let limit = Duration::from_secs(3);
    let test = TestHub::with(|config| config.request_time = limit).await;
    let cookie = test.sign_in().await;
    let csrf = token_in(&test.get("/submit/breast-fna", Some(&cookie)).await.text().await.expect("text"));
    let form = multipart(&csrf, "slow", b"\0asm\x01\0\0\0");
    let pieces: Vec<Vec<u8>> = form.chunks(form.len().div_ceil(16)).map(<[u8]>::to_vec).collect();
    let started = Instant::now();
    let trickle = futures_util::stream::unfold(pieces.into_iter(), |mut pieces| async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        pieces.next().map(|piece| (Ok::<_, std::io::Error>(piece), pieces))
    });
    let done = test.send(&cookie, reqwest::Body::wrap_stream(trickle)).await;
    assert!(started.elapsed() > limit, "{:?}", started.elapsed());
    assert_eq!(done.status(), 303, "{}", done.text().await.unwrap_or_default());
    test.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_form_stand_beside_their_fields() {
    let test = TestHub::start().await;
    let cookie = test.sign_in().await;
    let csrf = token_in(&test.get("/submit/breast-fna", Some(&cookie)).await.text().await.expect("text"));
    let refused = test.submit(&cookie, &csrf, "<script>alert(1)</script>", b"MZ no module").await;
    assert_eq!(refused.status(), 422);
    let page = refused.text().await.expect("text");
    assert!(
        page.contains("id=\"artifact-error\"") && page.contains("neither a WebAssembly module nor"),
        "{page}"
    );
    assert!(!page.contains("<script>alert"), "{page}");
    let mut large = b"\0asm\x01\0\0\0".to_vec();
    large.resize(17 << 20, 0);
    let refused = test.submit(&cookie, &csrf, "big", &large).await.text().await.expect("text");
    assert!(refused.contains("larger than 16 MiB"), "{refused}");
    test.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_from_elsewhere_are_refused() {
    let test = TestHub::start().await;
    let cookie = test.sign_in().await;
    let elsewhere = test.form("/login", "name=ada&password=x", "https://evil.example", "").await;
    assert_eq!(elsewhere.status(), 403);
    assert_eq!(test.submit(&cookie, "wrong", "t", b"\0asm\x01\0\0\0").await.status(), 403);
    assert_eq!(test.form("/logout", "csrf=wrong", &test.hub.url, &cookie).await.status(), 403);
    let wrong = test.form("/login", "name=ada&password=wrong", &test.hub.url, "").await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().await.expect("text").contains("role=\"alert\""));
    test.hub.stop().await;
}
