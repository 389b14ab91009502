//! Voxel counts against reference values, laws and literal values.

#![allow(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    clippy::unwrap_used,
    reason = "small whole numbers, values that are equal to the last bit, helpers of tests"
)]

use crate::golden::{assert_close, cases, number, numbers, volume};
use fiel_kernels::overlap::{Counts, MAX_LABELS, VoxelVolume, count_labels, count_masks};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;
use serde_json::Value;

/// Voxels of a golden volume as labels.
fn labels_of(value: &Value) -> Vec<u8> {
    volume(value).1.into_iter().map(|v| u8::try_from(v).expect("a label")).collect()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a count"))
}

/// NaN in the file stands for undefined.
#[track_caller]
fn check(found: Result<f64, Undefined>, expected: &Value, tolerance: f64, what: &str) -> usize {
    let Some(expected) = number(expected) else { return 0 };
    assert_close(found.unwrap_or(f64::NAN), expected, tolerance, what);
    1
}

#[test]
fn counts_and_overlap_equal_the_authorities() {
    let (mut counted, mut compared) = (0, 0);
    for case in cases("seg_overlap") {
        let id = case["id"].as_str().expect("an id");
        let found = count_masks(&labels_of(&case["ref"]), &labels_of(&case["pred"])).expect("masks");
        let expected = &case["expected"];
        let c = &expected["counts"];
        let literal = Counts {
            true_positive: count(&c["tp"]),
            false_positive: count(&c["fp"]),
            false_negative: count(&c["fn"]),
            true_negative: count(&c["tn"]),
        };
        assert_eq!(found, literal, "{id}");
        counted += 1;
        compared += check(found.dice(), &expected["surface_distance"]["dice"], 1e-12, id);
        let medpy = &expected["medpy"];
        compared += check(found.dice(), &medpy["dc"], 1e-12, id);
        if found.reference() + found.prediction() > 0 {
            compared += check(found.iou(), &medpy["jc"], 1e-12, id);
        }
        compared += check(found.precision(), &medpy["precision"], 1e-12, id);
        compared += check(found.sensitivity(), &medpy["sensitivity"], 1e-12, id);
        compared += check(found.specificity(), &medpy["specificity"], 1e-12, id);
        compared += check(found.relative_volume_error(), &medpy["ravd"], 1e-12, id);
    }
    // 27 cases; five have no sensitivity error but no volume difference, or an empty union, in MedPy.
    assert_eq!(counted, 27);
    assert!(compared >= 180, "{compared} values were compared");
}

#[test]
fn overlap_agrees_with_the_witnesses_up_to_their_precision() {
    let mut compared = 0;
    for case in cases("seg_overlap") {
        let id = case["id"].as_str().expect("an id");
        let found = count_masks(&labels_of(&case["ref"]), &labels_of(&case["pred"])).expect("masks");
        if found.reference() == 0 || found.prediction() == 0 {
            continue;
        }
        let (mr, other) = (&case["expected"]["MetricsReloaded"], &case["expected"]["miseval"]);
        let full = found.reference() == found.total();
        compared += check(found.f_beta(2.0).expect("a beta"), &mr["fbeta2"], 1e-6, id);
        compared += check(found.accuracy(), &mr["accuracy"], 1e-6, id);
        compared += check(found.volumetric_similarity(), &other["VS"], 1e-12, id);
        compared += check(found.accuracy(), &other["ACC"], 1e-12, id);
        if !full {
            compared += check(found.npv(), &mr["npv"], 1e-6, id);
            compared += check(found.balanced_accuracy(), &mr["ba"], 1e-6, id);
            compared += check(found.youden(), &mr["youden"], 1e-6, id);
            compared += check(found.kappa(), &other["KAP"], 1e-12, id);
            compared += check(found.mcc(), &other["MCC"], 1e-12, id);
        }
    }
    assert!(compared >= 180, "{compared} values were compared");
}

#[test]
fn label_maps_have_the_reference_confusion_matrices() {
    let mut compared = 0;
    for case in cases("seg_multilabel") {
        let id = case["id"].as_str().expect("an id");
        let (reference, prediction) = (labels_of(&case["ref"]), labels_of(&case["pred"]));
        let expected = &case["expected"];
        let labels: Vec<u8> =
            numbers(&expected["labels"]).iter().map(|&v| v as u8).filter(|&v| v != 0).collect();
        let found = count_labels(&reference, &prediction, &labels).expect("label maps");
        let rows = expected["confusion_rows_ref_cols_pred"].as_array().expect("rows");
        let matrix: Vec<u64> =
            rows.iter().flat_map(|row| row.as_array().expect("a row").iter().map(count)).collect();
        assert_eq!(found.matrix(), matrix, "{id}");
        compared += matrix.len();
        for (label, dice) in expected["dice"].as_object().expect("Dice by label") {
            let own = found.counts(label.parse().expect("a label")).expect("declared");
            compared += check(own.dice(), dice, 1e-12, &format!("{id}, label {label}"));
        }
        let wide = |map: &[u8]| map.iter().map(|&v| u16::from(v) * 257).collect::<Vec<u16>>();
        let found = count_labels(&wide(&reference), &wide(&prediction), &wide(&labels)).expect("label maps");
        assert_eq!(found.matrix(), matrix, "{id} as u16");
    }
    assert!(compared >= 75, "{compared} values were compared");
}

const COUNTS: Counts = Counts { true_positive: 6, false_positive: 2, false_negative: 4, true_negative: 28 };

#[test]
fn measures_have_their_literal_values() {
    assert_eq!((COUNTS.reference(), COUNTS.prediction(), COUNTS.total()), (10, 8, 40));
    assert_eq!(COUNTS.dice(), Ok(12.0 / 18.0));
    assert_eq!(COUNTS.iou(), Ok(0.5));
    assert_close(COUNTS.f_beta(2.0).unwrap().unwrap(), 30.0 / 48.0, 1e-15, "F2");
    assert_close(COUNTS.f_beta(0.5).unwrap().unwrap(), 7.5 / 10.5, 1e-15, "F0.5");
    assert_eq!(COUNTS.sensitivity(), Ok(0.6));
    assert_eq!(COUNTS.precision(), Ok(0.75));
    assert_eq!(COUNTS.specificity(), Ok(28.0 / 30.0));
    assert_eq!(COUNTS.npv(), Ok(0.875));
    assert_eq!(COUNTS.accuracy(), Ok(0.85));
    assert_close(COUNTS.balanced_accuracy().unwrap(), 0.5 * (0.6 + 28.0 / 30.0), 1e-15, "BA");
    assert_close(COUNTS.youden().unwrap(), 0.6 + 28.0 / 30.0 - 1.0, 1e-15, "J");
    assert_close(COUNTS.kappa().unwrap(), 320.0 / 560.0, 1e-15, "kappa");
    assert_close(COUNTS.mcc().unwrap(), 160.0 / (300.0_f64 * 256.0).sqrt(), 1e-15, "MCC");
    assert_close(COUNTS.volumetric_similarity().unwrap(), 16.0 / 18.0, 1e-15, "VS");
    assert_eq!(COUNTS.relative_volume_error(), Ok(-0.2));
    let worse = Counts { true_positive: 0, false_positive: 2, false_negative: 3, true_negative: 0 };
    assert_eq!((worse.kappa(), worse.mcc()), (Ok(-12.0 / 13.0), Ok(-1.0)));
}

#[test]
fn volumes_are_in_millilitres() {
    let voxel = VoxelVolume::from_spacing_mm([5.0, 5.0, 10.0]).unwrap();
    assert_eq!(voxel.cubic_mm(), 250.0);
    assert_eq!(COUNTS.reference_volume_ml(voxel), 2.5);
    assert_eq!(COUNTS.prediction_volume_ml(voxel), 2.0);
    assert_eq!(COUNTS.volume_error_ml(voxel), -0.5);
    assert_eq!(COUNTS.absolute_volume_error_ml(voxel), 0.5);
    assert_eq!(COUNTS.false_positive_volume_ml(voxel), 0.5);
    assert_eq!(COUNTS.false_negative_volume_ml(voxel), 1.0);
    let more = Counts { false_positive: 8, ..COUNTS };
    assert_eq!((more.volume_error_ml(voxel), more.relative_volume_error()), (1.0, Ok(0.4)));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            VoxelVolume::from_spacing_mm([1.0, bad, 1.0]),
            Err(InputError::Value { what: "spacing_mm", index: 1, .. })
        ));
        assert!(VoxelVolume::from_cubic_mm(bad).is_err());
    }
    assert!(VoxelVolume::from_spacing_mm([1e200; 3]).is_err());
}

#[test]
fn what_has_no_value_says_why() {
    use Undefined::{BothEmpty, PredictionEmpty, ReferenceEmpty, ZeroDenominator};
    let both = Counts { true_negative: 5, ..Counts::default() };
    assert_eq!((both.dice(), both.iou(), both.kappa()), (Err(BothEmpty), Err(BothEmpty), Err(BothEmpty)));
    assert_eq!((both.mcc(), both.volumetric_similarity()), (Err(BothEmpty), Err(BothEmpty)));
    assert_eq!(both.f_beta(1.0), Ok(Err(BothEmpty)));
    assert_eq!((both.sensitivity(), both.precision()), (Err(ReferenceEmpty), Err(PredictionEmpty)));
    assert_eq!((both.specificity(), both.npv(), both.accuracy()), (Ok(1.0), Ok(1.0), Ok(1.0)));
    let no_reference = Counts { false_positive: 2, true_negative: 3, ..Counts::default() };
    assert_eq!((no_reference.dice(), no_reference.iou()), (Ok(0.0), Ok(0.0)));
    assert_eq!((no_reference.mcc(), no_reference.kappa()), (Err(ReferenceEmpty), Ok(0.0)));
    assert_eq!(no_reference.relative_volume_error(), Err(ReferenceEmpty));
    assert_eq!(no_reference.balanced_accuracy(), Err(ReferenceEmpty));
    assert_eq!(no_reference.f_beta(2.0), Ok(Ok(0.0)));
    let no_prediction = Counts { false_negative: 2, true_negative: 3, ..Counts::default() };
    assert_eq!(
        (no_prediction.mcc(), no_prediction.precision()),
        (Err(PredictionEmpty), Err(PredictionEmpty))
    );
    assert_eq!(no_prediction.relative_volume_error(), Ok(-1.0));
    let full = Counts { true_positive: 4, ..Counts::default() };
    assert_eq!((full.specificity(), full.npv()), (Err(ZeroDenominator), Err(ZeroDenominator)));
    assert_eq!((full.kappa(), full.mcc()), (Err(ZeroDenominator), Err(ZeroDenominator)));
    let full_prediction = Counts { true_positive: 4, false_positive: 1, ..Counts::default() };
    assert_eq!(full_prediction.mcc(), Err(ZeroDenominator));
    let full_reference = Counts { true_positive: 4, false_negative: 1, ..Counts::default() };
    assert_eq!(full_reference.mcc(), Err(ZeroDenominator));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(full.f_beta(bad), Err(InputError::Setting { what: "beta", .. })));
    }
    assert!((COUNTS.f_beta(1e200).unwrap().unwrap() - 0.6).abs() < 1e-12, "a huge beta is sensitivity");
}

#[test]
fn huge_counts_stay_exact() {
    let n = 1 << 40;
    let huge = Counts { true_positive: n, false_positive: n, false_negative: n, true_negative: n };
    assert_eq!((huge.dice(), huge.kappa(), huge.mcc()), (Ok(0.5), Ok(0.0), Ok(0.0)));
    let apart = Counts { true_positive: n, true_negative: 3 * n, ..Counts::default() };
    assert_eq!((apart.mcc(), apart.kappa()), (Ok(1.0), Ok(1.0)));
}

#[test]
fn strange_masks_are_refused_with_their_index() {
    let long = |at: usize, value: u8| {
        let mut mask = vec![0; 40_000];
        mask[at] = value;
        mask
    };
    let good = long(3, 1);
    for (at, value) in [(0, 2), (63, 255), (64, 2), (39_999, 128)] {
        let bad = long(at, value);
        let expected = |what| InputError::Value {
            what,
            index: at,
            value: f64::from(value),
            expected: "0 (background) or 1 (foreground)",
        };
        assert_eq!(count_masks(&bad, &good), Err(expected("reference")));
        assert_eq!(count_masks(&good, &bad), Err(expected("prediction")));
    }
    assert!(matches!(count_masks(&[0, 1], &[0]), Err(InputError::Length { left_len: 2, right_len: 1, .. })));
    assert_eq!(count_masks(&[], &[]), Err(InputError::Empty("reference")));
}

#[test]
fn strange_labels_are_refused_with_their_index() {
    let mut map = vec![0_u8; 300];
    map[257] = 9;
    let zeros = vec![0_u8; 300];
    let strange = |what, index, value: f64| InputError::Value {
        what,
        index,
        value,
        expected: "0 (background) or one of the declared labels",
    };
    assert_eq!(count_labels(&map, &zeros, &[1, 2]).unwrap_err(), strange("reference", 257, 9.0));
    assert_eq!(count_labels(&zeros, &map, &[1, 2]).unwrap_err(), strange("prediction", 257, 9.0));
    assert!(count_labels(&zeros, &map, &[9]).is_ok());
    for (labels, at) in [(vec![0], 0), (vec![1, 1], 1), (vec![1, 2, 0], 2)] {
        let found = count_labels(&zeros, &zeros, &labels).unwrap_err();
        assert!(matches!(found, InputError::Value { what: "labels", index, .. } if index == at), "{found}");
    }
    assert_eq!(count_labels(&zeros, &zeros, &[]).unwrap_err(), InputError::Empty("labels"));
    let many: Vec<u16> = (1..).take(MAX_LABELS + 1).collect();
    assert!(matches!(count_labels(&[0], &[0], &many), Err(InputError::TooLarge { found: 1025, .. })));
    assert!(count_labels(&[0], &[0], &many[..MAX_LABELS]).is_ok());
    assert!(matches!(count_labels(&[0_u8], &[0, 0], &[1]), Err(InputError::Length { .. })));
    assert_eq!(count_labels::<u8>(&[], &[], &[1]).unwrap_err(), InputError::Empty("reference"));
}

/// A label map of runs, so that blocks, words and ends of runs meet in every way.
fn runs(labels: u8) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec((0..=labels, 1..150_usize), 1..30)
        .prop_map(|runs| runs.iter().flat_map(|&(v, n)| std::iter::repeat_n(v, n)).collect())
}

proptest! {
    #[test]
    fn masks_are_counted_as_one_by_one(a in runs(1), b in runs(1)) {
        let n = a.len().min(b.len());
        let pairs = || a.iter().zip(&b);
        let of = |r, p| pairs().filter(|pair| *pair == (&r, &p)).count() as u64;
        let expected = Counts {
            true_positive: of(1, 1),
            false_positive: of(0, 1),
            false_negative: of(1, 0),
            true_negative: of(0, 0),
        };
        prop_assert_eq!(count_masks(&a[..n], &b[..n]).unwrap(), expected);
        let swapped = count_masks(&b[..n], &a[..n]).unwrap();
        prop_assert_eq!(swapped.dice(), expected.dice());
        prop_assert_eq!(swapped.mcc().ok(), expected.mcc().ok());
        prop_assert_eq!(swapped.sensitivity().ok(), expected.precision().ok());
    }

    #[test]
    fn labels_are_counted_as_one_by_one(a in runs(4), b in runs(4)) {
        let n = a.len().min(b.len());
        let (a, b) = (&a[..n], &b[..n]);
        let mut expected = vec![0_u64; 25];
        for (&r, &p) in a.iter().zip(b) {
            expected[usize::from(r) * 5 + usize::from(p)] += 1;
        }
        let found = count_labels(a, b, &[1, 2, 3, 4]).unwrap();
        prop_assert_eq!(found.matrix(), &expected[..]);
        for (i, own) in found.per_label().into_iter().enumerate() {
            let label = u8::try_from(i + 1).unwrap();
            let mask = |map: &[u8]| map.iter().map(|&v| u8::from(v == label)).collect::<Vec<u8>>();
            prop_assert_eq!(own, count_masks(&mask(a), &mask(b)).unwrap());
            prop_assert_eq!(found.counts(label), Some(own));
        }
        let wide = |map: &[u8]| map.iter().map(|&v| u16::from(v) * 1000).collect::<Vec<u16>>();
        let found = count_labels(&wide(a), &wide(b), &[1000, 2000, 3000, 4000]).unwrap();
        prop_assert_eq!(found.matrix(), &expected[..]);
    }
}

#[test]
fn counting_does_not_depend_on_the_number_of_threads() {
    let n = (1 << 22) * 2 + 12_345;
    let map = |step: usize| (0..n).map(|i| u8::from((i / step) % 3 == 0)).collect::<Vec<u8>>();
    let (a, b) = (map(7), map(1000));
    let alone = (count_masks(&a, &b).unwrap(), count_labels(&a, &b, &[1]).unwrap());
    assert_eq!(alone.0, alone.1.counts(1).unwrap());
    assert_eq!(alone.0.reference(), a.iter().map(|&v| u64::from(v)).sum::<u64>());
    assert_eq!(alone.0.total(), n as u64);
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| (count_masks(&a, &b).unwrap(), count_labels(&a, &b, &[1]).unwrap()));
        assert_eq!(found, alone);
    }
}
