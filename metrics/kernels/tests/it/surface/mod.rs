//! Surface distances against reference values and literal values; brute force and laws in `laws`.

#![allow(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    clippy::unwrap_used,
    reason = "small whole numbers, values that are equal to the last bit, helpers of tests"
)]

mod laws;

use crate::golden::{assert_close, cases, number, numbers, volume};
use fiel_kernels::surface::{Grid, LabelsOnGrid, MasksOnGrid};
use fiel_kernels::{InputError, Undefined};
use serde_json::Value;
use std::collections::HashMap;

/// The last axis of a golden volume is fastest, so axes are taken in reverse.
fn grid_of(shape: &[usize], spacing: &[f64]) -> Grid {
    match (shape, spacing) {
        (&[a, b], &[x, y]) => Grid::plane([b, a], [y, x]).expect("a plane"),
        (&[a, b, c], &[x, y, z]) => Grid::volume([c, b, a], [z, y, x]).expect("a volume"),
        _ => panic!("{shape:?} is neither a plane nor a volume"),
    }
}

fn labels_of(value: &Value) -> (Vec<usize>, Vec<u8>) {
    let (shape, voxels) = volume(value);
    (shape, voxels.into_iter().map(|v| u8::try_from(v).expect("a label")).collect())
}

/// The golden masks by name: grid, reference, prediction.
fn masks() -> HashMap<String, (Grid, Vec<u8>, Vec<u8>, Value)> {
    cases("seg_overlap")
        .into_iter()
        .map(|case| {
            let (shape, reference) = labels_of(&case["ref"]);
            let (_, prediction) = labels_of(&case["pred"]);
            let grid = grid_of(&shape, &numbers(&case["spacing"]));
            let id = case["id"].as_str().expect("an id").to_owned();
            (id, (grid, reference, prediction, case["expected"]["MetricsReloaded"].clone()))
        })
        .collect()
}

/// Compares with a value of the file; returns how many values were compared.
#[track_caller]
fn check(found: f64, expected: &Value, what: &str) -> usize {
    let expected = number(expected).unwrap_or_else(|| panic!("{what}: {expected} is not a number"));
    assert_close(found, expected, 1e-12, what);
    1
}

fn tolerances(table: &Value) -> Vec<(f64, &Value)> {
    let table = table.as_object().expect("values by tolerance");
    table.iter().map(|(tau, value)| (tau.parse().expect("a tolerance"), value)).collect()
}

#[test]
fn border_distances_equal_brute_force() {
    let masks = masks();
    let mut compared = 0;
    for case in cases("seg_distance") {
        let id = case["id"].as_str().expect("an id");
        let (grid, reference, prediction, _) = &masks[id];
        let found = MasksOnGrid::new(*grid, reference, prediction).expect("masks").borders();
        let expected = &case["expected"]["exact_brute_force_voxel_border"];
        let (to_prediction, to_reference) =
            (found.reference_to_prediction(), found.prediction_to_reference());
        compared += check(to_prediction.count() as f64, &expected["n_border_ref"], id);
        compared += check(to_reference.count() as f64, &expected["n_border_pred"], id);
        if expected["hd"].is_null() {
            assert!(found.hd().is_err(), "{id}");
            continue;
        }
        let percentile = |result: Result<Result<f64, Undefined>, InputError>| result.unwrap().unwrap();
        compared += check(found.hd().unwrap(), &expected["hd"], id);
        compared += check(percentile(found.hd_percentile(95.0)), &expected["hd95_max_of_directed"], id);
        compared += check(percentile(found.hd_percentile_pooled(95.0)), &expected["hd95_pooled"], id);
        for (side, name) in [(to_prediction, "directed_ref_to_pred"), (to_reference, "directed_pred_to_ref")]
        {
            compared += check(side.mean().unwrap(), &expected[name]["mean"], id);
            compared += check(side.max().unwrap(), &expected[name]["max"], id);
            compared += check(side.percentile(95.0).unwrap().unwrap(), &expected[name]["p95"], id);
        }
        compared += check(found.assd().unwrap(), &expected["assd_pooled"], id);
        compared += check(found.masd().unwrap(), &expected["masd_mean_of_means"], id);
        for (tau, value) in tolerances(&expected["nsd"]) {
            compared += check(percentile(found.nsd(tau)), value, id);
        }
        for (tau, value) in tolerances(&expected["nsd_mean_of_fractions"]) {
            compared += check(percentile(found.nsd_mean_of_fractions(tau)), value, id);
        }
    }
    assert!(compared >= 550, "{compared} values were compared");
    eprintln!("border distances: {compared} values");
}

#[test]
fn surfel_distances_equal_surface_distance() {
    let masks = masks();
    let mut compared = 0;
    for case in cases("seg_distance") {
        let id = case["id"].as_str().expect("an id");
        let (grid, reference, prediction, _) = &masks[id];
        let found = MasksOnGrid::new(*grid, reference, prediction).expect("masks").surfels();
        let expected = &case["expected"]["surface_distance"];
        let sides = [found.reference_to_prediction(), found.prediction_to_reference()];
        for (side, (area, count)) in
            sides.iter().zip([("area_ref", "n_surfel_ref"), ("area_pred", "n_surfel_pred")])
        {
            compared += check(side.area(), &expected[area], id);
            compared += check(side.count() as f64, &expected[count], id);
        }
        if found.hd().is_err() {
            // surface-distance answers infinity, and 0 or NaN for NSD: here it is undefined.
            assert_eq!(number(&expected["hd100"]), Some(f64::INFINITY), "{id}");
            assert!(found.nsd(1.0).unwrap().is_err() && found.hd_percentile(95.0).unwrap().is_err());
            continue;
        }
        for (percent, name) in [(100.0, "hd100"), (95.0, "hd95"), (50.0, "hd50")] {
            compared += check(found.hd_percentile(percent).unwrap().unwrap(), &expected[name], id);
        }
        compared += check(found.hd().unwrap(), &expected["hd100"], id);
        let [there, back] = found.directed_means().unwrap();
        compared += check(there, &expected["asd_ref_to_pred"], id);
        compared += check(back, &expected["asd_pred_to_ref"], id);
        for (tau, value) in tolerances(&expected["nsd"]) {
            compared += check(found.nsd(tau).unwrap().unwrap(), value, id);
        }
        for (tau, value) in tolerances(&expected["overlap"]) {
            let [there, back] = found.overlap(tau).unwrap().unwrap();
            compared += check(there, &value[0], id) + check(back, &value[1], id);
        }
    }
    assert!(compared >= 650, "{compared} values were compared");
    eprintln!("surfel distances: {compared} values");
}

#[test]
fn label_maps_equal_surface_distance() {
    let mut compared = 0;
    for case in cases("seg_multilabel") {
        let id = case["id"].as_str().expect("an id");
        let ((shape, reference), (_, prediction)) = (labels_of(&case["ref"]), labels_of(&case["pred"]));
        let expected = &case["expected"];
        let grid = grid_of(&shape, &[1.0; 3][..shape.len()]);
        let labels: Vec<u8> =
            numbers(&expected["labels"]).iter().map(|&v| v as u8).filter(|&v| v != 0).collect();
        let maps = LabelsOnGrid::new(grid, &reference, &prediction, &labels).expect("label maps");
        let wide =
            |map: &[u8]| map.iter().map(|&v| u16::from(v) + 300 * u16::from(v > 0)).collect::<Vec<u16>>();
        let (wide_reference, wide_prediction) = (wide(&reference), wide(&prediction));
        let wide_maps = LabelsOnGrid::new(grid, &wide_reference, &wide_prediction, &wide(&labels)).unwrap();
        let surfels = maps.surfels();
        assert_eq!(surfels, wide_maps.surfels(), "{id}");
        assert_eq!(maps.borders(), wide_maps.borders(), "{id}");
        for (label, found) in labels.iter().zip(&surfels) {
            let row = &expected["surface_distance_per_label_unit_spacing"][label.to_string()];
            if row.is_null() {
                continue;
            }
            let what = format!("{id}, label {label}");
            compared +=
                check(found.hd_percentile(95.0).unwrap().unwrap_or(f64::INFINITY), &row["hd95"], &what);
            let nsd = found.nsd(1.0).unwrap();
            let both = nsd == Err(Undefined::BothEmpty);
            compared += check(nsd.unwrap_or(if both { f64::NAN } else { 0.0 }), &row["nsd1"], &what);
        }
    }
    assert!(compared >= 22, "{compared} values were compared");
    eprintln!("labels: {compared} values");
}

#[test]
fn boundary_iou_and_centroids_agree_with_metrics_reloaded() {
    let mut compared = 0;
    for (id, (grid, reference, prediction, expected)) in masks() {
        let pair = MasksOnGrid::new(grid, &reference, &prediction).expect("masks");
        match pair.boundary_iou(2.0).unwrap() {
            Ok(found) => compared += check(found, &expected["boundary_iou_d2"], &id),
            // MetricsReloaded answers 1 for two empty masks.
            Err(why) => {
                assert_eq!((why, number(&expected["boundary_iou_d2"])), (Undefined::BothEmpty, Some(1.0)));
            }
        }
        match pair.centroid_distance_mm() {
            Ok(found) => compared += check(found, &expected["com_dist"], &id),
            // MetricsReloaded answers -1.
            Err(_) => assert_eq!(number(&expected["com_dist"]), Some(-1.0), "{id}"),
        }
    }
    assert!(compared >= 48, "{compared} values were compared");
    eprintln!("boundary IoU and centroids: {compared} values");
}

#[test]
fn what_has_no_value_says_why() {
    use Undefined::{BothEmpty, PredictionEmpty, ReferenceEmpty};
    let grid = Grid::volume([3, 2, 2], [1.0; 3]).unwrap();
    let (empty, mut one) = (vec![0; 12], vec![0; 12]);
    one[5] = 1;
    for (reference, prediction, why) in
        [(&empty, &empty, BothEmpty), (&empty, &one, ReferenceEmpty), (&one, &empty, PredictionEmpty)]
    {
        let pair = MasksOnGrid::new(grid, reference, prediction).unwrap();
        let found = pair.borders();
        assert_eq!((found.hd(), found.assd(), found.masd()), (Err(why), Err(why), Err(why)));
        assert_eq!((found.nsd(1.0), found.nsd_mean_of_fractions(1.0)), (Ok(Err(why)), Ok(Err(why))));
        assert_eq!(
            (found.hd_percentile(95.0), found.hd_percentile_pooled(95.0)),
            (Ok(Err(why)), Ok(Err(why)))
        );
        for side in [found.reference_to_prediction(), found.prediction_to_reference()] {
            assert_eq!((side.mean(), side.max(), side.percentile(50.0)), (None, None, Ok(None)));
            assert!(side.distances_mm().is_empty());
        }
        let found = pair.surfels();
        assert_eq!((found.hd(), found.nsd(1.0), found.overlap(1.0)), (Err(why), Ok(Err(why)), Ok(Err(why))));
        assert_eq!((found.directed_means(), found.hd_percentile(5.0)), (Err(why), Ok(Err(why))));
        assert_eq!(pair.centroid_distance_mm(), Err(why));
        let expected = if why == BothEmpty { Err(why) } else { Ok(0.0) };
        assert_eq!(pair.boundary_iou(1.0).unwrap(), expected);
    }
}

#[test]
fn bad_settings_are_refused() {
    let grid = Grid::plane([2, 1], [1.0; 2]).unwrap();
    let pair = MasksOnGrid::new(grid, &[1, 0], &[1, 1]).unwrap();
    let (borders, surfels) = (pair.borders(), pair.surfels());
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(borders.nsd(bad), Err(InputError::Setting { what: "tolerance in mm", .. })));
        assert!(borders.nsd_mean_of_fractions(bad).is_err());
        assert!(surfels.nsd(bad).is_err() && surfels.overlap(bad).is_err());
    }
    for bad in [-0.1, 100.1, f64::NAN] {
        assert!(matches!(borders.hd_percentile(bad), Err(InputError::Setting { what: "percentile", .. })));
        assert!(borders.hd_percentile_pooled(bad).is_err() && surfels.hd_percentile(bad).is_err());
        assert!(borders.reference_to_prediction().percentile(bad).is_err());
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(pair.boundary_iou(bad), Err(InputError::Setting { what: "boundary distance", .. })));
    }
    assert!(
        borders.nsd(0.0).is_ok()
            && borders.hd_percentile(0.0).is_ok()
            && borders.hd_percentile(100.0).is_ok()
    );
}

#[test]
fn bad_grids_are_refused() {
    for axis in 0..3 {
        let mut shape = [4, 5, 6];
        shape[axis] = 0;
        let found = Grid::volume(shape, [1.0; 3]).unwrap_err();
        assert!(matches!(found, InputError::Value { what: "shape", index, .. } if index == axis));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-200, 1e200] {
            let mut spacing = [1.0; 3];
            spacing[axis] = bad;
            let found = Grid::volume([4, 5, 6], spacing).unwrap_err();
            assert!(matches!(found, InputError::Value { what: "spacing_mm", index, .. } if index == axis));
        }
    }
    assert!(Grid::volume([1 << 31, 1, 1], [1.0; 3]).is_ok());
    assert!(matches!(
        Grid::volume([1 << 30, 3, 1], [1.0; 3]),
        Err(InputError::TooLarge { found: 3_221_225_472, limit: 2_147_483_648, .. })
    ));
    assert!(Grid::volume([usize::MAX; 3], [1.0; 3]).is_err());
    assert!(Grid::plane([3, 0], [1.0; 2]).is_err());
    let grid = Grid::plane([2, 2], [1.0; 2]).unwrap();
    assert!(matches!(
        MasksOnGrid::new(grid, &[0; 3], &[0; 3]),
        Err(InputError::Length { left_len: 3, right_len: 4, .. })
    ));
    assert!(matches!(
        MasksOnGrid::new(grid, &[0; 4], &[0; 3]),
        Err(InputError::Length { left_len: 4, right_len: 3, .. })
    ));
    let strange = LabelsOnGrid::new(grid, &[0_u8; 4], &[0, 0, 5, 0], &[1]).unwrap_err();
    assert!(matches!(strange, InputError::Value { what: "prediction", index: 2, value: 5.0, .. }));
}

#[test]
fn a_single_slice_is_a_plane_only_when_asked() {
    let mask = [1; 9];
    let volume = Grid::volume([3, 1, 3], [1.0, 5.0, 1.0]).unwrap();
    let plane = Grid::plane([3, 3], [1.0; 2]).unwrap();
    let count =
        |grid| MasksOnGrid::new(grid, &mask, &mask).unwrap().borders().reference_to_prediction().count();
    assert_eq!((count(volume), count(plane)), (9, 8));
    let length =
        |grid| MasksOnGrid::new(grid, &mask, &mask).unwrap().surfels().reference_to_prediction().area();
    assert_close(length(plane), 8.0 + 4.0 * 0.5_f64.sqrt(), 1e-12, "length of the contour");
    let geometry = fiel_kernels::image::Geometry::axis_aligned([3, 3, 2], [1.0; 3]);
    assert!(matches!(Grid::plane_of(&geometry), Err(InputError::Setting { value: 2.0, .. })));
    assert_eq!((volume.is_plane(), plane.is_plane()), (false, true));
    // Of an image the flat axis is left out, whichever it is; of two the last.
    for (shape, kept) in [([1, 3, 4], [1, 2]), ([3, 1, 4], [0, 2]), ([3, 4, 1], [0, 1]), ([1, 3, 1], [0, 1])]
    {
        let spacing = [0.5, 1.5, 2.5];
        let geometry = fiel_kernels::image::Geometry::axis_aligned(shape, spacing);
        let expected = Grid::plane(kept.map(|i| shape[i]), kept.map(|i| spacing[i])).unwrap();
        assert_eq!(Grid::plane_of(&geometry), Ok(expected), "{shape:?}");
        assert_eq!(Grid::volume_of(&geometry), Grid::volume(shape, spacing), "{shape:?}");
    }
}

#[test]
fn grids_are_bounded() {
    let spacing = |mm| Grid::volume([2, 2, 2], [1.0, mm, 1.0]);
    assert!(spacing(1e-100).is_ok() && spacing(1e100).is_ok());
    for bad in [0.0, 0.9e-100, 1.1e100, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(spacing(bad), Err(InputError::Value { what: "spacing_mm", index: 1, .. })));
    }
    let shape = |shape| Grid::volume(shape, [1.0; 3]);
    assert!(matches!(shape([2, 2, 0]), Err(InputError::Value { what: "shape", index: 2, .. })));
    let most = shape([1 << 11, 1 << 10, 1 << 10]).unwrap();
    assert_eq!(most.voxels(), 1 << 31);
    let refused = shape([(1 << 11) + 1, 1 << 10, 1 << 10]);
    let found = (1 << 31) + (1 << 20);
    assert_eq!(refused, Err(InputError::TooLarge { what: "voxels", found, limit: 1 << 31 }));
    assert!(matches!(shape([usize::MAX; 3]), Err(InputError::TooLarge { found: u64::MAX, .. })));
}
