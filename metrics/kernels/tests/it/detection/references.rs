//! Values of MONAI, LUNA16, picai_eval and pycocotools.

use crate::golden::{assert_close, cases, number, numbers, volume};
use fiel_kernels::Undefined;
use fiel_kernels::detection::{
    AxisBox, CurveEnd, Froc, ImageObjects, Mark, Nodule, PICAI_MINIMUM_OVERLAP, PicaiCase, Rates,
    ReferenceObject, ScanOutcome, coco_summary, luna16_scan, picai_score,
};
use serde_json::Value;
use std::collections::BTreeSet;

fn golden(prefix: &str) -> Vec<Value> {
    let id = |c: &Value| c["id"].as_str().is_some_and(|id| id.starts_with(prefix));
    cases("detection").into_iter().filter(id).collect()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

fn float(value: &Value) -> f64 {
    number(value).unwrap_or_else(|| panic!("{value} is not a number"))
}

/// Scans of one set of findings; MONAI does not say which finding lies in which scan.
pub(super) fn pooled(
    hits: &[f64],
    false_positives: &[f64],
    references: usize,
    scans: usize,
) -> Vec<ScanOutcome> {
    let mut outcomes = vec![ScanOutcome::new(&[], &[], 0).expect("valid"); scans];
    outcomes[0] = ScanOutcome::new(hits, false_positives, references).expect("valid findings");
    outcomes
}

#[test]
fn froc_curves_and_scores_are_those_of_monai() {
    let (mut points, mut scores) = (0, 0);
    for case in golden("froc_monai") {
        let size = |name: &str| usize::try_from(case[name].as_u64().expect("a count")).expect("small");
        let (hits, wrong) = (numbers(&case["tp_probs"]), numbers(&case["fp_probs"]));
        let scans = pooled(&hits, &wrong, size("num_targets"), size("num_images"));
        let froc = Froc::new(&scans).expect("valid scans").ending(CurveEnd::WithoutLowest);
        let expected = &case["expected"];
        let found = froc.points().expect("a curve");
        let (rates, sensitivities) = (numbers(&expected["fppi"]), numbers(&expected["sens"]));
        assert_eq!(found.len(), rates.len());
        for ((point, rate), sensitivity) in found.iter().rev().zip(rates).zip(sensitivities) {
            assert_close(point.false_positives_per_scan, rate, 1e-15, "rate");
            assert_close(point.sensitivity, sensitivity, 1e-15, "sensitivity");
            points += 1;
        }
        for (name, rates) in [("score_camelyon", Rates::camelyon16()), ("score_luna_points", Rates::luna16())]
        {
            assert_close(froc.cpm(&rates).expect("a score"), float(&expected[name]), 1e-14, name);
            scores += 1;
        }
    }
    assert_eq!((points, scores), (164, 6));
}

/// The points at which the counts turn, as scikit-learn's `roc_curve` keeps them.
fn turning(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let turns = |i: usize| {
        let bend = |axis: usize| points[i + 1][axis] - 2.0 * points[i][axis] + points[i - 1][axis];
        bend(0).abs() > 1e-9 || bend(1).abs() > 1e-9
    };
    let kept = |&i: &usize| i <= 1 || i + 1 == points.len() || turns(i);
    (0..points.len()).filter(kept).map(|i| points[i]).collect()
}

#[test]
fn cpm_follows_the_rules_of_luna16() {
    let (mut compared, mut points) = (0, 0);
    for case in golden("luna16") {
        let (mut outcomes, mut ignored, mut doubled) = (Vec::new(), 0, 0);
        let place = |v: &Value| <[f64; 3]>::try_from(numbers(&v["x"])).expect("three coordinates");
        for scan in list(&case["scans"]) {
            let of_scan = |name: &str| {
                let findings = list(&case[name]).iter().filter(|f| f["scan"] == *scan);
                findings.cloned().collect::<Vec<_>>()
            };
            let nodule = |v: &Value| Nodule {
                centre_mm: place(v),
                diameter_mm: float(&v["diameter"]),
                included: v["included"].as_bool().expect("a flag"),
            };
            let mark = |v: &Value| Mark { centre_mm: place(v), confidence: float(&v["p"]) };
            let nodules: Vec<_> = of_scan("nodules").iter().map(nodule).collect();
            let marks: Vec<_> = of_scan("candidates").iter().map(mark).collect();
            let found = luna16_scan(&nodules, &marks).expect("valid findings");
            ignored += found.ignored;
            doubled += found.doubled;
            outcomes.push(found.outcome);
        }
        let froc = Froc::new(&outcomes).expect("scans");
        let expected = &case["expected"];
        assert_eq!(Some(froc.references() as u64), expected["n_lesions"].as_u64());
        assert_eq!(Some(ignored as u64), expected["ignored_on_excluded"].as_u64());
        assert_eq!(Some(doubled as u64), expected["double_detections"].as_u64());
        let found = froc.points().expect("a curve");
        let last = found.last().expect("a point");
        let wrong = last.false_positives_per_scan * outcomes.len() as f64;
        assert_close(wrong, float(&expected["n_fp"]), 1e-12, "false positives");
        assert_close(
            last.sensitivity * froc.references() as f64,
            float(&expected["n_detected"]),
            1e-12,
            "hits",
        );
        let found: Vec<_> = found.iter().map(|p| [p.false_positives_per_scan, p.sensitivity]).collect();
        let expected_points = numbers(&expected["fps"]).into_iter().zip(numbers(&expected["sens"]));
        let found = turning(&found);
        assert_eq!(found.len(), expected_points.len(), "{found:?}");
        for (found, (rate, sensitivity)) in found.iter().zip(expected_points) {
            assert_close(found[0], rate, 1e-12, "rate");
            assert_close(found[1], sensitivity, 1e-12, "sensitivity");
            points += 1;
        }
        assert_eq!(Rates::luna16().rates(), [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]);
        let at = froc.sensitivities(&Rates::luna16()).expect("sensitivities");
        for (found, expected) in at.into_iter().zip(numbers(&expected["sens_at_points"])) {
            assert_close(found, expected, 1e-12, "sensitivity at a rate");
        }
        assert_close(froc.cpm(&Rates::luna16()).expect("a score"), float(&expected["cpm"]), 1e-12, "cpm");
        compared += 1;
    }
    assert_eq!((compared, points), (3, 17));
}

#[track_caller]
fn check_picai(cases: &[PicaiCase], expected: &Value, tolerance: f64) {
    let found = picai_score(cases).expect("cases");
    assert_close(found.auroc.expect("auroc"), float(&expected["auroc"]), tolerance, "auroc");
    assert_close(found.average_precision.expect("AP"), float(&expected["AP"]), tolerance, "AP");
    assert_close(found.score.expect("score"), float(&expected["score"]), tolerance, "score");
}

#[test]
fn picai_scores_of_lists_are_those_of_picai_eval() {
    let (mut compared, mut points) = (0, 0);
    for case in golden("picai_lists") {
        let findings = |list_: &Value| -> Vec<(bool, f64)> {
            list(list_).iter().map(|f| (float(&f[0]) > 0.0, float(&f[1]))).collect()
        };
        let results = case["lesion_results"].as_object().expect("cases");
        let found: Vec<PicaiCase> =
            results.values().map(|c| PicaiCase::from_findings(&findings(c)).expect("valid")).collect();
        let expected = &case["expected"];
        check_picai(&found, expected, 1e-12);
        let outcomes: Vec<_> = found.iter().map(|c| c.outcome().clone()).collect();
        let froc = Froc::new(&outcomes).expect("scans");
        assert_eq!(Some(froc.references() as u64), expected["num_lesions"].as_u64());
        let curve = froc.points().expect("a curve");
        let (tpr, fpr) = (numbers(&expected["lesion_TPR"]), numbers(&expected["lesion_FPR"]));
        // picai_eval adds a point at infinity for missed lesions and none at the origin.
        assert_eq!(curve.len(), fpr.len());
        for ((point, tpr), fpr) in curve[1..].iter().zip(tpr).zip(fpr) {
            assert_close(point.sensitivity, tpr, 1e-6, "lesion TPR");
            assert_close(point.false_positives_per_scan, fpr, 1e-6, "lesion FPR");
            points += 1;
        }
        let at = froc.sensitivities_within(&Rates::new(&[1.0]).expect("a rate")).expect("a value");
        assert_close(at[0], float(&expected["sens_at_fp1"]), 1e-6, "sensitivity at one false positive");
        compared += 1;
    }
    assert_eq!((compared, points), (3, 31));
}

/// Labels of the 26-connected components of equal-valued runs of foreground, 0 for background.
fn components(shape: &[usize], voxels: &[i64]) -> Vec<usize> {
    let at = |z: usize, y: usize, x: usize| (z * shape[1] + y) * shape[2] + x;
    let mut labels = vec![0; voxels.len()];
    let mut next = 0;
    for start in 0..voxels.len() {
        if voxels[start] == 0 || labels[start] != 0 {
            continue;
        }
        next += 1;
        labels[start] = next;
        let mut stack = vec![start];
        while let Some(i) = stack.pop() {
            let (z, y, x) = (i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]);
            for z in z.saturating_sub(1)..(z + 2).min(shape[0]) {
                for y in y.saturating_sub(1)..(y + 2).min(shape[1]) {
                    for x in x.saturating_sub(1)..(x + 2).min(shape[2]) {
                        let j = at(z, y, x);
                        if voxels[j] != 0 && labels[j] == 0 {
                            labels[j] = next;
                            stack.push(j);
                        }
                    }
                }
            }
        }
    }
    labels
}

#[test]
fn picai_scores_of_volumes_are_those_of_picai_eval() {
    let case = &golden("picai_volumes")[0];
    let mut found = Vec::new();
    for (case, expected) in list(&case["cases"]).iter().zip(0..) {
        let (shape, reference) = volume(&case["ref"]);
        let (_, confidence) = volume(&case["pred_conf_x100"]);
        let (lesions, candidates) = (components(&shape, &reference), components(&shape, &confidence));
        let count = |labels: &[usize]| labels.iter().copied().max().unwrap_or(0);
        let size = |labels: &[usize], k: usize| labels.iter().filter(|&&l| l == k).count() as f64;
        let mut overlaps = Vec::new();
        let mut confidences = Vec::new();
        for c in 1..=count(&candidates) {
            let highest = (0..candidates.len()).filter(|&i| candidates[i] == c).map(|i| confidence[i]).max();
            confidences.push(highest.expect("a voxel") as f64 / 100.0);
            for l in 1..=count(&lesions) {
                let shared =
                    (0..lesions.len()).filter(|&i| candidates[i] == c && lesions[i] == l).count() as f64;
                overlaps.push(shared / (size(&candidates, c) + size(&lesions, l) - shared));
            }
        }
        let case =
            PicaiCase::new(&confidences, count(&lesions), &overlaps, PICAI_MINIMUM_OVERLAP).expect("valid");
        let expected: i32 = expected;
        let pred = &golden("picai_volumes")[0]["expected"]["case_pred"][expected.to_string()];
        assert_close(case.confidence(), float(pred), 1e-6, "case confidence");
        found.push(case);
    }
    assert_eq!(found.len(), 8);
    check_picai(&found, &case["expected"], 1e-12);
}

#[test]
fn precision_is_that_of_pycocotools() {
    let mut compared = 0;
    for case in golden("coco_bbox") {
        let (references, candidates) = (list(&case["gt"]), list(&case["dt"]));
        let ids = |key: &str| -> BTreeSet<u64> {
            references.iter().chain(candidates).map(|o| o[key].as_u64().expect("an id")).collect()
        };
        let place = |o: &Value| {
            let b = numbers(&o["bbox"]);
            AxisBox::new([b[0], b[1]], [b[2], b[3]]).expect("a box")
        };
        let image = |image: u64, category: u64| {
            let here = |o: &&Value| o["image_id"] == image && o["category_id"] == category;
            let object = |o: &Value| {
                let crowd = o["iscrowd"] == 1;
                (place(o), ReferenceObject { size: float(&o["area"]), crowd, ignored: false })
            };
            let scored: Vec<_> =
                candidates.iter().filter(here).map(|o| (place(o), float(&o["score"]))).collect();
            let objects: Vec<_> = references.iter().filter(here).map(object).collect();
            ImageObjects::from_objects(&scored, &objects).expect("valid objects")
        };
        let category = |c| ids("image_id").into_iter().map(|i| image(i, c)).collect::<Vec<_>>();
        let found = coco_summary(&ids("category_id").into_iter().map(category).collect::<Vec<_>>());
        let [small, medium, large] = found.ap_by_size;
        let [one, ten, hundred] = found.ar_by_candidates;
        let [ar_small, ar_medium, ar_large] = found.ar_by_size;
        let pairs = [
            ("AP", found.ap),
            ("AP50", found.ap_50),
            ("AP75", found.ap_75),
            ("APs", small),
            ("APm", medium),
            ("APl", large),
            ("AR1", one),
            ("AR10", ten),
            ("AR100", hundred),
            ("ARs", ar_small),
            ("ARm", ar_medium),
            ("ARl", ar_large),
        ];
        for (name, found) in pairs {
            match float(&case["expected"][name]) {
                -1.0 => assert_eq!(found, Err(Undefined::ReferenceEmpty), "{name}"),
                expected => assert_close(found.expect("a value"), expected, 1e-12, name),
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
}
