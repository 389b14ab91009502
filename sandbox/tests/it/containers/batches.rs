//! Several cases at one start: what a model finds, and that a case's failure stays its own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fiel_sandbox::{CaseInput, CaseResult, ContainerConfig, Dialect, Expected, Prepared};
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bench::{Bench, answer, bench, bench_with, limits, python};
use super::engines::{Engine, on_every_engine};

/// Answers a case alone or each case of a batch as its `mode` says, and prints how many there were.
const MODEL: &str = r#"
import json, os, sys, time

def work(case, source, target, cases):
    mode = open(f"{source}/mode").read()
    text = open(f"{source}/data").read()
    if mode == "skip":
        return
    if mode == "crash":
        sys.exit(3)
    if mode == "hang":
        time.sleep(600)
    if mode == "eat":
        block = bytearray(1 << 30)
    if mode == "large":
        open(f"{target}/more", "wb").write(bytes(5 << 20))
    if mode == "flood":
        open(f"{target}/more", "wb").write(bytes(30 << 20))
    if mode == "litter":
        for number in range(64):
            open(f"{target}/{number}", "w")
    if mode == "dig":
        os.makedirs(f"{target}/" + "d/" * 70)
    if mode == "gone":
        os.rmdir(target)
        return
    if mode == "link":
        os.rmdir(target)
        os.symlink(cases[0], target)
        return
    if mode == "link-file":
        os.symlink(f"../{cases[0]}/answer", f"{target}/answer")
        return
    if mode == "two-names":
        os.link(f"/output/{cases[0]}/answer", f"{target}/answer")
        return
    open(f"{target}/answer", "w").write(text[::-1])

try:
    batch = json.load(open("/input/inputs.json"))
    assert list(batch) == ["schema", "cases"] and batch["schema"] == "fiel/batch/v1", batch
    assert sorted(os.listdir("/input")) == sorted(batch["cases"] + ["inputs.json"])
    assert sorted(os.listdir("/output")) == sorted(batch["cases"])
    cases = batch["cases"]
    print(len(cases), "cases")
    for case in cases:
        work(case, f"/input/{case}", f"/output/{case}", cases)
except FileNotFoundError:
    print("alone")
    work("", "/input", "/output", [])
"#;

fn prepared(bench: &Bench, batch: u32) -> Prepared {
    let image = python(MODEL, &json!({ "Labels": { "eu.fiel.dialect": "fiel" } }));
    bench.prepare(&image).in_batches_of(batch)
}

/// One case for each mode, with a name and a text of its own.
fn cases(modes: &[&str]) -> Vec<CaseInput> {
    let case = |(number, mode): (usize, &&str)| CaseInput {
        name: format!("c{number:08x}"),
        files: vec![
            ("mode".to_owned(), mode.as_bytes().to_vec()),
            ("data".to_owned(), format!("the text of {number}").into_bytes()),
        ],
    };
    modes.iter().enumerate().map(case).collect()
}

/// Index, name, outcome, reason and answer of a case.
type Told<'a> = (usize, &'a str, Outcome, &'a str, &'a BTreeMap<String, Vec<u8>>);

/// What is measured of each case.
fn told(results: &[CaseResult]) -> Vec<Told<'_>> {
    results.iter().map(|r| (r.index, r.name.as_str(), r.outcome, r.reason.as_str(), &r.outputs)).collect()
}

/// How many cases the model said that it found, for each case.
fn sizes(results: &[CaseResult]) -> Vec<String> {
    let first =
        |r: &CaseResult| String::from_utf8_lossy(&r.log).lines().next().unwrap_or_default().to_owned();
    results.iter().map(first).collect()
}

fn room() -> Limits {
    Limits { memory_mib: 128, ..limits() }
}

fn a_batch_gives_the_answers_of_its_cases_alone(engine: Engine) {
    let bench = engine.bench();
    let limits = Limits { memory_mib: 256, ..limits() };
    let cases = cases(&["good"; 7]);
    let alone = bench.cases(&prepared(&bench, 1), &limits, cases.clone());
    assert_eq!(sizes(&alone), ["alone"; 7]);
    let together = bench.cases(&prepared(&bench, 3), &limits, cases);
    let three = "3 cases";
    assert_eq!(sizes(&together), [three, three, three, three, three, three, "1 cases"]);
    assert_eq!(told(&together), told(&alone));
    assert_eq!(answer(&together[4]), "4 fo txet eht");
    for result in &together {
        assert_eq!(result.usage.output_bytes, 13);
    }
    bench.assert_nothing_left("batches");
}

on_every_engine!(a_batch_gives_the_answers_of_its_cases_alone,);

#[test]
fn a_stop_begins_no_other_container_of_a_batch_and_no_other_batch() {
    let bench = bench();
    let prepared = prepared(&bench, 3);
    let expected = [Expected::File("answer".to_owned())];
    // The first batch fails as a whole, so that each of its three cases has a container of its own.
    for wanted in 0..=4 {
        let results = Mutex::new(Vec::new());
        let stop = || results.lock().unwrap().len() >= wanted;
        let keep = |result: CaseResult| results.lock().unwrap().push(result.index);
        let cases = cases(&["good", "crash", "good", "good"]).into_iter();
        bench.sandbox.run_cases_until(&prepared, &room(), cases, &expected, &keep, &stop).unwrap();
        assert_eq!(results.into_inner().unwrap(), (0..wanted).collect::<Vec<_>>());
    }
    bench.assert_nothing_left("a stop");
}

/// Modes whose case fails alone as in company, why, and whether its batch has to be run again.
const FAILURES: [(&str, Outcome, &str, bool); 7] = [
    ("skip", Outcome::MissingOutput, "`answer` was not written", false),
    ("large", Outcome::InvalidOutput, "wrote more than 4 MiB", false),
    ("litter", Outcome::InvalidOutput, "wrote more than 64 files and folders", false),
    ("dig", Outcome::InvalidOutput, "wrote more than 64 files and folders", true),
    ("crash", Outcome::Crashed, "ended with exit code 3", true),
    ("eat", Outcome::OutOfMemory, "asked for more than 128 MiB of memory", true),
    ("flood", Outcome::InvalidOutput, "wrote more than 4 MiB", true),
];

#[test]
fn a_case_that_fails_fails_alone_as_it_would_without_a_batch() {
    let bench = bench();
    let (single, batched) = (prepared(&bench, 1), prepared(&bench, 3));
    for (mode, outcome, reason, again) in FAILURES {
        let cases = cases(&["good", mode, "good"]);
        let together = bench.cases(&batched, &room(), cases.clone());
        assert_eq!((together[1].outcome, together[1].reason.as_str()), (outcome, reason), "{mode}");
        assert_eq!(answer(&together[0]), "0 fo txet eht", "{mode}");
        assert_eq!(answer(&together[2]), "2 fo txet eht", "{mode}");
        let size = if again { "1 cases" } else { "3 cases" };
        assert_eq!(sizes(&together), [size; 3], "{mode}");
        let alone = bench.cases(&single, &room(), cases);
        assert_eq!(told(&together), told(&alone), "{mode}");
    }
    bench.assert_nothing_left("failing batches");
}

#[test]
fn a_batch_has_the_time_of_its_cases_and_a_late_one_costs_only_the_case_that_is_late() {
    let bench = bench();
    let batched = prepared(&bench, 3);
    let limits = Limits { case_ms: 2_000, ..room() };
    let started = Instant::now();
    let results = bench.cases(&batched, &limits, cases(&["good", "hang", "good"]));
    let took = started.elapsed();
    assert_eq!(results[1].outcome, Outcome::TimedOut);
    assert_eq!(results[1].reason, "ran longer than 2000 ms");
    assert_eq!([answer(&results[0]), answer(&results[2])], ["0 fo txet eht", "2 fo txet eht"]);
    // Six seconds together, then two for the one that hangs.
    assert!(took >= Duration::from_secs(8), "{took:?}");
}

#[test]
fn no_answer_is_taken_from_the_folder_of_another_case() {
    let bench = bench();
    let batched = prepared(&bench, 2);
    for (mode, outcome, reason) in [
        ("link", Outcome::InvalidOutput, "its folder below `output` is none any more"),
        ("gone", Outcome::MissingOutput, "its folder below `output` is gone"),
        ("link-file", Outcome::InvalidOutput, "`answer` is or lies behind a link"),
    ] {
        let results = bench.cases(&batched, &room(), cases(&["good", mode]));
        assert_eq!(answer(&results[0]), "0 fo txet eht", "{mode}");
        assert_eq!((results[1].outcome, results[1].reason.as_str()), (outcome, reason), "{mode}");
        assert!(results[1].outputs.is_empty());
    }
    // A file with two names is nobody's.
    for result in bench.cases(&batched, &room(), cases(&["good", "two-names"])) {
        assert_eq!(result.outcome, Outcome::InvalidOutput);
        assert_eq!(result.reason, "`answer` has more than one name");
    }
}

#[test]
fn one_lane_and_two_lanes_agree_and_every_case_has_one_result() {
    let modes = ["good", "skip", "good", "crash", "good", "good", "large", "good", "good"];
    let run = |parallel, batch| {
        let bench = bench_with(parallel, ContainerConfig::default());
        bench.cases(&prepared(&bench, batch), &room(), cases(&modes))
    };
    let alone = run(1, 1);
    assert_eq!(alone.iter().map(|r| r.index).collect::<Vec<_>>(), (0..modes.len()).collect::<Vec<_>>());
    for (parallel, batch) in [(1, 4), (2, 4), (2, 32)] {
        assert_eq!(told(&run(parallel, batch)), told(&alone), "{parallel} lanes, batches of {batch}");
    }
}

#[test]
fn a_medperf_model_finds_a_folder_for_each_case_and_nothing_else() {
    let bench = bench();
    let script = r#"
import os
data, predictions = "/mlcommons/volumes/data", "/mlcommons/volumes/predictions"
cases = sorted(os.listdir(data))
print(len(cases), "cases")
for case in cases:
    text = open(f"{data}/{case}/data").read()
    open(f"{predictions}/{case}/answer", "w").write(text)
"#;
    let image = python(script, &json!({ "Labels": { "eu.fiel.dialect": "medperf" } }));
    let prepared = bench.prepare(&image).in_batches_of(8);
    assert_eq!(prepared.dialect, Dialect::MedPerf);
    let results = bench.cases(&prepared, &limits(), cases(&["good"; 3]));
    assert_eq!(sizes(&results), ["3 cases"; 3]);
    assert_eq!(answer(&results[2]), "the text of 2");
}

#[test]
fn grand_challenges_models_and_those_that_stay_get_one_case_whatever_is_asked() {
    let bench = bench();
    let prepared = bench.prepare(&python(MODEL, &json!({}))).in_batches_of(4);
    assert_eq!(prepared.dialect, Dialect::GrandChallenge);
    assert_eq!(sizes(&bench.cases(&prepared, &limits(), cases(&["good"; 3]))), ["alone"; 3]);
    let warm = r#"
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        assert sorted(os.listdir("/input")) == ["data", "mode"]
        open("/output/answer", "w").write(open("/input/data").read())
        self.send_response(201); self.end_headers()

http.server.HTTPServer(("127.0.0.1", 4743), Handler).serve_forever()
"#;
    let labels = json!({ "eu.fiel.dialect": "fiel", "org.grand-challenge.api-method": "invoke" });
    let prepared = bench.prepare(&python(warm, &json!({ "Labels": labels }))).in_batches_of(4);
    let results = bench.cases(&prepared, &room(), cases(&["good"; 2]));
    assert_eq!([answer(&results[0]), answer(&results[1])], ["the text of 0", "the text of 1"]);
}
