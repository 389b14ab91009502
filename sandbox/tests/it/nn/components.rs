//! Networks that a component loads through `wasi:nn`.

use fiel_schemas::outcome::Outcome;

use super::script::{limits, log, site};
use super::twice;
use crate::onnx::bundles::engines;
use crate::support::{answer, case, component, network};

#[test]
fn a_component_runs_a_network_by_the_names_of_its_tensors() {
    for (engine, name) in engines().into_iter().zip(["wasmtime+tract", "wasmtime+onnxruntime"]) {
        let bench = site(engine.as_deref());
        let prepared = bench.prepare(network()).unwrap();
        assert_eq!(bench.sandbox.info(&prepared).name, name);
        assert_eq!(bench.sandbox.info(&bench.prepare(component()).unwrap()).name, "wasmtime");
        let modes = ["run", "any", "churn", "run"];
        for result in bench.cases(&prepared, &limits(), modes.map(|mode| case(mode, &twice())).into()) {
            assert_eq!(answer(&result), "y 1 1 2: 3 -6.5\n".repeat(2), "{}", result.name);
        }
        assert!(bench.prepare(network()).unwrap().cached);
    }
}

#[test]
fn every_refusal_has_its_code_and_words_which_the_log_has_too() {
    let expected = [
        ("openvino", 1, "only graphs of the encoding `onnx` are run"),
        ("ggml", 1, "only graphs of the encoding `onnx` are run"),
        ("gpu", 4, "graphs run on the processor (`cpu`) only"),
        ("two-models", 0, "a model in ONNX is one list of bytes, not 2"),
        ("by-name", 6, "no site keeps graphs by name; load the bytes of a model"),
        ("graphs", 5, "a case may load 16 graphs"),
        ("name", 0, "the model has no input of a name that was given"),
        ("twice", 0, "input 0 was given twice"),
        ("none", 3, "input 0 was not set"),
        ("short", 0, "7 bytes are no tensor of f32 of the shape [1, 2]"),
        ("empty", 0, "0 bytes are no tensor of f32 of the shape [0, 2]"),
        ("vast", 0, "0 bytes are no tensor of i64 of the shape [2147483648, 1073741824]"),
        ("rank", 5, "a tensor of 9 axes; 8 are taken"),
        ("half", 4, "tensors of FP16 and BF16 are not taken"),
        ("type", 0, "the model's input `x` is of type FLOAT; the program fills it with i32"),
        ("shape", 0, "the model's input `x` has the shape [any, 2]; the program fills [1]"),
    ];
    for engine in engines() {
        let bench = site(engine.as_deref());
        let prepared = bench.prepare(network()).unwrap();
        let cases = expected.iter().map(|(mode, ..)| case(mode, &twice())).collect();
        for (result, (mode, code, words)) in bench.cases(&prepared, &limits(), cases).iter().zip(expected) {
            assert_eq!(answer(result), format!("{code}: {words}\n"), "{mode}");
            assert!(log(result).ends_with(&format!(": {words}\n")), "{mode}: {}", log(result));
        }
        let garbage = vec![case("run", b"no model"), case("run", &twice())];
        let results = bench.cases(&prepared, &limits(), garbage);
        assert!(
            answer(&results[0]).starts_with("1: model.onnx is not an ONNX model"),
            "{}",
            answer(&results[0])
        );
        assert_eq!(answer(&results[1]), "y 1 1 2: 3 -6.5\n".repeat(2));
    }
}

#[test]
fn what_a_component_may_not_do_ends_its_case_and_no_other() {
    let broken = "failed while it was started or while it called the system";
    let expected = [
        ("wild-list", Outcome::Crashed, broken),
        ("wild-length", Outcome::Crashed, broken),
        ("wild-handle", Outcome::Crashed, broken),
        ("given-away", Outcome::Crashed, broken),
        ("many-tensors", Outcome::Crashed, broken),
        ("large-tensors", Outcome::OutOfMemory, "asked for more than 64 MiB of memory"),
    ];
    for engine in engines() {
        let bench = site(engine.as_deref());
        let prepared = bench.prepare(network()).unwrap();
        let modes = expected.iter().flat_map(|(mode, ..)| [*mode, "run"]);
        let results = bench.cases(&prepared, &limits(), modes.map(|mode| case(mode, &twice())).collect());
        for (pair, (mode, outcome, reason)) in results.chunks(2).zip(expected) {
            assert_eq!((pair[0].outcome, pair[0].reason.as_str()), (outcome, reason), "{mode}");
            assert_eq!(answer(&pair[1]), "y 1 1 2: 3 -6.5\n".repeat(2), "after {mode}");
        }
    }
}
