//! An image that stays in another registry, from `fiel submit` to a row on the board: with Debian's own registry
//! (`apt-get install docker-registry skopeo`), two sites of which one lists it, and a registry that lies.

use fiel_schemas::digest::sha256_hex;
use fiel_tests::registry::Registry;
use fiel_tests::{Client, Hub, Process, breast_fna_site, enrol, fiel, free_port, node, repository};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const TOOL: &str = "group/tool";

/// What a command printed on its standard output; it must have worked.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A baseline of breast-fna as an image of one program: its configuration and its layer.
fn image(folder: &Path, baseline: &str) -> (Vec<u8>, Vec<u8>) {
    let root = folder.join(baseline);
    fs_err::create_dir(&root).expect("a new folder");
    let source = repository().join("challenges/breast-fna/baselines").join(baseline).join("model.c");
    done(Command::new("gcc").args(["-O1", "-static", "-o"]).arg(root.join("model")).arg(source).arg("-lm"));
    let layer = folder.join(format!("{baseline}.tar"));
    done(
        Command::new("tar")
            .args(["--create", "--file"])
            .arg(&layer)
            .arg("--directory")
            .arg(&root)
            .arg("model"),
    );
    let layer = fs_err::read(layer).expect("tar wrote it");
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ["/model"], "User": "1000", "Labels": {"eu.fiel.dialect": "fiel"}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256_hex(&layer))]},
    });
    (config.to_string().into_bytes(), layer)
}

/// Writes an image as a folder in the OCI layout.
fn layout(folder: &Path, name: &str, config: &[u8], layer: &[u8]) -> PathBuf {
    let layout = folder.join(format!("{name}.oci"));
    let blobs = layout.join("blobs/sha256");
    fs_err::create_dir_all(&blobs).expect("a new folder");
    let put = |kind: &str, bytes: &[u8]| {
        let sha256 = sha256_hex(bytes);
        fs_err::write(blobs.join(&sha256), bytes).expect("a blob can be written");
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": format!("sha256:{sha256}"),
            "size": bytes.len()})
    };
    let (config, layer) = (put("config.v1+json", config), put("layer.v1.tar", layer));
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer]});
    let manifest = put("manifest.v1+json", manifest.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs_err::write(layout.join("index.json"), index.to_string()).expect("the index can be written");
    let version = json!({"imageLayoutVersion": "1.0.0"});
    fs_err::write(layout.join("oci-layout"), version.to_string()).expect("the version can be written");
    layout
}

/// Debian's registry, serving a folder.
struct Debian {
    host: String,
    _process: Process,
}

impl Debian {
    async fn start(folder: &Path) -> Self {
        let host = format!("127.0.0.1:{}", free_port());
        let data = folder.join("registry");
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n",
            data.display()
        );
        let file = folder.join("registry.yml");
        fs_err::write(&file, config).expect("the configuration can be written");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        let process = Process(child.expect("apt-get install docker-registry"));
        let start = Instant::now();
        while !reqwest::get(format!("http://{host}/v2/")).await.is_ok_and(|answer| answer.status() == 200) {
            assert!(start.elapsed() < Duration::from_secs(20), "no registry answers at {host}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { host, _process: process }
    }

    fn push(&self, layout: &Path, tag: &str) {
        let to = format!("docker://{}/{TOOL}:{tag}", self.host);
        let from = format!("oci:{}", layout.display());
        done(Command::new("skopeo").args([
            "--insecure-policy",
            "copy",
            "--dest-tls-verify=false",
            &from,
            &to,
        ]));
    }
}

/// Makes a site with a few cases whose policy lists these registries.
async fn site(admin: &Client, hub: &Hub, folder: &Path, id: &str, registries: &[&str]) -> PathBuf {
    let data = folder.join(id);
    let _ = breast_fna_site(&data, id, 20);
    let policy = json!({"schema": "fiel/policy/v1", "min_cases": 10, "min_cell": 1, "release": "automatic",
        "engines": {"registries": registries}});
    fs_err::write(data.join("policy.json"), policy.to_string()).expect("the policy can be written");
    enrol(admin, id, &data, &hub.url).await;
    data
}

fn submit(hub: &Hub, who: &Client, reference: &str, more: &[&str]) -> Output {
    let mut command = Command::new(fiel());
    command.args(["submit", "breast-fna", reference, "--hub", &hub.url, "--token", who.token()]);
    command.args(more).output().expect("fiel starts")
}

/// The submission once its runs at both sites have ended.
async fn ended(who: &Client, id: &str) -> Value {
    let start = Instant::now();
    loop {
        let status = who.get(&format!("/submissions/{id}")).await;
        if status["state"] != "running" && status["runs"].as_array().is_some_and(|runs| runs.len() == 2) {
            return status;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "never ended: {status:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn run<'a>(status: &'a Value, site: &str) -> &'a Value {
    let runs = status["runs"].as_array().expect("runs");
    runs.iter().find(|run| run["site"] == site).unwrap_or_else(|| panic!("no run at {site}: {status:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pinned_pulled_by_who_lists_its_registry_and_ranked_and_a_lying_registry_is_found_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let (debian, liar) = (Debian::start(folder).await, Registry::start().await);
    let (config, layer) = image(folder, "logistic");
    debian.push(&layout(folder, "logistic", &config, &layer), "1.0");

    let hub = Hub::start(&folder.join("hub"), &[]).await;
    let admin = hub.client(&hub.admin_token());
    let yaml = repository().join("challenges/breast-fna/challenge.yaml");
    admin.challenge(&fs_err::read_to_string(yaml).expect("the challenge is in the repository")).await;
    let lists = site(&admin, &hub, folder, "site-a", &[&debian.host, &liar.host]).await;
    let lists_none = site(&admin, &hub, folder, "site-b", &[]).await;
    let ada = admin.account("ada", "participant").await;

    let reference = format!("docker://{}/{TOOL}:1.0", debian.host);
    let output = submit(&hub, &ada, &reference, &["--tool", "external", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let submission = serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["submission"].clone();
    let artifact = &submission["artifact"];
    assert_eq!(artifact["source"], json!({"registry": debian.host, "repository": TOOL}));
    let id = submission["id"].as_str().expect("an id");
    // The tag moves on before any site has looked; the submission does not.
    let (other_config, other_layer) = image(folder, "constant");
    debian.push(&layout(folder, "constant", &other_config, &other_layer), "1.0");
    let wasm =
        fs_err::read(repository().join("challenges/breast-fna/baselines/logistic.wasm")).expect("a baseline");
    let uploaded = ada.upload(&wasm).await;
    let body = json!({"tool": "uploaded", "version": "1", "artifact": uploaded});
    let twin = ada.post("/challenges/breast-fna/submissions", body).await;

    let _nodes = [node(&lists), node(&lists_none)];
    let status = ended(&ada, id).await;
    let (at_a, at_b) = (run(&status, "site-a"), run(&status, "site-b"));
    assert_eq!((&at_a["state"], &at_a["cases"]), (&"reported".into(), &json!({"ok": 20})), "{status:#}");
    assert_eq!(
        (&at_b["state"], &at_b["reason"]),
        (&"refused".into(), &"policy-refused".into()),
        "{status:#}"
    );
    ended(&ada, twin["submission"]["id"].as_str().expect("an id")).await;
    assert_same_at_a(&hub, artifact["sha256"].as_str().expect("a digest")).await;

    let sha256 = liar.push(TOOL, "2.0", &config, &[&layer]);
    let mut lie = layer.clone();
    lie[0] ^= 1;
    liar.put(&format!("/v2/{TOOL}/blobs/sha256:{}", sha256_hex(&layer)), &lie);
    let reference = format!("docker://{}/{TOOL}@sha256:{sha256}", liar.host);
    let output = submit(&hub, &ada, &reference, &["--tool", "lied-about", "--watch"]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    for words in [
        &*format!("sites pull {}/{TOOL}@sha256:{sha256}", liar.host),
        "site-a: failed: digest-mismatch",
        "site-b: refused: policy-refused",
    ] {
        assert!(out.contains(words), "{words} is missing: {out}");
    }
    assert!(err.contains("only where its policy lists that registry"), "{err}");
}

/// The board has the image under its digest, and its values at the site are those of the same program as a module.
async fn assert_same_at_a(hub: &Hub, sha256: &str) {
    let start = Instant::now();
    loop {
        let board: Value = serde_json::from_str(
            &reqwest::get(format!("{}/api/v1/challenges/breast-fna/leaderboard", hub.url))
                .await
                .expect("the hub answers")
                .text()
                .await
                .expect("a body"),
        )
        .expect("JSON");
        let row = |name: &str| {
            board["leaderboard"].as_array()?.iter().find(|row| row["submission"] == name).cloned()
        };
        let value = |row: &Value| row["sites"]["site-a"]["metrics"]["auc"]["value"].as_f64();
        if let (Some(external), Some(uploaded)) = (row("external"), row("uploaded"))
            && let (Some(ours), Some(theirs)) = (value(&external), value(&uploaded))
        {
            assert_eq!(external["artifact"], sha256);
            assert!((ours - theirs).abs() < 1e-12 && ours > 0.9, "{ours} as an image, {theirs} as a module");
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no row: {board:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
