//! Images of two axes, and settings of `fiel score segmentation` that do not fit the files.

use fiel_metrics::image::{Geometry, Spacing, Volume, write_nifti_mask};
use fiel_metrics::registry::MetricTask;
use fiel_metrics::score::{Request, ScoreReport, SegmentationFiles, segmentation};
use fiel_metrics::{ScoreError, segmentation as masks};
use std::path::Path;

const SHAPE: [usize; 2] = [7, 6];
/// Places in rows of six pixels.
const REFERENCE: &[usize] = &[8, 9, 10, 13, 14, 15, 16, 19, 20, 21, 22, 25, 26, 27, 28, 31, 32, 33, 34];
const PREDICTION: &[usize] = &[14, 15, 16, 17, 20, 21, 22, 23, 26, 27, 28, 29, 32, 33, 34];

/// An array of these axes with ones at these places, the last axis running fastest.
fn npy(path: &Path, axes: &str, ones: &[usize]) {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {axes}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let mut data = [0u8; SHAPE[0] * SHAPE[1]];
    for &i in ones {
        data[i] = 1;
    }
    std::fs::write(path, [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), &data].concat()).unwrap();
}

/// The same as NIfTI of three axes, or of two.
fn nifti(path: &Path, plane: bool, ones: &[usize]) {
    let mut data = vec![0u8; SHAPE[0] * SHAPE[1]];
    for &i in ones {
        data[i / SHAPE[1] + SHAPE[0] * (i % SHAPE[1])] = 1;
    }
    let grid = Geometry::axis_aligned([SHAPE[0], SHAPE[1], 1], [0.75, 1.0, 1.0]);
    write_nifti_mask(path, &Volume { geometry: Geometry { plane, ..grid }, data }).unwrap();
}

#[derive(Default)]
struct Setting {
    spacing: Option<Spacing>,
    plane: bool,
    labels: &'static [u8],
}

fn scored(reference: &Path, prediction: &Path, setting: &Setting) -> Result<ScoreReport, ScoreError> {
    let Setting { spacing, plane, labels } = *setting;
    let files =
        SegmentationFiles { reference, prediction, labels, spacing, plane, resample: false, strata: None };
    let ids = ["dice", "hd", "hd95", "assd", "nsd.surfel@0.5"].map(str::to_owned);
    segmentation(&files, &Request::new(MetricTask::Segmentation, &ids)?, |_, _| ())
}

#[test]
fn images_of_two_axes_are_measured_as_planes_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (ones, name) in [(REFERENCE, "ref"), (PREDICTION, "pred")] {
        npy(&at(&format!("{name}.npy")), "(7, 6)", ones);
        npy(&at(&format!("{name}.layer.npy")), "(7, 6, 1)", ones);
        nifti(&at(&format!("{name}.nii.gz")), true, ones);
        nifti(&at(&format!("{name}.layer.nii.gz")), false, ones);
    }
    let run = |suffix: &str, setting: &Setting| {
        scored(&at(&format!("ref{suffix}")), &at(&format!("pred{suffix}")), setting)
    };
    let values =
        |report: ScoreReport| report.metrics.into_values().map(|m| m.value.unwrap()).collect::<Vec<_>>();
    let flat = Setting { spacing: Some(Spacing::Plane([0.75, 1.0])), ..Setting::default() };
    let found = run(".npy", &flat).unwrap();
    // MedPy 0.5.2 with connectivity 1, and surface-distance 0.1, on the arrays of two axes.
    for (id, expected) in
        [("hd", 1.0), ("assd", 0.583_333_333_333_333_4), ("nsd.surfel@0.5", 0.424_528_301_886_792_47)]
    {
        let value = found.metrics[id].value.unwrap();
        assert!((value - expected).abs() < 1e-12, "{id} {value}");
    }
    let found = values(found);
    assert_eq!(values(run(".nii.gz", &Setting::default()).unwrap()), found);
    let plane = Setting { plane: true, ..Setting::default() };
    assert_eq!(values(run(".layer.nii.gz", &plane).unwrap()), found);
    // Every voxel of a volume of one layer is border.
    let layer = values(run(".layer.nii.gz", &Setting::default()).unwrap());
    assert_ne!(layer, found);
    let deep = Setting { spacing: Some(Spacing::Volume([0.75, 1.0, 1.0])), ..Setting::default() };
    assert_eq!(values(run(".layer.npy", &deep).unwrap()), layer);
    assert_eq!(values(run(".npy", &deep).unwrap()), found);
    let refused = run(".layer.npy", &flat).unwrap_err().to_string();
    assert!(refused.contains("ref.layer.npy") && refused.contains("three axes"), "{refused}");
    // The reference decides, also where a model answers in three axes.
    let mixed = scored(&at("ref.nii.gz"), &at("pred.layer.nii.gz"), &Setting::default()).unwrap();
    assert_eq!(values(mixed), found);
}

#[test]
fn a_setting_that_cannot_be_is_blamed_and_not_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nii.gz");
    let geometry = Geometry::axis_aligned([3, 2, 2], [1.0; 3]);
    write_nifti_mask(&path, &Volume { geometry, data: vec![0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1] }).unwrap();
    let refused = |setting: &Setting| scored(&path, &path, setting).unwrap_err().to_string();
    let labels = |labels| refused(&Setting { labels, ..Setting::default() });
    assert_eq!(
        labels(&[0, 1]),
        "`--labels`: 0 is the background of every map and no label of its own; leave it out"
    );
    assert_eq!(labels(&[1, 2, 1]), "`--labels`: 1 stands twice");
    let plane = refused(&Setting { plane: true, ..Setting::default() });
    assert!(plane.starts_with("`--plane`: ") && plane.contains("3 x 2 x 2"), "{plane}");
}

#[test]
fn a_plane_is_measured_as_such_by_who_has_it_in_memory() {
    let grid = Geometry::axis_aligned([3, 3, 1], [1.0; 3]);
    let of = |geometry: Geometry| {
        let [truth, answer] = [[1u8; 9], [1, 1, 1, 1, 1, 1, 1, 1, 0]];
        let mask = |data: [u8; 9]| Volume { geometry: geometry.clone(), data: data.to_vec() };
        let metrics = [fiel_metrics::registry::MetricId::parse("nsd@0.5").unwrap()];
        masks::measure(&mask(truth), &mask(answer), &metrics).unwrap().values
    };
    // One corner is missing: of a layer all 9 and 8 voxels are border, of a plane those around the middle.
    assert_eq!(of(grid.clone()), [Ok(16.0 / 17.0)]);
    assert_eq!(of(Geometry { plane: true, ..grid }), [Ok(14.0 / 15.0)]);
}
