//! Metrics of numbers against numbers.

use super::Direction::LowerIsBetter;
use super::Undefined::{Constant, TooFew};
use super::{Convention, FRACTION, Level, MetricSpec, MetricTask};

const AGREEMENT: MetricSpec = MetricSpec {
    task: MetricTask::Regression,
    range: (-1.0, 1.0),
    undefined: &[TooFew, Constant],
    ..FRACTION
};

const DIFFERENCE: MetricSpec = MetricSpec {
    direction: LowerIsBetter,
    range: (0.0, f64::INFINITY),
    target: 0.0,
    undefined: &[TooFew],
    ..AGREEMENT
};

const LIMIT: MetricSpec = MetricSpec {
    range: (f64::NEG_INFINITY, f64::INFINITY),
    reference: "bias -/+ 1.95996 (the normal 97.5 % point) standard deviations of the differences; Bland and Altman 1999, doi:10.1177/096228029900800204",
    ..DIFFERENCE
};

pub(super) const METRICS: &[MetricSpec] = &[
    MetricSpec {
        id: "mae",
        name: "Mean absolute error",
        short: "MAE",
        level: Level::Case,
        reference: "mean of the absolute difference",
        ..DIFFERENCE
    },
    MetricSpec {
        id: "rmse",
        name: "Root mean squared error",
        short: "RMSE",
        reference: "root of the mean squared difference",
        ..DIFFERENCE
    },
    MetricSpec {
        id: "bias",
        name: "Bias",
        short: "Bias",
        level: Level::Case,
        range: (f64::NEG_INFINITY, f64::INFINITY),
        reference: "mean of prediction minus reference; Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8",
        ..DIFFERENCE
    },
    MetricSpec { id: "loa_lower", name: "Lower limit of agreement", short: "LoA lower", ..LIMIT },
    MetricSpec { id: "loa_upper", name: "Upper limit of agreement", short: "LoA upper", ..LIMIT },
    MetricSpec {
        id: "r2",
        name: "Coefficient of determination",
        short: "R2",
        range: (f64::NEG_INFINITY, 1.0),
        reference: "1 minus the residual over the total sum of squares",
        ..AGREEMENT
    },
    MetricSpec {
        id: "ccc",
        name: "Lin's concordance correlation",
        short: "CCC",
        reference: "Lin 1989, doi:10.2307/2532051",
        ..AGREEMENT
    },
    MetricSpec {
        id: "icc",
        name: "Intraclass correlation",
        short: "ICC",
        // Of very few cases absolute agreement can be less than -1.
        range: (f64::NEG_INFINITY, 1.0),
        conventions: &[
            Convention {
                name: "agreement",
                definition: "ICC(2,1): two-way random effects, absolute agreement",
            },
            Convention { name: "consistency", definition: "ICC(3,1): two-way mixed effects, consistency" },
            Convention { name: "one_way", definition: "ICC(1,1): one-way random effects" },
        ],
        reference: "Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420",
        ..AGREEMENT
    },
];
