//! Rankings over several metrics: Grand Challenge and FeTS.

use crate::golden::{assert_close, cases, numbers};
use fiel_kernels::InputError;
use fiel_kernels::ranking::Direction::{HigherIsBetter, LowerIsBetter};
use fiel_kernels::ranking::{Institution, Overall, Table, fets, grand_challenge};

#[test]
fn grand_challenge_gives_the_reference_ranks() {
    let mut compared = 0;
    for case in cases("ranking_grand_challenge") {
        let rows = case["metrics"].as_array().expect("rows");
        let metrics: Vec<Option<f64>> = rows.iter().flat_map(numbers).map(Some).collect();
        let directions: Vec<_> = case["higher_is_better"]
            .as_array()
            .expect("directions")
            .iter()
            .map(|higher| if higher == true { HigherIsBetter } else { LowerIsBetter })
            .collect();
        let expected = &case["expected"];
        for (overall, scores, ranks) in [
            (Overall::First, "absolute", "absolute"),
            (Overall::Mean, "mean_score", "mean_rank"),
            (Overall::Median, "median_score", "median_rank"),
        ] {
            let found = grand_challenge(&metrics, &directions, overall).expect("checked");
            let per_metric = expected["rank_per_metric"].as_array().expect("rows");
            for (i, row) in per_metric.iter().enumerate() {
                let ranks_found = found.metric_ranks[i].as_ref().expect("complete");
                assert_eq!(ranks_found.iter().map(|&r| f64::from(r)).collect::<Vec<_>>(), numbers(row));
                assert_close(
                    found.scores[i].expect("complete"),
                    numbers(&expected[scores])[i],
                    1e-12,
                    scores,
                );
                assert_eq!(found.ranks[i].map(f64::from), Some(numbers(&expected[ranks])[i]), "{ranks}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 3 * 3 * 7);
}

#[test]
fn a_result_that_misses_a_metric_is_dropped_before_ranking() {
    let metrics = [Some(0.9), None, Some(0.8), Some(1.0), Some(0.7), Some(2.0)];
    let board = grand_challenge(&metrics, &[HigherIsBetter, LowerIsBetter], Overall::Mean).expect("checked");
    assert_eq!(board.metric_ranks, [None, Some(vec![1, 1]), Some(vec![2, 2])]);
    assert_eq!(board.scores, [None, Some(1.0), Some(2.0)]);
    assert_eq!(board.ranks, [None, Some(1), Some(2)]);
}

#[test]
fn all_results_may_be_dropped() {
    let board = grand_challenge(&[None, None], &[HigherIsBetter], Overall::Median).expect("checked");
    assert_eq!((board.ranks, board.scores), (vec![None, None], vec![None, None]));
}

#[test]
fn the_median_of_an_even_number_of_ranks_lies_between() {
    let metrics = [Some(3.0), Some(1.0), Some(1.0), Some(3.0)];
    let board = grand_challenge(&metrics, &[HigherIsBetter; 2], Overall::Median).expect("checked");
    assert_eq!(board.scores, [Some(1.5), Some(1.5)]);
    assert_eq!(board.ranks, [Some(1), Some(1)]);
}

#[test]
fn bad_results_are_refused() {
    let refuse = |metrics: &[Option<f64>], directions| {
        grand_challenge(metrics, directions, Overall::Mean).expect_err("must be refused")
    };
    assert_eq!(refuse(&[], &[HigherIsBetter]), InputError::Empty("the results"));
    assert_eq!(refuse(&[Some(1.0)], &[]), InputError::Empty("the results"));
    assert!(matches!(
        refuse(&[Some(1.0); 3], &[HigherIsBetter; 2]),
        InputError::Length { left_len: 3, right_len: 2, .. }
    ));
    assert!(matches!(
        refuse(&[Some(1.0), Some(f64::INFINITY)], &[HigherIsBetter]),
        InputError::Value { index: 1, .. }
    ));
}

/// The example of the FeTS challenge (`Task_2/ranking/example_data.yaml`): each case is an institution; per case
/// deepmedic, deepscan, nnunet, each with WT, TC, ET.
fn fets_example() -> Vec<Institution> {
    let dice = [
        [[0.5, 0.45, 0.4], [0.7, 0.85, 0.7], [0.54, 0.2, 0.12]],
        [[0.98, 0.63, 0.31], [0.31, 0.23, 0.56], [0.45, 0.65, 0.98]],
    ];
    let hd95 = [
        [[8.0, 12.0, 9.0], [2.0, 5.0, 6.0], [14.0, 22.0, 16.0]],
        [[2.0, 6.1, 6.0], [5.0, 4.2, 11.0], [1.0, 9.1, 1.0]],
    ];
    let institution = |cases: &[usize]| {
        let mut metrics = Vec::new();
        for region in 0..3 {
            let rows = |all: &[[[f64; 3]; 3]; 2]| -> Vec<f64> {
                cases.iter().flat_map(|&case| all[case][region]).collect()
            };
            metrics.push(Table::complete(&rows(&dice), 3, HigherIsBetter).expect("a table"));
            metrics.push(Table::complete(&rows(&hd95), 3, LowerIsBetter).expect("a table"));
        }
        Institution::new(metrics).expect("six metrics")
    };
    vec![institution(&[0, 1])]
}

#[test]
fn fets_ranks_its_own_example_as_its_script_does() {
    let ranking = fets(&fets_example()).expect("one institution");
    assert_close(ranking.mean_ranks[0], 7.0 / 6.0, 1e-15, "deepmedic");
    assert_eq!(ranking.mean_ranks[1..], [2.0, 2.0]);
    assert_eq!(ranking.ranks, [1.0, 2.5, 2.5]);
    assert_eq!(ranking.institution_ranks, [ranking.mean_ranks]);
}

#[test]
fn every_institution_counts_the_same() {
    let site = |values: &[f64]| {
        Institution::new(vec![Table::complete(values, 2, HigherIsBetter).expect("a table")])
            .expect("one metric")
    };
    let large = site(&[0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1]);
    let small = site(&[0.1, 0.9]);
    let ranking = fets(&[large, small]).expect("two institutions");
    assert_eq!(ranking.institution_ranks, [vec![1.0, 2.0], vec![2.0, 1.0]]);
    assert_eq!((ranking.mean_ranks, ranking.ranks), (vec![1.5, 1.5], vec![1.5, 1.5]));
}

#[test]
fn institutions_must_agree() {
    let table = |algorithms| Table::complete(&[0.5; 6], algorithms, HigherIsBetter).expect("a table");
    let site = |tables| Institution::new(tables).expect("metrics");
    assert_eq!(fets(&[]), Err(InputError::Empty("the institutions")));
    assert!(Institution::new(vec![]).is_err());
    assert!(Institution::new(vec![table(2), table(3)]).is_err());
    let missing = Table::new(&[Some(0.5), None], 2, HigherIsBetter).expect("a table");
    assert!(Institution::new(vec![missing]).is_err());
    assert!(fets(&[site(vec![table(2)]), site(vec![table(3)])]).is_err());
    assert!(fets(&[site(vec![table(2)]), site(vec![table(2), table(2)])]).is_err());
}

#[test]
fn fets_ties_are_those_of_the_exact_mean_ranks() {
    // Three metrics at each of four institutions with a case each: algorithms B and C have rank sums of 22 both, but
    // sums of the thirds 5/3, 2, 4/3 and 7/3 differ in their last bit from those of 4/3, 5/3, 7/3 and 2.
    let sites = [
        [[0.51, 0.53, 0.53], [0.36, 0.53, 0.72], [0.56, 0.19, 0.53]],
        [[0.20, 0.88, 0.60], [0.28, 0.44, 0.58], [0.52, 0.23, 0.20]],
        [[0.44, 0.76, 0.28], [0.33, 0.25, 0.97], [0.92, 0.85, 0.40]],
        [[0.66, 0.38, 0.42], [0.63, 0.79, 0.17], [0.14, 0.32, 0.54]],
    ];
    let table = |values: &[f64; 3]| Table::complete(values, 3, HigherIsBetter).expect("a table");
    let sites = sites.map(|site| Institution::new(site.iter().map(table).collect()).expect("a site"));
    let found = fets(&sites).expect("checked");
    assert_eq!(found.ranks, [3.0, 1.5, 1.5]);
    assert_eq!(found.mean_ranks[1].to_bits(), found.mean_ranks[2].to_bits());
}
