//! `fiel try`: a model on the public cases, in the same sandbox and with the same metrics as at a site.

use super::output::{CommandError, OrFail, Result, say, say_json};
use super::{artifact, challenge, sandbox_worker, tables};
use fiel_metrics::registry::MetricId;
use fiel_metrics::technical::{self, SiteCosts};
use fiel_metrics::{Options, assess};
use fiel_node::evaluate::{Evaluation, evaluate};
use fiel_node::{NodeError, dialect, reference_set};
use fiel_sandbox::{ContainerConfig, Model, Sandbox, SandboxConfig};
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::{Costs, Estimate};
use fiel_schemas::challenge::Challenge;
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
  fiel try lesion-phantom image.tar          as `docker save` or `skopeo copy ... oci-archive:` write it
  fiel try path/to/challenge model.wasm --json")]
pub(crate) struct Args {
    /// Folder of a challenge, or the id of one that this binary carries.
    challenge: String,
    /// WebAssembly module, container image (archive, or folder in the OCI layout), ONNX bundle or file of predictions:
    /// told by its content.
    model: PathBuf,
    /// Cases that run at once; the number of cores when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    parallel: Option<u16>,
    /// Container runtime for images: `runc`, `crun`, `runsc`, `podman` or a path; the first of the former three found when absent.
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
    /// Path of libonnxruntime.so, which then runs an ONNX bundle, or what a program loads through wasi-nn; tract, which
    /// is built in, when absent.
    #[arg(long, value_name = "PATH")]
    onnxruntime: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `fiel try`.
pub(crate) fn run(args: &Args) -> Result {
    let opened = challenge::open(&args.challenge)?;
    let set = reference_set::load(&opened.folder.join("public")).or_fail()?;
    let model = artifact::open(&args.model)?;
    check_size(&opened.challenge, &model)?;
    let work = tempfile::Builder::new().prefix("fiel-try-").tempdir()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (work_dir, cache_dir) = (work.path().join("work"), work.path().join("cache"));
    let sandbox = Sandbox::new(SandboxConfig {
        parallel: args.parallel.map_or(cores, usize::from),
        containers: ContainerConfig { runtime: args.runtime.clone(), ..ContainerConfig::default() },
        onnxruntime: args.onnxruntime.clone(),
        ..SandboxConfig::new(work_dir, cache_dir, sandbox_worker::command())
    })
    .or_fail()?;
    let onnx = sandbox.onnx_report();
    if !onnx.available {
        return Err(CommandError::new(onnx.advice).hint("`--onnxruntime` names the library"));
    }
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} cases").or_fail()?);
    let evaluation = evaluate(&opened.challenge, &set, &sandbox, &model, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let evaluation = evaluation.map_err(|e| explain(&model, &e))?;
    let metrics = measure(&opened.challenge, &model, &evaluation)?;
    if args.json {
        print_json(&opened.challenge, &model, &evaluation, &metrics)?;
    } else {
        print(&opened.challenge, &model, &evaluation, &metrics)?;
    }
    let failed: u64 = evaluation.cases.iter().filter(|(kind, _)| *kind != "ok").map(|(_, n)| n).sum();
    if failed == 0 {
        return Ok(());
    }
    Err(CommandError::new(format!("{failed} cases have no valid answer")))
}

/// The hub's own rule about sizes, which a file must pass before any site sees it.
fn check_size(challenge: &Challenge, model: &Model) -> Result {
    let (size, limit) = (artifact::size(model)?, challenge.limits.artifact_mib);
    if size <= limit.saturating_mul(1 << 20) {
        return Ok(());
    }
    let message = format!("{} has {size} bytes; {} takes {limit} MiB", model.path.display(), challenge.id);
    Err(CommandError::new(message).hint("make it smaller: the hub would refuse it"))
}

/// Why no case ran.
fn explain(model: &Model, error: &NodeError) -> CommandError {
    let words = artifact::words(model.media_type);
    let hint = match error {
        NodeError::Refused { reason: FailureReason::EngineUnavailable, .. } => {
            "`fiel node doctor` lists the engines of this machine and what to install"
        }
        _ => "docs/model.md says what a model is, what it finds and what it must write",
    };
    CommandError::new(format!("{} ({words}): {error}", model.path.display())).hint(hint)
}

/// Every metric of the challenge; the technical ones follow from the costs.
fn measure(
    challenge: &Challenge,
    model: &Model,
    evaluation: &Evaluation,
) -> Result<BTreeMap<String, Estimate>> {
    let options = Options { min_cell: 1, failed_cases: challenge.ranking.failed_cases };
    let bytes = artifact::size(model)?;
    let costs = SiteCosts { costs: &evaluation.costs, cases: evaluation.cases.values().sum() };
    let mut metrics = BTreeMap::new();
    for id in &challenge.metrics {
        let metric = MetricId::parse(id).or_fail()?;
        let estimate = match technical::pool(&metric, bytes, &[costs]) {
            Some(estimate) => estimate,
            None => assess(id, &evaluation.table, &options).or_fail()?.estimate,
        };
        metrics.insert(id.clone(), estimate);
    }
    Ok(metrics)
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

fn print(
    challenge: &Challenge,
    model: &Model,
    evaluation: &Evaluation,
    metrics: &BTreeMap<String, Estimate>,
) -> Result {
    let counts: Vec<String> = evaluation.cases.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    say(format!("{} {}, public cases: {}", challenge.id, challenge.version, counts.join(", ")))?;
    let engine = &evaluation.engine;
    let confined = if engine.confinement.is_empty() {
        "nothing of it runs".into()
    } else {
        engine.confinement.join(", ")
    };
    say(format!(
        "{}, dialect {}, by {} {} ({confined})",
        artifact::words(model.media_type),
        dialect::name(evaluation.dialect),
        engine.name,
        engine.version,
    ))?;
    print_failures(&failed(evaluation)?)?;
    let mut table = tables::table(["metric", "value [95 % CI]", "cases", "undefined"]);
    for id in &challenge.metrics {
        if let Some(e) = metrics.get(id) {
            let value = tables::with_interval(Some(e));
            table.add_row(vec![id.clone(), value, e.n.to_string(), e.undefined.to_string()]);
        }
    }
    say(table.trim_fmt())?;
    say(costs(&evaluation.costs))
}

/// Every failed case, and all that the model printed for the first of them; the cases are public.
fn print_failures(failed: &[Failed]) -> Result {
    let Some(first) = failed.first() else { return Ok(()) };
    let mut table = tables::table(["case", "outcome", "why", "the model printed"]);
    for case in failed {
        let last: String = printable(case.log.lines().last().unwrap_or_default()).chars().take(60).collect();
        table.add_row([case.case.as_str(), case.outcome.as_str(), case.reason.as_str(), last.as_str()]);
    }
    say(table.trim_fmt())?;
    if first.log.is_empty() {
        return say(format!("the model printed nothing for {}", first.case));
    }
    say(format!("all that the model printed for {}:", first.case))?;
    first.log.lines().try_for_each(|line| say(format!("  | {}", printable(line))))
}

/// A line without the control characters that a terminal would obey.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn costs(costs: &Costs) -> String {
    let mut text = format!(
        "loading {:.4} s, apart from the cases\nper case median {:.4} s, 95th percentile {:.4} s",
        costs.load_s, costs.case_s_p50, costs.case_s_p95
    );
    let parts = [
        costs.cpu_s.map(|s| format!("processor {s} s")),
        costs.memory_mib_peak.map(|mib| format!("peak memory {mib} MiB")),
        costs.output_mib.map(|mib| format!("output {mib} MiB")),
        costs.fuel.map(|fuel| format!("fuel {fuel}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        text = format!("{text}\nall cases {}", parts.join(", "));
    }
    text
}

fn print_json(
    challenge: &Challenge,
    model: &Model,
    evaluation: &Evaluation,
    metrics: &BTreeMap<String, Estimate>,
) -> Result {
    let failed: Vec<serde_json::Value> = failed(evaluation)?
        .into_iter()
        .map(|f| json!({"case": f.case, "outcome": f.outcome, "reason": f.reason, "log": f.log}))
        .collect();
    say_json(&json!({
        "challenge": challenge.id, "version": challenge.version, "cases": evaluation.cases, "metrics": metrics,
        "costs": evaluation.costs, "failed": failed, "engine": evaluation.engine, "table_digest": evaluation.table_digest().or_fail()?,
        "media_type": model.media_type, "dialect": dialect::name(evaluation.dialect),
    }))
}
