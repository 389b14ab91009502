//! What the tests across crates share: the real binary, started on folders and ports of its own.

pub mod database;
pub mod images;
pub mod recorder;
pub mod registry;
pub mod webdriver;
pub mod wire;

use database::Database;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The `fiel` binary that cargo built beside the running test.
///
/// # Panics
/// When it has not been built; `cargo build` makes it.
#[must_use]
pub fn fiel() -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    let folder = exe.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let fiel = folder.join("fiel");
    assert!(fiel.exists(), "{} is missing: run `cargo build` first", fiel.display());
    fiel
}

/// The root of the repository.
///
/// # Panics
/// Never: the crate lies in the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}

/// A TCP port that is free now.
///
/// # Panics
/// When loopback has no free port.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A child process that is killed, with SIGKILL, when it goes out of scope.
#[derive(Debug)]
pub struct Process(pub Child);

impl Process {
    /// Starts `fiel` with arguments, its output going to a log file.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn fiel(args: &[&str], log: &Path) -> Self {
        let out = fs_err::OpenOptions::new().create(true).append(true).open(log).expect("the log opens");
        let err = out.try_clone().expect("the log's handle can be copied");
        let child = Command::new(fiel())
            .args(args)
            .stdin(Stdio::null())
            .stdout(out.into_file())
            .stderr(err.into_file())
            .spawn()
            .expect("fiel starts");
        Self(child)
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A hub in a process of its own.
#[derive(Debug)]
pub struct Hub {
    /// Its data folder.
    pub data: PathBuf,
    /// `http://127.0.0.1:port`.
    pub url: String,
    process: Option<Process>,
    /// Its PostgreSQL database, if it runs on one. Dropped after the process has ended.
    pub database: Option<Database>,
    args: Vec<String>,
}

impl Hub {
    /// Starts a hub in `data` and waits until it answers.
    ///
    /// # Panics
    /// When it does not answer within 20 seconds, or keeps its rows elsewhere than in the test's database.
    pub async fn start(data: &Path, extra: &[&str]) -> Self {
        let port = free_port();
        let database = Database::own();
        let mut args: Vec<String> = ["serve", "--data"].map(String::from).to_vec();
        args.push(data.display().to_string());
        args.extend(["--listen".into(), format!("127.0.0.1:{port}")]);
        if let Some(own) = &database {
            args.extend(["--database-url".into(), own.url.clone()]);
        }
        args.extend(extra.iter().map(ToString::to_string));
        let url = format!("http://127.0.0.1:{port}");
        let mut hub = Self { data: data.into(), url, database, args, process: None };
        hub.restart();
        hub.wait().await;
        database::assert_used(hub.database.as_ref(), data);
        hub
    }

    /// Starts the process again on the same folder and port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn restart(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        fs_err::create_dir_all(&self.data).expect("the data folder can be made");
        self.process = Some(Process::fiel(&args, &self.data.join("hub.log")));
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// After 20 seconds.
    pub async fn wait(&self) {
        let start = Instant::now();
        let address = format!("{}/api/v1/health", self.url);
        loop {
            if let Ok(answer) = reqwest::get(&address).await
                && answer.status().is_success()
            {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no answer from {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The administrator's token, written at the first start.
    ///
    /// # Panics
    /// When the file is missing.
    #[must_use]
    pub fn admin_token(&self) -> String {
        fs_err::read_to_string(self.data.join("admin-token")).expect("the first start wrote it").trim().into()
    }

    /// A client that acts as the owner of `token`.
    #[must_use]
    pub fn client(&self, token: &str) -> Client {
        Client { base: self.url.clone(), token: token.into(), http: reqwest::Client::new() }
    }
}

/// A thin client of the hub's API.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Client {
    /// The token that it acts with.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends JSON and returns status and JSON answer.
    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        request = request.bearer_auth(&self.token).timeout(Duration::from_secs(30));
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// GET.
    ///
    /// # Panics
    /// When the hub does not answer with success.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) =
            self.send(reqwest::Method::GET, path, None, None).await.expect("the hub answers");
        assert!(status < 300, "GET {path}: {status} {body}");
        body
    }

    /// POST.
    ///
    /// # Panics
    /// When the hub does not answer with success.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let sent = self.send(reqwest::Method::POST, path, Some(body), None).await;
        let (status, body) = sent.expect("the hub answers");
        assert!(status < 300, "POST {path}: {status} {body}");
        body
    }

    /// Creates an account and returns a client that acts as it.
    ///
    /// # Panics
    /// When the hub refuses it.
    pub async fn account(&self, name: &str, role: &str) -> Self {
        let password = "a long enough passphrase";
        self.post("/accounts", json!({"name": name, "role": role, "password": password})).await;
        let answer = self.post(&format!("/accounts/{name}/tokens"), json!({"name": "test"})).await;
        let token = answer["token"].as_str().expect("a token is shown once").to_string();
        Self { token, ..self.clone() }
    }

    /// Creates a challenge from YAML.
    ///
    /// # Panics
    /// When the hub refuses it.
    pub async fn challenge(&self, yaml: &str) {
        let request = self.http.post(format!("{}/api/v1/challenges", self.base)).bearer_auth(&self.token);
        let answer = request.header("Content-Type", "application/yaml").body(yaml.to_string()).send().await;
        let answer = answer.expect("the hub answers");
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
    }

    /// Uploads an artifact and returns its digest.
    ///
    /// # Panics
    /// When the hub refuses it.
    pub async fn upload(&self, bytes: &[u8]) -> String {
        let digest = fiel_schemas::digest::sha256_hex(bytes);
        let request =
            self.http.put(format!("{}/api/v1/artifacts/{digest}", self.base)).bearer_auth(&self.token);
        let request = request.header("Content-Type", "application/wasm").body(bytes.to_vec());
        let answer = request.send().await.expect("the hub answers");
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
        digest
    }
}

/// Copies one site's part of the breast-fna data into a sealed reference set below `node_data`, and returns its
/// rows as they stand in the source.
///
/// # Panics
/// When the challenge's files are not in the repository.
#[must_use]
pub fn breast_fna_site(node_data: &Path, part: &str, most: usize) -> Vec<String> {
    let folder = repository().join("challenges/breast-fna/data");
    let table = fs_err::read_to_string(folder.join("wdbc.csv")).expect("wdbc.csv is in the repository");
    let split = fs_err::read_to_string(folder.join("split.csv")).expect("split.csv is in the repository");
    let chosen: std::collections::HashSet<&str> = split
        .lines()
        .filter_map(|l| l.split_once(','))
        .filter(|(_, p)| *p == part)
        .map(|(id, _)| id)
        .collect();
    let mut lines = table.lines();
    let header = lines.next().expect("the table has a header");
    let rows: Vec<String> = lines
        .filter(|l| chosen.contains(l.split(',').next().unwrap_or("")))
        .take(most)
        .map(String::from)
        .collect();
    let set = node_data.join("reference-sets").join(format!("breast-fna-{part}"));
    fs_err::create_dir_all(&set).expect("the folder can be made");
    let text = format!("{header}\n{}\n", rows.join("\n"));
    fs_err::write(set.join("cases.csv"), &text).expect("the table can be written");
    let document = json!({
        "schema": "fiel/reference-set/v1", "id": format!("breast-fna-{part}"), "challenge": "breast-fna",
        "task": "classification", "table": "cases.csv", "truth": "malignant",
        "files": [{"path": "cases.csv", "sha256": fiel_schemas::digest::sha256_hex(text.as_bytes()),
            "size": text.len()}],
    });
    let bytes = serde_json::to_vec_pretty(&document).expect("JSON values serialise");
    fs_err::write(set.join("reference-set.json"), bytes).expect("the document can be written");
    rows
}

/// Generates one site's phantoms as a sealed reference set below `node_data`.
///
/// # Panics
/// When the generator knows no such site or the folder cannot be written.
pub fn lesion_phantom_site(node_data: &Path, part: &str) {
    let spec = lesion_phantom::PhantomSpec::sites().into_iter().find(|s| s.name == part);
    let spec = spec.expect("the generator knows the site");
    // A set lies in the folder of its id, and the generator names a set by its site.
    let set = node_data.join("reference-sets").join(part);
    lesion_phantom::generate(&set, &spec).expect("phantoms can be written");
    lesion_phantom::seal(&set, &spec).expect("the document can be written");
}

/// Writes a policy that releases automatically at the finest resolution.
///
/// # Panics
/// When the folder cannot be written.
pub fn open_policy(node_data: &Path) {
    write_policy(node_data, 1);
}

/// Writes a policy that releases automatically, bootstrap replicates too, with the fewest cases that a histogram's cell
/// may describe.
///
/// # Panics
/// When the folder cannot be written.
pub fn write_policy(node_data: &Path, min_cell: u64) {
    fs_err::create_dir_all(node_data).expect("the folder can be made");
    let policy = json!({
        "schema": "fiel/policy/v1", "min_cases": 10, "min_cell": min_cell, "replicates": 200, "release": "automatic",
    });
    fs_err::write(node_data.join("policy.json"), policy.to_string()).expect("the policy can be written");
}

/// Makes a site at the hub and enrols a node for it in `node_data`, through `via` (the hub or a proxy of it).
///
/// # Panics
/// When the enrolment fails.
pub async fn enrol(admin: &Client, site: &str, node_data: &Path, via: &str) {
    admin.post("/sites", json!({"id": site, "title": format!("Site {site}")})).await;
    let answer = admin.post(&format!("/sites/{site}/codes"), json!({})).await;
    let code = answer["code"].as_str().expect("a code is shown once").to_string();
    let data = node_data.display().to_string();
    let output = Command::new(fiel())
        .args(["node", "enrol", "--hub", via, "--code", &code, "--data", &data])
        .output()
        .expect("fiel starts");
    assert!(output.status.success(), "enrolment failed: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts a node on its data folder.
#[must_use]
pub fn node(node_data: &Path) -> Process {
    let data = node_data.display().to_string();
    Process::fiel(&["node", "run", "--data", &data], &node_data.join("node.log"))
}

/// Runs a query in the hub's database (after the hub has ended) and returns its first row, fields joined by `|`.
///
/// # Panics
/// When neither Python's `sqlite3` nor `psql` can run it.
#[must_use]
pub fn query(hub: &Hub, sql: &str) -> String {
    if let Some(database) = &hub.database {
        return database.query(sql);
    }
    let script = "import sqlite3,sys;print('|'.join(str(v) for v in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()))";
    let file = hub.data.join("hub.sqlite");
    let output = Command::new("python3").arg("-c").arg(script).arg(file).arg(sql).output();
    let output = output.expect("the database client starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}
