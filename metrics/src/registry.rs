//! The metrics this crate computes, with their definitions.

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
    /// A mask per image.
    Segmentation,
}

/// What a metric is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricSpec {
    /// Id used in challenges and documents.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// The kind of answer it judges.
    pub task: MetricTask,
    /// Which end is better. For calibration slope and intercept, nearness to [`MetricSpec::target`] is better.
    pub direction: Direction,
    /// Unit symbol, empty for pure numbers.
    pub unit: &'static str,
    /// Smallest and largest value.
    pub range: (f64, f64),
    /// When the metric has no value.
    pub undefined: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// Version of this definition; a change of any value changes it.
    pub version: &'static str,
    /// The ideal value.
    pub target: f64,
}

use Direction::{HigherIsBetter, LowerIsBetter};
use MetricTask::{Classification, Segmentation};

static METRICS: [MetricSpec; 10] = [
    MetricSpec {
        id: "auc",
        name: "Area under the ROC curve",
        task: Classification,
        direction: HigherIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "only one class is present",
        reference: "Mann-Whitney statistic, ties one half; interval: DeLong et al. 1988, doi:10.2307/2531595",
        version: "1",
        target: 1.0,
    },
    MetricSpec {
        id: "average_precision",
        name: "Average precision",
        task: Classification,
        direction: HigherIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "no positive case is present",
        reference: "step sum of (R_n - R_{n-1}) P_n with tied scores grouped, as scikit-learn",
        version: "1",
        target: 1.0,
    },
    MetricSpec {
        id: "sensitivity@specificity=0.95",
        name: "Sensitivity at 95 % specificity",
        task: Classification,
        direction: HigherIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "only one class is present",
        reference: "largest sensitivity over thresholds whose specificity is at least 0.95",
        version: "1",
        target: 1.0,
    },
    MetricSpec {
        id: "brier",
        name: "Brier score",
        task: Classification,
        direction: LowerIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "no case is present",
        reference: "mean of (p - y)^2; Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
        version: "1",
        target: 0.0,
    },
    MetricSpec {
        id: "ece@15",
        name: "Expected calibration error, 15 bins",
        task: Classification,
        direction: LowerIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "no case is present",
        reference: "15 equal-width bins, closed on the left, the last on both sides; Guo et al. 2017, arXiv:1706.04599",
        version: "1",
        target: 0.0,
    },
    MetricSpec {
        id: "calibration_slope",
        name: "Calibration slope",
        task: Classification,
        direction: HigherIsBetter,
        unit: "",
        range: (f64::NEG_INFINITY, f64::INFINITY),
        undefined: "one class, one forecast, or the classes are separated",
        reference: "slope of the logistic regression of y on logit p (p clipped to 1e-12); Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7",
        version: "1",
        target: 1.0,
    },
    MetricSpec {
        id: "calibration_intercept",
        name: "Calibration in the large",
        task: Classification,
        direction: LowerIsBetter,
        unit: "",
        range: (f64::NEG_INFINITY, f64::INFINITY),
        undefined: "only one class is present",
        reference: "intercept of the logistic regression of y with offset logit p (p clipped to 1e-12); Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7",
        version: "1",
        target: 0.0,
    },
    MetricSpec {
        id: "dice",
        name: "Dice similarity",
        task: Segmentation,
        direction: HigherIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "for a case whose reference and prediction are both empty",
        reference: "2 TP / (2 TP + FP + FN) per case, mean over cases; Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z",
        version: "1",
        target: 1.0,
    },
    MetricSpec {
        id: "iou",
        name: "Intersection over union",
        task: Segmentation,
        direction: HigherIsBetter,
        unit: "",
        range: (0.0, 1.0),
        undefined: "for a case whose reference and prediction are both empty",
        reference: "TP / (TP + FP + FN) per case, mean over cases; Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z",
        version: "1",
        target: 1.0,
    },
    MetricSpec {
        id: "volume_error_ml",
        name: "Volume error",
        task: Segmentation,
        direction: LowerIsBetter,
        unit: "mL",
        range: (0.0, f64::INFINITY),
        undefined: "no case is present",
        reference: "absolute difference of predicted and reference volume per case, mean over cases",
        version: "1",
        target: 0.0,
    },
];

/// Every metric, in the order of a leaderboard.
pub fn all() -> &'static [MetricSpec] {
    &METRICS
}

/// The metric with this id.
pub fn find(id: &str) -> Option<&'static MetricSpec> {
    METRICS.iter().find(|m| m.id == id)
}
