//! What a person who wrote a bad ONNX manifest is told.

use fiel_schemas::onnx::{Axes, OnnxManifest};
use fiel_schemas::validate::{DocumentError, Kind, from_json};
use serde_json::{Value, json};

use crate::samples;

fn read(value: &Value) -> Result<OnnxManifest, DocumentError> {
    from_json(Kind::OnnxManifest, value.to_string().as_bytes())
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    let manifest = read(&json!({
        "schema": "fiel/onnx-manifest/v1",
        "tables": [{"port": "features", "tensor": "x", "dtype": "f32", "columns": [{"name": "age"}]}],
        "scores": [{"port": "prediction", "tensor": "p", "activation": "none",
            "columns": [{"name": "probability", "index": 1}]}],
    }))
    .unwrap();
    let column = &manifest.tables[0].columns[0];
    assert_eq!((column.mean, column.std), (0.0, 1.0));
    assert!(manifest.window.is_none() && manifest.images.is_empty() && manifest.masks.is_empty());
}

#[test]
fn each_order_of_axes_names_every_axis_once() {
    for (axes, name) in [
        (Axes::Zyx, "zyx"),
        (Axes::Xyz, "xyz"),
        (Axes::Yzx, "yzx"),
        (Axes::Xzy, "xzy"),
        (Axes::Zxy, "zxy"),
        (Axes::Yxz, "yxz"),
    ] {
        assert_eq!(serde_json::to_value(axes).unwrap(), name);
        let letters: String = axes.order().iter().map(|&axis| ["x", "y", "z"][axis]).collect();
        assert_eq!(letters, name);
    }
}

#[test]
fn each_rule_names_the_place_it_is_broken_at() {
    let cases: [(&str, Value, &str, &str); 15] = [
        ("/window", json!(null), "/window", "cut into windows"),
        ("/images", json!([]), "/window", "there are no images"),
        ("/window/overlap/1", json!(64), "/window/overlap/1", "less than the window's 64"),
        ("/window/layout", json!("nchw"), "/window/patch/0", "one slice"),
        ("/window/patch", json!([1024, 1024, 1024]), "/window/patch", "voxels in a window"),
        ("/window/blend", json!("gausian"), "/window/blend", "did you mean `gaussian`?"),
        ("/images/0/clip", json!([1, 1]), "/images/0/clip", "lower end first"),
        ("/images/0/std", json!(0), "/images/0/std", "divided by"),
        ("/images/0/spacing_mm/min/2", json!(4), "/images/0/spacing_mm/min/2", "at most the largest"),
        ("/images/0/dtype", json!("f16"), "/images/0/dtype", "one of `f32`"),
        ("/scores/0/port", json!("lesions"), "/scores/0/port", "not used before"),
        ("/scores/0/columns/0/name", json!("case_id"), "/scores/0/columns/0/name", "after `case_id`"),
        ("/tables/0/tensor", json!("image"), "/tables/0/tensor", "nothing else fills"),
        ("/masks/0/channel", json!(-1), "/masks/0/channel", "at least 0"),
        ("/masks/0/port", json!("../x"), "/masks/0/port", "inputs or outputs"),
    ];
    for (at, value, pointer, says) in cases {
        let mut manifest = samples::full(Kind::OnnxManifest);
        *manifest.pointer_mut(at).unwrap() = value.clone();
        let error = read(&manifest).unwrap_err();
        let problem = error.problems.iter().find(|problem| problem.pointer == pointer);
        let problem = problem.unwrap_or_else(|| panic!("{at} = {value}: {error}"));
        assert!(problem.to_string().contains(says), "{at} = {value}: {problem}");
    }
}

#[test]
fn channels_of_one_tensor_have_one_type_and_something_goes_in_and_out() {
    let mut manifest = samples::full(Kind::OnnxManifest);
    let mut second = manifest["images"][0].clone();
    second["dtype"] = json!("u8");
    manifest["images"].as_array_mut().unwrap().push(second);
    assert!(read(&manifest).unwrap_err().to_string().contains("/images/1/dtype"));
    let error = read(&json!({"schema": "fiel/onnx-manifest/v1"})).unwrap_err().to_string();
    assert!(error.contains("an input") && error.contains("an output"), "{error}");
}
