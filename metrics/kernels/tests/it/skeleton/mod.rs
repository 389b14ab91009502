//! Tests of `skeleton`.

use crate::golden::{assert_close, cases, number, volume};
use fiel_kernels::Undefined;
use fiel_kernels::skeleton::{Centrelines, Thinning, skeleton};
use proptest::prelude::*;
use serde_json::Value;

/// An image of two dimensions gets an axis of length 1 in front.
fn three(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [rows, columns] => [1, rows, columns],
        [planes, rows, columns] => [planes, rows, columns],
        _ => panic!("an image of {} dimensions", shape.len()),
    }
}

fn unpacked(digits: &Value, voxels: usize) -> Vec<u8> {
    let digits = digits.as_str().unwrap().as_bytes();
    let nibble = |i: usize| u8::from_str_radix(std::str::from_utf8(&digits[i..=i]).unwrap(), 16).unwrap();
    (0..voxels).map(|i| nibble(i / 4) >> (3 - i % 4) & 1).collect()
}

#[test]
fn skeletons_equal_scikit_image_voxel_for_voxel() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("data.json")).unwrap();
    let (mut lee, mut zhang) = (0, 0);
    for (i, case) in cases.iter().enumerate() {
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let voxels = shape.iter().product();
        let thinning = match case["method"].as_str().unwrap() {
            "lee" => Thinning::Lee,
            "zhang" => Thinning::ZhangSuen,
            other => panic!("{other}"),
        };
        let mask = unpacked(&case["mask"], voxels);
        let found = skeleton(&mask, three(&shape), thinning).unwrap();
        assert_eq!(found, unpacked(&case["skeleton"], voxels), "case {i} of shape {shape:?}");
        match thinning {
            Thinning::Lee => lee += 1,
            Thinning::ZhangSuen => zhang += 1,
        }
    }
    assert_eq!((lee, zhang), (cases.len() - cases.len() / 4, cases.len() / 4));
    assert!(cases.len() >= 60);
}

#[test]
fn cldice_equals_metrics_reloaded_and_panoptica() {
    let mut compared = 0;
    for case in cases("seg_overlap") {
        let masks = ["ref", "pred"].map(|key| volume(&case[key]));
        let shape = &masks[0].0;
        let [reference, prediction] =
            [&masks[0].1, &masks[1].1].map(|m| m.iter().map(|&v| u8::from(v != 0)).collect::<Vec<_>>());
        let thinning = Thinning::of_dimensions(shape.len()).unwrap();
        let lines = Centrelines::of(&reference, &prediction, three(shape), thinning).unwrap();
        let expected = &case["expected"]["MetricsReloaded"];
        for (key, found, expected) in [
            ("cldice", lines.cldice(), &expected["cldice"]),
            ("top_prec", lines.topology_precision(), &expected["top_prec"]),
            ("top_sens", lines.topology_sensitivity(), &expected["top_sens"]),
            ("panoptica", lines.cldice(), &case["expected"]["panoptica"]["cldice"]),
        ] {
            let found = found.unwrap_or(f64::NAN);
            assert_close(found, number(expected).unwrap(), 1e-15, &format!("{} {key}", case["id"]));
            compared += 1;
        }
    }
    assert_eq!(compared, 27 * 4);
}

#[test]
fn without_a_skeleton_there_is_no_value() {
    let (empty, some) = ([0u8; 8], [0, 0, 0, 1, 0, 0, 0, 0]);
    let of = |a: &[u8], b: &[u8]| Centrelines::of(a, b, [2, 2, 2], Thinning::Lee).unwrap();
    assert_eq!(of(&empty, &some).topology_sensitivity(), Err(Undefined::ZeroDenominator));
    assert_eq!(of(&empty, &some).topology_precision(), Ok(0.0));
    assert_eq!(of(&some, &empty).topology_precision(), Err(Undefined::ZeroDenominator));
    assert_eq!(of(&empty, &empty).cldice(), Err(Undefined::ZeroDenominator));
    let block = [1u8; 8];
    assert_eq!(of(&block, &block).cldice(), Err(Undefined::ZeroDenominator));
    assert_eq!(of(&some, &some).cldice(), Ok(1.0));
}

#[test]
fn thinning_in_two_dimensions_needs_a_flat_image() {
    assert!(skeleton(&[1; 8], [2, 2, 2], Thinning::ZhangSuen).is_err());
    assert!(skeleton(&[1; 7], [2, 2, 2], Thinning::Lee).is_err());
    assert!(Thinning::of_dimensions(4).is_err());
    let bar = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
    let line = skeleton(&bar, [1, 5, 5], Thinning::ZhangSuen).unwrap();
    for shape in [[5, 1, 5], [5, 5, 1]] {
        assert_eq!(skeleton(&bar, shape, Thinning::ZhangSuen).unwrap(), line);
    }
}

/// Blobs: overlapping boxes in a small volume.
fn blobs(shape: [usize; 3]) -> impl Strategy<Value = Vec<u8>> {
    let corner = move || (0..shape[0], 0..shape[1], 0..shape[2]);
    proptest::collection::vec((corner(), corner()), 1..6).prop_map(move |boxes| {
        let mut mask = vec![0; shape.iter().product()];
        for ((z0, y0, x0), (z1, y1, x1)) in boxes {
            for z in z0.min(z1)..=z0.max(z1) {
                for y in y0.min(y1)..=y0.max(y1) {
                    let row = (z * shape[1] + y) * shape[2];
                    mask[row + x0.min(x1)..=row + x0.max(x1)].fill(1);
                }
            }
        }
        mask
    })
}

const SHAPE: [usize; 3] = [7, 8, 9];

proptest! {
    #[test]
    fn a_skeleton_lies_in_its_mask_and_is_its_own_skeleton(mask in blobs(SHAPE)) {
        let line = skeleton(&mask, SHAPE, Thinning::Lee).unwrap();
        prop_assert!(line.iter().zip(&mask).all(|(l, m)| l <= m));
        prop_assert_eq!(skeleton(&line, SHAPE, Thinning::Lee).unwrap(), line);
    }

    #[test]
    fn a_flat_skeleton_lies_in_its_mask_and_is_its_own_skeleton(mask in blobs([1, 14, 15])) {
        let thin = |mask: &[u8]| skeleton(mask, [1, 14, 15], Thinning::ZhangSuen).unwrap();
        let line = thin(&mask);
        prop_assert!(line.iter().zip(&mask).all(|(l, m)| l <= m));
        prop_assert_eq!(thin(&line), line);
    }

    #[test]
    fn background_around_an_image_changes_nothing(mask in blobs(SHAPE), before in 0usize..70, after in 0usize..3) {
        let wide = [SHAPE[0] + before % 5 + after, SHAPE[1] + before % 3 + after, SHAPE[2] + before + after];
        let place = |small: &[u8]| {
            let mut large = vec![0; wide.iter().product()];
            for (i, &v) in small.iter().enumerate() {
                let (z, y, x) = (i / SHAPE[2] / SHAPE[1], i / SHAPE[2] % SHAPE[1], i % SHAPE[2]);
                large[((z + before % 5) * wide[1] + y + before % 3) * wide[2] + x + before] = v;
            }
            large
        };
        let line = skeleton(&mask, SHAPE, Thinning::Lee).unwrap();
        prop_assert_eq!(skeleton(&place(&mask), wide, Thinning::Lee).unwrap(), place(&line));
    }

    #[test]
    fn cldice_is_symmetric_and_one_for_equal_masks((a, b) in (blobs(SHAPE), blobs(SHAPE))) {
        let of = |a: &[u8], b: &[u8]| Centrelines::of(a, b, SHAPE, Thinning::Lee).unwrap();
        prop_assert_eq!(of(&a, &b).cldice(), of(&b, &a).cldice());
        prop_assert_eq!(of(&a, &b).topology_precision(), of(&b, &a).topology_sensitivity());
        if let Ok(value) = of(&a, &a).cldice() {
            prop_assert_eq!(value, 1.0);
        }
    }
}
