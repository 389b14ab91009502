//! `fiel rank`: rankings of algorithms from a table, without any server.

use super::output::{CommandError, OrFail, Result, counted, say, say_json};
use super::tables;
use fiel_metrics::ScoreError;
use fiel_metrics::rank::{
    MetricRankings, RankFiles, RankReport, RankRequest, RankedMetric, metric_column, rank,
};
use fiel_metrics::registry::Direction;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

/// Rank algorithms over cases by every usual method, with the stability of each ranking.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel rank --table results.csv --metric dice --metric hd95
  fiel rank --table results.csv --metric my_score:lower --bootstrap 10000 --seed 7 --json
  fiel rank --table results.csv --metric dice --institution site

The table has a row per case and algorithm; a metric of the registry knows which end is better, any other column says it
with `:higher`, `:lower` or `:near=1`. Where the best value lies inside the range (calibration_slope, bias), what is
ranked is each value's distance from it. Values of the registry's metrics must lie in its range; one in another unit, such
as a Dice in per cent, is taken with its direction: `dice:higher`. A missing value (an empty cell, `NA`, `N/A`, `null`,
`None`, `NaN`) is counted as such: means leave it out, ranks within a case put it last. `fiel score --help` says what
tables look like.")]
pub(crate) struct Args {
    /// Table: `.csv` with a header, `.parquet`, or Arrow IPC (`.arrow`).
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// Column of a metric, with `:higher`, `:lower` or `:near=BEST` where the registry does not know it; may be given again.
    #[arg(long = "metric", required = true, value_name = "COLUMN[:BETTER]", value_parser = metric_column)]
    metrics: Vec<RankedMetric>,
    /// Column of cases.
    #[arg(long, default_value = "case", value_name = "COLUMN")]
    case: String,
    /// Column of algorithms.
    #[arg(long, default_value = "algorithm", value_name = "COLUMN")]
    algorithm: String,
    /// Column of institutions, for FeTS's ranking.
    #[arg(long, value_name = "COLUMN")]
    institution: Option<String>,
    /// Bootstrap samples of the cases, for the stability of ranks; 0 for none.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    bootstrap: u32,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Level of the tests.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// Treat cases that a bootstrap sample repeats as challengeR 1.0 does.
    #[arg(long)]
    as_challenge_r: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `fiel rank`.
pub(crate) fn run(args: &Args) -> Result {
    let files = RankFiles {
        table: &args.table,
        case: &args.case,
        algorithm: &args.algorithm,
        metrics: &args.metrics,
        institution: args.institution.as_deref(),
    };
    let request = RankRequest {
        alpha: args.alpha,
        replicates: args.bootstrap as usize,
        seed: args.seed,
        as_challenge_r: args.as_challenge_r,
    };
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} rankings").or_fail()?);
    let report = rank(&files, &request, |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let report = match report {
        Err(twice @ ScoreError::Twice(_)) => return Err(CommandError::usage(twice.to_string())),
        other => other.or_fail()?,
    };
    if args.json { say_json(&report) } else { say(show(&report)) }
}

fn show(report: &RankReport) -> String {
    let mut parts = vec![format!(
        "{}, {}",
        counted(report.algorithms.len() as u64, "algorithm"),
        counted(report.cases as u64, "case")
    )];
    for (name, metric) in &report.metrics {
        parts.push(of_metric(name, metric, &report.algorithms));
    }
    if report.metrics.len() > 1 || report.overall.fets.is_some() {
        parts.push(overall(report));
    }
    parts.join("\n\n")
}

/// Rank by each method with the 95 % range over bootstrap samples, best mean first.
fn of_metric(name: &str, metric: &MetricRankings, algorithms: &[String]) -> String {
    let methods: Vec<&str> = metric.methods.keys().copied().collect();
    let mut table = tables::table(
        std::iter::once("algorithm".to_owned())
            .chain(std::iter::once("mean".to_owned()))
            .chain(methods.iter().map(ToString::to_string)),
    );
    let main = &metric.methods["mean-then-rank"];
    let mut order: Vec<usize> = (0..algorithms.len()).collect();
    order.sort_by_key(|&a| main.ranks[a]);
    for a in order {
        let mut line =
            vec![algorithms[a].clone(), main.aggregates[a].map_or("-".into(), |v| format!("{v:.4}"))];
        for method in &methods {
            let ranking = &metric.methods[method];
            let range = ranking.stability.as_ref().and_then(|s| s.rank95[a]);
            let range = range.map_or(String::new(), |[low, high]| format!(" [{low:.0}, {high:.0}]"));
            line.push(format!("{}{range}", ranking.ranks[a]));
        }
        table.add_row(line);
    }
    let better = match (metric.nearest_to, metric.direction) {
        (Some(target), _) => format!("distance from {target}, lower is better"),
        (None, Direction::HigherIsBetter) => "higher is better".to_owned(),
        (None, Direction::LowerIsBetter) => "lower is better".to_owned(),
    };
    let tau = main.stability.as_ref().and_then(|s| s.mean_kendall_tau);
    let tau = tau.map_or(String::new(), |t| format!("; mean Kendall tau over samples {t:.3}"));
    let missing = match metric.missing as u64 {
        0 => String::new(),
        n => format!("; {} missing", counted(n, "value")),
    };
    let groups: Vec<String> = metric
        .significance
        .tie_groups
        .iter()
        .filter(|g| g.len() > 1)
        .map(|g| g.iter().map(|&a| algorithms[a].as_str()).collect::<Vec<_>>().join(", "))
        .collect();
    let ties = if groups.is_empty() {
        String::new()
    } else {
        format!("\nnot told apart at {} (Wilcoxon, Holm): {}", metric.significance.alpha, groups.join("; "))
    };
    format!("{name}, {better}{tau}{missing}\n{}{ties}", table.trim_fmt())
}

fn overall(report: &RankReport) -> String {
    let boards = &report.overall.grand_challenge;
    let mut header = vec!["algorithm".to_owned()];
    header.extend(boards.keys().map(|k| format!("Grand Challenge, {k}")));
    header.extend(report.overall.fets.iter().map(|_| "FeTS".to_owned()));
    header.extend(report.overall.openebench.keys().map(|k| format!("OpenEBench, {k}")));
    let mut table = tables::table(header);
    for (a, name) in report.algorithms.iter().enumerate() {
        let mut line = vec![name.clone()];
        line.extend(boards.values().map(|b| b[a].map_or("-".into(), |r| r.to_string())));
        line.extend(report.overall.fets.iter().map(|f| f[a].to_string()));
        line.extend(report.overall.openebench.values().map(|c| c[a].to_string()));
        table.add_row(line);
    }
    format!("over all metrics\n{}", table.trim_fmt())
}
