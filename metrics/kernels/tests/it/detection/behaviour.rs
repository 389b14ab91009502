//! Literal cases, brute force and laws.

use super::references::pooled;
use crate::golden::assert_close;
use fiel_kernels::detection::assignment::{largest_weight, least_cost};
use fiel_kernels::detection::{
    AxisBox, Froc, HitCriterion, Hits, ImageObjects, Mark, Matching, Nodule, PicaiCase, PrecisionSettings,
    PrecisionTable, Rates, ReferenceObject, Resampling, ScanOutcome, luna16_scan, picai_score,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;
use std::collections::BTreeSet;

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
