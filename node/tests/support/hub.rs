//! A hub of a few lines: speaks just enough HTTP/1.1, leases runs, records everything it was sent.

use fiel_schemas::api::Failure;
use fiel_schemas::run_order::RunOrder;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the hub knows and what it was told.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Runs to be claimed.
    pub(crate) orders: VecDeque<RunOrder>,
    /// Bytes served by digest.
    pub(crate) artifacts: HashMap<String, Vec<u8>>,
    /// Every request: method and path, then the whole of what was received.
    pub(crate) received: Vec<(String, Vec<u8>)>,
    /// Assessments accepted: run and body.
    pub(crate) reports: Vec<(String, Vec<u8>)>,
    /// Failures told: run and body.
    pub(crate) failures: Vec<(String, Failure)>,
    /// Heartbeats: run, whether it waits for a person.
    pub(crate) heartbeats: Vec<(String, bool)>,
    /// Answer reports with 503 this many times.
    pub(crate) reports_refused: usize,
    /// Answer heartbeats and reports of fences below this with 409.
    pub(crate) fence_min: i64,
}

/// A running fake hub.
#[derive(Debug, Clone)]
pub(crate) struct FakeHub {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl FakeHub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hub = Self { url, state: Arc::default() };
        let serving = hub.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let hub = serving.clone();
                tokio::spawn(async move { while hub.serve(&mut stream).await.is_some() {} });
            }
        });
        hub
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap())
    }

    /// One request and its answer; `None` when the connection ended.
    async fn serve(&self, stream: &mut TcpStream) -> Option<()> {
        let mut received = Vec::new();
        let head_end = loop {
            if let Some(at) = received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut received).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(received[..head_end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|l| {
                l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse().unwrap())
            })
            .unwrap_or(0_usize);
        while received.len() < head_end + length {
            if stream.read_buf(&mut received).await.ok()? == 0 {
                return None;
            }
        }
        let line = head.lines().next().unwrap().rsplit_once(' ').unwrap().0.to_owned();
        let body = received[head_end..].to_vec();
        self.with(|s| s.received.push((line.clone(), received.clone())));
        let (status, answer) = self.answer(&line, &body).await;
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&answer).await.ok()
    }

    async fn answer(&self, line: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let (method, path) = line.split_once(' ').unwrap();
        let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["node", "enrol"]) => (200, br#"{"site":"north","token":"fiel_test"}"#.to_vec()),
            ("PUT", ["node", "reference-sets", _]) => (204, Vec::new()),
            ("POST", ["node", "claim"]) => {
                if let Some(order) = self.with(|s| s.orders.pop_front()) {
                    return (200, serde_json::to_vec(&order).unwrap());
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                (204, Vec::new())
            }
            ("GET", ["artifacts", sha256]) => self
                .with(|s| s.artifacts.get(*sha256).map_or((404, Vec::new()), |bytes| (200, bytes.clone()))),
            ("POST", ["node", "runs", run, what]) => self.with(|s| s.about_run(run, what, body)),
            _ => (404, Vec::new()),
        }
    }
}

impl State {
    fn about_run(&mut self, run: &str, what: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap();
        if json["fence"].as_i64().unwrap() < self.fence_min {
            return (409, problem("lease-lost"));
        }
        match what {
            "heartbeat" => self.heartbeats.push((run.to_owned(), json["awaiting_release"] == true)),
            "failure" => self.failures.push((run.to_owned(), serde_json::from_value(json).unwrap())),
            "assessment" if self.reports_refused > 0 => {
                self.reports_refused -= 1;
                return (503, problem("unavailable"));
            }
            "assessment" => self.reports.push((run.to_owned(), body.to_vec())),
            _ => return (404, Vec::new()),
        }
        (200, b"{}".to_vec())
    }
}

fn problem(code: &str) -> Vec<u8> {
    format!(r#"{{"type":"/docs/errors#{code}","title":"t","status":0,"code":"{code}","detail":"d"}}"#)
        .into_bytes()
}
