//! Reference values with challengeR's semantics.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::inference::Resamples;
use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Method, RepeatedCases, Significance, Table};
use serde_json::Value;

const FILE: &str = "ranking_challengeR_semantics";

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

fn table(case: &Value) -> Table {
    let rows = list(&case["values_cases_x_algorithms"]);
    let algorithms = list(&rows[0]).len();
    let values: Vec<Option<f64>> =
        rows.iter().flat_map(numbers).map(|v| if v.is_nan() { None } else { Some(v) }).collect();
    let smaller = case["small_better"].as_bool().expect("a direction");
    let direction = if smaller { Direction::LowerIsBetter } else { Direction::HigherIsBetter };
    Table::new(&values, algorithms, direction).expect("a table")
}

/// The table as aggregates and tests see it.
fn filled(case: &Value) -> Table {
    match number(&case["na_treat_for_aggregate"]) {
        Some(value) => table(case).fill(value).expect("finite"),
        None => table(case),
    }
}

fn ranks(value: &Value) -> Vec<f64> {
    numbers(value)
}

fn as_numbers(ranks: &[u32]) -> Vec<f64> {
    ranks.iter().map(|&r| f64::from(r)).collect()
}

#[test]
fn every_method_gives_the_reference_ranking() {
    let mut compared = 0;
    for case in cases(FILE) {
        let methods = [
            ("mean_then_rank", Method::MeanThenRank, filled(&case)),
            ("median_then_rank", Method::MedianThenRank, filled(&case)),
            ("rank_then_mean", Method::RankThenMean, table(&case)),
            ("rank_then_median", Method::RankThenMedian, table(&case)),
            ("test_then_rank_wilcoxon_none_0.05", Method::TestThenRank(Alpha::P05), filled(&case)),
        ];
        for (name, method, table) in methods {
            let expected = &case["expected"]["methods"][name];
            let found = table.rank(method);
            assert_eq!(as_numbers(&found.ranks), ranks(&expected["rank"]), "{} {name}", case["id"]);
            let key = if name.starts_with("test") { "prop_significance" } else { "aggregate" };
            for (value, wanted) in found.aggregates.iter().zip(numbers(&expected[key])) {
                assert_close(value.expect("a value"), wanted, 1e-12, name);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 5 * (6 + 5 + 6 + 6 + 4 + 2 + 6));
}

#[test]
fn one_sided_p_values_and_the_maps_of_significance_are_the_reference_values() {
    let (mut p_values, mut flags) = (0, 0);
    for case in cases(FILE) {
        let table = filled(&case);
        let expected = &case["expected"]["methods"];
        let tests = &expected["test_then_rank_wilcoxon_none_0.05"];
        let plain = Significance::of(&table, Alpha::P05, Adjustment::None);
        let corrected = Significance::of(&table, Alpha::P05, Adjustment::Holm);
        let rows = list(&tests["p_one_sided"]).iter().zip(list(&tests["incidence"]));
        for (i, ((row, beaten), map)) in rows.zip(list(&expected["significance_map_holm_0.05"])).enumerate() {
            for (j, ((p, beats), holm)) in
                numbers(row).into_iter().zip(numbers(beaten)).zip(numbers(map)).enumerate()
            {
                assert_close(plain.p(i, j).unwrap_or(f64::NAN), p, 1e-12, "one-sided p");
                assert_eq!(plain.beats(i, j), beats == 1.0, "{} {i} {j}", case["id"]);
                assert_eq!(corrected.beats(i, j), holm == 1.0, "{} {i} {j} Holm", case["id"]);
                p_values += 1;
                flags += 2;
            }
        }
    }
    let cells = 36 + 25 + 36 + 36 + 16 + 4 + 36;
    assert_eq!((p_values, flags), (cells, 2 * cells));
}

#[test]
fn friedman_statistics_are_the_reference_values() {
    let mut compared = 0;
    for case in cases(FILE) {
        let Value::Array(_) = case["expected"]["friedman"] else { continue };
        // SciPy answers NaN for missing values; here incomplete cases are left out.
        if table(&case).missing() > 0 {
            continue;
        }
        let expected = numbers(&case["expected"]["friedman"]);
        let found = table(&case).friedman();
        let (statistic, p) = found.map_or((f64::NAN, f64::NAN), |f| (f.chi_squared, f.p));
        assert_close(statistic, expected[0], 1e-12, "Friedman's statistic");
        assert_close(p, expected[1], 1e-12, "Friedman's p");
        compared += 1;
    }
    assert_eq!(compared, 5);
}

#[test]
fn rankings_of_given_draws_are_the_reference_rankings() {
    let variants = [
        ("mean_then_rank", Method::MeanThenRank, RepeatedCases::Correct),
        ("mean_then_rank", Method::MeanThenRank, RepeatedCases::ChallengeR),
        ("rank_then_mean_correct", Method::RankThenMean, RepeatedCases::Correct),
        ("rank_then_mean_challengeR", Method::RankThenMean, RepeatedCases::ChallengeR),
        (
            "test_then_rank_challengeR_unique_cases",
            Method::TestThenRank(Alpha::P05),
            RepeatedCases::ChallengeR,
        ),
    ];
    let (mut rankings, mut quantiles, mut taus) = (0, 0, 0);
    for case in cases(FILE) {
        let expected = &case["expected"];
        if expected.get("bootstrap_ranks").is_none() {
            continue;
        }
        let table = table(&case);
        let draws: Vec<Vec<usize>> = list(&case["bootstrap_case_indices"])
            .iter()
            .map(|row| numbers(row).into_iter().map(|i| i as usize).collect())
            .collect();
        let resamples = Resamples::from_indices(table.cases(), &draws).expect("draws");
        for (name, method, repeated) in variants {
            let found = table.bootstrap(method, &resamples, repeated).expect("matching");
            let wanted = list(&expected["bootstrap_ranks"][name]);
            assert_eq!(found.replicates(), wanted.len());
            for (replicate, wanted) in wanted.iter().enumerate() {
                assert_eq!(as_numbers(found.replicate(replicate)), ranks(wanted), "{} {name}", case["id"]);
                rankings += 1;
            }
            let rows = list(&expected["median_rank_and_quantiles_type7"][name]);
            for (level, row) in [0.025, 0.5, 0.975].into_iter().zip(rows) {
                for (algorithm, wanted) in numbers(row).into_iter().enumerate() {
                    let quantile = found.quantile(algorithm, level).expect("a level").expect("replicates");
                    assert_close(quantile, wanted, 1e-12, &format!("{} {name} {level}", case["id"]));
                    quantiles += 1;
                }
            }
            for (algorithm, share) in numbers(&expected["rank1_frequency"][name]).into_iter().enumerate() {
                assert_close(found.share_at_rank(algorithm, 1), share, 1e-12, "share of first ranks");
            }
            if method == Method::MeanThenRank {
                let wanted = numbers(&expected["kendall_tau_b_vs_full_mean_then_rank"]);
                for (tau, wanted) in found.kendall_tau().into_iter().zip(wanted) {
                    assert_close(tau.unwrap_or(f64::NAN), wanted, 1e-12, "Kendall's tau");
                    taus += 1;
                }
            }
        }
    }
    assert_eq!(rankings, 5 * (25 + 20 + 15 + 10));
    assert_eq!(quantiles, 5 * 3 * (6 + 5 + 6 + 2));
    assert_eq!(taus, 2 * (25 + 20 + 15 + 10));
}
