//! Images of registries other than the hub's: what is pinned, what is pulled, and what is refused before and after.

use crate::reason_told;
use crate::support::TestSite;
use fiel_node::NodeError;
use fiel_node::policy::{Engines, Policy, ReleaseRule};
use fiel_node::registry::{Pinned, Registry as Reader, pin};
use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::{OCI_INDEX, OCI_MANIFEST};
use fiel_schemas::reference::Reference;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::{MediaType, Source};
use fiel_tests::registry::{Conduct, Registry};
use serde_json::json;
use std::path::Path;

const TOOL: &str = "group/tool";

fn source(registry: &Registry) -> Source {
    Source { registry: registry.host.clone(), repository: TOOL.to_owned() }
}

async fn pinned(registry: &Registry, version: &str) -> Result<Pinned, NodeError> {
    pin(&Reference::parse(&format!("{}/{TOOL}{version}", registry.host)).unwrap()).await
}

/// The reason and the words of a refusal.
fn refusal<T: std::fmt::Debug>(result: Result<T, NodeError>) -> (FailureReason, String) {
    match result.unwrap_err() {
        NodeError::Refused { reason, message } => (reason, message),
        other => panic!("no refusal: {other}"),
    }
}

async fn pull(registry: &Registry, folder: &Path, sha256: &str, size: u64) -> Result<(), NodeError> {
    let layout = Reader::new(source(registry)).unwrap().image(folder, sha256, size).await?;
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).unwrap();
    for entry in blobs.map(Result::unwrap) {
        assert_eq!(entry.file_name().to_str(), Some(&*sha256_hex(&std::fs::read(entry.path()).unwrap())));
    }
    assert!(layout.join("oci-layout").exists() && layout.join("index.json").exists());
    Ok(())
}

#[tokio::test]
async fn a_reference_is_pinned_to_what_it_means_now() {
    let registry = Registry::start().await;
    let first = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let image = pinned(&registry, ":1.0").await.unwrap();
    assert_eq!(image, Pinned { source: source(&registry), sha256: first.clone(), size: 7 });
    let second = registry.push(TOOL, "1.0", b"{}", &[b"another layer"]);
    assert_eq!(pinned(&registry, ":1.0").await.unwrap().sha256, second);
    let kept = pinned(&registry, &format!("@sha256:{first}")).await.unwrap();
    assert_eq!(kept, image, "a digest means the same for ever");

    let child = |digest: &str, architecture: &str| {
        json!({"mediaType": OCI_MANIFEST, "digest": format!("sha256:{digest}"), "size": 1,
            "platform": {"os": "linux", "architecture": architecture}})
    };
    let index = |manifests: serde_json::Value| {
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string().into_bytes()
    };
    let both = index(json!([child(&second, "arm64"), child(&first, "amd64")]));
    let _ = registry.manifest(TOOL, "multi", &both);
    assert_eq!(pinned(&registry, ":multi").await.unwrap(), image);
    let _ = registry.manifest(TOOL, "arm", &index(json!([child(&second, "arm64")])));
    let (reason, words) = refusal(pinned(&registry, ":arm").await);
    assert!(reason == FailureReason::PullFailed && words.contains("linux/amd64"), "{words}");
    registry.conduct(Conduct { token: true, ..Conduct::default() });
    assert_eq!(pinned(&registry, ":multi").await.unwrap(), image);
}

#[tokio::test]
async fn what_cannot_be_pinned_is_said_with_the_place_and_the_reason() {
    let registry = Registry::start().await;
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let file = registry.blob(TOOL, "application/wasm", b"module");
    let artifact = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": file, "layers": [file]});
    let _ = registry.manifest(TOOL, "file", artifact.to_string().as_bytes());
    registry.put(&format!("/v2/{TOOL}/manifests/broken"), b"{");
    registry.put(&format!("/v2/{TOOL}/manifests/long"), &vec![b' '; (4 << 20) + 1]);
    let other = "ab".repeat(32);
    registry.put(&format!("/v2/{TOOL}/manifests/sha256:{other}"), b"{}");
    for (version, words) in [
        (":absent", "404"),
        (":file", "no container image"),
        (":broken", "not readable"),
        (":long", "more than 4194304 bytes"),
        (&*format!("@sha256:{other}"), "was asked for"),
    ] {
        let (reason, found) = refusal(pinned(&registry, version).await);
        assert_eq!(reason, FailureReason::PullFailed);
        assert!(found.contains(words) && found.contains(&registry.host), "{version}: {found}");
    }
    registry.conduct(Conduct { password: true, ..Conduct::default() });
    let (_, words) = refusal(pinned(&registry, &format!("@sha256:{sha256}")).await);
    assert!(words.contains("wants a password"), "{words}");
}

#[tokio::test]
async fn an_image_is_pulled_with_a_token_over_redirects_and_from_where_it_broke_off() {
    let registry = Registry::start().await;
    let layer: Vec<u8> = (0..60_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[&layer, b"second"]);
    let size = 2 + 60_000 + 6;
    let folder = tempfile::tempdir().unwrap();
    let moved = format!("http://{}/moved", registry.host);
    let conduct = Conduct { token: true, send_on: Some(moved.clone()), ..Conduct::default() };
    registry.conduct(Conduct { busy: 1, cut_after: Some(1_000), ..conduct });
    let mut troubles = 0;
    while let Err(error) = pull(&registry, folder.path(), &sha256, size).await {
        assert!(error.is_transient(), "{error}");
        troubles += 1;
        assert!(troubles <= 2, "{error}");
    }
    assert_eq!(troubles, 2, "busy once, cut once");
    let asked = registry.asked();
    let of = |what: &str| asked.iter().filter(|head| head.contains(what)).count();
    assert_eq!(
        of(&format!("get /v2/{TOOL}/manifests/")),
        3,
        "busy, without and with a token; then it is kept"
    );
    assert!(of("get /token?service=") > 0 && of("scope=repository%3agroup%2ftool%3apull") > 0);
    assert!(of("get /moved/v2/") >= 3 && of("range: bytes=") > 0);
    let all = asked.len();
    pull(&registry, folder.path(), &sha256, size).await.unwrap();
    assert_eq!(registry.asked().len(), all, "what is whole is not asked for again");
}

#[tokio::test]
async fn bytes_that_are_not_what_was_submitted_are_thrown_away() {
    let registry = Registry::start().await;
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let folder = tempfile::tempdir().unwrap();
    let layer = format!("/v2/{TOOL}/blobs/sha256:{}", sha256_hex(b"layer"));
    for lie in [&b"LAYER"[..], b"layer and more", b"", b"lay"] {
        registry.put(&layer, lie);
        let result = pull(&registry, folder.path(), &sha256, 7).await;
        if lie.len() < 5 {
            assert!(result.unwrap_err().is_transient(), "it may have broken off");
            let partial = folder.path().join("blobs").join(format!(".{}.part", sha256_hex(b"layer")));
            std::fs::remove_file(partial).unwrap();
        } else {
            assert_eq!(refusal(result).0, FailureReason::DigestMismatch);
        }
        let kept = std::fs::read_dir(folder.path().join("blobs")).unwrap();
        let kept: Vec<_> = kept.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(kept, [&*sha256_hex(b"{}")], "only the configuration");
    }
    registry.put(&layer, b"layer");
    let (reason, words) = refusal(pull(&registry, folder.path(), &sha256, 8).await);
    assert!(reason == FailureReason::DigestMismatch && words.contains("7 bytes"), "{words}");

    let manifest = format!("/v2/{TOOL}/manifests/sha256:{}", "ab".repeat(32));
    registry.put(&manifest, b"{}");
    let (reason, words) = refusal(pull(&registry, folder.path(), &"ab".repeat(32), 7).await);
    assert!(reason == FailureReason::DigestMismatch && words.contains(&registry.host), "{words}");
    let index = registry.manifest(TOOL, "index", br#"{"schemaVersion":2,"manifests":[]}"#);
    assert_eq!(refusal(pull(&registry, folder.path(), &index, 7).await).0, FailureReason::ImageInvalid);
    assert_eq!(
        refusal(pull(&registry, folder.path(), &"cd".repeat(32), 7).await).0,
        FailureReason::PullFailed
    );
    pull(&registry, folder.path(), &sha256, 7).await.unwrap();
}

#[tokio::test]
async fn a_registry_does_not_reach_into_the_site_through_the_node() {
    let (registry, inside) = (Registry::start().await, Registry::start().await);
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let _ = inside.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let folder = tempfile::tempdir().unwrap();
    for to in
        [format!("http://{}", inside.host), format!("https://{}", inside.host), "https://localhost".into()]
    {
        registry.conduct(Conduct { send_on: Some(to), ..Conduct::default() });
        let (reason, words) = refusal(pull(&registry, folder.path(), &sha256, 7).await);
        assert!(reason == FailureReason::PullFailed && words.contains("sent on to"), "{words}");
    }
    registry.conduct(Conduct { send_on: Some(format!("http://{}", registry.host)), ..Conduct::default() });
    let (_, words) = refusal(pull(&registry, folder.path(), &sha256, 7).await);
    assert!(words.contains("more than 5 times"), "{words}");
    assert_eq!(inside.asked(), [""; 0]);
}

/// An order for an image of a registry.
fn order(site: &TestSite, run: &str, registry: &Registry, sha256: &str) -> RunOrder {
    let mut order = site.order(run, 1, b"the hub has no bytes of it");
    let artifact = &mut order.submission.artifact;
    artifact.media_type = MediaType::ImageManifest;
    artifact.source = Some(source(registry));
    sha256.clone_into(&mut artifact.sha256);
    artifact.size = 7;
    order
}

fn list(site: &TestSite, registry: &Registry) {
    let policy = Policy::open(site.path()).unwrap();
    let engines = Engines { registries: vec![registry.host.clone()], ..Engines::default() };
    Policy { engines, ..policy }.save(site.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_the_policy_does_not_list_is_never_asked() {
    let (registry, listed) = (Registry::start().await, Registry::start().await);
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    list(&site, &listed);
    site.queue(order(&site, "1", &registry, &sha256));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::PolicyRefused);
    node.stop().await;
    assert_eq!((registry.asked(), listed.asked()), (Vec::new(), Vec::new()));
    assert!(site.hub.with(|s| s.received.iter().all(|(line, _)| !line.contains("artifacts"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_lies_or_lacks_the_image_fails_the_run_with_the_reason() {
    let registry = Registry::start().await;
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    registry.put(&format!("/v2/{TOOL}/blobs/sha256:{}", sha256_hex(b"layer")), b"LAYER");
    let absent = "ab".repeat(32);
    for (sha256, reason) in [(&sha256, FailureReason::DigestMismatch), (&absent, FailureReason::PullFailed)] {
        let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
        list(&site, &registry);
        site.queue(order(&site, "1", &registry, sha256));
        let node = site.start();
        assert_eq!(reason_told(&site).await, reason);
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_digest_of_another_s_image_does_not_get_it_run() {
    let registry = Registry::start().await;
    let sha256 = registry.push(TOOL, "1.0", b"{}", &[b"layer"]);
    let site = TestSite::new(20, 10, ReleaseRule::Automatic).await;
    // As if it had been pulled from the hub for who pushed it there.
    pull(&registry, &site.path().join("artifacts"), &sha256, 7).await.unwrap();
    let elsewhere = Registry::start().await;
    list(&site, &elsewhere);
    site.queue(order(&site, "1", &elsewhere, &sha256));
    let node = site.start();
    assert_eq!(reason_told(&site).await, FailureReason::PullFailed);
    node.stop().await;
}
