//! What rankings do at their edges.

use fiel_kernels::inference::Resamples;
use fiel_kernels::ranking::{
    Adjustment, Alpha, Direction, Method, RepeatedCases, Significance, Table, competition_ranks, tie_groups,
};
use fiel_kernels::{InputError, Undefined};

const HIGHER: Direction = Direction::HigherIsBetter;
const LOWER: Direction = Direction::LowerIsBetter;

#[test]
fn ties_share_the_smallest_rank_and_missing_values_come_next_to_the_largest() {
    let values = [Some(1.0), Some(2.0), None, Some(2.0), Some(0.5), None];
    assert_eq!(competition_ranks(&values, HIGHER), [3, 1, 5, 1, 4, 5]);
    assert_eq!(competition_ranks(&values, LOWER), [2, 3, 4, 3, 1, 4]);
    assert_eq!(competition_ranks(&[None, None], LOWER), [1, 1]);
    assert_eq!(competition_ranks(&[Some(0.0), Some(-0.0)], LOWER), [1, 1]);
    assert_eq!(competition_ranks(&[], LOWER), [0u32; 0]);
    let many: Vec<Option<f64>> = (0..100).map(|i| Some(f64::from(i))).collect();
    assert_eq!(competition_ranks(&many, LOWER), (1..=100).collect::<Vec<u32>>());
    assert_eq!(tie_groups(&[]), Vec::<Vec<usize>>::new());
}

#[test]
fn an_algorithm_without_values_is_last() {
    let table = Table::new(&[Some(0.2), None, Some(0.4), None], 2, HIGHER).expect("a table");
    for method in [Method::MeanThenRank, Method::MedianThenRank] {
        let ranking = table.rank(method);
        assert!((ranking.aggregates[0].expect("values") - 0.3).abs() < 1e-15);
        assert_eq!((ranking.aggregates[1], ranking.ranks), (None, vec![1, 2]));
    }
    assert_eq!(table.rank(Method::RankThenMean).aggregates, [Some(1.0), Some(2.0)]);
    assert_eq!(table.rank(Method::TestThenRank(Alpha::P05)).ranks, [1, 1]);
    assert_eq!(
        (table.value(0, 0), table.value(0, 1), table.value(2, 0), table.value(0, 2)),
        (Some(0.2), None, None, None)
    );
    assert_eq!((table.missing(), table.direction()), (2, HIGHER));
    assert_eq!(table.fill(0.0).map(|t| t.rank(Method::MeanThenRank).aggregates[1]), Ok(Some(0.0)));
    assert!(table.fill(f64::NAN).is_err());
}

#[test]
fn tied_algorithms_form_groups() {
    let table = Table::complete(&[0.5, 0.9, 0.5], 3, HIGHER).expect("a table");
    assert_eq!(table.rank(Method::MeanThenRank).tie_groups(), [vec![1], vec![0, 2]]);
}

#[test]
fn one_algorithm_is_first_and_beats_nobody() {
    let table = Table::complete(&[0.5, 0.6], 1, HIGHER).expect("a table");
    let ranking = table.rank(Method::TestThenRank(Alpha::P05));
    assert_eq!((ranking.aggregates, ranking.ranks), (vec![Some(0.0)], vec![1]));
    let resamples = Resamples::multinomial(1, 10, 2).expect("cases");
    let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct).expect("matching");
    assert_eq!(ranks.kendall_tau(), vec![Err(Undefined::TooFew); 10]);
    assert_eq!(ranks.distribution(0), [10]);
    assert_eq!(table.friedman(), Err(Undefined::TooFew));
}

#[test]
fn replicates_without_cases_are_left_out() {
    let table = Table::complete(&[0.5, 0.6], 2, HIGHER).expect("one case");
    let resamples = Resamples::poisson(1, 1_000, 1).expect("a case");
    let methods = [
        Method::MeanThenRank,
        Method::MedianThenRank,
        Method::RankThenMean,
        Method::RankThenMedian,
        Method::TestThenRank(Alpha::P05),
    ];
    for method in methods {
        let ranks = table.bootstrap(method, &resamples, RepeatedCases::Correct).expect("matching");
        assert!((300..440).contains(&ranks.skipped()), "{}", ranks.skipped());
        assert_eq!(ranks.replicates() + ranks.skipped(), 1_000);
        assert_eq!(ranks.full().ranks, table.rank(method).ranks);
    }
}

#[test]
fn shares_and_quantiles_of_ranks() {
    let table = Table::complete(&[0.9, 0.8, 0.7, 0.8], 2, HIGHER).expect("a table");
    let draws = [vec![0, 0], vec![0, 1], vec![1, 1], vec![1, 1]];
    let resamples = Resamples::from_indices(2, &draws).expect("draws");
    let ranks = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct).expect("matching");
    assert_eq!(ranks.replicate(2), [2, 1]);
    assert_eq!(ranks.replicate(4), [0u32; 0]);
    assert_eq!((ranks.share_at_rank(0, 2), ranks.share_at_rank(1, 1)), (0.5, 0.75));
    assert_eq!(ranks.quantile(1, 0.9).expect("a level").map(|q| (q * 10.0).round()), Ok(17.0));
    assert!(ranks.quantile(0, 1.1).is_err() && ranks.quantile(0, -0.1).is_err());
    assert_eq!(ranks.quantile(9, 0.5), Ok(Err(Undefined::TooFew)));
    assert_eq!(ranks.algorithms(), 2);
}

#[test]
fn a_test_at_the_level_itself_is_significant() {
    // Five positive differences: p is the same for every such table.
    let values: Vec<f64> = [0.1, 0.2, 0.3, 0.4, 0.5].iter().flat_map(|d| [*d, 0.0]).collect();
    let table = Table::complete(&values, 2, HIGHER).expect("a table");
    let p = Significance::of(&table, Alpha::P05, Adjustment::None).p(0, 1).expect("differences");
    let at = |level: f64| {
        let alpha = Alpha::new(level).expect("a level");
        let resamples = Resamples::from_indices(5, &[vec![0, 1, 2, 3, 4]]).expect("draws");
        let method = Method::TestThenRank(alpha);
        let drawn = table.bootstrap(method, &resamples, RepeatedCases::Correct).expect("matching");
        assert_eq!(drawn.replicate(0), table.rank(method).ranks);
        drawn.replicate(0).to_vec()
    };
    assert_eq!(at(p), [1, 2]);
    assert_eq!(at(p * (1.0 - 1e-10)), [1, 1]);
    assert_eq!(at(p * (1.0 + 1e-10)), [1, 2]);
}

#[test]
fn bad_tables_are_refused() {
    assert_eq!(Table::complete(&[], 1, HIGHER), Err(InputError::Empty("the table")));
    assert_eq!(Table::complete(&[1.0], 0, HIGHER), Err(InputError::Empty("the table")));
    assert!(matches!(
        Table::complete(&[1.0; 3], 2, HIGHER),
        Err(InputError::Length { left_len: 3, right_len: 2, .. })
    ));
    assert!(matches!(Table::complete(&[1.0, f64::NAN], 1, HIGHER), Err(InputError::Value { index: 1, .. })));
    assert!([0.0, 1.0, f64::NAN].iter().all(|level| Alpha::new(*level).is_err()));
    let table = Table::complete(&[1.0, 2.0], 1, HIGHER).expect("a table");
    let resamples = Resamples::multinomial(1, 10, 3).expect("cases");
    let refused = table.bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct);
    assert!(matches!(refused, Err(InputError::Length { left_len: 3, right_len: 2, .. })));
    let tests = Significance::of(&table, Alpha::P05, Adjustment::Holm);
    assert_eq!((tests.p(0, 0), tests.p(1, 0), tests.adjusted_p(0, 1)), (None, None, None));
}

#[test]
fn the_median_of_values_whose_sum_overflows_lies_between_them() {
    // Two cases, four algorithms.
    let values = [1.0e308, -1.7e308, 1.5e308, -1.0, 1.6e308, -1.3e308, 1.7e308, 3.0];
    let table = Table::complete(&values, 4, HIGHER).expect("valid");
    let ranking = table.rank(Method::MedianThenRank);
    for (found, expected) in ranking.aggregates.iter().zip([1.3e308, -1.5e308, 1.6e308, 1.0]) {
        let found = found.expect("no value is missing");
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} instead of {expected}");
    }
    assert_eq!(ranking.ranks, [2, 4, 1, 3]);
}

#[test]
fn the_same_values_in_another_order_of_cases_tie() {
    // Summed from the first on, 0.1 + 0.2 + 0.3 is more than 0.3 + 0.2 + 0.1; and a large number hides small ones.
    for values in [[0.1, 0.3, 0.2, 0.2, 0.3, 0.1], [1e16, 1.0, 1.0, 1e16, 1.0, 1.0]] {
        let table = Table::complete(&values, 2, HIGHER).expect("a table");
        assert_eq!(table.rank(Method::MeanThenRank).ranks, [1, 1], "{values:?}");
    }
    let huge = Table::complete(&[1e308, 1.0, 1e308, 2.0], 2, HIGHER).expect("a table");
    assert_eq!(huge.rank(Method::MeanThenRank).ranks, [1, 2]);
}
