//! From a push to a submission to the folder that a site's sandbox is given.

use super::{CONFIG, LAYER, Pusher, check_layout, descriptor, header, manifest, node, refused};
use crate::harness::{TestHub, TestSite, module, read};
use fiel_node::NodeError;
use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::{OCI_INDEX, OCI_MANIFEST};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pushed_image_is_a_submission_once_and_its_site_pulls_it_and_nothing_else() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let (north, south) = (hub.site("north").await, hub.site_without_data("south").await);
    let anna = Pusher::new(&hub, "anna").await;
    let layers: [&[u8]; 2] = [&vec![5; 70_000], b"second"];
    let image = anna.image("{\"os\":\"linux\"}", &layers).await;
    let answer = anna.tag("1.0", &image).await;
    assert_eq!(answer.status(), 201);
    let id = header(&answer, "fiel-submission");
    let digest = sha256_hex(image.to_string().as_bytes());
    assert_eq!(header(&answer, "docker-content-digest"), format!("sha256:{digest}"));
    let again = anna.tag("1.0", &image).await;
    assert_eq!((again.status().as_u16(), header(&again, "fiel-submission")), (201, id.clone()));
    let mine = anna.submissions().await;
    assert_eq!(mine.len(), 1, "a push that is repeated enters nothing new");
    let entered = &mine[0]["submission"];
    assert_eq!(
        (&entered["id"], &entered["tool"], &entered["version"]),
        (&id.into(), &"tool".into(), &"1.0".into())
    );
    let size = 14 + 70_000 + 6;
    assert_eq!(entered["artifact"], json!({"media_type": OCI_MANIFEST, "sha256": digest, "size": size}));

    let folder = tempfile::tempdir().unwrap();
    let pull = async |site: &TestSite| node(&hub, site).image(folder.path(), &digest, size).await;
    assert!(pull(&north).await.is_err(), "not before the run is leased");
    let order = hub.claim(&north).await.unwrap();
    assert_eq!(order.submission.artifact.sha256, digest);
    assert!(pull(&south).await.is_err(), "not another site");
    let layout = pull(&north).await.unwrap();
    assert_eq!(check_layout(&layout), 4);
    let elsewhere = anna.blob(LAYER, b"of no image").await;
    let sha256 = elsewhere["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    for (manifest, blob, status) in [
        (&*digest, &*sha256_hex(b"second"), 200),
        (&*digest, sha256, 404),
        (sha256, sha256, 404),
        (&*digest, "..", 404),
    ] {
        let path = format!("/artifacts/{manifest}/blobs/{blob}");
        assert_eq!(hub.get(&path, Some(&north.token)).await.0, status, "{path}");
    }
    let path = format!("/artifacts/{digest}/blobs/{}", sha256_hex(b"second"));
    for (range, status, bytes) in [
        ("bytes=2-", 206, "cond"),
        ("bytes=0-", 200, "second"),
        ("bytes=1-2", 200, "second"),
        ("bytes=6-", 416, ""),
        ("bytes=18446744073709551615-", 416, ""),
        ("lines=1-", 200, "second"),
    ] {
        let answer =
            hub.request(Method::GET, &path, Some(&north.token)).header("Range", range).send().await.unwrap();
        assert_eq!(answer.status(), status, "{range}");
        assert_eq!(answer.bytes().await.unwrap(), bytes, "{range}");
    }
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_s_download_goes_on_where_it_broke_off_and_bytes_that_lie_are_thrown_away() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let north = hub.site("north").await;
    let anna = Pusher::new(&hub, "anna").await;
    let layer: Vec<u8> = (0..60_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let image = anna.image("{}", &[&layer]).await;
    assert_eq!(anna.tag("1.0", &image).await.status(), 201);
    let digest = sha256_hex(image.to_string().as_bytes());
    let size = 2 + layer.len() as u64;
    hub.claim(&north).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs");
    std::fs::create_dir(&blobs).unwrap();
    let partial = blobs.join(format!(".{}.part", sha256_hex(&layer)));
    let pull = async |size: u64| node(&hub, &north).image(folder.path(), &digest, size).await;
    let reason = |e: Result<_, NodeError>| e.map(|_: std::path::PathBuf| ()).unwrap_err().reason();
    // Were the whole blob asked for again, a beginning that lies would not matter.
    std::fs::write(&partial, vec![0; 40_000]).unwrap();
    assert_eq!(reason(pull(size).await), FailureReason::DigestMismatch);
    assert!(!partial.exists());
    for begun in [vec![0; 60_001], layer[..40_000].to_vec(), layer.clone()] {
        std::fs::write(&partial, begun).unwrap();
        let layout = pull(size).await.unwrap();
        assert_eq!(check_layout(&layout), 3);
        assert!(!partial.exists());
        std::fs::remove_dir_all(layout).unwrap();
        std::fs::remove_file(blobs.join(sha256_hex(&layer))).unwrap();
    }
    let layout = pull(size).await.unwrap();
    // What rots in the cache is fetched again, and the manifest may not contradict the order.
    std::fs::write(layout.join("blobs/sha256").join(sha256_hex(&layer)), b"rot").unwrap();
    assert_eq!(check_layout(&pull(size).await.unwrap()), 3);
    assert_eq!(reason(pull(size + 1).await), FailureReason::DigestMismatch);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_pushes_at_once_under_a_quota_of_three_enter_exactly_three() {
    let hub = TestHub::start().await;
    hub.challenge(3).await;
    let anna = Pusher::new(&hub, "anna").await;
    let image = anna.image("{}", &[b"layer"]).await;
    let tags: Vec<String> = (0..64).map(|i| format!("1.{i}")).collect();
    let answers = futures_util::future::join_all(tags.iter().map(|tag| anna.tag(tag, &image))).await;
    let mut refusals = 0;
    for answer in answers {
        if answer.status() != 201 {
            let message = refused(answer, 403, "DENIED").await;
            assert!(message.contains("allows 3 submissions"), "{message}");
            refusals += 1;
        }
    }
    assert_eq!((anna.submissions().await.len(), refusals), (3, 61));
    let (_, list) = read(anna.send(Method::GET, "tags/list").await).await;
    assert_eq!(list["tags"].as_array().unwrap().len(), 3, "a refused version has no tag");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_enters_its_image_for_the_sites_machines_and_a_plain_file_enters_as_what_it_is() {
    let hub = TestHub::start().await;
    hub.challenge(10).await;
    let anna = Pusher::new(&hub, "anna").await;
    let mut children = Vec::new();
    for architecture in ["arm64", "amd64"] {
        let image =
            anna.image(&format!("{{\"architecture\":\"{architecture}\"}}"), &[architecture.as_bytes()]).await;
        let text = image.to_string();
        let mut child = descriptor(OCI_MANIFEST, text.as_bytes());
        child["platform"] = json!({"os": "linux", "architecture": architecture});
        children.push((child, image, sha256_hex(text.as_bytes())));
    }
    let named: Vec<&Value> = children.iter().map(|c| &c.0).collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": named});
    for (_, image, digest) in &children {
        refused(anna.put("1.0", OCI_INDEX, &index).await, 404, "MANIFEST_BLOB_UNKNOWN").await;
        let answer = anna.put(&format!("sha256:{digest}"), OCI_MANIFEST, image).await;
        assert_eq!(answer.status(), 201);
        assert!(answer.headers().get("fiel-submission").is_none(), "a digest alone enters nothing");
    }
    assert_eq!(anna.put("1.0", OCI_INDEX, &index).await.status(), 201);
    assert_eq!(anna.submissions().await[0]["submission"]["artifact"]["sha256"], children[1].2);

    let file = module(b"a model");
    let config = anna.blob("application/vnd.oci.empty.v1+json", b"{}").await;
    let file_layer = anna.blob("application/octet-stream", &file).await;
    assert_eq!(anna.tag("2.0", &manifest(&config, &[file_layer])).await.status(), 201);
    let mine = anna.submissions().await;
    let expected = json!({"media_type": "application/wasm", "sha256": sha256_hex(&file), "size": file.len()});
    assert_eq!(mine[0]["submission"]["artifact"], expected);
    let text = anna.blob("text/plain", b"no model at all").await;
    refused(anna.tag("3.0", &manifest(&config, &[text])).await, 400, "MANIFEST_INVALID").await;
    hub.end().await;
}

/// Writes a small image as an archive of an OCI layout; the digest of its manifest.
fn archive(path: &Path) -> String {
    let mut root = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    header.set_mode(0o755);
    root.append_data(&mut header, "model", b"model".as_slice()).unwrap();
    let root = root.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&root).unwrap();
    let layer = gzip.finish().unwrap();
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Entrypoint": ["/model"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256_hex(&root))]}})
    .to_string();
    let image = manifest(&descriptor(CONFIG, config.as_bytes()), &[descriptor(LAYER, &layer)]).to_string();
    let mut named = descriptor(OCI_MANIFEST, image.as_bytes());
    named["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [named]}).to_string();
    let mut files = vec![
        ("oci-layout".to_owned(), b"{\"imageLayoutVersion\":\"1.0.0\"}".to_vec()),
        ("index.json".to_owned(), index.into_bytes()),
    ];
    for blob in [layer, config.into_bytes(), image.clone().into_bytes()] {
        files.push((format!("blobs/sha256/{}", sha256_hex(&blob)), blob));
    }
    let mut builder = tar::Builder::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap().sync_all().unwrap();
    sha256_hex(image.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skopeo_pushes_an_image_that_a_site_then_pulls() {
    let hub = TestHub::start().await;
    hub.challenge(1).await;
    let north = hub.site("north").await;
    let anna = Pusher::new(&hub, "anna").await;
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.tar");
    let digest = archive(&image);
    let host = hub.url.strip_prefix("http://").unwrap();
    let push = async |version: &str, password: &str| {
        let mut skopeo = tokio::process::Command::new("skopeo");
        skopeo.args(["--insecure-policy", "--tmpdir"]).arg(folder.path());
        skopeo.args(["copy", "--dest-tls-verify=false", "--dest-creds", &format!("anna:{password}")]);
        skopeo.arg(format!("oci-archive:{}:latest", image.display()));
        skopeo.arg(format!("docker://{host}/test/tool:{version}"));
        let output = skopeo.output().await.expect("skopeo is installed (apt-get install skopeo)");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (pushed, words) = push("1.0", &anna.token).await;
    assert!(pushed, "{words}");
    assert!(push("1.0", &anna.token).await.0, "the same again is no error");
    let mine = anna.submissions().await;
    assert_eq!(mine.len(), 1);
    let artifact = &mine[0]["submission"]["artifact"];
    assert_eq!(
        (artifact["sha256"].as_str(), artifact["media_type"].as_str()),
        (Some(&*digest), Some(OCI_MANIFEST))
    );
    let (pushed, words) = push("1.1", &anna.token).await;
    assert!(!pushed && words.contains("allows 1 submissions"), "{words}");
    let (pushed, words) = push("1.1", "wrong").await;
    assert!(!pushed && words.contains("unauthorized"), "{words}");
    let order = hub.claim(&north).await.unwrap();
    let entered = &order.submission.artifact;
    let layout = node(&hub, &north).image(folder.path(), &entered.sha256, entered.size).await.unwrap();
    assert_eq!(check_layout(&layout), 3);
    hub.end().await;
}
