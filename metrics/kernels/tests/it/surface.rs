//! Surface distances against reference values, brute force and laws.

#![allow(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    reason = "small whole numbers, and values that are equal to the last bit"
)]

use crate::golden::{assert_close, cases, number, numbers, volume};
use fiel_kernels::surface::{BorderDistances, Grid, LabelsOnGrid, MasksOnGrid, SurfelDistances};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;
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
                assert_eq!((why, number(&expected["boundary_iou_d2"])), (Undefined::BothEmpty, Some(1.0)))
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
}

/// Two masks on a grid, checked voxel by voxel.
#[derive(Debug, Clone)]
struct Pair {
    shape: [usize; 3],
    spacing: [f64; 3],
    planar: bool,
    masks: [Vec<u8>; 2],
}

impl Pair {
    fn grid(&self) -> Grid {
        if self.planar {
            Grid::plane([self.shape[0], self.shape[1]], [self.spacing[0], self.spacing[1]]).unwrap()
        } else {
            Grid::volume(self.shape, self.spacing).unwrap()
        }
    }

    fn view(&self) -> MasksOnGrid<'_> {
        MasksOnGrid::new(self.grid(), &self.masks[0], &self.masks[1]).unwrap()
    }

    fn at(&self, mask: usize, v: [i64; 3]) -> bool {
        let inside = (0..3).all(|i| v[i] >= 0 && v[i] < self.shape[i] as i64);
        inside && self.masks[mask][self.index(v.map(|n| n as usize))] == 1
    }

    fn index(&self, v: [usize; 3]) -> usize {
        (v[2] * self.shape[1] + v[1]) * self.shape[0] + v[0]
    }

    fn voxels(&self) -> impl Iterator<Item = [i64; 3]> + use<> {
        let [nx, ny, nz] = self.shape.map(|n| n as i64);
        (0..nz).flat_map(move |z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [x, y, z])))
    }

    fn border(&self, mask: usize) -> Vec<[i64; 3]> {
        let axes = if self.planar { 2 } else { 3 };
        self.voxels()
            .filter(|&v| {
                self.at(mask, v)
                    && (0..axes).any(|axis| {
                        [-1, 1].iter().any(|step| {
                            let mut other = v;
                            other[axis] += step;
                            !self.at(mask, other)
                        })
                    })
            })
            .collect()
    }

    fn squared(&self, a: [i64; 3], b: [i64; 3]) -> f64 {
        let mut terms: [f64; 3] = std::array::from_fn(|i| ((a[i] - b[i]) as f64 * self.spacing[i]).powi(2));
        terms.sort_by(f64::total_cmp);
        (terms[0] + terms[1]) + terms[2]
    }

    /// Sorted distances from one border to the other.
    fn brute(&self, from: usize, to: usize) -> Vec<f64> {
        let (from, to) = (self.border(from), self.border(to));
        let nearest =
            |&a: &[i64; 3]| to.iter().map(|&b| self.squared(a, b)).fold(f64::INFINITY, f64::min).sqrt();
        let mut found: Vec<f64> = from.iter().map(nearest).collect();
        found.sort_by(f64::total_cmp);
        found
    }

    fn brute_boundary_iou(&self, distance: f64) -> Option<f64> {
        let mut bands = [vec![], vec![]];
        for (mask, band) in bands.iter_mut().enumerate() {
            let border = self.border(mask);
            *band = self
                .voxels()
                .map(|v| {
                    let near = |b: &[i64; 3]| {
                        let square: i64 = (0..3).map(|i| (v[i] - b[i]).pow(2)).sum();
                        (square as f64) < distance * distance
                    };
                    self.at(mask, v) && border.iter().any(near)
                })
                .collect();
        }
        let count = |f: &dyn Fn(bool, bool) -> bool| {
            bands[0].iter().zip(&bands[1]).filter(|(a, b)| f(**a, **b)).count() as f64
        };
        let either = count(&|a, b| a | b);
        (either > 0.0).then(|| count(&|a, b| a & b) / either)
    }

    /// The same image with its axes in another order.
    fn permuted(&self, order: [usize; 3]) -> Self {
        let mut other = Self {
            shape: order.map(|i| self.shape[i]),
            spacing: order.map(|i| self.spacing[i]),
            ..self.clone()
        };
        for v in self.voxels() {
            let v = v.map(|n| n as usize);
            for mask in 0..2 {
                let to = other.index(order.map(|i| v[i]));
                other.masks[mask][to] = self.masks[mask][self.index(v)];
            }
        }
        other
    }

    fn flipped(&self, axis: usize) -> Self {
        let mut other = self.clone();
        for v in self.voxels() {
            let v = v.map(|n| n as usize);
            let mut to = v;
            to[axis] = self.shape[axis] - 1 - v[axis];
            for mask in 0..2 {
                let to = other.index(to);
                other.masks[mask][to] = self.masks[mask][self.index(v)];
            }
        }
        other
    }

    fn padded(&self, by: [usize; 3]) -> Self {
        let by = if self.planar { [by[0], by[1], 0] } else { by };
        let shape: [usize; 3] = std::array::from_fn(|i| self.shape[i] + 2 * by[i]);
        let empty = vec![0; shape.iter().product()];
        let mut other = Self { shape, masks: [empty.clone(), empty], ..self.clone() };
        for v in self.voxels() {
            let v = v.map(|n| n as usize);
            for mask in 0..2 {
                let to = other.index(std::array::from_fn(|i| v[i] + by[i]));
                other.masks[mask][to] = self.masks[mask][self.index(v)];
            }
        }
        other
    }
}

fn expand(side: &fiel_kernels::surface::Directed) -> Vec<f64> {
    side.distances_mm().iter().flat_map(|&(d, n)| std::iter::repeat_n(d, n as usize)).collect()
}

/// Blobs, holes and scattered voxels; axes long enough that rows span words and that some neighbours are far.
fn pairs() -> impl Strategy<Value = Pair> {
    let shape = prop_oneof![
        ([1..12_usize, 1..12, 1..10]).prop_map(|s| (s, false)),
        ([50..150_usize, 1..4, 1..4]).prop_map(|s| (s, false)),
        ([1..4_usize, 50..90, 1..4]).prop_map(|s| (s, false)),
        ([1..40_usize, 1..40, 1..2]).prop_map(|s| (s, true)),
    ];
    let spacing = proptest::array::uniform3(prop_oneof![Just(1.0), Just(0.8), Just(2.5), 0.2..4.0]);
    let block = || (proptest::array::uniform3(0.0..1.0), proptest::array::uniform3(0.0..0.6), any::<bool>());
    (
        shape,
        spacing,
        proptest::collection::vec(block(), 0..4),
        proptest::collection::vec(block(), 0..4),
        proptest::collection::vec((0.0..1.0, any::<bool>()), 0..6),
    )
        .prop_map(|((shape, planar), spacing, first, second, flips)| {
            let voxels: usize = shape.iter().product();
            let mut pair = Pair { shape, spacing, planar, masks: [vec![0; voxels], vec![0; voxels]] };
            for (mask, blocks) in [first, second].into_iter().enumerate() {
                for (from, size, value) in blocks {
                    for v in pair.voxels() {
                        let inside = (0..3).all(|i| {
                            let place = v[i] as f64 / shape[i] as f64;
                            place >= from[i] && place <= from[i] + size[i]
                        });
                        if inside {
                            let at = pair.index(v.map(|n| n as usize));
                            pair.masks[mask][at] = u8::from(value);
                        }
                    }
                }
            }
            for (place, mask) in flips {
                let voxel = (place * voxels as f64) as usize;
                pair.masks[usize::from(mask)][voxel] ^= 1;
            }
            pair
        })
}

/// Everything that follows from two masks, as bytes.
fn everything(pair: &Pair) -> (BorderDistances, SurfelDistances, Vec<Option<u64>>) {
    let view = pair.view();
    let bits = |v: Result<f64, Undefined>| v.ok().map(f64::to_bits);
    let (borders, surfels) = (view.borders(), view.surfels());
    let plain = vec![
        bits(view.boundary_iou(2.0).unwrap()),
        bits(view.centroid_distance_mm()),
        bits(borders.assd()),
        bits(surfels.hd_percentile(95.0).unwrap()),
    ];
    (borders, surfels, plain)
}

/// Voxels scattered in one part of an image and a block in another, so that bricks are many, full and far apart.
fn scattered(shape: [usize; 3], spacing: [f64; 3], planar: bool) -> Pair {
    let voxels = shape.iter().product();
    let mut pair = Pair { shape, spacing, planar, masks: [vec![0; voxels], vec![0; voxels]] };
    let mut state = 7_usize;
    for _ in 0..400 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let v: [usize; 3] = std::array::from_fn(|i| (state >> (20 + 12 * i)) % shape[i]);
        let mask = usize::from(v[0] * 2 > shape[0]);
        let at = pair.index(v);
        pair.masks[mask][at] = 1;
    }
    for v in pair.voxels() {
        if (0..3).all(|i| v[i] * 5 >= shape[i] as i64 * 4 - 4) {
            let at = pair.index(v.map(|n| n as usize));
            pair.masks[1][at] = 1;
        }
    }
    pair
}

#[test]
fn far_neighbours_are_found_among_many_bricks() {
    for pair in [
        scattered([130, 90, 40], [0.8, 0.8, 2.5], false),
        scattered([70, 60, 60], [2.5, 0.8, 0.8], false),
        scattered([200, 150, 1], [0.3, 1.7, 1.0], true),
        scattered([300, 40, 1], [5.0, 0.2, 1.0], false),
    ] {
        let found = pair.view().borders();
        assert_eq!(expand(found.reference_to_prediction()), pair.brute(0, 1));
        assert_eq!(expand(found.prediction_to_reference()), pair.brute(1, 0));
        let [a, b] = [pair.brute(0, 1), pair.brute(1, 0)];
        let total = (a.iter().sum::<f64>() + b.iter().sum::<f64>()) / (a.len() + b.len()) as f64;
        assert_close(found.assd().unwrap(), total, 1e-12, "ASSD");
    }
}

#[test]
fn boxes_reach_over_all_rows_of_a_tall_image() {
    let shape = [3, 100, 60];
    let grid = Grid::volume(shape, [1.0, 2.0, 3.0]).unwrap();
    let mut masks = [vec![0; 18_000], vec![0; 18_000]];
    masks[0][0] = 1;
    masks[1][17_999] = 1;
    let view = MasksOnGrid::new(grid, &masks[0], &masks[1]).unwrap();
    let expected = (4.0 + 198.0_f64.powi(2) + 177.0_f64.powi(2)).sqrt();
    assert_eq!((view.borders().hd(), view.surfels().hd()), (Ok(expected), Ok(expected)));
    assert_close(view.centroid_distance_mm().unwrap(), expected, 1e-15, "centroids");
    assert_eq!(view.boundary_iou(1.0).unwrap(), Ok(0.0));
    masks[1][17_998] = 3;
    let found = MasksOnGrid::new(grid, &masks[0], &masks[1]).unwrap_err();
    assert!(matches!(found, InputError::Value { what: "prediction", index: 17_998, value: 3.0, .. }));
}

#[test]
fn tolerances_that_equal_a_distance_include_it() {
    for (spacing, tau) in [(0.8, 0.8), (0.1, 0.3), (0.7, 2.1), (2.5, 7.5)] {
        let grid = Grid::plane([9, 1], [spacing, 1.0]).unwrap();
        let step = (tau / spacing).round() as usize;
        let mut masks = [[0; 9], [0; 9]];
        (masks[0][5], masks[1][5 + step]) = (1, 1);
        let found = MasksOnGrid::new(grid, &masks[0], &masks[1]).unwrap().borders();
        let exact = step as f64 * spacing;
        assert_eq!(found.hd(), Ok(exact));
        assert_eq!((found.nsd(exact), found.nsd(exact * (1.0 - 1e-15))), (Ok(Ok(1.0)), Ok(Ok(0.0))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn distances_equal_brute_force_on_small_masks(pair in pairs()) {
        let found = pair.view().borders();
        let sides = [(found.reference_to_prediction(), 0, 1), (found.prediction_to_reference(), 1, 0)];
        let both = !pair.border(0).is_empty() && !pair.border(1).is_empty();
        for (side, from, to) in sides {
            let expected = pair.brute(from, to);
            prop_assert_eq!(side.count() as usize, expected.len());
            if both {
                prop_assert_eq!(expand(side), expected);
            }
        }
    }

    #[test]
    fn boundary_iou_equals_brute_force_on_small_masks(pair in pairs(), distance in 0.5..5.0_f64) {
        for distance in [distance, 1.0, 2.0, 3.0, 400.0] {
            let found = pair.view().boundary_iou(distance).unwrap().ok();
            prop_assert_eq!(found, pair.brute_boundary_iou(distance));
        }
    }

    #[test]
    fn measures_do_not_change_when_reference_and_prediction_are_swapped(pair in pairs()) {
        let swapped = Pair { masks: [pair.masks[1].clone(), pair.masks[0].clone()], ..pair.clone() };
        let (a, b) = (everything(&pair), everything(&swapped));
        prop_assert_eq!(a.0.reference_to_prediction(), b.0.prediction_to_reference());
        prop_assert_eq!(a.1.reference_to_prediction(), b.1.prediction_to_reference());
        prop_assert_eq!(a.2, b.2);
    }

    #[test]
    fn distances_do_not_change_with_flips_axes_and_padding(
        pair in pairs(),
        order in Just([0_usize, 1, 2]).prop_shuffle(),
        pad in proptest::array::uniform3(0..5_usize),
        axis in 0..3_usize,
    ) {
        let order = if pair.planar { if order[0] < order[1] { [0, 1, 2] } else { [1, 0, 2] } } else { order };
        let (borders, surfels, plain) = everything(&pair);
        for other in [pair.permuted(order), pair.flipped(axis), pair.padded(pad)] {
            let (other_borders, other_surfels, other_plain) = everything(&other);
            prop_assert_eq!(&borders, &other_borders);
            prop_assert_eq!(plain[0], other_plain[0]);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs().max(1.0);
            let pairs = [
                (surfels.reference_to_prediction(), other_surfels.reference_to_prediction()),
                (surfels.prediction_to_reference(), other_surfels.prediction_to_reference()),
            ];
            for (a, b) in pairs {
                prop_assert_eq!(a.count(), b.count());
                prop_assert!(close(a.area(), b.area()));
            }
            if let (Ok(a), Ok(b)) = (surfels.nsd(1.0).unwrap(), other_surfels.nsd(1.0).unwrap()) {
                prop_assert!(close(a, b));
                prop_assert_eq!(surfels.hd(), other_surfels.hd());
            }
            let centroid = |found: &[Option<u64>]| found[1].map_or(-1.0, f64::from_bits);
            prop_assert!((centroid(&plain) - centroid(&other_plain)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_nearest_surfel_is_the_nearest_corner(pair in pairs()) {
        let corners = |mask: usize| {
            let [nx, ny, nz] = pair.shape.map(|n| n as i64);
            let (last, deep) = if pair.planar { (0, 0..=0) } else { (nz, -1..=0) };
            let mut found = vec![];
            for z in 0..=last {
                for y in 0..=ny {
                    for x in 0..=nx {
                        let around = deep.clone().flat_map(|dz| (-1..=0).flat_map(move |dy| (-1..=0).map(move |dx| [dx, dy, dz])));
                        let inside: Vec<bool> =
                            around.map(|d| pair.at(mask, [x + d[0], y + d[1], z + d[2]])).collect();
                        if inside.contains(&true) && inside.contains(&false) {
                            found.push([x, y, z]);
                        }
                    }
                }
            }
            found
        };
        let (a, b) = (corners(0), corners(1));
        let found = pair.view().surfels();
        prop_assert_eq!(found.reference_to_prediction().count() as usize, a.len());
        if !a.is_empty() && !b.is_empty() {
            let mut expected: Vec<f64> = a
                .iter()
                .map(|&p| b.iter().map(|&q| pair.squared(p, q)).fold(f64::INFINITY, f64::min).sqrt())
                .collect();
            expected.sort_by(f64::total_cmp);
            let items = found.reference_to_prediction().items();
            let listed: Vec<f64> =
                items.iter().flat_map(|s| std::iter::repeat_n(s.distance_mm, s.count as usize)).collect();
            prop_assert_eq!(listed, expected);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_byte(pair in pairs()) {
        let alone = everything(&pair);
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            prop_assert_eq!(&pool.install(|| everything(&pair)), &alone);
        }
    }
}
