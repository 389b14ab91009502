//! How a case ends, for every way a model can end.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use fiel_sandbox::{CaseResult, Expected};
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::support::{answer, bench, component, limits, model};

#[test]
fn an_answer_is_given_back() {
    let bench = bench(1);
    let results = bench.modes(&["echo", "exit0"], &limits());
    assert_eq!(answer(&results[0]), "a,b\n1,2\n");
    assert_eq!((results[0].index, results[0].name.as_str(), results[0].usage.fuel), (0, "case-echo", None));
    assert_eq!(results[0].log, b"mode echo of 1 arguments\n");
    assert!(results[0].seconds > 0.0 && results[0].seconds < 5.0);
    assert_eq!(answer(&results[1]), "", "leaving by exit(0) is a good end");
}

#[test]
fn each_way_to_fail_has_its_outcome_and_the_next_case_runs() {
    for model in [model(), component()] {
        fail_in_each_way(model);
    }
}

fn fail_in_each_way(model: &[u8]) {
    let bench = bench(1);
    let expected = [
        ("trap", Outcome::Crashed, "trapped: wasm `unreachable` instruction executed"),
        ("exit3", Outcome::Crashed, "ended with an exit code other than 0"),
        ("fall", Outcome::Crashed, "trapped: call stack exhausted"),
        ("eat", Outcome::OutOfMemory, "asked for more than 64 MiB of memory"),
        ("nothing", Outcome::MissingOutput, "`answer` was not written"),
        ("folder", Outcome::InvalidOutput, "`answer` is not a regular file"),
        ("fill", Outcome::InvalidOutput, "wrote more than 4 MiB"),
        ("flood", Outcome::InvalidOutput, "wrote more than 4 MiB"),
        ("litter", Outcome::InvalidOutput, "wrote more than 64 files and folders"),
        ("dig", Outcome::InvalidOutput, "wrote more than 64 files and folders"),
        ("echo", Outcome::Ok, ""),
    ];
    let modes: Vec<&str> = expected.iter().flat_map(|(mode, ..)| [*mode, "echo"]).collect();
    let results = bench.modes_of(model, &modes, &Limits { case_ms: 4_000, ..limits() });
    for (pair, (mode, outcome, reason)) in results.chunks(2).zip(expected) {
        let flooding = mode == "flood" && pair[0].outcome == Outcome::TimedOut;
        assert!(!flooding, "the flood of output was not noticed");
        assert_eq!((pair[0].outcome, pair[0].reason.as_str()), (outcome, reason), "{mode}");
        assert_eq!(answer(&pair[1]), "a,b\n1,2\n", "the case after {mode}");
        assert!(pair[0].outputs.is_empty() || outcome == Outcome::Ok);
    }
}

#[test]
fn a_loop_is_stopped_at_its_deadline_and_the_next_case_runs() {
    let bench = bench(1);
    let limits = Limits { case_ms: 300, ..limits() };
    bench.modes(&["echo"], &limits);
    bench.modes_of(component(), &["echo"], &limits);
    for (model, mode) in
        [(model(), "loop"), (model(), "sleep"), (component(), "loop"), (component(), "sleep")]
    {
        let started = Instant::now();
        let results = bench.modes_of(model, &[mode, "echo"], &limits);
        assert!(
            started.elapsed() < Duration::from_millis(300 + 500 + 1_500),
            "{mode}: {:?}",
            started.elapsed()
        );
        assert_eq!(
            (results[0].outcome, results[0].reason.as_str()),
            (Outcome::TimedOut, "ran longer than 300 ms")
        );
        assert!((0.3..0.8).contains(&results[0].seconds), "{mode}: {} s", results[0].seconds);
        answer(&results[1]);
    }
}

#[test]
fn a_start_function_that_never_returns_is_stopped() {
    let text = r#"(module (memory (export "memory") 1) (func $spin (loop (br 0))) (start $spin) (func (export "_start")))"#;
    let result = bench(1).text(text, &Limits { case_ms: 300, ..limits() });
    assert_eq!(result.outcome, Outcome::TimedOut);
}

#[test]
fn recursion_without_end_traps() {
    let text = r#"(module (memory (export "memory") 1) (func $f (export "_start") (call $f)))"#;
    let result = bench(1).text(text, &limits());
    assert_eq!((result.outcome, result.reason.as_str()), (Outcome::Crashed, "trapped: call stack exhausted"));
}

#[test]
fn a_memory_larger_than_the_limit_from_the_beginning_is_out_of_memory() {
    let text = r#"(module (memory (export "memory") 2000) (func (export "_start")))"#;
    assert_eq!(bench(1).text(text, &limits()).outcome, Outcome::OutOfMemory);
}

#[test]
fn tables_are_bounded_too() {
    let text = r#"(module (memory (export "memory") 1) (table 1 funcref)
        (func (export "_start")
            (if (i32.ne (table.grow (ref.null func) (i32.const 100000000)) (i32.const -1)) (then unreachable))))"#;
    let result = bench(1).text(text, &limits());
    assert_eq!(result.outcome, Outcome::MissingOutput, "{}", result.reason);
}

#[test]
fn printing_without_end_is_cut_and_harmless() {
    let result = bench(1).modes(&["chatter"], &limits()).remove(0);
    assert_eq!(result.outcome, Outcome::Ok);
    assert_eq!(result.log.len(), 64 * 1024);
}

#[test]
fn one_worker_and_two_workers_agree() {
    let modes =
        ["compute", "echo", "chance", "trap", "nothing", "peek", "compute", "exit3", "echo", "chance"];
    let run = |parallel| {
        let results = bench(parallel).modes(&modes, &limits());
        results.into_iter().map(|r| (r.index, r.outcome, r.reason, r.outputs, r.log)).collect::<Vec<_>>()
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one, two);
    assert_eq!(one.len(), modes.len());
}

#[test]
fn clock_and_random_are_the_same_for_every_case() {
    let results = bench(2).modes(&["chance", "chance", "chance"], &limits());
    let first = answer(&results[0]);
    assert!(first.starts_with("946684800 "), "{first}");
    assert!(first.contains(" 1000 946684800 "), "the clock counts and files bear a fixed time: {first}");
    assert!(results.iter().all(|result| answer(result) == first));
}

#[test]
fn a_stop_ends_the_running_case_and_begins_no_other() {
    let bench = bench(1);
    for model in [model(), component()] {
        let prepared = bench.prepare(model).unwrap();
        let (first, results) = (OnceLock::new(), Mutex::new(Vec::new()));
        let a_while = Duration::from_millis(200);
        let stop = || first.get().is_some_and(|ended: &Instant| ended.elapsed() > a_while);
        let cases = ["echo", "loop", "echo"].map(|mode| crate::support::case(mode, b"x")).into_iter();
        let limits = Limits { case_ms: 60_000, ..limits() };
        let expected = [Expected::File("answer".to_owned())];
        let keep = |result: CaseResult| {
            results.lock().unwrap().push(result.index);
            first.get_or_init(Instant::now);
        };
        bench.sandbox.run_cases_until(&prepared, &limits, cases, &expected, &keep, &stop).unwrap();
        let after = first.get().unwrap().elapsed();
        assert!((a_while..a_while + Duration::from_secs(5)).contains(&after), "{after:?}");
        assert_eq!(results.into_inner().unwrap(), [0]);
    }
}
