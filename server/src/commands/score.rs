//! `fiel score`: metrics of files, without any server.

use super::output::{OrFail, Result, say, say_json};
use super::tables;
use fiel_metrics::registry;
use fiel_metrics::score::{ScoreReport, classification, segmentation};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

/// Compute metrics of predictions in files, without any server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel score classification --table answers.csv --label malignant --score probability
  fiel score segmentation --reference truth/ --prediction masks/ --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Probabilities against 0/1 labels, from a table.
    Classification {
        /// Table with one row per case: `.csv` with a header, or `.parquet`.
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Column of labels, 0 or 1.
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Column of probabilities, 0 to 1.
        #[arg(long, value_name = "COLUMN")]
        score: String,
        /// Column of case names; `case_id` where there is one, else the row number.
        #[arg(long, value_name = "COLUMN")]
        case: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Masks against masks, NIfTI.
    Segmentation {
        /// Mask, or folder of masks.
        #[arg(long, value_name = "FILE|FOLDER")]
        reference: PathBuf,
        /// Mask, or folder of masks with the same file names.
        #[arg(long, value_name = "FILE|FOLDER")]
        prediction: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs `fiel score`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.task {
        Task::Classification { table, label, score, case, json } => {
            let report = classification(table, label, score, case.as_deref());
            print(&report.or_fail()?, *json)
        }
        Task::Segmentation { reference, prediction, json } => {
            let bar = ProgressBar::new(0);
            bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} cases").or_fail()?);
            let report = segmentation(reference, prediction, |done, total| {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            print(&report.or_fail()?, *json)
        }
    }
}

fn print(report: &ScoreReport, json: bool) -> Result {
    if json {
        return say_json(report);
    }
    let mut table = tables::table(["metric", "value", "95 % CI", "unit", "undefined"]);
    for spec in registry::all() {
        let Some(value) = report.metrics.get(spec.id) else { continue };
        table.add_row(vec![
            spec.id.to_string(),
            value.value.map_or("undefined".into(), |v| format!("{v:.4}")),
            value.ci95.map_or("-".into(), |[low, high]| format!("{low:.4} to {high:.4}")),
            value.unit.to_string(),
            value.undefined.to_string(),
        ]);
    }
    say(format!("{}, {} cases\n{}", report.task, report.n, table.trim_fmt()))
}
