//! How a case of an image ends, for every way a program can end.

use std::time::{Duration, Instant};

use fiel_schemas::api::FailureReason;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bench::{answer, bench, case, hostile, limits};

#[test]
fn each_way_to_fail_has_its_outcome_and_the_next_case_runs() {
    let bench = bench();
    let expected = [
        ("exit3", Outcome::Crashed, "ended with exit code 3"),
        // The first process of a container is deaf to its own SIGABRT, as in every container; `abort` then faults.
        ("abort", Outcome::Crashed, "was killed by signal 11"),
        ("fault", Outcome::Crashed, "was killed by signal 11"),
        ("exit137", Outcome::Crashed, "was killed by signal 9"),
        ("eat", Outcome::OutOfMemory, "asked for more than 64 MiB of memory"),
        ("eat-in-child", Outcome::OutOfMemory, "asked for more than 64 MiB of memory"),
        ("nothing", Outcome::MissingOutput, "`answer` was not written"),
        ("folder", Outcome::InvalidOutput, "`answer` is not a regular file"),
        ("fill", Outcome::InvalidOutput, "wrote more than 4 MiB"),
        ("sparse", Outcome::InvalidOutput, "wrote more than 4 MiB"),
        ("huge", Outcome::Crashed, "ended with exit code 9"),
        ("litter", Outcome::InvalidOutput, "wrote more than 64 files and folders"),
        ("dig", Outcome::InvalidOutput, "wrote more than 64 files and folders"),
        ("link", Outcome::InvalidOutput, "`answer` is or lies behind a link"),
        ("link-input", Outcome::InvalidOutput, "`answer` is or lies behind a link"),
        ("two-names", Outcome::InvalidOutput, "`answer` has more than one name"),
        ("hard-link-input", Outcome::Crashed, "ended with exit code 18"),
        ("fifo", Outcome::InvalidOutput, "`answer` is not a regular file"),
        (
            "socket",
            Outcome::InvalidOutput,
            "`answer` cannot be opened: No such device or address (os error 6)",
        ),
        ("setuid", Outcome::Ok, ""),
    ];
    let modes: Vec<&str> = expected.iter().flat_map(|(mode, ..)| [*mode, "echo"]).collect();
    let results = bench.modes(&modes, &Limits { case_ms: 5_000, ..limits() });
    for (pair, (mode, outcome, reason)) in results.chunks(2).zip(expected) {
        assert_eq!((pair[0].outcome, pair[0].reason.as_str()), (outcome, reason), "{mode}");
        assert!(pair[0].outputs.is_empty() || outcome == Outcome::Ok, "{mode}");
        assert_eq!(answer(&pair[1]), "a,b\n1,2\n", "the case after {mode}");
    }
    bench.assert_nothing_left("every way to fail");
}

#[test]
fn what_does_not_end_is_ended_at_its_deadline() {
    let bench = bench();
    let limits = Limits { case_ms: 400, memory_mib: 1024, ..limits() };
    // Unpacks the image and tries the machine, which is not to be measured.
    bench.modes(&["nothing"], &limits);
    for mode in ["loop", "deaf", "fork-bomb", "flood"] {
        let started = Instant::now();
        let results = bench.modes(&[mode, "echo"], &limits);
        assert!(started.elapsed() < Duration::from_secs(10), "{mode}: {:?}", started.elapsed());
        let (outcome, reason) = (results[0].outcome, results[0].reason.as_str());
        assert_eq!((outcome, reason), (Outcome::TimedOut, "ran longer than 400 ms"), "{mode}");
        assert!((0.4..3.0).contains(&results[0].seconds), "{mode}: {} s", results[0].seconds);
        assert!(results[0].log.len() <= 128 * 1024, "{mode}");
        answer(&results[1]);
        bench.assert_nothing_left(mode);
    }
}

#[test]
fn a_program_that_cannot_start_is_told_in_the_platforms_words() {
    let bench = bench();
    let starts = [
        (
            json!({ "Entrypoint": ["/absent\u{1b}[1m"] }),
            "`/absent??1m` is not in the image, or its interpreter is not",
        ),
        (json!({ "Entrypoint": ["/etc"] }), "`/etc` may not be run by the image's user"),
        (json!({ "Entrypoint": ["/text"] }), "`/text` may not be run by the image's user"),
    ];
    for (start, reason) in starts {
        let prepared = bench.prepare(&hostile(&start));
        let result = bench.cases(&prepared, &limits(), vec![case(&[])]).remove(0);
        assert_eq!((result.outcome, result.reason), (Outcome::Crashed, format!("would not start: {reason}")));
    }
    bench.assert_nothing_left("programs that cannot start");
}

#[test]
fn a_label_that_is_not_understood_is_refused() {
    let bench = bench();
    for label in ["org.grand-challenge.api-method", "eu.fiel.dialect"] {
        let refusal = bench.try_prepare(&hostile(&json!({ "Labels": { label: "other" } }))).unwrap_err();
        assert_eq!(refusal.reason, FailureReason::ImageInvalid);
        assert!(refusal.message.contains(label), "{}", refusal.message);
    }
}

#[test]
fn an_image_with_a_file_where_a_folder_must_be_is_refused() {
    let bench = bench();
    let tar = crate::images::craft::Tar::default().file("output", b"x");
    let refusal = bench
        .try_prepare(&super::bench::image(tar, &json!({ "Entrypoint": ["/x"] }), &json!({})))
        .unwrap_err();
    assert_eq!(refusal.reason, FailureReason::ImageInvalid, "{}", refusal.message);
}
