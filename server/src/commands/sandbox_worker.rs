//! `fiel sandbox-worker`: the confined process in which a stranger's model runs; started by the node, not by people.

use std::process::ExitCode;

/// Run models for a node.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the sandbox tells its worker.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

/// Runs `fiel sandbox-worker`.
pub(crate) fn run(_args: &Args) -> ExitCode {
    fiel_sandbox::worker_main()
}

/// How a node or `fiel try` starts a worker: this very program.
pub(crate) fn command() -> fiel_sandbox::WorkerCommand {
    fiel_sandbox::WorkerCommand { program: "/proc/self/exe".into(), args: vec!["sandbox-worker".into()] }
}
