//! Every metric of the registry pools over sites: exactly, within the bound it carries, or by random effects that say so.

use crate::{options, table};
use fiel_kernels::inference::{Confidence, HartungKnapp, SiteEstimates};
use fiel_kernels::regression::{IccForm, Pairs, Ratings};
use fiel_metrics::registry::{MetricId, MetricTask, all};
use fiel_metrics::score::{self, DetectionFiles, MulticlassFiles, Request, SurvivalFiles};
use fiel_metrics::{Options, assess, estimate, merge};
use fiel_schemas::assessment::{Estimate, Pooling, SiteMetric};
use fiel_schemas::challenge::FailedCases;
use fiel_schemas::summary::{Summary, ValueCell};
use polars::prelude::*;
use proptest::prelude::*;
use std::fmt::Write as _;

/// Every id of a task, each with every convention, and some with other parameters than the default.
fn ids(task: MetricTask) -> Vec<String> {
    let of_task = all().filter(|m| m.task == task);
    let with_conventions = of_task.flat_map(|m| {
        let conventions: Vec<String> = m.conventions.iter().map(|c| format!("{}.{}", m.id, c.name)).collect();
        if conventions.is_empty() { vec![m.id.to_owned()] } else { conventions }
    });
    let more: &[&str] = match task {
        MetricTask::Classification => &[
            "partial_auc@0.3",
            "partial_auc@1",
            "specificity@sensitivity=0.7",
            "ece.equal_mass@4",
            "mce.equal_mass@1",
            "ece.right_closed@4",
            "f1@0.3",
        ],
        _ => &[],
    };
    with_conventions.chain(more.iter().map(ToString::to_string)).collect()
}

/// Merges in the order that `choices` gives: each time two of what is left.
fn merged(parts: &[Summary], choices: &[u8]) -> Summary {
    let mut left = parts.to_vec();
    for choice in choices.iter().cycle() {
        if left.len() == 1 {
            break;
        }
        let a = left.swap_remove(usize::from(*choice) % left.len());
        let b = left.swap_remove(usize::from(choice / 7) % left.len());
        left.push(merge(&a, &b).unwrap());
    }
    left.remove(0)
}

fn bytes(summary: &Summary) -> Vec<u8> {
    serde_json::to_vec(summary).unwrap()
}

/// The summary of all parts, the same bytes in any order of merging.
fn pooled(parts: &[Summary], choices: &[u8]) -> Summary {
    let one = merged(parts, &[0]);
    assert_eq!(bytes(&one), bytes(&merged(parts, choices)), "the order of merging leaves a trace");
    one
}

/// What random effects make of the sites' own estimates.
fn random_effects(parts: &[Summary]) -> Option<(f64, Option<[f64; 2]>)> {
    let (mut values, mut variances) = (Vec::new(), Vec::new());
    for part in parts {
        let Summary::PerSite(p) = part else { panic!("not per site") };
        for site in p.sites.iter().filter(|s| s.variance.is_some()) {
            values.push(site.value);
            variances.push(site.variance.unwrap());
        }
    }
    match values.len() {
        0 => None,
        1 => Some((values[0], None)),
        _ => {
            // The order of the sites is that of the merged summary.
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|&a, &b| {
                values[a].total_cmp(&values[b]).then(variances[a].total_cmp(&variances[b]))
            });
            let pick = |of: &[f64]| order.iter().map(|&i| of[i]).collect::<Vec<f64>>();
            let found = SiteEstimates::new(&pick(&values), &pick(&variances)).unwrap().der_simonian_laird();
            let found = found.unwrap();
            Some((found.estimate, Some(found.hartung_knapp(HartungKnapp::AtLeastNormal, Confidence::P95))))
        }
    }
}

/// Checks a pooled estimate against that of all cases in one place, or against random effects where it says so.
fn check(id: &str, found: &Estimate, central: &Estimate, parts: &[Summary]) {
    if found.pooling == Some(Pooling::RandomEffects) {
        assert_eq!(found.bound, None, "{id}: no bound is known");
        let expected = random_effects(parts);
        let (low, high) = MetricId::parse(id).unwrap().spec.range;
        assert_eq!(found.value, expected.map(|e| e.0.clamp(low, high)), "{id}");
        if let Some((_, Some([a, b]))) = expected {
            assert_eq!(found.ci95, Some([a.max(low), b.min(high)]), "{id}");
        }
        return;
    }
    let bound = found.bound.unwrap();
    match (found.value, central.value) {
        (Some(value), Some(expected)) => {
            assert!(
                (value - expected).abs() <= bound + 1e-9 * expected.abs().max(1e-3),
                "{id}: {found:?} {central:?}"
            );
            let [low, high] = found.ci95.unwrap_or([value, value]);
            assert!(low <= value + 1e-12 && value <= high + 1e-12, "{id}: {found:?}");
        }
        // A slope that some arrangement of the scores leaves infinite is undefined, and so is a decision metric when too few
        // decisions were released; nothing is invented.
        (None, Some(_)) => {
            let suppressed =
                |part: &Summary| matches!(part, Summary::Confusion(counts) if counts.suppressed > 0);
            let allowed = id.starts_with("calibration_slope") || parts.iter().any(suppressed);
            assert!(allowed, "{id}: {found:?} {central:?}");
        }
        (Some(_), None) => panic!("{id}: {found:?} where all cases have no value"),
        (None, None) => {}
    }
}

/// (site, score, label).
type Case = (usize, f64, i32);

fn cases(sites: usize, most: usize) -> impl Strategy<Value = Vec<Case>> {
    let case = (0..sites, 0..10u8, -5.0..5.0f64, 0.0..1.0f64).prop_map(|(site, kind, x, u)| {
        let p = 1.0 / (1.0 + f64::exp(-x));
        let score = match kind {
            0 => (p * 10.0).round() / 10.0,
            1 => 0.25,
            _ => p,
        };
        (site, score, i32::from(u < 0.1 + 0.8 * p))
    });
    prop::collection::vec(case, 1..most)
}

fn assessed(id: &str, cases: &[Case], site: Option<usize>, min_cell: u64) -> SiteMetric {
    let chosen = cases.iter().filter(|c| site.is_none_or(|s| s == c.0));
    let (scores, labels): (Vec<f64>, Vec<i32>) = chosen.map(|c| (c.1, c.2)).unzip();
    assess(id, &table(&scores, &labels), &options(min_cell)).unwrap_or_else(|e| panic!("{id}: {e}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_classification_metric_pools(
        (sites, cases) in (1..7usize).prop_flat_map(|sites| (Just(sites), cases(sites, 160))),
        min_cell in 1u64..8,
        choices in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        for id in ids(MetricTask::Classification).into_iter().filter(|id| !is_per_site(id)) {
            let parts: Vec<Summary> =
                (0..sites).map(|s| assessed(&id, &cases, Some(s), min_cell).summary).collect();
            let found = estimate(&id, &pooled(&parts, &choices)).unwrap();
            prop_assert_eq!((found.n, found.pooling), (cases.len() as u64, None), "{}", id);
            check(&id, &found, &assessed(&id, &cases, None, 1).estimate, &parts);
        }
    }

    #[test]
    fn every_regression_metric_pools_as_if_held_centrally(
        rows in prop::collection::vec((0..4usize, -3.0..3.0f64, -1.0..1.0f64), 3..120),
        (scale, offset) in (prop::sample::select(vec![1.0, 1e-3, 400.0]), prop::sample::select(vec![0.0, 1e4, -70.0])),
        choices in prop::collection::vec(any::<u8>(), 1..8),
        min_cell in 1u64..6,
    ) {
        let frame = |site: Option<usize>| {
            let chosen = || rows.iter().filter(move |r| site.is_none_or(|s| s == r.0));
            let reference: Vec<f64> = chosen().map(|r| offset + scale * r.1).collect();
            let prediction: Vec<f64> = chosen().map(|r| offset + scale * (r.1 + 0.3 * r.2 + 0.1)).collect();
            let n = reference.len();
            let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            (df!("case_id" => names, "outcome" => vec!["ok"; n], "reference" => &reference,
                 "prediction" => &prediction).unwrap(), reference, prediction)
        };
        let (_, reference, prediction) = frame(None);
        for id in ids(MetricTask::Regression) {
            let parts: Vec<Summary> =
                (0..4).map(|s| assess(&id, &frame(Some(s)).0, &options(min_cell)).unwrap().summary).collect();
            let found = estimate(&id, &pooled(&parts, &choices)).unwrap();
            prop_assert_eq!((found.n, found.bound, found.pooling), (rows.len() as u64, Some(0.0), None));
            let whole = assess(&id, &frame(None).0, &options(1)).unwrap().estimate;
            prop_assert_eq!(found.value.map(f64::to_bits), whole.value.map(f64::to_bits), "{}", &id);
            prop_assert_eq!(found.ci95, whole.ci95, "{}", &id);
            let (expected, interval) = by_kernels(&id, &prediction, &reference);
            let Some(value) = found.value else {
                prop_assert!(expected.is_none(), "{}: undefined, not {:?}", id, expected);
                continue;
            };
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * b.abs().max(1.0).max(scale);
            prop_assert!(near(value, expected.unwrap()), "{}: {} not {:?}", id, value, expected);
            if let (Some(a), Some(b)) = (found.ci95, interval) {
                prop_assert!(near(a[0], b[0]) && near(a[1], b[1]), "{}: {:?} not {:?}", id, a, b);
            }
        }
    }

    #[test]
    fn quartiles_of_a_sketch_hold_the_true_ones_within_their_rank_error(
        values in prop::collection::vec((0..4usize, prop::option::weighted(0.9, 0.0..1.0f64)), 1..150),
        min_cell in 1u64..9,
        choices in prop::collection::vec(any::<u8>(), 1..8),
        scale in prop::sample::select(vec![1.0, 30.0]),
    ) {
        let id = if scale > 1.0 { "volume_error_ml" } else { "dice" };
        let part = |site: usize| {
            let own: Vec<Option<f64>> =
                values.iter().filter(|v| v.0 == site).map(|v| v.1.map(|v| v * v * scale)).collect();
            let n = own.len();
            let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            let frame = df!("case_id" => names, "outcome" => vec!["ok"; n], id => own,
                            "reference_ml" => vec![1.0; n]).unwrap();
            assess(id, &frame, &options(min_cell)).unwrap().summary
        };
        let parts: Vec<Summary> = (0..4).map(part).collect();
        for part in &parts {
            let Summary::Moments(m) = part else { panic!("not moments") };
            prop_assert!(m.cells.iter().all(|c| c.n >= min_cell.min(m.n)), "{:?}", m.cells);
        }
        let found = estimate(id, &pooled(&parts, &choices)).unwrap();
        let mut sorted: Vec<f64> = values.iter().filter_map(|v| v.1.map(|v| v * v * scale)).collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        for (quarter, quantile) in (1..).zip(found.quartiles.iter().flatten()) {
            let rank = (n * quarter).div_ceil(4);
            let exact = sorted[rank - 1];
            prop_assert!(quantile.low <= exact && exact <= quantile.high, "{:?} {}", quantile, exact);
            let below = sorted.iter().filter(|v| **v <= quantile.value).count();
            let error = below.abs_diff(rank) as f64 / n as f64;
            prop_assert!(error <= quantile.rank_error + 1e-12, "{:?}: {}", quantile, error);
        }
        if min_cell == 1 && n > 0 {
            let [_, median, _] = found.quartiles.unwrap();
            prop_assert!(median.high - median.low <= median.high / 64.0 + 1e-300, "{:?}", median);
        }
    }
}

/// Metrics of forecasts that no sums give.
fn is_per_site(id: &str) -> bool {
    ["ici", "e50", "e90", "smece"].contains(&id)
}

proptest! {
    // Each site measures its resamples: two hundred times the work.
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn every_other_classification_metric_pools_by_random_effects(
        (sites, cases) in (2..5usize).prop_flat_map(|sites| (Just(sites), cases(sites, 120))),
        choices in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        for id in ids(MetricTask::Classification).into_iter().filter(|id| is_per_site(id)) {
            let parts: Vec<Summary> = (0..sites).map(|s| assessed(&id, &cases, Some(s), 5).summary).collect();
            let found = estimate(&id, &pooled(&parts, &choices)).unwrap();
            prop_assert_eq!((found.n, found.pooling), (cases.len() as u64, Some(Pooling::RandomEffects)), "{}", id);
            check(&id, &found, &found, &parts);
        }
    }
}

/// Value and interval of all pairs by the kernels.
fn by_kernels(id: &str, prediction: &[f64], reference: &[f64]) -> (Option<f64>, Option<[f64; 2]>) {
    let pairs = Pairs::new(prediction, reference).unwrap();
    let icc = |form| {
        let ratings: Vec<f64> = reference.iter().zip(prediction).flat_map(|(r, p)| [*r, *p]).collect();
        match Ratings::new(&ratings, 2).unwrap().icc(form, 0.95).unwrap() {
            Ok(found) => (Some(found.value), found.interval),
            Err(_) => (None, None),
        }
    };
    match id {
        "mae" => (Some(pairs.mean_absolute_error()), None),
        "rmse" => (Some(pairs.root_mean_squared_error()), None),
        "bias" => (Some(pairs.bias()), None),
        "loa_lower" | "loa_upper" => {
            pairs.bland_altman(0.95, 0.95).unwrap().map_or((None, None), |found| match id {
                "loa_lower" => (Some(found.limits[0]), Some(found.lower_interval)),
                _ => (Some(found.limits[1]), Some(found.upper_interval)),
            })
        }
        "r2" => (pairs.r2().ok(), None),
        "ccc" => {
            pairs.concordance(0.95).unwrap().map_or((None, None), |found| (Some(found.value), found.interval))
        }
        "icc.agreement" => icc(IccForm::TwoWayRandomSingle),
        "icc.consistency" => icc(IccForm::TwoWayMixedSingle),
        "icc.one_way" => icc(IccForm::OneWaySingle),
        other => panic!("{other} is not compared"),
    }
}

/// A generator of numbers from 0 to 1, the same on every run.
fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

fn request(task: MetricTask, ids: &[String]) -> Request {
    let summaries = Some(Options { min_cell: 5, failed_cases: FailedCases::Exclude });
    Request { summaries, ..Request::new(task, ids).unwrap() }
}

/// Merges three sites' summaries of each metric and checks that random effects are what they say.
fn check_sites(ids: &[String], sites: &[std::collections::BTreeMap<String, SiteMetric>]) {
    for id in ids {
        let parts: Vec<Summary> = sites.iter().map(|s| s[id].summary.clone()).collect();
        for (site, part) in sites.iter().zip(&parts) {
            let alone = estimate(id, part).unwrap();
            assert_eq!(alone, site[id].estimate, "{id}");
            assert_eq!(
                (alone.pooling, alone.bound),
                (None, Some(0.0)),
                "{id}: one site's own value is exact"
            );
            assert!(alone.value.is_some() && alone.ci95.is_some(), "{id}: {alone:?}");
        }
        let found = estimate(id, &pooled(&parts, &[3, 8, 250])).unwrap();
        assert_eq!(found.pooling, Some(Pooling::RandomEffects), "{id}");
        check(id, &found, &found, &parts);
    }
}

#[test]
fn every_survival_metric_pools_by_random_effects() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = ids(MetricTask::Survival)
        .into_iter()
        .map(|id| if id == "td_auc" { "td_auc@1".into() } else { id })
        .collect();
    let sites: Vec<_> = (0..3)
        .map(|site| {
            let mut next = uniform(site + 1);
            let mut text = "time,event,risk,free_0.5,free_1,free_1.5\n".to_owned();
            for _ in 0..60 {
                let risk = next();
                let time = -next().ln() / (0.3 + 1.5 * risk);
                let censored = 3.0 * next();
                let free = |t: f64| (-(0.3 + 1.5 * risk) * t).exp();
                let row = (time.min(censored), i32::from(time <= censored));
                writeln!(text, "{},{},{risk},{},{},{}", row.0, row.1, free(0.5), free(1.0), free(1.5))
                    .unwrap();
            }
            let path = folder.path().join(format!("{site}.csv"));
            std::fs::write(&path, text).unwrap();
            let files = SurvivalFiles {
                table: &path,
                time: "time",
                event: "event",
                risk: "risk",
                curve: Some("free_"),
                training: None,
                case: None,
            };
            score::survival(&files, &request(MetricTask::Survival, &ids)).unwrap().summaries.unwrap()
        })
        .collect();
    check_sites(&ids, &sites);
}

#[test]
fn every_multiclass_metric_pools_and_means_over_cases_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let ids = ids(MetricTask::Multiclass);
    let report = |name: &str, rows: &[String]| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("y,p_a,p_b,p_c\n{}", rows.concat())).unwrap();
        let files = MulticlassFiles {
            table: &path,
            label: "y",
            scores: Some("p_"),
            decision: None,
            classes: &[],
            case: None,
        };
        score::multiclass(&files, &request(MetricTask::Multiclass, &ids)).unwrap()
    };
    let rows: Vec<Vec<String>> = (0..3)
        .map(|site| {
            let mut next = uniform(site + 5);
            let row = |_| {
                let class = (3.0 * next()).floor();
                let raw: Vec<f64> =
                    (0..3u8).map(|k| next() + if f64::from(k) == class { 0.6 } else { 0.0 }).collect();
                let sum: f64 = raw.iter().sum();
                let name = if class == 0.0 {
                    "a"
                } else if class == 1.0 {
                    "b"
                } else {
                    "c"
                };
                format!("{name},{},{},{}\n", raw[0] / sum, raw[1] / sum, raw[2] / sum)
            };
            (0..60).map(row).collect()
        })
        .collect();
    let sites: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(i, rows)| report(&format!("{i}.csv"), rows).summaries.unwrap())
        .collect();
    let (means, others): (Vec<String>, Vec<String>) = ids
        .iter()
        .cloned()
        .partition(|id| ["multiclass_brier", "multiclass_log_loss"].contains(&id.as_str()));
    check_sites(&others, &sites);
    let central = report("all.csv", &rows.concat());
    for id in means {
        let parts: Vec<Summary> = sites.iter().map(|s| s[&id].summary.clone()).collect();
        let found = estimate(&id, &pooled(&parts, &[1, 9])).unwrap();
        let expected = central.metrics[&id].value.unwrap();
        assert_eq!((found.n, found.pooling), (180, None), "{id}");
        assert!(
            (found.value.unwrap() - expected).abs() < 1e-12 * expected,
            "{id}: {found:?}, not {expected}"
        );
    }
}

#[test]
fn every_detection_metric_pools_by_random_effects() {
    let folder = tempfile::tempdir().unwrap();
    let all = ids(MetricTask::Detection);
    let (of_points, of_boxes): (Vec<String>, Vec<String>) =
        all.into_iter().partition(|id| id.starts_with("cpm"));
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (mut points, mut boxes) = (Vec::new(), Vec::new());
    for site in 0..3u64 {
        let mut next = uniform(17 + site);
        let mut texts = [
            "image,x,y,z,diameter_mm\n".to_owned(),
            "image,x,y,z,score\n".to_owned(),
            "image,x_min,y_min,x_max,y_max\n".to_owned(),
            "image,x_min,y_min,x_max,y_max,score\n".to_owned(),
            "image\n".to_owned(),
        ];
        for image in 0..40 {
            writeln!(texts[4], "{image}").unwrap();
            let (x, y) = (100.0 * next(), 100.0 * next());
            let (off, score) = (if next() < 0.7 { 1.0 } else { 40.0 }, next());
            if image % 4 > 0 {
                writeln!(texts[0], "{image},{x},{y},5,8").unwrap();
                writeln!(texts[2], "{image},{x},{y},{},{}", x + 10.0, y + 10.0).unwrap();
            }
            writeln!(texts[1], "{image},{},{y},5,{score}", x + off).unwrap();
            writeln!(texts[3], "{image},{},{y},{},{},{score}", x + off, x + off + 10.0, y + 10.0).unwrap();
        }
        let paths: Vec<_> =
            texts.iter().enumerate().map(|(i, t)| write(&format!("{site}-{i}.csv"), t)).collect();
        for (ids, at, found) in [(&of_points, 0, &mut points), (&of_boxes, 2, &mut boxes)] {
            let files =
                DetectionFiles { reference: &paths[at], prediction: &paths[at + 1], images: Some(&paths[4]) };
            let report = score::detection(&files, &request(MetricTask::Detection, ids)).unwrap();
            found.push(report.summaries.unwrap());
        }
    }
    check_sites(&of_points, &points);
    check_sites(&of_boxes, &boxes);
}

#[test]
fn every_segmentation_metric_pools_exactly() {
    for id in ids(MetricTask::Segmentation) {
        let frame = |first: u32| {
            let values: Vec<f64> = (first..first + 12).map(|i| f64::from(i % 9) / 10.0 + 0.01).collect();
            df!("case_id" => (0..12).map(|i| i.to_string()).collect::<Vec<_>>(), "outcome" => vec!["ok"; 12],
                id.as_str() => values, "reference_ml" => vec![1.0; 12], "prediction_ml" => vec![1.0; 12],
                "diagonal_mm" => vec![100.0; 12])
            .unwrap()
        };
        let parts: Vec<SiteMetric> =
            [0, 5, 40].iter().map(|f| assess(&id, &frame(*f), &options(3)).unwrap()).collect();
        let summaries: Vec<Summary> = parts.iter().map(|p| p.summary.clone()).collect();
        let found = estimate(&id, &pooled(&summaries, &[1, 9])).unwrap();
        let mean = parts.iter().map(|p| p.estimate.value.unwrap()).sum::<f64>() / 3.0;
        assert!((found.value.unwrap() - mean).abs() < 1e-14, "{id}");
        assert_eq!((found.n, found.bound, found.pooling), (36, Some(0.0), None), "{id}");
        assert!(found.quartiles.is_some(), "{id}");
    }
}

#[test]
fn a_site_without_a_value_is_counted_and_not_pooled() {
    let cases: Vec<Case> = (0..90)
        .map(|i| {
            let site = i / 30;
            (site, (i % 30) as f64 / 30.0, i32::from(site > 0 && i % 3 == 0))
        })
        .collect();
    let parts: Vec<Summary> = (0..3).map(|s| assessed("ici", &cases, Some(s), 1).summary).collect();
    let found = estimate("ici", &pooled(&parts, &[5])).unwrap();
    assert_eq!((found.undefined, found.n, found.pooling), (1, 90, Some(Pooling::RandomEffects)));
    let two = estimate("ici", &pooled(&parts[1..], &[5])).unwrap();
    assert_eq!(found.value, two.value);
    let Summary::PerSite(p) = &parts[0] else { panic!("not per site") };
    assert_eq!((p.undefined, p.undefined_cases, p.sites.len()), (1, 30, 0));
}

#[test]
fn dishonest_summaries_of_the_newer_kinds_are_refused() {
    let cases: Vec<Case> = (0..40).map(|i| (0, f64::from(i) / 40.0, i32::from(i % 3 == 0))).collect();
    let Summary::PerSite(honest) = assessed("ici", &cases, None, 1).summary else { panic!("not per site") };
    for (value, variance) in [(1.5, Some(0.1)), (0.1, Some(-1.0)), (0.1, Some(0.0)), (f64::NAN, Some(0.1))] {
        let mut p = honest.clone();
        (p.sites[0].value, p.sites[0].variance) = (value, variance);
        assert!(estimate("ici", &Summary::PerSite(p)).is_err(), "{value} {variance:?}");
    }
    let frame = df!("case_id" => ["a", "b", "c"], "outcome" => ["ok"; 3], "reference" => [1.0, 2.0, 4.0],
                    "prediction" => [1.5, 2.0, 3.0])
    .unwrap();
    let of = |id: &str| assess(id, &frame, &options(1)).unwrap().summary;
    let Summary::Agreement(honest) = of("r2") else { panic!("not sums of pairs") };
    for bad in ["-1", "x", "0", "99999999999999999999999999999999999999999"] {
        let mut a = honest.clone();
        a.sum_rr = bad.to_owned();
        assert!(estimate("r2", &Summary::Agreement(a)).is_err(), "{bad}");
    }
    let Summary::Moments(honest) = of("mae") else { panic!("not moments") };
    let changes: [fn(&mut ValueCell); 3] = [|c| c.n += 1, |c| c.first = c.last + 1, |c| c.last = 1 << 20];
    for change in changes {
        let mut m = honest.clone();
        change(&mut m.cells[0]);
        assert!(estimate("mae", &Summary::Moments(m)).is_err());
    }
}

#[test]
fn failed_cases_of_a_regression_are_left_out_or_refused() {
    let frame = df!("case_id" => ["a", "b", "c"], "outcome" => ["ok", "crashed", "ok"], "reference" => [1.0, 2.0, 4.0],
                    "prediction" => [Some(1.5), None, Some(3.0)]).unwrap();
    let found = assess("mae", &frame, &options(1)).unwrap().estimate;
    assert_eq!((found.value, found.n, found.undefined), (Some(0.75), 2, 1));
    let worst = assess("mae", &frame, &Options { min_cell: 1, failed_cases: FailedCases::Worst });
    assert!(worst.unwrap_err().to_string().contains("no worst value"));
    let risks = assess("c_index_harrell", &frame, &options(1)).unwrap_err().to_string();
    assert!(risks.contains("survival"), "{risks}");
}
