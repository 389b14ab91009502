//! Tests of `instances`.

mod components;
mod laws;

use crate::golden::{assert_close, cases, number, numbers, volume};
use fiel_kernels::Undefined;
use fiel_kernels::components::{Components, Connectivity, Runs};
use fiel_kernels::instances::{
    BratsLesions, BratsRule, MaskPair, MatchRule, Matching, Overlaps, centroid_distance_mm,
};
use serde_json::Value;

/// The image with its axes in another order.
fn permuted(mask: &[u8], shape: [usize; 3], order: [usize; 3]) -> (Vec<u8>, [usize; 3]) {
    let turned = order.map(|axis| shape[axis]);
    let mut found = vec![0; mask.len()];
    for (at, &value) in mask.iter().enumerate() {
        let position = [at / shape[2] / shape[1], at / shape[2] % shape[1], at % shape[2]];
        let [z, y, x] = order.map(|axis| position[axis]);
        found[(z * turned[1] + y) * turned[2] + x] = value;
    }
    (found, turned)
}

/// Reference and prediction of a case, with the shape that its dimensions give.
fn masks(case: &Value) -> (Vec<u8>, Vec<u8>, [usize; 3]) {
    let read = |key: &str| {
        let (shape, voxels) = volume(&case[key]);
        let voxels: Vec<u8> = voxels.iter().map(|&v| u8::from(v != 0)).collect();
        (shape, voxels)
    };
    let ((shape, reference), (_, prediction)) = (read("ref"), read("pred"));
    let shape = match shape[..] {
        [rows, columns] => [1, rows, columns],
        [planes, rows, columns] => [planes, rows, columns],
        _ => panic!("a mask of {} dimensions", shape.len()),
    };
    (reference, prediction, shape)
}

fn overlaps(reference: &[u8], prediction: &[u8], shape: [usize; 3], connectivity: Connectivity) -> Overlaps {
    let of = |mask| Components::of_mask(mask, shape, connectivity).unwrap();
    Overlaps::between(&of(reference), &of(prediction)).unwrap()
}

/// The value, or NaN where there is none.
fn or_nan(value: Result<f64, Undefined>) -> f64 {
    value.unwrap_or(f64::NAN)
}

#[test]
fn components_and_their_iou_equal_cc3d() {
    let mut compared = 0;
    for case in cases("instance") {
        let (reference, prediction, shape) = masks(&case);
        let counts = &case["expected"]["n_components"];
        for (key, mask, connectivity) in [
            ("ref26", &reference, Connectivity::Corners),
            ("pred26", &prediction, Connectivity::Corners),
            ("ref6", &reference, Connectivity::Faces),
            ("pred6", &prediction, Connectivity::Faces),
            ("ref18", &reference, Connectivity::Edges),
        ] {
            let found = Components::of_mask(mask, shape, connectivity).unwrap();
            assert_eq!(found.len() as u64, counts[key].as_u64().unwrap(), "{} {key}", case["id"]);
            compared += 1;
        }
        let found = overlaps(&reference, &prediction, shape, Connectivity::Corners).iou_matrix();
        let expected = case["expected"]["iou_matrix_cc26"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let expected: Vec<f64> =
                expected.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            assert_eq!(found, &expected);
            compared += expected.len();
        }
    }
    assert_eq!(compared, 123);
}

/// Compares one group of panoptica's values; returns how many were numbers or stated as undefined.
fn compare_panoptica(matching: &Matching, expected: &Value, what: &str) -> usize {
    let counts = [("tp", matching.tp()), ("fp", matching.fp()), ("fn", matching.fn_())];
    for (key, found) in counts {
        assert_eq!(found as u64, expected[key].as_u64().unwrap(), "{what} {key}");
    }
    let values = [
        ("rq", matching.rq()),
        ("sq", matching.sq()),
        ("pq", matching.pq()),
        ("sq_dsc", matching.mean_dice()),
        ("prec", matching.lesion_precision()),
        ("rec", matching.lesion_sensitivity()),
    ];
    for (key, found) in values {
        let expected = match expected[key].as_str() {
            Some("unavailable:ZeroDivisionError") => f64::NAN,
            _ => number(&expected[key]).unwrap(),
        };
        assert_close(or_nan(found), expected, 1e-15, &format!("{what} {key}"));
    }
    counts.len() + values.len()
}

#[test]
fn panoptic_quality_equals_panoptica() {
    let mut compared = 0;
    for case in cases("instance") {
        let (reference, prediction, shape) = masks(&case);
        let overlaps = overlaps(&reference, &prediction, shape, Connectivity::Corners);
        for (key, rule) in [
            ("panoptica_naive_iou0.5", MatchRule::greedy_iou(0.5)),
            ("panoptica_naive_iou0.1", MatchRule::greedy_iou(0.1)),
            ("panoptica_bipartite_iou0.5", MatchRule::hungarian(0.5)),
            ("panoptica_maximize_merge", MatchRule::maximize_merge(0.5)),
        ] {
            let matching = overlaps.matched(rule.unwrap());
            let what = format!("{} {key}", case["id"]);
            compared += compare_panoptica(&matching, &case["expected"][key], &what);
        }
    }
    assert_eq!(compared, 6 * 4 * 9);
}

#[test]
fn matching_of_fragments_equals_panoptica() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fragments.json")).unwrap();
    let (mut compared, mut merged) = (0, 0);
    for case in &cases {
        let (reference, prediction, shape) = masks(case);
        let overlaps = overlaps(&reference, &prediction, shape, Connectivity::Corners);
        for result in case["results"].as_array().unwrap() {
            let threshold = result["threshold"].as_f64().unwrap();
            let rule = match result["rule"].as_str().unwrap() {
                "greedy_iou" => MatchRule::greedy_iou(threshold),
                "hungarian" => MatchRule::hungarian(threshold),
                "maximize_merge" => MatchRule::maximize_merge(threshold),
                other => panic!("{other}"),
            };
            let matching = overlaps.matched(rule.unwrap());
            merged += matching.pairs().iter().map(|m| m.merged.len()).sum::<usize>();
            for (key, found) in [("tp", matching.tp()), ("fp", matching.fp()), ("fn", matching.fn_())] {
                assert_eq!(found as u64, result[key].as_u64().unwrap(), "{key} of {result}");
            }
            for (key, found) in
                [("sq", matching.sq()), ("pq", matching.pq()), ("sq_dsc", matching.mean_dice())]
            {
                assert_close(found.unwrap(), number(&result[key]).unwrap(), 1e-14, key);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, cases.len() * 9);
    assert_eq!(merged, 7);
}

#[test]
fn panoptic_quality_is_near_monai_which_adds_1e_6_to_denominators() {
    let mut compared = 0;
    for case in cases("instance") {
        let (reference, prediction, shape) = masks(&case);
        let matching = overlaps(&reference, &prediction, shape, Connectivity::Corners)
            .matched(MatchRule::greedy_iou(0.5).unwrap());
        let expected = &case["expected"]["monai_panoptic_quality_iou0.5"];
        for (key, found) in [("pq", matching.pq()), ("sq", matching.sq()), ("rq", matching.rq())] {
            // Both empty is 0 there.
            assert_close(found.unwrap_or(0.0), number(&expected[key]).unwrap(), 2e-6, key);
            compared += 1;
        }
    }
    assert_eq!(compared, 18);
}

#[test]
fn lesion_wise_scores_equal_brats_2023() {
    let mut compared = 0;
    for case in cases("instance") {
        let (reference, prediction, shape) = masks(&case);
        for (key, rule) in [
            ("brats2023_MET_dil1_thr2", BratsRule::METASTASES),
            ("brats2023_GLI_dil3_thr50", BratsRule::GLIOMA),
        ] {
            let expected = &case["expected"][key];
            let what = format!("{} {key}", case["id"]);
            let found = BratsLesions::of(&reference, &prediction, shape, [1.0; 3], rule).unwrap();
            let counts = [("num_gt_tp", found.tp()), ("num_fp", found.fp()), ("num_fn", found.fn_())];
            for (key, found) in counts {
                assert_eq!(found as u64, expected[key].as_u64().unwrap(), "{what} {key}");
            }
            let lesions = expected["per_lesion"].as_array().unwrap();
            assert_eq!(found.lesions().len(), lesions.len());
            for (found, expected) in found.lesions().iter().zip(lesions) {
                assert_eq!(found.volume_mm3, expected["vol"].as_f64().unwrap(), "{what}");
                assert_close(found.dice, expected["dice"].as_f64().unwrap(), 1e-15, &what);
                assert_eq!(found.predictions.len() as u64, expected["npred"].as_u64().unwrap(), "{what}");
                compared += 3;
            }
            assert_close(found.dice(), number(&expected["lesionwise_dice"]).unwrap(), 1e-15, &what);
            // The distance itself belongs to `surface`; here the recorded one of each lesion stands in for it.
            let mut recorded = found.lesions().iter().zip(lesions).filter(|(found, expected)| {
                found.volume_mm3 > rule.ignored_mm3 && expected["npred"].as_u64().unwrap() > 0
            });
            let hd95 = found.hd95_mm(|pair| {
                let (lesion, expected) = recorded.next().unwrap();
                let voxels = pair.reference.iter().filter(|&&v| v == 1).count();
                assert_eq!(voxels as f64, lesion.volume_mm3);
                number(&expected["hd95"]).unwrap()
            });
            assert_close(hd95.unwrap(), number(&expected["lesionwise_hd95"]).unwrap(), 1e-15, &what);
            assert!(recorded.next().is_none(), "{what}: every counted lesion is measured");
            compared += 5;
        }
    }
    assert_eq!(compared, 12 * 5 + 3 * 16);
}

#[test]
fn centroid_distance_equals_metrics_reloaded() {
    let mut compared = 0;
    for case in cases("seg_overlap") {
        let Some(expected) = number(&case["expected"]["MetricsReloaded"]["com_dist"]) else { continue };
        let (reference, prediction, shape) = masks(&case);
        let spacing = numbers(&case["spacing"]);
        let spacing_mm = match spacing[..] {
            [y, x] => [1.0, y, x],
            [z, y, x] => [z, y, x],
            _ => panic!("a spacing of {} values", spacing.len()),
        };
        let of = |mask| Runs::of_mask(mask, shape).unwrap();
        let found = centroid_distance_mm(&of(&reference), &of(&prediction), spacing_mm).unwrap();
        // MetricsReloaded says -1 where a mask is empty.
        assert_close(found.unwrap_or(-1.0), expected, 1e-12, &case["id"].to_string());
        assert_eq!(found.is_err(), case["id"].as_str().unwrap().contains("empty"));
        compared += 1;
    }
    assert_eq!(compared, 27);
}

/// Mean of the two mean distances between border voxels, by comparing all of them; unit spacing.
fn mean_border_distance(pair: &MaskPair) -> f64 {
    let [planes, rows, width] = pair.shape.map(|n| n as isize);
    let border = |mask: &[u8]| {
        let at = |z: isize, y: isize, x: isize| {
            let inside = (0..planes).contains(&z) && (0..rows).contains(&y) && (0..width).contains(&x);
            inside && mask[((z * rows + y) * width + x) as usize] == 1
        };
        let mut found = Vec::new();
        for z in 0..planes {
            for y in 0..rows {
                for x in 0..width {
                    let inner = at(z - 1, y, x)
                        && at(z + 1, y, x)
                        && at(z, y - 1, x)
                        && at(z, y + 1, x)
                        && at(z, y, x - 1)
                        && at(z, y, x + 1);
                    if at(z, y, x) && !inner {
                        found.push([z, y, x]);
                    }
                }
            }
        }
        found
    };
    let (reference, prediction) = (border(&pair.reference), border(&pair.prediction));
    let square = |a: &[isize; 3], b: &[isize; 3]| (0..3).map(|i| (a[i] - b[i]).pow(2)).sum::<isize>();
    let mean = |from: &[[isize; 3]], to: &[[isize; 3]]| {
        let nearest = |a: &[isize; 3]| (to.iter().map(|b| square(a, b)).min().unwrap() as f64).sqrt();
        from.iter().map(nearest).sum::<f64>() / from.len() as f64
    };
    f64::midpoint(mean(&reference, &prediction), mean(&prediction, &reference))
}

#[test]
fn measures_of_matched_instances_equal_panoptica() {
    let mut compared = 0;
    for case in cases("instance") {
        let (reference, prediction, shape) = masks(&case);
        let of = |mask| Components::of_mask(mask, shape, Connectivity::Corners).unwrap();
        let (reference, prediction) = (of(&reference), of(&prediction));
        for threshold in [0.5, 0.1] {
            let rule = MatchRule::greedy_iou(threshold).unwrap();
            let matching = Overlaps::between(&reference, &prediction).unwrap().matched(rule);
            let expected = &case["expected"][format!("panoptica_naive_iou{threshold}")];
            let distance =
                matching.mean_over_masks(&reference, &prediction, |pair| Ok(mean_border_distance(pair)));
            // Without a pair panoptica says NaN or infinite.
            let assd = number(&expected["sq_assd"]).unwrap();
            let rvd = number(&expected["sq_rvd"]).unwrap();
            match distance {
                Ok(found) => assert_close(found, assd, 1e-12, "sq_assd"),
                Err(_) => assert!(!assd.is_finite() && matching.tp() == 0),
            }
            assert_close(or_nan(matching.mean_relative_volume_error()), rvd, 1e-12, "sq_rvd");
            compared += 2;
        }
    }
    assert_eq!(compared, 24);
}
