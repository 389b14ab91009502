//! What the registry refuses, and that nobody learns what others have pushed.

use super::{CONFIG, LAYER, Pusher, descriptor, manifest, refused};
use crate::harness::{TestHub, read};
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_the_registry_asks_for_one_and_takes_it_as_bearer_or_password_only() {
    let hub = TestHub::start().await;
    let token = hub.account("anna", "participant").await;
    let base = |token| hub.request(Method::GET, "/v2/", token);
    let answer = base(None).send().await.unwrap();
    assert_eq!(super::header(&answer, "www-authenticate"), "Basic realm=\"fiel\"");
    refused(answer, 401, "UNAUTHORIZED").await;
    assert_eq!(base(Some(&token)).send().await.unwrap().status(), 200);
    assert_eq!(base(None).basic_auth("anybody", Some(&token)).send().await.unwrap().status(), 200);
    for password in ["correct horse battery", "", "fiel_0"] {
        let answer = base(None).basic_auth("anna", Some(password)).send().await.unwrap();
        refused(answer, 401, "UNAUTHORIZED").await;
    }
    for value in ["Basic", "Basic !!!", "Basic YQ==", "Digest abc", "Bearer", ""] {
        let answer = base(None).header("Authorization", value).send().await.unwrap();
        refused(answer, 401, "UNAUTHORIZED").await;
    }
    let login = json!({"account": "anna", "password": "correct horse battery"});
    let answer = hub.request(Method::POST, "/auth/login", None).json(&login).send().await.unwrap();
    let cookie = super::header(&answer, "set-cookie").split(';').next().unwrap().to_owned();
    let answer = base(None).header("Cookie", cookie).send().await.unwrap();
    refused(answer, 401, "UNAUTHORIZED").await;
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_names_digests_and_sizes_are_refused_and_leave_nothing() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let anna = Pusher::new(&hub, "anna").await;
    let call = |method: Method, path: &str| hub.request(method, path, Some(&anna.token)).send();
    let upload = |path: &str| call(Method::POST, path);
    refused(upload("/v2/nowhere/tool/blobs/uploads/").await.unwrap(), 404, "NAME_UNKNOWN").await;
    refused(upload("/v2/test/Tool/blobs/uploads/").await.unwrap(), 400, "NAME_INVALID").await;
    refused(upload("/v2/test/a/b/blobs/uploads/").await.unwrap(), 400, "NAME_INVALID").await;
    refused(call(Method::GET, "/v2/_catalog").await.unwrap(), 400, "NAME_INVALID").await;

    let bytes = vec![9; 1000];
    let wrong = "0".repeat(64);
    let started = anna.start().await;
    let message = refused(anna.finish(&started, &bytes, &wrong).await, 400, "DIGEST_INVALID").await;
    assert!(message.contains(&sha256_hex(&bytes)), "{message}");
    refused(anna.send(Method::GET, &started).await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    let whole =
        anna.request(Method::POST, &format!("blobs/uploads/?digest=sha256:{wrong}")).body(bytes.clone());
    refused(whole.send().await.unwrap(), 400, "DIGEST_INVALID").await;
    for digest in ["sha512:00", "sha256:xyz", "", "sha256:"] {
        let whole =
            anna.request(Method::POST, &format!("blobs/uploads/?digest={digest}")).body(bytes.clone());
        refused(whole.send().await.unwrap(), 400, "DIGEST_INVALID").await;
        refused(anna.send(Method::GET, &format!("blobs/{digest}x")).await, 400, "DIGEST_INVALID").await;
    }

    // The challenge takes artifacts of 1 MiB; nobody announces their length in the second way.
    let large = vec![1; (1 << 20) + 1];
    let started = anna.start().await;
    refused(anna.part(&started, None, &large).await, 413, "SIZE_INVALID").await;
    let started = anna.start().await;
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = large.chunks(10_000).map(|c| Ok(c.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let answer = anna.request(Method::PATCH, &started).body(body).send().await.unwrap();
    refused(answer, 413, "SIZE_INVALID").await;
    refused(anna.send(Method::GET, &started).await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    refused(anna.send(Method::DELETE, "manifests/1.0").await, 405, "UNSUPPORTED").await;
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_enters_only_with_its_blobs_their_sizes_and_a_plain_tag() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let anna = Pusher::new(&hub, "anna").await;
    let config = anna.blob(CONFIG, b"{}").await;
    let layer = anna.blob(LAYER, b"layer").await;
    let missing = manifest(&config, &[descriptor(LAYER, b"never pushed")]);
    let message = refused(anna.tag("1.0", &missing).await, 404, "MANIFEST_BLOB_UNKNOWN").await;
    assert!(message.contains(&sha256_hex(b"never pushed")), "{message}");
    let mut lies = layer.clone();
    lies["size"] = 6.into();
    let message = refused(anna.tag("1.0", &manifest(&config, &[lies])).await, 400, "MANIFEST_INVALID").await;
    assert!(message.contains("has 5 bytes; the manifest says 6"), "{message}");
    let fine = manifest(&config, std::slice::from_ref(&layer));
    refused(anna.put("1.0", DOCKER_MANIFEST, &fine).await, 400, "MANIFEST_INVALID").await;
    refused(anna.put("1.0", "text/html", &fine).await, 400, "MANIFEST_INVALID").await;
    let other = format!("sha256:{}", "0".repeat(64));
    refused(anna.put(&other, OCI_MANIFEST, &fine).await, 400, "DIGEST_INVALID").await;
    for tag in [".hidden", "-x", "a%20b", &"x".repeat(41)] {
        refused(anna.tag(tag, &fine).await, 400, "TAG_INVALID").await;
    }
    let two = manifest(&descriptor("application/vnd.oci.empty.v1+json", b"{}"), &[layer.clone(), layer]);
    let message = refused(anna.tag("1.0", &two).await, 400, "MANIFEST_INVALID").await;
    assert!(message.contains("one file that is a model"), "{message}");
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []});
    let message = refused(anna.put("1.0", OCI_INDEX, &index).await, 400, "MANIFEST_INVALID").await;
    assert!(message.contains("linux/amd64"), "{message}");
    let big = json!({"schemaVersion": 2, "annotations": {"a": "x".repeat(4 << 20)}});
    refused(anna.tag("1.0", &big).await, 413, "SIZE_INVALID").await;
    assert!(anna.submissions().await.is_empty());
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_pushed_is_invisible_and_cannot_be_referred_to() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    hub.site("north").await;
    let (anna, ben) = (Pusher::new(&hub, "anna").await, Pusher::new(&hub, "ben").await);
    let image = anna.image("{}", &[b"secret layer"]).await;
    assert_eq!(anna.tag("1.0", &image).await.status(), 201);
    let layer = sha256_hex(b"secret layer");
    let digest = sha256_hex(image.to_string().as_bytes());
    assert_eq!((anna.head(&layer).await.as_u16(), ben.head(&layer).await.as_u16()), (200, 404));
    refused(ben.send(Method::GET, &format!("blobs/sha256:{layer}")).await, 404, "BLOB_UNKNOWN").await;
    for reference in ["1.0".to_owned(), format!("sha256:{digest}")] {
        assert_eq!(anna.send(Method::GET, &format!("manifests/{reference}")).await.status(), 200);
        refused(ben.send(Method::GET, &format!("manifests/{reference}")).await, 404, "MANIFEST_UNKNOWN")
            .await;
    }
    let mount = format!("blobs/uploads/?mount=sha256:{layer}&from=test/tool");
    assert_eq!(anna.send(Method::POST, &mount).await.status(), 201, "one's own");
    assert_eq!(ben.send(Method::POST, &mount).await.status(), 202, "another's is an ordinary start");
    refused(ben.tag("1.0", &image).await, 404, "MANIFEST_BLOB_UNKNOWN").await;
    let upload = anna.start().await;
    refused(ben.part(&upload, None, b"x").await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    refused(ben.send(Method::DELETE, &upload).await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    let tags = |pusher: &Pusher<'_>| pusher.request(Method::GET, "tags/list").send();
    assert_eq!(read(tags(&anna).await.unwrap()).await.1, json!({"name": "test/tool", "tags": ["1.0"]}));
    assert_eq!(read(tags(&ben).await.unwrap()).await.1, json!({"name": "test/tool", "tags": []}));
    // Nor through the other door: who knows the digest of an image cannot enter it.
    let (status, body) = hub.try_submit(&ben.token, None, "tool", &digest).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("artifact-missing")), "{body}");
    // Pushing the same bytes oneself is another matter.
    let own = ben.image("{}", &[b"secret layer"]).await;
    assert_eq!(own, image);
    assert_eq!(ben.tag("1.0", &own).await.status(), 201);
    hub.end().await;
}
