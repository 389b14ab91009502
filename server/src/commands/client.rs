//! A client of the hub's API for the command line.

use super::output::{CommandError, OrFail, Result};
use fiel_schemas::api::Problem;
use futures_util::TryStreamExt;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;

/// Which hub to speak to, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HubArgs {
    /// Address of the hub.
    #[arg(long, env = "FIEL_HUB", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) hub: String,
    /// Bearer token, made on the hub's account page or by `fiel account token`.
    #[arg(long, env = "FIEL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// A connection to a hub.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// A client for the hub of the arguments.
    pub(crate) fn new(args: &HubArgs) -> Result<Self> {
        let base = args.hub.trim_end_matches('/').to_string();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(CommandError::usage(format!("`{base}` is not the address of a hub"))
                .hint("an address starts with `http://` or `https://`"));
        }
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build();
        Ok(Self { base, token: args.token.clone(), http: http.or_fail_while("preparing the connection")? })
    }

    /// The same hub as somebody else.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.trim().to_string()), ..self.clone() }
    }

    /// Address of the hub without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(problem(answer).await)
    }

    fn unreachable(&self, error: &reqwest::Error) -> CommandError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        CommandError::new(format!("the hub at {} cannot be reached: {cause}", self.base))
            .hint("is `fiel serve` running there? name another hub with `--hub` or FIEL_HUB")
    }

    /// GET, the bytes as the hub sent them.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.send(self.request(Method::GET, path).timeout(ANSWER_WITHIN)).await?;
        Ok(answer.bytes().await.map_err(|e| self.unreachable(&e))?.to_vec())
    }

    /// GET, as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let bytes = self.bytes(path).await?;
        serde_json::from_slice(&bytes).or_fail_while(format!("reading the hub's answer to GET {path}"))
    }

    /// POST of JSON.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let request = self.request(Method::POST, path).timeout(ANSWER_WITHIN).json(body);
        self.answer(path, request).await
    }

    /// POST of JSON under an idempotency key, tried again while the connection fails.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let mut wait = Duration::from_millis(200);
        loop {
            let request = self.request(Method::POST, path).timeout(ANSWER_WITHIN);
            let request = request.header("Idempotency-Key", key).json(body);
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return decode(path, answer).await,
                Ok(answer) => return Err(problem(answer).await),
                Err(error) if wait > Duration::from_secs(4) => return Err(self.unreachable(&error)),
                Err(_) => tokio::time::sleep(wait).await,
            }
            wait *= 2;
        }
    }

    /// POST of text of another media type.
    pub(crate) async fn post_text<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &str,
        text: String,
    ) -> Result<T> {
        let request = self.request(Method::POST, path).timeout(ANSWER_WITHIN);
        self.answer(path, request.header("Content-Type", kind).body(text)).await
    }

    async fn answer<T: DeserializeOwned>(&self, path: &str, request: RequestBuilder) -> Result<T> {
        decode(path, self.send(request).await?).await
    }

    /// PUT of a file, streamed; `on_bytes` hears how many bytes went out.
    pub(crate) async fn put_file(
        &self,
        path: &str,
        file: &Path,
        on_bytes: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result {
        let size = fs_err::metadata(file)?.len();
        let open = tokio::fs::File::open(file).await.or_fail_while(format!("opening {}", file.display()))?;
        let stream = tokio_util::io::ReaderStream::with_capacity(open, 64 << 10);
        let stream = stream.inspect_ok(move |chunk| on_bytes(chunk.len() as u64));
        let request = self.request(Method::PUT, path).header("Content-Type", "application/octet-stream");
        let request = request.header("Content-Length", size).body(reqwest::Body::wrap_stream(stream));
        self.send(request).await.map(drop)
    }

    /// PUT of bytes.
    pub(crate) async fn put(&self, path: &str, kind: &str, bytes: Vec<u8>) -> Result {
        self.send(self.request(Method::PUT, path).header("Content-Type", kind).body(bytes)).await.map(drop)
    }
}

async fn decode<T: DeserializeOwned>(path: &str, answer: Response) -> Result<T> {
    let bytes = answer.bytes().await.or_fail_while(format!("reading the hub's answer to {path}"))?;
    let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(bytes).or_fail_while(format!("reading the hub's answer to {path}"))
}

/// The hub's own words about what it refused.
async fn problem(answer: Response) -> CommandError {
    let status = answer.status();
    let body = answer.bytes().await.unwrap_or_default();
    let Ok(problem) = serde_json::from_slice::<Problem>(&body) else {
        return CommandError::new(format!("the hub answered {status}"))
            .hint("is this the address of a Fiel hub? check `--hub`");
    };
    let error = CommandError::new(format!("{} ({})", problem.detail, problem.code));
    match problem.code.as_str() {
        "not-signed-in" => error.hint("give a token with `--token` or FIEL_TOKEN"),
        "wrong-role" => error.hint("use the token of an account whose role allows this"),
        "quota-exceeded" => error.hint("wait until the window of the quota has moved on, then submit again"),
        _ => error,
    }
}

/// A text member of an answer.
pub(crate) fn word(answer: &serde_json::Value, name: &str) -> Result<String> {
    let text = answer.get(name).and_then(serde_json::Value::as_str);
    let text = text.ok_or_else(|| CommandError::new(format!("the hub's answer lacks `{name}`")))?;
    Ok(text.to_string())
}
