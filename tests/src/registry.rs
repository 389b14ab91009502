//! A registry of a few lines that can be told to lie: the reading half of the OCI distribution API, over plain HTTP on
//! loopback.

use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::OCI_MANIFEST;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The token that [`Conduct::token`] asks for.
const TOKEN: &str = "for.everybody";

/// What the registry does besides giving what it has.
#[derive(Debug, Clone, Default)]
pub struct Conduct {
    /// Wants a token, which `/token` gives to whoever asks.
    pub token: bool,
    /// Wants a password.
    pub password: bool,
    /// Answers so many requests with 503 first.
    pub busy: usize,
    /// Breaks the connection off after so many bytes of a blob that has more, once.
    pub cut_after: Option<usize>,
    /// Sends blobs on to this address and their path below it. What starts with `/moved` is given here.
    pub send_on: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// By path.
    documents: HashMap<String, Vec<u8>>,
    conduct: Conduct,
    asked: Vec<String>,
}

/// A running registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// `127.0.0.1:port`, as a reference begins.
    pub host: String,
    state: Arc<Mutex<State>>,
}

impl Registry {
    /// Starts an empty registry, which serves until the test's runtime ends.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let host = listener.local_addr().expect("a bound socket has an address").to_string();
        let registry = Self { host, state: Arc::default() };
        let serving = registry.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let registry = serving.clone();
                tokio::spawn(async move { while registry.serve(&mut stream).await.is_some() {} });
            }
        });
        registry
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells it how to behave from now on.
    pub fn conduct(&self, conduct: Conduct) {
        self.with(|state| state.conduct = conduct);
    }

    /// Heads of the requests so far, in lower case.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.with(|state| state.asked.clone())
    }

    /// Puts an image under a tag and its digest; the digest.
    #[must_use]
    pub fn push(&self, repository: &str, tag: &str, config: &[u8], layers: &[&[u8]]) -> String {
        let config = self.blob(repository, CONFIG, config);
        let layers: Vec<Value> = layers.iter().map(|layer| self.blob(repository, LAYER, layer)).collect();
        let image =
            json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers});
        self.manifest(repository, tag, image.to_string().as_bytes())
    }

    /// Puts a blob; how a manifest names it.
    #[must_use]
    pub fn blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let sha256 = sha256_hex(bytes);
        self.put(&format!("/v2/{repository}/blobs/sha256:{sha256}"), bytes);
        json!({"mediaType": media_type, "digest": format!("sha256:{sha256}"), "size": bytes.len()})
    }

    /// Puts a manifest under a tag and its digest; the digest.
    #[must_use]
    pub fn manifest(&self, repository: &str, tag: &str, bytes: &[u8]) -> String {
        let sha256 = sha256_hex(bytes);
        self.put(&format!("/v2/{repository}/manifests/{tag}"), bytes);
        self.put(&format!("/v2/{repository}/manifests/sha256:{sha256}"), bytes);
        sha256
    }

    /// Puts bytes under a path, whatever the path says of them.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.with(|state| state.documents.insert(path.to_owned(), bytes.to_vec()));
    }

    /// One request and its answer; `None` when the connection ended.
    async fn serve(&self, stream: &mut TcpStream) -> Option<()> {
        let mut received = Vec::new();
        while !received.windows(4).any(|window| window == b"\r\n\r\n") {
            if stream.read_buf(&mut received).await.ok()? == 0 {
                return None;
            }
        }
        let head = String::from_utf8(received).ok()?;
        let (answer, cut_after) = self.answer(&head);
        let sent = cut_after.map_or(&answer[..], |most| &answer[..most.min(answer.len())]);
        stream.write_all(sent).await.ok()?;
        cut_after.is_none().then_some(())
    }

    /// The bytes of an answer, and after how many of them to break off.
    fn answer(&self, head: &str) -> (Vec<u8>, Option<usize>) {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let lower = head.to_ascii_lowercase();
        self.with(|state| {
            state.asked.push(lower.clone());
            if state.conduct.busy > 0 {
                state.conduct.busy -= 1;
                return (respond("503 Busy", &[], b""), None);
            }
            if path.starts_with("/token") {
                return (respond("200 OK", &[], json!({"token": TOKEN}).to_string().as_bytes()), None);
            }
            if let Some(challenge) = self.challenge(&state.conduct, &lower) {
                return (respond("401 Who", &[&challenge], b""), None);
            }
            let is_blob = path.contains("/blobs/");
            if let (true, Some(to)) = (is_blob && !path.starts_with("/moved"), &state.conduct.send_on) {
                return (respond("307 There", &[&format!("location: {to}{path}")], b""), None);
            }
            let Some(bytes) = state.documents.get(path.trim_start_matches("/moved")) else {
                return (respond("404 None", &[], b"{}"), None);
            };
            let offset =
                lower.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next()?.parse().ok());
            let answer = match offset {
                Some(offset) if offset < bytes.len() => respond("206 Rest", &[], &bytes[offset..]),
                _ => respond("200 OK", &[], bytes),
            };
            let cut_after = state.conduct.cut_after.filter(|most| is_blob && *most < bytes.len());
            if cut_after.is_some() {
                state.conduct.cut_after = None;
            }
            let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_default() + 4;
            (answer, cut_after.map(|bytes| body + bytes))
        })
    }

    /// What is asked of who brought neither password nor token.
    fn challenge(&self, conduct: &Conduct, head: &str) -> Option<String> {
        if conduct.password {
            return Some("www-authenticate: Basic realm=\"a\"".to_owned());
        }
        let is_met = !conduct.token || head.contains(&format!("authorization: bearer {TOKEN}"));
        let host = &self.host;
        (!is_met).then(|| {
            format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"{host}\",scope=\"any\"")
        })
    }
}

fn respond(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("content-length: {}", body.len());
    let lines = [&[status][..], headers, &[length.as_str()]].concat().join("\r\n");
    let head = format!("HTTP/1.1 {lines}\r\n\r\n");
    [head.as_bytes(), body].concat()
}
