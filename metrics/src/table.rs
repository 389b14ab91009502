//! Case tables: what a metric takes from them, and what a failed case counts as.

use crate::agreement::Numbers;
use crate::assess::Options;
use crate::error::MetricError;
use crate::fixed;
use crate::registry::{MetricId, MetricSpec};
use crate::table_file::{Numeric, TableFile};
use fiel_schemas::challenge::FailedCases;
use polars::prelude::*;
use std::path::Path;

/// Reads a table by its name: `.parquet`, Arrow IPC (`.arrow`, `.feather`, `.ipc`; streams: `.arrows`), otherwise CSV with a
/// header whose column types are found over all rows. Columns that hold neither numbers nor text are left out.
///
/// # Errors
/// [`MetricError::File`] for a file that cannot be read, is damaged, or claims more than its size allows.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cases.csv");
/// std::fs::write(&path, "case_id,dice\na,0.75\nb,0.5\n")?;
/// let table = fiel_metrics::table::read(&path)?;
/// assert_eq!(table.shape(), (2, 2));
/// assert_eq!(table.column("dice")?.f64()?.get(1), Some(0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: &Path) -> Result<DataFrame, MetricError> {
    Ok(TableFile::read(path, None)?.frame)
}

/// One column of a table's file as numbers in the order of its rows, `None` where a value is missing (empty, `NA`, NaN or
/// the like); `true` and `false` count as 1 and 0. The file is one that [`read`] takes.
///
/// # Errors
/// [`MetricError::File`] for a file that cannot be read or a column of a type that is left out,
/// [`MetricError::Column`] for a column that is not there or holds no numbers.
///
/// ```
/// use fiel_metrics::table::{read, read_f64_column};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cases.csv");
/// std::fs::write(&path, "case_id,dice\na,0.75\nb,\n")?;
/// assert_eq!(read(&path)?.shape(), (2, 2)); // the whole table, as a data frame
/// assert_eq!(read_f64_column(&path, "dice")?, [Some(0.75), None]);
/// let refused = read_f64_column(&path, "case_id").unwrap_err().to_string();
/// assert!(refused.contains("`case_id`"), "{refused}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_f64_column(path: &Path, column: &str) -> Result<Vec<Option<f64>>, MetricError> {
    let file = TableFile::read(path, Some(0))?;
    if let Some(problem) = file.unread(column) {
        return Err(MetricError::File { path: path.to_owned(), problem });
    }
    need(&file.frame, &[column])?;
    let cells = file.frame.column(column)?;
    let cells: Vec<Numeric> = if cells.dtype().is_string() {
        cells.str()?.iter().map(|text| Numeric::of_text(text.unwrap_or_default())).collect()
    } else {
        numeric(&file.frame, &[column])?;
        let of_number = |number: Option<f64>| number.map_or(Numeric::Missing, Numeric::of_number);
        cells.cast(&DataType::Float64)?.f64()?.iter().map(of_number).collect()
    };
    let number = |(i, cell): (usize, Numeric)| match cell {
        Numeric::Missing => Ok(None),
        Numeric::Number(number) => Ok(Some(number)),
        Numeric::Other => Err(MetricError::Column {
            column: column.to_owned(),
            expected: "number",
            found: format!("row {} holds something else", i + 1),
        }),
    };
    cells.into_iter().enumerate().map(number).collect()
}

/// Cases of a classification table that enter a metric.
#[derive(Debug, Default)]
pub(crate) struct Cases {
    /// Probabilities in [0, 1]; never -0.
    pub(crate) score: Vec<f64>,
    /// Whether the case is positive.
    pub(crate) label: Vec<bool>,
    /// Squared difference of both.
    pub(crate) brier: Vec<Option<f64>>,
    /// Each case's row in its table, from 0.
    pub(crate) row: Vec<usize>,
}

/// A per-case value.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// The values; `None` where undefined.
    pub(crate) value: Vec<Option<f64>>,
    /// Each case's row in its table, from 0.
    pub(crate) row: Vec<usize>,
}

/// Cases that share one score, or one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) pos: u64,
    pub(crate) neg: u64,
}

impl Cases {
    /// Checked scores and labels.
    pub(crate) fn new(score: Vec<f64>, label: Vec<bool>) -> Self {
        let squared = |(s, y): (&f64, &bool)| Some((s - f64::from(u8::from(*y))).powi(2));
        let brier = score.iter().zip(&label).map(squared).collect();
        let row = (0..score.len()).collect();
        Self { score, label, brier, row }
    }

    /// The cases of these numbers, with repetitions.
    pub(crate) fn chosen(&self, cases: &[usize]) -> Self {
        Self::new(
            cases.iter().map(|&i| self.score[i]).collect(),
            cases.iter().map(|&i| self.label[i]).collect(),
        )
    }

    /// `-ln` of the probability given to the true class, probabilities clipped to 2^-52 as scikit-learn does.
    pub(crate) fn log_losses(&self) -> Vec<Option<f64>> {
        let loss = |(&p, &y): (&f64, &bool)| {
            let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            Some(if y { -p.ln() } else { -(1.0 - p).ln() })
        };
        self.score.iter().zip(&self.label).map(loss).collect()
    }

    /// Positive and negative cases.
    pub(crate) fn classes(&self) -> (u64, u64) {
        let pos = self.label.iter().filter(|&&y| y).count() as u64;
        (pos, self.label.len() as u64 - pos)
    }

    /// Groups of equal score, lowest first.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let mut sorted: Vec<(f64, bool)> =
            self.score.iter().copied().zip(self.label.iter().copied()).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        sorted
            .chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq())
            .map(|run| {
                let pos = run.iter().filter(|c| c.1).count() as u64;
                Group { pos, neg: run.len() as u64 - pos }
            })
            .collect()
    }
}

/// Whether the case has a valid answer.
fn answered() -> Expr {
    col("outcome").cast(DataType::String).eq(lit("ok")).fill_null(lit(false))
}

/// The cases of a classification table, failed ones left out or given the worst score.
pub(crate) fn classification(table: &DataFrame, options: &Options) -> Result<Cases, MetricError> {
    need(table, &["case_id", "outcome", "label", "score"])?;
    numeric(table, &["label", "score"])?;
    let score = when(answered()).then(col("score").cast(DataType::Float64)).otherwise(lit(NULL));
    let label = col("label").cast(DataType::Float64);
    let frame = table.clone().lazy().with_row_index("row", Some(1)).select([
        col("row"),
        col("case_id").cast(DataType::String),
        label.clone().alias("label"),
        score.alias("score"),
    ]);
    let frame = match options.failed_cases {
        FailedCases::Exclude => frame.filter(col("score").is_not_null()),
        FailedCases::Worst => frame.with_column(col("score").fill_null(lit(1.0) - col("label"))),
    };
    let frame = frame
        .with_column((col("score") - col("label")).alias("error"))
        .with_column((col("error") * col("error")).alias("brier"))
        .collect()?;
    let (score, label) = (frame.column("score")?.f64()?, frame.column("label")?.f64()?);
    let mut cases = Cases {
        score: Vec::with_capacity(frame.height()),
        label: Vec::with_capacity(frame.height()),
        brier: frame.column("brier")?.f64()?.iter().collect(),
        row: rows(&frame)?,
    };
    for (i, (score, label)) in score.iter().zip(label.iter()).enumerate() {
        match (score, label) {
            (Some(s), Some(y)) if (0.0..=1.0).contains(&s) && is_label(y) => {
                // Adding zero turns -0 into 0, so that equal scores have equal bits.
                cases.score.push(s + 0.0);
                cases.label.push(y > 0.5);
            }
            (Some(s), Some(y)) if is_label(y) => {
                return case(&frame, i, format!("score {s} is not a probability from 0 to 1"));
            }
            (_, Some(y)) => return case(&frame, i, format!("label {y} is neither 0 nor 1")),
            (_, None) => return case(&frame, i, "the label is missing".to_owned()),
        }
    }
    Ok(cases)
}

/// Whether this is exactly 0 or 1.
#[expect(clippy::float_cmp, reason = "a label is one of two numbers, nothing near them")]
pub(crate) fn is_label(y: f64) -> bool {
    y == 0.0 || y == 1.0
}

/// What a metric of masks is worth where a model fails: an expression over the columns of a segmentation table.
///
/// A failed case counts as an empty answer where there was something to find; a distance as the longest in the image.
fn worst_of(spec: &MetricSpec) -> Expr {
    match (spec.unit, spec.id) {
        ("mm", _) => col("diagonal_mm").cast(DataType::Float64),
        (_, "volume_error_ml" | "false_negative_volume_ml") => col("reference_ml").cast(DataType::Float64),
        (_, "relative_volume_error") => lit(1.0),
        _ => lit(0.0),
    }
}

/// A per-case value of a segmentation table: `None` where it is undefined.
pub(crate) fn segmentation(
    table: &DataFrame,
    metric: &str,
    options: &Options,
) -> Result<Values, MetricError> {
    let spec = MetricId::parse(metric)?.spec;
    let mut columns = vec![metric, "reference_ml"];
    if spec.unit == "mm" {
        columns.extend(["prediction_ml", "diagonal_mm"]);
    }
    need(table, &["case_id", "outcome"])?;
    need(table, &columns)?;
    numeric(table, &columns)?;
    let mut value = col(metric).cast(DataType::Float64);
    if spec.unit == "mm" && options.failed_cases == FailedCases::Worst {
        // One mask empty, the other not: no distance is defined, and nothing could be further off.
        let marks = |column: &str| col(column).cast(DataType::Float64).gt(lit(0.0));
        let missed = marks("reference_ml").neq(marks("prediction_ml"));
        value = when(value.clone().is_null().and(missed)).then(worst_of(spec)).otherwise(value);
    }
    let frame = table.clone().lazy().with_row_index("row", Some(1)).with_columns([
        answered().alias("answered"),
        col("case_id").cast(DataType::String),
        value.alias("value"),
        worst_of(spec).alias("worst"),
    ]);
    let frame = match options.failed_cases {
        FailedCases::Exclude => frame.filter(col("answered")),
        FailedCases::Worst => {
            frame.with_column(when(col("answered")).then(col("value")).otherwise(col("worst")).alias("value"))
        }
    };
    let frame = frame.select([col("row"), col("case_id"), col("value"), col("answered")]).collect()?;
    let range = spec.range;
    let (values, answered) = (frame.column("value")?.f64()?, frame.column("answered")?.bool()?);
    let mut out = Vec::with_capacity(frame.height());
    for (i, (value, answered)) in values.iter().zip(answered.iter()).enumerate() {
        match value {
            None if answered == Some(false) => {
                return case(&frame, i, "the case failed and `reference_ml` is missing".to_owned());
            }
            Some(v) if !v.is_finite() || v < range.0 || v > range.1 => {
                return case(&frame, i, format!("{metric} is {v}, outside {} to {}", range.0, range.1));
            }
            _ => out.push(value),
        }
    }
    Ok(Values { value: out, row: rows(&frame)? })
}

/// The cases of a regression table: numbers under `prediction` and `reference`. Cases without a valid answer are left out
/// and counted; there is no worst number to give them.
pub(crate) fn regression(table: &DataFrame, metric: &str, options: &Options) -> Result<Numbers, MetricError> {
    need(table, &["case_id", "outcome", "reference", "prediction"])?;
    numeric(table, &["reference", "prediction"])?;
    let number = |name: &str| col(name).cast(DataType::Float64);
    let prediction = when(answered()).then(number("prediction")).otherwise(lit(NULL));
    let frame = table.clone().lazy().with_row_index("row", Some(1)).select([
        col("row"),
        col("case_id").cast(DataType::String),
        number("reference").alias("reference"),
        prediction.alias("prediction"),
    ]);
    let frame = frame.collect()?;
    let (prediction, reference) = (frame.column("prediction")?.f64()?, frame.column("reference")?.f64()?);
    let mut found = Numbers::default();
    for (i, (prediction, reference)) in prediction.iter().zip(reference.iter()).enumerate() {
        match (prediction, reference) {
            (Some(p), Some(r)) if p.is_finite() && r.is_finite() => {
                found.prediction.push(p);
                found.reference.push(r);
                found.row.push(i);
            }
            (None, Some(_)) if options.failed_cases == FailedCases::Worst => {
                return Err(MetricError::NoWorst(metric.to_owned()));
            }
            (None, Some(_)) => found.undefined += 1,
            (_, None) => return case(&frame, i, "the reference is missing".to_owned()),
            _ => return case(&frame, i, "prediction and reference must be finite numbers".to_owned()),
        }
    }
    fixed::check_scale(&found.reference, "the reference")?;
    Ok(found)
}

/// Each case's row in the table that a frame was made of, from 0.
fn rows(frame: &DataFrame) -> Result<Vec<usize>, MetricError> {
    let rows = frame.column("row")?.cast(&DataType::UInt64)?;
    let position = |row: u64| usize::try_from(row).unwrap_or(usize::MAX).saturating_sub(1);
    Ok(rows.u64()?.iter().flatten().map(position).collect())
}

fn need(table: &DataFrame, columns: &[&str]) -> Result<(), MetricError> {
    for &column in columns {
        if table.column(column).is_err() {
            let names: Vec<&str> = table.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
            return Err(MetricError::Column {
                column: column.to_owned(),
                expected: if column == "case_id" || column == "outcome" { "text" } else { "number" },
                found: format!("the columns are {}", names.join(", ")),
            });
        }
    }
    Ok(())
}

/// Whether these columns hold numbers, or booleans, which count as 0 and 1.
fn numeric(table: &DataFrame, columns: &[&str]) -> Result<(), MetricError> {
    for &column in columns {
        let dtype = table.column(column)?.dtype().clone();
        if !(dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_null()) {
            return Err(MetricError::Column {
                column: column.to_owned(),
                expected: "number",
                found: format!("it holds {dtype}"),
            });
        }
    }
    Ok(())
}

fn case<T>(frame: &DataFrame, i: usize, problem: String) -> Result<T, MetricError> {
    let row = frame.column("row")?.cast(&DataType::UInt64)?.u64()?.get(i).unwrap_or_default();
    let case = frame.column("case_id")?.str()?.get(i).unwrap_or("(none)").to_owned();
    Err(MetricError::Case { case, row: usize::try_from(row).unwrap_or(usize::MAX), problem })
}
