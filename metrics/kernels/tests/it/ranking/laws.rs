//! Laws of rankings: agreement with brute force, equivariance, threads.

use fiel_kernels::inference::{Alternative, Differences, Resamples, SignedRankMethod, Zeros};
use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Method, RepeatedCases, Significance, Table};
use proptest::prelude::*;

const METHODS: [Method; 5] = [
    Method::MeanThenRank,
    Method::MedianThenRank,
    Method::RankThenMean,
    Method::RankThenMedian,
    Method::TestThenRank(Alpha::P05),
];

/// Values of a few levels, so that ties are common, some missing.
fn values(cases: usize, algorithms: usize, missing: bool) -> impl Strategy<Value = Vec<Option<f64>>> {
    let cell = (0i32..12, 0u32..10).prop_map(
        move |(v, m)| {
            if missing && m == 0 { None } else { Some(f64::from(v) / 8.0) }
        },
    );
    prop::collection::vec(cell, cases * algorithms)
}

/// The table with every case as often as it was drawn.
fn repeated(values: &[Option<f64>], algorithms: usize, weights: &[u8]) -> Vec<Option<f64>> {
    let rows = values.chunks(algorithms).zip(weights);
    rows.flat_map(|(row, &weight)| row.repeat(usize::from(weight))).collect()
}

#[test]
fn ranks_are_the_same_for_any_number_of_threads() {
    let values: Vec<f64> = (0..70 * 9).map(|i| f64::from(i * 7919 % 1013) / 97.0).collect();
    let table = Table::complete(&values, 9, Direction::HigherIsBetter).expect("a table");
    let resamples = Resamples::multinomial(2, 203, 70).expect("cases");
    for method in METHODS {
        for mode in [RepeatedCases::Correct, RepeatedCases::ChallengeR] {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                pool.install(|| table.bootstrap(method, &resamples, mode).expect("matching"))
            };
            let one = run(1);
            assert_eq!(one.replicates(), 203);
            assert_eq!(one, run(2), "{method:?}");
            assert_eq!(one, run(8), "{method:?}");
        }
    }
}

#[test]
fn the_large_tally_agrees_with_the_small_one() {
    // 1,700 cases need the wide sums; the same table in which most cases never count does not.
    let cases = 1_700;
    let values: Vec<f64> = (0..cases * 3).map(|i| f64::from((i * 7919 % 251) as u32) / 16.0).collect();
    let table = Table::complete(&values, 3, Direction::LowerIsBetter).expect("a table");
    let draws: Vec<Vec<usize>> =
        (0..5).map(|r| (0..1_600).map(|i| (i * 3 + r * 11) % cases).collect()).collect();
    let small = Resamples::from_indices(cases, &draws).expect("draws");
    let longer: Vec<Vec<usize>> = draws.iter().map(|row| [row.clone(), row.clone()].concat()).collect();
    let large = Resamples::from_indices(cases, &longer).expect("draws");
    let method = Method::TestThenRank(Alpha::new(0.3).expect("a level"));
    for (resamples, factor) in [(small, 1), (large, 2)] {
        let found = table.bootstrap(method, &resamples, RepeatedCases::Correct).expect("matching");
        for replicate in 0..5 {
            let weights = resamples.weights(replicate);
            assert_eq!(weights.iter().map(|&w| usize::from(w)).sum::<usize>(), 1_600 * factor);
            let all: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
            let brute =
                Table::new(&repeated(&all, 3, &weights), 3, Direction::LowerIsBetter).expect("a table");
            assert_eq!(found.replicate(replicate), brute.rank(method).ranks);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_replicate_is_the_ranking_of_the_repeated_cases(
        values in values(12, 4, true), lower in any::<bool>(), seed in any::<u64>(),
    ) {
        let direction = if lower { Direction::LowerIsBetter } else { Direction::HigherIsBetter };
        let table = Table::new(&values, 4, direction).expect("a table");
        for resamples in [Resamples::multinomial(seed, 5, 12), Resamples::poisson(seed, 5, 12)] {
            let resamples = resamples.expect("cases");
            for method in METHODS {
                let found = table.bootstrap(method, &resamples, RepeatedCases::Correct).expect("matching");
                for replicate in 0..5 {
                    let rows = repeated(&values, 4, &resamples.weights(replicate));
                    let brute = Table::new(&rows, 4, direction).expect("a table").rank(method);
                    // The values are multiples of 1/8, so that sums are exact in any order.
                    prop_assert_eq!(found.replicate(replicate), &brute.ranks[..], "{:?}", method);
                }
            }
        }
    }

    #[test]
    fn challenge_r_pools_repeated_cases(values in values(8, 3, true), seed in any::<u64>()) {
        let table = Table::new(&values, 3, Direction::HigherIsBetter).expect("a table");
        let resamples = Resamples::multinomial(seed, 4, 8).expect("cases");
        let found = table.bootstrap(Method::RankThenMean, &resamples, RepeatedCases::ChallengeR).expect("matching");
        let medians = table.bootstrap(Method::RankThenMedian, &resamples, RepeatedCases::ChallengeR).expect("matching");
        for replicate in 0..4 {
            let mut ranks: Vec<Vec<f64>> = vec![Vec::new(); 3];
            for (row, &draws) in values.chunks(3).zip(&resamples.weights(replicate)) {
                // All values of all draws of the case in one pool; missing ones one below the last rank given.
                let pool: Vec<f64> = row.repeat(usize::from(draws)).into_iter().flatten().collect();
                let rank = |v: f64| 1.0 + pool.iter().filter(|other| **other > v).count() as f64;
                let last = pool.iter().map(|v| rank(*v)).fold(0.0, f64::max) + 1.0;
                for (algorithm, value) in row.iter().enumerate() {
                    ranks[algorithm].extend(std::iter::repeat_n(value.map_or(last, rank), usize::from(draws)));
                }
            }
            let place = |aggregates: &[f64]| -> Vec<u32> {
                let better = |v: &f64| aggregates.iter().filter(|other| *other < v).count();
                aggregates.iter().map(|v| 1 + better(v) as u32).collect()
            };
            let means: Vec<f64> = ranks.iter().map(|r| r.iter().sum::<f64>() / r.len() as f64).collect();
            prop_assert_eq!(found.replicate(replicate), place(&means));
            let middle: Vec<f64> = ranks.iter_mut().map(|r| {
                r.sort_by(f64::total_cmp);
                (r[(r.len() - 1) / 2] + r[r.len() / 2]) / 2.0
            }).collect();
            prop_assert_eq!(medians.replicate(replicate), place(&middle));
        }
    }

    #[test]
    fn challenge_r_tests_each_drawn_case_once(values in values(15, 3, false), seed in any::<u64>()) {
        let table = Table::new(&values, 3, Direction::LowerIsBetter).expect("a table");
        let resamples = Resamples::multinomial(seed, 4, 15).expect("cases");
        let method = Method::TestThenRank(Alpha::new(0.2).expect("a level"));
        let found = table.bootstrap(method, &resamples, RepeatedCases::ChallengeR).expect("matching");
        for replicate in 0..4 {
            let once: Vec<u8> = resamples.weights(replicate).into_iter().map(|w| w.min(1)).collect();
            let brute = Table::new(&repeated(&values, 3, &once), 3, Direction::LowerIsBetter).expect("a table");
            prop_assert_eq!(found.replicate(replicate), brute.rank(method).ranks);
        }
    }

    #[test]
    fn turning_the_metric_and_its_direction_changes_nothing(values in values(9, 5, true)) {
        let turned: Vec<Option<f64>> = values.iter().map(|v| v.map(|v| -v)).collect();
        let higher = Table::new(&values, 5, Direction::HigherIsBetter).expect("a table");
        let lower = Table::new(&turned, 5, Direction::LowerIsBetter).expect("a table");
        for method in METHODS {
            prop_assert_eq!(higher.rank(method).ranks, lower.rank(method).ranks);
        }
    }

    #[test]
    fn the_order_of_cases_and_algorithms_does_not_matter(values in values(9, 4, true), shift in 0usize..9) {
        let table = Table::new(&values, 4, Direction::HigherIsBetter).expect("a table");
        let mut rows: Vec<Vec<Option<f64>>> = values.chunks(4).map(<[_]>::to_vec).collect();
        rows.rotate_left(shift);
        rows.iter_mut().for_each(|row| row.reverse());
        let other = Table::new(&rows.concat(), 4, Direction::HigherIsBetter).expect("a table");
        for method in METHODS {
            let mut ranks = other.rank(method).ranks;
            ranks.reverse();
            prop_assert_eq!(table.rank(method).ranks, ranks);
        }
    }

    #[test]
    fn significance_is_that_of_the_signed_rank_test(values in values(14, 3, false)) {
        let values: Vec<f64> = values.into_iter().flatten().collect();
        let table = Table::complete(&values, 3, Direction::LowerIsBetter).expect("a table");
        let tests = Significance::of(&table, Alpha::P05, Adjustment::BenjaminiHochberg);
        for i in 0..3 {
            for j in 0..3 {
                let d = Differences::new(values.chunks(3).map(|row| row[j] - row[i]).collect()).expect("finite");
                let method = SignedRankMethod::Normal { continuity: true };
                let p = d.signed_rank(Alternative::Greater, Zeros::Drop, method).ok().map(|t| t.p);
                match (tests.p(i, j), p) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-14),
                    (a, b) => prop_assert_eq!(a, b),
                }
                prop_assert_eq!(tests.beats(i, j), tests.adjusted_p(i, j).is_some_and(|p| p <= 0.05));
            }
        }
    }
}
