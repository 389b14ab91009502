//! `fiel demo`: a hub and three data sites on this machine, as separate processes that speak the real protocol.

mod expect;
mod images;
mod people;
mod progress;
mod sites;

use super::client::{Client, HubArgs};
use super::output::{CommandError, OrFail, Result, block_on, note, say, say_json};
use super::processes::{Process, finish};
use super::{challenge, embedded, site, tables};
use fiel_schemas::api::{NewSubmission, SubmissionStatus};
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::leaderboard::Leaderboard;
use people::Login;
use serde::{Deserialize, Serialize};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Show the whole of Fiel on this machine: a hub, three sites, two challenges, all baselines.
///
/// Hub and sites are processes of their own that speak the real protocol over the loopback interface. The demo
/// serves the pages until Ctrl-C; everything it started ends with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel demo                          leaderboards here, pages in the browser, until Ctrl-C
  fiel demo --once --json            one object for programs; exit code 0 when all is as expected
  fiel demo --data my-demo           keeps the data; the same command goes on with it
  fiel demo --database-url postgres://fiel@localhost/demo    the hub's rows in an empty PostgreSQL database

The baselines' data is public, so the demo's sites release histograms at the finest resolution (`min_cell` 1).")]
pub(crate) struct Args {
    /// End when all runs have ended; exit code 0 only if every expected outcome is there.
    #[arg(long)]
    once: bool,
    /// Print the leaderboards as one JSON object on stdout.
    #[arg(long)]
    json: bool,
    /// Folder for the data of hub and sites, kept; a temporary folder when absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port of the hub on 127.0.0.1; 8080 when absent and free, else any.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// PostgreSQL address of an empty database for the hub, which is not emptied afterwards; SQLite in the data
    /// folder when absent.
    #[arg(long, env = "FIEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Folder of the baselines that are container images, as `challenges/build-images.sh` fills it; those that are
    /// not there are left out.
    #[arg(long, env = "FIEL_IMAGES", value_name = "DIR", default_value = "target/images")]
    images: PathBuf,
}

/// `demo.json`: written when everything has been set up and submitted.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The nodes were enrolled with this address of the hub.
    port: u16,
    participant: Login,
    submissions: Vec<String>,
    /// Challenge and name of the baselines that are container images.
    #[serde(default)]
    images: Vec<(String, String)>,
}

/// A demo that runs.
struct Demo {
    data: PathBuf,
    admin: Client,
    processes: Vec<Process>,
}

const RECORD: &str = "demo.json";
const START_S_MAX: u64 = 60;

/// Runs `fiel demo`.
pub(crate) fn run(args: &Args) -> Result {
    let temporary;
    let data = if let Some(data) = &args.data {
        fs_err::create_dir_all(data)?;
        fs_err::canonicalize(data)?
    } else {
        temporary = tempfile::Builder::new().prefix("fiel-demo-").tempdir()?;
        temporary.path().to_path_buf()
    };
    block_on(async {
        tokio::select! {
            done = demo(args, data) => done,
            signal = stopped() => {
                signal?;
                note("stopped");
                if args.once { Err(CommandError::new("stopped before all runs had ended")) } else { Ok(()) }
            }
        }
    })
}

/// Ends when this process is asked to: Ctrl-C or SIGTERM.
async fn stopped() -> Result {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let mut terminate = terminate.or_fail_while("listening for SIGTERM")?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done.or_fail_while("listening for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

async fn demo(args: &Args, data: PathBuf) -> Result {
    let record = read_record(&data)?;
    let port = choose_port(args.port, record.as_ref())?;
    let mut demo = Demo::start(data, port, args.database_url.as_deref()).await?;
    let record = match record {
        Some(record) => {
            demo.start_nodes()?;
            record
        }
        None => demo.set_up(port, &args.images).await?,
    };
    progress::watch(&mut demo, &record.submissions).await?;
    let mut boards = Vec::new();
    for id in embedded::ids() {
        boards.push(demo.admin.get::<Leaderboard>(&format!("/challenges/{id}/leaderboard")).await?);
    }
    show(&boards, args.json)?;
    let unmet = expect::unmet(&boards, &record.images);
    if args.once {
        return if unmet.is_empty() { Ok(()) } else { Err(disappointed(&unmet)) };
    }
    for line in &unmet {
        note(format!("not as expected: {line}"));
    }
    let base = demo.admin.base();
    note(format!("\npages        {base}/"));
    note(format!(
        "log in as    {} with the password {}",
        record.participant.name, record.participant.password
    ));
    note(format!("submit with  FIEL_HUB={base} FIEL_TOKEN={}", record.participant.token));
    note(format!("data         {}", demo.data.display()));
    note("serving until Ctrl-C");
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        demo.check()?;
    }
}

fn disappointed(unmet: &[String]) -> CommandError {
    CommandError::new(format!("the demo did not end as expected:\n  {}", unmet.join("\n  ")))
        .hint("run it with `--data DIR` to keep the logs of hub and sites")
}

fn show(boards: &[Leaderboard], json: bool) -> Result {
    if json {
        let all: serde_json::Map<String, serde_json::Value> = boards
            .iter()
            .map(|board| Ok((board.challenge.clone(), serde_json::to_value(board).or_fail()?)))
            .collect::<Result<_>>()?;
        return say_json(&serde_json::json!({"challenges": all}));
    }
    for board in boards {
        say(tables::leaderboard(board))?;
        say("")?;
    }
    Ok(())
}

/// The record of a demo that was set up here before, if any.
fn read_record(data: &Path) -> Result<Option<Record>> {
    let path = data.join(RECORD);
    if path.exists() {
        let record = serde_json::from_slice(&fs_err::read(&path)?);
        return record.map(Some).or_fail_while(path.display());
    }
    if fs_err::read_dir(data)?.next().is_some() {
        return Err(CommandError::new(format!("{} is not empty and holds no finished demo", data.display()))
            .hint("choose an empty folder, or remove this one"));
    }
    Ok(None)
}

/// The port of an earlier demo, the one asked for, 8080 where it is free, else any that is.
fn choose_port(wanted: Option<u16>, record: Option<&Record>) -> Result<u16> {
    match (wanted, record) {
        (Some(wanted), Some(record)) if wanted != record.port => {
            return Err(CommandError::usage(format!(
                "the sites of this demo know their hub on port {}",
                record.port
            ))
            .hint("leave `--port` out, or choose another folder"));
        }
        (_, Some(record)) => return Ok(record.port),
        (Some(wanted), None) if wanted != 0 => return Ok(wanted),
        _ => {}
    }
    let listener = TcpListener::bind(("127.0.0.1", 8080)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(listener.local_addr()?.port())
}

impl Demo {
    /// Starts the hub and waits until it answers.
    async fn start(data: PathBuf, port: u16, database_url: Option<&str>) -> Result<Self> {
        let hub = data.join("hub");
        fs_err::create_dir_all(&hub)?;
        let folder = hub.display().to_string();
        let address = format!("127.0.0.1:{port}");
        let args = ["serve", "--data", &folder, "--listen", &address];
        // Not as an argument: the address may hold a password, and arguments can be read by everybody on the machine.
        let environment: Vec<_> = database_url.map(|url| ("FIEL_DATABASE_URL", url)).into_iter().collect();
        let mut process = Process::start_with("the hub", &args, &environment, &data.join("hub.log"))?;
        let client = Client::new(&HubArgs { hub: format!("http://{address}"), token: None })?;
        let start = Instant::now();
        while client.bytes("/health").await.is_err() {
            process.check()?;
            if start.elapsed() > Duration::from_secs(START_S_MAX) {
                return Err(CommandError::new(format!("the hub did not answer within {START_S_MAX} s")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.check()?;
        let token = fs_err::read_to_string(hub.join("admin-token")).map_err(|_| {
            CommandError::new("the database has been used by another hub: a new demo needs an empty one")
                .hint("go on with the former demo by its `--data DIR`, or name another database")
        })?;
        note(format!("hub          {}", client.base()));
        Ok(Self { admin: client.with_token(&token), data, processes: vec![process] })
    }

    /// Challenges, sites, nodes, people, submissions.
    async fn set_up(&mut self, port: u16, images: &Path) -> Result<Record> {
        for id in embedded::ids() {
            let definition = embedded::text(id, "challenge.yaml")?.to_string();
            challenge::create(&self.admin, id, definition, &embedded::public_files(id)).await?;
            note(format!("challenge    {id}"));
        }
        for name in sites::NAMES {
            let folder = self.data.join(name);
            sites::write(name, &folder)?;
            site::create(&self.admin, name, &sites::title(name)).await?;
            let code = site::code(&self.admin, name).await?;
            let folder = folder.display().to_string();
            let args = ["node", "enrol", "--hub", self.admin.base(), "--code", &code, "--data", &folder];
            finish(&format!("enrolling {name}"), &args)?;
            note(format!("site         {name}, enrolled"));
        }
        self.start_nodes()?;
        let participant = people::participant(&self.admin, "ada").await?;
        let author = people::participant(&self.admin, "baselines").await?;
        let client = self.admin.with_token(&author.token);
        let mut submissions = Vec::new();
        for id in embedded::ids() {
            for (name, module) in embedded::baselines(id) {
                submissions.push(submit(&client, id, name, module).await?);
            }
        }
        let images = images::submit(&client, images, &mut submissions).await?;
        let record = Record { port, participant, submissions, images };
        let bytes = serde_json::to_vec_pretty(&record).or_fail_while("writing the record of the demo")?;
        fs_err::write(self.data.join(RECORD), bytes)?;
        Ok(record)
    }

    fn start_nodes(&mut self) -> Result {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let parallel = (cores / sites::NAMES.len()).max(1).to_string();
        for name in sites::NAMES {
            let folder = self.data.join(name).display().to_string();
            let args = ["node", "run", "--data", &folder, "--parallel", &parallel];
            let log = self.data.join(format!("{name}.log"));
            self.processes.push(Process::start(&format!("the node of {name}"), &args, &log)?);
        }
        Ok(())
    }

    /// Fails when a process has ended.
    fn check(&mut self) -> Result {
        self.processes.iter_mut().try_for_each(Process::check)
    }
}

/// Uploads and submits one baseline; returns the submission's id.
async fn submit(client: &Client, challenge: &str, name: &str, module: &[u8]) -> Result<String> {
    let artifact = sha256_hex(module);
    client.put(&format!("/artifacts/{artifact}"), "application/wasm", module.to_vec()).await?;
    enter(client, challenge, name, artifact).await
}

/// Enters an uploaded baseline; returns the submission's id.
async fn enter(client: &Client, challenge: &str, name: &str, artifact: String) -> Result<String> {
    let body = NewSubmission {
        phase: None,
        tool: name.into(),
        version: "1.0.0".into(),
        description: format!(
            "Baseline of the challenge; source in `challenges/{challenge}/baselines/{name}`."
        ),
        artifact,
        image: None,
    };
    let path = format!("/challenges/{challenge}/submissions");
    let key = format!("demo-{challenge}-{name}");
    let status: SubmissionStatus = client.post_once(&path, &key, &body).await?;
    Ok(status.submission.id)
}
