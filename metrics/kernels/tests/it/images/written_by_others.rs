//! Files written by nibabel, SimpleITK, NumPy and highdicom give the voxels and grids that those packages read.

use super::{folder, options};
use fiel_kernels::image::*;
use serde_json::Value;

fn expected() -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn grid(case: &Value) -> Geometry {
    let whole = |v: &Value| usize::try_from(v.as_u64().unwrap()).unwrap();
    let shape: Vec<usize> = case["shape"].as_array().unwrap().iter().map(whole).collect();
    Geometry {
        shape: shape.try_into().unwrap(),
        spacing_mm: numbers(&case["spacing_mm"]).try_into().unwrap(),
        origin_mm: numbers(&case["origin_mm"]).try_into().unwrap(),
        direction: numbers(&case["direction"]).try_into().unwrap(),
        plane: false,
    }
}

#[track_caller]
fn check_grid(found: &Geometry, expected: &Geometry, file: &str) {
    assert_eq!(found.shape, expected.shape, "{file}");
    let near =
        |a: &[f64], b: &[f64], tolerance: f64| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(near(&found.spacing_mm, &expected.spacing_mm, 1e-5), "{file}: {found} instead of {expected}");
    assert!(near(&found.origin_mm, &expected.origin_mm, 1e-4), "{file}: {found} instead of {expected}");
    assert!(near(&found.direction, &expected.direction, 1e-6), "{file}: {found} instead of {expected}");
    assert!(found.same_grid(expected), "{file}: {found} instead of {expected}");
}

#[test]
fn every_file_gives_the_voxels_and_the_grid_that_its_writer_reads() {
    let (mut images, mut labels, mut masks) = (0, 0, 0);
    for case in expected() {
        let file = case["file"].as_str().unwrap();
        let (path, voxels, grid) = (folder().join(file), numbers(&case["voxels"]), grid(&case));
        let image = read_image_f32(&path, options()).unwrap_or_else(|e| panic!("{e}"));
        check_grid(&image.geometry, &grid, file);
        assert_eq!(image.data.len(), voxels.len(), "{file}");
        match case["reader"].as_str().unwrap() {
            "image" => {
                images += 1;
                assert!(
                    image.data.iter().zip(&voxels).all(|(a, b)| f64::from(*a) == f64::from(*b as f32)),
                    "{file}"
                );
            }
            "labels" => {
                labels += 1;
                let map = read_labels::<u16>(&path, options()).unwrap();
                check_grid(&map.geometry, &grid, file);
                assert!(map.data.iter().zip(&voxels).all(|(a, b)| f64::from(*a) == *b), "{file}");
                assert!(voxels.iter().any(|v| *v > 0.0), "{file}");
                let runs = read_label_runs(&path, options()).unwrap();
                assert_eq!(runs.to_volume(), map, "{file}");
            }
            "mask" => {
                masks += 1;
                let mask = read_mask(&path, options()).unwrap();
                check_grid(&mask.geometry, &grid, file);
                assert!(mask.data.iter().zip(&voxels).all(|(a, b)| f64::from(*a) == *b), "{file}");
                assert_eq!(read_labels::<u8>(&path, options()).unwrap(), mask, "{file}");
                let runs = read_label_runs(&path, options()).unwrap().to_volume();
                assert!(runs.data.iter().zip(&mask.data).all(|(a, b)| *a == u16::from(*b)), "{file}");
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((images, labels, masks), (91, 9, 13), "files compared");
}

#[test]
fn every_nifti_file_becomes_a_meta_image_of_the_same_voxels_on_the_same_grid() {
    let mut compared = 0;
    for case in expected() {
        let file = case["file"].as_str().unwrap();
        if !file.contains(".nii") {
            continue;
        }
        compared += 1;
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let bytes = encode_meta_image(&bytes, &ReadLimits::default()).unwrap();
        let image = parse_image_f32(&bytes, options()).unwrap_or_else(|e| panic!("{file}: {e}"));
        check_grid(&image.geometry, &grid(&case), file);
        let voxels = numbers(&case["voxels"]);
        assert!(image.data.iter().zip(&voxels).all(|(a, b)| f64::from(*a) == f64::from(*b as f32)), "{file}");
        assert_eq!(image.data.len(), voxels.len(), "{file}");
    }
    assert!(compared > 30, "{compared} files compared");
}
