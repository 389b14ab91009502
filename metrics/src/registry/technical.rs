//! What a run costs: measured by the engine, whatever the task.

use super::Direction::LowerIsBetter;
use super::Undefined::NotCounted;
use super::{FRACTION, Level, MetricSpec, MetricTask};

const COST: MetricSpec = MetricSpec {
    task: MetricTask::Technical,
    direction: LowerIsBetter,
    range: (0.0, f64::INFINITY),
    target: 0.0,
    level: Level::Set,
    ..FRACTION
};

const SECONDS: MetricSpec = MetricSpec { unit: "s", ..COST };
const MEBIBYTES: MetricSpec = MetricSpec { unit: "MiB", ..COST };

pub(super) const METRICS: &[MetricSpec] = &[
    MetricSpec {
        id: "case_seconds_p50",
        name: "Median seconds per case",
        short: "s/case",
        reference: "wall time of a case, without loading; over sites the mean of their medians, weighted by cases",
        ..SECONDS
    },
    MetricSpec {
        id: "case_seconds_p95",
        name: "95th percentile of seconds per case",
        short: "s/case p95",
        reference: "nearest rank; over sites the mean of their percentiles, weighted by cases",
        ..SECONDS
    },
    MetricSpec {
        id: "load_seconds",
        name: "Seconds to load the model",
        short: "Load",
        reference: "to check and compile, or unpack, the artifact; over sites the mean, weighted by cases",
        ..SECONDS
    },
    MetricSpec {
        id: "cpu_seconds_per_case",
        name: "Processor seconds per case",
        short: "CPU s/case",
        undefined: &[NotCounted],
        reference: "user and system time of all cases by their number, at the sites whose engine counts it",
        ..SECONDS
    },
    MetricSpec {
        id: "memory_mib_peak",
        name: "Largest memory of a case",
        short: "Memory",
        decimals: 1,
        undefined: &[NotCounted],
        reference: "over sites the largest, of those whose engine counts it",
        ..MEBIBYTES
    },
    MetricSpec {
        id: "output_mib",
        name: "Output per case",
        short: "Output",
        undefined: &[NotCounted],
        reference: "bytes written to /output in all cases by their number",
        ..MEBIBYTES
    },
    MetricSpec {
        id: "fuel_per_case",
        name: "Fuel per case",
        short: "Fuel/case",
        decimals: 0,
        undefined: &[NotCounted],
        reference: "WebAssembly instructions of all cases by their number, at the sites that meter them",
        ..COST
    },
    MetricSpec {
        id: "artifact_mib",
        name: "Size of the artifact",
        short: "Artifact",
        reference: "bytes as submitted",
        ..MEBIBYTES
    },
];
