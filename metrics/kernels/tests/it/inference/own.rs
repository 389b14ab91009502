//! Reference values made with mpmath, SciPy and statsmodels (`metrics/golden/own/inference.py`).

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::inference::{
    Alternative, Confidence, Differences, HartungKnapp, PValues, RankedPairs, SignedRankMethod,
    SiteEstimates, Zeros, benjamini_hochberg, chi_squared_upper, fair_binomial_lower, holm, mcnemar,
    normal_upper, normal_upper_quantile, student_upper, student_upper_quantile,
};
use serde_json::Value;

fn part(id: &str) -> Value {
    let mut all = cases("own/inference");
    let position = all.iter().position(|case| case["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    all.swap_remove(position)
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().expect("rows").iter().map(numbers).collect()
}

/// Relative error, also of values far below 1.
#[track_caller]
fn assert_relative(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{what}: {found:?} instead of {expected:?}");
}

#[test]
fn tails_are_right_to_twelve_digits() {
    let tails = part("tails");
    let mut compared = 0;
    for row in rows(&tails["normal_upper"]) {
        assert_relative(normal_upper(row[0]), row[1], &format!("normal {}", row[0]));
        compared += 1;
    }
    for row in rows(&tails["student_upper"]) {
        // With 100,000 degrees of freedom rounding costs one digit more.
        let (found, tolerance) = (student_upper(row[0], row[1]), if row[1] > 1e4 { 1e-11 } else { 1e-12 });
        assert!((found - row[2]).abs() <= tolerance * row[2], "t {} {}: {found:?}", row[0], row[1]);
        compared += 1;
    }
    for row in rows(&tails["chi_squared_upper"]) {
        assert_relative(chi_squared_upper(row[0], row[1]), row[2], &format!("chi2 {} {}", row[0], row[1]));
        compared += 1;
    }
    for row in rows(&tails["binomial"]) {
        let found = fair_binomial_lower(row[0] as u64, row[1] as u64);
        assert_relative(found, row[2], &format!("binomial {} {}", row[0], row[1]));
        compared += 1;
    }
    assert_eq!(compared, 18 + 72 + 42 + 7);
}

#[test]
fn quantiles_are_right_to_twelve_digits() {
    let tails = part("tails");
    let mut compared = 0;
    for row in rows(&tails["normal_quantile"]) {
        assert_relative(normal_upper_quantile(row[0]), row[1], &format!("normal quantile {}", row[0]));
        compared += 1;
    }
    for row in rows(&tails["student_quantile"]) {
        let found = student_upper_quantile(row[0], row[1]);
        assert_relative(found, row[2], &format!("t quantile {} {}", row[0], row[1]));
        compared += 1;
    }
    assert_eq!(compared, 11 + 25);
}

#[test]
fn paired_tests_are_those_of_scipy() {
    let mut compared = 0;
    for case in part("paired")["rows"].as_array().expect("rows") {
        let differences = Differences::new(numbers(&case["d"])).expect("finite");
        for (alternative, name) in [
            (Alternative::Greater, "greater"),
            (Alternative::Less, "less"),
            (Alternative::TwoSided, "two-sided"),
        ] {
            let expected = &case[name];
            let mut check = |found: f64, key: &str| {
                if let Some(expected) = number(&expected[key]) {
                    assert_close(found, expected, 1e-12, &format!("{name} {key}"));
                    compared += 1;
                }
            };
            let t = differences.paired_t(alternative).expect("varies");
            check(t.t, "t");
            check(t.p, "t_p");
            for (zeros, zeros_name) in [(Zeros::Drop, "wilcox"), (Zeros::Pratt, "pratt")] {
                for (continuity, suffix) in [(true, "corrected"), (false, "plain")] {
                    let method = SignedRankMethod::Normal { continuity };
                    let p = differences.signed_rank(alternative, zeros, method).expect("not all zero").p;
                    check(p, &format!("{zeros_name}_{suffix}"));
                }
            }
            let exact = differences.signed_rank(alternative, Zeros::Drop, SignedRankMethod::Auto);
            check(exact.expect("not all zero").p, "exact");
            let flips = differences.sign_flip(alternative, 1, 0).expect("a flip");
            assert!(flips.exact || differences.values().len() > 32);
            check(flips.p, "sign_flip");
        }
        let test = differences.paired_t(Alternative::TwoSided).expect("varies");
        for (found, expected) in test.interval(Confidence::P95).iter().zip(numbers(&case["t_interval"])) {
            assert_close(*found, expected, 1e-12, "t interval");
        }
    }
    // Seven lists in three directions: t, its p and four approximations; exact for four, sign flips for three.
    assert_eq!(compared, 7 * 3 * 6 + 4 * 3 + 3 * 3);
}

#[test]
fn adjusted_p_values_are_those_of_statsmodels() {
    let case = part("adjusted");
    let p = PValues::new(&numbers(&case["p"]).into_iter().map(Some).collect::<Vec<_>>()).expect("p-values");
    for (found, name) in [(holm(&p), "holm"), (benjamini_hochberg(&p), "bh")] {
        assert_eq!(found.len(), 10);
        for (found, expected) in found.into_iter().zip(numbers(&case[name])) {
            assert_close(found.expect("given"), expected, 1e-12, name);
        }
    }
}

#[test]
fn mcnemar_is_that_of_statsmodels() {
    let mut compared = 0;
    for row in part("mcnemar")["rows"].as_array().expect("rows") {
        let count = |key: &str| row[key].as_u64().expect("a count");
        let found = mcnemar(count("b"), count("c")).expect("discordant cases");
        assert_close(found.exact_p, number(&row["exact"]).expect("a number"), 1e-12, "exact");
        let (plain, corrected) = (numbers(&row["plain"]), numbers(&row["corrected"]));
        assert_close(found.chi_squared, plain[0], 1e-12, "chi2");
        assert_close(found.p, plain[1], 1e-12, "p");
        if count("b") == count("c") {
            // statsmodels corrects even a difference of zero; R and we do not.
            assert_eq!((found.corrected_chi_squared, found.corrected_p), (0.0, 1.0));
        } else {
            assert_close(found.corrected_chi_squared, corrected[0], 1e-12, "corrected chi2");
            assert_close(found.corrected_p, corrected[1], 1e-12, "corrected p");
        }
        compared += 1;
    }
    assert_eq!(compared, 5);
}

#[test]
fn rank_correlations_are_those_of_scipy() {
    let mut compared = 0;
    for row in part("correlation")["rows"].as_array().expect("rows") {
        let pairs = RankedPairs::new(&numbers(&row["a"]), &numbers(&row["b"])).expect("pairs");
        let kendall = pairs.kendall();
        for (found, key) in [
            (kendall.tau_b(), "tau_b"),
            (kendall.tau_c(), "tau_c"),
            (kendall.p(), "p"),
            (pairs.spearman(), "rho"),
        ] {
            assert_close(found.expect("varies"), number(&row[key]).expect("a number"), 1e-12, key);
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 4);
}

#[test]
fn random_effects_are_those_of_statsmodels() {
    let mut compared = 0;
    for row in part("random_effects")["rows"].as_array().expect("rows") {
        let sites = SiteEstimates::new(&numbers(&row["y"]), &numbers(&row["v"])).expect("sites");
        let pooled = sites.der_simonian_laird().expect("two sites or more");
        let mut check = |found: f64, expected: f64, what: &str| {
            assert_close(found, expected, 1e-12, what);
            compared += 1;
        };
        for (found, key) in [
            (pooled.q, "q"),
            (pooled.q_p, "q_p"),
            (pooled.i2, "i2"),
            (pooled.tau2, "tau2"),
            (pooled.common_estimate, "common"),
            (pooled.common_standard_error, "common_se"),
            (pooled.estimate, "estimate"),
            (pooled.standard_error, "se"),
            (pooled.hartung_knapp_standard_error(HartungKnapp::Plain), "hk_se"),
        ] {
            check(found, number(&row[key]).expect("a number"), key);
        }
        let mut check_interval = |found: [f64; 2], key: &str| {
            let expected = numbers(&row[key]);
            check(found[0], expected[0], key);
            check(found[1], expected[1], key);
        };
        check_interval(pooled.interval(Confidence::P95), "interval");
        check_interval(pooled.hartung_knapp(HartungKnapp::Plain, Confidence::P95), "hk_interval");
        match pooled.prediction_interval(Confidence::P95) {
            Ok(interval) => check_interval(interval, "prediction"),
            Err(_) => assert_eq!(pooled.sites, 2),
        }
    }
    assert_eq!(compared, 5 * (9 + 4) + 4 * 2);
}
