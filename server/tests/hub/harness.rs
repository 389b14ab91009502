//! `TestHub`: a hub of its own for each test, people with tokens, sites with keys.

use ed25519_dalek::SigningKey;
use fiel_schemas::assessment::{
    Assessment, Costs, EngineInfo, Estimate, PREDICATE_TYPE, PolicyInfo, STATEMENT_TYPE, SiteMetric,
    Statement, Subject,
};
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::dsse::{self, Envelope};
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::summary::{Moments, Summary};
use fiel_server::config::{Clock, HubConfig};
use fiel_server::hub::{self, RunningHub};
use fiel_tests::database::{Database, assert_used};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) const DAY_MS: i64 = 86_400_000;

/// A hub with a clock the test moves.
pub(crate) struct TestHub {
    pub(crate) hub: Option<RunningHub>,
    pub(crate) url: String,
    pub(crate) admin: String,
    offset_ms: Arc<AtomicI64>,
    folder: tempfile::TempDir,
    database: Option<Database>,
    http: reqwest::Client,
}

/// An enrolled site.
pub(crate) struct TestSite {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) key: SigningKey,
}

impl TestHub {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut HubConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let offset_ms = Arc::new(AtomicI64::new(0));
        let database = Database::own();
        let mut config = HubConfig::new(folder.path());
        config.database_url = database.as_ref().map(|d| d.url.clone());
        let offset = offset_ms.clone();
        config.clock =
            Clock(Arc::new(move || chrono::Utc::now().timestamp_millis() + offset.load(Ordering::SeqCst)));
        config.workers = 1;
        change(&mut config);
        let hub = hub::start(config).await.expect("the hub starts");
        assert_used(database.as_ref(), folder.path());
        let http = reqwest::Client::new();
        let (url, admin) = (hub.url.clone(), hub.admin_token.clone().unwrap());
        Self { hub: Some(hub), url, admin, offset_ms, folder, database, http }
    }

    /// Ends the hub, and with it its folder and database.
    pub(crate) async fn end(mut self) {
        if let Some(hub) = self.hub.take() {
            hub.stop().await;
        }
    }

    /// Address of its PostgreSQL database, where it runs on one.
    pub(crate) fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(|d| d.url.clone())
    }

    pub(crate) fn move_clock(&self, ms: i64) {
        self.offset_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let root = if path.starts_with("/v2/") { "" } else { "/api/v1" };
        let request = self.http.request(method, format!("{}{root}{path}", self.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        read(self.request(Method::GET, path, token).send().await.expect("an answer")).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> (StatusCode, Value) {
        read(self.request(Method::POST, path, token).json(body).send().await.expect("an answer")).await
    }

    pub(crate) async fn put(&self, path: &str, token: Option<&str>, body: &Value) -> (StatusCode, Value) {
        read(self.request(Method::PUT, path, token).json(body).send().await.expect("an answer")).await
    }

    /// Makes an account and gives its token.
    pub(crate) async fn account(&self, name: &str, role: &str) -> String {
        let new = json!({"name": name, "role": role, "password": "correct horse battery"});
        let (status, body) = self.post("/accounts", Some(&self.admin), &new).await;
        assert_eq!(status, 201, "{body}");
        body["token"].as_str().expect("a token").to_owned()
    }

    /// Makes and enrols a site, which offers a reference set for the challenge `test`.
    pub(crate) async fn site(&self, id: &str) -> TestSite {
        let site = self.site_without_data(id).await;
        self.offer(&site, "held-out").await;
        site
    }

    pub(crate) async fn site_without_data(&self, id: &str) -> TestSite {
        let (status, body) = self.post("/sites", Some(&self.admin), &json!({"id": id, "title": id})).await;
        assert_eq!(status, 201, "{body}");
        let (_, code) = self.post(&format!("/sites/{id}/codes"), Some(&self.admin), &json!({})).await;
        let mut seed = [7; 32];
        seed[..id.len()].copy_from_slice(id.as_bytes());
        let key = SigningKey::from_bytes(&seed);
        let body = json!({"code": code["code"], "public_key": public_key(&key)});
        let (status, enrolled) = self.post("/node/enrol", None, &body).await;
        assert_eq!(status, 200, "{enrolled}");
        TestSite { id: id.into(), token: enrolled["token"].as_str().expect("a token").into(), key }
    }

    pub(crate) async fn offer(&self, site: &TestSite, set: &str) {
        let offer =
            json!({"challenge": "test", "digest": sha256_hex(format!("{}/{set}", site.id).as_bytes())});
        let (status, body) =
            self.put(&format!("/node/reference-sets/{set}"), Some(&site.token), &offer).await;
        assert_eq!(status, 204, "{body}");
    }

    /// Makes the challenge `test`, whose quota is `submissions` a day.
    pub(crate) async fn challenge(&self, submissions: u32) {
        let (status, body) = self.post("/challenges", Some(&self.admin), &challenge(submissions)).await;
        assert_eq!(status, 201, "{body}");
    }

    /// Uploads a module with this content and gives its digest.
    pub(crate) async fn upload(&self, token: &str, content: &[u8]) -> String {
        let bytes = module(content);
        let digest = sha256_hex(&bytes);
        let request = self.request(Method::PUT, &format!("/artifacts/{digest}"), Some(token));
        let answer = request.body(bytes).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        digest
    }

    pub(crate) async fn try_submit(
        &self,
        token: &str,
        key: Option<&str>,
        tool: &str,
        artifact: &str,
    ) -> (StatusCode, Value) {
        let body = json!({"tool": tool, "version": "1", "artifact": artifact});
        let mut request = self.request(Method::POST, "/challenges/test/submissions", Some(token)).json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        read(request.send().await.expect("an answer")).await
    }

    /// Uploads and submits; the submission's id.
    pub(crate) async fn submit(&self, token: &str, tool: &str) -> String {
        let artifact = self.upload(token, tool.as_bytes()).await;
        let (status, body) = self.try_submit(token, None, tool, &artifact).await;
        assert_eq!(status, 201, "{body}");
        body["submission"]["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn claim(&self, site: &TestSite) -> Option<RunOrder> {
        let (status, body) = self.post("/node/claim", Some(&site.token), &json!({"wait_s": 0})).await;
        match status.as_u16() {
            200 => Some(serde_json::from_value(body).expect("a run order")),
            204 => None,
            other => panic!("claim: {other} {body}"),
        }
    }

    pub(crate) async fn report(
        &self,
        site: &TestSite,
        order: &RunOrder,
        envelope: &Envelope,
    ) -> (StatusCode, Value) {
        let body = json!({"fence": order.fence, "envelope": envelope});
        self.post(&format!("/node/runs/{}/assessment", order.run), Some(&site.token), &body).await
    }

    pub(crate) async fn fail(&self, site: &TestSite, order: &RunOrder, reason: &str) -> (StatusCode, Value) {
        let body = json!({"fence": order.fence, "reason": reason});
        self.post(&format!("/node/runs/{}/failure", order.run), Some(&site.token), &body).await
    }

    /// The board once it is as the test wants it; boards follow changes within moments, not at once.
    pub(crate) async fn board_when(&self, ready: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            let (status, board) = self.get("/challenges/test/leaderboard", None).await;
            assert_eq!(status, 200, "{board}");
            if ready(&board) {
                return board;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        let (_, board) = self.get("/challenges/test/leaderboard", None).await;
        panic!("the board never got ready: {board:#}");
    }
}

/// Bytes that begin as a WebAssembly module does.
pub(crate) fn module(content: &[u8]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0", content].concat()
}

pub(crate) async fn read(answer: Response) -> (StatusCode, Value) {
    let status = answer.status();
    let bytes = answer.bytes().await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

pub(crate) fn public_key(key: &SigningKey) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(key.verifying_key().as_bytes())
}

/// The challenge `test`: Dice, one open phase.
pub(crate) fn challenge(submissions: u32) -> Value {
    json!({
        "schema": "fiel/challenge/v1", "id": "test", "version": "1.0.0", "title": "Test", "community": "tests",
        "summary": "A challenge for tests.", "task": "segmentation",
        "interface": {
            "inputs": [{"name": "ct", "kind": "image", "path": "ct.nii"}],
            "outputs": [{"name": "lesions", "kind": "mask", "path": "lesions.nii"}]
        },
        "metrics": ["dice"],
        "ranking": {"metric": "dice", "failed_cases": "exclude", "max_failed_fraction": 0.1},
        "limits": {"memory_mib": 64, "case_ms": 1000, "output_mib": 1, "artifact_mib": 1},
        "phases": [{
            "id": "first", "title": "First", "opens": "2026-01-01T00:00:00Z",
            "quota": {"submissions": submissions, "days": 1}
        }],
        "data": {"description": "None.", "licence": "CC0", "attribution": "Nobody."}
    })
}

/// Moments of `n` cases that all have the value `v`, a multiple of 1/4.
pub(crate) fn moments(v: f64, n: u64) -> Summary {
    let quarters = format!("{:.0}", v * 4.0).parse::<i128>().expect("a small number");
    let unit = 1_i128 << 70;
    let sum = quarters * unit * i128::from(n);
    let sum_sq = quarters * quarters * (unit >> 2) * i128::from(n);
    Summary::Moments(Moments {
        n,
        undefined: 0,
        sum: sum.to_string(),
        sum_sq: sum_sq.to_string(),
        cells: Vec::new(),
    })
}

/// What a site measured: `ok` cases of Dice `dice`, and `crashed` ones.
pub(crate) fn statement(order: &RunOrder, dice: f64, ok: u64, crashed: u64) -> Statement {
    let summary = moments(dice, ok);
    let estimate: Estimate = fiel_metrics::estimate("dice", &summary).expect("moments estimate");
    let mut cases = BTreeMap::from([("ok".to_owned(), ok)]);
    if crashed > 0 {
        cases.insert("crashed".into(), crashed);
    }
    Statement {
        statement_type: STATEMENT_TYPE.into(),
        subject: vec![Subject {
            name: format!("{} {}", order.submission.tool, order.submission.version),
            digest: BTreeMap::from([("sha256".into(), order.submission.artifact.sha256.clone())]),
        }],
        predicate_type: PREDICATE_TYPE.into(),
        predicate: Assessment {
            run: order.run.clone(),
            submission: order.submission.id.clone(),
            challenge: order.challenge.id.clone(),
            challenge_version: order.challenge.version.clone(),
            challenge_digest: order.challenge_digest.clone(),
            site: order.site.clone(),
            reference_set: order.reference_set.clone(),
            reference_set_digest: order.reference_set_digest.clone(),
            engine: EngineInfo {
                name: "wasmtime".into(),
                version: "48.0.0".into(),
                config_digest: sha256_hex(b"config"),
                confinement: vec!["landlock".into()],
                hardware: None,
            },
            metrics_version: fiel_metrics::VERSION.into(),
            cases,
            metrics: BTreeMap::from([("dice".into(), SiteMetric { estimate, summary, replicates: None })]),
            costs: Costs {
                load_s: 0.1,
                case_s_p50: 0.01,
                case_s_p95: 0.02,
                fuel: None,
                cpu_s: None,
                memory_mib_peak: None,
                output_mib: None,
            },
            policy: PolicyInfo {
                min_cases: 10,
                min_cell: 1,
                digest: sha256_hex(b"policy"),
                approved_by: "automatic".into(),
            },
            measured_at: "2026-11-23T11:00:00Z".parse().expect("a time"),
        },
    }
}

pub(crate) fn sign(statement: &Statement, key: &SigningKey) -> Envelope {
    dsse::sign(&serde_json::to_vec(statement).expect("statements serialise"), key)
}

/// The signed assessment of an ordinary run.
pub(crate) fn assessment(site: &TestSite, order: &RunOrder, dice: f64) -> Envelope {
    sign(&statement(order, dice, 20, 0), &site.key)
}
