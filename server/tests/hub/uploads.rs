//! Uploads: cut, wrong, too large; and an S3-compatible store where one is installed.

use crate::harness::{TestHub, module, read};
use fiel_schemas::digest::sha256_hex;
use reqwest::Method;
use std::io::Write as _;

fn stored(hub: &TestHub) -> Vec<std::path::PathBuf> {
    fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let mut found = Vec::new();
    walk(&hub.folder().join("blobs"), &mut found);
    found
}

async fn nothing_is_stored(hub: &TestHub) {
    for _ in 0..100 {
        if stored(hub).is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("left behind: {:?}", stored(hub));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_with_a_wrong_digest_or_above_the_limit_leaves_nothing() {
    let hub = TestHub::with(|config| config.artifact_bytes_max = 1000).await;
    let token = hub.account("anna", "participant").await;
    for (digest, size, status, code) in [
        ("0".repeat(64), 10, 422, "digest-mismatch"),
        (sha256_hex(&module(&[0; 993])), 1001, 413, "artifact-too-large"),
        ("zz".to_owned(), 10, 400, "bad-request"),
        ("../../etc/passwd".to_owned(), 10, 404, "not-found"),
        ("F".repeat(64), 10, 400, "bad-request"),
    ] {
        let request = hub
            .request(Method::PUT, &format!("/artifacts/{digest}"), Some(&token))
            .body(module(&vec![0; size - 8]));
        let (found, body) = read(request.send().await.unwrap()).await;
        if code != "not-found" {
            assert_eq!((found.as_u16(), body["code"].as_str()), (status, Some(code)), "{digest}");
        }
        nothing_is_stored(&hub).await;
    }
    hub.upload(&token, &[0; 992]).await;
    assert_eq!(stored(&hub).len(), 1);
    hub.upload(&token, &[0; 992]).await;
    assert_eq!(stored(&hub).len(), 1, "the same bytes are one blob");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_upload_is_stands_in_its_bytes_and_what_is_nothing_is_refused_at_once() {
    let hub = TestHub::start().await;
    let token = hub.account("anna", "participant").await;
    let tar = |names: &[&str]| {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_ustar();
            header.set_size(4);
            builder.append_data(&mut header, name, b"data".as_slice()).unwrap();
        }
        builder.into_inner().unwrap()
    };
    let put = async |bytes: Vec<u8>| {
        let path = format!("/artifacts/{}", sha256_hex(&bytes));
        // A name or a type that lies changes nothing.
        let request =
            hub.request(Method::PUT, &path, Some(&token)).header("Content-Type", "application/wasm");
        read(request.body(bytes).send().await.unwrap()).await
    };
    for garbage in [b"".to_vec(), b"MZ no module".to_vec(), tar(&["README.md"]), vec![7; 100_000]] {
        let (status, body) = put(garbage).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("artifact-unknown")), "{body}");
        assert!(body["detail"].as_str().unwrap().contains("Submit a `.wasm` file"), "{body}");
        nothing_is_stored(&hub).await;
    }
    hub.challenge(10).await;
    for (bytes, media, taken) in [
        (module(b"m"), "application/wasm", true),
        (tar(&["oci-layout", "index.json"]), "application/vnd.oci.image.layout.v1.tar", true),
        (tar(&["manifest.json", "model.onnx"]), "application/vnd.fiel.onnx.v1.tar", true),
        (tar(&["case-1/lesions.nii"]), "application/vnd.fiel.predictions.v1.tar", false),
    ] {
        let digest = sha256_hex(&bytes);
        let (status, body) = put(bytes).await;
        assert_eq!((status.as_u16(), body["media_type"].as_str()), (200, Some(media)), "{body}");
        let (status, body) = hub.try_submit(&token, None, "tool", &digest).await;
        if taken {
            assert_eq!(
                (status.as_u16(), &body["submission"]["artifact"]["media_type"]),
                (201, &media.into())
            );
        } else {
            assert_eq!(
                (status.as_u16(), body["code"].as_str()),
                (422, Some("artifact-kind-refused")),
                "{body}"
            );
            assert!(body["detail"].as_str().unwrap().contains("does not take predictions"), "{body}");
        }
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_takes_the_kinds_it_names_and_predictions_only_where_inputs_are_public() {
    let hub = TestHub::start().await;
    let token = hub.account("anna", "participant").await;
    let mut document = crate::harness::challenge(10);
    document["accepts"] = serde_json::json!(["predictions"]);
    let (status, body) = hub.post("/challenges", Some(&hub.admin), &document).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("document-invalid")), "{body}");
    assert!(body["detail"].as_str().unwrap().contains("public_inputs"), "{body}");
    document["phases"][0]["public_inputs"] = true.into();
    assert_eq!(hub.post("/challenges", Some(&hub.admin), &document).await.0, 201);
    let wasm = hub.upload(&token, b"m").await;
    let (status, body) = hub.try_submit(&token, None, "tool", &wasm).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("artifact-kind-refused")), "{body}");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    builder.append_data(&mut header, "case-1/lesions.nii", b"x".as_slice()).unwrap();
    let bytes = builder.into_inner().unwrap();
    let digest = sha256_hex(&bytes);
    let request = hub.request(Method::PUT, &format!("/artifacts/{digest}"), Some(&token)).body(bytes);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(hub.try_submit(&token, None, "tool", &digest).await.0, 201);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_cut_in_the_middle_leaves_nothing() {
    let hub = TestHub::start().await;
    let token = hub.account("anna", "participant").await;
    let bytes = module(&vec![1; 99_992]);
    let digest = sha256_hex(&bytes);
    let address = hub.url.strip_prefix("http://").unwrap().to_owned();
    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    let head = format!(
        "PUT /api/v1/artifacts/{digest} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 100000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&bytes[..50_000]).unwrap();
    socket.flush().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    drop(socket);
    nothing_is_stored(&hub).await;
    let (status, body) = hub.try_submit(&token, None, "tool", &digest).await;
    assert_eq!(status, 404, "no challenge: {body}");
    hub.challenge(1).await;
    let (_, body) = hub.try_submit(&token, None, "tool", &digest).await;
    assert_eq!(body["code"], "artifact-missing");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_s_public_files_are_downloaded_never_shown() {
    let hub = TestHub::start().await;
    hub.challenge(1).await;
    let page = b"<script>alert(1)</script>";
    let path = format!("/challenges/test/files/public/page.html?sha256={}", sha256_hex(page));
    let request = hub.request(Method::PUT, &path, Some(&hub.admin)).body(page.to_vec());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let request = hub.request(Method::GET, "/challenges/test/files/public/page.html", None);
    let answer = request.send().await.unwrap();
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(answer.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(answer.bytes().await.unwrap(), page.as_slice());
    for path in [".hidden", "a//b", "a/.b", "a%5Cb", "%2fetc"] {
        let path = format!("/challenges/test/files/{path}?sha256={}", sha256_hex(page));
        let status = hub
            .request(Method::PUT, &path, Some(&hub.admin))
            .body(page.to_vec())
            .send()
            .await
            .unwrap()
            .status();
        assert!(status.is_client_error(), "{path}: {status}");
    }
    hub.end().await;
}

/// An S3-compatible store that checks signatures; killed when dropped.
struct S3 {
    process: std::process::Child,
    folder: tempfile::TempDir,
    url: String,
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl S3 {
    /// `tests/run.sh` installs `s3s-fs` and puts it on the path.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("artifacts")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let installed = std::env::home_dir().unwrap().join(".cache/fiel-tools/bin/s3s-fs");
        let program = if installed.exists() { installed } else { "s3s-fs".into() };
        let process = std::process::Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", "key", "--secret-key", "secret"])
            .arg(folder.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("s3s-fs is installed: `bash tests/run.sh` does it");
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        Self { process, folder, url: format!("s3://artifacts?endpoint=http://127.0.0.1:{port}") }
    }

    fn hub(&self, secret: &str) -> impl FnOnce(&mut fiel_server::config::HubConfig) {
        let keys = ("key".to_owned(), secret.to_owned());
        let url = self.url.clone();
        move |config| {
            config.blobs_url = Some(url);
            config.blobs_keys = Some(keys);
            config.artifact_bytes_max = 20 << 20;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_live_in_an_s3_store_under_the_same_rules() {
    let s3 = S3::start();
    let hub = TestHub::with(s3.hub("secret")).await;
    hub.challenge(10).await;
    let site = hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    // Ten megabytes take more than one part.
    let large: Vec<u8> = (0..10_u32 << 20).map(|i| i.to_le_bytes()[1]).collect();
    let digest = hub.upload(&token, &large).await;
    assert_eq!(
        std::fs::read(s3.folder.path().join("artifacts/sha256").join(&digest[..2]).join(&digest)).unwrap(),
        module(&large)
    );
    let wrong = "0".repeat(64);
    let request =
        hub.request(Method::PUT, &format!("/artifacts/{wrong}"), Some(&token)).body(module(&[1; 100]));
    let (_, body) = read(request.send().await.unwrap()).await;
    assert_eq!(body["code"], "digest-mismatch");
    assert!(!s3.folder.path().join("artifacts/sha256/00").join(&wrong).exists());
    hub.submit(&token, "small").await;
    let order = hub.claim(&site).await.unwrap();
    let path = format!("/artifacts/{}", order.submission.artifact.sha256);
    let answer = hub.request(Method::GET, &path, Some(&site.token)).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), module(b"small"));
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_the_keys_makes_uploads_unavailable_not_lost() {
    let s3 = S3::start();
    let hub = TestHub::with(s3.hub("not the secret")).await;
    let token = hub.account("anna", "participant").await;
    let path = format!("/artifacts/{}", sha256_hex(&module(b"")));
    let request = hub.request(Method::PUT, &path, Some(&token)).body(module(b""));
    let (status, body) = read(request.send().await.unwrap()).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (503, Some("unavailable")), "{body}");
    hub.end().await;
}
