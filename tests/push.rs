//! From `skopeo copy` to the board: real images, a real hub, a real node, and a line that breaks.

use fiel_tests::wire::Wire;
use fiel_tests::{Client, Hub, Process, enrol, fiel, images, node, repository};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// What is said beside the blobs of one push: requests, the configuration and the manifest of an image.
const TALK_BYTES_MAX: u64 = 100_000;

/// A baseline, unpacked into the OCI image layout so that its blobs can be told apart.
struct Image {
    challenge: &'static str,
    archive: PathBuf,
    layout: PathBuf,
    /// SHA-256 of the manifest.
    sha256: String,
    layers: Vec<Layer>,
}

/// A layer of an image.
struct Layer {
    sha256: String,
    size: u64,
}

impl Image {
    fn unpack(folder: &Path, challenge: &'static str, name: &str) -> Self {
        let archive = images::archive(challenge, name);
        let layout = folder.join(name);
        fs_err::create_dir(&layout).expect("a new folder");
        succeed(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&layout));
        let read = |path: PathBuf| -> Value {
            serde_json::from_slice(&fs_err::read(path).expect("a file of the layout")).expect("JSON")
        };
        let sha256 = sha256_of(&read(layout.join("index.json"))["manifests"][0]);
        let manifest = read(layout.join("blobs/sha256").join(&sha256));
        let layers = manifest["layers"].as_array().expect("a list of layers").iter();
        let layers = layers
            .map(|layer| Layer { sha256: sha256_of(layer), size: layer["size"].as_u64().expect("a size") });
        Self { challenge, archive, layers: layers.collect(), layout, sha256 }
    }

    /// `<challenge>/<tool>` at the hub.
    fn repository(&self) -> String {
        format!("{}/pushed", self.challenge)
    }

    fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    fn largest(&self) -> &Layer {
        self.layers.iter().max_by_key(|layer| layer.size).expect("an image has layers")
    }
}

/// The hexadecimal digits of a descriptor's digest.
fn sha256_of(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().expect("a descriptor has a digest");
    digest.strip_prefix("sha256:").expect("by SHA-256").to_owned()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the program is installed (tests/run.sh)");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A hub, a site with the public cases of both challenges, and a participant behind a line that can be cut. Fields end
/// in this order.
struct Stage {
    _agent: Process,
    hub: Hub,
    wire: Wire,
    /// Where the line begins, `host:port`.
    address: String,
    ada: Client,
    site: PathBuf,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hub = Hub::start(&folder.path().join("hub"), &[]).await;
        let admin = hub.client(&hub.admin_token());
        let site = folder.path().join("site");
        fs_err::create_dir(&site).expect("a new folder");
        // Six phantoms are public.
        let policy = json!({
            "schema": "fiel/policy/v1", "min_cases": 5, "min_cell": 1, "release": "automatic",
        });
        fs_err::write(site.join("policy.json"), policy.to_string()).expect("the policy can be written");
        for (challenge, truth) in [("breast-fna", "malignant"), ("lesion-phantom", "lesions")] {
            let source = repository().join("challenges").join(challenge);
            let yaml = fs_err::read_to_string(source.join("challenge.yaml")).expect("the definition");
            admin.challenge(&yaml).await;
            import(&source.join("public"), &folder.path().join(challenge), &site, challenge, truth);
        }
        enrol(&admin, "site-a", &site, &hub.url).await;
        let agent = node(&site);
        let ada = admin.account("ada", "participant").await;
        let (address, wire) = Wire::start(&hub.url).await;
        Self { _agent: agent, hub, wire, address, ada, site, folder }
    }

    /// Pushes an image with skopeo: whether it went well, and skopeo's words.
    async fn push(&self, image: &Image) -> (bool, String) {
        let mut skopeo = tokio::process::Command::new("skopeo");
        skopeo.args(["--insecure-policy", "--tmpdir"]).arg(self.folder.path());
        skopeo.args(["copy", "--dest-tls-verify=false"]);
        skopeo.args(["--dest-creds", &format!("ada:{}", self.ada.token())]);
        skopeo.arg(format!("oci:{}", image.layout.display()));
        skopeo.arg(format!("docker://{}/{}:1.0", self.address, image.repository()));
        let output = skopeo.output().await.expect("skopeo is installed (apt-get install skopeo)");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Pushes an image over a whole line; bytes that were sent.
    async fn push_whole(&self, image: &Image) -> u64 {
        self.wire.allow(u64::MAX);
        let _before = self.wire.take_sent();
        let (pushed, words) = self.push(image).await;
        assert!(pushed, "{words}");
        self.wire.take_sent()
    }

    async fn request(&self, method: Method, path: &str, body: Vec<u8>, range: Option<String>) -> Response {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.hub.url));
        let request = request.bearer_auth(self.ada.token()).body(body);
        let request = match range {
            Some(range) => request.header("Content-Range", range),
            None => request,
        };
        request.send().await.expect("the hub answers")
    }

    /// Bytes of an upload that have arrived, once their number stands still; `None` where it was finished.
    async fn arrived(&self, upload: &str) -> Option<u64> {
        let (start, mut last) = (Instant::now(), None);
        loop {
            let answer = self.request(Method::GET, upload, Vec::new(), None).await;
            if answer.status() == 404 {
                return None;
            }
            let range = answer.headers().get("range").expect("an upload says what has arrived");
            let range = range.to_str().ok().and_then(|range| range.strip_prefix("0-")?.parse::<u64>().ok());
            let end = range.expect("`0-<last byte>`");
            if last == Some(end) {
                // An upload that nothing has arrived of says `0-0` too.
                return Some(if end == 0 { 0 } else { end + 1 });
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the hub still reads a line that was cut");
            last = Some(end);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Cuts a push in the middle of the image's largest layer: the upload that it leaves, bytes that were sent, and
    /// bytes of the layer that arrived.
    async fn cut(&self, image: &Image) -> (String, u64, u64) {
        let _before = (self.wire.take_sent(), self.wire.take_heard());
        self.wire.allow(image.largest().size / 2);
        let (pushed, words) = self.push(image).await;
        assert!(!pushed, "the line was cut, yet skopeo says: {words}");
        let (sent, heard) = (self.wire.take_sent(), self.wire.take_heard());
        let prefix = format!("/v2/{}/blobs/uploads/", image.repository());
        let uploads: BTreeSet<&str> = heard
            .split(prefix.as_str())
            .skip(1)
            .map(|rest| {
                rest.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).next().unwrap_or_default()
            })
            .collect();
        let mut left = Vec::new();
        for id in uploads {
            let upload = format!("{prefix}{id}");
            if let Some(arrived) = self.arrived(&upload).await {
                left.push((arrived, upload));
            }
        }
        let (arrived, upload) = left.into_iter().max().expect("the hub keeps what arrived");
        (upload, sent, arrived)
    }

    /// Sends what is missing of a layer, as a client does that can go on.
    async fn resume(&self, image: &Image, upload: &str, arrived: u64) {
        let layer = image.largest();
        let bytes = fs_err::read(image.layout.join("blobs/sha256").join(&layer.sha256)).expect("the layer");
        let begin = usize::try_from(arrived).expect("a layer fits into memory");
        let range = format!("{arrived}-{}", layer.size - 1);
        let answer = self.request(Method::PATCH, upload, bytes[begin..].to_vec(), Some(range)).await;
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap_or_default());
        let finish = format!("{upload}?digest=sha256:{}", layer.sha256);
        let answer = self.request(Method::PUT, &finish, Vec::new(), None).await;
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap_or_default());
    }

    async fn has(&self, image: &Image, layer: &Layer) -> bool {
        let path = format!("/v2/{}/blobs/sha256:{}", image.repository(), layer.sha256);
        self.request(Method::HEAD, &path, Vec::new(), None).await.status() == 200
    }

    /// The image's row on the board, once its run has ended well.
    async fn row(&self, image: &Image) -> Value {
        let start = Instant::now();
        loop {
            let board = self.ada.get(&format!("/challenges/{}/leaderboard", image.challenge)).await;
            let rows = board["leaderboard"].as_array().expect("rows");
            if let Some(row) = rows.iter().find(|row| row["sites"]["site-a"]["state"] == "reported") {
                return row.clone();
            }
            let mine = self.ada.get("/submissions").await;
            let failed = mine.as_array().expect("a list").iter().any(|s| s["state"] == "failed");
            let log = || fs_err::read_to_string(self.site.join("node.log")).unwrap_or_default();
            let waits = start.elapsed() < Duration::from_mins(2);
            assert!(waits && !failed, "no row of {}: {mine:#}\n{}", image.challenge, log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Copies the public cases of a challenge into a site, as a set of the site's own.
fn import(public: &Path, copy: &Path, site: &Path, challenge: &str, truth: &str) {
    succeed(Command::new("cp").arg("-r").arg(public).arg(copy));
    fs_err::remove_file(copy.join("reference-set.json")).expect("the public cases are sealed");
    let mut command = Command::new(fiel());
    command.args(["node", "import-set"]).arg(copy).args(["--challenge", challenge, "--truth", truth]);
    succeed(command.arg("--data").arg(site));
}

/// What `fiel try` says about the archive of an image.
fn tried(image: &Image) -> Value {
    let challenge = repository().join("challenges").join(image.challenge);
    let output = succeed(Command::new(fiel()).arg("try").arg(challenge).arg(&image.archive).arg("--json"));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Holds a row against `fiel try` on the same cases: the site's own values are the same, and the pooled ones within
/// their bounds.
fn compare(row: &Value, tried: &Value, image: &Image) {
    let (challenge, own) = (image.challenge, &row["sites"]["site-a"]);
    assert_eq!(row["artifact"], image.sha256.as_str(), "{challenge}: the artifact is the manifest");
    assert_eq!((&row["submission"], &row["version"]), (&json!("pushed"), &json!("1.0")));
    assert_eq!(row["cases"], tried["cases"], "{challenge}");
    assert_eq!(own["metrics"], tried["metrics"], "{challenge}");
    let engine = own["engine"].as_str().expect("the site names its engine");
    assert!(engine.starts_with("runc"), "{challenge} ran by {engine}");
    let mut held = BTreeSet::new();
    for (id, estimate) in tried["metrics"].as_object().expect("metrics") {
        let pooled = &row["metrics"][id];
        let (Some(value), Some(bound)) = (pooled["value"].as_f64(), pooled["bound"].as_f64()) else {
            continue;
        };
        let apart = (value - estimate["value"].as_f64().expect("defined at the only site")).abs();
        assert!(apart <= bound + 1e-12, "{challenge}: {id} is {apart} apart, its bound is {bound}");
        held.insert(id.as_str());
    }
    let ranked_by = if challenge == "breast-fna" { "auc" } else { "dice" };
    assert!(held.contains(ranked_by), "{challenge}: only {held:?} are pooled with a bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_image_runs_to_the_board_as_fiel_try_says_and_a_cut_push_goes_on() {
    let stage = Stage::start().await;
    let warm = Image::unpack(stage.folder.path(), "breast-fna", "gc-invoke-image");
    let exec = Image::unpack(stage.folder.path(), "lesion-phantom", "gc-exec-image");

    let sent = stage.push_whole(&warm).await;
    assert!(sent >= warm.size() && sent < warm.size() + TALK_BYTES_MAX, "{sent} bytes for {}", warm.size());
    let again = stage.push_whole(&warm).await;
    assert!(again < TALK_BYTES_MAX, "{again} bytes were sent again");

    let debian = warm.largest();
    assert!(exec.layers.iter().any(|layer| layer.sha256 == debian.sha256), "the images share their root");
    assert!(stage.has(&exec, debian).await && !stage.has(&exec, exec.largest()).await);
    let (upload, sent, arrived) = stage.cut(&exec).await;
    // Had the root been sent again, it would be missing here.
    assert!(sent - arrived < debian.size / 2, "{sent} bytes were sent, {arrived} of the layer arrived");
    stage.resume(&exec, &upload, arrived).await;
    println!("cut after {sent} bytes, {arrived} of {} kept", exec.largest().size);
    let sent = stage.push_whole(&exec).await;
    assert!(sent < TALK_BYTES_MAX, "{sent} bytes were sent of an image whose layers were there");

    for image in [&warm, &exec] {
        let row = stage.row(image).await;
        let tried = tried(image);
        compare(&row, &tried, image);
        let log = fs_err::read_to_string(stage.site.join("node.log")).expect("the node's log");
        let table = tried["table_digest"].as_str().expect("a digest");
        assert!(log.contains(table), "the site's case table of {} is not {table}:\n{log}", image.challenge);
    }
}
