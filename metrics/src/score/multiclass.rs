//! One class of several.

use super::columns::{Columns, missing};
use super::measured::{self, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport};
use crate::registry::{Level, MetricId, MetricTask};
use crate::table_file::Numeric;
use fiel_kernels::calibration::{Bandwidth, BinEdges, ClassForecasts, Grouping};
use fiel_kernels::classification::{Average, ClassScores, ConfusionMatrix, KappaWeights};
use std::collections::HashMap;
use std::path::Path;

/// Where classes, and scores or decisions, stand.
#[derive(Debug, Clone, Copy)]
pub struct MulticlassFiles<'a> {
    /// A CSV or Parquet table with a row per case.
    pub table: &'a Path,
    /// Column of the true classes' names.
    pub label: &'a str,
    /// Start of the names of columns that hold a class's probability, the rest of the name being the class.
    pub scores: Option<&'a str>,
    /// Column of the decided classes' names; without it the class of the highest score, the first of equals, is decided.
    pub decision: Option<&'a str>,
    /// All classes in their order; empty for those of the score columns in the order of the table, or without these for those
    /// that occur, in the order of their numbers or else of their names. What stands for a missing value (`NA`, `None`) is a class
    /// only where it is named.
    pub classes: &'a [String],
    /// Column of case names; by default `case_id`, without one the row's number.
    pub case: Option<&'a str>,
}

/// Scores probabilities of classes, or decisions, against the true classes.
///
/// # Errors
/// [`ScoreError::Table`] and [`ScoreError::Row`] for missing columns, unknown classes, values that are no probabilities
/// and rows whose probabilities do not sum to 1 within 1e-6.
///
/// [`ScoreError::Missing`] for a metric of probabilities where no columns of them are named.
///
/// ```
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{MulticlassFiles, Request, multiclass};
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("answers.csv");
/// std::fs::write(&table, "case_id,truth,p_benign,p_malignant,p_normal\n\
///     a,benign,0.75,0.125,0.125\nb,malignant,0.5,0.25,0.25\nc,normal,0.25,0.25,0.5\nd,benign,0.5,0.25,0.25\n")?;
/// let files = MulticlassFiles {
///     table: &table, label: "truth", scores: Some("p_"), decision: None, classes: &[], case: None,
/// };
/// let ids = ["multiclass_accuracy".to_owned(), "multiclass_balanced_accuracy".to_owned()];
/// let report = multiclass(&files, &Request::new(MetricTask::Multiclass, &ids)?)?;
/// // The class of the highest probability is decided: only `b` is wrong, and with it all of its class.
/// assert_eq!(report.metrics["multiclass_accuracy"].value, Some(0.75));
/// assert_eq!(report.metrics["multiclass_balanced_accuracy"].value, Some(2.0 / 3.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn multiclass(files: &MulticlassFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    let columns = Columns::read(files.table)?;
    let needs_scores = request.metrics.iter().find(|(_, metric)| of_scores(metric));
    if let (None, Some((id, _))) = (files.scores, needs_scores) {
        let what = "columns of probabilities: say how their names start with `--scores PREFIX`";
        return Err(ScoreError::Missing { id: id.clone(), what });
    }
    let (label, decision) =
        (columns.words(files.label)?, files.decision.map(|d| columns.words(d)).transpose()?);
    let classes = match (files.classes, files.scores) {
        ([], Some(prefix)) => scored_classes(&columns, prefix, files)?,
        ([], None) => occurring(label.iter().chain(decision.iter().flatten()).map(|word| whole(word))),
        (named, _) => named.to_vec(),
    };
    let number = numbers(&columns, &classes)?;
    let in_set = |column: &str, words: Vec<String>| -> Result<Vec<usize>, ScoreError> {
        let class = |(i, word): (usize, String)| {
            let found = number.get(word.as_str()).or_else(|| number.get(whole(&word).as_str()));
            found.copied().ok_or_else(|| {
                let problem = if is_missing(&word) {
                    missing(column, &word, "a class; if it is one, name all classes with `--classes`")
                } else {
                    format!("`{column}` is {word:?}, none of the classes {}", classes.join(", "))
                };
                ScoreError::Row { path: columns.path().to_owned(), row: i + 1, problem }
            })
        };
        words.into_iter().enumerate().map(class).collect()
    };
    let scores = files.scores.map(|prefix| probabilities(&columns, prefix, &classes)).transpose()?;
    let label = in_set(files.label, label)?;
    let decision = match (files.decision, decision, &scores) {
        (Some(column), Some(words), _) => in_set(column, words)?,
        (_, _, Some(scores)) => scores.chunks_exact(classes.len()).map(highest).collect(),
        _ => {
            let problem = "nothing says what was decided; give `--scores PREFIX` or `--decision COLUMN`";
            return Err(ScoreError::Table { path: columns.path().to_owned(), problem: problem.to_owned() });
        }
    };
    let set =
        Classified { names: columns.names(files.case)?, classes: classes.len(), label, decision, scores };
    let strata = request.by.as_ref().map(|by| columns.words(by)).transpose()?;
    measured::report(&set, request, strata)
}

/// Whether a metric is computed from probabilities and not from decisions.
fn of_scores(metric: &MetricId) -> bool {
    metric.spec.level == Level::Case
        || matches!(
            metric.spec.id,
            "multiclass_auc" | "top_k_accuracy" | "top_label_ece" | "classwise_ece" | "kce" | "ece_kde"
        )
}

/// The classes of the columns `PREFIX<class>`, in the order of the table.
fn scored_classes(
    columns: &Columns,
    prefix: &str,
    files: &MulticlassFiles<'_>,
) -> Result<Vec<String>, ScoreError> {
    let others = [Some(files.label), files.decision, files.case];
    let found: Vec<String> = columns
        .columns()
        .iter()
        .filter(|name| !others.contains(&Some(name.as_str())))
        .filter_map(|name| name.strip_prefix(prefix).filter(|class| !class.is_empty()).map(str::to_owned))
        .collect();
    if found.len() < 2 {
        let problem = format!(
            "{} columns are named `{prefix}` followed by a class, for instance `{prefix}benign`; at least two are needed",
            found.len()
        );
        return Err(ScoreError::Table { path: columns.path().to_owned(), problem });
    }
    Ok(found)
}

/// Whether this stands for a missing value where no class is called so.
fn is_missing(word: &str) -> bool {
    Numeric::of_text(word) == Numeric::Missing
}

/// The classes that occur: by their numbers if all are numbers, else by their names.
fn occurring(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = words.filter(|word| !is_missing(word)).collect();
    found.sort();
    found.dedup();
    let number = |word: &String| word.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    if found.iter().all(|word| number(word).is_some()) {
        found.sort_by(|a, b| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0)));
    }
    found
}

/// A whole number without its fraction, `1` for `1.0`: a column of whole numbers becomes one of fractions where a value is
/// missing, and its classes stay what they are. Truths are 1 and 0, whether they are written out or not.
fn whole(word: &str) -> String {
    match Numeric::of_text(word) {
        Numeric::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        _ => word.to_owned(),
    }
}

/// The number of each class.
fn numbers<'a>(columns: &Columns, classes: &'a [String]) -> Result<HashMap<&'a str, usize>, ScoreError> {
    let mut found = HashMap::new();
    for (i, class) in classes.iter().enumerate() {
        if found.insert(class.as_str(), i).is_some() {
            let problem = format!("the class {class:?} is named twice");
            return Err(ScoreError::Table { path: columns.path().to_owned(), problem });
        }
    }
    Ok(found)
}

/// Probabilities, case by case, each with one per class.
fn probabilities(columns: &Columns, prefix: &str, classes: &[String]) -> Result<Vec<f64>, ScoreError> {
    let of_class = |class: &String| {
        let name = format!("{prefix}{class}");
        columns.numbers(&name, "a probability from 0 to 1", |v| (0.0..=1.0).contains(&v))
    };
    let found: Vec<Vec<f64>> = classes.iter().map(of_class).collect::<Result<_, _>>()?;
    let cases = found.first().map_or(0, Vec::len);
    let mut all = Vec::with_capacity(cases * classes.len());
    for row in 0..cases {
        // Adding zero turns -0 into 0, so that equal scores have equal bits.
        all.extend(found.iter().map(|class| class[row] + 0.0));
        let sum: f64 = all[row * classes.len()..].iter().sum();
        if (sum - 1.0).abs() > 1e-6 {
            let problem = format!("the probabilities of the classes sum to {sum}, not to 1");
            return Err(ScoreError::Row { path: columns.path().to_owned(), row: row + 1, problem });
        }
    }
    Ok(all)
}

/// The class of the highest score, the first of equals.
fn highest(scores: &[f64]) -> usize {
    let rest = scores.iter().enumerate().skip(1);
    rest.fold((0, scores[0]), |best, (class, &score)| if score > best.1 { (class, score) } else { best }).0
}

/// Cases with their true and decided class, by number.
struct Classified {
    names: Vec<String>,
    classes: usize,
    label: Vec<usize>,
    decision: Vec<usize>,
    /// Case by case, one per class.
    scores: Option<Vec<f64>>,
}

impl Classified {
    fn row(&self, case: usize) -> &[f64] {
        let scores = self.scores.as_deref().unwrap_or_default();
        scores.get(case * self.classes..(case + 1) * self.classes).unwrap_or_default()
    }
}

impl measured::Cases for Classified {
    const TASK: MetricTask = MetricTask::Multiclass;

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.iter().map(|n| (n.clone(), None)).collect()
    }

    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue> {
        let label: Vec<usize> = cases.iter().map(|&i| self.label[i]).collect();
        if of_scores(metric) {
            let scores: Vec<f64> = cases.iter().flat_map(|&i| self.row(i)).copied().collect();
            return of_probabilities(metric, &scores, &label, self.classes, cases).map(Into::into);
        }
        let decision: Vec<usize> = cases.iter().map(|&i| self.decision[i]).collect();
        let matrix = ConfusionMatrix::from_labels(&label, &decision, self.classes)?;
        let value = match (metric.spec.id, metric.convention()) {
            ("multiclass_accuracy", _) => matrix.accuracy()?,
            ("multiclass_balanced_accuracy", _) => matrix.balanced_accuracy()?,
            ("multiclass_f1", Some("weighted")) => matrix.weighted_f1()?,
            ("multiclass_f1", _) => matrix.macro_f1()?,
            ("multiclass_mcc", _) => matrix.mcc()?,
            (_, Some("linear")) => matrix.kappa(KappaWeights::Linear)?,
            (_, Some("quadratic")) => matrix.kappa(KappaWeights::Quadratic)?,
            _ => matrix.kappa(KappaWeights::Plain)?,
        };
        Ok(value.into())
    }

    fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        let value = |(case, &label): (usize, &usize)| {
            let row = self.row(case);
            if metric.spec.id == "multiclass_log_loss" {
                return Some(-row.get(label)?.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln());
            }
            let error = |(class, p): (usize, &f64)| (p - f64::from(u8::from(class == label))).powi(2);
            Some(row.iter().enumerate().map(error).sum())
        };
        self.label.iter().enumerate().map(value).collect()
    }
}

fn of_probabilities(
    metric: &MetricId,
    scores: &[f64],
    label: &[usize],
    classes: usize,
    cases: &[usize],
) -> Result<f64, NoValue> {
    let parameter = metric.parameter.unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 4,097")]
    let whole = parameter as usize;
    let edges = if metric.is("right_closed") { BinEdges::RightClosed } else { BinEdges::LeftClosed };
    let grouping = Grouping::EqualWidth { bins: whole, edges };
    let ranked = ClassScores::new(scores, label, classes)?;
    Ok(match (metric.spec.id, metric.convention()) {
        ("top_k_accuracy", _) => ranked.top_k_accuracy(whole)?,
        ("top_label_ece", _) => ClassForecasts::new(scores, classes, label)?.top_label_bins(grouping)?.ece(),
        ("classwise_ece", _) => ClassForecasts::new(scores, classes, label)?.classwise_ece(grouping)?,
        ("kce", convention) => {
            let with_self = convention == Some("median_with_self");
            let bandwidth = if with_self { Bandwidth::MedianWithSelf } else { Bandwidth::Median };
            ClassForecasts::new(scores, classes, label)?.drawn_from(cases)?.kce(bandwidth)??
        }
        ("ece_kde", _) => {
            ClassForecasts::new(scores, classes, label)?.drawn_from(cases)?.ece_kde(parameter)??
        }
        (_, Some("one_vs_rest_weighted")) => ranked.auc_one_vs_rest(Average::Weighted)?,
        (_, Some("one_vs_one")) => ranked.auc_one_vs_one(Average::Macro)?,
        (_, Some("one_vs_one_weighted")) => ranked.auc_one_vs_one(Average::Weighted)?,
        _ => ranked.auc_one_vs_rest(Average::Macro)?,
    })
}
