//! Connections to the hub. [`mod@crate::registry`] opens the only other ones, and only where the policy lists registries.

use crate::NodeError;
use crate::folder::NodeConfig;
use crate::gate::{self, Outgoing};
use fiel_schemas::api::Problem;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest answer read into memory (a run order).
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A connection to the hub.
#[derive(Clone)]
pub struct HubClient {
    http: reqwest::Client,
    hub: String,
    token: Option<String>,
}

impl std::fmt::Debug for HubClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubClient").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl HubClient {
    /// A client that has no token yet, for enrolment.
    pub fn anonymous(hub: &str) -> Result<Self, NodeError> {
        let wrong = |message: String| NodeError::Unreachable { url: hub.to_owned(), message };
        let url = reqwest::Url::parse(hub).map_err(|e| wrong(format!("not an address: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("an address starts with https:// (or http:// on this machine)".to_owned()));
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            tracing::warn!(hub, "the connection to the hub is not encrypted; use https:// outside of tests");
        }
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_mins(1))
            .user_agent(concat!("fiel-node/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| wrong(e.to_string()))?;
        Ok(Self { http, hub: hub.trim_end_matches('/').to_owned(), token: None })
    }

    /// A client of an enrolled node.
    pub fn new(config: &NodeConfig) -> Result<Self, NodeError> {
        Ok(Self { token: Some(config.token.clone()), ..Self::anonymous(&config.hub)? })
    }

    /// Sends what the gate built; the answer's body, or `None` for 204.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Option<Vec<u8>>, NodeError> {
        let (url, mut answer) = self.open(outgoing).await?;
        if answer.status() == reqwest::StatusCode::NO_CONTENT {
            return Ok(None);
        }
        read_limited(&url, &mut answer).await.map(Some)
    }

    /// Downloads an artifact to `folder/<sha256>`, streaming to a temporary file and checking size and digest.
    /// A file that is there already is checked and used.
    pub async fn artifact(&self, folder: &Path, sha256: &str, size: u64) -> Result<PathBuf, NodeError> {
        let target = folder.join(sha256);
        if target.exists() {
            if file_digest(&target)? == sha256 {
                return Ok(target);
            }
            crate::folder::remove_if_there(&target)?;
        }
        let (url, answer) = self.open(gate::artifact(sha256)?).await?;
        let temporary = folder.join(format!(".{sha256}.{}.tmp", crate::folder::random_hex(4)?));
        let result = stream_to(&url, answer, &temporary, size).await.and_then(|found| {
            if found == sha256 {
                Ok(())
            } else {
                Err(mismatch(format!("the hub sent bytes with digest {found} for artifact {sha256}")))
            }
        });
        if let Err(e) = result {
            crate::folder::remove_if_there(&temporary)?;
            return Err(e);
        }
        fs_err::rename(&temporary, &target)?;
        Ok(target)
    }

    pub(crate) async fn open(&self, outgoing: Outgoing) -> Result<(String, reqwest::Response), NodeError> {
        let url = format!("{}{}", self.hub, outgoing.path);
        let mut request = self.http.request(outgoing.method, &url);
        if let (true, Some(token)) = (outgoing.authenticated, &self.token) {
            request = request.bearer_auth(token);
        }
        if outgoing.offset > 0 {
            request = request.header("range", format!("bytes={}-", outgoing.offset));
        }
        if !outgoing.body.is_empty() {
            request = request.header("content-type", "application/json").body(outgoing.body);
        }
        let mut answer = request.send().await.map_err(|e| unreachable(&url, &e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok((url, answer));
        }
        let body = read_limited(&url, &mut answer).await.unwrap_or_default();
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        Err(NodeError::Hub {
            status: status.as_u16(),
            code: problem.as_ref().map(|p| p.code.clone()).unwrap_or_default(),
            detail: problem.map_or_else(|| format!("no problem document from {url}"), |p| p.detail),
        })
    }
}

pub(crate) async fn read_limited(url: &str, answer: &mut reqwest::Response) -> Result<Vec<u8>, NodeError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| unreachable(url, &e))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(NodeError::Unreachable {
                url: url.to_owned(),
                message: format!("the answer is larger than {ANSWER_BYTES_MAX} bytes"),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Writes the body to a file and gives its digest; stops as soon as it is longer than announced.
async fn stream_to(
    url: &str,
    answer: reqwest::Response,
    path: &Path,
    size: u64,
) -> Result<String, NodeError> {
    let mut file = fs_err::File::create(path)?;
    let (mut hasher, mut written) = (Sha256::new(), 0_u64);
    let mut stream = answer.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| unreachable(url, &e))?;
        written += chunk.len() as u64;
        if written > size {
            return Err(mismatch(format!(
                "the hub sent more than the {size} bytes the submission announces"
            )));
        }
        hasher.update(&chunk);
        file.write_all(&chunk)?;
    }
    if written != size {
        return Err(mismatch(format!("the hub sent {written} bytes, the submission announces {size}")));
    }
    file.sync_all()?;
    Ok(fiel_schemas::digest::to_hex(&hasher.finalize()))
}

/// Lower-case hexadecimal SHA-256 of a file, read in pieces.
pub(crate) fn file_digest(path: &Path) -> Result<String, NodeError> {
    let (mut file, mut hasher) = (fs_err::File::open(path)?, Sha256::new());
    let mut piece = vec![0_u8; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(fiel_schemas::digest::to_hex(&hasher.finalize())),
            length => hasher.update(&piece[..length]),
        }
    }
}

pub(crate) fn mismatch(message: String) -> NodeError {
    NodeError::refused(fiel_schemas::api::FailureReason::DigestMismatch, message)
}

pub(crate) fn unreachable(url: &str, error: &reqwest::Error) -> NodeError {
    NodeError::Unreachable { url: url.to_owned(), message: cause(error) }
}

/// An error with what led to it.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        message = format!("{message}: {inner}");
        source = inner.source();
    }
    message
}

fn is_loopback(url: &reqwest::Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}
