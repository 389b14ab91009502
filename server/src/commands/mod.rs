//! The command line: `fiel <command>`, one file per command.
//!
//! Exit codes: 0 success, 1 a failure of the work, 2 wrong usage.

mod account;
mod artifact;
mod challenge;
mod client;
mod demo;
mod embedded;
mod leaderboard;
mod metrics;
mod node;
mod output;
mod processes;
mod rank;
mod sandbox_worker;
mod score;
mod serve;
mod site;
mod submit;
mod tables;
mod try_model;
mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  fiel demo                                  hub, three sites, two challenges, on this machine
  fiel try breast-fna model.wasm             run a model of any kind on the public cases, without any server
  fiel submit breast-fna model.wasm --tool my-model --watch
  fiel leaderboard breast-fna
  fiel score segmentation --reference truth/ --prediction masks/ --metrics dice,nsd@2,hd95
  fiel rank --table results.csv --metric dice --metric hd95

Exit codes: 0 success, 1 a failure of the work, 2 wrong usage.";

/// Benchmarking challenges for medical-imaging AI: models travel to the data, signed summaries travel back.
#[derive(Debug, Parser)]
#[command(name = "fiel", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Node(node::Args),
    Challenge(challenge::Args),
    Site(site::Args),
    Account(account::Args),
    Try(try_model::Args),
    Submit(submit::Args),
    Leaderboard(leaderboard::Args),
    Score(score::Args),
    Rank(rank::Args),
    Verify(verify::Args),
    Metrics(metrics::Args),
    #[command(hide = true)]
    SandboxWorker(sandbox_worker::Args),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Node(args) => node::run(args),
        Command::Challenge(args) => challenge::run(args),
        Command::Site(args) => site::run(args),
        Command::Account(args) => account::run(args),
        Command::Try(args) => try_model::run(args),
        Command::Submit(args) => submit::run(args),
        Command::Leaderboard(args) => leaderboard::run(args),
        Command::Score(args) => score::run(args),
        Command::Rank(args) => rank::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Metrics(args) => metrics::run(args),
        Command::SandboxWorker(args) => return sandbox_worker::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
