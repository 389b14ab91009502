//! Laws and edges of scores.

use super::brute;
use fiel_kernels::classification::{DeLong, PairedDeLong, PairedScores, Scores};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

/// Scores of every kind: few distinct ones, many, tiny, huge, of both signs.
fn scores_and_labels(
    n: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    let score = prop_oneof![
        (-3..3_i8).prop_map(f64::from),
        -1.0..1.0_f64,
        prop::num::f64::NORMAL,
        prop::num::f64::SUBNORMAL,
        prop::sample::select(vec![0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1e300, -1e-300]),
    ];
    prop::collection::vec((score, any::<bool>()), n).prop_map(|cases| cases.into_iter().unzip())
}

fn both(labels: &[bool]) -> bool {
    labels.iter().filter(|l| **l).count() > 1 && labels.iter().filter(|l| !**l).count() > 1
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs().max(1e-3)
}

proptest! {
    #[test]
    fn area_and_variance_are_those_of_all_pairs((scores, labels) in scores_and_labels(4..150)) {
        prop_assume!(both(&labels));
        let found = Scores::new(&scores, &labels).unwrap();
        let delong = found.delong().unwrap();
        prop_assert!(close(delong.auc, brute::auc(&scores, &labels)));
        prop_assert_eq!(found.auc(), Ok(delong.auc));
        prop_assert!(close(delong.variance, brute::delong_covariance(&scores, &scores, &labels)));
        prop_assert!(close(found.average_precision().unwrap(), brute::average_precision(&scores, &labels)));
    }

    #[test]
    fn paired_areas_are_those_of_all_pairs(cases in prop::collection::vec((-4..4_i8, 0.0..1.0_f64, any::<bool>()), 4..80)) {
        let first: Vec<f64> = cases.iter().map(|c| f64::from(c.0)).collect();
        let second: Vec<f64> = cases.iter().map(|c| c.1).collect();
        let labels: Vec<bool> = cases.iter().map(|c| c.2).collect();
        prop_assume!(both(&labels));
        let paired = PairedScores::new(&first, &second, &labels).unwrap().delong().unwrap();
        let swapped = PairedScores::new(&second, &first, &labels).unwrap().delong().unwrap();
        prop_assert_eq!((paired.first, paired.covariance), (swapped.second, swapped.covariance));
        prop_assert_eq!(paired.first, Scores::new(&first, &labels).unwrap().delong().unwrap());
        prop_assert_eq!(paired.second, Scores::new(&second, &labels).unwrap().delong().unwrap());
        prop_assert!(close(paired.covariance, brute::delong_covariance(&first, &second, &labels)));
        if let Ok(z) = paired.z() {
            prop_assert_eq!(swapped.z(), Ok(-z));
        }
    }

    #[test]
    fn order_of_cases_and_monotone_changes_do_not_matter((scores, labels) in scores_and_labels(4..100)) {
        prop_assume!(both(&labels));
        let found = Scores::new(&scores, &labels).unwrap();
        let (mut back_scores, mut back_labels) = (scores.clone(), labels.clone());
        back_scores.reverse();
        back_labels.reverse();
        let back = Scores::new(&back_scores, &back_labels).unwrap();
        prop_assert_eq!(found.delong(), back.delong());
        prop_assert_eq!(found.average_precision(), back.average_precision());
        prop_assert_eq!(found.roc_curve(), back.roc_curve());
        // Falling scores and the other class: the same pairs are won.
        let negated: Vec<f64> = scores.iter().map(|s| -s).collect();
        let inverted: Vec<bool> = labels.iter().map(|l| !l).collect();
        let mirrored = Scores::new(&negated, &inverted).unwrap();
        prop_assert_eq!(mirrored.auc(), found.auc());
        prop_assert!(close(mirrored.delong().unwrap().variance, found.delong().unwrap().variance));
    }

    #[test]
    fn curves_hold_the_areas((scores, labels) in scores_and_labels(4..100)) {
        prop_assume!(both(&labels));
        let found = Scores::new(&scores, &labels).unwrap();
        for curve in [found.roc_curve().unwrap(), found.roc_corners().unwrap()] {
            let trapezia = |x: &[f64], y: &[f64]| -> f64 {
                x.windows(2).zip(y.windows(2)).map(|(x, y)| (x[1] - x[0]) * (y[1] + y[0]) / 2.0).sum()
            };
            let area = trapezia(&curve.false_positive_rates, &curve.true_positive_rates);
            prop_assert!(close(area, found.auc().unwrap()));
            prop_assert!(curve.thresholds.windows(2).all(|t| t[0] > t[1]));
            prop_assert_eq!(curve.true_positive_rates.last(), Some(&1.0));
            prop_assert_eq!(curve.false_positive_rates.last(), Some(&1.0));
        }
        let curve = found.precision_recall_curve().unwrap();
        let steps: f64 = curve.recalls.windows(2).zip(&curve.precisions).map(|(r, p)| (r[0] - r[1]) * p).sum();
        prop_assert!(close(steps, found.average_precision().unwrap()));
    }

    #[test]
    fn every_threshold_counts_what_it_says((scores, labels) in scores_and_labels(1..60), pick in 0..60_usize) {
        let found = Scores::new(&scores, &labels).unwrap();
        let threshold = scores[pick % scores.len()];
        let counts = found.confusion(threshold).unwrap();
        let called = |is: bool| scores.iter().zip(&labels).filter(|(s, l)| **s >= threshold && **l == is).count() as u64;
        prop_assert_eq!((counts.true_positives, counts.false_positives), (called(true), called(false)));
        prop_assert_eq!(counts.true_positives + counts.false_negatives, found.positives() as u64);
        prop_assert_eq!(counts.true_negatives + counts.false_positives, found.negatives() as u64);
    }

    #[test]
    fn operating_points_are_the_best_of_all_thresholds((scores, labels) in scores_and_labels(4..60), least in 0.0..1.0_f64) {
        prop_assume!(both(&labels));
        let found = Scores::new(&scores, &labels).unwrap();
        let thresholds = found.roc_curve().unwrap().thresholds;
        let all: Vec<_> = thresholds.iter().map(|&t| found.confusion(t).unwrap()).collect();
        let best = |value: fn(&fiel_kernels::classification::Confusion) -> Result<f64, Undefined>,
                    allowed: &dyn Fn(&fiel_kernels::classification::Confusion) -> bool| {
            all.iter().filter(|c| allowed(c)).filter_map(|c| value(c).ok()).fold(0.0, f64::max)
        };
        let reach = |share: Result<f64, Undefined>| share.is_ok_and(|share| share >= least);
        let point = found.sensitivity_at_specificity(least).unwrap().unwrap();
        prop_assert_eq!(point.counts.sensitivity().unwrap(), best(fiel_kernels::classification::Confusion::sensitivity, &|c| reach(c.specificity())));
        prop_assert!(reach(point.counts.specificity()));
        let point = found.specificity_at_sensitivity(least).unwrap().unwrap();
        prop_assert_eq!(point.counts.specificity().unwrap(), best(fiel_kernels::classification::Confusion::specificity, &|c| reach(c.sensitivity())));
        prop_assert!(reach(point.counts.sensitivity()));
        let point = found.ppv_at_sensitivity(least).unwrap().unwrap();
        prop_assert_eq!(point.counts.ppv().unwrap(), best(fiel_kernels::classification::Confusion::ppv, &|c| reach(c.sensitivity())));
        prop_assert!(reach(point.counts.sensitivity()));
        let point = found.sensitivity_at_ppv(least).unwrap().unwrap();
        prop_assert_eq!(point.counts.sensitivity().unwrap(), best(fiel_kernels::classification::Confusion::sensitivity, &|c| reach(c.ppv())));
        let point = found.youden_threshold().unwrap();
        prop_assert!(close(point.counts.youden().unwrap(), best(fiel_kernels::classification::Confusion::youden, &|_| true)));
        if let Some(threshold) = point.threshold {
            prop_assert_eq!(found.confusion(threshold).unwrap(), point.counts);
        }
    }

    #[test]
    fn partial_areas_grow_to_the_whole((scores, labels) in scores_and_labels(4..60), fpr in 0.01..0.99_f64) {
        prop_assume!(both(&labels));
        let found = Scores::new(&scores, &labels).unwrap();
        let part = found.partial_auc(fpr).unwrap().unwrap();
        prop_assert!(part >= 0.0 && part <= fpr + 1e-15);
        prop_assert!(part <= found.auc().unwrap() + 1e-12);
        let more = found.partial_auc(fpr + 0.01).unwrap().unwrap();
        prop_assert!(more >= part - 1e-15 && more - part <= 0.01 + 1e-12);
        // Trapezia of the curve, cut by interpolation.
        let curve = found.roc_curve().unwrap();
        let (x, y) = (&curve.false_positive_rates, &curve.true_positive_rates);
        let mut area = 0.0;
        for i in 1..x.len() {
            let right = x[i].min(fpr);
            if right > x[i - 1] {
                let top = y[i - 1] + (y[i] - y[i - 1]) * (right - x[i - 1]) / (x[i] - x[i - 1]);
                area += (right - x[i - 1]) * (y[i - 1] + top) / 2.0;
            }
        }
        prop_assert!(close(part, area), "{} {}", part, area);
    }
}

/// Sorts large inputs of awkward distributions: the sum of ranks by a plain sort must agree.
#[test]
fn large_inputs_of_any_distribution_are_ranked_right() {
    type Shape = fn(f64) -> f64;
    let shapes: [(&str, Shape); 9] = [
        ("uniform", |u| u),
        ("logit", |u| (u / (1.0 - u + 1e-12)).ln()),
        ("heavy tails", |u| 1.0 / (u - 0.5).powi(31)),
        ("every exponent", |u| ((u - 0.5) * 4000.0).clamp(-700.0, 700.0).exp()),
        ("two values", |u| if u < 0.3 { 1.0 } else { 1.0 + f64::EPSILON }),
        ("thousandths", |u| (u * 1000.0).round() / 1000.0),
        ("one outlier", |u| if u > 0.9999 { 1e300 } else { u * 1e-9 }),
        ("both ends", |u| if u < 0.5 { f64::MIN + u * 1e300 } else { f64::MAX - u * 1e300 }),
        ("subnormal", |u| (u * 1e6).round() * 5e-324),
    ];
    for n in [1000, 20_000, 70_001] {
        for (name, shape) in shapes {
            let scores: Vec<f64> = brute::uniform(3, n).into_iter().map(shape).collect();
            let labels: Vec<bool> = brute::uniform(4, n).iter().map(|u| *u < 0.3).collect();
            let mut cases: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
            cases.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
            let (mut negatives, mut doubled) = (0_u64, 0_u64);
            for group in cases.chunk_by(|a, b| a.0 == b.0) {
                let positives = group.iter().filter(|c| c.1).count() as u64;
                let of_group = group.len() as u64 - positives;
                doubled += positives * (2 * negatives + of_group);
                negatives += of_group;
            }
            let found = Scores::new(&scores, &labels).unwrap();
            let positives = found.positives() as u64;
            let expected = doubled as f64 / (2 * positives * negatives) as f64;
            assert_eq!(found.auc(), Ok(expected), "{name}, {n}");
            let distinct = cases.chunk_by(|a, b| a.0 == b.0).count();
            let curve = found.roc_curve().unwrap();
            assert_eq!(curve.thresholds.len(), distinct + 1, "{name}, {n}");
            assert!(curve.thresholds.windows(2).all(|t| t[0] > t[1]), "{name}, {n}");
        }
    }
}

#[test]
fn bad_input_is_named() {
    let labels = [true, false, true];
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Scores::new(&[0.5, bad, bad], &labels).unwrap_err();
        assert!(matches!(error, InputError::Value { what: "scores", index: 1, .. }));
        let error = PairedScores::new(&[0.5, 0.1, 0.2], &[0.5, 0.2, bad], &labels).unwrap_err();
        assert!(matches!(error, InputError::Value { what: "the second model's scores", index: 2, .. }));
    }
    assert_eq!(Scores::new(&[], &[]).unwrap_err(), InputError::Empty("scores"));
    let length = InputError::Length { left: "scores", left_len: 2, right: "labels", right_len: 3 };
    assert_eq!(Scores::new(&[0.5, 0.1], &labels).unwrap_err(), length);
    let error = Scores::from_bytes(&[0.5, 0.6, 0.7], &[0, 1, 3]).unwrap_err();
    assert_eq!(error, InputError::Value { what: "labels", index: 2, value: 3.0, expected: "0 or 1" });
    let scores = Scores::new(&[0.5, 0.6, 0.7], &labels).unwrap();
    for bad in [-0.1, 0.0, 1.0 + 1e-9, f64::NAN] {
        assert!(matches!(scores.partial_auc(bad), Err(InputError::Setting { .. })));
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        assert!(scores.sensitivity_at_specificity(bad).is_err());
        assert!(scores.specificity_at_sensitivity(bad).is_err());
        assert!(scores.ppv_at_sensitivity(bad).is_err());
        assert!(scores.sensitivity_at_ppv(bad).is_err());
        assert!(scores.decision_curve(&[0.5, bad]).is_err());
    }
    assert!(scores.decision_curve(&[1.0]).is_err());
    assert_eq!(scores.decision_curve(&[]).unwrap_err(), InputError::Empty("thresholds"));
    assert!(scores.confusion(f64::NAN).is_err());
}

#[test]
fn one_class_has_no_curve() {
    let scores = Scores::new(&[0.1, 0.2], &[true, true]).unwrap();
    assert_eq!(scores.auc(), Err(Undefined::OneClass));
    assert_eq!(scores.delong(), Err(Undefined::OneClass));
    assert_eq!(scores.roc_curve(), Err(Undefined::OneClass));
    assert_eq!(scores.partial_auc(0.5).unwrap(), Err(Undefined::OneClass));
    assert_eq!(scores.youden_threshold(), Err(Undefined::OneClass));
    assert_eq!(scores.average_precision(), Ok(1.0));
    let none = Scores::new(&[0.1, 0.2], &[false, false]).unwrap();
    assert_eq!(none.auc(), Err(Undefined::OneClass));
    assert_eq!(none.average_precision(), Err(Undefined::NoPositive));
    assert_eq!(none.ppv_at_sensitivity(0.5).unwrap(), Err(Undefined::NoPositive));
    assert_eq!(none.sensitivity_at_ppv(0.5).unwrap(), Err(Undefined::NoPositive));
}

#[test]
fn negative_zero_ties_with_zero() {
    let scores = Scores::new(&[-0.0, 0.0, 0.5, -0.5], &[true, false, true, false]).unwrap();
    assert_eq!(scores.auc(), Ok(0.875));
    assert_eq!(scores.roc_curve().unwrap().thresholds, [f64::INFINITY, 0.5, 0.0, -0.5]);
}

#[test]
fn points_at_the_limits_of_a_demand_count() {
    let (scores, labels) = ([0.9, 0.8, 0.7, 0.6, 0.5], [true, false, true, false, true]);
    let scores = Scores::new(&scores, &labels).unwrap();
    // Half of the negatives are called positive at 0.8 already: a demand of exactly one half is met down to 0.7.
    assert_eq!(scores.sensitivity_at_specificity(0.5).unwrap().unwrap().threshold, Some(0.7));
    assert_eq!(scores.sensitivity_at_specificity(0.51).unwrap().unwrap().threshold, Some(0.9));
    assert_eq!(scores.sensitivity_at_specificity(0.0).unwrap().unwrap().threshold, Some(0.5));
    assert_eq!(scores.specificity_at_sensitivity(0.0).unwrap().unwrap().threshold, Some(0.9));
    assert_eq!(scores.specificity_at_sensitivity(1.0).unwrap().unwrap().threshold, Some(0.5));
    assert_eq!(scores.specificity_at_sensitivity(0.6).unwrap().unwrap().threshold, Some(0.7));
    assert_eq!(scores.ppv_at_sensitivity(0.5).unwrap().unwrap().threshold, Some(0.7));
    assert_eq!(scores.sensitivity_at_ppv(0.6).unwrap().unwrap().threshold, Some(0.5));
    let none = Scores::new(&[0.9, 0.1], &[false, true]).unwrap();
    let point = none.sensitivity_at_ppv(0.9).unwrap().unwrap();
    assert_eq!((point.threshold, point.counts.true_positives, point.counts.false_negatives), (None, 0, 1));
    assert_eq!(none.youden_threshold().unwrap().threshold, None);
    assert_eq!(none.sensitivity_at_specificity(1.0).unwrap().unwrap().threshold, None);
}

#[test]
fn partial_areas_are_cut_by_interpolation() {
    let scores = Scores::new(&[0.9, 0.8, 0.7, 0.6], &[true, false, true, false]).unwrap();
    for (fpr, area) in [(0.25, 0.125), (0.5, 0.25), (0.75, 0.5), (1.0, 0.75)] {
        assert_eq!(scores.partial_auc(fpr).unwrap(), Ok(area), "{fpr}");
    }
    assert_eq!(scores.partial_auc_mcclish(0.5).unwrap(), Ok(0.5 * (1.0 + 0.125 / 0.375)));
    let tied = Scores::new(&[0.9, 0.5, 0.5, 0.1], &[true, false, true, false]).unwrap();
    assert_eq!(tied.partial_auc(0.25).unwrap(), Ok(0.25 * 0.625));
}

#[test]
fn decision_curves_weigh_false_positives_by_the_odds() {
    let (p, labels) = ([0.9, 0.6, 0.5, 0.2, 0.0], [true, false, true, false, false]);
    let curve = Scores::new(&p, &labels).unwrap().decision_curve(&[0.0, 0.2, 0.5, 0.8]).unwrap();
    let net: Vec<f64> = curve.iter().map(|point| point.net_benefit).collect();
    assert_eq!(net, [0.4, (2.0 - 2.0 * 0.25) / 5.0, (2.0 - 1.0) / 5.0, 0.2]);
    let all: Vec<f64> = curve.iter().map(|point| point.treat_all).collect();
    assert_eq!(all[..3], [0.4, (2.0 - 3.0 * 0.25) / 5.0, (2.0 - 3.0) / 5.0]);
    assert_eq!(curve.iter().map(|point| point.threshold).collect::<Vec<_>>(), [0.0, 0.2, 0.5, 0.8]);
    assert!(Scores::new(&[1.1, 0.0], &[true, false]).unwrap().decision_curve(&[0.5]).is_err());
    assert!(Scores::new(&[0.1, -0.1], &[true, false]).unwrap().decision_curve(&[0.5]).is_err());
}

#[test]
fn levels_are_between_zero_and_one() {
    let delong = Scores::new(&[0.1, 0.4, 0.3, 0.8], &[false, false, true, true]).unwrap().delong().unwrap();
    for bad in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(
            delong.wald(bad).is_err() && delong.interval(bad).is_err() && delong.logit_interval(bad).is_err()
        );
    }
    let [low, high] = delong.wald(0.9).unwrap();
    let half_width = 1.644_853_626_951_472_7 * delong.variance.sqrt();
    assert!(close(high - delong.auc, half_width) && close(delong.auc - low, half_width));
}

#[test]
fn the_interval_of_a_paired_difference_is_walds_and_ends_at_one() {
    let area = |auc, variance| DeLong { auc, variance };
    let of = |first, second, covariance| PairedDeLong { first, second, covariance };
    // A standard error of 0.2 around 0.25.
    let [low, high] = of(area(0.75, 0.03), area(0.5, 0.02), 0.005).interval(0.95).unwrap();
    assert!((low - (0.25 - 1.959_963_984_540_054 * 0.2)).abs() < 1e-12, "{low}");
    assert!((high - (0.25 + 1.959_963_984_540_054 * 0.2)).abs() < 1e-12, "{high}");
    let wide = of(area(1.0, 1.0), area(0.5, 1.0), 0.0);
    assert_eq!(wide.interval(0.95), Ok([-1.0, 1.0]));
    assert!(wide.interval(1.0).is_err() && wide.interval(0.0).is_err());
}
