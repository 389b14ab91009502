//! The few WebDriver calls (W3C) that the browser test needs, to a chromedriver of its own.

use crate::{Process, free_port};
use base64::Engine as _;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Key of an element reference in the WebDriver protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A chromedriver process.
#[derive(Debug)]
pub struct Driver {
    url: String,
    profiles: tempfile::TempDir,
    _process: Process,
}

/// A window of headless Chromium.
#[derive(Debug)]
pub struct Browser {
    url: String,
    http: reqwest::Client,
}

impl Driver {
    /// Starts chromedriver.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn start() -> Self {
        let port = free_port();
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (apt install chromium chromium-driver)");
        let profiles = tempfile::tempdir().expect("a temporary folder");
        Self { url: format!("http://127.0.0.1:{port}"), profiles, _process: Process(child) }
    }

    /// Opens a window of this width, in a light or dark colour scheme, with or without JavaScript.
    ///
    /// # Panics
    /// When none opens within 30 seconds.
    pub async fn session(&self, width: u32, dark: bool, javascript: bool) -> Browser {
        let profile = self.profiles.path().join(format!("{width}-{dark}-{javascript}"));
        let scheme = u8::from(!dark);
        let mut options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", format!("--blink-settings=preferredColorScheme={scheme}"),
            format!("--window-size={width},1000"), format!("--user-data-dir={}", profile.display())]});
        if !javascript {
            options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
        }
        let body = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let http = reqwest::Client::new();
        let start = Instant::now();
        loop {
            let sent = http.post(format!("{}/session", self.url)).json(&body).send().await;
            let problem = match sent {
                Ok(answer) => {
                    let answer: Value = answer.json().await.expect("chromedriver speaks JSON");
                    if let Some(id) = answer["value"]["sessionId"].as_str() {
                        return Browser { url: format!("{}/session/{id}", self.url), http };
                    }
                    answer.to_string()
                }
                Err(error) => error.to_string(),
            };
            assert!(start.elapsed() < Duration::from_secs(30), "no browser: {problem}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Browser {
    async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Result<Value, String> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|e| e.to_string())?;
        let ok = answer.status().is_success();
        let answer: Value = answer.json().await.map_err(|e| e.to_string())?;
        if ok { Ok(answer["value"].clone()) } else { Err(answer["value"]["message"].to_string()) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.call(reqwest::Method::POST, path, Some(body.clone())).await;
        answer.unwrap_or_else(|e| panic!("{path} {body}: {e}"))
    }

    /// Opens an address.
    pub async fn goto(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// Whether scripts of pages run in this window.
    ///
    /// # Panics
    /// When the browser does not tell the title of a page.
    pub async fn runs_scripts(&self) -> bool {
        self.goto("data:text/html,<title>off</title><script>document.title='on'</script>").await;
        let title = self.call(reqwest::Method::GET, "/title", None).await.expect("a page has a title");
        title == "on"
    }

    /// Elements that match a CSS selector.
    pub async fn find_all(&self, css: &str) -> Vec<String> {
        let found = self.post("/elements", json!({"using": "css selector", "value": css})).await;
        let elements = found.as_array().cloned().unwrap_or_default();
        elements.iter().filter_map(|e| e[ELEMENT].as_str().map(String::from)).collect()
    }

    /// The first element that matches, waiting up to ten seconds for it.
    ///
    /// # Panics
    /// When none appears.
    pub async fn find(&self, css: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(first) = self.find_all(css).await.into_iter().next() {
                return first;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "nothing on the page matches {css}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types into the first element that matches.
    pub async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Clicks the first element that matches.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Visible text of the first element that matches; empty while the page is being replaced.
    pub async fn text(&self, css: &str) -> String {
        let element = self.find(css).await;
        let answer = self.call(reqwest::Method::GET, &format!("/element/{element}/text"), None).await;
        answer.ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
    }

    /// Runs a script and returns its value.
    pub async fn execute(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// Runs a script that calls its last argument when it is done, and returns what it gave.
    pub async fn execute_async(&self, script: &str) -> Value {
        self.post("/execute/async", json!({"script": script, "args": []})).await
    }

    /// A picture of the window.
    ///
    /// # Panics
    /// When the browser gives none.
    pub async fn screenshot(&self) -> Vec<u8> {
        let picture = self.call(reqwest::Method::GET, "/screenshot", None).await.expect("a screenshot");
        let text = picture.as_str().expect("base64");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    }

    /// Closes the window.
    pub async fn close(self) {
        let _ = self.call(reqwest::Method::DELETE, "", None).await;
    }
}
