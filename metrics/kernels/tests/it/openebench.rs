//! Tests of `openebench`.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::InputError;
use fiel_kernels::openebench::Participants;
use fiel_kernels::ranking::Direction::{self, HigherIsBetter, LowerIsBetter};
use std::collections::BTreeMap;

const CORNERS: [(&str, [Direction; 2]); 4] = [
    ("top-right", [HigherIsBetter, HigherIsBetter]),
    ("bottom-right", [HigherIsBetter, LowerIsBetter]),
    ("top-left", [LowerIsBetter, HigherIsBetter]),
    ("bottom-left", [LowerIsBetter, LowerIsBetter]),
];

#[test]
fn classes_are_those_of_openebench() {
    let (mut squares, mut diagonals, mut clusters, mut inertias) = (0, 0, 0, 0);
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
            clusters += same(&grouped.classes, "clusters");
            let inertia = number(&case["kmeans_inertia"]).expect("a number");
            assert_close(grouped.inertia / inertia.max(1e-12), inertia / inertia.max(1e-12), 1e-9, "inertia");
            inertias += 1;
        }
    }
    assert_eq!([squares, diagonals, clusters], [542 * 4; 3]);
    assert_eq!(inertias, 44 * 4);
}
