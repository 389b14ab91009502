//! What goes into a model and what comes out of it.

use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_f32, parse_mask};
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bundles::{
    FLOAT, Graph, INT64, Lab, UINT8, bundle, engines, image_case, image_manifest, integer, limits,
    table_manifest,
};

fn text(result: &fiel_sandbox::CaseResult, output: &str) -> String {
    assert_eq!(result.outcome, Outcome::Ok, "{} {}", result.reason, String::from_utf8_lossy(&result.log));
    String::from_utf8(result.outputs[output].clone()).unwrap()
}

/// y = sigmoid-ready sum of 2a and -b.
fn linear() -> Vec<u8> {
    Graph::new()
        .input("x", FLOAT, &[1, 2])
        .floats("w", &[2, 1], &[2.0, -1.0])
        .node("MatMul", &["x", "w"], "y")
        .output("y", &[1, 1])
        .bytes()
}

#[test]
fn a_row_becomes_a_tensor_and_a_tensor_a_row() {
    let mut manifest = table_manifest();
    manifest["tables"][0]["columns"] = json!([{"name": "b", "mean": 1.0, "std": 0.5}, {"name": "a"}]);
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        // b comes first here: 2 (3 - 1) / 0.5 - 7.
        let result =
            lab.row(&bundle(&manifest, &linear()), &limits(), &[("a", "7"), ("other", "x"), ("b", "3")]);
        assert_eq!(text(&result, "prediction.csv"), "case_id,probability\nc1,1\n");
        let usage = result.usage;
        assert!(usage.cpu_s.is_some() && usage.memory_bytes_peak.unwrap() > 1 << 20, "{usage:?}");
        assert!(usage.output_bytes > 0 && result.seconds > 0.0);
        manifest["scores"][0]["activation"] = json!("sigmoid");
        let result = lab.row(&bundle(&manifest, &linear()), &limits(), &[("a", "1e2"), ("b", " 3 ")]);
        let probability = text(&result, "prediction.csv");
        let value: f64 = probability.trim().rsplit(',').next().unwrap().parse().unwrap();
        assert!(value < 1e-30, "{probability}");
        manifest["scores"][0]["activation"] = json!("none");
    }
}

#[test]
fn whole_numbers_go_in_as_what_they_are() {
    for (dtype, code, expected) in [("i64", INT64, "-3"), ("u8", UINT8, "0")] {
        let mut manifest = table_manifest();
        manifest["tables"][0]["dtype"] = json!(dtype);
        let model = Graph::new()
            .input("x", code, &[1, 2])
            .node_with("Cast", &["x"], "y", vec![integer("to", FLOAT.into())])
            .output("y", &[1, 2])
            .bytes();
        for engine in engines() {
            let lab = Lab::new(engine.as_deref(), 1);
            let result = lab.row(&bundle(&manifest, &model), &limits(), &[("a", "-2.6"), ("b", "1")]);
            assert_eq!(text(&result, "prediction.csv"), format!("case_id,probability\nc1,{expected}\n"));
        }
    }
}

#[test]
fn a_case_that_does_not_suit_the_manifest_says_why_and_tells_nothing_of_the_case() {
    let lab = Lab::new(None, 1);
    let archive = bundle(&table_manifest(), &linear());
    let result = lab.row(&archive, &limits(), &[("a", "1")]);
    assert_eq!(result.outcome, Outcome::Crashed);
    assert_eq!(result.reason, "the table `features` has no column `b`");
    let result = lab.row(&archive, &limits(), &[("a", "1"), ("b", "Jane")]);
    assert_eq!(result.reason, "the column `b` of `features` holds no number");
    assert!(String::from_utf8_lossy(&result.log).contains("Jane"), "the site's log has it");
    let mut manifest = table_manifest();
    manifest["scores"][0]["port"] = json!("risk");
    let result = lab.row(&bundle(&manifest, &linear()), &limits(), &[("a", "1"), ("b", "2")]);
    assert_eq!(result.reason, "the challenge has no output `risk`; it has `prediction`");
}

/// Voxels 0, 1, 2, ... on a grid of no special kind.
fn ramp(shape: [usize; 3]) -> Volume<f32> {
    let mut geometry = Geometry::axis_aligned(shape, [0.5, 0.75, 3.0]);
    geometry.origin_mm = [1.0, -2.0, 30.0];
    let voxels = u16::try_from(geometry.voxels()).unwrap();
    Volume { geometry, data: (0..voxels).map(f32::from).collect() }
}

fn mask(result: &fiel_sandbox::CaseResult) -> Volume<u8> {
    assert_eq!(result.outcome, Outcome::Ok, "{} {}", result.reason, String::from_utf8_lossy(&result.log));
    parse_mask(&result.outputs["lesions.nii"], &ReadLimits::default()).unwrap()
}

#[test]
fn channels_axes_and_padding_reach_the_model_and_the_mask_lies_on_the_grid() {
    // Channel 0 is the ramp less the constant image in channel 1; both orders of axes and both layouts see the same.
    let (ramp, shape) = (ramp([5, 4, 3]), [5, 4, 3]);
    let constant = Volume { geometry: ramp.geometry.clone(), data: vec![29.5; 60] };
    let case = image_case(
        "c1",
        &[("ct", encode_nifti_f32(&ramp).unwrap()), ("mr", encode_nifti_f32(&constant).unwrap())],
    );
    for (layout, axes, patch) in
        [("ncdhw", "zyx", [2, 4, 8]), ("ncdhw", "xzy", [8, 8, 8]), ("nchw", "yxz", [1, 4, 2])]
    {
        let mut manifest = image_manifest(patch);
        manifest["images"] = json!([
            {"port": "ct", "tensor": "x", "dtype": "f32"},
            {"port": "mr", "tensor": "x", "dtype": "f32"},
        ]);
        manifest["window"]["layout"] = json!(layout);
        manifest["window"]["axes"] = json!(axes);
        manifest["masks"][0]["threshold"] = json!(0.0);
        let rank = if layout == "nchw" { 4 } else { 5 };
        let mut any = vec![1, 2, -1, -1, -1];
        any.truncate(rank);
        let kernel: Vec<i64> =
            std::iter::once(1).chain(std::iter::once(2)).chain(vec![1; rank - 2]).collect();
        let model = Graph::new()
            .input("x", FLOAT, &any)
            .floats("w", &kernel, &[1.0, -1.0])
            .node("Conv", &["x", "w"], "y")
            .output("y", &[vec![1, 1], vec![-1; rank - 2]].concat())
            .bytes();
        for engine in engines() {
            let lab = Lab::new(engine.as_deref(), 1);
            let prepared =
                lab.prepare(&bundle(&manifest, &model)).unwrap_or_else(|refusal| panic!("{refusal}"));
            let result = lab.run(&prepared, &limits(), vec![case.clone()], "lesions.nii").remove(0);
            let mask = mask(&result);
            assert_eq!(mask.geometry.shape, shape);
            assert!(mask.geometry.same_grid(&ramp.geometry));
            let expected: Vec<u8> = (0..60_u8).map(|at| u8::from(at >= 30)).collect();
            assert_eq!(mask.data, expected, "{layout} {axes} {engine:?}");
        }
    }
}

#[test]
fn images_on_another_grid_or_with_another_spacing_are_refused() {
    let ramp = ramp([4, 4, 4]);
    let moved = {
        let mut moved = ramp.clone();
        moved.geometry.origin_mm[0] += 1.0;
        moved
    };
    let case = |second: &Volume<f32>| {
        let images = [("ct", encode_nifti_f32(&ramp).unwrap()), ("mr", encode_nifti_f32(second).unwrap())];
        image_case("c1", &images)
    };
    let mut manifest = image_manifest([4, 4, 4]);
    manifest["images"] = json!([
        {"port": "ct", "tensor": "x", "dtype": "f32", "spacing_mm": {"min": [0.4, 0.7, 1.0], "max": [0.6, 0.8, 3.0]}},
        {"port": "mr", "tensor": "z", "dtype": "f32"},
    ]);
    let model = Graph::new()
        .input("x", FLOAT, &[1, 1, 4, 4, 4])
        .input("z", FLOAT, &[1, 1, 4, 4, 4])
        .node("Sub", &["x", "z"], "y")
        .output("y", &[1, 1, 4, 4, 4])
        .bytes();
    let lab = Lab::new(None, 1);
    let prepared = lab.prepare(&bundle(&manifest, &model)).unwrap();
    let results = lab.run(&prepared, &limits(), vec![case(&ramp), case(&moved)], "lesions.nii");
    assert_eq!(mask(&results[0]).data, [0; 64]);
    assert_eq!(results[1].reason, "`mr` does not lie on the grid of `ct`");
    manifest["images"][0]["spacing_mm"]["max"][2] = json!(2.5);
    let prepared = lab.prepare(&bundle(&manifest, &model)).unwrap();
    let result = lab.run(&prepared, &limits(), vec![case(&ramp)], "lesions.nii").remove(0);
    assert_eq!(
        (result.outcome, result.reason.as_str()),
        (Outcome::Crashed, "the spacing of `ct` is outside the range of the manifest")
    );
}

#[test]
fn an_image_can_be_scored_by_the_mean_of_its_windows() {
    let mut manifest = image_manifest([2, 4, 4]);
    manifest["masks"] = json!([]);
    manifest["scores"] = json!([{"port": "prediction", "tensor": "y", "activation": "none",
        "columns": [{"name": "probability", "index": 0}]}]);
    let model = Graph::new()
        .input("x", FLOAT, &[1, 1, 2, 4, 4])
        .node("GlobalAveragePool", &["x"], "y")
        .output("y", &[1, 1, 1, 1, 1])
        .bytes();
    let mut case = image_case("c1", &[("ct", encode_nifti_f32(&ramp([4, 4, 4])).unwrap())]);
    case.files[0].1 = json!({"schema": "fiel/inputs/v1", "case": "c1",
        "inputs": [{"name": "ct", "kind": "image", "path": "ct.nii"}],
        "outputs": [{"name": "prediction", "kind": "table", "path": "prediction.csv"}]})
    .to_string()
    .into_bytes();
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        let prepared = lab.prepare(&bundle(&manifest, &model)).unwrap_or_else(|refusal| panic!("{refusal}"));
        let result = lab.run(&prepared, &limits(), vec![case.clone()], "prediction.csv").remove(0);
        assert_eq!(text(&result, "prediction.csv"), "case_id,probability\nc1,31.5\n");
    }
}
