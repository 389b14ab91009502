//! What a case is said to have used.

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::predictors::{ask, phantom};
use crate::support::{Bench, bench, bench_with, case, component, limits, model, predictor};

/// Fuel of each case on this many lanes.
fn fuel(parallel: usize, model: &[u8], cases: &[fiel_sandbox::CaseInput]) -> Vec<u64> {
    let bench = bench_with(parallel, true);
    let prepared = bench.prepare(model).unwrap();
    let results = bench.cases_expecting(&prepared, &limits(), cases.to_vec(), &[]);
    results.iter().map(|result| result.usage.fuel.unwrap()).collect()
}

#[test]
fn fuel_is_the_same_every_time_and_on_any_number_of_lanes() {
    let asked: Vec<_> = ["answer", "answer", "trap"].iter().map(|mode| ask(mode, &phantom())).collect();
    let modes = ["compute", "compute", "trap", "chance", "peek"].map(|mode| case(mode, b"a,b\n1,2\n"));
    for (model, cases) in [(model(), &modes[..]), (component(), &modes[..]), (predictor(), &asked[..])] {
        let one = fuel(1, model, cases);
        assert_eq!(one[0], one[1], "the same case twice");
        assert!(one[0] > 1_000 && one[2] < one[0], "{one:?}");
        assert_eq!(one, fuel(1, model, cases), "another run");
        assert_eq!(one, fuel(2, model, cases), "two lanes");
    }
}

#[test]
fn time_and_memory_are_told() {
    let bench = bench(1);
    for model in [model(), component()] {
        let results = bench.modes_of(model, &["compute", "loop", "eat"], &limits_of(2_000));
        let [compute, late, eat] = results.as_slice() else { panic!("three cases") };
        assert_eq!(compute.outcome, Outcome::Ok);
        let (cpu, memory) = (compute.usage.cpu_s.unwrap(), compute.usage.memory_bytes_peak.unwrap());
        assert!(cpu > 0.0 && cpu < compute.seconds + 0.1, "{cpu} s of {} s", compute.seconds);
        assert!(
            memory >= 1 << 20 && memory.is_multiple_of(1 << 16),
            "the model's static buffer alone is 1 MiB: {memory}"
        );
        assert_eq!(
            (late.outcome, late.usage.cpu_s),
            (Outcome::TimedOut, None),
            "nobody could ask a killed worker"
        );
        let peak = eat.usage.memory_bytes_peak.unwrap();
        assert!(peak > 60 << 20 && peak <= 64 << 20, "{peak}");
        let again = bench.modes_of(model, &["compute", "eat"], &limits());
        assert_eq!(again[0].usage.memory_bytes_peak, Some(memory), "memory does not depend on the run");
        assert_eq!(again[1].usage.memory_bytes_peak, Some(peak));
    }
}

#[test]
fn a_predictor_is_measured_too() {
    let bench: Bench = bench(1);
    let prepared = bench.prepare(predictor()).unwrap();
    let result = bench
        .cases_expecting(&prepared, &limits(), vec![ask("answer", &phantom())], &["lesions.nii"])
        .remove(0);
    assert_eq!(result.outcome, Outcome::Ok, "{}", result.reason);
    assert!(result.usage.cpu_s.unwrap() > 0.0 && result.usage.memory_bytes_peak.unwrap() >= 1 << 16);
    assert!(result.seconds > 0.0 && result.usage.output_bytes > 352);
}

fn limits_of(case_ms: u64) -> Limits {
    Limits { case_ms, ..limits() }
}
