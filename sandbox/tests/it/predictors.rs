//! Components of the world `predictor`: values instead of files, and answers nobody trusts.

use fiel_kernels::image::{self, Geometry, ReadLimits, Volume};
use fiel_sandbox::{CaseInput, CaseResult};
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::support::{Bench, bench, liar, limits, predictor};

const OUTPUTS: [&str; 2] = ["score.csv", "lesions.nii"];

fn grid() -> Geometry {
    Geometry { origin_mm: [-3.0, 2.0, 11.0], ..Geometry::axis_aligned([4, 3, 2], [0.5, 0.75, 2.0]) }
}

/// An image of 24 voxels from -20 to 210.
pub(crate) fn phantom() -> Vec<u8> {
    let data = (0..24).map(|voxel: i16| voxel * 10 - 20).collect();
    image::encode_nifti_i16(&Volume { geometry: grid(), data }).unwrap()
}

/// A case that asks `predictor.c` to behave in this way.
pub(crate) fn ask(mode: &str, ct: &[u8]) -> CaseInput {
    let document = r#"{"schema": "fiel/inputs/v1", "case": "c1",
        "inputs": [{"name": "ask", "kind": "table", "path": "ask.csv"}, {"name": "ct", "kind": "image", "path": "ct.nii"}],
        "outputs": [{"name": "score", "kind": "table", "path": "score.csv", "columns": ["mean"]},
                    {"name": "lesions", "kind": "mask", "path": "lesions.nii"}]}"#;
    CaseInput {
        name: mode.to_owned(),
        files: vec![
            ("inputs.json".to_owned(), document.as_bytes().to_vec()),
            ("ask.csv".to_owned(), format!("case_id,{mode}\nc1,1\n").into_bytes()),
            ("ct.nii".to_owned(), ct.to_vec()),
        ],
    }
}

fn run(bench: &Bench, modes: &[&str], limits: &Limits) -> Vec<CaseResult> {
    let prepared = bench.prepare(predictor()).unwrap();
    let cases = modes.iter().map(|mode| ask(mode, &phantom())).collect();
    bench.cases_expecting(&prepared, limits, cases, &OUTPUTS)
}

fn assert_answer(result: &CaseResult) {
    assert_eq!((result.outcome, result.reason.as_str()), (Outcome::Ok, ""), "{}", result.name);
    assert_eq!(result.outputs["score.csv"], b"case_id,mean\nc1,95.0\n");
    let mask = image::parse_nifti_mask(&result.outputs["lesions.nii"], &ReadLimits::default()).unwrap();
    assert_eq!(mask.geometry, grid());
    assert_eq!(mask.data, (0..24).map(|voxel| u8::from(voxel > 7)).collect::<Vec<_>>());
}

#[test]
fn a_case_becomes_values_and_the_answer_becomes_files() {
    let bench = bench(1);
    let results = run(&bench, &["answer", "answer"], &limits());
    results.iter().for_each(assert_answer);
    assert_eq!(results[0].log, b"mode answer of 2 inputs\n");
    assert!(bench.prepare(predictor()).unwrap().cached, "compiled once");
    assert_eq!(run(&bench, &["folders"], &limits())[0].outputs["score.csv"], b"case_id,mean\nc1,0.0\n");
}

#[test]
fn every_wrong_answer_has_its_outcome_and_the_next_case_runs() {
    let expected = [
        ("no-list", Outcome::MissingOutput, "`score.csv` was not written"),
        ("only-score", Outcome::MissingOutput, "`lesions.nii` was not written"),
        (
            "unknown-name",
            Outcome::InvalidOutput,
            "returned a value under a name that is no output of the interface",
        ),
        ("twice", Outcome::InvalidOutput, "returned `score` twice"),
        ("wrong-kind", Outcome::InvalidOutput, "returned `lesions` as another kind of value than `mask`"),
        ("nan", Outcome::InvalidOutput, "returned `score` with a number that is not finite"),
        ("infinite", Outcome::InvalidOutput, "returned `score` with a number that is not finite"),
        (
            "short",
            Outcome::InvalidOutput,
            "returned `lesions` with another number of voxels than its shape has",
        ),
        (
            "vast-shape",
            Outcome::InvalidOutput,
            "returned `lesions` with another number of voxels than its shape has",
        ),
        (
            "moved",
            Outcome::InvalidOutput,
            "returned `lesions` on another grid (shape, spacing, origin or direction) than every input",
        ),
        (
            "flat",
            Outcome::InvalidOutput,
            "returned `lesions` on another grid (shape, spacing, origin or direction) than every input",
        ),
        ("alias", Outcome::InvalidOutput, "returned more than 4 MiB"),
        ("billion-voxels", Outcome::Crashed, BROKEN),
        ("billion-values", Outcome::Crashed, BROKEN),
        ("wild-pointer", Outcome::Crashed, BROKEN),
        ("odd-pointer", Outcome::Crashed, BROKEN),
        ("no-kind", Outcome::Crashed, BROKEN),
        ("not-text", Outcome::Crashed, BROKEN),
        ("problem", Outcome::Crashed, "said that it failed"),
        ("problem-without-end", Outcome::Crashed, BROKEN),
        ("trap", Outcome::Crashed, "trapped: wasm `unreachable` instruction executed"),
        ("fall", Outcome::Crashed, "trapped: out of bounds memory access"),
        ("exit3", Outcome::Crashed, "ended with an exit code other than 0"),
        ("exit0", Outcome::MissingOutput, "`score.csv` was not written"),
        ("eat", Outcome::OutOfMemory, "asked for more than 64 MiB of memory"),
    ];
    let modes: Vec<&str> = expected.iter().flat_map(|(mode, ..)| [*mode, "answer"]).collect();
    let results = run(&bench(1), &modes, &limits());
    for (pair, (mode, outcome, reason)) in results.chunks(2).zip(expected) {
        assert_eq!((pair[0].outcome, pair[0].reason.as_str()), (outcome, reason), "{mode}");
        assert!(pair[0].outputs.is_empty());
        assert_answer(&pair[1]);
    }
}

const BROKEN: &str = "failed while it was started or while it called the system";

#[test]
fn what_a_model_says_of_its_failure_is_in_the_log_only() {
    let result = run(&bench(1), &["problem"], &limits()).remove(0);
    assert!(!result.reason.contains("Jane"));
    assert_eq!(result.log, b"mode problem of 2 inputs\nthe scan of Jane Doe is too dark");
}

#[test]
fn a_predictor_that_does_not_end_is_stopped() {
    let bench = bench(1);
    run(&bench, &["answer"], &limits());
    let results =
        run(&bench, &["loop", "answer", "print-forever", "answer"], &Limits { case_ms: 500, ..limits() });
    for pair in results.chunks(2) {
        assert_eq!(pair[0].outcome, Outcome::TimedOut);
        assert_answer(&pair[1]);
    }
}

#[test]
fn an_image_beyond_the_memory_limit_is_out_of_memory() {
    let bench = bench(1);
    let prepared = bench.prepare(predictor()).unwrap();
    // 17 MiB as values, which the worker and the model hold once each.
    let geometry = Geometry::axis_aligned([64, 64, 1088], [1.0; 3]);
    let ct = image::encode_nifti_i16(&Volume { data: vec![60_i16; geometry.voxels()], geometry }).unwrap();
    let cases = |memory_mib| {
        let limits = Limits { memory_mib, output_mib: 8, ..limits() };
        bench.cases_expecting(&prepared, &limits, vec![ask("answer", &ct)], &OUTPUTS).remove(0)
    };
    let enough = cases(64);
    assert_eq!((enough.outcome, enough.reason.as_str()), (Outcome::Ok, ""));
    assert_eq!(enough.outputs["lesions.nii"].len(), 352 + 64 * 64 * 1088);
    for memory_mib in [32, 36] {
        let less = cases(memory_mib);
        assert_eq!(less.outcome, Outcome::OutOfMemory, "{memory_mib} MiB: {}", less.reason);
    }
}

#[test]
fn a_case_that_holds_no_values_says_so() {
    let bench = bench(1);
    let prepared = bench.prepare(predictor()).unwrap();
    let mut text = ask("answer", &phantom());
    text.files[1].1 = b"case_id,answer\nc1,male\n".to_vec();
    let mut torn = ask("answer", &phantom());
    torn.files[2].1.truncate(399);
    let results =
        bench.cases_expecting(&prepared, &limits(), vec![text, torn, ask("answer", &phantom())], &OUTPUTS);
    assert_eq!(results[0].outcome, Outcome::Crashed);
    assert_eq!(results[0].reason, "could not be given `ask.csv` as a value: column `answer` is not a number");
    assert_eq!(results[1].outcome, Outcome::Crashed);
    assert!(
        results[1].reason.starts_with("could not be given `ct.nii` as a value: "),
        "{}",
        results[1].reason
    );
    assert_answer(&results[2]);
}

#[test]
fn glue_that_lies_harms_nobody() {
    let limits = Limits { case_ms: 700, ..limits() };
    let expected = [
        ("0", Outcome::MissingOutput),
        ("1", Outcome::Crashed),
        ("2", Outcome::Crashed),
        ("3", Outcome::Crashed),
        ("4", Outcome::Crashed),
        ("5", Outcome::Crashed),
        ("6", Outcome::TimedOut),
        ("7", Outcome::TimedOut),
    ];
    let bench = bench(1);
    for (lie, outcome) in expected {
        let prepared = bench.prepare(&liar(lie)).unwrap();
        let result =
            bench.cases_expecting(&prepared, &limits, vec![ask("answer", &phantom())], &OUTPUTS).remove(0);
        assert_eq!(result.outcome, outcome, "lie {lie}: {}", result.reason);
    }
}
