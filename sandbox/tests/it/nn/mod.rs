//! Networks that modules load through wasi-nn: what they compute, what is refused, what is left.

mod components;
mod hostile;
mod script;

use fiel_schemas::api::FailureReason;

use crate::onnx::bundles::{DOUBLE, FLOAT, Graph, INT32, INT64, UINT8, engines, onnxruntime};
use crate::support::model;
use script::{BUFFER, Script, WORDS, limits, log, run, site};

/// y = x + x, for any number of rows of two.
fn twice() -> Vec<u8> {
    Graph::new().input("x", FLOAT, &[-1, 2]).node("Add", &["x", "x"], "y").output("y", &[-1, 2]).bytes()
}

#[test]
fn tensors_go_in_and_come_out_and_what_is_no_number_passes() {
    for engine in engines() {
        let mut script = Script::new(1);
        script.open(&twice());
        let x = script.floats(&[1, 2], &[1.5, -3.25]);
        let odd = script.floats(&[2, 2], &[f32::NAN, f32::INFINITY, -0.0, f32::MIN_POSITIVE]);
        script.call("set_input", &[0, 0, x]);
        script.call("compute", &[0]);
        script.call("get_output", &[0, 0, BUFFER, 8, WORDS + 8]);
        // Other shapes in the same context, then the first again, and twice without setting anything.
        script.call("set_input", &[0, 0, odd]);
        script.call("compute", &[0]);
        script.call("get_output", &[0, 0, BUFFER + 8, 16, WORDS + 12]);
        script.call("set_input", &[0, 0, x]);
        script.call("compute", &[0]);
        script.call("compute", &[0]);
        script.call("get_output", &[0, 0, BUFFER + 24, 512, WORDS + 16]);
        let answer = script.answer(engine.as_deref());
        assert_eq!(answer.codes, [0; 12], "{engine:?}");
        let words: Vec<u32> = (0..5).map(|index| answer.word(WORDS + 4 * index)).collect();
        assert_eq!(words, [0, 0, 8, 16, 8]);
        let numbers = answer.floats(8);
        assert_eq!(numbers[..2], [3.0, -6.5]);
        assert!(numbers[2].is_nan());
        assert_eq!(numbers[3..], [f32::INFINITY, 0.0, 2.0 * f32::MIN_POSITIVE, 3.0, -6.5]);
    }
}

#[test]
fn every_type_that_is_taken_comes_back_as_it_went() {
    let bytes: Vec<u8> = (1..=16).collect();
    for engine in engines() {
        for (kind, code, size) in [(1, FLOAT, 4), (2, DOUBLE, 8), (3, UINT8, 1), (4, INT32, 4), (5, INT64, 8)]
        {
            let count = 16 / size;
            let graph = Graph::new().input("x", code, &[i64::from(count)]).node("Identity", &["x"], "y");
            let model = graph.output_of("y", code, &[i64::from(count)]).bytes();
            let mut script = Script::new(1);
            script.open(&model);
            let x = script.tensor(kind, &[count], &bytes);
            script.call("set_input", &[0, 0, x]);
            script.call("compute", &[0]);
            script.call("get_output", &[0, 0, BUFFER, 16, WORDS + 8]);
            let answer = script.answer(engine.as_deref());
            assert_eq!(answer.codes, [0; 5], "{engine:?}, type {kind}");
            assert_eq!((answer.word(WORDS + 8), answer.buffer(16)), (16, bytes.as_slice()), "type {kind}");
        }
    }
}

#[test]
fn inputs_and_outputs_are_numbered_as_the_model_declares_them() {
    // b and a, then difference and sum; a weight is declared among the inputs, as old exporters do.
    let model = Graph::new()
        .input("b", FLOAT, &[1])
        .input("w", FLOAT, &[1])
        .input("a", FLOAT, &[1])
        .floats("w", &[1], &[10.0])
        .node("Mul", &["a", "w"], "scaled")
        .node("Sub", &["scaled", "b"], "difference")
        .node("Add", &["scaled", "b"], "sum")
        .output("difference", &[1])
        .output("sum", &[1])
        .bytes();
    for engine in engines() {
        let mut script = Script::new(1);
        script.open(&model);
        let (b, a) = (script.floats(&[1], &[3.0]), script.floats(&[1], &[7.0]));
        script.call("set_input", &[0, 0, b]);
        script.call("set_input", &[0, 1, a]);
        script.call("compute", &[0]);
        script.call("get_output", &[0, 0, BUFFER, 4, WORDS]);
        script.call("get_output", &[0, 1, BUFFER + 4, 4, WORDS]);
        script.call("set_input", &[0, 2, a]);
        let answer = script.answer(engine.as_deref());
        assert_eq!(answer.codes, [0, 0, 0, 0, 0, 0, 0, 1], "{engine:?}");
        assert_eq!(answer.floats(2), [67.0, 73.0]);
    }
}

#[test]
fn two_contexts_of_a_graph_do_not_meet_and_neither_do_two_cases() {
    for engine in engines() {
        let mut script = Script::new(1);
        script.open(&twice());
        script.call("init_execution_context", &[0, WORDS + 8]);
        let (one, two) = (script.floats(&[1, 2], &[1.0, 2.0]), script.floats(&[2, 2], &[3.0, 4.0, 5.0, 6.0]));
        script.call("set_input", &[0, 0, one]);
        script.call("set_input", &[1, 0, two]);
        script.call("compute", &[1]);
        script.call("get_output", &[0, 0, BUFFER, 8, WORDS]);
        script.call("compute", &[0]);
        script.call("get_output", &[0, 0, BUFFER, 8, WORDS + 16]);
        script.call("get_output", &[1, 0, BUFFER + 8, 16, WORDS + 20]);
        // Were a graph of the first case left, the second would get another number.
        for result in script.results(engine.as_deref(), &limits(), 2) {
            let answer = script.read(&result);
            assert_eq!(answer.codes, [0, 0, 0, 0, 0, 0, 5, 0, 0, 0], "{engine:?}");
            assert_eq!((answer.word(WORDS), answer.word(WORDS + 4), answer.word(WORDS + 8)), (0, 0, 1));
            assert_eq!(answer.floats(6), [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
            assert_eq!(log(&result), "wasi-nn: get_output: nothing was computed in this context\n");
            assert!(result.usage.memory_bytes_peak > Some(1 << 20), "the engine's memory is counted");
        }
    }
}

#[test]
fn a_statement_names_both_engines_where_a_module_uses_both() {
    let mut script = Script::new(1);
    script.open(&twice());
    let mut digests = Vec::new();
    for (engine, name) in [(None, "wasmtime+tract"), (Some(onnxruntime()), "wasmtime+onnxruntime")] {
        let bench = site(engine.as_deref());
        let plain = bench.sandbox.info(&bench.prepare(model()).unwrap());
        let onnx = bench.sandbox.onnx_info();
        // Compiled, and found compiled.
        for cached in [false, true] {
            let prepared = bench.prepare(&script.module()).unwrap();
            assert_eq!(prepared.cached, cached);
            let info = bench.sandbox.info(&prepared);
            assert_eq!((plain.name.as_str(), info.name.as_str()), ("wasmtime", name));
            assert_eq!(info.version, format!("{}+{}", plain.version, onnx.version));
            digests.extend([info.config_digest, plain.config_digest.clone()]);
        }
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 3, "plain, with tract, with onnxruntime");
}

#[test]
fn where_the_sites_library_does_not_work_only_modules_that_need_it_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so");
    std::fs::write(&library, "not a library").unwrap();
    let bench = site(Some(&library));
    let mut script = Script::new(1);
    script.open(&twice());
    // The second time it is found compiled.
    for _ in 0..2 {
        let refusal = bench.prepare(&script.module()).unwrap_err();
        assert_eq!(refusal.reason, FailureReason::EngineUnavailable, "{refusal}");
        assert!(refusal.message.contains("onnxruntime cannot be used"), "{refusal}");
    }
    let plain = bench.prepare(model()).unwrap();
    let result =
        bench.cases(&plain, &limits(), vec![crate::support::case("compute", b"a,b\n1,2\n")]).remove(0);
    assert_eq!(result.outcome.as_str(), "ok", "{}", result.reason);
}

#[test]
fn fuel_counts_the_module_and_not_the_network() {
    let mut script = Script::new(1);
    script.open(&twice());
    let bench = crate::support::bench_with(1, true);
    let prepared = bench.prepare(&script.module()).unwrap();
    let fuel: Vec<_> =
        run(&bench, &prepared, &limits(), 2).iter().map(|result| result.usage.fuel.unwrap()).collect();
    assert_eq!(fuel[0], fuel[1]);
    assert!(fuel[0] > 0 && fuel[0] < 1_000, "{fuel:?}");
}
