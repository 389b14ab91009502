//! What a node offers on machines that lack something, and what a submitter learns of it: beside a machine that runs
//! everything, one without a container runtime, one without rights over control groups, and an ordinary user's.

use fiel_schemas::digest::sha256_hex;
use fiel_tests::{Client, Hub, Process, breast_fna_site, enrol, fiel, open_policy, repository};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Cases of each site.
const CASES: usize = 12;

/// Hides files up to `--` behind a device, for what follows and nobody else.
const HIDE: &str = r#"while [ "$1" != -- ]; do mount --bind /dev/null "$1"; shift; done; shift; exec "$@""#;

/// Makes every hierarchy of control groups read-only, for what follows and nobody else.
const SEAL_GROUPS: &str = r#"
grep -E ' - cgroup2? ' /proc/self/mountinfo | cut -d ' ' -f 5 | while read -r place; do
  mount -o remount,bind,ro "$place"
done
exec "$@""#;

/// A machine as a node may find it.
struct Machine {
    /// What it is called at the hub.
    site: &'static str,
    data: PathBuf,
    /// The words of a command that turn this machine into that one for the command that follows.
    enter: Vec<String>,
    fiel: PathBuf,
    /// Name of the engine for containers in the doctor's report.
    engine: &'static str,
    /// What the doctor advises; empty where images run.
    advice: &'static [&'static str],
}

impl Machine {
    fn command(&self, args: &[&str]) -> Command {
        let mut words = self.enter.iter().map(OsStr::new).chain([self.fiel.as_os_str()]);
        let mut command = Command::new(words.next().expect("a command has a first word"));
        command.args(words).args(args).arg("--data").arg(&self.data).current_dir("/").stdin(Stdio::null());
        command
    }

    /// Starts the node of this machine.
    fn node(&self) -> Process {
        let log = fs_err::File::create(self.log()).expect("the log can be made").into_file();
        let errors = log.try_clone().expect("the log's handle can be copied");
        let mut command = self.command(&["node", "run"]);
        Process(command.stdout(log).stderr(errors).spawn().expect("the node starts"))
    }

    fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

/// Four machines, each a site with cases of its own, enrolled at the hub.
async fn machines(folder: &Path, admin: &Client, hub: &str) -> Vec<Machine> {
    let apart =
        |script: &'static str| ["unshare", "--mount", "sh", "-e", "-c", script, "sh"].map(str::to_owned);
    let hidden = apart(HIDE).into_iter().chain(installed()).chain(["--".to_owned()]).collect();
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"].map(str::to_owned);
    let own = |site, enter, engine, advice| Machine {
        site,
        data: folder.join(site),
        enter,
        fiel: fiel(),
        engine,
        advice,
    };
    let mut machines = vec![
        own("complete", Vec::new(), "runc", NOTHING),
        own("no-runtime", hidden, "containers", NO_RUNTIME),
        own("no-cgroups", apart(SEAL_GROUPS).to_vec(), "runc", NO_GROUPS),
        own("ordinary-user", nobody.to_vec(), "runc", NO_RIGHTS),
    ];
    for (more, machine) in machines.iter_mut().enumerate() {
        open_policy(&machine.data);
        let rows = breast_fna_site(&machine.data, "site-a", CASES + more);
        assert_eq!(rows.len(), CASES + more);
        enrol(admin, machine.site, &machine.data, hub).await;
    }
    give_away(folder, machines.last_mut().expect("there are four"));
    machines
}

/// What each machine's doctor must say about containers.
const NOTHING: &[&str] = &[];
const NO_RUNTIME: &[&str] = &[
    "no container runtime is installed (runc, crun, runsc); install runc (Debian: `apt-get install runc`) and run the \
     node as root, or as a service with delegated control groups",
];
const NO_GROUPS: &[&str] = &[
    "the node cannot make a control group (",
    "Read-only file system",
    "; run the node as root, or as a service with delegated control groups",
];
const NO_RIGHTS: &[&str] = &[
    "the node cannot make a control group (",
    "Permission denied",
    "; run the node as root, or as a service with delegated control groups",
];

/// Makes a machine's folder an ordinary user's, with a program that this user can reach.
fn give_away(folder: &Path, machine: &mut Machine) {
    let program = folder.join("fiel");
    let linked = fs_err::hard_link(&machine.fiel, &program);
    linked.or_else(|_| fs_err::copy(&machine.fiel, &program).map(drop)).expect("the program can be copied");
    machine.fiel = program;
    for path in [folder, &machine.fiel] {
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(path, mode).expect("the folder is this test's");
    }
    let given = Command::new("chown").args(["-R", "65534:65534"]).arg(&machine.data).status();
    assert!(given.expect("chown starts").success(), "this test is run as root");
}

/// Every file of a container runtime that a node would find here.
fn installed() -> Vec<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let folders = path.split(':').filter(|folder| folder.starts_with('/')).chain(usual);
    let files = folders.flat_map(|folder| ["runc", "crun", "runsc"].map(|name| format!("{folder}/{name}")));
    let found: Vec<String> = files.filter(|file| Path::new(file).is_file()).collect();
    assert!(found.iter().any(|file| file.ends_with("/runc")), "apt-get install runc");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_runs_what_its_machine_can_and_the_submitter_learns_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = Hub::start(&folder.path().join("hub"), &[]).await;
    let admin = hub.client(&hub.admin_token());
    let yaml = repository().join("challenges/breast-fna/challenge.yaml");
    admin.challenge(&fs_err::read_to_string(yaml).expect("the challenge is in the repository")).await;
    let machines = machines(folder.path(), &admin, &hub.url).await;
    for machine in &machines {
        check_doctor(machine);
    }
    let nodes: Vec<Process> = machines.iter().map(Machine::node).collect();
    let token = participant(&admin).await;
    let ada = hub.client(&token);

    let wasm = repository().join("challenges/breast-fna/baselines/constant.wasm");
    let entered = submit(&hub, &token, &wasm, &["--json"]);
    let entered: Value = serde_json::from_slice(&entered.stdout).expect("the submission as JSON");
    let runs = ended(&ada, &entered["submission"]["id"], machines.len()).await;
    for machine in &machines {
        let run = run_at(&runs, machine.site);
        assert_eq!((&run["state"], &run["reason"]), (&"reported".into(), &Value::Null), "{run}");
        assert!(run["cases"]["ok"].as_u64() >= Some(CASES as u64), "{run}");
    }

    let image = folder.path().join("image.tar");
    fs_err::write(&image, image_archive(folder.path())).expect("the image can be written");
    let told = submit(&hub, &token, &image, &["--watch"]);
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    let id = told.lines().find_map(|line| line.split("/submissions/").nth(1)).expect("the page's address");
    let runs = ended(&ada, &id.into(), machines.len()).await;
    let page = reqwest::Client::new().get(format!("{}/submissions/{id}", hub.url)).bearer_auth(&token);
    let page = page.send().await.expect("the hub answers").text().await.expect("a page");
    for machine in &machines {
        let run = run_at(&runs, machine.site);
        check_run(machine, run, &told);
    }
    let refused = machines.iter().filter(|machine| !machine.advice.is_empty()).count();
    assert_eq!(
        page.matches("<code>engine-unavailable</code> The site has no engine").count(),
        refused,
        "{page}"
    );
    drop(nodes);
}

/// Whether the doctor says precisely what the machine offers.
fn check_doctor(machine: &Machine) {
    let asked = machine.command(&["node", "doctor", "--json"]).output().expect("the doctor starts");
    let errors = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{}: WebAssembly runs everywhere: {errors}", machine.site);
    let report: Value = serde_json::from_slice(&asked.stdout).expect("one JSON object");
    let engine = |name: &str| {
        let engines = report["engines"].as_array().expect("a list of engines");
        engines
            .iter()
            .find(|engine| engine["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {report:#}"))
    };
    for name in ["wasmtime", "tract"] {
        assert_eq!(
            (&engine(name)["available"], &engine(name)["advice"]),
            (&true.into(), &"".into()),
            "{name}"
        );
        let protections = engine(name)["protections"].as_array().expect("a list of protections");
        let holds = |name: &str| protections.iter().any(|p| p["name"] == name && p["holds"] == true);
        assert!(
            holds("seccomp") && holds("no-new-privs") && holds("landlock"),
            "{}: {report:#}",
            machine.site
        );
    }
    let containers = engine(machine.engine);
    assert_eq!(containers["available"], machine.advice.is_empty(), "{}: {containers:#}", machine.site);
    assert_eq!(containers["version"].is_null(), machine.engine == "containers", "{containers:#}");
    let advice = containers["advice"].as_str().expect("a text");
    assert_eq!(advice.is_empty(), machine.advice.is_empty(), "{}: {advice}", machine.site);
    for words in machine.advice {
        assert!(advice.contains(words), "{}: {words:?} is missing in {advice:?}", machine.site);
    }
}

/// Whether the run of an image ended as the machine lets it, and everybody concerned was told why.
fn check_run(machine: &Machine, run: &Value, told: &str) {
    if machine.advice.is_empty() {
        assert_eq!((&run["state"], &run["reason"]), (&"reported".into(), &Value::Null), "{run}");
        assert!(run["cases"]["ok"].as_u64() >= Some(CASES as u64), "{run}");
        return;
    }
    assert_eq!((&run["state"], &run["reason"]), (&"refused".into(), &"engine-unavailable".into()), "{run}");
    let line = format!(
        "{}: refused: engine-unavailable\n  The site has no engine for this kind of model",
        machine.site
    );
    assert!(told.contains(&line), "{line:?} is missing in {told}");
    let log = fs_err::read_to_string(machine.log()).expect("the node's log");
    assert!(log.contains("this site does not run container images: "), "{}: {log}", machine.site);
    assert!(machine.advice[0].split("; install").next().is_some_and(|why| log.contains(why)), "{log}");
}

/// Makes a participant's account; its token.
async fn participant(admin: &Client) -> String {
    let account = json!({"name": "ada", "role": "participant", "password": "a long enough passphrase"});
    admin.post("/accounts", account).await;
    let answer = admin.post("/accounts/ada/tokens", json!({"name": "test"})).await;
    answer["token"].as_str().expect("a token is shown once").to_owned()
}

/// Runs `fiel submit` as its owner would.
fn submit(hub: &Hub, token: &str, model: &Path, more: &[&str]) -> Output {
    let name = model.file_stem().expect("a file has a name");
    let mut command = Command::new(fiel());
    command.args(["submit", "breast-fna"]).arg(model).arg("--tool").arg(name).args(more);
    let ran = command.env("FIEL_HUB", &hub.url).env("FIEL_TOKEN", token).output().expect("fiel starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    ran
}

/// Waits until so many runs of a submission have ended; gives them.
async fn ended(client: &Client, id: &Value, count: usize) -> Vec<Value> {
    let start = Instant::now();
    let path = format!("/submissions/{}", id.as_str().expect("an id"));
    loop {
        let status = client.get(&path).await;
        let runs = status["runs"].as_array().expect("a list of runs");
        if runs.len() == count && status["state"] == "done" {
            return runs.clone();
        }
        assert!(start.elapsed() < Duration::from_mins(1), "still open: {status:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn run_at<'a>(runs: &'a [Value], site: &str) -> &'a Value {
    runs.iter().find(|run| run["site"] == site).unwrap_or_else(|| panic!("no run at {site}"))
}

/// The baseline `constant` as an image of nothing but its program, an archive of an OCI layout.
fn image_archive(folder: &Path) -> Vec<u8> {
    let (source, program) =
        (repository().join("challenges/breast-fna/baselines/constant/model.c"), folder.join("model"));
    let made = Command::new("gcc").args(["-O1", "-static", "-o"]).arg(&program).arg(source).output();
    let made = made.expect("gcc is needed: apt-get install gcc libc6-dev");
    assert!(made.status.success(), "gcc: {}", String::from_utf8_lossy(&made.stderr));
    let layer = tar(&[("model".to_owned(), fs_err::read(program).expect("it was built"))]);
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": {"Entrypoint": ["/model"], "Labels": {"eu.fiel.dialect": "fiel"}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256_hex(&layer))]},
    });
    let config = config.to_string().into_bytes();
    let oci = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let described = |kind: &str, bytes: &[u8]| {
        let digest = format!("sha256:{}", sha256_hex(bytes));
        json!({"mediaType": oci(kind), "digest": digest, "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": oci("manifest.v1+json"), "config": described("config.v1+json", &config),
        "layers": [described("layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let index = json!({"schemaVersion": 2, "manifests": [described("manifest.v1+json", &manifest)]});
    let blob = |bytes: Vec<u8>| (format!("blobs/sha256/{}", sha256_hex(&bytes)), bytes);
    tar(&[
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
        blob(config),
        blob(manifest),
        blob(layer),
    ])
}

/// An archive of files that everybody may run.
fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, content.as_slice()).expect("memory can be written");
    }
    archive.into_inner().expect("memory can be written")
}
