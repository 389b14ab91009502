//! Binary forecasts against the reference values.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::Undefined;
use fiel_kernels::calibration::{
    BinEdges, Bins, ClassForecasts, Forecasts, Grouping, LogLossPolicy, Smoother, TieRule,
};
use serde_json::Value;

const EXACT: f64 = 1e-12;
const ITERATIVE: f64 = 1e-6;

/// Counts the comparisons made, so that a test that compares nothing cannot pass.
#[derive(Default)]
struct Compared(usize);

impl Compared {
    #[track_caller]
    fn close(&mut self, found: f64, expected: &Value, tolerance: f64, what: &str) {
        let expected = number(expected).unwrap_or_else(|| panic!("{what}: {expected} is no number"));
        assert_close(found, expected, tolerance, what);
        self.0 += 1;
    }
}

/// The cases that are valid forecasts: id, labels, probabilities, expectations.
fn valid() -> Vec<(String, Vec<bool>, Vec<f64>, Value)> {
    let all = cases("calibration_binary").into_iter().map(|c| {
        let labels = numbers(&c["y"]).iter().map(|&y| y == 1.0).collect();
        (c["id"].as_str().expect("an id").to_owned(), labels, numbers(&c["prob"]), c["expected"].clone())
    });
    all.filter(|c| c.0 != "nan" && c.0 != "out_of_range").collect()
}

fn equal_width(bins: usize, edges: BinEdges) -> Grouping {
    Grouping::EqualWidth { bins, edges }
}

#[test]
fn what_is_no_probability_is_refused_by_its_place() {
    let mut refused = Vec::new();
    for case in cases("calibration_binary") {
        let labels: Vec<bool> = numbers(&case["y"]).iter().map(|&y| y == 1.0).collect();
        if let Err(error) = Forecasts::new(&numbers(&case["prob"]), &labels) {
            refused.push(error.to_string());
        }
    }
    let expected = "it must be a probability from 0 to 1";
    let nan = format!("probability at index 1 is NaN; {expected}");
    let below = format!("probability at index 0 is -0.1; {expected}");
    assert_eq!(refused, [nan, below]);
}

fn check_bins(found: &Bins, expected: &Value, compared: &mut Compared, what: &str) {
    compared.close(found.ece(), &expected["ece"], EXACT, &format!("{what} ece"));
    compared.close(found.mce(), &expected["mce"], EXACT, &format!("{what} mce"));
    compared.close(found.ace(), &expected["ace_mean_over_nonempty"], EXACT, &format!("{what} ace"));
    compared.close(found.root_mean_squared_ce(), &expected["rms_ce"], EXACT, &format!("{what} rms"));
    let counts: Vec<f64> = found.bins().iter().map(|b| b.count as f64).collect();
    assert_eq!(counts, numbers(&expected["counts"]), "{what} counts");
    let nan = f64::NAN;
    for (i, bin) in found.bins().iter().enumerate() {
        let what = format!("{what} bin {i}");
        compared.close(bin.mean_probability().unwrap_or(nan), &expected["bins_conf"][i], EXACT, &what);
        compared.close(bin.observed().unwrap_or(nan), &expected["bins_acc"][i], EXACT, &what);
    }
}

#[test]
fn bins_of_equal_width_and_mass_have_their_reference_errors() {
    let mut compared = Compared::default();
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        for bins in [5, 10, 15] {
            let own = &expected[format!("own_equal_width_{bins}")];
            let left = forecasts.bins(equal_width(bins, BinEdges::LeftClosed)).expect("bins");
            check_bins(&left, &own["left_closed [l,u)"], &mut compared, &format!("{id} left {bins}"));
            let right = forecasts.bins(equal_width(bins, BinEdges::RightClosed)).expect("bins");
            let own = &own["right_closed (l,u] with 0 in first bin"];
            check_bins(&right, own, &mut compared, &format!("{id} right {bins}"));
        }
        let mass = forecasts.bins(Grouping::EqualMass { bins: 10, ties: TieRule::Straddle }).expect("bins");
        compared.close(mass.ece(), &expected["own_equal_mass_10"]["ece"], EXACT, &id);
    }
    // 9 cases, 2 closednesses of (4 errors x 3 + 2 values x 30 bins), and equal mass.
    assert_eq!(compared.0, 9 * (2 * (4 * 3 + 2 * 30) + 1));
}

#[test]
fn compatible_modes_give_what_torchmetrics_and_metrics_reloaded_give() {
    let mut compared = Compared::default();
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        for bins in [10, 15] {
            let found = forecasts.bins(equal_width(bins, BinEdges::Torchmetrics)).expect("bins");
            let peer = &expected["torchmetrics"];
            compared.close(found.ece(), &peer[format!("l1_{bins}")], EXACT, &id);
            compared.close(found.root_mean_squared_ce(), &peer[format!("l2_{bins}")], EXACT, &id);
            compared.close(found.mce(), &peer[format!("max_{bins}")], EXACT, &id);
        }
        let found = forecasts.bins(equal_width(10, BinEdges::MetricsReloaded)).expect("bins");
        let peer = &expected["MetricsReloaded"];
        compared.close(found.ece(), &peer["ece10"], EXACT, &id);
        compared.close(found.mce(), &peer["mce10"], EXACT, &id);
    }
    assert_eq!(compared.0, 9 * 8);
}

#[test]
fn reliability_curves_equal_scikit_learn() {
    let mut compared = Compared::default();
    let mut points = 0;
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        for (name, grouping) in [
            ("calibration_curve_uniform10", equal_width(10, BinEdges::RightClosed)),
            ("calibration_curve_quantile5", Grouping::EqualMass { bins: 5, ties: TieRule::Quantiles }),
        ] {
            let own = &expected["sklearn"][name];
            let curve = forecasts.bins(grouping).expect("bins").curve(0.95).expect("a level");
            assert_eq!(curve.len(), numbers(&own[0]).len(), "{id} {name}");
            for (i, point) in curve.iter().enumerate() {
                compared.close(point.observed, &own[0][i], EXACT, &format!("{id} {name}"));
                compared.close(point.forecast, &own[1][i], EXACT, &format!("{id} {name}"));
                points += 1;
            }
        }
    }
    assert_eq!(compared.0, 2 * points);
    assert!(points > 70, "{points}");
}

#[test]
fn brier_and_log_loss_equal_scikit_learn() {
    let mut compared = Compared::default();
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        compared.close(forecasts.brier(), &expected["sklearn"]["brier"], EXACT, &id);
        let clipped = forecasts.log_loss(LogLossPolicy::SCIKIT_LEARN).expect("policy").expect("finite");
        compared.close(clipped, &expected["sklearn"]["log_loss"], EXACT, &id);
        let plain = forecasts.log_loss(LogLossPolicy::Unclipped).expect("policy").unwrap_or(f64::INFINITY);
        compared.close(plain, &expected["MetricsReloaded"]["nll"], EXACT, &id);
        let ratio = forecasts.observed_over_expected().expect("some expected");
        compared.close(ratio, &expected["O_over_E"], EXACT, &id);
    }
    assert_eq!(compared.0, 9 * 4);
}

#[test]
fn decompositions_of_the_brier_score_have_their_reference_parts() {
    let mut compared = Compared::default();
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        let groupings = [
            ("brier_decomposition_bins10_left_closed", equal_width(10, BinEdges::LeftClosed)),
            ("brier_decomposition_unique_forecasts", Grouping::Distinct),
        ];
        for (name, grouping) in groupings {
            let (found, own) = (forecasts.murphy(grouping).expect("bins"), &expected[name]);
            compared.close(found.reliability, &own["reliability"], EXACT, &id);
            compared.close(found.resolution, &own["resolution"], EXACT, &id);
            compared.close(found.uncertainty, &own["uncertainty"], EXACT, &id);
            compared.close(found.within_variance, &own["within_bin_variance"], EXACT, &id);
            compared.close(found.within_covariance, &own["within_bin_covariance"], EXACT, &id);
            compared.close(found.brier(), &own["brier"], EXACT, &id);
        }
        let (found, own) = (forecasts.corp(), &expected["corp_brier_isotonic"]);
        compared.close(found.miscalibration, &own["mcb"], EXACT, &id);
        compared.close(found.discrimination, &own["dsc"], EXACT, &id);
        compared.close(found.uncertainty, &own["unc"], EXACT, &id);
        if own["iso_fit"].is_null() {
            continue;
        }
        for (i, &value) in found.recalibrated.iter().enumerate() {
            compared.close(value, &own["iso_fit"][i], EXACT, &id);
        }
    }
    assert_eq!(compared.0, 9 * 15 + 169);
}

#[test]
fn logistic_recalibration_has_its_reference_coefficients() {
    let (mut compared, mut undefined) = (Compared::default(), Vec::new());
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        let own = &expected["logistic_recalibration"];
        match forecasts.recalibration() {
            Ok(fit) => {
                compared.close(fit.slope.value, &own["slope"], ITERATIVE, &id);
                compared.close(fit.slope.standard_error, &own["slope_se"], ITERATIVE, &id);
                compared.close(fit.intercept.value, &own["intercept_joint"], ITERATIVE, &id);
                let large = forecasts.intercept_in_the_large().expect("both classes").value;
                // Forecasts of 0 and 1 only: the information is 6e-12, so that the reference's own rounding of
                // residuals moves its solution by 1e-4.
                let tolerance = if id == "zeros_ones_wrong" { 1e-4 } else { ITERATIVE };
                compared.close(large, &own["intercept_in_the_large_offset"], tolerance, &id);
            }
            Err(reason) => {
                assert!(own["undefined"].is_string(), "{id}");
                undefined.push((id, reason));
            }
        }
    }
    assert_eq!(compared.0, 5 * 4);
    let undefined: Vec<_> = undefined.iter().map(|(id, reason)| (id.as_str(), *reason)).collect();
    let expected = [
        ("zeros_ones_correct", Undefined::Separated),
        ("all_pos", Undefined::OneClass),
        ("all_neg", Undefined::OneClass),
        ("constant", Undefined::Constant),
    ];
    assert_eq!(undefined, expected);
}

#[test]
fn lowess_index_equals_statsmodels_except_for_constant_forecasts() {
    let mut compared = Compared::default();
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        let own = &expected["ici_statsmodels_lowess_deg1_frac0.75_it0 (NOT R loess deg2)"];
        match forecasts.calibration_index(Smoother::Lowess { span: 0.75 }).expect("a span") {
            Ok(found) => {
                compared.close(found.ici, &own["ici"], 1e-10, &id);
                compared.close(found.e50, &own["e50"], 1e-10, &id);
                compared.close(found.e90, &own["e90"], 1e-10, &id);
                compared.close(found.emax, &own["emax"], 1e-10, &id);
            }
            Err(reason) => assert_eq!((id.as_str(), reason), ("constant", Undefined::Constant)),
        }
    }
    assert_eq!(compared.0, 8 * 4);
}

#[test]
fn smooth_error_equals_relplot() {
    let mut compared = Compared::default();
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        compared.close(forecasts.smooth_ece().value, &expected["relplot_smECE"], 1e-10, &id);
    }
    assert_eq!(compared.0, 9);
}

#[test]
fn tests_of_calibration_have_their_reference_statistics() {
    let (mut compared, mut undefined) = (Compared::default(), 0);
    for (id, labels, probabilities, expected) in valid() {
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        for (name, statistic, found) in [
            ("spiegelhalter_z", "z", forecasts.spiegelhalter()),
            ("hosmer_lemeshow_10", "chi2", forecasts.hosmer_lemeshow(10).expect("groups")),
        ] {
            let own = &expected[name];
            if let Ok(found) = found {
                compared.close(found.statistic, &own[statistic], EXACT, &format!("{id} {name}"));
                compared.close(found.p_value, &own["p"], EXACT, &format!("{id} {name} p"));
            } else {
                assert!(own[statistic].is_string(), "{id} {name}");
                undefined += 1;
            }
        }
    }
    assert_eq!((compared.0, undefined), (20, 8));
}

#[test]
fn kernel_errors_of_two_classes_equal_metrics_reloaded() {
    use fiel_kernels::calibration::Bandwidth;
    let (mut compared, mut undefined) = (Compared::default(), Vec::new());
    for (id, labels, probabilities, expected) in valid() {
        let rows: Vec<f64> = probabilities.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let labels: Vec<usize> = labels.iter().map(|&y| usize::from(y)).collect();
        let forecasts = ClassForecasts::new(&rows, 2, &labels).expect("valid");
        let peer = &expected["MetricsReloaded"];
        compared.close(forecasts.brier(), &peer["brier_2class_sum"], EXACT, &id);
        compared.close(forecasts.root_brier(), &peer["rbs"], EXACT, &id);
        let grouping = equal_width(10, BinEdges::MetricsReloaded);
        let classwise = forecasts.classwise_ece(grouping).expect("bins");
        compared.close(classwise, &peer["cwece10"], EXACT, &id);
        if peer["kce_bw0_5"].is_null() {
            continue;
        }
        for (name, found) in [
            ("kce_bw0_5", forecasts.kce(Bandwidth::Fixed(0.5)).expect("a bandwidth")),
            ("kce_median_heuristic", forecasts.kce(Bandwidth::MedianWithSelf).expect("a bandwidth")),
            ("ece_kde_h0_5", forecasts.ece_kde(0.5).expect("a bandwidth")),
            ("ece_kde_h0_1", forecasts.ece_kde(0.1).expect("a bandwidth")),
        ] {
            match found {
                Ok(found) => compared.close(found, &peer[name], EXACT, &format!("{id} {name}")),
                Err(reason) => undefined.push(format!("{id} {name} {reason:?} {}", peer[name])),
            }
        }
    }
    let expected = [
        "on_bin_edges ece_kde_h0_5 ZeroDenominator \"nan\"",
        "on_bin_edges ece_kde_h0_1 ZeroDenominator \"nan\"",
        "constant kce_median_heuristic Constant \"nan\"",
    ];
    assert_eq!(undefined, expected);
    assert_eq!(compared.0, 9 * 3 + 8 * 4 - 3);
}
