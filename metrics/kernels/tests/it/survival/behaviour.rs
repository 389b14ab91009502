//! Literal cases, brute force and laws.

use crate::golden::{assert_close, cases, numbers};
use fiel_kernels::survival::{
    CensoringDistribution, Confidence, GroupedTimes, Horizon, IntervalScale, KaplanMeier, PredictedSurvival,
    RiskConcordance, SurvivalTimes, TimeGrid, quantile_groups, time_dependent_auc,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

/// Counts pairs one by one.
fn pairs(times: &[f64], events: &[bool], risks: &[f64], tolerance: f64) -> (u64, u64, u64, u64) {
    let mut found = (0, 0, 0, 0);
    for i in 0..times.len() {
        for j in 0..times.len() {
            let same_time = times[i] == times[j] && !events[j];
            if !events[i] || !(times[i] < times[j] || same_time) {
                continue;
            }
            found.3 += u64::from(same_time);
            if (risks[i] - risks[j]).abs() <= tolerance {
                found.2 += 1;
            } else if risks[i] > risks[j] {
                found.0 += 1;
            } else {
                found.1 += 1;
            }
        }
    }
    found
}

/// C of weighted cases: a pair counts with the product of its weights.
fn weighted_c(times: &[f64], events: &[bool], risks: &[f64], weights: &[f64]) -> f64 {
    let (mut agreeing, mut comparable) = (0.0, 0.0);
    for i in 0..times.len() {
        for j in 0..times.len() {
            if events[i] && (times[i] < times[j] || (times[i] == times[j] && !events[j])) {
                let weight = weights[i] * weights[j];
                comparable += weight;
                agreeing += weight
                    * if risks[i] > risks[j] {
                        1.0
                    } else if risks[i] == risks[j] {
                        0.5
                    } else {
                        0.0
                    };
            }
        }
    }
    agreeing / comparable
}

#[test]
fn pairs_of_thousands_are_those_counted_one_by_one() {
    let mut state = 7_u64;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % bound) as f64
    };
    // Few and many ties, in times and in risks.
    for (times_bound, risks_bound, tolerance) in [(90, 1 << 30, 0.0), (1 << 30, 900, 0.0), (400, 5000, 3.0)] {
        let t: Vec<f64> = (0..4500).map(|_| draw(times_bound)).collect();
        let r: Vec<f64> = (0..4500).map(|_| draw(risks_bound) - 1e6).collect();
        let e: Vec<bool> = (0..4500).map(|_| draw(3) > 0.0).collect();
        let times = SurvivalTimes::new(&t, &e).expect("valid times");
        let risks = RiskConcordance::new(&times, &r, tolerance).expect("valid risks");
        let found = risks.counts();
        let found = (found.concordant, found.discordant, found.tied_risk, found.tied_time);
        assert_eq!(found, pairs(&t, &e, &r, tolerance));
        let sum: f64 = risks.influence_harrell().expect("a value").iter().sum();
        assert!(sum.abs() < 1e-12, "{sum}");
    }
}

fn cohort() -> impl Strategy<Value = Vec<(u8, bool, i8)>> {
    prop::collection::vec((0_u8..12, any::<bool>(), -6_i8..6), 1..60)
}

fn columns(cohort: &[(u8, bool, i8)]) -> (Vec<f64>, Vec<bool>, Vec<f64>) {
    (
        cohort.iter().map(|c| f64::from(c.0)).collect(),
        cohort.iter().map(|c| c.1).collect(),
        cohort.iter().map(|c| f64::from(c.2) / 4.0).collect(),
    )
}

proptest! {
    #[test]
    fn pairs_are_those_counted_one_by_one(cohort in cohort(), tolerance in 0_u8..4) {
        let (t, e, r) = columns(&cohort);
        let tolerance = f64::from(tolerance) / 4.0;
        let times = SurvivalTimes::new(&t, &e).expect("valid times");
        let found = RiskConcordance::new(&times, &r, tolerance).expect("valid risks").counts();
        let found = (found.concordant, found.discordant, found.tied_risk, found.tied_time);
        prop_assert_eq!(found, pairs(&t, &e, &r, tolerance));
    }

    #[test]
    fn concordance_does_not_depend_on_the_order_and_turns_with_the_risks(cohort in cohort(), turn in 0_usize..60) {
        let (t, e, r) = columns(&cohort);
        let times = SurvivalTimes::new(&t, &e).expect("valid times");
        let before = RiskConcordance::new(&times, &r, 0.0).expect("valid risks");
        let mut turned = cohort.clone();
        turned.rotate_left(turn % cohort.len());
        let (t2, e2, r2) = columns(&turned);
        let turned_times = SurvivalTimes::new(&t2, &e2).expect("valid times");
        let after = RiskConcordance::new(&turned_times, &r2, 0.0).expect("valid risks");
        prop_assert_eq!(before.counts(), after.counts());
        let censoring = [CensoringDistribution::new(&times), CensoringDistribution::new(&turned_times)];
        prop_assert_eq!(before.c_index_uno(&censoring[0], None), after.c_index_uno(&censoring[1], None));
        let grid = TimeGrid::new(&[2.0, 5.0]).expect("a grid");
        let auc = time_dependent_auc(&times, &censoring[0], &r, &grid, 0.0).expect("valid");
        prop_assert_eq!(&auc, &time_dependent_auc(&turned_times, &censoring[1], &r2, &grid, 0.0).expect("valid"));
        let negative: Vec<f64> = r.iter().map(|r| -r).collect();
        let mirrored = RiskConcordance::new(&times, &negative, 0.0).expect("valid risks");
        prop_assert_eq!(before.counts().concordant, mirrored.counts().discordant);
        if let (Ok(c), Ok(m)) = (before.c_index_harrell(), mirrored.c_index_harrell()) {
            prop_assert!((c + m - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn influences_are_the_derivatives_by_the_weights(cohort in cohort()) {
        let (t, e, r) = columns(&cohort);
        let times = SurvivalTimes::new(&t, &e).expect("valid times");
        let risks = RiskConcordance::new(&times, &r, 0.0).expect("valid risks");
        let Ok(influence) = risks.influence_harrell() else { return Ok(()) };
        let mut weights = vec![1.0; t.len()];
        prop_assert!((weighted_c(&t, &e, &r, &weights) - risks.c_index_harrell().expect("a value")).abs() < 1e-12);
        for i in 0..t.len() {
            let step = 1e-5;
            weights[i] = 1.0 + step;
            let up = weighted_c(&t, &e, &r, &weights);
            weights[i] = 1.0 - step;
            let down = weighted_c(&t, &e, &r, &weights);
            weights[i] = 1.0;
            prop_assert!(((up - down) / (2.0 * step) - influence[i]).abs() < 1e-7);
        }
        let variance = risks.variance_harrell().expect("a value");
        prop_assert!((variance - influence.iter().map(|v| v * v).sum::<f64>()).abs() < 1e-15);
    }

    #[test]
    fn unos_c_and_the_auc_are_those_computed_pair_by_pair(cohort in cohort(), tau in 1_u8..12) {
        let (t, e, r) = columns(&cohort);
        let times = SurvivalTimes::new(&t, &e).expect("valid times");
        let censoring = CensoringDistribution::new(&times);
        let tau = f64::from(tau);
        let (mut agreeing, mut comparable, mut cases, mut right) = (0.0, 0.0, 0.0, 0.0);
        for i in (0..t.len()).filter(|&i| e[i]) {
            let score = |j: usize| if r[i] > r[j] { 1.0 } else if r[i] == r[j] { 0.5 } else { 0.0 };
            let Ok(weight) = censoring.weight(t[i]) else { continue };
            for j in (0..t.len()).filter(|&j| t[i] < t[j] || (t[i] == t[j] && !e[j])) {
                if t[i] < tau {
                    comparable += weight * weight;
                    agreeing += weight * weight * score(j);
                }
            }
            for j in (0..t.len()).filter(|&j| t[i] <= tau && t[j] > tau) {
                cases += weight;
                right += weight * score(j);
            }
        }
        let risks = RiskConcordance::new(&times, &r, 0.0).expect("valid risks");
        if let Ok(c) = risks.c_index_uno(&censoring, Some(Horizon::new(tau).expect("a horizon"))) {
            prop_assert!((c - agreeing / comparable).abs() < 1e-12);
        }
        let grid = TimeGrid::new(&[tau]).expect("a grid");
        let auc = time_dependent_auc(&times, &censoring, &r, &grid, 0.0).expect("valid");
        prop_assert_eq!(auc.at[0], auc.mean);
        match auc.at[0] {
            Ok(auc) => prop_assert!((auc - right / cases).abs() < 1e-12),
            Err(reason) => prop_assert!(cases == 0.0, "{:?}", reason),
        }
    }

    #[test]
    fn curves_fall_and_their_intervals_hold_them(cohort in cohort()) {
        let (t, e, _) = columns(&cohort);
        let curve = KaplanMeier::new(&SurvivalTimes::new(&t, &e).expect("valid times"));
        let confidence = Confidence::new(0.9).expect("a level");
        let mut product = 1.0;
        for (i, &time) in curve.times().iter().enumerate() {
            let at_risk = t.iter().filter(|&&x| x >= time).count() as f64;
            let events = t.iter().zip(&e).filter(|(x, e)| **x == time && **e).count() as f64;
            product *= 1.0 - events / at_risk;
            prop_assert!((curve.survival()[i] - product).abs() < 1e-12);
            prop_assert_eq!((curve.at_risk()[i] as f64, curve.events()[i] as f64), (at_risk, events));
            for scale in [IntervalScale::LogLog, IntervalScale::Plain] {
                let [lo, hi] = curve.interval_at(time, confidence, scale).expect("an interval");
                let s = curve.survival()[i];
                prop_assert!(0.0 <= lo && lo <= s && s <= hi && hi <= 1.0);
            }
        }
    }
}

#[test]
fn bad_input_is_refused_by_name_and_position() {
    let value = |e: Result<SurvivalTimes, InputError>| match e {
        Err(InputError::Value { what, index, .. }) => (what, index),
        other => panic!("{other:?}"),
    };
    assert_eq!(SurvivalTimes::new(&[], &[]), Err(InputError::Empty("times")));
    assert_eq!(value(SurvivalTimes::new(&[1.0, f64::NAN], &[true; 2])), ("times", 1));
    assert_eq!(value(SurvivalTimes::new(&[-0.5], &[true])), ("times", 0));
    assert_eq!(value(SurvivalTimes::new(&[0.0, f64::INFINITY], &[true; 2])), ("times", 1));
    let length = SurvivalTimes::new(&[1.0, 2.0], &[true]);
    assert!(matches!(length, Err(InputError::Length { left_len: 2, right_len: 1, .. })));
    let times = SurvivalTimes::new(&[1.0, 2.0], &[true, false]).expect("valid times");
    assert!(matches!(RiskConcordance::new(&times, &[1.0], 0.0), Err(InputError::Length { .. })));
    assert!(matches!(
        RiskConcordance::new(&times, &[1.0, f64::NAN], 0.0),
        Err(InputError::Value { index: 1, .. })
    ));
    for tolerance in [-1e-9, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            RiskConcordance::new(&times, &[1.0, 2.0], tolerance),
            Err(InputError::Setting { .. })
        ));
    }
    assert!(
        TimeGrid::new(&[]).is_err() && TimeGrid::new(&[1.0, 1.0]).is_err() && TimeGrid::new(&[-1.0]).is_err()
    );
    assert!(matches!(TimeGrid::new(&[1.0, 2.0, 1.5]), Err(InputError::Value { index: 2, .. })));
    for horizon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Horizon::new(horizon).is_err());
    }
    let grid = TimeGrid::new(&[1.0]).expect("a grid");
    assert!(PredictedSurvival::new(&times, &grid, &[0.5]).is_err());
    assert!(PredictedSurvival::new(&times, &grid, &[0.5, f64::NAN]).is_err());
    assert!(PredictedSurvival::new(&times, &grid, &[0.0, 1.0]).is_ok());
    assert!(quantile_groups(&[], 2).is_err() && quantile_groups(&[1.0], 1).is_err());
    assert!(quantile_groups(&[1.0], 100).is_ok() && quantile_groups(&[1.0], 101).is_err());
    assert!(quantile_groups(&[f64::NAN], 2).is_err());
    assert!(matches!(GroupedTimes::new(&times, &[0, 2], 2), Err(InputError::Value { index: 1, .. })));
    assert!(GroupedTimes::new(&times, &[0], 2).is_err());
}

#[test]
fn the_golden_case_with_nan_is_refused() {
    let nan = cases("survival").into_iter().find(|c| c["id"] == "nan_risk").expect("the case");
    let times = SurvivalTimes::new(&numbers(&nan["time"]), &[true, true, false]).expect("valid times");
    let refused = RiskConcordance::new(&times, &numbers(&nan["risk"]), 0.0);
    assert!(matches!(refused, Err(InputError::Value { what: "risks", index: 1, .. })));
}

#[test]
fn undefined_outcomes_say_why() {
    let of = |t: &[f64], e: &[bool]| SurvivalTimes::new(t, e).expect("valid times");
    let one = of(&[1.0], &[true]);
    let risks = RiskConcordance::new(&one, &[0.5], 0.0).expect("valid risks");
    assert_eq!(risks.c_index_harrell(), Err(Undefined::NoPairs));
    assert_eq!(risks.variance_harrell(), Err(Undefined::NoPairs));
    assert_eq!(risks.c_index_uno(&CensoringDistribution::new(&one), None), Err(Undefined::NoPairs));
    // The training set ends before the event.
    let late = of(&[5.0, 6.0], &[true, false]);
    let training = CensoringDistribution::new(&of(&[1.0, 2.0], &[false, true]));
    let risks = RiskConcordance::new(&late, &[0.5, 0.2], 0.0).expect("valid risks");
    assert_eq!(risks.c_index_uno(&training, None), Err(Undefined::BeyondFollowUp));
    let grid = TimeGrid::new(&[5.5, 6.0]).expect("a grid");
    let auc = time_dependent_auc(&late, &training, &[0.5, 0.2], &grid, 0.0).expect("valid");
    assert_eq!(auc.at, [Err(Undefined::BeyondFollowUp), Err(Undefined::BeyondFollowUp)]);
    let own = CensoringDistribution::new(&late);
    let auc = time_dependent_auc(&late, &own, &[0.5, 0.2], &grid, 0.0).expect("valid");
    assert_eq!((auc.at[0], auc.at[1]), (Ok(1.0), Err(Undefined::BeyondFollowUp)));
    assert_eq!(auc.mean, Err(Undefined::BeyondFollowUp));
    let predicted = PredictedSurvival::new(&late, &grid, &[0.5; 4]).expect("valid");
    assert_eq!(predicted.brier(&own), [Ok(0.25), Err(Undefined::BeyondFollowUp)]);
    assert_eq!(predicted.brier(&training)[0], Err(Undefined::BeyondFollowUp));
    assert_eq!(predicted.integrated_brier(&own), Err(Undefined::BeyondFollowUp));
    // All training cases are censored at the first time.
    let zero = CensoringDistribution::new(&of(&[1.0], &[false]));
    assert_eq!(predicted.brier(&zero)[0], Err(Undefined::CensoringZero));
}

#[test]
fn a_training_set_of_its_own_gives_the_weights() {
    let times = SurvivalTimes::new(&[1.0, 2.0, 3.0, 4.0], &[true, true, true, false]).expect("valid times");
    let training = SurvivalTimes::new(&[1.5, 5.0], &[false, true]).expect("valid times");
    let censoring = CensoringDistribution::new(&training);
    let risks = RiskConcordance::new(&times, &[0.1, 0.9, 0.8, 0.2], 0.0).expect("valid risks");
    // The first event has weight 1 and no concordant pair of 3, the others weight 4 and 2 of 2, 1 of 1.
    assert_eq!(risks.c_index_uno(&censoring, None), Ok(12.0 / 15.0));
    // The horizon itself is left out.
    assert_eq!(risks.c_index_uno(&censoring, Some(Horizon::new(3.0).expect("a horizon"))), Ok(8.0 / 11.0));
    assert_eq!(
        risks.c_index_uno(&censoring, Some(Horizon::new(1.0).expect("a horizon"))),
        Err(Undefined::NoEvents)
    );
}

#[test]
fn intervals_of_c_are_symmetric_until_they_are_cut() {
    let times: Vec<f64> = (0..40).map(f64::from).collect();
    let risks: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 40)).collect();
    let times = SurvivalTimes::new(&times, &[true; 40]).expect("valid times");
    let risks = RiskConcordance::new(&times, &risks, 0.0).expect("valid risks");
    let c = risks.c_index_harrell().expect("a value");
    let [lo, hi] = risks.interval_harrell(Confidence::new(0.95).expect("a level")).expect("an interval");
    let half = 1.959_963_984_540_054 * risks.variance_harrell().expect("a value").sqrt();
    assert_close(lo, c - half, 1e-13, "lower end");
    assert_close(hi, c + half, 1e-13, "upper end");
}

#[test]
fn curves_give_variances_medians_and_means() {
    let curve = |t: &[f64], e: &[bool]| KaplanMeier::new(&SurvivalTimes::new(t, e).expect("valid times"));
    let km = curve(
        &[6.0, 6.0, 6.0, 6.0, 7.0, 9.0, 10.0, 10.0],
        &[true, true, true, false, true, false, true, false],
    );
    assert_eq!(km.times(), [6.0, 7.0, 9.0, 10.0]);
    assert_eq!((km.at_risk(), km.events()), (&[8, 4, 3, 2][..], &[3, 1, 0, 1][..]));
    let expected = 0.625 * 0.75;
    assert_eq!(km.at(7.5), Ok(expected));
    let greenwood = 3.0 / 40.0 + 1.0 / 12.0;
    assert_close(km.variance_at(8.0).expect("a value"), expected * expected * greenwood, 1e-15, "Greenwood");
    assert_eq!(km.variance_at(5.0), Ok(0.0));
    assert_eq!(
        km.interval_at(5.0, Confidence::new(0.95).expect("a level"), IntervalScale::Plain),
        Ok([1.0, 1.0])
    );
    let plain =
        km.interval_at(8.0, Confidence::new(0.95).expect("a level"), IntervalScale::Plain).expect("one");
    let half = 1.959_963_984_540_054 * expected * f64::sqrt(greenwood);
    assert_close(plain[0], expected - half, 1e-13, "lower end");
    assert_close(plain[1], expected + half, 1e-13, "upper end");
    assert_eq!(km.median(), Ok(7.0));
    assert_eq!(km.at(10.0), Ok(expected / 2.0));
    assert_eq!(km.at(10.1), Err(Undefined::BeyondFollowUp));
    let tau = |t| Horizon::new(t).expect("a horizon");
    assert_eq!(km.restricted_mean(tau(5.0)).map(|m| (m.mean, m.variance)), Ok((5.0, 0.0)));
    let mean = km.restricted_mean(tau(8.0)).expect("a mean");
    assert_close(mean.mean, 6.0 + 0.625 + expected, 1e-15, "mean");
    let at_six = 0.625 + expected;
    assert_close(mean.variance, at_six * at_six * 3.0 / 40.0 + expected * expected / 12.0, 1e-15, "variance");
    assert_eq!(km.restricted_mean(tau(11.0)), Err(Undefined::BeyondFollowUp));
    // One half exactly, by counts that a running product would miss.
    let km = curve(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[true; 6]);
    assert_eq!(km.survival()[2], 0.5);
    assert_eq!((km.median(), km.at(100.0), km.variance_at(6.0)), (Ok(3.0), Ok(0.0), Ok(0.0)));
    let mean = km.restricted_mean(tau(9.0)).expect("a mean");
    assert_close(mean.mean, 3.5, 1e-15, "mean of all");
    assert_close(mean.variance, 35.0 / 12.0 / 6.0, 1e-14, "variance of all");
}

#[test]
fn groups_are_quantiles_and_give_curves_and_calibration() {
    assert_eq!(quantile_groups(&[4.0, 1.0, 3.0, 2.0, 5.0], 2), Ok(vec![1, 0, 0, 0, 1]));
    assert_eq!(quantile_groups(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 3), Ok(vec![0, 0, 0, 1, 1, 2, 2]));
    assert_eq!(quantile_groups(&[0.5; 3], 4), Ok(vec![0; 3]));
    let times = SurvivalTimes::new(&[1.0, 2.0, 3.0, 4.0], &[true, false, true, true]).expect("valid times");
    let groups = GroupedTimes::new(&times, &[1, 1, 0, 0], 3).expect("valid groups");
    let curves = groups.kaplan_meier();
    assert_eq!(curves[0].as_ref().map(|c| c.survival().to_vec()), Some(vec![0.5, 0.0]));
    assert_eq!(curves[1].as_ref().map(|c| c.survival().to_vec()), Some(vec![0.5, 0.5]));
    assert!(curves[2].is_none());
    let level = Confidence::new(0.95).expect("a level");
    let found = groups.calibration_at(1.5, &[0.2, 0.4, 0.6, 0.9], level).expect("valid");
    assert_eq!((found.len(), found[0].cases, found[0].predicted), (2, 2, 0.75));
    assert_eq!(found[0].observed, Ok((1.0, [1.0, 1.0])));
    assert_close(found[1].predicted, 0.3, 1e-15, "mean prediction");
    assert_close(found[1].observed.expect("a value").1[0], 0.005_983_087_639_145_737, 1e-12, "lower end");
    let late = groups.calibration_at(2.5, &[0.2, 0.4, 0.6, 0.9], level).expect("valid");
    assert_eq!(late[1].observed, Err(Undefined::BeyondFollowUp));
    assert!(groups.calibration_at(1.5, &[0.2, 0.4, 0.6, 1.9], level).is_err());
    assert!(groups.calibration_at(1.5, &[0.2, 0.4, 0.6], level).is_err());
}

#[test]
fn log_rank_of_three_groups_agrees_with_the_matrix_form() {
    // Freireich's leukaemia trial (6-MP against placebo, 21 each) as two groups: 16.79 on one degree of freedom.
    let treated = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35];
    let treated_events = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
    let placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
    let times: Vec<f64> = treated.iter().chain(&placebo).map(|&t| f64::from(t)).collect();
    let events: Vec<bool> = treated_events.iter().map(|&e| e == 1).chain([true; 21]).collect();
    let times = SurvivalTimes::new(&times, &events).expect("valid times");
    let labels: Vec<usize> = (0..42).map(|i| i / 21).collect();
    let two = GroupedTimes::new(&times, &labels, 2).expect("valid groups").log_rank().expect("a test");
    assert!((two.chi_squared - 16.79).abs() < 0.005, "{two:?}");
    assert!((two.p_value - 4.17e-5).abs() < 5e-7, "{two:?}");
    // Names of groups, and groups without cases, do not matter.
    let relabelled: Vec<usize> = labels.iter().map(|&g| 4 - 3 * g).collect();
    let same = GroupedTimes::new(&times, &relabelled, 6).expect("valid groups").log_rank().expect("a test");
    assert_close(same.chi_squared, two.chi_squared, 1e-12, "statistic");
    assert_eq!(same.degrees_of_freedom, 1);
    let cyclic = |shift: usize| -> Vec<usize> { (0..42).map(|i| (i + shift) % 3).collect() };
    let tests: Vec<_> = (0..3)
        .map(|s| GroupedTimes::new(&times, &cyclic(s), 3).expect("valid groups").log_rank().expect("a test"))
        .collect();
    assert_eq!(tests[0].degrees_of_freedom, 2);
    assert_close(tests[0].p_value, (-tests[0].chi_squared / 2.0).exp(), 1e-12, "two degrees of freedom");
    assert_close(tests[1].chi_squared, tests[0].chi_squared, 1e-12, "renamed");
    assert_close(tests[2].chi_squared, tests[0].chi_squared, 1e-12, "renamed");
}

#[test]
fn log_rank_without_spread_is_undefined() {
    let times = SurvivalTimes::new(&[1.0, 1.0], &[true, true]).expect("valid times");
    let test = GroupedTimes::new(&times, &[0, 1], 2).expect("valid groups").log_rank();
    assert_eq!(test, Err(Undefined::ZeroDenominator));
    // The second group is censored before the first event.
    let times = SurvivalTimes::new(&[1.0, 2.0, 3.0], &[false, true, true]).expect("valid times");
    let test = GroupedTimes::new(&times, &[1, 0, 0], 2).expect("valid groups").log_rank();
    assert_eq!(test, Err(Undefined::OneClass));
}

#[test]
fn times_know_their_size_events_and_end() {
    let times = SurvivalTimes::new(&[3.0, 7.5, 0.0, 7.5], &[true, false, false, true]).expect("valid times");
    assert_eq!((times.len(), times.events(), times.follow_up()), (4, 2, 7.5));
}
