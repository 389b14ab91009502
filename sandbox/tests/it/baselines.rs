//! The challenges' baselines that come both as a module and as a component.

use std::path::PathBuf;

use fiel_kernels::image::{ReadLimits, parse_nifti_mask, recode_nifti};
use fiel_sandbox::CaseInput;
use fiel_schemas::challenge::Limits;

use crate::support::{bench, limits};

fn challenge(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../challenges").join(name)
}

/// What a baseline writes for these files.
fn answer(challenge_name: &str, baseline: &str, files: Vec<(String, Vec<u8>)>, output: &str) -> Vec<u8> {
    let path = challenge(challenge_name).join("baselines").join(format!("{baseline}.wasm"));
    let bench = bench(1);
    let prepared = bench.prepare(&std::fs::read(path).unwrap()).unwrap();
    let case = CaseInput { name: "c1".to_owned(), files };
    let mut result = bench
        .cases_expecting(&prepared, &Limits { memory_mib: 256, ..limits() }, vec![case], &[output])
        .remove(0);
    assert_eq!((result.outcome.as_str(), result.reason.as_str()), ("ok", ""), "{baseline}");
    result.outputs.remove(output).unwrap()
}

#[test]
fn logistic_is_the_same_as_a_component() {
    let table = std::fs::read_to_string(challenge("breast-fna").join("public/cases.csv")).unwrap();
    let (header, row) = table.split_once('\n').unwrap();
    let files =
        vec![("case.csv".to_owned(), format!("{header}\n{}\n", row.lines().next().unwrap()).into_bytes())];
    let [module, component] = ["logistic", "logistic-component"]
        .map(|baseline| answer("breast-fna", baseline, files.clone(), "prediction.csv"));
    assert_eq!(String::from_utf8(module), String::from_utf8(component));
}

#[test]
fn threshold_marks_the_same_voxels_when_it_is_given_values() {
    let image = challenge("lesion-phantom").join("public/images/phantom-public-01.nii.gz");
    let limits = ReadLimits::default();
    let ct = recode_nifti(&std::fs::read(image).unwrap(), &limits).unwrap();
    let document = br#"{"schema": "fiel/inputs/v1", "case": "c1", "inputs": [{"name": "ct", "kind": "image", "path": "ct.nii"}],
        "outputs": [{"name": "lesions", "kind": "mask", "path": "lesions.nii"}]}"#;
    let files = vec![("inputs.json".to_owned(), document.to_vec()), ("ct.nii".to_owned(), ct)];
    let [module, predictor] = ["threshold", "threshold-predict"].map(|baseline| {
        parse_nifti_mask(&answer("lesion-phantom", baseline, files.clone(), "lesions.nii"), &limits).unwrap()
    });
    assert!(module.data.contains(&1));
    assert_eq!(module.data, predictor.data);
    assert!(module.geometry.same_grid(&predictor.geometry));
}
