//! `fiel try`: a model on the public cases, in the same sandbox and with the same metrics as at a site.

use super::output::{CommandError, OrFail, Result, say, say_json};
use super::{challenge, sandbox_worker, tables};
use fiel_metrics::{Options, assess};
use fiel_node::evaluate::{Evaluation, evaluate};
use fiel_node::reference_set;
use fiel_sandbox::{Model, Sandbox, SandboxConfig};
use fiel_schemas::assessment::Estimate;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Run a model on a challenge's public cases, without any server.
///
/// The same sandbox, limits, checks and metrics as at a data site. Exit code 1 if any case failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel try breast-fna model.wasm
  fiel try path/to/challenge model.wasm --json")]
pub(crate) struct Args {
    /// Folder of a challenge, or the id of one that this binary carries.
    challenge: String,
    /// WebAssembly module (WASI command).
    model: PathBuf,
    /// Cases that run at once; the number of cores when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    parallel: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `fiel try`.
pub(crate) fn run(args: &Args) -> Result {
    let opened = challenge::open(&args.challenge)?;
    let set = reference_set::load(&opened.folder.join("public")).or_fail()?;
    let model = Model {
        path: args.model.clone(),
        sha256: sha256_hex(&fs_err::read(&args.model)?),
        media_type: MediaType::Wasm,
    };
    let work = tempfile::Builder::new().prefix("fiel-try-").tempdir()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sandbox = Sandbox::new(SandboxConfig {
        work_dir: work.path().join("work"),
        cache_dir: work.path().join("cache"),
        worker: sandbox_worker::command(),
        parallel: args.parallel.map_or(cores, usize::from),
        metered: false,
        onnxruntime: None,
    })
    .or_fail()?;
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} cases").or_fail()?);
    let evaluation = evaluate(&opened.challenge, &set, &sandbox, &model, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let evaluation = evaluation.map_err(|e| {
        CommandError::new(format!("{}: {e}", args.model.display()))
            .hint("docs/participants.md says what a model is and how to build one")
    })?;
    let metrics = measure(&opened.challenge, &evaluation)?;
    if args.json {
        print_json(&opened.challenge, &evaluation, &metrics)?;
    } else {
        print(&opened.challenge, &evaluation, &metrics)?;
    }
    let failed: u64 = evaluation.cases.iter().filter(|(kind, _)| *kind != "ok").map(|(_, n)| n).sum();
    if failed == 0 {
        return Ok(());
    }
    Err(CommandError::new(format!("{failed} cases have no valid answer")))
}

fn measure(challenge: &Challenge, evaluation: &Evaluation) -> Result<BTreeMap<String, Estimate>> {
    let options = Options { min_cell: 1, failed_cases: challenge.ranking.failed_cases };
    let metrics = challenge.metrics.iter();
    metrics.map(|id| Ok((id.clone(), assess(id, &evaluation.table, &options).or_fail()?.estimate))).collect()
}

/// A case without a valid answer.
struct Failed {
    case: String,
    outcome: String,
    reason: String,
    log: String,
}

/// Cases without a valid answer, with what the model printed; the cases are public, so it may be shown.
fn failed(evaluation: &Evaluation) -> Result<Vec<Failed>> {
    let text = |name: &str| -> Result<Vec<String>> {
        let column = evaluation.table.column(name).or_fail()?.str().or_fail()?;
        Ok(column.iter().map(|value| value.unwrap_or_default().to_string()).collect())
    };
    let (cases, outcomes, reasons) = (text("case_id")?, text("outcome")?, text("reason")?);
    let rows = cases.into_iter().zip(outcomes).zip(reasons);
    let failed = rows.filter(|((_, outcome), _)| outcome != "ok").map(|((case, outcome), reason)| {
        let log = evaluation.logs.iter().find(|log| log.case == case);
        let log = log.map(|log| String::from_utf8_lossy(&log.bytes).trim().to_string()).unwrap_or_default();
        Failed { case, outcome, reason, log }
    });
    Ok(failed.collect())
}

fn print(challenge: &Challenge, evaluation: &Evaluation, metrics: &BTreeMap<String, Estimate>) -> Result {
    let counts: Vec<String> = evaluation.cases.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    say(format!("{} {}, public cases: {}", challenge.id, challenge.version, counts.join(", ")))?;
    let failed = failed(evaluation)?;
    if !failed.is_empty() {
        let mut table = tables::table(["case", "outcome", "why", "the model printed"]);
        for case in failed {
            let last = case.log.lines().last().unwrap_or_default().chars().take(60).collect();
            table.add_row(vec![case.case, case.outcome, case.reason, last]);
        }
        say(table.trim_fmt())?;
    }
    let mut table = tables::table(["metric", "value [95 % CI]", "cases", "undefined"]);
    for id in &challenge.metrics {
        if let Some(e) = metrics.get(id) {
            let value = tables::with_interval(Some(e));
            table.add_row(vec![id.clone(), value, e.n.to_string(), e.undefined.to_string()]);
        }
    }
    say(table.trim_fmt())?;
    let costs = &evaluation.costs;
    say(format!(
        "seconds per case: median {:.4}, 95th percentile {:.4}; {:.2} to load the model",
        costs.case_s_p50, costs.case_s_p95, costs.load_s
    ))
}

fn print_json(
    challenge: &Challenge,
    evaluation: &Evaluation,
    metrics: &BTreeMap<String, Estimate>,
) -> Result {
    let failed: Vec<serde_json::Value> = failed(evaluation)?
        .into_iter()
        .map(|f| json!({"case": f.case, "outcome": f.outcome, "reason": f.reason, "log": f.log}))
        .collect();
    say_json(&json!({
        "challenge": challenge.id, "version": challenge.version, "cases": evaluation.cases, "metrics": metrics,
        "costs": evaluation.costs, "failed": failed,
    }))
}
