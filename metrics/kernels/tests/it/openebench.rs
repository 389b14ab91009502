//! Tests of `openebench`.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::InputError;
use fiel_kernels::openebench::Participants;
use fiel_kernels::ranking::Direction::{self, HigherIsBetter, LowerIsBetter};

const CORNERS: [(&str, [Direction; 2]); 4] = [
    ("top-right", [HigherIsBetter, HigherIsBetter]),
    ("bottom-right", [HigherIsBetter, LowerIsBetter]),
    ("top-left", [LowerIsBetter, HigherIsBetter]),
    ("bottom-left", [LowerIsBetter, LowerIsBetter]),
];

/// Where two clusters have the same sum of normalised centres, exactly computed.
const TIED: [(&str, &str); 14] = [
    ("TCGA:2018-04-05_HNSC_Aggregation", "bottom-right"),
    ("TCGA:2018-04-05_HNSC_Aggregation", "top-left"),
    ("TCGA:2018-04-05_KICH_Aggregation", "bottom-right"),
    ("TCGA:2018-04-05_KICH_Aggregation", "top-left"),
    ("TCGA:2018-04-05_LIHC_Aggregation", "bottom-right"),
    ("TCGA:2018-04-05_LIHC_Aggregation", "top-left"),
    ("TCGA:2018-04-05_PCPG_Aggregation", "top-right"),
    ("TCGA:2018-04-05_PCPG_Aggregation", "bottom-left"),
    ("TCGA:2018-04-05_SARC_Aggregation", "bottom-right"),
    ("TCGA:2018-04-05_SARC_Aggregation", "top-left"),
    ("TCGA:2018-04-05_TGCT_Aggregation", "top-right"),
    ("TCGA:2018-04-05_TGCT_Aggregation", "bottom-left"),
    ("TCGA:2018-04-05_THYM_Aggregation", "bottom-right"),
    ("TCGA:2018-04-05_THYM_Aggregation", "top-left"),
];

#[test]
fn classes_are_those_of_openebench() {
    let (mut squares, mut diagonals, mut clusters, mut inertias, mut ties) = (0, 0, 0, 0, 0);
    for case in cases("oeb_classification") {
        let participants = case["participants"].as_object().expect("participants");
        let points: Vec<f64> = participants.values().flat_map(numbers).collect();
        for (corner, directions) in CORNERS {
            let found = Participants::new(&points, &directions).expect("finite");
            let expected = |kind: &str| -> Vec<u64> {
                let classes = &case["results"][corner][kind];
                participants.keys().map(|id| classes[id].as_u64().expect("a class")).collect()
            };
            let same = |found: &[u32], kind: &str| -> usize {
                let found: Vec<u64> = found.iter().map(|&c| u64::from(c)).collect();
                assert_eq!(found, expected(kind), "{} {corner} {kind}", case["aggregation_id"]);
                found.len()
            };
            squares += same(&found.square_quartiles(), "squares");
            diagonals += same(&found.diagonal_quartiles().expect("not negative"), "diagonals");
            let grouped = found.clusters().expect("not negative");
            let tied = grouped.tied.clone();
            if tied.is_empty() {
                clusters += same(&grouped.classes, "clusters");
            } else {
                // Rounding decides the order of tied clusters there: either order will do.
                assert!(
                    TIED.contains(&(case["aggregation_id"].as_str().expect("an id"), corner)),
                    "{tied:?}"
                );
                let [a, b] = tied[..] else { panic!("{tied:?}") };
                let joined = |class: u64| if class == u64::from(b) { u64::from(a) } else { class };
                let found: Vec<u64> = grouped.classes.iter().map(|&c| joined(u64::from(c))).collect();
                let wanted: Vec<u64> = expected("clusters").into_iter().map(joined).collect();
                assert_eq!(found, wanted);
                let order = |classes: &[u64]| {
                    let mut pairs: Vec<[u64; 2]> =
                        classes.iter().zip(expected("clusters")).map(|(a, b)| [*a, b]).collect();
                    pairs.sort_unstable();
                    pairs.dedup();
                    pairs.len()
                };
                let classes: Vec<u64> = grouped.classes.iter().map(|&c| u64::from(c)).collect();
                assert_eq!(order(&classes), 4, "the partition is the same");
                clusters += found.len();
                ties += 1;
            }
            let inertia = number(&case["kmeans_inertia"]).expect("a number");
            assert_close(grouped.inertia / inertia.max(1e-12), inertia / inertia.max(1e-12), 1e-9, "inertia");
            inertias += 1;
        }
    }
    assert_eq!([squares, diagonals, clusters], [542 * 4; 3]);
    assert_eq!(inertias, 44 * 4);
    assert_eq!(ties, TIED.len());
}

fn line(values: &[f64]) -> Participants {
    Participants::new(values, &[HigherIsBetter]).expect("finite")
}

#[test]
fn the_median_is_better_where_higher_is_better_and_worse_where_lower_is() {
    let points = [1.0, 2.0, 3.0];
    assert_eq!(line(&points).square_quartiles(), [2, 1, 1]);
    let lower = Participants::new(&points, &[LowerIsBetter]).expect("finite");
    assert_eq!(lower.square_quartiles(), [1, 2, 2]);
}

#[test]
fn each_metric_adds_its_own_power_of_two() {
    let points = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let three = Participants::new(&points, &[HigherIsBetter; 3]).expect("finite");
    assert_eq!(three.square_quartiles(), [8, 1]);
    let mixed = Participants::new(&points, &[LowerIsBetter, HigherIsBetter, LowerIsBetter]).expect("finite");
    assert_eq!(mixed.square_quartiles(), [3, 6]);
}

#[test]
fn a_score_on_a_quartile_falls_below_it() {
    assert_eq!(line(&[1.0, 2.0, 3.0, 4.0, 5.0]).diagonal_quartiles(), Ok(vec![4, 4, 3, 2, 1]));
    assert_eq!(line(&[0.0, 0.0]).diagonal_quartiles(), Ok(vec![4, 4]));
}

#[test]
fn a_metric_below_zero_throughout_cannot_be_normalised() {
    let refused = line(&[-1.0, -2.0]).diagonal_quartiles();
    assert!(matches!(refused, Err(InputError::Setting { value: -1.0, .. })));
    assert!(line(&[-1.0, -2.0]).clusters().is_err());
    assert_eq!(line(&[-1.0, -2.0]).square_quartiles(), [1, 2]);
}

#[test]
fn few_different_points_are_clusters_of_their_own() {
    let clusters = line(&[0.5, 0.5, 0.9]).clusters().expect("not negative");
    assert_eq!((clusters.classes, clusters.inertia), (vec![2, 2, 1], 0.0));
    let one = line(&[0.5; 9]).clusters().expect("not negative");
    assert_eq!((one.classes, one.inertia), (vec![1; 9], 0.0));
}

#[test]
fn clusters_with_equal_scores_are_named() {
    let points = [1.0, 0.0, 0.0, 1.0, 0.75, 0.75, 0.1, 0.1];
    let clusters =
        Participants::new(&points, &[HigherIsBetter; 2]).expect("finite").clusters().expect("positive");
    assert_eq!(clusters.classes, [2, 3, 1, 4]);
    assert_eq!(clusters.tied, [2, 3]);
}

#[test]
fn many_participants_are_clustered_by_their_groups() {
    let points: Vec<f64> = (0..400).map(|i| f64::from(i % 4) + f64::from(i) * 1e-4).collect();
    let clusters = line(&points).clusters().expect("not negative");
    assert!(clusters.classes.iter().zip(0u32..).all(|(class, i)| *class == 4 - i % 4));
}

#[test]
fn bad_participants_are_refused() {
    let refuse = |points: &[f64], directions: &[Direction]| {
        Participants::new(points, directions).expect_err("must be refused")
    };
    assert_eq!(refuse(&[], &[HigherIsBetter]), InputError::Empty("the participants"));
    assert_eq!(refuse(&[1.0], &[]), InputError::Empty("the participants"));
    assert!(matches!(
        refuse(&[1.0; 3], &[HigherIsBetter; 2]),
        InputError::Length { left_len: 3, right_len: 2, .. }
    ));
    assert!(matches!(refuse(&[1.0, f64::NAN], &[HigherIsBetter]), InputError::Value { index: 1, .. }));
    assert!(matches!(
        refuse(&[1.0; 32], &[HigherIsBetter; 32]),
        InputError::TooLarge { found: 32, limit: 31, .. }
    ));
    assert_eq!(
        Participants::new(&[1.0; 31], &[HigherIsBetter; 31]).map(|p| (p.len(), p.is_empty())),
        Ok((1, false))
    );
}
