//! The other runtimes that a site may configure keep the same promises.

use fiel_sandbox::ContainerConfig;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use super::bench::{Bench, answer, bench_with, limits};

fn with(runtime: &str) -> Bench {
    let bench =
        bench_with(1, ContainerConfig { runtime: Some(runtime.to_owned()), ..ContainerConfig::default() });
    let report = bench.sandbox.engines().into_iter().find(|engine| engine.name == runtime).unwrap();
    assert!(report.available, "apt-get install {runtime}: {report:?}");
    bench
}

fn keeps_its_promises(runtime: &str) {
    let bench = with(runtime);
    let expected = [
        ("echo", Outcome::Ok, ""),
        ("exit3", Outcome::Crashed, "ended with exit code 3"),
        ("eat", Outcome::OutOfMemory, "asked for more than 128 MiB of memory"),
        ("fill", Outcome::InvalidOutput, "wrote more than 4 MiB"),
        ("link", Outcome::InvalidOutput, "`answer` is or lies behind a link"),
        ("deaf", Outcome::TimedOut, "ran longer than 3000 ms"),
        ("daemonise", Outcome::Ok, ""),
        ("peek", Outcome::Ok, ""),
    ];
    let modes: Vec<&str> = expected.iter().map(|(mode, ..)| *mode).collect();
    let results = bench.modes(&modes, &Limits { case_ms: 3_000, memory_mib: 128, ..limits() });
    for (result, (mode, outcome, reason)) in results.iter().zip(expected) {
        assert_eq!((result.outcome, result.reason.as_str()), (outcome, reason), "{runtime}: {mode}");
    }
    assert_eq!(answer(&results[7]), "tmp 0 shm 0 output 0 processes 1 input 2");
    assert!(results[2].usage.memory_bytes_peak.unwrap() > 64 << 20, "{:?}", results[2].usage);
    bench.assert_nothing_left(runtime);
}

#[test]
fn crun_keeps_the_same_promises() {
    keeps_its_promises("crun");
}

#[test]
fn gvisor_keeps_the_same_promises() {
    keeps_its_promises("runsc");
}
