//! Agreement with the reference implementations recorded in `metrics/golden`.

use crate::{options, table};
use fiel_metrics::assess;
use fiel_metrics::image::{Geometry, Volume};
use fiel_metrics::registry::{MetricId, MetricTask, Undefined};
use fiel_metrics::score::{Intervals, Request, SurvivalFiles, survival};
use fiel_metrics::segmentation::measure;
use fiel_schemas::assessment::Estimate;
use serde_json::Value;
use std::fmt::Write as _;

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(Value::as_f64).collect()
}

fn labels(case: &Value) -> Vec<i32> {
    numbers(&case["y"]).unwrap().into_iter().map(|y| i32::from(y == 1.0)).collect()
}

fn estimate(id: &str, scores: &[f64], labels: &[i32]) -> Estimate {
    assess(id, &table(scores, labels), &options(1)).unwrap().estimate
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn ranking_metrics_agree_with_scikit_learn_and_delong() {
    let mut compared = 0;
    for case in cases(include_str!("../../golden/classification_binary_scores.json")) {
        let id = case["id"].as_str().unwrap();
        let Some(scores) = numbers(&case["score"]) else {
            assert!(id == "nan_score" || id == "inf_score", "{id}");
            continue;
        };
        let labels = labels(&case);
        let sklearn = &case["expected"]["sklearn"];
        let (auc, ap) = (estimate("auc", &scores, &labels), estimate("average_precision", &scores, &labels));
        let two = labels.contains(&0) && labels.contains(&1);
        assert_eq!(auc.value.is_some(), two, "{id}");
        assert_eq!(auc.undefined, u64::from(!two), "{id}");
        if let (Some(found), Some(expected)) = (auc.value, sklearn["roc_auc"].as_f64()) {
            close(found, expected, 1e-12, id);
            compared += 1;
        }
        if let (Some(found), Some(expected)) = (ap.value, sklearn["average_precision"].as_f64()) {
            close(found, expected, 1e-12, id);
        }
        if let Some(expected) = sklearn["brier"].as_f64() {
            close(estimate("brier", &scores, &labels).value.unwrap(), expected, 1e-12, id);
        }
        let interval = numbers(&case["expected"]["delong_exact_O(mn)_f64"]["ci95_wald_clipped"]);
        let variance = case["expected"]["delong_exact_O(mn)_f64"]["var"].as_f64();
        if let (Some(expected), Some(_), Some(found)) = (interval, variance, auc.ci95) {
            close(found[0], expected[0].max(0.0), 1e-12, id);
            close(found[1], expected[1].min(1.0), 1e-12, id);
        }
    }
    assert!(compared >= 14, "{compared}");
}

#[test]
fn calibration_agrees_with_the_reference_definitions() {
    for case in cases(include_str!("../../golden/calibration_binary.json")) {
        let id = case["id"].as_str().unwrap();
        let Some(scores) = numbers(&case["prob"]) else { continue };
        if id == "out_of_range" {
            let refused =
                assess("ece@15", &table(&scores, &labels(&case)), &options(1)).unwrap_err().to_string();
            assert!(refused.contains("row 1") && refused.contains("-0.1"), "{refused}");
            continue;
        }
        let labels = labels(&case);
        let expected = &case["expected"];
        let ece = estimate("ece@15", &scores, &labels).value.unwrap();
        close(ece, expected["own_equal_width_15"]["left_closed [l,u)"]["ece"].as_f64().unwrap(), 1e-12, id);
        close(
            estimate("brier", &scores, &labels).value.unwrap(),
            expected["sklearn"]["brier"].as_f64().unwrap(),
            1e-12,
            id,
        );
        let logistic = &expected["logistic_recalibration"];
        let slope = estimate("calibration_slope", &scores, &labels);
        assert_eq!(slope.value.is_some(), logistic["slope"].is_number(), "{id}: {slope:?}");
        if let Some(found) = slope.value {
            close(found, logistic["slope"].as_f64().unwrap(), 1e-6, id);
        }
        let intercept = estimate("calibration_intercept", &scores, &labels).value;
        match (intercept, logistic["intercept_in_the_large_offset"].as_f64()) {
            // The likelihood is flat here: the peer stops 8e-5 from the root, which by symmetry is 0.
            (Some(found), Some(_)) if id == "zeros_ones_wrong" => close(found, 0.0, 1e-4, id),
            (Some(found), Some(expected)) => close(found, expected, 1e-6, id),
            (None, Some(expected)) => panic!("{id}: undefined instead of {expected}"),
            (_, None) => {}
        }
    }
}

/// A C-ordered golden volume: its last axis runs fastest and becomes the first of ours.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the file holds small whole numbers"
)]
fn volume(value: &Value, spacing: &[f64]) -> Volume<u8> {
    let mut shape: Vec<usize> = numbers(&value["shape"]).unwrap().iter().map(|&n| n as usize).rev().collect();
    let mut spacing: Vec<f64> = spacing.iter().rev().copied().collect();
    shape.resize(3, 1);
    spacing.resize(3, 1.0);
    let data = value["rle"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|run| {
            let run = numbers(run).unwrap();
            vec![run[0] as u8; run[1] as usize]
        })
        .collect();
    let geometry =
        Geometry::axis_aligned([shape[0], shape[1], shape[2]], [spacing[0], spacing[1], spacing[2]]);
    Volume { geometry, data }
}

#[test]
fn overlap_agrees_with_the_exact_counts() {
    for case in cases(include_str!("../../golden/seg_overlap.json")) {
        let id = case["id"].as_str().unwrap();
        let spacing = numbers(&case["spacing"]).unwrap();
        let (reference, prediction) = (volume(&case["ref"], &spacing), volume(&case["pred"], &spacing));
        let metrics = ["dice", "iou", "volume_error_ml"].map(|id| MetricId::parse(id).unwrap());
        let found = measure(&reference, &prediction, &metrics).unwrap();
        let (dice, iou, error_ml) = (found.values[0], found.values[1], found.values[2].unwrap());
        let count = |name: &str| case["expected"]["counts"][name].as_f64().unwrap();
        let (tp, fp, fn_) = (count("tp"), count("fp"), count("fn"));
        if tp + fp + fn_ == 0.0 {
            assert_eq!((dice, iou), (Err(Undefined::BothEmpty), Err(Undefined::BothEmpty)), "{id}");
            continue;
        }
        close(dice.unwrap(), 2.0 * tp / (2.0 * tp + fp + fn_), 1e-15, id);
        close(iou.unwrap(), tp / (tp + fp + fn_), 1e-15, id);
        if let Some(expected) = case["expected"]["medpy"]["dc"].as_f64() {
            close(dice.unwrap(), expected, 1e-12, id);
        }
        let voxel = reference.geometry.voxel_mm3() / 1000.0;
        close(found.reference_ml, (tp + fn_) * voxel, 1e-12, id);
        close(error_ml, (fp - fn_).abs() * voxel, 1e-12, id);
    }
}

/// The mask of everything that is labelled, on voxels of 1 mm.
fn foreground(value: &Value) -> Volume<u8> {
    let mut volume = volume(value, &[1.0; 3]);
    volume.data.iter_mut().for_each(|v| *v = u8::from(*v > 0));
    volume
}

#[test]
fn lesion_wise_scores_equal_brats_2023() {
    let mut compared = 0;
    for case in cases(include_str!("../../golden/instance.json")) {
        let (reference, prediction) = (foreground(&case["ref"]), foreground(&case["pred"]));
        for (key, rule) in
            [("brats2023_MET_dil1_thr2", "brats_metastases"), ("brats2023_GLI_dil3_thr50", "brats_glioma")]
        {
            let ids = [format!("lesion_dice.{rule}"), format!("lesion_hd95.{rule}")];
            let metrics = ids.each_ref().map(|id| MetricId::parse(id).unwrap());
            let found = measure(&reference, &prediction, &metrics).unwrap().values;
            for (found, name) in found.iter().zip(["lesionwise_dice", "lesionwise_hd95"]) {
                let expected = case["expected"][key][name].as_f64().unwrap();
                close(found.unwrap(), expected, 1e-12, &format!("{} {key} {name}", case["id"]));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 24);
}

#[test]
fn panoptic_quality_at_an_overlap_equals_panoptica() {
    let mut compared = 0;
    for case in cases(include_str!("../../golden/instance.json")) {
        let (reference, prediction) = (foreground(&case["ref"]), foreground(&case["pred"]));
        // The bare ids match from one half on.
        for (key, at) in [
            ("panoptica_naive_iou0.1", "@0.1"),
            ("panoptica_naive_iou0.5", "@0.5"),
            ("panoptica_naive_iou0.5", ""),
        ] {
            let names = ["pq", "sq", "rq"];
            let metrics = names.map(|name| MetricId::parse(&format!("{name}{at}")).unwrap());
            let found = measure(&reference, &prediction, &metrics).unwrap().values;
            for (found, name) in found.iter().zip(names) {
                let Some(expected) = case["expected"][key][name].as_f64() else { continue };
                close(found.unwrap(), expected, 1e-12, &format!("{} {key} {name}", case["id"]));
                compared += 1;
            }
        }
    }
    assert!(compared >= 27, "{compared}");
}

#[test]
fn unos_concordance_up_to_a_time_equals_scikit_survival() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("patients.csv");
    let mut compared = 0;
    for case in cases(include_str!("../../golden/survival.json")) {
        let id = case["id"].as_str().unwrap();
        let (time, event) = (numbers(&case["time"]).unwrap(), numbers(&case["event"]).unwrap());
        // scikit-survival takes risks that differ by 1e-8 for tied; Fiel does not.
        let Some(risk) = numbers(&case["risk"]).filter(|_| id != "near_tied_risk_1e-9") else { continue };
        let mut text = "t,e,r\n".to_owned();
        for ((t, e), r) in time.iter().zip(&event).zip(&risk) {
            writeln!(text, "{t},{e},{r}").unwrap();
        }
        std::fs::write(&table, text).unwrap();
        let files = SurvivalFiles {
            table: &table,
            time: "t",
            event: "e",
            risk: "r",
            curve: None,
            training: None,
            case: None,
        };
        for (tau, expected) in case["expected"]["sksurv_uno"].as_object().unwrap() {
            let asked = if tau == "None" { "c_index_uno".to_owned() } else { format!("c_index_uno@{tau}") };
            let request = Request::new(MetricTask::Survival, std::slice::from_ref(&asked)).unwrap();
            let request = Request { intervals: Intervals::Off, ..request };
            let found = survival(&files, &request).unwrap().metrics[&asked].value;
            let expected = expected["c"].as_f64();
            assert_eq!(found.is_some(), expected.is_some(), "{id} {tau}: {found:?}");
            if let (Some(found), Some(expected)) = (found, expected) {
                close(found, expected, 1e-12, &format!("{id} {tau}"));
                compared += 1;
            }
        }
    }
    assert!(compared >= 25, "{compared}");
}
