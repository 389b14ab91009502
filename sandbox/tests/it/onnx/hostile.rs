//! Models and archives that mean harm, or that are simply broken.

use std::time::Instant;

use fiel_kernels::image::{Geometry, Volume, encode_nifti_f32};
use fiel_sandbox::Refusal;
use fiel_schemas::api::FailureReason;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::{Value, json};
use tract_onnx::pb;

use super::bundles::{
    FLOAT, Graph, INT64, Lab, bundle, engines, image_case, image_manifest, limits, onnxruntime, row_case,
    table_manifest,
};

fn identity() -> Graph {
    Graph::new().input("x", FLOAT, &[1, 2]).node("Relu", &["x"], "y").output("y", &[1, 2])
}

/// What every engine says of an artifact that it must refuse.
fn refusals(archive: &[u8]) -> Vec<Refusal> {
    engines().iter().map(|engine| Lab::new(engine.as_deref(), 1).prepare(archive).unwrap_err()).collect()
}

fn refused(manifest: &Value, model: &[u8], says: &str) {
    for refusal in refusals(&bundle(manifest, model)) {
        assert_eq!(refusal.reason, FailureReason::ArtifactInvalid, "{says}: {refusal}");
        assert!(refusal.message.contains(says), "{says}: {refusal}");
    }
}

#[test]
fn what_is_no_model_is_refused() {
    let whole = identity().bytes();
    refused(&table_manifest(), &whole[..whole.len() - 9], "not an ONNX model");
    refused(&table_manifest(), b"", "no graph");
    refused(&table_manifest(), &[0xff; 4096], "not an ONNX model");
    refused(&table_manifest(), b"\x7fELF\x02\x01\x01 and more", "not an ONNX model");
}

#[test]
fn a_tensor_that_lies_about_its_size_or_lies_elsewhere_is_refused() {
    let graph = identity().floats("w", &[1 << 40], &[1.0]);
    refused(&table_manifest(), &graph.bytes(), "`w` declares more elements than it holds");
    let graph = identity().floats("w", &[1 << 40, 1 << 40], &[1.0]);
    refused(&table_manifest(), &graph.bytes(), "declares more elements");
    let graph = identity().floats("w", &[-1], &[1.0]);
    refused(&table_manifest(), &graph.bytes(), "declares more elements");
    for location in ["../../etc/passwd", "/etc/passwd", "weights.bin"] {
        let mut graph = identity().floats("w", &[1], &[]);
        let entry =
            |key: &str, value: &str| pb::StringStringEntryProto { key: key.into(), value: value.into() };
        let tensor = &mut graph.0.initializer[0];
        tensor.data_location = Some(1);
        tensor.external_data = vec![entry("location", location), entry("length", "4")];
        refused(&table_manifest(), &graph.bytes(), "`w` lies in another file");
    }
    // The same within a node, where a parser may look later.
    let constant = pb::TensorProto {
        name: "c".into(),
        dims: vec![1],
        data_type: FLOAT,
        data_location: Some(1),
        ..Default::default()
    };
    let value =
        pb::AttributeProto { name: "value".into(), t: Some(constant), r#type: 4, ..Default::default() };
    let graph = Graph::new().input("x", FLOAT, &[1, 2]).node_with("Constant", &[], "y", vec![value]);
    refused(&table_manifest(), &graph.output("y", &[1]).bytes(), "`c` lies in another file");
}

#[test]
fn a_graph_that_is_no_graph_is_refused() {
    let cycle = Graph::new()
        .input("x", FLOAT, &[1, 2])
        .node("Add", &["x", "b"], "a")
        .node("Relu", &["a"], "b")
        .node("Relu", &["b"], "y")
        .output("y", &[1, 2]);
    refused(&table_manifest(), &cycle.bytes(), "`make a` (`Add`) uses `b`, which nothing before it computes");
    refused(&table_manifest(), &identity().node("Relu", &["x"], "y").bytes(), "`y` is computed twice");
    refused(&table_manifest(), &identity().output("z", &[1]).bytes(), "nothing computes the output `z`");
    let unfilled = identity().input("secret", FLOAT, &[1]);
    refused(&table_manifest(), &unfilled.bytes(), "`secret` is not filled by the manifest");
    let mut many = identity();
    let node = many.0.node[0].clone();
    many.0.node = vec![node; 100_001];
    refused(&table_manifest(), &many.bytes(), "more than 100000 nodes");
    let mut function = identity().bytes();
    // Field 25 of a model, functions: one without content.
    function.extend([0xca, 0x01, 0x00]);
    refused(&table_manifest(), &function, "functions of its own");
}

#[test]
fn an_operator_that_the_engine_lacks_is_named() {
    let graph = Graph::new().input("x", FLOAT, &[1, 2]).node("OpenSocket", &["x"], "y").output("y", &[1, 2]);
    for refusal in refusals(&bundle(&table_manifest(), &graph.bytes())) {
        assert_eq!(refusal.reason, FailureReason::ArtifactInvalid);
        assert!(refusal.message.contains("OpenSocket"), "{refusal}");
    }
}

#[test]
fn a_manifest_that_does_not_fit_the_model_is_refused() {
    let with = |pointer: &str, value: Value| {
        let mut manifest = table_manifest();
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest
    };
    let model = identity().bytes();
    refused(
        &with("/tables/0/tensor", json!("z")),
        &model,
        "`z`, which is no input of the model; its inputs are `x`",
    );
    refused(
        &with("/scores/0/tensor", json!("z")),
        &model,
        "`z`, which is no output of the model; its outputs are `y`",
    );
    refused(
        &with("/tables/0/dtype", json!("i64")),
        &model,
        "`x` is of type FLOAT; the manifest fills it with i64",
    );
    refused(
        &with("/tables/0/columns", json!([{"name": "a"}])),
        &model,
        "`x` has the shape [1, 2]; the manifest fills [1, 1]",
    );
    refused(&with("/scores/0/columns/0/index", json!(2)), &model, "the column `probability` needs element 2");
    let image = |shape: &[i64]| {
        Graph::new().input("x", FLOAT, shape).node("Relu", &["x"], "y").output("y", &[-1; 5]).bytes()
    };
    refused(&image_manifest([2, 2, 2]), &image(&[1, 1, 2, 2]), "the manifest fills [1, 1, 2, 2, 2]");
    let mut manifest = image_manifest([2, 2, 2]);
    manifest["masks"][0]["channel"] = json!(1);
    refused(&manifest, &image(&[1, 1, 2, 2, 2]), "needs [1, more than 1, then [2, 2, 2]]");
    let flat =
        Graph::new().input("x", FLOAT, &[1, 1, 2, 2, 2]).node("Flatten", &["x"], "y").output("y", &[-1, -1]);
    refused(&image_manifest([2, 2, 2]), &flat.bytes(), "the output `y` has the shape [1, 8]");
    refused(
        &json!({"schema": "fiel/onnx-manifest/v1"}),
        &model,
        "manifest.json: the ONNX manifest has 2 problems",
    );
}

#[test]
fn an_archive_of_something_else_is_refused() {
    let mut longer = bundle(&table_manifest(), &identity().bytes());
    // The end of the archive, then another entry of the same name where the end stood.
    let mut second = bundle(&table_manifest(), &identity().bytes());
    longer.truncate(longer.len() - 1024);
    longer.append(&mut second);
    for (archive, says) in
        [(longer, "twice"), (b"PK\x03\x04".repeat(200), "not a readable tar"), (Vec::new(), "no manifest")]
    {
        for refusal in refusals(&archive) {
            assert_eq!(refusal.reason, FailureReason::ArtifactInvalid);
            assert!(refusal.message.contains(says), "{refusal}");
        }
    }
}

/// y = the sum of x repeated so many times.
fn repeated(times: i64) -> Vec<u8> {
    Graph::new()
        .input("x", FLOAT, &[1, 2])
        .integers("times", &[1, times])
        .integers("axes", &[1])
        .node("Tile", &["x", "times"], "many")
        .node("Exp", &["many"], "grown")
        .node("ReduceSum", &["grown", "axes"], "y")
        .output("y", &[1, 1])
        .bytes()
}

#[test]
fn a_bomb_for_the_memory_hits_its_own_limit_and_the_next_case_runs() {
    // 2 GiB and more while it is checked: beyond what this sandbox may use for that.
    let small = fiel_sandbox::CompileLimits { memory_bytes: 1 << 30, ..Default::default() };
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        let lab = Lab { sandbox: lab.sandbox.with_compile_limits(small), ..lab };
        let refusal = lab.prepare(&bundle(&table_manifest(), &repeated(300_000_000))).unwrap_err();
        let known = [FailureReason::CompileLimit, FailureReason::ArtifactInvalid];
        assert!(known.contains(&refusal.reason), "{engine:?}: {refusal}");
        // 0.5 GiB: checked with 4 GiB, run with 64 MiB and the platform's 256 MiB.
        let lab = Lab::new(engine.as_deref(), 1);
        let prepared =
            lab.prepare(&bundle(&table_manifest(), &repeated(60_000_000))).unwrap_or_else(|r| panic!("{r}"));
        let limits = Limits { memory_mib: 64, ..limits() };
        let columns = [("a", "1"), ("b", "2")];
        let results = lab.run(
            &prepared,
            &limits,
            vec![row_case("c1", &columns), row_case("c2", &columns)],
            "prediction.csv",
        );
        for result in results {
            assert!(
                matches!(result.outcome, Outcome::OutOfMemory | Outcome::Crashed),
                "{engine:?}: {:?} {}",
                result.outcome,
                result.reason
            );
        }
        let result = lab.row(&bundle(&table_manifest(), &identity().bytes()), &limits, &columns);
        assert_eq!(result.outcome, Outcome::Ok, "{}", result.reason);
    }
}

#[test]
fn a_shape_that_the_values_of_a_case_choose_is_bounded_too() {
    // y = the sum of a ones.
    let model = Graph::new()
        .input("x", FLOAT, &[1, 2])
        .integers("first", &[0])
        .integers("axes", &[0])
        .node("Gather", &["x", "zero"], "unused")
        .output("y", &[1]);
    // The unused node refers to a tensor that is not there: this graph must not even be loaded.
    refused(&table_manifest(), &model.bytes(), "uses `zero`");
    let model = Graph::new()
        .input("x", INT64, &[1, 2])
        .integers("flat", &[-1])
        .integers("axes", &[0, 1])
        .node("Reshape", &["x", "flat"], "shape")
        .node("ConstantOfShape", &["shape"], "zeros")
        .node("Exp", &["zeros"], "ones")
        .node("ReduceSum", &["ones", "axes"], "sum")
        .output("sum", &[-1, -1])
        .bytes();
    let mut manifest = table_manifest();
    manifest["tables"][0]["dtype"] = json!("i64");
    manifest["scores"][0]["tensor"] = json!("sum");
    let lab = Lab::new(Some(&onnxruntime()), 1);
    let prepared = lab.prepare(&bundle(&manifest, &model)).unwrap_or_else(|refusal| panic!("{refusal}"));
    let row = |a: &str, b: &str| row_case("c1", &[("a", a), ("b", b)]);
    let cases = vec![row("3", "5"), row("1000000", "1000000"), row("-1", "2"), row("2", "2")];
    let results = lab.run(&prepared, &limits(), cases, "prediction.csv");
    assert_eq!(results[0].outputs["prediction.csv"], b"case_id,probability\nc1,15\n");
    for result in &results[1..3] {
        assert!(matches!(result.outcome, Outcome::OutOfMemory | Outcome::Crashed), "{result:?}");
    }
    assert_eq!(results[3].outcome, Outcome::Ok, "{}", results[3].reason);
    // tract wants to know its shapes before it runs, and says so.
    let refusal = Lab::new(None, 1).prepare(&bundle(&manifest, &model)).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::ArtifactInvalid, "{refusal}");
}

#[test]
fn a_model_that_takes_too_long_is_stopped_with_everything_it_holds() {
    // Six products of 1,200 x 1,200 matrices of which no engine can skip one: 20 GFLOP.
    let mut graph = Graph::new()
        .input("x", FLOAT, &[1, 2])
        .integers("shape", &[1200, 1200])
        .integers("axes", &[0, 1])
        .integers("one", &[1])
        .integers("zero", &[0])
        .node("Slice", &["x", "zero", "one", "one"], "a")
        .node("Expand", &["a", "shape"], "m0");
    for index in 0..6 {
        let (from, to) = (format!("m{index}"), format!("m{}", index + 1));
        let wave = format!("w{index}");
        graph = graph.node("Sin", &[&from], &wave).node("MatMul", &[&wave, &from], &to);
    }
    let model = graph.node("ReduceMean", &["m6"], "y").output("y", &[1, 1]).bytes();
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        let prepared =
            lab.prepare(&bundle(&table_manifest(), &model)).unwrap_or_else(|refusal| panic!("{refusal}"));
        let limits = Limits { case_ms: 40, ..limits() };
        let started = Instant::now();
        let result = lab
            .run(&prepared, &limits, vec![row_case("c1", &[("a", "1"), ("b", "0")])], "prediction.csv")
            .remove(0);
        assert_eq!((result.outcome, result.reason.as_str()), (Outcome::TimedOut, "ran longer than 40 ms"));
        assert!(result.seconds < 5.0 && started.elapsed().as_secs() < 60, "{}", result.seconds);
    }
}

#[test]
fn an_answer_that_is_no_number_is_an_invalid_output() {
    let model = Graph::new().input("x", FLOAT, &[1, 2]).node("Log", &["x"], "y").output("y", &[1, 2]).bytes();
    let rule = "the model's output `y` holds something that is not a finite number";
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        for a in ["-1", "0"] {
            let result = lab.row(&bundle(&table_manifest(), &model), &limits(), &[("a", a), ("b", "1")]);
            assert_eq!((result.outcome, result.reason.as_str()), (Outcome::InvalidOutput, rule), "{a}");
        }
    }
    let model = Graph::new()
        .input("x", FLOAT, &[1, 1, 2, 2, 2])
        .node("Log", &["x"], "y")
        .output("y", &[1, 1, 2, 2, 2])
        .bytes();
    let volume = Volume { geometry: Geometry::axis_aligned([2, 2, 2], [1.0; 3]), data: vec![-1.0; 8] };
    let case = image_case("c1", &[("ct", encode_nifti_f32(&volume).unwrap())]);
    let lab = Lab::new(None, 1);
    let prepared = lab.prepare(&bundle(&image_manifest([2, 2, 2]), &model)).unwrap();
    let result = lab.run(&prepared, &limits(), vec![case], "lesions.nii").remove(0);
    assert_eq!((result.outcome, result.reason.as_str()), (Outcome::InvalidOutput, rule));
    assert!(result.outputs.is_empty());
}

#[test]
fn an_answer_larger_than_allowed_is_an_invalid_output() {
    let model = Graph::new()
        .input("x", FLOAT, &[1, 1, 16, 16, 16])
        .node("Relu", &["x"], "y")
        .output("y", &[1, 1, 16, 16, 16])
        .bytes();
    let geometry = Geometry::axis_aligned([128, 128, 80], [1.0; 3]);
    let volume = Volume { data: vec![1.0; geometry.voxels()], geometry };
    let case = image_case("c1", &[("ct", encode_nifti_f32(&volume).unwrap())]);
    let lab = Lab::new(None, 1);
    let prepared = lab.prepare(&bundle(&image_manifest([16, 16, 16]), &model)).unwrap();
    let limits = Limits { output_mib: 1, ..limits() };
    let result = lab.run(&prepared, &limits, vec![case], "lesions.nii").remove(0);
    assert_eq!(result.outcome, Outcome::InvalidOutput, "{}", result.reason);
}
