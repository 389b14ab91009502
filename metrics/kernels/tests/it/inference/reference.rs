//! Reference values: SciPy, R's signed-rank test, bootstrap over given draws.

use crate::golden::{assert_close, cases, numbers};
use fiel_kernels::Undefined;
use fiel_kernels::inference::{
    Alternative, Confidence, Differences, Jackknife, PValues, RankedPairs, Replicates, Resamples,
    SignedRankMethod, Zeros, holm,
};

#[test]
fn rank_correlations_and_tests_are_the_reference_values() {
    let mut compared = 0;
    let mut check = |found: f64, expected: &serde_json::Value, what: &str| {
        let expected = crate::golden::number(expected).unwrap_or_else(|| panic!("{what}: {expected}"));
        assert_close(found, expected, 1e-12, what);
        compared += 1;
    };
    for case in cases("rank_correlation_and_tests") {
        let expected = &case["expected"];
        let pairs = RankedPairs::new(&numbers(&case["a"]), &numbers(&case["b"])).expect("pairs");
        let kendall = pairs.kendall();
        check(kendall.tau_b().expect("varies"), &expected["kendall_tau_b"], "tau-b");
        check(kendall.tau_c().expect("varies"), &expected["kendall_c"], "tau-c");
        check(kendall.p().expect("varies"), &expected["kendall_p"], "p of tau");
        check(pairs.spearman().expect("varies"), &expected["spearman"], "rho");
        check(pairs.footrule(), &expected["footrule"], "footrule");
        check(pairs.weighted_footrule().expect("ranks"), &expected["weighted_footrule"], "weighted footrule");
        let differences = Differences::between(&numbers(&case["x"]), &numbers(&case["y"])).expect("pairs");
        let p = |alternative, method| {
            differences.signed_rank(alternative, Zeros::Drop, method).expect("not all zero").p
        };
        let normal = SignedRankMethod::Normal { continuity: true };
        for (alternative, r, scipy) in [
            (Alternative::Greater, "greater", "greater"),
            (Alternative::Less, "less", "less"),
            (Alternative::TwoSided, "two.sided", "two-sided"),
        ] {
            check(p(alternative, normal), &expected["r_wilcox"][r], "R's test");
            check(p(alternative, normal), &expected["scipy_wilcoxon_approx_corr"][scipy], "SciPy's test");
        }
        check(
            p(Alternative::TwoSided, SignedRankMethod::Exact),
            &expected["scipy_wilcoxon_exact"],
            "exact test",
        );
    }
    assert_eq!(compared, 6 * 13);
}

/// The file does not hold the p-values that were adjusted; these are consistent with all that it says.
#[test]
fn holm_adjusts_the_reference_list() {
    let p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.5, 0.9, 0.001, f64::NAN, 0.6, 0.02, 0.02];
    let p: Vec<Option<f64>> = p.iter().map(|p| if p.is_nan() { None } else { Some(*p) }).collect();
    let found = holm(&PValues::new(&p).expect("p-values"));
    let expected = &cases("rank_correlation_and_tests")[0]["expected"]["holm_of_12"];
    for (found, expected) in found.into_iter().zip(numbers(expected)) {
        assert_close(found.unwrap_or(f64::NAN), expected, 1e-12, "Holm");
    }
}

fn auc(scores: &[f64], labels: &[f64], kept: &[usize]) -> Result<f64, Undefined> {
    let side = |label: f64| kept.iter().filter(move |&&i| labels[i] == label).map(|&i| scores[i]);
    let (positives, negatives) = (side(1.0).count(), side(0.0).count());
    if positives * negatives == 0 {
        return Err(Undefined::OneClass);
    }
    let half = |p: f64, n: f64| if p > n { 1.0 } else { f64::from(p == n) / 2.0 };
    let sum: f64 = side(1.0).map(|p| side(0.0).map(|n| half(p, n)).sum::<f64>()).sum();
    Ok(sum / (positives * negatives) as f64)
}

fn median(values: &[f64], kept: &[usize]) -> f64 {
    let mut sorted: Vec<f64> = kept.iter().map(|&i| values[i]).collect();
    sorted.sort_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

#[test]
fn intervals_over_given_draws_are_the_reference_values() {
    let mut compared = 0;
    for case in cases("bootstrap_ci") {
        let id = case["id"].as_str().expect("an id");
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        let draws: Vec<Vec<usize>> = case["indices"]
            .as_array()
            .expect("draws")
            .iter()
            .map(|row| numbers(row).into_iter().map(|i| i as usize).collect())
            .collect();
        let resamples = Resamples::from_indices(x.len(), &draws).expect("draws");
        let statistic = |kept: &[usize]| match id.split('_').next() {
            Some("auc") => auc(&x, &y, kept),
            Some("median") => Ok(median(&x, kept)),
            _ => Ok(kept.iter().map(|&i| x[i]).sum::<f64>() / kept.len() as f64),
        };
        let replicates = Replicates::of_cases(&resamples, statistic);
        let jackknife = Jackknife::of_cases(x.len(), statistic).expect("defined");
        if id.starts_with("mean") {
            assert_eq!(Replicates::of_mean(&x, &resamples).expect("finite"), replicates);
            let by_weights = Replicates::of_weights(&resamples, |weights| {
                let sum: f64 = weights.iter().zip(&x).map(|(&w, x)| f64::from(w) * x).sum();
                Ok(sum / weights.iter().map(|&w| f64::from(w)).sum::<f64>())
            });
            for (a, b) in by_weights.values().iter().zip(replicates.values()) {
                assert_close(*a, *b, 1e-14, "by weights");
            }
            assert_eq!(Jackknife::of_mean(&x).expect("finite"), jackknife);
        }
        let expected = &case["expected"];
        assert_eq!(Some(replicates.values().len() as u64), expected["n_valid"].as_u64(), "{id}");
        assert_eq!(replicates.undefined(), draws.len() - replicates.values().len());
        let mut check = |found: &[f64], key: &serde_json::Value, what: &str| {
            for (found, expected) in found.iter().zip(if key.is_array() {
                numbers(key)
            } else {
                vec![crate::golden::number(key).expect("a number")]
            }) {
                assert_close(*found, expected, 1e-12, &format!("{id} {what}"));
                compared += 1;
            }
        };
        let bca = replicates.bca(&jackknife, Confidence::P95).expect("varies");
        check(&[jackknife.estimate()], &expected["theta_hat"], "estimate");
        check(replicates.values(), &expected["theta_boot_first20"], "replicates");
        check(
            &replicates.percentile(Confidence::P95).expect("values"),
            &expected["percentile95"],
            "percentile",
        );
        check(
            &replicates.basic(jackknife.estimate(), Confidence::P95).expect("values"),
            &expected["basic95"],
            "basic",
        );
        check(&[replicates.standard_error().expect("values")], &expected["se"], "standard error");
        check(&[bca.z0], &expected["bca"]["z0"], "z0");
        check(&[bca.acceleration], &expected["bca"]["a"], "acceleration");
        check(&bca.levels, &expected["bca"]["alpha"], "levels");
        check(&bca.interval, &expected["bca"]["ci"], "interval");
    }
    assert_eq!(compared, 3 * (1 + 20 + 2 + 2 + 1 + 1 + 1 + 2 + 2));
}
