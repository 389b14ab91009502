//! The metrics this crate computes, with their definitions.
//!
//! A metric is asked for by its id: `dice`; with a convention after a dot, `hd95.pooled`; with a parameter after `@`,
//! `nsd.surfel@1.0` or `sensitivity@specificity=0.95`. A bare id means the default convention and parameter.

mod classification;
mod detection;
mod id;
mod multiclass;
mod near;
mod regression;
mod segmentation;
mod survival;
mod technical;

pub use fiel_kernels::Undefined;
pub use id::MetricId;

use serde::Serialize;

/// Which end of a metric's range is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More is better.
    HigherIsBetter,
    /// Less is better.
    LowerIsBetter,
}

/// The kind of answer a metric judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricTask {
    /// A probability per case.
    Classification,
    /// One class of several per case, with or without a probability for each.
    Multiclass,
    /// A mask per image.
    Segmentation,
    /// Findings with confidence per image.
    Detection,
    /// A risk per patient whose event time may be censored.
    Survival,
    /// A number per case.
    Regression,
    /// Any: it measures what the answers cost.
    Technical,
}

impl MetricTask {
    /// The task's word in documents and on the command line.
    ///
    /// ```
    /// use fiel_metrics::registry::{MetricTask, find};
    /// assert_eq!(MetricTask::Segmentation.as_str(), "segmentation");
    /// assert_eq!(find("c_index_uno").map(|spec| spec.task.as_str()), Some("survival"));
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Multiclass => "multiclass",
            Self::Segmentation => "segmentation",
            Self::Detection => "detection",
            Self::Survival => "survival",
            Self::Regression => "regression",
            Self::Technical => "technical",
        }
    }
}

/// What a metric has one value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Of each case; a set's value is the mean over cases.
    Case,
    /// Of a whole set of cases.
    Set,
}

/// One of several definitions in use for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Convention {
    /// Name after the dot.
    pub name: &'static str,
    /// How it is defined.
    pub definition: &'static str,
}

/// The number after `@`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parameter {
    /// What it is.
    pub name: &'static str,
    /// Its unit, empty for pure numbers.
    pub unit: &'static str,
    /// Used where the id gives none; `None` where the metric does without then.
    pub default: Option<f64>,
    /// Smallest and largest value allowed.
    pub range: (f64, f64),
    /// Whether only whole numbers are allowed.
    pub is_integer: bool,
}

impl Parameter {
    /// The numbers allowed, in words, with their unit.
    ///
    /// ```
    /// use fiel_metrics::registry::find;
    /// let limits = |id| find(id).and_then(|spec| spec.parameter).map(|p| p.limits());
    /// assert_eq!(limits("ece").as_deref(), Some("a whole number from 1 to 1000"));
    /// assert_eq!(limits("nsd").as_deref(), Some("a number from 0 to 1000 mm"));
    /// assert_eq!(limits("c_index_uno").as_deref(), Some("a number above 0"));
    /// ```
    pub fn limits(&self) -> String {
        let kind = if self.is_integer { "a whole number" } else { "a number" };
        let (low, high) = self.range;
        let words = match (low <= f64::MIN_POSITIVE && low > 0.0, high >= f64::MAX) {
            (true, true) => format!("{kind} above 0"),
            (false, true) => format!("{kind} of at least {low} {}", self.unit),
            _ => format!("{kind} from {low} to {high} {}", self.unit),
        };
        words.trim_end().to_owned()
    }
}

/// What a metric is.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSpec {
    /// Id without convention and parameter.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Heading of a column.
    pub short: &'static str,
    /// The kind of answer it judges.
    pub task: MetricTask,
    /// What it has one value of.
    pub level: Level,
    /// Which end is better. Where the target lies inside the range, nearness to it is better.
    pub direction: Direction,
    /// Unit symbol, empty for pure numbers.
    pub unit: &'static str,
    /// Smallest and largest value.
    pub range: (f64, f64),
    /// The ideal value.
    pub target: f64,
    /// Decimals worth showing.
    pub decimals: u8,
    /// When the metric has no value.
    pub undefined: &'static [Undefined],
    /// Definitions to choose from, the default first; empty where there is one only.
    pub conventions: &'static [Convention],
    /// The number after `@`, if it takes one.
    pub parameter: Option<Parameter>,
    /// Where it is defined.
    pub reference: &'static str,
    /// Version of this definition; a change of any value changes it.
    pub version: &'static str,
}

impl MetricSpec {
    /// Whether the ideal value lies inside the range, so that nearness to it is better.
    ///
    /// ```
    /// use fiel_metrics::registry::find;
    /// // A bias of 0 is ideal, above and below are worse; no Dice is better than its upper end.
    /// assert!(find("bias").expect("in the registry").is_best_inside());
    /// assert!(!find("dice").expect("in the registry").is_best_inside());
    /// ```
    pub fn is_best_inside(&self) -> bool {
        self.range.0 < self.target && self.target < self.range.1
    }

    /// When the metric has no value, in words.
    ///
    /// ```
    /// use fiel_metrics::registry::find;
    /// let dice = find("dice").expect("in the registry");
    /// assert_eq!(dice.undefined_words(), "reference and prediction are both empty");
    /// assert_eq!(find("volume_error_ml").expect("in the registry").undefined_words(), "never");
    /// ```
    pub fn undefined_words(&self) -> String {
        let words: Vec<String> = self.undefined.iter().map(ToString::to_string).collect();
        if words.is_empty() { "never".to_owned() } else { words.join("; ") }
    }

    /// What orders values of the metric, smaller being better: the distance from the ideal value where that lies
    /// inside the range, else the value itself, negative where higher is better.
    ///
    /// ```
    /// use fiel_metrics::registry::find;
    /// let bias = find("bias").expect("in the registry");
    /// assert_eq!((bias.badness(-0.5), bias.badness(0.25)), (0.5, 0.25));
    /// let dice = find("dice").expect("in the registry");
    /// assert!(dice.badness(0.9) < dice.badness(0.8));
    /// ```
    pub fn badness(&self, value: f64) -> f64 {
        if self.is_best_inside() {
            return (value - self.target).abs();
        }
        match self.direction {
            Direction::HigherIsBetter => -value,
            Direction::LowerIsBetter => value,
        }
    }
}

/// A pure number from 0 to 1, higher being better; tasks adapt it.
const FRACTION: MetricSpec = MetricSpec {
    id: "",
    name: "",
    short: "",
    task: MetricTask::Classification,
    level: Level::Set,
    direction: Direction::HigherIsBetter,
    unit: "",
    range: (0.0, 1.0),
    target: 1.0,
    decimals: 3,
    undefined: &[],
    conventions: &[],
    parameter: None,
    reference: "",
    version: "1",
};

/// Every metric, in the order of a leaderboard.
///
/// ```
/// use fiel_metrics::registry::{MetricTask, all};
/// let of_survival = all().filter(|spec| spec.task == MetricTask::Survival).map(|spec| spec.id);
/// assert_eq!(of_survival.collect::<Vec<_>>(), ["c_index_harrell", "c_index_uno", "td_auc", "integrated_brier"]);
/// // What a catalogue shows of each.
/// let catalogue: Vec<String> =
///     all().map(|spec| format!("{} ({}): {}", spec.name, spec.id, spec.reference)).collect();
/// assert!(catalogue.iter().any(|line| line.starts_with("Dice similarity (dice)")));
/// ```
pub fn all() -> impl Iterator<Item = &'static MetricSpec> {
    let tasks: [&'static [MetricSpec]; 8] = [
        classification::DISCRIMINATION,
        classification::CALIBRATION,
        multiclass::METRICS,
        segmentation::METRICS,
        detection::METRICS,
        survival::METRICS,
        regression::METRICS,
        technical::METRICS,
    ];
    tasks.into_iter().flatten()
}

/// The metric that an id, with or without convention and parameter, asks for; `None` for what is no id.
/// [`MetricId::parse`] says why, and keeps convention and parameter.
///
/// ```
/// use fiel_metrics::registry::find;
/// let nsd = find("nsd.surfel@2").expect("in the registry");
/// assert_eq!((nsd.id, nsd.range), ("nsd", (0.0, 1.0)));
/// assert!(find("nsd@-2").is_none() && find("dicee").is_none());
/// ```
pub fn find(id: &str) -> Option<&'static MetricSpec> {
    MetricId::parse(id).ok().map(|m| m.spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_id_is_unique_and_finds_its_metric() {
        let mut seen = BTreeSet::new();
        for spec in all() {
            assert!(seen.insert(spec.id), "{} stands twice", spec.id);
            assert_eq!(find(spec.id), Some(spec));
        }
        assert!(seen.len() > 60);
    }

    #[test]
    fn every_entry_is_complete() {
        for spec in all() {
            assert!(
                !spec.name.is_empty() && !spec.short.is_empty() && !spec.reference.is_empty(),
                "{}",
                spec.id
            );
            let (low, high) = spec.range;
            assert!(
                low < high && (low..=high).contains(&spec.target) || spec.target.is_infinite(),
                "{}",
                spec.id
            );
            if let Some(p) = spec.parameter {
                assert!(p.default.is_none_or(|v| (p.range.0..=p.range.1).contains(&v)), "{}", spec.id);
            }
        }
    }
}
