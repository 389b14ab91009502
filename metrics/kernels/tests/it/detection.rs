//! Detection kernels against reference values, brute force and laws.

#![allow(clippy::float_cmp, reason = "literal values are met exactly")]

use crate::golden::{assert_close, cases, number, numbers, volume};
use fiel_kernels::detection::assignment::{largest_weight, least_cost};
use fiel_kernels::detection::{
    AxisBox, CurveEnd, Froc, HitCriterion, Hits, ImageObjects, Mark, Matching, Nodule, PICAI_MINIMUM_OVERLAP,
    PicaiCase, PrecisionSettings, PrecisionTable, Rates, ReferenceObject, Resampling, ScanOutcome,
    coco_summary, luna16_scan, picai_score,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;
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
fn pooled(hits: &[f64], false_positives: &[f64], references: usize, scans: usize) -> Vec<ScanOutcome> {
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

fn box_2(corner: [f64; 2], extent: [f64; 2]) -> AxisBox<2> {
    AxisBox::new(corner, extent).expect("a box")
}

#[test]
fn boxes_are_compared_exactly() {
    let a = box_2([0.0, 0.0], [4.0, 2.0]);
    assert_eq!(a.iou(&box_2([2.0, 1.0], [4.0, 2.0])), 2.0 / 14.0);
    assert_eq!(a.iou(&box_2([4.0, 0.0], [4.0, 2.0])), 0.0);
    assert_eq!(a.iou(&box_2([0.0, -5.0], [4.0, 2.0])), 0.0);
    assert_eq!(a.share_in(&box_2([1.0, 0.0], [9.0, 9.0])), 0.75);
    let flat = box_2([1.0, 1.0], [0.0, 0.0]);
    assert_eq!((flat.iou(&flat), flat.share_in(&a), flat.size()), (0.0, 0.0, 0.0));
    let cube = AxisBox::new([0.0; 3], [2.0; 3]).expect("a box");
    assert_eq!(cube.iou(&AxisBox::new([1.0; 3], [2.0; 3]).expect("a box")), 1.0 / 15.0);
    assert_eq!(a.intersection(&box_2([1.0, -1.0], [9.0, 2.5])), 3.0 * 1.5);
    assert_eq!(cube.intersection(&AxisBox::new([-1.0, 1.5, 0.5], [2.0; 3]).expect("a box")), 1.0 * 0.5 * 1.5);
}

#[test]
fn boxes_that_are_none_are_refused() {
    let refused = |corner, extent| match AxisBox::new(corner, extent) {
        Err(InputError::Value { what, index, .. }) => (what, index),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused([0.0, f64::NAN], [1.0, 1.0]), ("box corner", 1));
    assert_eq!(refused([0.0, f64::INFINITY], [1.0, 1.0]), ("box corner", 1));
    assert_eq!(refused([0.0, 0.0], [-1.0, 1.0]), ("box extent", 0));
    assert_eq!(refused([0.0, 0.0], [1.0, f64::NAN]), ("box extent", 1));
    assert_eq!(refused([0.0, 1e200], [1.0, 1.0]), ("box extent", 1));
}

#[test]
fn hit_criteria_hold_at_their_borders() {
    let reference = box_2([0.0, 0.0], [4.0, 4.0]);
    let half = box_2([2.0, 0.0], [4.0, 4.0]);
    let check =
        |criterion: HitCriterion, expected| assert_eq!(criterion.affinity(&half, &reference), expected);
    check(HitCriterion::IouAtLeast(1.0 / 3.0), Some(1.0 / 3.0));
    check(HitCriterion::IouAtLeast(0.34), None);
    check(HitCriterion::OverlapAtLeast(0.5), Some(0.5));
    check(HitCriterion::OverlapAtLeast(0.51), None);
    check(HitCriterion::DistanceAtMost(4.0), Some(0.5));
    check(HitCriterion::DistanceAtMost(2.0), Some(f64::MIN_POSITIVE));
    check(HitCriterion::DistanceAtMost(1.9), None);
    check(HitCriterion::WithinRadius, None);
    check(HitCriterion::CentreInside, Some(1.0));
    let near = box_2([1.0, 0.0], [4.0, 4.0]);
    assert_eq!(HitCriterion::WithinRadius.affinity(&near, &reference), Some(0.5));
    let outside = box_2([2.1, 0.0], [4.0, 4.0]);
    assert_eq!(HitCriterion::CentreInside.affinity(&outside, &reference), None);
    let below = box_2([-2.0, -2.1], [4.0, 4.0]);
    assert_eq!(HitCriterion::CentreInside.affinity(&below, &reference), None);
    assert_eq!(HitCriterion::DistanceAtMost(0.0).affinity(&reference, &reference), Some(1.0));
    let apart = box_2([4.0, 0.0], [4.0, 4.0]);
    assert_eq!(HitCriterion::IouAtLeast(0.0).affinity(&apart, &reference), None);
    for criterion in [
        HitCriterion::IouAtLeast(1.1),
        HitCriterion::OverlapAtLeast(-0.1),
        HitCriterion::DistanceAtMost(f64::INFINITY),
        HitCriterion::DistanceAtMost(f64::NAN),
    ] {
        let found = Hits::from_boxes(&[half], &[reference], criterion);
        assert!(matches!(found, Err(InputError::Setting { .. })), "{found:?}");
    }
}

#[test]
fn hits_refuse_what_is_wrong() {
    assert!(matches!(
        Hits::from_overlaps(2, 2, &[0.1; 3], 0.1),
        Err(InputError::Length { right_len: 3, .. })
    ));
    assert!(matches!(Hits::from_overlaps(1, 2, &[0.1, 1.1], 0.1), Err(InputError::Value { index: 1, .. })));
    assert!(matches!(Hits::from_overlaps(1, 1, &[f64::NAN], 0.1), Err(InputError::Value { index: 0, .. })));
    assert!(matches!(Hits::from_overlaps(1, 1, &[0.1], f64::NAN), Err(InputError::Setting { .. })));
    let hits = Hits::from_overlaps(2, 1, &[0.1, 0.0], 0.1).expect("valid");
    assert_eq!((hits.candidates(), hits.references()), (2, 1));
    assert_eq!(
        (hits.get(0, 0), hits.get(1, 0), hits.get(2, 0), hits.get(0, 1)),
        (Some(0.1), None, None, None)
    );
    assert_eq!((hits.hits_any(0), hits.hits_any(1)), (true, false));
    assert!(matches!(hits.matched(&Matching::ByConfidence(&[0.1])), Err(InputError::Length { .. })));
    assert!(matches!(hits.matched(&Matching::ByConfidence(&[0.1, f64::NAN])), Err(InputError::Value { .. })));
    // Without a minimum, no overlap is still no hit.
    let hits = Hits::from_overlaps(1, 1, &[0.0], 0.0).expect("valid");
    assert_eq!(hits.matched(&Matching::Optimal), Ok(vec![None]));
    assert_eq!(hits.matched(&Matching::ByOverlap), Ok(vec![None]));
}

#[test]
fn the_three_ways_of_matching_differ_where_they_should() {
    // Rows: candidates. The first prefers the first reference, which is all the second can have.
    let hits = Hits::from_overlaps(3, 2, &[0.6, 0.5, 0.55, 0.0, 0.0, 0.2], 0.1).expect("valid");
    assert_eq!(hits.matched(&Matching::Optimal), Ok(vec![Some(1), Some(0), None]));
    assert_eq!(hits.matched(&Matching::ByOverlap), Ok(vec![Some(0), None, Some(1)]));
    assert_eq!(hits.matched(&Matching::ByConfidence(&[0.1, 0.2, 0.3])), Ok(vec![None, Some(0), Some(1)]));
    assert_eq!(hits.matched(&Matching::ByConfidence(&[0.9, 0.2, 0.3])), Ok(vec![Some(0), None, Some(1)]));
    // Ties: the first candidate and the first reference.
    let tied = Hits::from_overlaps(2, 2, &[0.5; 4], 0.1).expect("valid");
    for matching in [Matching::Optimal, Matching::ByOverlap, Matching::ByConfidence(&[0.5, 0.5])] {
        assert_eq!(tied.matched(&matching), Ok(vec![Some(0), Some(1)]), "{matching:?}");
    }
}

#[test]
fn picai_leaves_out_candidates_that_overlap_without_being_matched() {
    let case = PicaiCase::new(&[0.9, 0.8, 0.7], 1, &[0.2, 0.5, 0.05], 0.1).expect("valid");
    assert_eq!(*case.outcome(), ScanOutcome::new(&[0.8], &[0.7], 1).expect("valid"));
    assert_eq!(case.confidence(), 0.9);
    for confidence in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(PicaiCase::new(&[confidence], 0, &[], 0.1).is_err());
    }
    assert!(PicaiCase::from_findings(&[(true, 0.1), (true, -0.1)]).is_err());
    assert_eq!(picai_score(&[]), Err(InputError::Empty("scans")));
    let healthy = PicaiCase::new(&[], 0, &[], 0.1).expect("valid");
    let found = picai_score(&[healthy]).expect("cases");
    assert_eq!(found.auroc, Err(Undefined::OneClass));
    assert_eq!(found.average_precision, Err(Undefined::ReferenceEmpty));
    assert_eq!(found.score, Err(Undefined::OneClass));
    let found = picai_score(&[case]).expect("cases");
    assert_eq!((found.auroc, found.average_precision), (Err(Undefined::OneClass), Ok(1.0)));
}

#[test]
fn froc_reads_its_curve_at_every_kind_of_place() {
    let scans = pooled(&[0.9, 0.5], &[0.9, 0.6, 0.3], 4, 2);
    let froc = Froc::new(&scans).expect("scans");
    let points: Vec<_> =
        froc.points().expect("a curve").iter().map(|p| (p.threshold, p.sensitivity)).collect();
    assert_eq!(points, [(f64::INFINITY, 0.0), (0.9, 0.25), (0.6, 0.25), (0.5, 0.5), (0.3, 0.5)]);
    // Rates are 0, 0.5, 1, 1 and 1.5; unsorted rates are read as well.
    let rates = Rates::new(&[1.0, 0.25, 0.0, 9.0, 1.25]).expect("rates");
    assert_eq!(froc.sensitivities(&rates), Ok(vec![0.5, 0.125, 0.0, 0.5, 0.5]));
    assert_eq!(froc.sensitivities_within(&rates), Ok(vec![0.5, 0.0, 0.0, 0.5, 0.5]));
    assert_eq!(froc.rate_at_sensitivity(0.25), Ok(0.5));
    assert_eq!(froc.rate_at_sensitivity(0.26), Ok(1.0));
    assert_eq!(froc.rate_at_sensitivity(0.51), Err(Undefined::NotReached));
    assert_eq!(froc.average_precision(), Ok(0.25 * 0.5 + 0.25 * 0.5));
    assert_eq!(froc.cpm(&rates), Ok((0.5 + 0.125 + 0.5 + 0.5) / 5.0));
}

#[test]
fn froc_without_findings_or_references_is_defined_or_undefined() {
    assert_eq!(Froc::new(&[]).err(), Some(InputError::Empty("scans")));
    let none = Froc::new(&pooled(&[], &[0.5], 0, 2)).expect("scans");
    let plan = Resampling::new(10, 1, 0.95).expect("a plan");
    assert_eq!(none.cpm(&Rates::luna16()), Err(Undefined::ReferenceEmpty));
    assert_eq!(none.points(), Err(Undefined::ReferenceEmpty));
    assert_eq!(none.average_precision(), Err(Undefined::ReferenceEmpty));
    assert_eq!(none.bootstrap(&Rates::luna16(), plan), Err(Undefined::ReferenceEmpty));
    let missed = Froc::new(&pooled(&[], &[], 3, 2)).expect("scans");
    assert_eq!(missed.cpm(&Rates::luna16()), Ok(0.0));
    assert_eq!(missed.average_precision(), Ok(0.0));
    assert!(ScanOutcome::new(&[0.5, f64::NAN], &[], 3).is_err());
    assert!(ScanOutcome::new(&[0.5], &[f64::INFINITY], 3).is_err());
    assert!(ScanOutcome::new(&[0.5], &[], 1).is_ok());
    assert!(ScanOutcome::new(&[0.5, 0.5], &[], 1).is_err());
    for bad in [&[][..], &[-0.1], &[f64::NAN], &[1.0, f64::INFINITY]] {
        assert!(Rates::new(bad).is_err());
    }
    for (resamples, level) in [(0, 0.95), (1_000_001, 0.95), (10, 0.0), (10, 1.0), (10, f64::NAN)] {
        assert!(Resampling::new(resamples, 1, level).is_err());
    }
    assert!(Resampling::new(1_000_000, 1, 0.5).is_ok());
}

#[test]
fn froc_bootstraps_are_the_same_for_any_number_of_threads() {
    let scan = |i: u32| {
        let p = f64::from(i * 37 % 101) / 101.0;
        ScanOutcome::new(&[p], &[1.0 - p, p * p], 1 + (i % 2) as usize).expect("valid")
    };
    let scans: Vec<_> = (0..40).map(scan).collect();
    let froc = Froc::new(&scans).expect("scans");
    let run = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let plan = Resampling::new(300, seed, 0.95).expect("a plan");
        pool.install(|| froc.bootstrap(&Rates::luna16(), plan)).expect("intervals")
    };
    let one = run(1, 5);
    assert_eq!(one, run(2, 5));
    assert_eq!(one, run(8, 5));
    assert_ne!(one, run(1, 6));
    let cpm = froc.cpm(&Rates::luna16()).expect("a score");
    assert!(one.cpm[0] < cpm && cpm < one.cpm[1], "{cpm} {one:?}");
    assert_eq!((one.sensitivities.len(), one.undefined), (7, 0));
    for [lo, hi] in one.sensitivities {
        assert!(0.0 <= lo && lo < hi && hi <= 1.0);
    }
}

#[test]
fn froc_bootstraps_count_resamples_without_references() {
    // Two scans, references in one: a quarter of the resamples draws the other one twice.
    let froc = Froc::new(&pooled(&[0.5], &[], 1, 2)).expect("scans");
    let plan = Resampling::new(1000, 3, 0.95).expect("a plan");
    let found = froc.bootstrap(&Rates::luna16(), plan).expect("intervals");
    assert!(found.undefined > 200 && found.undefined < 300, "{}", found.undefined);
    assert_eq!(found.cpm, [1.0, 1.0]);
}

#[test]
fn luna16_counts_each_mark_once_per_role() {
    let nodule = |x, diameter_mm, included| Nodule { centre_mm: [x, 0.0, 0.0], diameter_mm, included };
    let mark = |x, confidence| Mark { centre_mm: [x, 0.0, 0.0], confidence };
    // One mark on two included nodules hits both; on an included and an excluded one it is a hit.
    let nodules =
        [nodule(0.0, 4.0, true), nodule(1.0, 4.0, true), nodule(2.0, 4.0, false), nodule(20.0, -1.0, true)];
    let found = luna16_scan(&nodules, &[mark(0.5, 0.8), mark(3.9, 0.7), mark(24.9, 0.6), mark(15.0, 0.5)]);
    let found = found.expect("valid findings");
    assert_eq!(found.outcome, ScanOutcome::new(&[0.8, 0.8, 0.6], &[0.5], 3).expect("valid"));
    assert_eq!((found.ignored, found.doubled), (1, 0));
    assert!(luna16_scan(&[nodule(f64::NAN, 4.0, true)], &[]).is_err());
    assert!(luna16_scan(&[nodule(0.0, f64::INFINITY, true)], &[]).is_err());
    assert!(luna16_scan(&[], &[mark(f64::NAN, 0.1)]).is_err());
    assert!(luna16_scan(&[], &[mark(0.0, f64::NAN)]).is_err());
}

#[test]
fn precision_treats_crowds_and_ignored_objects_as_pycocotools() {
    let object = |size, crowd, ignored| ReferenceObject { size, crowd, ignored };
    let evaluate = |references: &[ReferenceObject], overlaps: &[f64]| {
        let scores = [0.9, 0.8, 0.7];
        let image = ImageObjects::new(&scores, &[50.0; 3], references, overlaps).expect("valid");
        let settings = PrecisionSettings::coco().with_thresholds(&[0.5]).expect("a threshold");
        let table = PrecisionTable::new(&[vec![image]], &settings);
        (table.average_precision(0, 0), table.mean_recall())
    };
    // Two candidates on one object: the second is a false positive, after the only hit.
    let plain = object(50.0, false, false);
    assert_eq!(evaluate(&[plain], &[0.9, 0.8, 0.0]), (Ok(1.0), Ok(1.0)));
    // The wrong ones first: precision one third.
    let (ap, recall) = evaluate(&[plain], &[0.0, 0.0, 0.8]);
    assert_close(ap.expect("a value"), 1.0 / 3.0, 1e-12, "after two false positives");
    assert_eq!(recall, Ok(1.0));
    // Both candidates on a crowd are ignored, so that the third has precision one.
    let crowd = object(50.0, true, false);
    let overlaps = [0.0, 0.9, 0.0, 0.9, 0.8, 0.0];
    assert_eq!(evaluate(&[plain, crowd], &overlaps).0, Ok(1.0));
    // An ignored object takes one candidate only.
    let ignored = object(50.0, false, true);
    let (ap, _) = evaluate(&[plain, ignored], &overlaps);
    assert_close(ap.expect("a value"), 0.5, 1e-12, "after one false positive");
    // An object that counts is preferred although the ignored one overlaps more.
    let both = [0.6, 0.9, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(evaluate(&[plain, ignored], &both).0, Ok(1.0));
    assert_eq!(
        evaluate(&[ignored], &[0.9, 0.9, 0.9]),
        (Err(Undefined::ReferenceEmpty), Err(Undefined::ReferenceEmpty))
    );
}

#[test]
fn precision_settings_and_objects_are_checked() {
    let object = ReferenceObject { size: 1.0, crowd: false, ignored: false };
    let new = ImageObjects::new;
    assert!(new(&[f64::NAN], &[1.0], &[object], &[0.5]).is_err());
    assert!(new(&[0.5], &[-1.0], &[object], &[0.5]).is_err());
    assert!(new(&[0.5], &[1.0, 2.0], &[object], &[0.5]).is_err());
    assert!(new(&[0.5], &[1.0], &[object], &[0.5, 0.5]).is_err());
    assert!(new(&[0.5], &[1.0], &[object], &[-0.5]).is_err());
    assert!(new(&[0.5], &[1.0], &[ReferenceObject { size: f64::NAN, ..object }], &[0.5]).is_err());
    let coco = PrecisionSettings::coco();
    assert!(coco.clone().with_thresholds(&[0.5, 1.1]).is_err());
    assert!(coco.clone().with_thresholds(&[0.0, 1.0]).is_ok());
    assert!(coco.clone().with_sizes([f64::NAN, 1.0]).is_err());
    // Sizes at both ends of the range belong to it.
    let image = |size| {
        vec![vec![new(&[0.5], &[size], &[ReferenceObject { size, ..object }], &[0.5]).expect("valid")]]
    };
    let mean = |size| {
        let settings = PrecisionSettings::coco().with_sizes([1.0, 2.0]).expect("a range");
        PrecisionTable::new(&image(size), &settings.with_thresholds(&[0.5]).expect("one"))
            .mean_average_precision()
    };
    assert_eq!((mean(1.0), mean(2.0)), (Ok(1.0), Ok(1.0)));
    assert_eq!((mean(0.9), mean(2.1)), (Err(Undefined::ReferenceEmpty), Err(Undefined::ReferenceEmpty)));
}

#[test]
fn recall_counts_the_best_candidates_of_each_image_only() {
    let place = |x: f64| box_2([10.0 * x, 0.0], [4.0, 4.0]);
    // Three objects; the best of the five candidates lies nowhere.
    let candidates =
        [(place(9.0), 0.9), (place(0.0), 0.8), (place(1.0), 0.7), (place(8.0), 0.6), (place(2.0), 0.5)];
    let image = ImageObjects::from_boxes(&candidates, &[place(0.0), place(1.0), place(2.0)]).expect("valid");
    let recall = |most: usize| {
        let settings = PrecisionSettings::coco().with_candidates_max(most);
        PrecisionTable::new(&[vec![image.clone()]], &settings).mean_recall().expect("objects")
    };
    let found = [0, 1, 2, 3, 4, 5, 6].map(recall);
    let expected = [0.0, 0.0, 1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 1.0, 1.0];
    for (found, expected) in found.into_iter().zip(expected) {
        assert_close(found, expected, 1e-15, "recall");
    }
}

#[test]
fn assignment_refuses_what_is_wrong_and_pairs_what_it_can() {
    assert!(matches!(least_cost(2, 2, &[0.0; 3]), Err(InputError::Length { left_len: 4, right_len: 3, .. })));
    assert!(matches!(least_cost(1, 2, &[0.0, f64::NAN]), Err(InputError::Value { index: 1, .. })));
    assert!(matches!(least_cost(1, 1, &[1e101]), Err(InputError::Value { .. })));
    assert!(matches!(least_cost(usize::MAX, 2, &[]), Err(InputError::TooLarge { .. })));
    assert_eq!(least_cost(0, 3, &[]), Ok(vec![]));
    assert_eq!(least_cost(2, 0, &[]), Ok(vec![None, None]));
    assert_eq!(largest_weight(3, 3, &[0.5; 9]), Ok(vec![Some(0), Some(1), Some(2)]));
    assert_eq!(least_cost(1, 3, &[0.5; 3]), Ok(vec![Some(0)]));
    assert_eq!(least_cost(3, 1, &[0.5; 3]), Ok(vec![Some(0), None, None]));
}

/// Hits, false positives, and reference findings that were missed.
type Scan = (Vec<u32>, Vec<u32>, usize);

/// The least total cost over all ways to pair each of the rows (no more than columns).
fn least_by_trying(rows: &[&[f64]], taken: &mut Vec<usize>) -> f64 {
    let Some((first, rest)) = rows.split_first() else { return 0.0 };
    let mut best = f64::INFINITY;
    for column in 0..first.len() {
        if !taken.contains(&column) {
            taken.push(column);
            best = best.min(first[column] + least_by_trying(rest, taken));
            taken.pop();
        }
    }
    best
}

proptest! {
    #[test]
    fn assignments_cost_no_more_than_any_other(
        columns in 1_usize..6,
        cells in prop::collection::vec(-8_i32..8, 36),
        rows in 1_usize..6,
    ) {
        let costs: Vec<f64> = cells.iter().take(rows * columns).map(|&c| f64::from(c) / 4.0).collect();
        let found = least_cost(rows, columns, &costs).expect("valid costs");
        let mut used = BTreeSet::new();
        let mut total = 0.0;
        for (row, column) in found.iter().enumerate() {
            if let Some(column) = column {
                prop_assert!(used.insert(*column));
                total += costs[row * columns + column];
            }
        }
        prop_assert_eq!(used.len(), rows.min(columns));
        let lines: Vec<Vec<f64>> = if rows <= columns {
            costs.chunks(columns).map(<[f64]>::to_vec).collect()
        } else {
            (0..columns).map(|c| (0..rows).map(|r| costs[r * columns + c]).collect()).collect()
        };
        let lines: Vec<&[f64]> = lines.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(total, least_by_trying(&lines, &mut Vec::new()));
    }

    #[test]
    fn froc_does_not_depend_on_the_order_of_scans(
        scans in prop::collection::vec(
            (prop::collection::vec(0_u32..20, 0..3), prop::collection::vec(0_u32..20, 0..5), 0_usize..3), 1..8),
        turn in 0_usize..8,
    ) {
        let real = |v: &Vec<u32>| v.iter().map(|&c| f64::from(c) / 20.0).collect::<Vec<_>>();
        let mut outcomes: Vec<_> = scans
            .iter()
            .map(|(hits, wrong, missed)| {
                ScanOutcome::new(&real(hits), &real(wrong), hits.len() + missed).expect("valid")
            })
            .collect();
        let before = Froc::new(&outcomes).expect("scans");
        let turn = turn % outcomes.len();
        outcomes.rotate_left(turn);
        let after = Froc::new(&outcomes).expect("scans");
        prop_assert_eq!(before.points(), after.points());
        prop_assert_eq!(before.cpm(&Rates::luna16()), after.cpm(&Rates::luna16()));
        prop_assert_eq!(before.average_precision(), after.average_precision());
        // Brute force: at each threshold, count.
        if let Ok(points) = before.points() {
            for point in points {
                let count = |list: fn(&Scan) -> &Vec<u32>| {
                    let all = scans.iter().flat_map(list);
                    all.filter(|&&c| f64::from(c) / 20.0 >= point.threshold).count() as f64
                };
                let references: usize = scans.iter().map(|s| s.0.len() + s.2).sum();
                prop_assert_eq!(point.false_positives_per_scan, count(|s| &s.1) / scans.len() as f64);
                prop_assert_eq!(point.sensitivity, count(|s| &s.0) / references as f64);
            }
        }
    }

    #[test]
    fn iou_is_symmetric_and_invariant_under_axis_permutation(
        a in prop::array::uniform3((-5.0_f64..5.0, 0.0_f64..5.0)),
        b in prop::array::uniform3((-5.0_f64..5.0, 0.0_f64..5.0)),
    ) {
        let make = |v: [(f64, f64); 3]| AxisBox::new(v.map(|p| p.0), v.map(|p| p.1)).expect("a box");
        let turn = |v: [(f64, f64); 3]| [v[2], v[0], v[1]];
        let iou = make(a).iou(&make(b));
        prop_assert_eq!(iou, make(b).iou(&make(a)));
        prop_assert!((iou - make(turn(a)).iou(&make(turn(b)))).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&iou));
    }
}
