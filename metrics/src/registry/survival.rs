//! Metrics of risks against censored times: one value per set of patients.

use super::Direction::LowerIsBetter;
use super::Undefined::{NoEvents, NoPairs};
use super::{FRACTION, MetricSpec, MetricTask, Parameter};

const CENSORED: MetricSpec =
    MetricSpec { task: MetricTask::Survival, undefined: &[NoEvents, NoPairs], ..FRACTION };

pub(super) const METRICS: &[MetricSpec] = &[
    MetricSpec {
        id: "c_index_harrell",
        name: "Harrell's concordance",
        short: "Harrell's C",
        reference: "Harrell et al. 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4",
        ..CENSORED
    },
    MetricSpec {
        id: "c_index_uno",
        name: "Uno's concordance",
        short: "Uno's C",
        parameter: Some(Parameter {
            name: "tau",
            unit: "",
            default: None,
            range: (f64::MIN_POSITIVE, f64::MAX),
            is_integer: false,
        }),
        reference: "only pairs whose earlier time lies below tau, where one is given; weighted by the inverse probability of censoring; Uno et al. 2011, doi:10.1002/sim.4154",
        ..CENSORED
    },
    MetricSpec {
        id: "td_auc",
        name: "Cumulative/dynamic AUC at a time",
        short: "AUC(t)",
        parameter: Some(Parameter {
            name: "time",
            unit: "",
            default: Some(1.0),
            range: (0.0, f64::MAX),
            is_integer: false,
        }),
        reference: "Hung and Chiang 2010, doi:10.1002/cjs.10046",
        ..CENSORED
    },
    MetricSpec {
        id: "integrated_brier",
        name: "Integrated Brier score",
        short: "IBS",
        direction: LowerIsBetter,
        target: 0.0,
        undefined: &[NoEvents],
        reference: "weighted by the inverse probability of censoring; Graf et al. 1999, doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5",
        ..CENSORED
    },
];
