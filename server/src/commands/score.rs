//! `fiel score`: metrics of files, without any server.

use super::output::{CommandError, OrFail, Result, counted, say, say_json};
use super::tables;
use fiel_metrics::Options;
use fiel_metrics::image::Spacing;
use fiel_metrics::registry::MetricTask;
use fiel_metrics::score::{
    ClassificationFiles, Comparison, DetectionFiles, Intervals, MulticlassFiles, RegressionFiles, Request,
    ScoreMetric, ScoreReport, SegmentationFiles, SurvivalFiles, classification, detection, multiclass,
    regression, segmentation, survival,
};
use fiel_schemas::challenge::FailedCases;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Compute metrics of predictions in files, without any server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel score classification --table answers.csv --label malignant --score probability
  fiel score classification --table answers.csv --label y --score p --metrics auc,ece.equal_mass@20,ici --by site
  fiel score segmentation --reference truth/ --prediction masks/ --metrics dice,nsd@2,hd95.pooled --json
  fiel score segmentation --reference ct.nii.gz --prediction answer.mha --labels 1,2,5
  fiel score classification --table answers.csv --label y --score p --compare q --metrics auc,brier
  fiel score multiclass --table grades.csv --label birads --scores p_ --metrics multiclass_auc.one_vs_one
  fiel score multiclass --table grades.csv --label reader_1 --decision reader_2 --metrics multiclass_kappa.quadratic
  fiel score survival --table patients.csv --time days --event died --risk risk
  fiel score detection --reference nodules.csv --prediction marks.csv --images scans.csv --metrics cpm
  fiel score regression --table volumes.csv --reference measured --prediction predicted --ci bca

A CSV table is text in UTF-8: a first line that names the columns, each name once, then a line for each row, with commas between
values, points in numbers, double quotes around a text that has commas, and no lines of comments. Every row needs a value: where
a number is missing (an empty cell, `NA`, `N/A`, `null`, `None`, `NaN`), the row is named and nothing is scored.

`fiel metrics` lists the metrics of each task with their conventions and parameters.")]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

/// What every task takes.
#[derive(Debug, clap::Args)]
struct Common {
    /// Metrics to compute, separated by commas; the task's usual ones when absent.
    #[arg(long, value_delimiter = ',', value_name = "ID,...", value_parser = trimmed)]
    metrics: Vec<String>,
    /// Confidence intervals: none, in closed form where there is one and else by bootstrap, always by percentile bootstrap, or
    /// always by BCa bootstrap.
    #[arg(long, value_enum, default_value_t = Ci::Auto)]
    ci: Ci,
    /// Bootstrap samples.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    replicates: u32,
    /// Seed of the bootstrap: the same seed gives the same intervals.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Column that divides the cases into strata, each scored on its own.
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// With `--json`, give beside each metric the summary that merges with other sites', its cells holding at least this
    /// many cases.
    #[arg(long, value_name = "MIN_CELL", requires = "json", value_parser = clap::value_parser!(u64).range(1..))]
    summaries: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print the metrics as CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Write every case's own values to a Parquet table.
    #[arg(long, value_name = "FILE")]
    parquet: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Ci {
    Off,
    Auto,
    Bootstrap,
    Bca,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Probabilities against 0/1 labels, from a table.
    Classification {
        /// Table with one row per case: `.csv` with a header, `.parquet`, or Arrow IPC (`.arrow`).
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Column of labels: 0 or 1, or `true` and `false`.
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Column of probabilities, 0 to 1.
        #[arg(long, value_name = "COLUMN")]
        score: String,
        /// Column of another model's probabilities: differences with paired intervals and tests (DeLong, Wilcoxon, permutation).
        #[arg(long, value_name = "COLUMN", conflicts_with = "csv")]
        compare: Option<String>,
        /// With `--json`, give the ROC, precision-recall, decision and CORP reliability curves.
        #[arg(long, requires = "json")]
        curves: bool,
        /// Column of case names; `case_id` where there is one, else the row number.
        #[arg(long, value_name = "COLUMN")]
        case: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// One class of several against the true class, from a table: probabilities of all classes, or decisions.
    Multiclass {
        /// Table with one row per case: `.csv` with a header, `.parquet`, or Arrow IPC (`.arrow`).
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Column of the true classes' names.
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Columns named PREFIX and a class hold that class's probability.
        #[arg(long, value_name = "PREFIX", required_unless_present = "decision")]
        scores: Option<String>,
        /// Column of the decided classes' names; the class of the highest probability when absent.
        #[arg(long, value_name = "COLUMN")]
        decision: Option<String>,
        /// All classes in their order, separated by commas; when absent those of the columns of probabilities in the order of the
        /// table, or those that occur in the order of their numbers or names.
        #[arg(long, value_delimiter = ',', value_name = "CLASS,...")]
        classes: Vec<String>,
        /// Column of case names; `case_id` where there is one, else the row number.
        #[arg(long, value_name = "COLUMN")]
        case: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Masks or label maps against references: NIfTI, MetaImage, NumPy, DICOM-SEG.
    Segmentation {
        /// Mask, or folder of masks.
        #[arg(long, value_name = "FILE|FOLDER")]
        reference: PathBuf,
        /// Mask, or folder of masks with the same file names.
        #[arg(long, value_name = "FILE|FOLDER")]
        prediction: PathBuf,
        /// Labels of label maps, separated by commas; without it masks hold 0 and 1.
        #[arg(long, value_delimiter = ',', value_name = "LABEL,...")]
        labels: Vec<u8>,
        /// Distance between voxels in millimetres along each axis of NumPy arrays (`.npy`), which do not tell it, in the order of the
        /// arrays' axes; two numbers for arrays of two axes, whose pixels count as 1 mm thick where a volume is asked for. An error
        /// beside files of other formats, which carry their own.
        #[arg(long, value_name = "X,Y[,Z]", value_parser = spacing)]
        spacing: Option<Spacing>,
        /// Take images of three axes and one slice as planes, whose voxels have four neighbours, as images of two axes are.
        #[arg(long)]
        plane: bool,
        /// Put predictions that lie on another grid on the reference's (nearest neighbour) instead of refusing them.
        #[arg(long)]
        resample: bool,
        /// Table of cases (`case`) with the column of `--by`.
        #[arg(long, value_name = "FILE")]
        strata: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Findings with confidence against findings of the reference, as boxes or points, from tables.
    Detection {
        /// Table of findings: `image` and a box (`x_min`, `y_min`, `x_max`, `y_max`, in 3-D `z_min`, `z_max`) or a point
        /// (`x`, `y`, `z`, `diameter_mm`).
        #[arg(long, value_name = "FILE")]
        reference: PathBuf,
        /// Table of predicted findings: as the reference's, and `score`.
        #[arg(long, value_name = "FILE")]
        prediction: PathBuf,
        /// Table of all images (`image`), those without findings included.
        #[arg(long, value_name = "FILE")]
        images: Option<PathBuf>,
        /// With `--json`, give the FROC curve of findings that are points.
        #[arg(long, requires = "json")]
        curves: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Risks against censored times, from a table.
    Survival {
        /// Table with one row per patient.
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Column of times.
        #[arg(long, value_name = "COLUMN")]
        time: String,
        /// Column of events: 1 observed, 0 censored.
        #[arg(long, value_name = "COLUMN")]
        event: String,
        /// Column of risks; higher means an earlier event.
        #[arg(long, value_name = "COLUMN")]
        risk: String,
        /// Columns named PREFIX and a time hold the predicted probability of being free of the event then; no other column may begin
        /// so.
        #[arg(long, value_name = "PREFIX")]
        curve: Option<String>,
        /// Table of times and events whose censoring gives the weights; the table itself when absent.
        #[arg(long, value_name = "FILE")]
        training: Option<PathBuf>,
        /// With `--json`, give Kaplan-Meier curves, and with `--by` those of the strata and their log-rank test.
        #[arg(long, requires = "json")]
        curves: bool,
        /// Column of case names; `case_id` where there is one, else the row number.
        #[arg(long, value_name = "COLUMN")]
        case: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Numbers against numbers, from a table.
    Regression {
        /// Table with one row per case.
        #[arg(long, value_name = "FILE")]
        table: PathBuf,
        /// Column of reference values.
        #[arg(long, value_name = "COLUMN")]
        reference: String,
        /// Column of predicted values.
        #[arg(long, value_name = "COLUMN")]
        prediction: String,
        /// Column of another model's predictions: differences with paired intervals and tests (Wilcoxon, permutation).
        #[arg(long, value_name = "COLUMN", conflicts_with = "csv")]
        compare: Option<String>,
        /// Column of case names; `case_id` where there is one, else the row number.
        #[arg(long, value_name = "COLUMN")]
        case: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Runs `fiel score`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.task {
        Task::Classification { table, label, score, compare, curves, case, common } => {
            let request = Request { curves: *curves, ..request(MetricTask::Classification, common)? };
            let (compare, case) = (compare.as_deref(), case.as_deref());
            let files = ClassificationFiles { table, label, score, compare, case };
            print(&classification(&files, &request).or_fail()?, &request, common)
        }
        Task::Multiclass { table, label, scores, decision, classes, case, common } => {
            let mut request = request(MetricTask::Multiclass, common)?;
            if common.metrics.is_empty() && scores.is_some() {
                let more = ["multiclass_auc", "multiclass_brier", "multiclass_log_loss", "classwise_ece@15"];
                let more = Request::new(MetricTask::Multiclass, &more.map(str::to_owned)).or_fail()?;
                request.metrics.extend(more.metrics);
            }
            let (scores, decision, case) = (scores.as_deref(), decision.as_deref(), case.as_deref());
            let files = MulticlassFiles { table, label, scores, decision, classes, case };
            print(&multiclass(&files, &request).or_fail()?, &request, common)
        }
        Task::Segmentation { reference, prediction, labels, spacing, plane, resample, strata, common } => {
            let request = request(MetricTask::Segmentation, common)?;
            let strata = strata.as_deref();
            let (plane, resample, spacing) = (*plane, *resample, *spacing);
            let files = SegmentationFiles { reference, prediction, labels, spacing, plane, resample, strata };
            let bar = ProgressBar::new(0);
            bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} cases").or_fail()?);
            let report = segmentation(&files, &request, |done, total| {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            print(&report.or_fail()?, &request, common)
        }
        Task::Detection { reference, prediction, images, curves, common } => {
            let mut request = Request { curves: *curves, ..request(MetricTask::Detection, common)? };
            if common.metrics.is_empty() && has_points(reference) {
                request.metrics = Request::new(MetricTask::Detection, &["cpm".to_owned()]).or_fail()?.metrics;
            }
            let files = DetectionFiles { reference, prediction, images: images.as_deref() };
            print(&detection(&files, &request).or_fail()?, &request, common)
        }
        Task::Survival { table, time, event, risk, curve, training, curves, case, common } => {
            let request = Request { curves: *curves, ..request(MetricTask::Survival, common)? };
            let (curve, training, case) = (curve.as_deref(), training.as_deref(), case.as_deref());
            let files = SurvivalFiles { table, time, event, risk, curve, training, case };
            print(&survival(&files, &request).or_fail()?, &request, common)
        }
        Task::Regression { table, reference, prediction, compare, case, common } => {
            let request = request(MetricTask::Regression, common)?;
            let (compare, case) = (compare.as_deref(), case.as_deref());
            let files = RegressionFiles { table, reference, prediction, compare, case };
            print(&regression(&files, &request).or_fail()?, &request, common)
        }
    }
}

/// An id without the spaces that stand around commas.
#[expect(clippy::unnecessary_wraps, reason = "clap wants parsers that can fail")]
fn trimmed(text: &str) -> std::result::Result<String, String> {
    Ok(text.trim().to_owned())
}

/// Whether the findings of a table are points, which have other usual metrics than boxes. What is wrong with the table is said
/// when it is scored.
fn has_points(table: &Path) -> bool {
    fiel_metrics::table::read(table).is_ok_and(|t| t.column("x_min").is_err() && t.column("x").is_ok())
}

/// Two or three numbers above 0.
fn spacing(text: &str) -> std::result::Result<Spacing, String> {
    let number = |part: &str| part.trim().parse().ok().filter(|v: &f64| v.is_finite() && *v > 0.0);
    match text.split(',').map(number).collect::<Option<Vec<f64>>>().as_deref() {
        Some(&[x, y]) => Ok(Spacing::Plane([x, y])),
        Some(&[x, y, z]) => Ok(Spacing::Volume([x, y, z])),
        _ => Err("two or three numbers of millimetres above 0, separated by commas".to_owned()),
    }
}

fn request(task: MetricTask, common: &Common) -> Result<Request> {
    let request = match common.metrics.as_slice() {
        [] => Request::default_of(task).or_fail()?,
        ids => Request::new(task, ids).map_err(|e| CommandError::usage(e.to_string()))?,
    };
    let intervals = match common.ci {
        Ci::Off => Intervals::Off,
        Ci::Auto => Intervals::Auto,
        Ci::Bootstrap => Intervals::Bootstrap,
        Ci::Bca => Intervals::Bca,
    };
    let (replicates, seed, by) = (common.replicates as usize, common.seed, common.by.clone());
    let summaries = common.summaries.map(|min_cell| Options { min_cell, failed_cases: FailedCases::Exclude });
    Ok(Request { intervals, replicates, seed, by, summaries, ..request })
}

fn print(report: &ScoreReport, request: &Request, common: &Common) -> Result {
    if let Some(path) = &common.parquet {
        write_cases(report, request, path)?;
    }
    if common.json {
        return say_json(report);
    }
    if common.csv {
        return say(csv(report, request));
    }
    let mut parts =
        vec![format!("{}, {}", report.task, cases(report.n, report.rows)), table(&report.metrics, request)];
    if let Some(comparison) = &report.comparison {
        parts.push(format!("less {}", comparison.with));
        parts.push(differences(comparison, request));
    }
    if let Some(by) = &report.by {
        for (name, stratum) in &by.groups {
            parts.push(format!("{} {name}, {}", by.column, cases(stratum.n, stratum.rows)));
            parts.push(table(&stratum.metrics, request));
        }
        let mut gaps = tables::table(["metric", "worst", "best", "gap"]);
        for (id, _) in &request.metrics {
            let Some(gap) = by.gaps.get(id) else { continue };
            gaps.add_row(vec![id.clone(), gap.worst.clone(), gap.best.clone(), format!("{:.4}", gap.gap)]);
        }
        parts.push(gaps.trim_fmt());
    }
    say(parts.join("\n"))
}

/// Cases, and their rows where cases hold several labels.
fn cases(n: u64, rows: Option<u64>) -> String {
    let labels = rows.map_or_else(String::new, |rows| format!(", {} of them", counted(rows, "label")));
    format!("{}{labels}", counted(n, "case"))
}

fn table(metrics: &BTreeMap<String, ScoreMetric>, request: &Request) -> String {
    let mut table = tables::table(["metric", "value", "95 % CI", "unit", "undefined"]);
    for (id, _) in &request.metrics {
        let Some(value) = metrics.get(id) else { continue };
        table.add_row(vec![
            id.clone(),
            value.value.map_or("undefined".into(), |v| format!("{v:.4}")),
            value.ci95.map_or("-".into(), |[low, high]| format!("{low:.4} to {high:.4}")),
            value.unit.to_string(),
            value.reason.clone().unwrap_or_else(|| value.undefined.to_string()),
        ]);
    }
    table.trim_fmt()
}

fn differences(comparison: &Comparison, request: &Request) -> String {
    let mut table = tables::table(["metric", "other", "difference", "95 % CI", "p of no difference"]);
    let number = |value: Option<f64>| value.map_or("undefined".into(), |v| format!("{v:.4}"));
    for (id, _) in &request.metrics {
        let Some(found) = comparison.metrics.get(id) else { continue };
        let tests: Vec<String> = found.p.iter().map(|(test, p)| format!("{p:.3e} {test}")).collect();
        table.add_row(vec![
            id.clone(),
            number(found.other),
            number(found.difference),
            found.ci95.map_or("-".into(), |[low, high]| format!("{low:.4} to {high:.4}")),
            if tests.is_empty() { "-".into() } else { tests.join(", ") },
        ]);
    }
    table.trim_fmt()
}

/// A line per metric and stratum; the whole set has an empty stratum, `n` counts cases.
fn csv(report: &ScoreReport, request: &Request) -> String {
    let mut lines = vec!["stratum,metric,id,value,low,high,unit,undefined,n".to_owned()];
    let number = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    let mut add = |stratum: &str, n: u64, metrics: &BTreeMap<String, ScoreMetric>| {
        for (asked, _) in &request.metrics {
            let Some(m) = metrics.get(asked) else { continue };
            let (low, high) = (number(m.ci95.map(|c| c[0])), number(m.ci95.map(|c| c[1])));
            let (value, stratum) = (number(m.value), quoted(stratum));
            lines.push(format!(
                "{stratum},{asked},{},{value},{low},{high},{},{},{n}",
                m.id, m.unit, m.undefined
            ));
        }
    };
    add("", report.n, &report.metrics);
    for (name, stratum) in report.by.iter().flat_map(|by| &by.groups) {
        add(name, stratum.n, &stratum.metrics);
    }
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn write_cases(report: &ScoreReport, request: &Request, path: &Path) -> Result {
    let ids: Vec<&str> = request.metrics.iter().map(|m| m.0.as_str()).collect();
    fiel_metrics::score::write_cases(report, &ids, path).or_fail()
}
