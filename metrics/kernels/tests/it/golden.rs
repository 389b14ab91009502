//! Reads the reference values of `metrics/golden/` (made with the field's own packages; see the README there).

use serde_json::Value;

/// The cases of one file.
pub(crate) fn cases(file: &str) -> Vec<Value> {
    let path = format!("{}/../golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    match file["cases"].take() {
        Value::Array(cases) if !cases.is_empty() => cases,
        _ => panic!("{path} holds no cases"),
    }
}

/// A number, `"nan"`, `"inf"` or `"-inf"`; `None` for anything else.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => match s.as_str() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A list of numbers.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap_or_else(|| panic!("{value} is not a list"));
    list.iter().map(|v| number(v).unwrap_or_else(|| panic!("{v} is not a number"))).collect()
}

/// Asserts equality within a relative tolerance (absolute below 1); NaN equals NaN, infinities equal themselves.
#[track_caller]
pub(crate) fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let same = found == expected || (found.is_nan() && expected.is_nan());
    let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(same || close, "{what}: {found:?} instead of {expected:?}");
}

/// A volume's voxels (last axis fastest) and its shape, from the run-length form.
pub(crate) fn volume(value: &Value) -> (Vec<usize>, Vec<i64>) {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_else(|| panic!("{v} is not a list"));
    let whole = |v: &Value| v.as_i64().unwrap_or_else(|| panic!("{v} is not a whole number"));
    let shape = list(&value["shape"]).iter().map(|n| usize::try_from(whole(n)).expect("a size")).collect();
    let mut voxels = Vec::new();
    for run in list(&value["rle"]) {
        let count = usize::try_from(whole(&run[1])).expect("a count");
        voxels.extend(std::iter::repeat_n(whole(&run[0]), count));
    }
    (shape, voxels)
}
