//! `fiel metrics`: what the metrics are.

use super::output::{OrFail, Result, say, say_json};
use super::tables;
use fiel_metrics::registry::{Direction, MetricId, MetricSpec, all};
use serde_json::{Value, json};

/// List the metrics with unit, direction, range and what happens where they are undefined.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel metrics
  fiel metrics hd95.pooled
  fiel metrics nsd.surfel@2 --json")]
pub(crate) struct Args {
    /// One metric, with or without convention and parameter; all when absent.
    id: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `fiel metrics`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.id {
        Some(id) => {
            let metric = MetricId::parse(id).or_fail()?;
            if args.json { say_json(&document(metric.spec)) } else { say(page(&metric)) }
        }
        None if args.json => say_json(&all().map(document).collect::<Vec<Value>>()),
        None => say(list()),
    }
}

fn list() -> String {
    let mut table = tables::table(["id", "name", "task", "better", "unit", "range"]);
    for spec in all() {
        table.add_row(vec![
            spec.id.to_string(),
            spec.name.to_string(),
            spec.task.as_str().to_string(),
            direction(spec),
            unit(spec).to_string(),
            range(spec.range),
        ]);
    }
    table.trim_fmt()
}

fn page(metric: &MetricId) -> String {
    let spec = metric.spec;
    let mut rows = vec![
        ("task".to_owned(), spec.task.as_str().to_owned()),
        ("better".to_owned(), direction(spec)),
        ("unit".to_owned(), unit(spec).to_owned()),
        ("range".to_owned(), range(spec.range)),
        ("undefined".to_owned(), spec.undefined_words()),
    ];
    if let Some(p) = spec.parameter {
        let default = p.default.map_or("may be left out".to_owned(), |v| format!("{v} where none is given"));
        rows.push(("@".to_owned(), format!("{}: {}; {default}", p.name, p.limits())));
    }
    for (i, c) in spec.conventions.iter().enumerate() {
        let default = if i == 0 { " (default)" } else { "" };
        rows.push((format!(".{}", c.name), format!("{}{default}", c.definition)));
    }
    rows.push(("reference".to_owned(), spec.reference.to_owned()));
    rows.push(("version".to_owned(), spec.version.to_owned()));
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = rows.iter().map(|(name, text)| format!("  {name:width$}  {text}"));
    let title = format!("{} ({})", spec.name, metric.full());
    std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n")
}

fn document(spec: &MetricSpec) -> Value {
    let limit = |v: f64| if v.is_finite() { json!(v) } else { Value::Null };
    let parameter = spec.parameter.map(|p| {
        json!({"name": p.name, "unit": p.unit, "default": p.default,
            "range": [limit(p.range.0), limit(p.range.1)], "integer": p.is_integer})
    });
    json!({
        "id": spec.id, "name": spec.name, "task": spec.task, "level": spec.level, "direction": direction(spec),
        "unit": unit(spec), "range": [limit(spec.range.0), limit(spec.range.1)],
        "undefined": spec.undefined.iter().map(ToString::to_string).collect::<Vec<String>>(),
        "conventions": spec.conventions, "parameter": parameter,
        "reference": spec.reference, "version": spec.version,
    })
}

/// The unit; `1` for pure numbers.
fn unit(spec: &MetricSpec) -> &'static str {
    if spec.unit.is_empty() { "1" } else { spec.unit }
}

fn direction(spec: &MetricSpec) -> String {
    if spec.is_best_inside() {
        return format!("nearer to {}", spec.target);
    }
    match spec.direction {
        Direction::HigherIsBetter => "higher".into(),
        Direction::LowerIsBetter => "lower".into(),
    }
}

fn range((low, high): (f64, f64)) -> String {
    let show = |v: f64| if v.abs() >= f64::MAX { "∞".to_owned() } else { v.to_string() };
    let sign = if low < 0.0 && low.is_infinite() { "-" } else { "" };
    format!("{sign}{} to {}", show(low), show(high))
}
