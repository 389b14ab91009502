//! Surface distances against brute force, and the laws they keep.

use crate::golden::assert_close;
use fiel_kernels::surface::{BorderDistances, Grid, MasksOnGrid, SurfelDistances};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

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
