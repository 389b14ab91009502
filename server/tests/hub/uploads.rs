//! Uploads: cut, wrong, too large; and an S3-compatible store where one is installed.

use crate::harness::{TestHub, read};
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
        (sha256_hex(&[0; 1001]), 1001, 413, "artifact-too-large"),
        ("zz".to_owned(), 10, 400, "bad-request"),
        ("../../etc/passwd".to_owned(), 10, 404, "not-found"),
        ("F".repeat(64), 10, 400, "bad-request"),
    ] {
        let request =
            hub.request(Method::PUT, &format!("/artifacts/{digest}"), Some(&token)).body(vec![0; size]);
        let (found, body) = read(request.send().await.unwrap()).await;
        if code != "not-found" {
            assert_eq!((found.as_u16(), body["code"].as_str()), (status, Some(code)), "{digest}");
        }
        nothing_is_stored(&hub).await;
    }
    hub.upload(&token, &[0; 1000]).await;
    assert_eq!(stored(&hub).len(), 1);
    hub.upload(&token, &[0; 1000]).await;
    assert_eq!(stored(&hub).len(), 1, "the same bytes are one blob");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_cut_in_the_middle_leaves_nothing() {
    let hub = TestHub::start().await;
    let token = hub.account("anna", "participant").await;
    let digest = sha256_hex(&[1; 100_000]);
    let address = hub.url.strip_prefix("http://").unwrap().to_owned();
    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    let head = format!(
        "PUT /api/v1/artifacts/{digest} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 100000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&[1; 50_000]).unwrap();
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
