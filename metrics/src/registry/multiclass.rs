//! Metrics of one class of several: scores for each class, or decisions, against the true class.

use super::Direction::LowerIsBetter;
use super::Undefined::{Constant, OneClass, TooFew, ZeroDenominator};
use super::{Convention, FRACTION, Level, MetricSpec, MetricTask, Parameter};

const DECIDED: MetricSpec = MetricSpec { task: MetricTask::Multiclass, undefined: &[TooFew], ..FRACTION };

const ERROR: MetricSpec = MetricSpec { direction: LowerIsBetter, target: 0.0, ..DECIDED };

const BINS: Option<Parameter> =
    Some(Parameter { name: "bins", unit: "", default: Some(15.0), range: (1.0, 1000.0), is_integer: true });

const EDGES: &[Convention] = &[
    Convention {
        name: "left_closed",
        definition: "equal width, a probability on an edge belongs to the upper bin, 1 to the last",
    },
    Convention {
        name: "right_closed",
        definition: "equal width, a probability on an edge belongs to the lower bin, 0 to the first",
    },
];

pub(super) const METRICS: &[MetricSpec] = &[
    MetricSpec {
        id: "multiclass_auc",
        name: "Area under the ROC curve of several classes",
        short: "AUC",
        undefined: &[OneClass],
        conventions: &[
            Convention {
                name: "one_vs_rest",
                definition: "mean over classes of each against the rest; undefined if a class has no case",
            },
            Convention {
                name: "one_vs_rest_weighted",
                definition: "the same, weighted by prevalence; classes without cases are left out",
            },
            Convention {
                name: "one_vs_one",
                definition: "mean over pairs of classes that occur; Hand and Till 2001, doi:10.1023/A:1010920819831",
            },
            Convention { name: "one_vs_one_weighted", definition: "the same, weighted by the pairs' cases" },
        ],
        reference: "scikit-learn's roc_auc_score with multi_class",
        ..DECIDED
    },
    MetricSpec {
        id: "top_k_accuracy",
        name: "Top-k accuracy",
        short: "Top-k",
        parameter: Some(Parameter {
            name: "k",
            unit: "",
            default: Some(2.0),
            range: (1.0, 4096.0),
            is_integer: true,
        }),
        reference: "share of the cases whose class is among the k with the highest scores; of equal scores the later class first, as scikit-learn",
        ..DECIDED
    },
    MetricSpec {
        id: "multiclass_accuracy",
        name: "Accuracy over several classes",
        short: "Accuracy",
        reference: "share of the cases decided rightly; also micro-averaged F1",
        ..DECIDED
    },
    MetricSpec {
        id: "multiclass_balanced_accuracy",
        name: "Balanced accuracy over several classes",
        short: "Bal. accuracy",
        reference: "mean sensitivity of the classes that occur in the reference",
        ..DECIDED
    },
    MetricSpec {
        id: "multiclass_f1",
        name: "F1 score over several classes",
        short: "F1",
        conventions: &[
            Convention {
                name: "macro",
                definition: "mean over the classes that occur in the reference or among the decisions",
            },
            Convention { name: "weighted", definition: "weighted by the classes' cases in the reference" },
        ],
        reference: "scikit-learn's f1_score with average",
        ..DECIDED
    },
    MetricSpec {
        id: "multiclass_mcc",
        name: "Matthews correlation coefficient over several classes",
        short: "MCC",
        range: (-1.0, 1.0),
        undefined: &[Constant],
        reference: "Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006",
        ..DECIDED
    },
    MetricSpec {
        id: "multiclass_kappa",
        name: "Cohen's kappa over several classes",
        short: "Kappa",
        range: (-1.0, 1.0),
        undefined: &[Constant],
        conventions: &[
            Convention { name: "plain", definition: "every disagreement weighs the same" },
            Convention { name: "linear", definition: "by the distance of the classes in their order" },
            Convention { name: "quadratic", definition: "by the square of that distance" },
        ],
        reference: "Cohen 1968, doi:10.1037/h0026256",
        ..DECIDED
    },
    MetricSpec {
        id: "multiclass_brier",
        name: "Brier score over several classes",
        short: "Brier",
        level: Level::Case,
        range: (0.0, 2.0),
        reference: "mean over cases of the squared difference summed over classes; Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
        ..ERROR
    },
    MetricSpec {
        id: "multiclass_log_loss",
        name: "Logarithmic loss over several classes",
        short: "Log loss",
        level: Level::Case,
        unit: "nat",
        range: (0.0, f64::INFINITY),
        reference: "-ln of the probability given to the true class, clipped to 2^-52; Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x",
        ..ERROR
    },
    MetricSpec {
        id: "top_label_ece",
        name: "Expected calibration error of the chosen class",
        short: "ECE",
        conventions: EDGES,
        parameter: BINS,
        reference: "Guo et al. 2017, arXiv:1706.04599",
        ..ERROR
    },
    MetricSpec {
        id: "classwise_ece",
        name: "Class-wise expected calibration error",
        short: "Class-wise ECE",
        conventions: EDGES,
        parameter: BINS,
        reference: "mean over classes; Kull et al. 2019, arXiv:1910.12656",
        ..ERROR
    },
    MetricSpec {
        id: "kce",
        name: "Squared kernel calibration error",
        short: "KCE",
        range: (-2.0, 2.0),
        undefined: &[TooFew, Constant],
        conventions: &[
            Convention {
                name: "median",
                definition: "exponential kernel, its bandwidth the median distance of two forecasts",
            },
            Convention {
                name: "median_with_self",
                definition: "the same, the median taken with the distances of 0 of each to itself; as MetricsReloaded",
            },
        ],
        reference: "unbiased, so it may fall below 0; time grows with the square of the cases, 20,000 at most; Widmann et al. 2019, arXiv:1910.11385",
        ..ERROR
    },
    MetricSpec {
        id: "ece_kde",
        name: "Canonical calibration error by kernel density",
        short: "ECE-KDE",
        range: (0.0, std::f64::consts::SQRT_2),
        parameter: Some(Parameter {
            name: "bandwidth",
            unit: "",
            default: Some(0.5),
            range: (1e-6, 100.0),
            is_integer: false,
        }),
        undefined: &[TooFew, ZeroDenominator],
        reference: "Dirichlet kernels, the mean Euclidean distance, as MetricsReloaded (the paper sums absolute differences); time grows with the square of the cases; Popordanoska et al. 2022, arXiv:2210.07810",
        ..ERROR
    },
];
