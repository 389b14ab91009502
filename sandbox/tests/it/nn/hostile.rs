//! Calls that mean harm, and graphs that do.

use std::time::Instant;

use fiel_schemas::api::FailureReason;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use tract_onnx::pb;

use super::script::{BUFFER, PAGE, Script, WORDS, limits, log, refusal, run, site};
use super::twice;
use crate::onnx::bundles::{FLOAT, Graph, engines};

const INVALID_ARGUMENT: u32 = 1;
const INVALID_ENCODING: u32 = 2;
const RUNTIME_ERROR: u32 = 5;
const UNSUPPORTED_OPERATION: u32 = 6;
const TOO_LARGE: u32 = 7;
const NOT_FOUND: u32 = 8;

/// Sets x, computes and reads y, which must work whatever went before.
fn still_works(script: &mut Script) {
    let x = script.floats(&[1, 2], &[1.0, 2.0]);
    script.call("set_input", &[0, 0, x]);
    script.call("compute", &[0]);
    script.call("get_output", &[0, 0, BUFFER, 8, WORDS + 12]);
}

/// Makes every call in a module that has a graph and a context, compares codes, and that the graph still works.
fn codes(expected: &[(&str, Vec<u32>, u32)], mut script: Script) {
    for (function, arguments, _) in expected {
        script.call(function, arguments);
    }
    still_works(&mut script);
    for engine in engines() {
        let answer = script.answer(engine.as_deref());
        let (before, after) = answer.codes.split_at(answer.codes.len() - 3);
        assert_eq!(before[..2], [0, 0]);
        for ((function, arguments, code), found) in expected.iter().zip(&before[2..]) {
            assert_eq!(found, code, "{engine:?}: {function}{arguments:?}");
        }
        assert_eq!((after, answer.floats(2)), (&[0; 3][..], vec![2.0, 4.0]));
        assert_eq!(
            (answer.word(WORDS), answer.word(WORDS + 4)),
            (0, 0),
            "no failed call has written a handle"
        );
    }
}

#[test]
fn an_address_outside_the_memory_is_an_invalid_argument_of_every_function() {
    let mut script = Script::new(1);
    script.open(&twice());
    let model = script.model(&twice());
    let x = script.floats(&[1, 2], &[1.0, 2.0]);
    let mut calls = Vec::new();
    let mut bad = |function, arguments: Vec<u32>| calls.push((function, arguments, INVALID_ARGUMENT));
    for out in [PAGE, PAGE - 3, u32::MAX, u32::MAX - 3, 1 << 31] {
        bad("load", vec![out, 1, 1, 0, WORDS + 16]);
        bad("load", vec![model, 1, 1, 0, out]);
        bad("load_by_name", vec![out, 4, WORDS + 16]);
        bad("load_by_name", vec![0, 6, out]);
        bad("init_execution_context", vec![0, out]);
        bad("set_input", vec![0, 0, out]);
        bad("get_output", vec![0, 0, out, 8, WORDS + 16]);
        bad("get_output", vec![0, 0, BUFFER, 8, out]);
    }
    bad("get_output", vec![0, 0, BUFFER, PAGE, WORDS + 16]);
    bad("get_output", vec![0, 0, BUFFER, u32::MAX, WORDS + 16]);
    bad("load_by_name", vec![0, u32::MAX, WORDS + 16]);
    bad("set_input", vec![0, 0, PAGE - 19]);
    // Lists and records that lie inside, and what they lead to outside.
    for (at, length) in [(PAGE, 8), (PAGE - 7, 8), (u32::MAX, 8), (0, PAGE + 1), (8, u32::MAX)] {
        let list = script.words(&[at, length]);
        calls.push(("load", vec![list, 1, 1, 0, WORDS + 16], INVALID_ARGUMENT));
        let data = script.tensor_at(1, &[1, 2], at, length);
        calls.push(("set_input", vec![0, 0, data], INVALID_ARGUMENT));
        // Two words there lie outside too, or are no shape for eight bytes.
        let shape = script.words(&[at, 2, 1, x, 8]);
        calls.push(("set_input", vec![0, 0, shape], INVALID_ARGUMENT));
    }
    codes(&calls, script);
}

#[test]
fn other_encodings_targets_and_builders_are_refused() {
    let mut script = Script::new(1);
    script.open(&twice());
    let model = script.model(&twice());
    let load = |count, encoding, target| vec![model, count, encoding, target, WORDS + 16];
    let mut calls = vec![
        ("load", load(1, 5, 0), 0),
        ("load", load(1, 1, 1), UNSUPPORTED_OPERATION),
        ("load", load(1, 1, 2), UNSUPPORTED_OPERATION),
        ("load", load(1, 1, 3), INVALID_ARGUMENT),
        ("load", load(1, 1, u32::MAX), INVALID_ARGUMENT),
        ("load", load(0, 1, 0), INVALID_ARGUMENT),
        ("load", load(2, 1, 0), INVALID_ARGUMENT),
        ("load", load(u32::MAX, 1, 0), INVALID_ARGUMENT),
        ("load_by_name", vec![0, 6, WORDS + 16], NOT_FOUND),
        ("load_by_name", vec![0, 0, WORDS + 16], NOT_FOUND),
    ];
    calls.extend([0, 2, 3, 4].map(|encoding| ("load", load(1, encoding, 0), INVALID_ENCODING)));
    calls.extend([6, 255, u32::MAX].map(|encoding| ("load", load(1, encoding, 0), INVALID_ARGUMENT)));
    codes(&calls, script);
}

#[test]
fn handles_that_nobody_gave_and_tensors_that_do_not_fit_are_refused() {
    let mut script = Script::new(1);
    script.open(&twice());
    let x = script.floats(&[1, 2], &[1.0, 2.0]);
    let zeros = script.data(&[0; 64]);
    let mut tensor = |kind, shape: &[u32], length| script.tensor_at(kind, shape, zeros, length);
    let tensors = [
        (tensor(1, &[2], 8), INVALID_ARGUMENT),
        (tensor(1, &[1, 3], 12), INVALID_ARGUMENT),
        (tensor(1, &[1, 2, 1], 8), INVALID_ARGUMENT),
        (tensor(1, &[], 4), INVALID_ARGUMENT),
        (tensor(1, &[0, 2], 0), INVALID_ARGUMENT),
        (tensor(1, &[1, 2], 7), INVALID_ARGUMENT),
        (tensor(1, &[u32::MAX, 2], 8), INVALID_ARGUMENT),
        (tensor(1, &[1 << 31, 1 << 31, 4], 0), INVALID_ARGUMENT),
        (tensor(1, &[1; 9], 4), TOO_LARGE),
        (tensor(1, &[1; 512], 4), TOO_LARGE),
        (tensor(0, &[1, 2], 4), UNSUPPORTED_OPERATION),
        (tensor(2, &[1, 2], 16), INVALID_ARGUMENT),
        (tensor(3, &[1, 2], 2), INVALID_ARGUMENT),
        (tensor(5, &[1, 2], 16), INVALID_ARGUMENT),
        (tensor(6, &[1, 2], 8), INVALID_ARGUMENT),
    ];
    let mut calls: Vec<_> =
        tensors.into_iter().map(|(tensor, code)| ("set_input", vec![0, 0, tensor], code)).collect();
    for none in [1, 17, u32::MAX] {
        calls.extend([
            ("init_execution_context", vec![none, WORDS + 16], INVALID_ARGUMENT),
            ("set_input", vec![none, 0, x], INVALID_ARGUMENT),
            ("set_input", vec![0, none, x], INVALID_ARGUMENT),
            ("compute", vec![none], INVALID_ARGUMENT),
            ("get_output", vec![none, 0, BUFFER, 8, WORDS + 16], INVALID_ARGUMENT),
            ("get_output", vec![0, none, BUFFER, 8, WORDS + 16], INVALID_ARGUMENT),
        ]);
    }
    let read = |size| vec![0, 0, BUFFER, size, WORDS + 16];
    calls.extend([
        ("compute", vec![0], RUNTIME_ERROR),
        ("get_output", read(8), RUNTIME_ERROR),
        ("set_input", vec![0, 0, x], 0),
        ("get_output", read(8), RUNTIME_ERROR),
        ("compute", vec![0], 0),
        ("get_output", read(7), TOO_LARGE),
        ("get_output", read(0), TOO_LARGE),
        ("get_output", read(8), 0),
    ]);
    codes(&calls, script);
}

#[test]
fn what_is_no_model_or_none_that_an_engine_should_see_is_refused_in_words() {
    let whole = twice();
    let mut outside = Graph::new().input("x", FLOAT, &[1, 2]).floats("w", &[1], &[]);
    outside.0.initializer[0].data_location = Some(1);
    outside.0.initializer[0].external_data =
        vec![pb::StringStringEntryProto { key: "location".into(), value: "../../../../etc/passwd".into() }];
    let outside = outside.node("Add", &["x", "w"], "y").output("y", &[1, 2]).bytes();
    let liar =
        Graph::new().input("x", FLOAT, &[1, 2]).floats("w", &[1 << 40], &[1.0]).node("Add", &["x", "w"], "y");
    let strange =
        Graph::new().input("x", FLOAT, &[1, 2]).node("OpenSocket", &["x"], "y").output("y", &[1, 2]);
    let models = [
        (vec![0xff; 4096], INVALID_ENCODING, "not an ONNX model"),
        (whole[..whole.len() - 9].to_vec(), INVALID_ENCODING, "not an ONNX model"),
        (Vec::new(), RUNTIME_ERROR, "no graph"),
        (outside, RUNTIME_ERROR, "`w` lies in another file"),
        (liar.output("y", &[1, 2]).bytes(), RUNTIME_ERROR, "declares more elements than it holds"),
        (strange.bytes(), RUNTIME_ERROR, "OpenSocket"),
    ];
    for engine in engines() {
        let mut script = Script::new(2);
        script.open(&whole);
        for (model, ..) in &models {
            let model = script.model(model);
            script.call("load", &[model, 1, 1, 0, WORDS + 16]);
        }
        still_works(&mut script);
        let result = script.results(engine.as_deref(), &limits(), 1).remove(0);
        let answer = script.read(&result);
        let log = log(&result);
        for (((_, code, words), found), line) in models.iter().zip(&answer.codes[2..]).zip(log.lines()) {
            assert_eq!(found, code, "{engine:?}, {words}: {line}");
            assert!(line.starts_with("wasi-nn: load: ") && line.contains(words), "{engine:?}: {line}");
        }
        assert_eq!(answer.codes[2 + models.len()..], [0; 3], "{log}");
    }
}

#[test]
fn graphs_contexts_and_bytes_are_counted() {
    let mut script = Script::new(1);
    script.open(&twice());
    let model = script.model(&twice());
    let mut calls: Vec<(&str, Vec<u32>, u32)> = Vec::new();
    calls.extend((1..16).map(|_| ("load", vec![model, 1, 1, 0, WORDS + 16], 0)));
    calls.push(("load", vec![model, 1, 1, 0, WORDS + 16], TOO_LARGE));
    calls.extend((1..64).map(|_| ("init_execution_context", vec![15, WORDS + 16], 0)));
    calls.push(("init_execution_context", vec![15, WORDS + 16], TOO_LARGE));
    codes(&calls, script);

    // Of 64 MiB, 30 are the module's. The same 24 MiB twice, set again in their place, and once too often.
    let mut script = Script::new(30 * 16);
    script.open(&twice());
    let rows = 3 << 20;
    let large = script.tensor_at(1, &[rows, 2], PAGE, 24 << 20);
    let mut calls: Vec<(&str, Vec<u32>, u32)> =
        (0..2).map(|_| ("init_execution_context", vec![0, WORDS + 16], 0)).collect();
    calls.extend([
        ("set_input", vec![1, 0, large], 0),
        ("set_input", vec![2, 0, large], 0),
        ("set_input", vec![2, 0, large], 0),
        ("set_input", vec![0, 0, large], TOO_LARGE),
        ("compute", vec![0], RUNTIME_ERROR),
        // What comes out is kept too.
        ("compute", vec![1], TOO_LARGE),
    ]);
    codes(&calls, script);
}

#[test]
fn an_import_that_is_not_offered_is_refused_by_its_name() {
    let with = |import: &str| {
        refusal(&format!(
            r#"(module (import {import}) (memory (export "memory") 1) (func (export "_start")))"#
        ))
    };
    let unknown = with(r#""wasi_ephemeral_nn" "register_model_uri" (func (param i32) (result i32))"#);
    assert_eq!(unknown.reason, FailureReason::ImportRefused);
    assert_eq!(
        unknown.message,
        "imports what is not offered (1): wasi_ephemeral_nn::register_model_uri; only functions of \
         wasi_snapshot_preview1 and wasi_ephemeral_nn are"
    );
    let other = with(r#""wasi_nn" "load" (func (param i32 i32 i32 i32 i32) (result i32))"#);
    assert!(other.message.contains("wasi_nn::load"), "{other}");
    let wrong = with(r#""wasi_ephemeral_nn" "load" (func (param i64) (result i32))"#);
    assert_eq!(wrong.reason, FailureReason::ImportRefused);
    assert!(wrong.message.contains("another type"), "{wrong}");
}

#[test]
fn a_network_that_eats_memory_ends_its_case_and_no_other() {
    // 0.5 GiB where the case may have 64 MiB and the worker 256 MiB of its own.
    let bomb = Graph::new()
        .input("x", FLOAT, &[1, 2])
        .integers("times", &[1, 60_000_000])
        .integers("axes", &[1])
        .node("Tile", &["x", "times"], "many")
        .node("Exp", &["many"], "grown")
        .node("ReduceSum", &["grown", "axes"], "y")
        .output("y", &[1, 1])
        .bytes();
    for engine in engines() {
        let mut script = Script::new(1);
        script.open(&bomb);
        let x = script.floats(&[1, 2], &[1.0, 2.0]);
        script.call("set_input", &[0, 0, x]);
        script.call("compute", &[0]);
        let bench = site(engine.as_deref());
        let prepared = bench.prepare(&script.module()).unwrap();
        for result in run(&bench, &prepared, &limits(), 2) {
            assert!(
                matches!(result.outcome, Outcome::OutOfMemory | Outcome::Crashed),
                "{engine:?}: {:?} {} {}",
                result.outcome,
                result.reason,
                log(&result)
            );
        }
        let mut good = Script::new(1);
        good.open(&twice());
        still_works(&mut good);
        let prepared = bench.prepare(&good.module()).unwrap();
        let result = run(&bench, &prepared, &limits(), 1).remove(0);
        assert_eq!(good.read(&result).floats(2), [2.0, 4.0]);
    }
}

#[test]
fn a_network_that_takes_too_long_is_stopped_at_the_deadline_of_its_case() {
    // Products of 1,200 x 1,200 matrices of which no engine can skip one.
    let mut graph = Graph::new()
        .input("x", FLOAT, &[1, 1])
        .integers("shape", &[1200, 1200])
        .integers("axes", &[0, 1])
        .node("Expand", &["x", "shape"], "m0");
    for index in 0..60 {
        let (from, wave, to) = (format!("m{index}"), format!("w{index}"), format!("m{}", index + 1));
        graph = graph.node("Sin", &[&from], &wave).node("MatMul", &[&wave, &from], &to);
    }
    let model = graph.node("ReduceMean", &["m60"], "y").output("y", &[1, 1]).bytes();
    for engine in engines() {
        let mut script = Script::new(1);
        script.open(&model);
        let x = script.floats(&[1, 1], &[1.0]);
        script.call("set_input", &[0, 0, x]);
        script.call("compute", &[0]);
        let started = Instant::now();
        let limits = Limits { case_ms: 300, memory_mib: 512, ..limits() };
        for result in script.results(engine.as_deref(), &limits, 2) {
            assert_eq!(
                (result.outcome, result.reason.as_str()),
                (Outcome::TimedOut, "ran longer than 300 ms")
            );
            assert!(result.seconds < 5.0 && started.elapsed().as_secs() < 60, "{}", result.seconds);
        }
    }
}
