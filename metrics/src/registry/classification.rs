//! Metrics of probabilities and decisions against 0/1 labels: one value per set.

use super::Direction::LowerIsBetter;
use super::Undefined::{Constant, NoPositive, OneClass, Separated, TooFew, ZeroDenominator};
use super::{Convention, FRACTION, Level, MetricSpec, Parameter};

const CONTRAST: MetricSpec = MetricSpec { undefined: &[OneClass], ..FRACTION };

const ERROR: MetricSpec =
    MetricSpec { direction: LowerIsBetter, target: 0.0, undefined: &[TooFew], ..FRACTION };

const THRESHOLD: Option<Parameter> =
    Some(Parameter { name: "threshold", unit: "", default: Some(0.5), range: (0.0, 1.0), is_integer: false });

const OPERATING_POINT: Option<Parameter> = Some(Parameter {
    name: "operating point",
    unit: "",
    default: Some(0.95),
    range: (0.0, 1.0),
    is_integer: false,
});

const BINS: Option<Parameter> =
    Some(Parameter { name: "bins", unit: "", default: Some(15.0), range: (1.0, 1000.0), is_integer: true });

const BINNINGS: &[Convention] = &[
    Convention {
        name: "left_closed",
        definition: "equal width, a score on an edge belongs to the upper bin, 1 to the last; as netcal",
    },
    Convention {
        name: "right_closed",
        definition: "equal width, a score on an edge belongs to the lower bin, 0 to the first; as uncertainty-calibration",
    },
    Convention { name: "equal_mass", definition: "bins of equally many sorted scores" },
];

const DECISION: &str = "a case is called positive where its score is at least the threshold";

pub(super) const DISCRIMINATION: &[MetricSpec] = &[
    MetricSpec {
        id: "auc",
        name: "Area under the ROC curve",
        short: "AUC",
        reference: "also AUROC, roc_auc; Mann-Whitney statistic, ties one half; interval: DeLong et al. 1988, doi:10.2307/2531595",
        ..CONTRAST
    },
    MetricSpec {
        id: "average_precision",
        name: "Average precision",
        short: "AP",
        undefined: &[NoPositive],
        reference: "step sum of (R_n - R_{n-1}) P_n with tied scores grouped, as scikit-learn",
        ..FRACTION
    },
    MetricSpec {
        id: "partial_auc",
        name: "Partial area under the ROC curve",
        short: "pAUC",
        parameter: Some(Parameter {
            name: "largest false positive rate",
            unit: "",
            default: Some(0.1),
            range: (0.001, 1.0),
            is_integer: false,
        }),
        reference: "standardised to 1/2 for chance; McClish 1989, doi:10.1177/0272989X8900900307",
        ..CONTRAST
    },
    MetricSpec {
        id: "sensitivity@specificity",
        name: "Sensitivity at a specificity",
        short: "Sens. at spec.",
        parameter: OPERATING_POINT,
        reference: "largest sensitivity over thresholds whose specificity is at least the operating point",
        ..CONTRAST
    },
    MetricSpec {
        id: "specificity@sensitivity",
        name: "Specificity at a sensitivity",
        short: "Spec. at sens.",
        parameter: OPERATING_POINT,
        reference: "largest specificity over thresholds whose sensitivity is at least the operating point",
        ..CONTRAST
    },
    MetricSpec {
        id: "accuracy",
        name: "Accuracy",
        short: "Accuracy",
        parameter: THRESHOLD,
        undefined: &[TooFew],
        reference: DECISION,
        ..FRACTION
    },
    MetricSpec {
        id: "balanced_accuracy",
        name: "Balanced accuracy",
        short: "Bal. accuracy",
        parameter: THRESHOLD,
        reference: DECISION,
        ..CONTRAST
    },
    MetricSpec {
        id: "sensitivity",
        name: "Sensitivity",
        short: "Sens.",
        parameter: THRESHOLD,
        undefined: &[NoPositive],
        reference: "also recall; a case is called positive where its score is at least the threshold",
        ..FRACTION
    },
    MetricSpec {
        id: "specificity",
        name: "Specificity",
        short: "Spec.",
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: DECISION,
        ..FRACTION
    },
    MetricSpec {
        id: "ppv",
        name: "Positive predictive value",
        short: "PPV",
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: DECISION,
        ..FRACTION
    },
    MetricSpec {
        id: "npv",
        name: "Negative predictive value",
        short: "NPV",
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: DECISION,
        ..FRACTION
    },
    MetricSpec {
        id: "f1",
        name: "F1",
        short: "F1",
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: "also f1_score; a case is called positive where its score is at least the threshold",
        ..FRACTION
    },
    MetricSpec {
        id: "mcc",
        name: "Matthews correlation coefficient",
        short: "MCC",
        range: (-1.0, 1.0),
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: "Matthews 1975, doi:10.1016/0005-2795(75)90109-9",
        ..FRACTION
    },
    MetricSpec {
        id: "kappa",
        name: "Cohen's kappa",
        short: "Kappa",
        range: (-1.0, 1.0),
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: "Cohen 1960, doi:10.1177/001316446002000104",
        ..FRACTION
    },
    MetricSpec {
        id: "lr_positive",
        name: "Positive likelihood ratio",
        short: "LR+",
        range: (0.0, f64::INFINITY),
        target: f64::INFINITY,
        decimals: 2,
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: "sensitivity over 1 - specificity; interval: Simel et al. 1991, doi:10.1016/0895-4356(91)90128-V",
        ..FRACTION
    },
    MetricSpec {
        id: "lr_negative",
        name: "Negative likelihood ratio",
        short: "LR-",
        direction: LowerIsBetter,
        range: (0.0, f64::INFINITY),
        target: 0.0,
        decimals: 2,
        parameter: THRESHOLD,
        undefined: &[ZeroDenominator],
        reference: "1 - sensitivity over specificity; interval: Simel et al. 1991, doi:10.1016/0895-4356(91)90128-V",
        ..FRACTION
    },
    MetricSpec {
        id: "net_benefit",
        name: "Net benefit",
        short: "Net benefit",
        range: (f64::NEG_INFINITY, 1.0),
        parameter: THRESHOLD,
        undefined: &[TooFew],
        reference: "TP/n - FP/n t/(1-t) at the threshold t; Vickers and Elkin 2006, doi:10.1177/0272989X06295361",
        ..FRACTION
    },
];

pub(super) const CALIBRATION: &[MetricSpec] = &[
    MetricSpec {
        id: "brier",
        name: "Brier score",
        short: "Brier",
        level: Level::Case,
        reference: "mean of (p - y)^2; Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
        ..ERROR
    },
    MetricSpec {
        id: "log_loss",
        name: "Logarithmic loss",
        short: "Log loss",
        level: Level::Case,
        unit: "nat",
        range: (0.0, f64::INFINITY),
        reference: "-ln of the probability given to the true class, probabilities clipped to 2^-52; Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x",
        ..ERROR
    },
    MetricSpec {
        id: "ece",
        name: "Expected calibration error",
        short: "ECE",
        conventions: BINNINGS,
        parameter: BINS,
        reference: "Guo et al. 2017, arXiv:1706.04599; with bins of equal mass (`ece.equal_mass`) also called ACE, adaptive calibration error, Nixon et al. 2019, arXiv:1904.01685",
        ..ERROR
    },
    MetricSpec {
        id: "mce",
        name: "Maximum calibration error",
        short: "MCE",
        conventions: BINNINGS,
        parameter: BINS,
        reference: "Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602",
        ..ERROR
    },
    MetricSpec {
        id: "calibration_slope",
        name: "Calibration slope",
        short: "Cal. slope",
        range: (f64::NEG_INFINITY, f64::INFINITY),
        direction: super::Direction::HigherIsBetter,
        target: 1.0,
        decimals: 2,
        undefined: &[OneClass, Constant, Separated],
        reference: "slope of the logistic regression of y on logit p (p clipped to 1e-12); Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7",
        ..ERROR
    },
    MetricSpec {
        id: "calibration_intercept",
        name: "Calibration in the large",
        short: "Cal. intercept",
        range: (f64::NEG_INFINITY, f64::INFINITY),
        decimals: 2,
        undefined: &[OneClass],
        reference: "intercept of the logistic regression of y with offset logit p (p clipped to 1e-12); Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7",
        ..ERROR
    },
    MetricSpec {
        id: "ici",
        name: "Integrated calibration index",
        short: "ICI",
        undefined: &[OneClass, Constant, TooFew],
        reference: "mean distance of p from the loess-smoothed outcome (span 0.75, degree 2); Austin and Steyerberg 2019, doi:10.1002/sim.8281",
        ..ERROR
    },
    MetricSpec {
        id: "e50",
        name: "Median calibration error (E50)",
        short: "E50",
        undefined: &[OneClass, Constant, TooFew],
        reference: "median in place of the mean of `ici`; Austin and Steyerberg 2019, doi:10.1002/sim.8281",
        ..ERROR
    },
    MetricSpec {
        id: "e90",
        name: "90th percentile of calibration error (E90)",
        short: "E90",
        undefined: &[OneClass, Constant, TooFew],
        reference: "90th percentile in place of the mean of `ici`; Austin and Steyerberg 2019, doi:10.1002/sim.8281",
        ..ERROR
    },
    MetricSpec {
        id: "smece",
        name: "Smooth calibration error",
        short: "smECE",
        reference: "Blasiok and Nakkiran 2024, arXiv:2309.12236",
        ..ERROR
    },
];
