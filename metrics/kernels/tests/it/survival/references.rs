//! Values of scikit-survival and lifelines.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::Undefined;
use fiel_kernels::survival::{
    CensoringDistribution, Confidence, GroupedTimes, Horizon, IntervalScale, KaplanMeier, PredictedSurvival,
    RiskConcordance, SurvivalTimes, TimeGrid, quantile_groups, time_dependent_auc,
};
use serde_json::Value;

struct Case {
    id: String,
    times: Vec<f64>,
    events: Vec<bool>,
    risks: Vec<f64>,
    expected: Value,
}

/// The cases without NaN.
fn golden() -> Vec<Case> {
    let read = |case: Value| Case {
        id: case["id"].as_str().expect("an id").to_owned(),
        times: numbers(&case["time"]),
        events: numbers(&case["event"]).iter().map(|&e| e > 0.0).collect(),
        risks: numbers(&case["risk"]),
        expected: case["expected"].clone(),
    };
    cases("survival").into_iter().map(read).filter(|c| c.risks.iter().all(|r| r.is_finite())).collect()
}

impl Case {
    fn times(&self) -> SurvivalTimes {
        SurvivalTimes::new(&self.times, &self.events).expect("valid times")
    }

    fn grid(&self) -> Option<TimeGrid> {
        TimeGrid::new(&numbers(&self.expected["times"])).ok()
    }

    /// The golden file's formula of predicted survival.
    fn predicted(&self, grid: &TimeGrid) -> Vec<f64> {
        let mean = self.risks.iter().sum::<f64>() / self.risks.len() as f64;
        let median = median(&self.times);
        let one = |r: f64, t: f64| (-(r - mean).exp() * 0.5 * t / median).exp();
        self.risks.iter().flat_map(|&r| grid.times().iter().map(move |&t| one(r, t))).collect()
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

#[test]
fn harrells_c_and_its_pairs_are_those_of_the_references() {
    let mut compared = 0;
    for case in golden() {
        let times = case.times();
        for (peer, tolerance) in [("sksurv_harrell", 1e-8), ("brute_force_harrell", 0.0)] {
            let risks = RiskConcordance::new(&times, &case.risks, tolerance).expect("valid risks");
            let expected = &case.expected[peer];
            if expected["error"].is_string() {
                assert_eq!(risks.c_index_harrell(), Err(Undefined::NoEvents), "{}", case.id);
                continue;
            }
            let counts = risks.counts();
            let found = risks.c_index_harrell().expect("a value");
            assert_close(found, number(&expected["c"]).expect("c"), 1e-15, &case.id);
            assert_eq!(Some(counts.concordant), expected["concordant"].as_u64(), "{}", case.id);
            assert_eq!(Some(counts.discordant), expected["discordant"].as_u64(), "{}", case.id);
            assert_eq!(Some(counts.tied_risk), expected["tied_risk"].as_u64(), "{}", case.id);
            if peer == "sksurv_harrell" {
                assert_eq!(Some(counts.tied_time), expected["tied_time"].as_u64(), "{}", case.id);
            } else {
                assert_eq!(Some(counts.comparable()), expected["comparable"].as_u64(), "{}", case.id);
                let lifelines = number(&case.expected["lifelines_c_index_of_minus_risk"]).expect("a value");
                assert_close(found, lifelines, 1e-15, &case.id);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
}

#[test]
fn unos_c_is_that_of_scikit_survival() {
    let (mut compared, mut undefined) = (0, 0);
    for case in golden() {
        let times = case.times();
        let censoring = CensoringDistribution::new(&times);
        let risks = RiskConcordance::new(&times, &case.risks, 1e-8).expect("valid risks");
        for (tau, expected) in case.expected["sksurv_uno"].as_object().expect("values by tau") {
            let horizon = tau.parse().ok().map(|t: f64| Horizon::new(t).expect("a horizon"));
            let found = risks.c_index_uno(&censoring, horizon);
            if expected["error"].is_string() {
                let reason = match (case.id.as_str(), tau.as_str()) {
                    ("all_same_time", "None") => Undefined::CensoringZero,
                    _ => Undefined::NoEvents,
                };
                assert_eq!(found, Err(reason), "{} {tau}", case.id);
                undefined += 1;
            } else {
                let c = number(&expected["c"]).expect("c");
                assert_close(found.expect("a value"), c, 1e-13, &format!("{} {tau}", case.id));
                compared += 1;
            }
        }
    }
    assert_eq!((compared, undefined), (32, 6));
}

#[test]
fn auc_at_times_is_that_of_scikit_survival() {
    let (mut compared, mut undefined, mut means) = (0, 0, 0);
    for case in golden() {
        let times = case.times();
        let censoring = CensoringDistribution::new(&times);
        let expected = &case.expected["sksurv_cumulative_dynamic_auc"];
        let Some(grid) = case.grid() else { continue };
        let found = time_dependent_auc(&times, &censoring, &case.risks, &grid, 1e-8).expect("valid input");
        assert_eq!(found.at.len(), grid.times().len());
        if expected["error"].is_string() {
            assert!(found.at.iter().all(|a| *a == Err(Undefined::NoEvents)), "{}: {found:?}", case.id);
            assert_eq!(found.mean, Err(Undefined::NoEvents));
            undefined += found.at.len();
            continue;
        }
        for (found, expected) in found.at.iter().zip(numbers(&expected["auc"])) {
            let Ok(found) = found else {
                assert!(expected.is_nan());
                undefined += 1;
                continue;
            };
            assert_close(*found, expected, 1e-13, &case.id);
            compared += 1;
        }
        let mean = number(&expected["mean"]).expect("a mean");
        if mean.is_nan() {
            assert_eq!(found.mean, Err(Undefined::NoEvents));
        } else {
            assert_close(found.mean.expect("a mean"), mean, 1e-13, &case.id);
            means += 1;
        }
    }
    assert_eq!((compared, undefined, means), (39, 5, 10));
}

#[test]
fn brier_scores_are_those_of_scikit_survival() {
    let (mut compared, mut integrated) = (0, 0);
    for case in golden() {
        let Some(grid) = case.grid() else { continue };
        let times = case.times();
        let censoring = CensoringDistribution::new(&times);
        let predicted = case.predicted(&grid);
        let predicted = PredictedSurvival::new(&times, &grid, &predicted).expect("valid probabilities");
        let expected = &case.expected["sksurv_brier_ipcw"];
        if expected["error"].is_string() {
            assert_eq!(predicted.integrated_brier(&censoring), Err(Undefined::NoEvents), "{}", case.id);
            continue;
        }
        for (found, expected) in predicted.brier(&censoring).iter().zip(numbers(expected)) {
            assert_close(found.expect("a value"), expected, 1e-13, &case.id);
            compared += 1;
        }
        let expected = number(&case.expected["sksurv_integrated_brier"]).expect("a value");
        let found = predicted.integrated_brier(&censoring).expect("a value");
        assert_close(found, expected, 1e-13, &case.id);
        integrated += 1;
    }
    assert_eq!((compared, integrated), (40, 11));
}

#[test]
fn censoring_distributions_are_those_of_scikit_survival() {
    let mut compared = 0;
    for case in golden() {
        let expected = &case.expected["sksurv_censoring_km"];
        if !expected["time"].is_array() {
            continue;
        }
        let censoring = CensoringDistribution::new(&case.times());
        for (time, expected) in numbers(&expected["time"]).into_iter().zip(numbers(&expected["prob"])) {
            assert_close(censoring.at(time).expect("a value"), expected, 1e-13, &case.id);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn kaplan_meier_curves_are_those_of_lifelines() {
    let confidence = Confidence::new(0.95).expect("a level");
    let (mut compared, mut medians) = (0, 0);
    for case in golden() {
        let expected = &case.expected["lifelines_km"];
        if !expected["time"].is_array() {
            continue;
        }
        let curve = KaplanMeier::new(&case.times());
        let times = numbers(&expected["time"]);
        let list = |name: &str| numbers(&expected[name]);
        for (((time, s), lo), hi) in times.into_iter().zip(list("surv")).zip(list("ci_lo")).zip(list("ci_hi"))
        {
            assert_close(curve.at(time).expect("a value"), s, 1e-12, &case.id);
            let found = curve.interval_at(time, confidence, IntervalScale::LogLog).expect("an interval");
            assert_close(found[0], lo, 1e-12, &format!("{} {time}", case.id));
            assert_close(found[1], hi, 1e-12, &format!("{} {time}", case.id));
            compared += 1;
        }
        let median = number(&expected["median"]).expect("a median");
        let found = curve.median();
        assert!(
            found == Ok(median) || (median.is_infinite() && found == Err(Undefined::NotReached)),
            "{found:?}"
        );
        medians += 1;
    }
    assert!(compared > 100 && medians == 11, "{compared} {medians}");
}

#[test]
fn log_rank_tests_of_halves_are_those_of_lifelines() {
    let mut compared = 0;
    for case in golden() {
        let expected = &case.expected["lifelines_logrank_by_median_risk"];
        let times = case.times();
        let groups = quantile_groups(&case.risks, 2).expect("two groups");
        let found = GroupedTimes::new(&times, &groups, 2).expect("valid groups").log_rank();
        match case.id.as_str() {
            "no_events" => assert_eq!(found, Err(Undefined::NoEvents)),
            "constant_risk" => assert_eq!(found, Err(Undefined::OneClass)),
            id => {
                let found = found.expect("a test");
                assert_eq!(found.degrees_of_freedom, 1);
                assert_close(found.chi_squared, number(&expected["chi2"]).expect("chi2"), 1e-12, id);
                let p = number(&expected["p"]).expect("p");
                assert!((found.p_value / p - 1.0).abs() < 1e-10, "{id}: {} instead of {p}", found.p_value);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 11);
}
