//! Metrics of findings with confidence: one value per set of images.

use super::Undefined::{NoPositive, OneClass};
use super::{Convention, FRACTION, MetricSpec, MetricTask, Parameter};

const FINDINGS: MetricSpec = MetricSpec { task: MetricTask::Detection, undefined: &[NoPositive], ..FRACTION };

pub(super) const METRICS: &[MetricSpec] = &[
    MetricSpec {
        id: "cpm",
        name: "Competition performance metric",
        short: "CPM",
        conventions: &[
            Convention {
                name: "luna16",
                definition: "mean sensitivity at 1/8, 1/4, ... 8 false positives per scan",
            },
            Convention {
                name: "camelyon",
                definition: "mean sensitivity at 1/4, 1/2, 1, 2, 4, 8 false positives",
            },
        ],
        reference: "Setio et al. 2017, doi:10.1016/j.media.2017.06.015",
        ..FINDINGS
    },
    MetricSpec {
        id: "picai_score",
        name: "PI-CAI score",
        short: "PI-CAI",
        undefined: &[OneClass],
        reference: "mean of the AUC of cases and the average precision of lesions; Saha et al. 2024, doi:10.1016/S1470-2045(24)00220-1",
        ..FINDINGS
    },
    MetricSpec {
        id: "map",
        name: "Mean average precision",
        short: "mAP",
        reference: "mean over IoU of 0.50, 0.55, ... 0.95, precision interpolated at 101 points, of an image the 100 findings of highest score; Lin et al. 2014, arXiv:1405.0312",
        ..FINDINGS
    },
    MetricSpec {
        id: "ap",
        name: "Average precision of findings",
        short: "AP",
        parameter: Some(Parameter {
            name: "smallest IoU of a match",
            unit: "",
            default: Some(0.5),
            range: (0.0, 1.0),
            is_integer: false,
        }),
        reference: "precision interpolated at 101 points, of an image the 100 findings of highest score; Lin et al. 2014, arXiv:1405.0312",
        ..FINDINGS
    },
];
