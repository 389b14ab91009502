//! Pooling sites' summaries is the same as holding all cases in one place.

use crate::{options, table};
use fiel_metrics::{Options, assess, curves, estimate, merge};
use fiel_schemas::challenge::FailedCases;
use fiel_schemas::summary::Summary;
use polars::prelude::*;
use proptest::prelude::*;

const SCORED: [&str; 20] = [
    "auc",
    "average_precision",
    "sensitivity@specificity=0.95",
    "sensitivity@specificity=0.7",
    "ece@15",
    "ece@4",
    "mce@15",
    "calibration_slope",
    "calibration_intercept",
    "accuracy",
    "balanced_accuracy@0.4",
    "sensitivity@0.5",
    "specificity@0.5",
    "ppv@0.6",
    "f1@0.5",
    "mcc@0.3",
    "kappa",
    "lr_positive@0.5",
    "lr_negative@0.5",
    "net_benefit@0.2",
];

/// Cases of several sites: (site, score, label).
type Case = (usize, f64, i32);

fn split(cases: &[Case], sites: usize) -> Vec<(Vec<f64>, Vec<i32>)> {
    (0..sites).map(|site| cases.iter().filter(|c| c.0 == site).map(|c| (c.1, c.2)).unzip()).collect()
}

fn summaries(id: &str, cases: &[Case], sites: usize, min_cell: u64) -> Vec<Summary> {
    split(cases, sites)
        .iter()
        .map(|(scores, labels)| assess(id, &table(scores, labels), &options(min_cell)).unwrap().summary)
        .collect()
}

fn pooled(id: &str, cases: &[Case], sites: usize, min_cell: u64) -> Summary {
    let parts = summaries(id, cases, sites, min_cell);
    parts[1..].iter().fold(parts[0].clone(), |a, b| merge(&a, b).unwrap())
}

fn central(id: &str, cases: &[Case]) -> fiel_schemas::assessment::Estimate {
    let (scores, labels): (Vec<f64>, Vec<i32>) = cases.iter().map(|c| (c.1, c.2)).unzip();
    assess(id, &table(&scores, &labels), &options(1)).unwrap().estimate
}

/// Scores of a model that is right about as often as a good one, from three kinds of values: continuous,
/// rounded (tied), and the ends of the range.
fn case(sites: usize) -> impl Strategy<Value = Case> {
    let score = (0..10u8, -5.0..5.0f64, -1.0..1.0f64).prop_map(|(kind, x, shift)| {
        let p = 1.0 / (1.0 + (-x - shift).exp());
        match kind {
            0 => (p * 10.0).round() / 10.0,
            1 => p.round(),
            2 => 0.25,
            _ => p,
        }
    });
    (0..sites, score, 0.0..1.0f64).prop_map(|(site, p, u)| (site, p, i32::from(u < 0.1 + 0.8 * p)))
}

fn dataset() -> impl Strategy<Value = Vec<Case>> {
    prop::collection::vec(case(3), 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn pooled_values_lie_within_their_bound_of_the_central_value(cases in dataset(), min_cell in 1u64..12) {
        for id in SCORED {
            let whole = central(id, &cases);
            let found = estimate(id, &pooled(id, &cases, 3, min_cell)).unwrap();
            prop_assert_eq!(found.n, cases.len() as u64);
            let (Some(value), Some(expected)) = (found.value, whole.value) else {
                // A slope that some arrangement leaves infinite is undefined; nothing is invented.
                prop_assert!(found.value.is_none() || id == "calibration_slope", "{} {:?} {:?}", id, found, whole);
                continue;
            };
            prop_assert!(
                (value - expected).abs() <= found.bound.unwrap() + 1e-12,
                "{}: {} pooled, {} central, bound {}", id, value, expected, found.bound.unwrap()
            );
            let [low, high] = found.ci95.unwrap_or([value, value]);
            prop_assert!(low <= value + 1e-12 && value <= high + 1e-12, "{} {:?}", id, found);
        }
    }

    #[test]
    fn means_are_the_same_to_the_last_bit(cases in dataset()) {
        for id in ["brier", "log_loss", "f1@0.5", "mcc@0.3", "kappa"] {
            let whole = central(id, &cases);
            let found = estimate(id, &pooled(id, &cases, 3, 1)).unwrap();
            prop_assert_eq!(whole.value.map(f64::to_bits), found.value.map(f64::to_bits), "{}", id);
            prop_assert_eq!(whole.ci95, found.ci95, "{}", id);
            prop_assert_eq!(found.bound, Some(0.0), "{}", id);
        }
    }

    #[test]
    fn merging_is_associative_and_commutative(cases in dataset(), min_cell in 1u64..8) {
        for id in SCORED.into_iter().chain(["brier"]) {
            let parts = summaries(id, &cases, 3, min_cell);
            let (a, b, c) = (&parts[0], &parts[1], &parts[2]);
            let left = merge(&merge(a, b).unwrap(), c).unwrap();
            prop_assert_eq!(&left, &merge(a, &merge(b, c).unwrap()).unwrap());
            prop_assert_eq!(merge(a, b).unwrap(), merge(b, a).unwrap());
        }
    }

    #[test]
    fn cells_hold_enough_cases_and_documents_keep_their_meaning(cases in dataset(), min_cell in 1u64..12) {
        for part in summaries("auc", &cases, 1, min_cell) {
            let Summary::Scores(s) = &part else { panic!("not scores") };
            let n = s.pos + s.neg;
            prop_assert!(s.cells.iter().all(|c| c.pos + c.neg >= min_cell.min(n)));
            prop_assert!(s.cells.iter().all(|c| c.tie.is_none() || c.pos + c.neg >= 10));
            prop_assert!(s.cells.windows(2).all(|w| (w[0].first, w[0].last, &w[0].tie) < (w[1].first, w[1].last, &w[1].tie)));
            let text = serde_json::to_string(&part).unwrap();
            prop_assert_eq!(part, serde_json::from_str::<Summary>(&text).unwrap());
        }
        for part in summaries("ece@15", &cases, 1, min_cell) {
            let Summary::Calibration(c) = &part else { panic!("not bins") };
            prop_assert!(c.bins.iter().all(|b| b.n == 0 || b.n >= min_cell));
        }
    }

    #[test]
    fn segmentation_means_pool_exactly_and_undefined_cases_are_counted(
        cases in prop::collection::vec((0..3usize, prop::option::of(0.0..=1.0f64)), 1..80),
    ) {
        let frame = |rows: Vec<Option<f64>>| {
            let n = rows.len();
            df!(
                "case_id" => (0..n).map(|i| i.to_string()).collect::<Vec<_>>(),
                "outcome" => vec!["ok"; n], "dice" => rows, "reference_ml" => vec![1.0; n],
            ).unwrap()
        };
        let of = |rows: Vec<Option<f64>>| assess("dice", &frame(rows), &options(1)).unwrap();
        let whole = of(cases.iter().map(|c| c.1).collect()).estimate;
        let parts: Vec<Summary> =
            (0..3).map(|s| of(cases.iter().filter(|c| c.0 == s).map(|c| c.1).collect()).summary).collect();
        let all = merge(&merge(&parts[2], &parts[0]).unwrap(), &parts[1]).unwrap();
        let found = estimate("dice", &all).unwrap();
        prop_assert_eq!(found.value.map(f64::to_bits), whole.value.map(f64::to_bits));
        prop_assert_eq!(found.undefined, cases.iter().filter(|c| c.1.is_none()).count() as u64);
        prop_assert_eq!(found.n + found.undefined, cases.len() as u64);
    }
}

/// 400 cases in three sites with logits of N(-1.5, 1.5) and N(1.5, 1.5).
fn realistic() -> Vec<Case> {
    let mut state = 7u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    (0..400)
        .map(|i| {
            let label = i32::from(uniform() < 0.4);
            let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
            let x = 1.5 * f64::from(2 * label - 1) + 1.5 * normal;
            (i % 3, 1.0 / (1.0 + (-x).exp()), label)
        })
        .collect()
}

#[test]
fn a_realistic_federation_pools_its_auc_to_within_a_thousandth() {
    let cases = realistic();
    let found = estimate("auc", &pooled("auc", &cases, 3, 1)).unwrap();
    let whole = central("auc", &cases);
    assert!(found.bound.unwrap() < 1e-3, "{found:?}");
    assert!(
        (found.value.unwrap() - whole.value.unwrap()).abs() <= found.bound.unwrap(),
        "{found:?} {whole:?}"
    );
    for id in SCORED {
        let found = estimate(id, &pooled(id, &cases, 3, 1)).unwrap();
        assert!(found.bound.unwrap() < 0.05, "{id}: {found:?}");
    }
    // With the default policy's cells of five cases: still useful.
    let coarse = |id| estimate(id, &pooled(id, &cases, 3, 5)).unwrap();
    assert!(coarse("auc").bound.unwrap() < 0.02, "{:?}", coarse("auc"));
    assert!(coarse("average_precision").bound.unwrap() < 0.03, "{:?}", coarse("average_precision"));
    assert!(coarse("calibration_slope").value.is_some());
}

#[test]
fn constant_and_two_valued_models_tie_exactly_across_sites() {
    let constant: Vec<Case> = (0..90).map(|i| (i % 3, 0.3, i32::from(i % 4 == 0))).collect();
    let two: Vec<Case> =
        (0..120).map(|i| (i % 3, if i % 7 < 3 { 0.1 } else { 0.101 }, i32::from(i % 5 < 2))).collect();
    for cases in [constant, two] {
        for id in ["auc", "average_precision", "sensitivity@specificity=0.95"] {
            let found = estimate(id, &pooled(id, &cases, 3, 5)).unwrap();
            let whole = central(id, &cases);
            assert_eq!(found.bound, Some(0.0), "{id}");
            assert!((found.value.unwrap() - whole.value.unwrap()).abs() < 1e-15, "{id}: {found:?} {whole:?}");
        }
    }
}

#[test]
fn a_site_with_one_class_joins_the_pool_and_is_counted() {
    let cases: Vec<Case> = (0..60)
        .map(|i| (usize::from(i >= 20), f64::from(i) / 60.0, i32::from(i % 3 == 0 && i >= 20)))
        .collect();
    let parts = summaries("auc", &cases, 2, 1);
    let first = estimate("auc", &parts[0]).unwrap();
    assert_eq!((first.value, first.undefined, first.n), (None, 1, 20));
    let all = estimate("auc", &merge(&parts[0], &parts[1]).unwrap()).unwrap();
    assert_eq!(all.undefined, 1);
    assert!((all.value.unwrap() - central("auc", &cases).value.unwrap()).abs() <= all.bound.unwrap());
}

#[test]
fn a_calibration_bin_of_few_cases_never_carries_their_scores() {
    // 40 cases in one bin, one lone case in another: also the difference to the exact metric must not tell.
    let lone = 0.912_345_678_9;
    let mut cases: Vec<Case> = (0..40).map(|i| (0, 0.1 + f64::from(i) * 5e-4, 0)).collect();
    cases.push((0, lone, 1));
    let part = summaries("ece@15", &cases, 1, 1).remove(0);
    let Summary::Calibration(c) = &part else { panic!("not bins") };
    let unit = 2f64.powi(72);
    let value = |text: &str| text.parse::<i128>().unwrap() as f64 / unit;
    let alone = c.bins.iter().find(|b| b.n == 1).unwrap();
    assert!((value(&alone.sum_p) - lone).abs() > 1e-6 && alone.slack > 1e-5, "{alone:?}");
    let exact = c.exact.as_ref().unwrap().value.unwrap() * 41.0;
    let others: f64 = c.bins.iter().filter(|b| b.n > 1).map(|b| (value(&b.sum_p) - b.pos as f64).abs()).sum();
    let recovered = 1.0 - (exact - others);
    assert!((recovered - lone).abs() > 1e-6, "{recovered}");
}

#[test]
fn small_bins_are_suppressed_and_their_cases_counted() {
    let mut cases: Vec<Case> =
        (0..40).map(|i| (0, 0.5 + f64::from(i) * 1e-4, i32::from(i % 2 == 0))).collect();
    cases.extend([(0, 0.95, 1), (0, 0.96, 0)]);
    let part = summaries("ece@15", &cases, 1, 5).remove(0);
    let Summary::Calibration(c) = &part else { panic!("not bins") };
    assert_eq!(c.suppressed, 2);
    assert_eq!(curves::reliability(&part).iter().map(|b| b.n).sum::<u64>(), 40);
}

#[test]
fn failed_cases_are_left_out_or_count_as_the_worst_answer() {
    let frame = df!(
        "case_id" => ["a", "b", "c", "d"], "outcome" => ["ok", "ok", "crashed", "timed-out"],
        "label" => [1, 0, 1, 0], "score" => [Some(0.9), Some(0.2), None, None],
    )
    .unwrap();
    let of = |id, failed_cases| assess(id, &frame, &Options { min_cell: 1, failed_cases }).unwrap().estimate;
    assert_eq!(of("auc", FailedCases::Exclude).value, Some(1.0));
    assert_eq!(of("auc", FailedCases::Exclude).n, 2);
    // Worst: c scores 0, d scores 1. Of four pairs only (a, b) is right.
    assert_eq!(of("auc", FailedCases::Worst).value, Some(0.25));
    assert_eq!(of("brier", FailedCases::Worst).n, 4);
    let masks = df!(
        "case_id" => ["a", "b", "c"], "outcome" => ["ok", "ok", "out-of-memory"],
        "dice" => [Some(0.5), None, None], "volume_error_ml" => [Some(1.0), Some(0.0), None],
        "reference_ml" => [4.0, 0.0, 7.0],
    )
    .unwrap();
    let of = |id, failed_cases| {
        let e = assess(id, &masks, &Options { min_cell: 1, failed_cases }).unwrap().estimate;
        (e.value, e.n, e.undefined)
    };
    assert_eq!(of("dice", FailedCases::Exclude), (Some(0.5), 1, 1));
    assert_eq!(of("dice", FailedCases::Worst), (Some(0.25), 2, 1));
    assert_eq!(of("volume_error_ml", FailedCases::Exclude), (Some(0.5), 2, 0));
    assert_eq!(of("volume_error_ml", FailedCases::Worst), (Some(8.0 / 3.0), 3, 0));
}

#[test]
fn a_model_that_fails_on_every_case_has_undefined_metrics() {
    let frame = df!(
        "case_id" => ["a", "b"], "outcome" => ["crashed", "crashed"], "label" => [1, 0],
        "score" => [None::<f64>, None],
    )
    .unwrap();
    for id in SCORED.into_iter().chain(["brier"]) {
        let e = assess(id, &frame, &options(5)).unwrap().estimate;
        assert_eq!((e.value, e.n), (None, 0), "{id}");
    }
}

#[test]
fn curves_run_from_corner_to_corner_and_show_every_bin() {
    let cases = realistic();
    let roc = curves::roc(&pooled("auc", &cases, 3, 1));
    assert_eq!((roc[0], roc[roc.len() - 1]), ([0.0, 0.0], [1.0, 1.0]));
    assert!(roc.windows(2).all(|w| w[0][0] <= w[1][0] && w[0][1] <= w[1][1]));
    let area: f64 = roc.windows(2).map(|w| (w[1][0] - w[0][0]) * (w[0][1] + w[1][1]) / 2.0).sum();
    assert!((area - central("auc", &cases).value.unwrap()).abs() < 5e-3, "{area}");
    let bins = curves::reliability(&pooled("ece@15", &cases, 3, 1));
    assert_eq!(bins.iter().map(|b| b.n).sum::<u64>(), 400);
    assert!(bins.iter().all(|b| b.ci95[0] <= b.observed && b.observed <= b.ci95[1]));
    assert!(curves::roc(&pooled("ece@15", &cases, 3, 1)).is_empty());
}

#[test]
fn dishonest_or_foreign_summaries_are_refused() {
    let cases = realistic();
    let scores = pooled("auc", &cases, 3, 1);
    let bins = pooled("ece@15", &cases, 3, 1);
    assert!(merge(&scores, &bins).is_err());
    assert!(estimate("auc", &bins).is_err());
    assert!(estimate("no_such_metric", &scores).unwrap_err().to_string().contains("no_such_metric"));
    let Summary::Scores(honest) = &scores else { panic!("not scores") };
    let refused = |change: fn(&mut fiel_schemas::summary::Scores)| {
        let mut s = honest.clone();
        change(&mut s);
        assert!(estimate("auc", &Summary::Scores(s)).is_err());
    };
    refused(|s| s.pos += 1);
    refused(|s| s.u2_within = u64::MAX);
    refused(|s| s.open_within = u64::MAX);
    refused(|s| s.u2_within_certain = u64::MAX);
    refused(|s| s.cells[0].last = 5000);
    refused(|s| {
        s.cells[0].tie = Some("x".to_owned());
        let end = s.cells.len() - 1;
        s.cells[end].tie = Some("x".to_owned());
    });
    let Summary::Calibration(honest) = &bins else { panic!("not bins") };
    for sum in ["-1", "x", "99999999999999999999999999999999999999"] {
        let mut c = honest.clone();
        c.bins[0].sum_p = sum.to_owned();
        assert!(estimate("ece@15", &Summary::Calibration(c)).is_err(), "{sum}");
    }
}
