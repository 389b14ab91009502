//! The registry through its public door: the protocol, what enters, what a site pulls, and a real client.

mod images;
mod parts;
mod refusals;

use crate::harness::{TestHub, TestSite};
use fiel_node::folder::NodeConfig;
use fiel_node::hub_client::HubClient;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::OCI_MANIFEST;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Pushes as an account to `test/<tool>`.
struct Pusher<'a> {
    hub: &'a TestHub,
    token: String,
    tool: &'static str,
}

impl<'a> Pusher<'a> {
    async fn new(hub: &'a TestHub, account: &str) -> Self {
        Self { hub, token: hub.account(account, "participant").await, tool: "tool" }
    }

    fn request(&self, method: Method, what: &str) -> reqwest::RequestBuilder {
        self.hub.request(method, &format!("/v2/test/{}/{what}", self.tool), Some(&self.token))
    }

    async fn send(&self, method: Method, what: &str) -> Response {
        self.request(method, what).send().await.unwrap()
    }

    /// Starts an upload; its address after the repository's.
    async fn start(&self) -> String {
        let answer = self.send(Method::POST, "blobs/uploads/").await;
        assert_eq!(answer.status(), 202);
        let location = header(&answer, "location");
        location.strip_prefix(&format!("/v2/test/{}/", self.tool)).expect("an address here").to_owned()
    }

    async fn part(&self, upload: &str, range: Option<&str>, bytes: &[u8]) -> Response {
        let mut request = self.request(Method::PATCH, upload).body(bytes.to_vec());
        if let Some(range) = range {
            request = request.header("Content-Range", range);
        }
        request.send().await.unwrap()
    }

    async fn finish(&self, upload: &str, bytes: &[u8], digest: &str) -> Response {
        let request = self.request(Method::PUT, &format!("{upload}?digest=sha256:{digest}"));
        request.body(bytes.to_vec()).send().await.unwrap()
    }

    /// Pushes a blob; how the manifest names it.
    async fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let upload = self.start().await;
        let digest = sha256_hex(bytes);
        assert_eq!(self.finish(&upload, bytes, &digest).await.status(), 201);
        descriptor(media_type, bytes)
    }

    async fn head(&self, digest: &str) -> StatusCode {
        self.send(Method::HEAD, &format!("blobs/sha256:{digest}")).await.status()
    }

    /// Pushes the blobs of an image with these layers; its manifest.
    async fn image(&self, config: &str, layers: &[&[u8]]) -> Value {
        let config = self.blob(CONFIG, config.as_bytes()).await;
        let mut found = Vec::new();
        for layer in layers {
            found.push(self.blob(LAYER, layer).await);
        }
        manifest(&config, &found)
    }

    async fn put(&self, reference: &str, media_type: &str, manifest: &Value) -> Response {
        let request = self.request(Method::PUT, &format!("manifests/{reference}"));
        request.header("Content-Type", media_type).body(manifest.to_string()).send().await.unwrap()
    }

    async fn tag(&self, tag: &str, manifest: &Value) -> Response {
        self.put(tag, OCI_MANIFEST, manifest).await
    }

    async fn submissions(&self) -> Vec<Value> {
        self.hub.get("/submissions", Some(&self.token)).await.1.as_array().unwrap().clone()
    }
}

fn header(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name).unwrap_or_else(|| panic!("no {name} in {answer:?}"));
    value.to_str().unwrap().to_owned()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", sha256_hex(bytes)), "size": bytes.len()})
}

fn manifest(config: &Value, layers: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers})
}

/// Asserts that the answer is the specification's error, and gives its message.
async fn refused(answer: Response, status: u16, code: &str) -> String {
    let found = answer.status();
    let body: Value = answer.json().await.expect("an error document");
    assert_eq!((found.as_u16(), body["errors"][0]["code"].as_str()), (status, Some(code)), "{body}");
    body["errors"][0]["message"].as_str().expect("a message").to_owned()
}

/// A site's node as far as it downloads.
fn node(hub: &TestHub, site: &TestSite) -> HubClient {
    let config = NodeConfig { hub: hub.url.clone(), site: site.id.clone(), token: site.token.clone() };
    HubClient::new(&config).unwrap()
}

/// The blobs of a layout whose names are not their digests; and how many there are.
fn check_layout(layout: &Path) -> usize {
    let read = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    assert_eq!(read(&layout.join("oci-layout")), json!({"imageLayoutVersion": "1.0.0"}));
    let index = read(&layout.join("index.json"));
    let blobs = layout.join("blobs/sha256");
    let named = index["manifests"][0]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let bytes = std::fs::read(blobs.join(named)).unwrap();
    assert_eq!(index["manifests"][0]["size"], bytes.len());
    let mut count = 0;
    for entry in std::fs::read_dir(blobs).unwrap().map(Result::unwrap) {
        let digest = sha256_hex(&std::fs::read(entry.path()).unwrap());
        assert_eq!(entry.file_name().to_str(), Some(digest.as_str()));
        count += 1;
    }
    count
}
