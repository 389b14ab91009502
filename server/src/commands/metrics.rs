//! `fiel metrics`: what the metrics are.

use super::output::{CommandError, Result, say, say_json};
use super::tables;
use fiel_metrics::registry::{Direction, MetricSpec, MetricTask, all, find};
use serde_json::{Value, json};

/// List the metrics with unit, direction, range and what happens where they are undefined.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One metric; all when absent.
    id: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `fiel metrics`.
pub(crate) fn run(args: &Args) -> Result {
    let chosen: Vec<&MetricSpec> = match &args.id {
        None => all().iter().collect(),
        Some(id) => vec![find(id).ok_or_else(|| {
            CommandError::new(format!("there is no metric `{id}`")).hint("`fiel metrics` lists them all")
        })?],
    };
    if args.json {
        let specs: Vec<Value> = chosen.into_iter().map(document).collect();
        return if args.id.is_some() { say_json(&specs[0]) } else { say_json(&specs) };
    }
    match (&args.id, chosen.as_slice()) {
        (Some(_), [spec]) => say(page(spec)),
        _ => say(list(&chosen)),
    }
}

fn list(specs: &[&MetricSpec]) -> String {
    let mut table = tables::table(["id", "name", "task", "better", "unit", "range"]);
    for spec in specs {
        table.add_row(vec![
            spec.id.to_string(),
            spec.name.to_string(),
            task(spec),
            direction(spec),
            unit(spec).to_string(),
            range(spec.range),
        ]);
    }
    table.trim_fmt()
}

fn page(spec: &MetricSpec) -> String {
    format!(
        "{} ({})\n  task       {}\n  better     {}\n  unit       {}\n  range      {}\n  undefined  {}\n  reference  {}\n  \
         version    {}",
        spec.name,
        spec.id,
        task(spec),
        direction(spec),
        unit(spec),
        range(spec.range),
        spec.undefined,
        spec.reference,
        spec.version
    )
}

fn document(spec: &MetricSpec) -> Value {
    let limit = |v: f64| if v.is_finite() { json!(v) } else { Value::Null };
    json!({
        "id": spec.id, "name": spec.name, "task": spec.task, "direction": direction(spec),
        "unit": unit(spec), "range": [limit(spec.range.0), limit(spec.range.1)], "undefined": spec.undefined,
        "reference": spec.reference, "version": spec.version,
    })
}

fn task(spec: &MetricSpec) -> String {
    match spec.task {
        MetricTask::Classification => "classification".into(),
        MetricTask::Segmentation => "segmentation".into(),
    }
}

/// The unit; `1` for pure numbers.
fn unit(spec: &MetricSpec) -> &'static str {
    if spec.unit.is_empty() { "1" } else { spec.unit }
}

fn direction(spec: &MetricSpec) -> String {
    let (low, high) = spec.range;
    if low < spec.target && spec.target < high {
        return format!("nearer to {}", spec.target);
    }
    match spec.direction {
        Direction::HigherIsBetter => "higher".into(),
        Direction::LowerIsBetter => "lower".into(),
    }
}

fn range((low, high): (f64, f64)) -> String {
    let (low, high) = (low.to_string().replace("inf", "∞"), high.to_string().replace("inf", "∞"));
    format!("{low} to {high}")
}
