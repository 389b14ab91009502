//! Bootstrap replicates: drawn from a secret, paired over submissions, merged by addition.

use crate::{options, table};
use fiel_metrics::{
    Draws, MetricReplicates, Options, ReplicatedRanking, assess, merge, merge_replicates, replicate_values,
    replicates,
};
use fiel_schemas::challenge::FailedCases;
use fiel_schemas::summary::Replicates;
use polars::prelude::*;

const STEP: f64 = 8192.0;

fn draws(secret: u8) -> Draws {
    Draws::new(&[secret; 32], "set", 120, 1)
}

fn masks(values: &[Option<f64>]) -> DataFrame {
    let n = values.len();
    let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    df!("case_id" => names, "outcome" => vec!["ok"; n], "dice" => values, "reference_ml" => vec![1.0; n])
        .unwrap()
}

fn of(id: &str, frame: &DataFrame, secret: u8) -> Replicates {
    replicates(id, frame, &options(1), &draws(secret)).unwrap().unwrap()
}

/// The weights of each case in each replicate, as a submission shows that is right on one case only.
fn weights(n: usize, secret: u8) -> Vec<Vec<f64>> {
    (0..n)
        .map(|k| {
            let values: Vec<Option<f64>> = (0..n).map(|i| Some(f64::from(u8::from(i == k)))).collect();
            of("dice", &masks(&values), secret).sums.iter().map(|s| *s as f64 / STEP).collect()
        })
        .collect()
}

#[test]
fn every_submission_meets_the_same_poisson_weights() {
    let n = 40;
    let weights = weights(n, 3);
    let all: Vec<f64> = weights.iter().flatten().copied().collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let variance = all.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / all.len() as f64;
    assert!((mean - 1.0).abs() < 0.06 && (variance - 1.0).abs() < 0.12, "{mean} {variance}");
    assert!(all.iter().all(|w| (0.0..=8.0).contains(w) && w.fract() == 0.0));
    let values: Vec<Option<f64>> = (0..n).map(|i| (i % 7 > 0).then(|| 1.0 / (i + 2) as f64)).collect();
    let found = of("dice", &masks(&values), 3);
    #[expect(clippy::needless_range_loop, reason = "a column of several tables")]
    for b in 0..120 {
        let sum: f64 = (0..n).map(|k| weights[k][b] * values[k].unwrap_or(0.0)).sum();
        let weight: f64 = (0..n).map(|k| if values[k].is_some() { weights[k][b] } else { 0.0 }).sum();
        assert!((found.sums[b] as f64 - sum * STEP).abs() <= 0.5 + 1e-6, "{b}");
        assert_eq!(found.weights[b] as f64, weight, "{b}");
    }
    assert_ne!(found, of("dice", &masks(&values), 4), "another secret draws other weights");
    let other_set = replicates("dice", &masks(&values), &options(1), &Draws::new(&[3; 32], "other", 120, 1));
    assert_ne!(Some(found), other_set.unwrap(), "another set draws other weights");
}

#[test]
fn a_case_keeps_its_weights_where_others_failed() {
    let weights = weights(4, 9);
    let frame = |outcome: [&str; 4], scores: [Option<f64>; 4]| {
        df!("case_id" => ["a", "b", "c", "d"], "outcome" => outcome, "label" => [0, 0, 0, 0], "score" => scores).unwrap()
    };
    let failed = frame(["crashed", "ok", "ok", "ok"], [None, Some(0.0), Some(1.0), Some(0.0)]);
    let exclude = Options { min_cell: 1, failed_cases: FailedCases::Exclude };
    let found = replicates("brier", &failed, &exclude, &draws(9)).unwrap().unwrap();
    #[expect(clippy::needless_range_loop, reason = "a column of several tables")]
    for b in 0..120 {
        assert_eq!(found.sums[b] as f64 / STEP, weights[2][b]);
        assert_eq!(found.weights[b] as f64, weights[1][b] + weights[2][b] + weights[3][b]);
    }
}

#[test]
fn a_replicate_of_a_metric_of_a_set_is_that_of_the_repeated_cases() {
    let scores: Vec<f64> = (0..30).map(|i| f64::from(i * 37 % 30) / 30.0).collect();
    let labels: Vec<i32> = (0..30).map(|i| i32::from(i % 3 == 0)).collect();
    let frame = table(&scores, &labels);
    let weights = weights(30, 5);
    for id in ["auc", "average_precision", "f1@0.5", "ece@5", "ece.equal_mass@4", "partial_auc@0.3"] {
        let site = assess(id, &frame, &options(1)).unwrap();
        let found = replicate_values(id, &site.summary, &of(id, &frame, 5)).unwrap();
        for (b, value) in found.iter().enumerate().step_by(11) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
            let times = |i: usize| weights[i][b] as usize;
            let (s, y): (Vec<f64>, Vec<i32>) =
                (0..30).flat_map(|i| std::iter::repeat_n((scores[i], labels[i]), times(i))).unzip();
            let expected = assess(id, &table(&s, &y), &options(1)).unwrap().estimate.value;
            assert!((value.unwrap() - expected.unwrap()).abs() <= 0.5 / STEP + 1e-12, "{id} {b}");
        }
    }
}

#[test]
fn replicates_add_up_in_any_order_and_means_pool_exactly() {
    let site = |k: usize, n: usize| {
        let values: Vec<Option<f64>> = (0..n).map(|i| Some(((i * 13 + k * 5) % 17) as f64 / 17.0)).collect();
        let frame = masks(&values);
        (assess("dice", &frame, &options(1)).unwrap().summary, of("dice", &frame, u8::try_from(k).unwrap()))
    };
    let parts = [site(1, 25), site(2, 40), site(3, 11)];
    let add = |a: &Replicates, b: &Replicates| merge_replicates(a, b).unwrap();
    let left = add(&add(&parts[0].1, &parts[1].1), &parts[2].1);
    assert_eq!(left, add(&parts[2].1, &add(&parts[1].1, &parts[0].1)));
    let short = Replicates { sums: vec![1, 2], weights: vec![3, 4] };
    assert_eq!(
        add(&add(&left, &short), &left),
        add(&left, &add(&left, &short)),
        "the fewer replicates remain"
    );
    assert_eq!(add(&left, &short).sums.len(), 2);
    let summary = merge(&merge(&parts[0].0, &parts[1].0).unwrap(), &parts[2].0).unwrap();
    let found = replicate_values("dice", &summary, &left).unwrap();
    let sd = {
        let values: Vec<f64> = found.iter().map(|v| v.unwrap()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    // The replicates spread as the mean of 76 values that are evenly spread over 17 steps does.
    let expected = (0..17).map(|i| (f64::from(i) / 17.0 - 8.0 / 17.0).powi(2)).sum::<f64>() / 17.0;
    assert!((sd / (expected / 76.0).sqrt() - 1.0).abs() < 0.25, "{sd}");
    let overflow = Replicates { sums: vec![i64::MAX], weights: vec![1] };
    assert!(merge_replicates(&overflow, &overflow).is_err());
}

#[test]
fn too_few_cases_have_no_replicates() {
    let values: Vec<Option<f64>> = (0..12).map(|i| (i > 3).then_some(0.5)).collect();
    let with = |least| {
        replicates("dice", &masks(&values), &options(1), &Draws::new(&[1; 32], "set", 50, least)).unwrap()
    };
    assert!(with(8).is_some() && with(9).is_none(), "eight cases have a value");
    let none = Draws::new(&[1; 32], "set", 0, 1);
    assert_eq!(replicates("dice", &masks(&values), &options(1), &none).unwrap(), None);
    assert_eq!(Draws::new(&[1; 32], "set", u16::MAX, 1).clone().replicates(), fiel_metrics::REPLICATES_MAX);
    assert!(!format!("{none:?}").contains("key"));
}

#[test]
fn paired_replicates_tell_apart_what_separate_intervals_do_not() {
    // Three submissions on the same 60 hard and easy cases at two sites: the second is a little worse on every case, the
    // third the same as the second but for chance.
    let value = |submission: usize, i: usize| {
        let hard = f64::from(u8::from(i.is_multiple_of(2))) * 0.6;
        let noise = ((i * 7919 + submission * 31) % 13) as f64 / 13.0 * 0.02;
        0.95 - hard - [0.0, 0.03, 0.03][submission] - noise
    };
    let mut rows = Vec::new();
    for submission in 0..3 {
        let parts: Vec<_> = (0..2)
            .map(|site: usize| {
                let values: Vec<Option<f64>> =
                    (0..60).map(|i| Some(value(submission, i + 60 * site))).collect();
                let frame = masks(&values);
                (
                    assess("dice", &frame, &options(1)).unwrap(),
                    of("dice", &frame, u8::try_from(site).unwrap()),
                )
            })
            .collect();
        let summary = merge(&parts[0].0.summary, &parts[1].0.summary).unwrap();
        let values = replicate_values("dice", &summary, &merge_replicates(&parts[0].1, &parts[1].1).unwrap());
        rows.push((fiel_metrics::estimate("dice", &summary).unwrap(), values.unwrap()));
    }
    let (first, second) = (rows[0].0.ci95.unwrap(), rows[1].0.ci95.unwrap());
    assert!(second[1] > first[0], "separate intervals overlap");
    let full: Vec<f64> = rows.iter().map(|r| -r.0.value.unwrap()).collect();
    let replicates = (0..120).map(|b| rows.iter().map(|r| -r.1[b].unwrap()).collect()).collect();
    let ranking = ReplicatedRanking::new(&[MetricReplicates { full, replicates }]).unwrap();
    assert!(ranking.lead(0, 1)[0] > 0.02, "{:?}", ranking.lead(0, 1));
    assert_eq!((ranking.rank_range(0), ranking.share_first(0)), ([1, 1], 1.0));
    assert_eq!(ranking.groups(&[0, 1, 2])[0], 1);
    assert_eq!(ranking.groups(&[0, 1, 2])[1], 2);
    let (tau, [low, high]) = ranking.kendall_tau().unwrap();
    assert!(low <= tau && tau <= high && tau > 0.3, "{tau}");
}
