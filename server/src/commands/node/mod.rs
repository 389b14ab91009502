//! `fiel node`: a data site's agent.

mod doctor;
mod import;
mod status;

use super::output::{CommandError, OrFail, Result, note, say, say_json};
use super::processes::ParentArgs;
use super::{sandbox_worker, tables};
use fiel_node::{Node, NodeOptions, PendingRun};
use std::path::{Path, PathBuf};

/// Run a data site's agent: it opens connections to its hub, and nothing connects to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel node enrol --hub https://hub.example.org --code CODE --data /srv/fiel
  fiel node import-set /path/to/folder --challenge breast-fna --truth malignant --data /srv/fiel
  fiel node doctor
  fiel node run --data /srv/fiel
  fiel node pending --data /srv/fiel")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// Where the node keeps everything.
#[derive(Debug, Clone, clap::Args)]
struct DataArgs {
    /// The node's data folder.
    #[arg(long, env = "FIEL_NODE_DATA", value_name = "DIR", default_value = "fiel-node")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Enrol with a hub: makes the site's key and hands in the single-use code.
    Enrol {
        /// Address of the hub.
        #[arg(long, env = "FIEL_HUB", value_name = "URL")]
        hub: String,
        /// Single-use code from the hub's organizer.
        #[arg(long, value_name = "CODE")]
        code: String,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Say which engines and protections this machine has, each tried by an attempt; exit code 1 without WebAssembly.
    Doctor {
        #[command(flatten)]
        data: DataArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Claim runs, run models beside the data, measure, sign, send; until stopped.
    Run {
        #[command(flatten)]
        data: DataArgs,
        /// Cases that run at once; the number of cores when absent.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        parallel: Option<u16>,
        #[command(flatten)]
        parent: ParentArgs,
    },
    /// List the results that wait for a person, with exactly what would be sent.
    Pending {
        #[command(flatten)]
        data: DataArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a result leave the site.
    Approve {
        /// Run id.
        run: String,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Keep a result at the site; the hub learns `policy-refused` and nothing else.
    Refuse {
        /// Run id.
        run: String,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Copy a folder of cases into the node and fix every file by its digest.
    ImportSet(import::Args),
    /// Show hub, site, key, policy, reference sets and whether the release log holds.
    Status {
        #[command(flatten)]
        data: DataArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs `fiel node`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.action {
        Action::Enrol { hub, code, data } => enrol(&data.data, hub, code),
        Action::Doctor { data, json } => doctor::run(&data.data, *json),
        Action::Run { data, parallel, parent } => {
            parent.follow()?;
            agent(&data.data, *parallel)
        }
        Action::Pending { data, json } => pending(&data.data, *json),
        Action::Approve { run, data } => {
            fiel_node::approve(&data.data, run).or_fail()?;
            say(format!("approved {run}; a running node sends it now"))
        }
        Action::Refuse { run, data } => {
            fiel_node::refuse(&data.data, run).or_fail()?;
            say(format!("refused {run}; its result stays here"))
        }
        Action::ImportSet(args) => import::run(args),
        Action::Status { data, json } => status::run(&data.data, *json),
    }
}

fn enrol(data: &Path, hub: &str, code: &str) -> Result {
    let runtime = tokio::runtime::Runtime::new().or_fail_while("starting the runtime")?;
    let config = runtime.block_on(fiel_node::enrol(data, hub, code)).or_fail()?;
    say(format!("enrolled as {} with {}", config.site, config.hub))?;
    note(format!("the policy is {}; look at it before the first run", data.join("policy.json").display()));
    Ok(())
}

fn agent(data: &Path, parallel: Option<u16>) -> Result {
    super::serve::init_log();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = NodeOptions::new(sandbox_worker::command());
    options.parallel = parallel.map_or(cores, usize::from);
    let runtime = tokio::runtime::Runtime::new().or_fail_while("starting the runtime")?;
    runtime.block_on(async {
        let node = Node::open(data, options).or_fail()?;
        node.run(fiel_node::shutdown_signal()).await.or_fail()
    })
}

fn pending(data: &Path, json: bool) -> Result {
    if !data.is_dir() {
        return Err(CommandError::new(format!("{} is not a node's data folder", data.display()))
            .hint("name it with `--data` or FIEL_NODE_DATA"));
    }
    let runs = fiel_node::pending(data).or_fail()?;
    if json {
        return say_json(&runs);
    }
    if runs.is_empty() {
        return say("nothing waits for a decision");
    }
    for run in &runs {
        say(describe(data, run))?;
    }
    note("`fiel node approve RUN` lets a result leave, `fiel node refuse RUN` keeps it here");
    Ok(())
}

fn describe(data: &Path, run: &PendingRun) -> String {
    let counts: Vec<String> = run.cases.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let mut table = tables::table(["metric", "value [95 % CI]", "cases", "undefined"]);
    for (id, e) in &run.estimates {
        table.add_row(vec![
            id.clone(),
            tables::with_interval(Some(e)),
            e.n.to_string(),
            e.undefined.to_string(),
        ]);
    }
    let order = &run.order;
    let statement = data.join("runs").join(&run.run).join("statement.json");
    format!(
        "{}\n  {} {} by {}, challenge {}, reference set {}\n  cases {}, waiting since {}\n{}\n  what would be sent: {}",
        run.run,
        order.submission.tool,
        order.submission.version,
        order.submission.participant,
        order.challenge.id,
        order.reference_set,
        counts.join(", "),
        run.since.format("%Y-%m-%d %H:%M UTC"),
        table.trim_fmt(),
        statement.display()
    )
}
