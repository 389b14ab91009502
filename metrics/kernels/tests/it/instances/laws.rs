//! Laws of the overlap table, the matching rules and the lesion-wise scores.

use super::{overlaps, permuted};
use fiel_kernels::components::{Components, Connectivity, Runs};
use fiel_kernels::instances::{
    BratsLesions, BratsRule, MaskPair, MatchRule, Matching, Overlaps, assign_best, centroid_distance_mm,
    false_negative_volume_ml, false_positive_volume_ml,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

fn map(values: u8, shape: [usize; 3]) -> impl Strategy<Value = Vec<u8>> {
    // Long stretches of one value, so that instances are larger than a voxel.
    let stretch = (0..=values, 1usize..5);
    let length = shape.iter().product::<usize>();
    proptest::collection::vec(stretch, length).prop_map(move |stretches| {
        stretches
            .into_iter()
            .flat_map(|(value, times)| std::iter::repeat_n(value, times))
            .take(length)
            .collect()
    })
}

const SHAPE: [usize; 3] = [4, 5, 9];

fn brute_matrix(reference: &Components, prediction: &Components) -> Vec<Vec<f64>> {
    let (a, b) = (reference.map(), prediction.map());
    let count = |f: &dyn Fn(u32, u32) -> bool| a.iter().zip(&b).filter(|&(&a, &b)| f(a, b)).count() as f64;
    let rows = 1..=reference.len() as u32;
    let cell = |i, j| count(&|a, b| a == i && b == j) / count(&|a, b| a == i || b == j);
    rows.map(|i| (1..=prediction.len() as u32).map(|j| cell(i, j)).collect()).collect()
}

/// The largest total of any one-to-one pairing, by trying them all.
fn best_total(scores: &[f64], columns: usize, least: f64, row: usize, taken: u32) -> f64 {
    if row * columns >= scores.len() {
        return 0.0;
    }
    let mut best = best_total(scores, columns, least, row + 1, taken);
    for column in 0..columns {
        let score = scores[row * columns + column];
        if taken >> column & 1 == 0 && score >= least {
            best = best.max(score + best_total(scores, columns, least, row + 1, taken | 1 << column));
        }
    }
    best
}

/// The voxels at most `times` steps of 18-neighbourhood away.
fn dilated(mask: &[u8], [planes, rows, width]: [usize; 3], times: u32) -> Vec<u8> {
    let mut mask = mask.to_vec();
    for _ in 0..times {
        let before = mask.clone();
        for at in 0..mask.len() {
            let (z, y, x) = (at / width / rows, at / width % rows, at % width);
            for other in 0..mask.len() {
                let (p, r, c) = (other / width / rows, other / width % rows, other % width);
                let far = [z.abs_diff(p), y.abs_diff(r), x.abs_diff(c)];
                if before[other] != 0 && far.iter().all(|&d| d <= 1) && far.iter().sum::<usize>() <= 2 {
                    mask[at] = 1;
                }
            }
        }
        assert!(planes * rows * width == mask.len());
    }
    mask
}

/// BraTS 2023 as its evaluation code goes: lesion by lesion over whole volumes. (TP, FP, FN, Dice).
fn brats_by_steps(reference: &[u8], prediction: &[u8], rule: BratsRule) -> (usize, usize, usize, f64) {
    let of = |mask: &[u8]| Components::of_mask(mask, SHAPE, Connectivity::Corners).unwrap().map();
    let predicted = of(prediction);
    let joined = of(&dilated(reference, SHAPE, rule.dilations));
    let (mut tp, mut missed, mut sum) = (0, 0, 0.0);
    let mut met = Vec::new();
    for lesion in 1..=joined.iter().copied().max().unwrap_or(0) {
        let own: Vec<u8> =
            joined.iter().zip(reference).map(|(&j, &r)| u8::from(j == lesion && r != 0)).collect();
        let near = dilated(&own, SHAPE, rule.dilations);
        let mut touching: Vec<u32> =
            predicted.iter().zip(&near).filter(|&(&p, &n)| p != 0 && n != 0).map(|(&p, _)| p).collect();
        touching.sort_unstable();
        touching.dedup();
        met.extend(&touching);
        let volume = own.iter().filter(|&&v| v == 1).count() as f64;
        if volume <= rule.ignored_mm3 {
            continue;
        }
        let theirs: Vec<bool> = predicted.iter().map(|p| touching.contains(p)).collect();
        let shared = own.iter().zip(&theirs).filter(|&(&o, &t)| o == 1 && t).count() as f64;
        let size = theirs.iter().filter(|&&t| t).count() as f64;
        sum += 2.0 * shared / (volume + size);
        if touching.is_empty() { missed += 1 } else { tp += 1 }
    }
    let fp = (1..=predicted.iter().copied().max().unwrap_or(0)).filter(|p| !met.contains(p)).count();
    let all = tp + missed + fp;
    (tp, fp, missed, if all == 0 { 1.0 } else { sum / all as f64 })
}

proptest! {
    #[test]
    fn the_table_equals_counting_voxels((a, b) in (map(3, SHAPE), map(3, SHAPE))) {
        let of = |map: &[u8]| Components::of_instances(map, SHAPE).unwrap();
        let (reference, prediction) = (of(&a), of(&b));
        let table = Overlaps::between(&reference, &prediction).unwrap();
        prop_assert_eq!(table.iou_matrix(), brute_matrix(&reference, &prediction));
        let masks = |map: &[u8]| map.iter().map(|&v| u8::from(v > 1)).collect::<Vec<_>>();
        let of = |map: &[u8]| Components::of_mask(&masks(map), SHAPE, Connectivity::Faces).unwrap();
        let (reference, prediction) = (of(&a), of(&b));
        let table = Overlaps::between(&reference, &prediction).unwrap();
        prop_assert_eq!(table.iou_matrix(), brute_matrix(&reference, &prediction));
    }

    #[test]
    fn pairs_above_half_are_the_same_by_every_rule((a, b) in (map(6, SHAPE), map(6, SHAPE))) {
        let of = |map: &[u8]| Components::of_instances(map, SHAPE).unwrap();
        let table = Overlaps::between(&of(&a), &of(&b)).unwrap();
        let swapped = Overlaps::between(&of(&b), &of(&a)).unwrap();
        let rule = MatchRule::greedy_iou(0.51).unwrap();
        let greedy = table.matched(rule);
        let hungarian = table.matched(MatchRule::hungarian(0.51).unwrap());
        prop_assert_eq!(&greedy, &hungarian);
        prop_assert_eq!(greedy.pq(), swapped.matched(rule).pq());
        prop_assert_eq!((greedy.fp(), greedy.fn_()), {
            let other = swapped.matched(rule);
            (other.fn_(), other.fp())
        });
    }

    #[test]
    fn each_instance_is_paired_once_and_scores_keep_their_ranges(
        (a, b) in (map(6, SHAPE), map(6, SHAPE)), least in 0.01f64..0.6,
    ) {
        let of = |map: &[u8]| Components::of_instances(map, SHAPE).unwrap();
        let table = Overlaps::between(&of(&a), &of(&b)).unwrap();
        let total = |m: &Matching| m.pairs().iter().map(|p| p.iou).sum::<f64>();
        let greedy = table.matched(MatchRule::greedy_iou(least).unwrap());
        let hungarian = table.matched(MatchRule::hungarian(least).unwrap());
        prop_assert!(total(&hungarian) >= total(&greedy) - 1e-12);
        for matching in [greedy, hungarian, table.matched(MatchRule::AnyOverlap)] {
            let mut predictions: Vec<_> = matching.pairs().iter().map(|p| p.prediction).collect();
            predictions.sort_unstable();
            predictions.dedup();
            prop_assert_eq!(predictions.len(), matching.tp());
            prop_assert!(matching.pairs().windows(2).all(|w| w[0].reference < w[1].reference));
            if let Ok(pq) = matching.pq() {
                prop_assert!((0.0..=1.0).contains(&pq));
                prop_assert!(pq <= matching.rq().unwrap() && matching.rq() == matching.lesion_f1());
                prop_assert!(matching.lesion_dice().unwrap() <= matching.rq().unwrap() + 1e-15);
                prop_assert!(matching.sq().unwrap() <= matching.mean_dice().unwrap() + 1e-15);
            }
        }
    }

    #[test]
    fn an_assignment_has_the_largest_total(
        rows in 1usize..6, columns in 1usize..6, least in 0.0f64..0.5,
        values in proptest::collection::vec(0u32..20, 25),
    ) {
        let scores: Vec<f64> = values[..rows * columns].iter().map(|&v| f64::from(v) / 20.0).collect();
        let found = assign_best(&scores, columns, least).unwrap();
        let total: f64 = found.iter().map(|a| a.score).sum();
        prop_assert!((total - best_total(&scores, columns, least, 0, 0)).abs() < 1e-12);
        prop_assert!(found.windows(2).all(|w| w[0].row < w[1].row));
        prop_assert!(found.iter().all(|a| a.score >= least && a.score == scores[a.row * columns + a.column]));
        let mut taken: Vec<_> = found.iter().map(|a| a.column).collect();
        taken.sort_unstable();
        taken.dedup();
        prop_assert_eq!(taken.len(), found.len());
    }

    #[test]
    fn scores_stay_the_same_under_flips_permutations_and_padding((a, b) in (map(1, SHAPE), map(1, SHAPE))) {
        let score = |a: &[u8], b: &[u8], shape| {
            overlaps(a, b, shape, Connectivity::Edges).matched(MatchRule::hungarian(0.2).unwrap()).pq()
        };
        let close = |a: Result<f64, Undefined>, b: Result<f64, Undefined>| match (a, b) {
            (Ok(a), Ok(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        };
        let plain = score(&a, &b, SHAPE);
        let flip = |m: &[u8]| m.iter().rev().copied().collect::<Vec<_>>();
        prop_assert!(close(score(&flip(&a), &flip(&b), SHAPE), plain));
        let turn = |m: &[u8]| permuted(m, SHAPE, [1, 2, 0]);
        prop_assert!(close(score(&turn(&a).0, &turn(&b).0, turn(&a).1), plain));
        let pad = |m: &[u8]| [&[0; 45][..], m, &[0; 90][..]].concat();
        prop_assert!(close(score(&pad(&a), &pad(&b), [7, 5, 9]), plain));
    }

    #[test]
    fn brats_scores_equal_the_evaluation_step_by_step(
        (a, b) in (map(4, SHAPE), map(4, SHAPE)), dilations in 0u32..3, ignored in 0u32..4,
    ) {
        let sparse = |m: &[u8]| m.iter().map(|&v| u8::from(v == 4)).collect::<Vec<_>>();
        let (reference, prediction) = (sparse(&a), sparse(&b));
        let rule = BratsRule { dilations, ignored_mm3: f64::from(ignored), penalty_mm: 374.0 };
        let found = BratsLesions::of(&reference, &prediction, SHAPE, [1.0; 3], rule).unwrap();
        let (tp, fp, missed, dice) = brats_by_steps(&reference, &prediction, rule);
        prop_assert_eq!((found.tp(), found.fp(), found.fn_()), (tp, fp, missed));
        prop_assert!((found.dice() - dice).abs() < 1e-12);
    }

    #[test]
    fn masks_of_all_instances_are_the_cut_out_image((a, b) in (map(2, SHAPE), map(2, SHAPE))) {
        let of = |map: &[u8]| Components::of_mask(map, SHAPE, Connectivity::Corners).unwrap();
        let (reference, prediction) = (of(&a), of(&b));
        let all = |c: &Components| (0..c.len() as u32).collect::<Vec<_>>();
        match MaskPair::of(&reference, &all(&reference), &prediction, &all(&prediction)) {
            None => prop_assert!(a.iter().chain(&b).all(|&v| v == 0)),
            Some(pair) => {
                let ones = |mask: &[u8]| mask.iter().filter(|&&v| v != 0).count();
                prop_assert_eq!((ones(&pair.reference), ones(&pair.prediction)), (ones(&a), ones(&b)));
                for (i, (&r, &p)) in pair.reference.iter().zip(&pair.prediction).enumerate() {
                    let [_, rows, width] = pair.shape;
                    let within = [i / width / rows, i / width % rows, i % width];
                    let [z, y, x]: [usize; 3] = std::array::from_fn(|axis| within[axis] + pair.origin[axis]);
                    let at = (z * SHAPE[1] + y) * SHAPE[2] + x;
                    prop_assert_eq!((r != 0, p != 0), (a[at] != 0, b[at] != 0));
                }
            }
        }
    }
}

#[test]
fn greedy_takes_the_best_pair_first_and_hungarian_the_best_total() {
    // Reference 0 overlaps both predictions; reference 1 only the first.
    let reference = Components::of_instances(&[1u8, 1, 1, 1, 1, 2, 2, 0, 0], [1, 1, 9]).unwrap();
    let prediction = Components::of_instances(&[2u8, 2, 1, 1, 1, 1, 1, 0, 0], [1, 1, 9]).unwrap();
    let table = Overlaps::between(&reference, &prediction).unwrap();
    let pairs = |m: &Matching| m.pairs().iter().map(|p| (p.reference, p.prediction)).collect::<Vec<_>>();
    assert_eq!(table.iou_matrix(), [[0.4, 3.0 / 7.0], [0.0, 0.4]]);
    assert_eq!(pairs(&table.matched(MatchRule::LESION)), [(0, 1)]);
    assert_eq!(pairs(&table.matched(MatchRule::AnyOverlap)), [(0, 1)]);
    let best = table.matched(MatchRule::hungarian(0.4).unwrap());
    assert_eq!(pairs(&best), [(0, 0), (1, 1)]);
    assert_eq!(pairs(&table.matched(MatchRule::hungarian(0.41).unwrap())), [(0, 1)]);
    assert_eq!(pairs(&table.matched(MatchRule::PANOPTIC)), []);
    assert_eq!(best.pairs()[0].reference_voxels, 5);
    assert_eq!(best.pairs()[0].prediction_voxels, 2);
    assert_eq!(best.mean_relative_volume_error(), Ok(0.45));
}

#[test]
fn of_equal_overlaps_the_lower_prediction_comes_first() {
    let reference = Components::of_instances(&[1u8, 1, 2, 2], [1, 1, 4]).unwrap();
    let prediction = Components::of_instances(&[1u8, 2, 1, 2], [1, 1, 4]).unwrap();
    let matching = Overlaps::between(&reference, &prediction).unwrap().matched(MatchRule::AnyOverlap);
    let pairs: Vec<_> = matching.pairs().iter().map(|p| (p.reference, p.prediction)).collect();
    assert_eq!(pairs, [(0, 0), (1, 1)]);
}

#[test]
fn a_threshold_is_met_by_the_same_value() {
    let reference = Components::of_instances(&[1u8, 1], [1, 1, 2]).unwrap();
    let prediction = Components::of_instances(&[1u8, 0], [1, 1, 2]).unwrap();
    let table = Overlaps::between(&reference, &prediction).unwrap();
    assert_eq!(table.matched(MatchRule::PANOPTIC).tp(), 1);
    assert_eq!(table.matched(MatchRule::greedy_iou(0.500_000_1).unwrap()).tp(), 0);
    for bad in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(MatchRule::greedy_iou(bad).is_err() && MatchRule::hungarian(bad).is_err(), "{bad}");
    }
    assert!(MatchRule::greedy_iou(1.0).is_ok());
    let names =
        [MatchRule::LESION, MatchRule::hungarian(0.1).unwrap(), MatchRule::AnyOverlap].map(MatchRule::name);
    assert_eq!(names, ["greedy_iou", "hungarian", "any_overlap"]);
}

#[test]
fn without_instances_or_pairs_it_is_said_why() {
    let none = Components::of_instances(&[0u8; 3], [1, 1, 3]).unwrap();
    let left = Components::of_instances(&[1u8, 0, 0], [1, 1, 3]).unwrap();
    let right = Components::of_instances(&[0u8, 0, 1], [1, 1, 3]).unwrap();
    let matched = |a, b| Overlaps::between(a, b).unwrap().matched(MatchRule::AnyOverlap);
    let both = matched(&none, &none);
    for value in [
        both.pq(),
        both.sq(),
        both.rq(),
        both.mean_dice(),
        both.lesion_dice(),
        both.lesion_precision(),
        both.lesion_sensitivity(),
        both.mean_relative_volume_error(),
        both.mean_over_masks(&none, &none, |_| Ok(1.0)),
    ] {
        assert_eq!(value, Err(Undefined::BothEmpty));
    }
    let missed = matched(&left, &none);
    assert_eq!((missed.pq(), missed.lesion_sensitivity()), (Ok(0.0), Ok(0.0)));
    assert_eq!(missed.lesion_precision(), Err(Undefined::PredictionEmpty));
    let invented = matched(&none, &right);
    assert_eq!((invented.rq(), invented.lesion_precision()), (Ok(0.0), Ok(0.0)));
    assert_eq!(invented.lesion_sensitivity(), Err(Undefined::ReferenceEmpty));
    let apart = matched(&left, &right);
    assert_eq!((apart.lesion_dice(), apart.sq()), (Ok(0.0), Ok(0.0)));
    assert_eq!(apart.mean_relative_volume_error(), Err(Undefined::NoPairs));
    assert_eq!(apart.mean_over_masks(&left, &right, |_| Ok(1.0)), Err(Undefined::NoPairs));
    let same = matched(&left, &left);
    assert_eq!(same.mean_over_masks(&left, &left, |_| Err(Undefined::TooFew)), Err(Undefined::TooFew));
}

#[test]
fn lesion_wise_dice_counts_missed_and_false_lesions_as_zero() {
    let reference = Components::of_instances(&[1u8, 1, 2, 0, 3, 0], [1, 1, 6]).unwrap();
    let prediction = Components::of_instances(&[1u8, 0, 0, 2, 3, 0], [1, 1, 6]).unwrap();
    let matching = Overlaps::between(&reference, &prediction).unwrap().matched(MatchRule::LESION);
    assert_eq!((matching.tp(), matching.fp(), matching.fn_()), (2, 1, 1));
    assert_eq!(matching.lesion_dice(), Ok((2.0 / 3.0 + 1.0) / 4.0));
    assert_eq!(matching.lesion_f1(), Ok(2.0 / 3.0));
    assert_eq!(matching.lesion_sensitivity(), Ok(2.0 / 3.0));
    assert_eq!(matching.mean_dice(), Ok(f64::midpoint(2.0 / 3.0, 1.0)));
}

#[test]
fn volumes_count_the_components_that_meet_nothing() {
    let reference = [1, 1, 0, 1, 0, 0, 0, 0];
    let prediction = [1, 0, 0, 0, 0, 1, 1, 1];
    let table = overlaps(&reference, &prediction, [1, 1, 8], Connectivity::Edges);
    assert_eq!(false_positive_volume_ml(&table, 1000.0), Ok(3.0));
    assert_eq!(false_negative_volume_ml(&table, 1000.0), Ok(1.0));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(false_positive_volume_ml(&table, bad), Err(InputError::Setting { .. })));
        assert!(matches!(false_negative_volume_ml(&table, bad), Err(InputError::Setting { .. })));
    }
    let nothing = overlaps(&[0; 8], &[0; 8], [1, 1, 8], Connectivity::Edges);
    assert_eq!(false_positive_volume_ml(&nothing, 1.0), Ok(0.0));
}

#[test]
fn images_of_different_shapes_are_refused() {
    let of = |shape| Components::of_mask(&[1; 4], shape, Connectivity::Corners).unwrap();
    assert!(matches!(Overlaps::between(&of([1, 2, 2]), &of([2, 1, 2])), Err(InputError::Shape { .. })));
    let of = |shape| Runs::of_mask(&[1; 4], shape).unwrap();
    let result = centroid_distance_mm(&of([1, 2, 2]), &of([1, 1, 4]), [1.0; 3]);
    assert!(matches!(result, Err(InputError::Shape { .. })));
    let rule = BratsRule::GLIOMA;
    assert!(BratsLesions::of(&[1; 4], &[1; 3], [1, 2, 2], [1.0; 3], rule).is_err());
}

#[test]
fn centres_are_compared_in_millimetres() {
    let runs = |mask: &[u8]| Runs::of_mask(mask, [1, 2, 2]).unwrap();
    let (first, last, none) = (runs(&[1, 0, 0, 0]), runs(&[0, 0, 0, 1]), runs(&[0; 4]));
    let distance = |a, b| centroid_distance_mm(a, b, [9.0, 3.0, 4.0]).unwrap();
    assert_eq!(distance(&first, &last), Ok(5.0));
    assert_eq!(distance(&last, &last), Ok(0.0));
    assert_eq!(distance(&none, &none), Err(Undefined::BothEmpty));
    assert_eq!(distance(&none, &last), Err(Undefined::ReferenceEmpty));
    assert_eq!(distance(&first, &none), Err(Undefined::PredictionEmpty));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let result = centroid_distance_mm(&first, &last, [1.0, bad, 1.0]);
        assert!(matches!(result, Err(InputError::Value { index: 1, .. })));
        let result = BratsLesions::of(&[1], &[1], [1; 3], [1.0, 1.0, bad], BratsRule::GLIOMA);
        assert!(matches!(result, Err(InputError::Value { index: 2, .. })));
    }
}

#[test]
fn assignments_refuse_what_is_no_table_of_scores() {
    assert!(matches!(assign_best(&[1.0, f64::NAN], 2, 0.0), Err(InputError::Value { index: 1, .. })));
    assert!(matches!(assign_best(&[1.0; 3], 2, 0.0), Err(InputError::Length { .. })));
    assert!(matches!(assign_best(&[1.0; 3], 0, 0.0), Err(InputError::Length { .. })));
    assert!(matches!(assign_best(&[1.0; 2], 2, f64::NAN), Err(InputError::Setting { .. })));
    assert!(matches!(assign_best(&[1.0; 2], 2, -0.1), Err(InputError::Setting { .. })));
    assert_eq!(assign_best(&[], 2, 0.0), Ok(Vec::new()));
    assert_eq!(assign_best(&[0.0, 0.0], 2, 0.0), Ok(Vec::new()));
}

#[test]
fn brats_rules_are_those_of_the_challenges() {
    let of = |rule: BratsRule| (rule.dilations, rule.ignored_mm3, rule.penalty_mm);
    assert_eq!(of(BratsRule::GLIOMA), (3, 50.0, 374.0));
    assert_eq!(of(BratsRule::MENINGIOMA), (1, 50.0, 374.0));
    assert_eq!(of(BratsRule::METASTASES), (1, 2.0, 374.0));
    for bad in [f64::NAN, -1.0, f64::INFINITY] {
        let ignored = BratsRule { ignored_mm3: bad, ..BratsRule::GLIOMA };
        let penalty = BratsRule { penalty_mm: bad, ..BratsRule::GLIOMA };
        for rule in [ignored, penalty] {
            let result = BratsLesions::of(&[1], &[1], [1; 3], [1.0; 3], rule);
            assert!(matches!(result, Err(InputError::Setting { .. })));
        }
    }
}

#[test]
fn brats_distances_take_the_penalty_where_there_is_none() {
    // A lesion that is touched, one that is missed, and a prediction that touches nothing.
    let reference = [1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0];
    let prediction = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    let of = |rule| BratsLesions::of(&reference, &prediction, [1, 1, 14], [1.0; 3], rule).unwrap();
    let case = of(BratsRule::METASTASES);
    assert_eq!((case.tp(), case.fp(), case.fn_(), case.lesions().len()), (1, 1, 1, 2));
    let mut calls = 0;
    let distance = case.hd95_mm(|_| {
        calls += 1;
        4.0
    });
    assert_eq!((distance, calls), (Ok((4.0 + 374.0 + 374.0) / 3.0), 1));
    assert_eq!(case.hd95_mm(|_| f64::INFINITY), Ok(374.0));
    assert!(matches!(case.hd95_mm(|_| f64::NAN), Err(InputError::Value { index: 0, .. })));
    assert!(case.hd95_mm(|_| -1.0).is_err());
    // Three cubic millimetres are at most three, so that both lesions are left out, but the false one is not.
    let strict = of(BratsRule { ignored_mm3: 3.0, ..BratsRule::METASTASES });
    assert_eq!((strict.tp(), strict.fp(), strict.fn_(), strict.dice()), (0, 1, 0, 0.0));
    assert_eq!(strict.hd95_mm(|_| 0.0), Ok(374.0));
    let nothing = BratsLesions::of(&[0; 2], &[0; 2], [1, 1, 2], [1.0; 3], BratsRule::GLIOMA).unwrap();
    assert_eq!(nothing.hd95_mm(|_| 9.0), Ok(0.0));
}

#[test]
fn volume_follows_the_spacing() {
    let case = BratsLesions::of(&[1, 1], &[1, 0], [1, 1, 2], [2.0, 3.0, 5.0], BratsRule::GLIOMA).unwrap();
    assert_eq!(case.lesions()[0].volume_mm3, 60.0);
    assert_eq!((case.tp(), case.dice()), (1, 2.0 / 3.0));
}
