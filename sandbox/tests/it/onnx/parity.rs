//! The baselines of the challenges give what onnxruntime in Python gave (`challenges/scripts/onnx_reference.py`).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fiel_kernels::image::{ReadLimits, parse_mask, read_mask, recode_nifti};
use fiel_sandbox::{CaseInput, CaseResult, Model};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::outcome::Outcome;
use fiel_schemas::submission::MediaType;

use super::bundles::{Lab, engines, image_case, limits, row_case};

/// Least share of voxels on which two masks agree.
const AGREEMENT: f64 = 0.9999;

fn challenge(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges").join(path)
}

/// The public phantoms as a node hands them to a model: their names and cases.
fn phantoms() -> Vec<(String, CaseInput)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(challenge("lesion-phantom/public/images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 6);
    let limits = ReadLimits::default();
    let case = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let image = recode_nifti(&std::fs::read(&path).unwrap(), &limits).unwrap();
        let case = image_case(&name, &[("ct", image)]);
        (name, case)
    };
    paths.into_iter().map(case).collect()
}

/// The limits of the challenge.
fn phantom_limits() -> Limits {
    Limits { memory_mib: 512, case_ms: 60_000, output_mib: 8, artifact_mib: 16 }
}

/// The masks of all phantoms, by name.
fn masks(engine: Option<&Path>, parallel: usize) -> BTreeMap<String, Vec<u8>> {
    let lab = Lab::new(engine, parallel);
    let artifact = std::fs::read(challenge("lesion-phantom/baselines/unet.onnx.tar")).unwrap();
    let prepared = lab.prepare(&artifact).unwrap_or_else(|refusal| panic!("{refusal}"));
    let (names, cases): (Vec<_>, Vec<_>) = phantoms().into_iter().unzip();
    let results = lab.run(&prepared, &phantom_limits(), cases, "lesions.nii");
    let mask = |(name, result): (String, fiel_sandbox::CaseResult)| {
        assert_eq!(result.outcome, Outcome::Ok, "{name}: {}", result.reason);
        (name, result.outputs["lesions.nii"].clone())
    };
    names.into_iter().zip(results).map(mask).collect()
}

#[test]
fn both_engines_mark_what_onnxruntime_in_python_marked() {
    for engine in engines() {
        for (name, bytes) in masks(engine.as_deref(), 2) {
            let mask = parse_mask(&bytes, &ReadLimits::default()).unwrap();
            let path = challenge("lesion-phantom/baselines/onnx/reference").join(&name);
            let reference = read_mask(&path, &ReadLimits::default()).unwrap();
            assert!(mask.geometry.same_grid(&reference.geometry), "{name}");
            let same = mask.data.iter().zip(&reference.data).filter(|(one, other)| one == other).count();
            let share = same as f64 / mask.data.len() as f64;
            assert!(share >= AGREEMENT, "{name}, {engine:?}: {share}");
            // Agreement on air alone would be worth nothing.
            let marked = reference.data.iter().map(|&voxel| usize::from(voxel)).sum::<usize>();
            let both = mask
                .data
                .iter()
                .zip(&reference.data)
                .filter(|(one, other)| **one == 1 && **other == 1)
                .count();
            assert!(both * 1000 >= marked * 990, "{name}, {engine:?}: {both} of {marked} marked voxels");
        }
    }
}

#[test]
fn one_and_two_lanes_and_a_second_run_give_the_same_bytes() {
    let digest = |masks: &BTreeMap<String, Vec<u8>>| {
        sha256_hex(&masks.values().flatten().copied().collect::<Vec<u8>>())
    };
    for engine in engines() {
        let first = digest(&masks(engine.as_deref(), 1));
        assert_eq!(first, digest(&masks(engine.as_deref(), 2)), "{engine:?}");
        assert_eq!(first, digest(&masks(engine.as_deref(), 2)), "{engine:?}");
    }
}

#[test]
fn the_network_beats_the_threshold() {
    let mut dice = [0.0, 0.0];
    for (name, bytes) in masks(None, 2) {
        let limits = ReadLimits::default();
        let truth = read_mask(&challenge("lesion-phantom/public/masks").join(&name), &limits).unwrap().data;
        if !truth.contains(&1) {
            continue;
        }
        let image = fiel_kernels::image::read_nifti_f32(
            &challenge("lesion-phantom/public/images").join(&name),
            &limits,
        )
        .unwrap();
        let bright: Vec<u8> = image.data.iter().map(|&value| u8::from(value > 88.0)).collect();
        let network = parse_mask(&bytes, &limits).unwrap().data;
        for (sum, mask) in dice.iter_mut().zip([network, bright]) {
            let both = mask.iter().zip(&truth).filter(|(one, other)| **one == 1 && **other == 1).count();
            let all = mask.iter().chain(&truth).filter(|&&voxel| voxel == 1).count();
            *sum += 2.0 * both as f64 / all as f64 / 5.0;
        }
    }
    assert!(dice[0] > dice[1] + 0.02, "{dice:?}");
}

/// The numbers of an array in the baseline's C table.
fn table(source: &str, name: &str) -> Vec<f64> {
    let body = source.split_once(&format!("{name}[30] = {{")).unwrap().1.split_once('}').unwrap().0;
    body.split(',').map(|number| number.trim().parse().unwrap()).collect()
}

/// The public cases of `breast-fna`, each with what the logistic regression makes of it in double precision.
fn public_cases() -> Vec<(CaseInput, f64)> {
    let source = std::fs::read_to_string(challenge("breast-fna/baselines/logistic/weights.h")).unwrap();
    let [weights, means, scales] =
        ["WEIGHT", "MEAN", "SCALE"].map(|name| table(&source, &format!("LOGISTIC_{name}")));
    let intercept: f64 =
        source.split_once("LOGISTIC_INTERCEPT ").unwrap().1.lines().next().unwrap().parse().unwrap();
    let cases = std::fs::read_to_string(challenge("breast-fna/public/cases.csv")).unwrap();
    let mut lines = cases.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let features: Vec<usize> =
        (0..names.len()).filter(|&at| !["case_id", "malignant"].contains(&names[at])).collect();
    let rows: Vec<Vec<&str>> = lines.collect();
    assert_eq!((features.len(), rows.len()), (30, 169));
    let case = |(number, row): (usize, &Vec<&str>)| {
        let columns: Vec<(&str, &str)> = features.iter().map(|&at| (names[at], row[at])).collect();
        let standard = |(index, &at): (usize, &usize)| {
            weights[index] * (row[at].parse::<f64>().unwrap() - means[index]) / scales[index]
        };
        let logit = intercept + features.iter().enumerate().map(standard).sum::<f64>();
        (row_case(&format!("c{number}"), &columns), 1.0 / (1.0 + (-logit).exp()))
    };
    rows.iter().enumerate().map(case).collect()
}

#[test]
fn the_logistic_regression_gives_the_probabilities_of_its_table_as_an_artifact_and_through_wasi_nn() {
    let (cases, expected): (Vec<_>, Vec<_>) = public_cases().into_iter().unzip();
    for engine in engines() {
        let lab = Lab::new(engine.as_deref(), 1);
        let probabilities = |baseline: &str, media_type| {
            let path = challenge("breast-fna/baselines").join(baseline);
            let sha256 = sha256_hex(&std::fs::read(&path).unwrap());
            let model = Model { path, sha256, media_type };
            let prepared = lab.sandbox.prepare(&model).unwrap_or_else(|refusal| panic!("{refusal}"));
            let probability = |result: CaseResult| {
                assert_eq!(result.outcome, Outcome::Ok, "{baseline}: {}", result.reason);
                let text = String::from_utf8(result.outputs["prediction.csv"].clone()).unwrap();
                text.trim().rsplit(',').next().unwrap().parse::<f64>().unwrap()
            };
            let results = lab.run(&prepared, &limits(), cases.clone(), "prediction.csv");
            results.into_iter().map(probability).collect::<Vec<_>>()
        };
        let artifact = probabilities("logistic.onnx.tar", MediaType::Onnx);
        let module = probabilities("logistic-wasi-nn.wasm", MediaType::Wasm);
        for ((artifact, module), expected) in artifact.iter().zip(&module).zip(&expected) {
            assert!((artifact - expected).abs() < 1e-6, "{engine:?}: {artifact} for {expected}");
            // The exponential function of two libraries, and the digits that are printed.
            let apart = (artifact - module).abs();
            assert!(apart <= 4.0 * f64::from(f32::EPSILON) * artifact, "{engine:?}: {module} for {artifact}");
        }
    }
}

#[test]
fn the_module_holds_the_network_of_the_artifact() {
    let artifact = std::fs::read(challenge("breast-fna/baselines/logistic.onnx.tar")).unwrap();
    let mut archive = tar::Archive::new(artifact.as_slice());
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut entry = entries.find(|entry| entry.path().unwrap().ends_with("model.onnx")).unwrap();
    let mut network = Vec::new();
    entry.read_to_end(&mut network).unwrap();
    let module = std::fs::read(challenge("breast-fna/baselines/logistic-wasi-nn.wasm")).unwrap();
    assert!(network.len() > 200 && module.windows(network.len()).any(|bytes| bytes == network));
}
