//! Scoring files at once, for the command line: no server, no challenge.

use crate::assess::{Options, assess};
use crate::error::ScoreError;
use crate::registry::{self, MetricTask};
use crate::segmentation::measure;
use crate::table;
use fiel_kernels::ImageError;
use fiel_kernels::image::{ReadLimits, read_nifti_mask};
use fiel_schemas::challenge::FailedCases;
use polars::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The metrics of a set of files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreReport {
    /// `classification` or `segmentation`.
    pub task: &'static str,
    /// Cases.
    pub n: u64,
    /// Every metric of the task, by id.
    pub metrics: BTreeMap<&'static str, ScoreMetric>,
    /// Every case: its name under `case`, and its own value of each metric that has one.
    pub cases: Vec<ScoreCase>,
}

/// One metric over all cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreMetric {
    /// The value; `null` where it is undefined.
    pub value: Option<f64>,
    /// 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
    /// Unit symbol, `1` for pure numbers.
    pub unit: &'static str,
    /// Cases (for metrics of a whole set: sets) for which it is undefined.
    pub undefined: u64,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreCase {
    /// Its name.
    pub case: String,
    /// Its value of each per-case metric; `null` where undefined.
    #[serde(flatten)]
    pub values: BTreeMap<&'static str, Option<f64>>,
}

const OPTIONS: Options = Options { min_cell: 1, failed_cases: FailedCases::Exclude };

/// Scores probabilities against 0/1 labels from a CSV or Parquet table.
///
/// Cases are named by `case`, by default the column `case_id`, without one by their row.
pub fn classification(
    path: &Path,
    label: &str,
    score: &str,
    case: Option<&str>,
) -> Result<ScoreReport, ScoreError> {
    // As text, so that a value that is no number is reported with its row.
    let frame = table::read_as(path, Some(0)).map_err(|e| match e {
        crate::MetricError::File { path, problem } => ScoreError::Table { path, problem },
        other => ScoreError::Metric(other),
    })?;
    let columns = Columns { path, frame: &frame };
    let labels = columns.numbers(label, "a label, 0 or 1", table::is_label)?;
    let scores = columns.numbers(score, "a probability from 0 to 1", |v| (0.0..=1.0).contains(&v))?;
    if scores.is_empty() {
        let problem = "the table has no rows; it needs at least one case".to_owned();
        return Err(ScoreError::Table { path: path.to_owned(), problem });
    }
    let names = columns.names(case)?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be 0 or 1")]
    let integers: Vec<i32> = labels.iter().map(|&y| y as i32).collect();
    let frame = df!(
        "case_id" => &names,
        "outcome" => vec!["ok"; names.len()],
        "label" => integers,
        "score" => &scores,
    )
    .map_err(crate::MetricError::from)?;
    let squared = |(s, y): (&f64, &f64)| Some((s - y) * (s - y));
    let cases = names.into_iter().zip(scores.iter().zip(&labels).map(squared));
    let cases =
        cases.map(|(case, brier)| ScoreCase { case, values: BTreeMap::from([("brier", brier)]) }).collect();
    report(MetricTask::Classification, "classification", &frame, cases)
}

/// Scores masks against reference masks: two files, or two folders whose files pair up by name.
///
/// `progress` is called with the cases done and all cases.
pub fn segmentation(
    reference: &Path,
    prediction: &Path,
    mut progress: impl FnMut(usize, usize),
) -> Result<ScoreReport, ScoreError> {
    let pairs = pairs(reference, prediction)?;
    let limits = ReadLimits::default();
    let mut cases = Vec::with_capacity(pairs.len());
    let mut measured = Vec::with_capacity(pairs.len());
    progress(0, pairs.len());
    for (i, (case, reference, prediction)) in pairs.iter().enumerate() {
        let (truth, answer) = (read_nifti_mask(reference, &limits)?, read_nifti_mask(prediction, &limits)?);
        let m = measure(&truth, &answer)
            .map_err(|e| ImageError::File { path: prediction.clone(), source: Box::new(e) })?;
        let values = [("dice", m.dice), ("iou", m.iou), ("volume_error_ml", Some(m.volume_error_ml))];
        cases.push(ScoreCase { case: case.clone(), values: BTreeMap::from(values) });
        measured.push(m);
        progress(i + 1, pairs.len());
    }
    let frame = df!(
        "case_id" => cases.iter().map(|c| c.case.as_str()).collect::<Vec<_>>(),
        "outcome" => vec!["ok"; cases.len()],
        "dice" => measured.iter().map(|m| m.dice).collect::<Vec<_>>(),
        "iou" => measured.iter().map(|m| m.iou).collect::<Vec<_>>(),
        "volume_error_ml" => measured.iter().map(|m| m.volume_error_ml).collect::<Vec<_>>(),
        "reference_ml" => measured.iter().map(|m| m.reference_ml).collect::<Vec<_>>(),
    )
    .map_err(crate::MetricError::from)?;
    report(MetricTask::Segmentation, "segmentation", &frame, cases)
}

fn report(
    task: MetricTask,
    name: &'static str,
    frame: &DataFrame,
    cases: Vec<ScoreCase>,
) -> Result<ScoreReport, ScoreError> {
    let mut metrics = BTreeMap::new();
    for spec in registry::all().iter().filter(|m| m.task == task) {
        let e = assess(spec.id, frame, &OPTIONS)?.estimate;
        let unit = if spec.unit.is_empty() { "1" } else { spec.unit };
        metrics.insert(spec.id, ScoreMetric { value: e.value, ci95: e.ci95, unit, undefined: e.undefined });
    }
    Ok(ScoreReport { task: name, n: cases.len() as u64, metrics, cases })
}

/// A table and where it came from.
struct Columns<'a> {
    path: &'a Path,
    frame: &'a DataFrame,
}

impl Columns<'_> {
    fn text(&self, name: &str) -> Result<Vec<Option<String>>, ScoreError> {
        let failed = |problem: String| ScoreError::Table { path: self.path.to_owned(), problem };
        let column = self.frame.column(name).map_err(|_| {
            let known: Vec<String> =
                self.frame.get_column_names().into_iter().map(|n| format!("`{n}`")).collect();
            failed(format!("there is no column `{name}`; the columns are {}", known.join(", ")))
        })?;
        let dtype = column.dtype().clone();
        if !(dtype.is_string() || dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_null()) {
            return Err(failed(format!("the column `{name}` holds {dtype}, not numbers or text")));
        }
        // Booleans are read as 0 and 1.
        let column = if dtype.is_bool() { column.cast(&DataType::Int32) } else { Ok(column.clone()) };
        let text = column.and_then(|c| c.cast(&DataType::String)).map_err(|e| failed(e.to_string()))?;
        let text = text.str().map_err(|e| failed(e.to_string()))?;
        Ok(text.iter().map(|v| v.map(str::to_owned)).collect())
    }

    /// A column of numbers, each satisfying `valid`.
    fn numbers(&self, name: &str, expected: &str, valid: fn(f64) -> bool) -> Result<Vec<f64>, ScoreError> {
        let exact = self.frame.column(name).ok().filter(|c| c.dtype().is_primitive_numeric());
        let exact = exact.and_then(|c| c.cast(&DataType::Float64).ok());
        let exact = exact.as_ref().and_then(|c| c.f64().ok());
        let number = |row: usize, text: &str| match exact {
            // Numbers of a Parquet file are taken as they are, not by way of text.
            Some(column) => column.get(row),
            None => text.trim().parse::<f64>().ok(),
        };
        let parse = |(row, text): (usize, Option<String>)| {
            let text = text.unwrap_or_default();
            number(row, &text).filter(|v| valid(*v)).ok_or_else(|| ScoreError::Row {
                path: self.path.to_owned(),
                row: row + 1,
                problem: if text.is_empty() {
                    format!("`{name}` is empty, not {expected}")
                } else {
                    format!("`{name}` is {text:?}, not {expected}")
                },
            })
        };
        self.text(name)?.into_iter().enumerate().map(parse).collect()
    }

    /// The cases' names, each given once.
    fn names(&self, column: Option<&str>) -> Result<Vec<String>, ScoreError> {
        let default = self.frame.column("case_id").is_ok().then_some("case_id");
        let Some(column) = column.or(default) else {
            return Ok((1..=self.frame.height()).map(|row| row.to_string()).collect());
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut names = Vec::new();
        for (i, name) in self.text(column)?.into_iter().enumerate() {
            let name = name.unwrap_or_default();
            let row = i + 1;
            let failed = |problem| ScoreError::Row { path: self.path.to_owned(), row, problem };
            if name.is_empty() {
                return Err(failed(format!("`{column}` is empty; every case needs a name")));
            }
            if let Some(first) = seen.insert(name.clone(), row) {
                return Err(failed(format!(
                    "`{column}` is {name:?}, as in row {first}; each case may occur once"
                )));
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// (case, reference, prediction), by case.
fn pairs(reference: &Path, prediction: &Path) -> Result<Vec<(String, PathBuf, PathBuf)>, ScoreError> {
    let failed = |path: &Path, problem: &str| {
        Err(ScoreError::Pairing { path: path.to_owned(), problem: problem.to_owned() })
    };
    for path in [reference, prediction] {
        if !path.exists() {
            return failed(path, "there is no such file or folder");
        }
    }
    match (reference.is_dir(), prediction.is_dir()) {
        (false, false) => {
            let case = stem(prediction).unwrap_or_else(|| prediction.display().to_string());
            return Ok(vec![(case, reference.to_owned(), prediction.to_owned())]);
        }
        (true, true) => {}
        (true, false) => {
            return failed(prediction, "the reference is a folder; give a folder of predictions as well");
        }
        (false, true) => {
            return failed(prediction, "the reference is one file; give one file as prediction as well");
        }
    }
    let (truths, mut answers) = (masks(reference)?, masks(prediction)?);
    let mut pairs = Vec::with_capacity(truths.len());
    for (case, path) in truths {
        let Some(answer) = answers.remove(&case) else {
            return failed(
                &path,
                &format!("there is no prediction of that name in {}", prediction.display()),
            );
        };
        pairs.push((case, path, answer));
    }
    if let Some(path) = answers.values().next() {
        return failed(path, &format!("there is no reference of that name in {}", reference.display()));
    }
    Ok(pairs)
}

/// The masks of a folder by name without `.nii` or `.nii.gz`.
fn masks(folder: &Path) -> Result<BTreeMap<String, PathBuf>, ScoreError> {
    let io = |source| ImageError::Io { path: folder.to_owned(), source };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some(case) = stem(&path) else { continue };
        if let Some(other) = found.insert(case, path.clone()) {
            let problem = format!("{} has the same name; keep one of them", other.display());
            return Err(ScoreError::Pairing { path, problem });
        }
    }
    if found.is_empty() {
        let problem = "the folder holds no .nii or .nii.gz file".to_owned();
        return Err(ScoreError::Pairing { path: folder.to_owned(), problem });
    }
    Ok(found)
}

fn stem(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.strip_suffix(".nii").filter(|n| !n.is_empty() && !n.starts_with('.')).map(str::to_owned)
}
