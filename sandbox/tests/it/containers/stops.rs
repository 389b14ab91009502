//! A stop ends what runs.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use fiel_sandbox::{CaseInput, Expected, Prepared};
use fiel_schemas::challenge::Limits;
use serde_json::json;

use super::bench::{Bench, case, hostile, python};
use super::engines::{Engine, on_every_engine};
use super::invoke::{SERVER, invoke};

/// Long enough for the case after the first one to run.
const A_WHILE: Duration = Duration::from_millis(700);

/// Which cases have a result when the run is stopped a while after the first one ended. None may hold the stop up.
fn stopped(bench: &Bench, prepared: &Prepared, limits: &Limits, modes: &[&str]) -> Vec<usize> {
    let (first, results) = (OnceLock::new(), Mutex::new(Vec::new()));
    let stop = || first.get().is_some_and(|ended: &Instant| ended.elapsed() > A_WHILE);
    let cases: Vec<CaseInput> = modes.iter().map(|mode| case(&[("mode", mode)])).collect();
    let expected = [Expected::File("answer".to_owned())];
    bench
        .sandbox
        .run_cases_until(
            prepared,
            &Limits { case_ms: 60_000, ..limits.clone() },
            cases.into_iter(),
            &expected,
            &|result| {
                results.lock().unwrap().push(result.index);
                first.get_or_init(Instant::now);
            },
            &stop,
        )
        .unwrap();
    let after = first.get().unwrap().elapsed();
    assert!((A_WHILE..A_WHILE + Duration::from_secs(10)).contains(&after), "{after:?}");
    bench.assert_nothing_left("a stop");
    results.into_inner().unwrap()
}

fn a_stop_ends_the_running_case_and_begins_no_other(engine: Engine) {
    let bench = engine.bench();
    let once = bench.prepare(&hostile(&json!({})));
    assert_eq!(stopped(&bench, &once, &engine.limits(), &["echo", "deaf", "echo"]), [0]);
    // gVisor runs none that serves.
    if engine != Engine::Runsc {
        let warm = bench.prepare(&python(SERVER, &invoke()));
        assert_eq!(stopped(&bench, &warm, &engine.limits(), &["good", "slow", "good"]), [0]);
    }
}

on_every_engine!(a_stop_ends_the_running_case_and_begins_no_other);
