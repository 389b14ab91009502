//! Label maps: the labels of one case are no cases of their own.

use fiel_metrics::image::{Geometry, Volume, write_nifti_mask};
use fiel_metrics::registry::MetricTask;
use fiel_metrics::score::{Intervals, Request, ScoreReport, SegmentationFiles, segmentation};
use proptest::prelude::*;
use std::path::Path;

/// Writes the cases' label maps. Per case and label there are ten voxels, of which the prediction finds so many.
fn write(folder: &Path, cases: &[Vec<usize>]) {
    for side in ["truth", "guess"] {
        std::fs::create_dir(folder.join(side)).unwrap();
        for (case, found) in cases.iter().enumerate() {
            let geometry = Geometry::axis_aligned([10, found.len(), 1], [1.0; 3]);
            let mut data = vec![0; geometry.voxels()];
            for (label, (row, &found)) in data.chunks_exact_mut(10).zip(found).enumerate() {
                let length = if side == "truth" { 10 } else { found };
                row[..length].fill(u8::try_from(label + 1).unwrap());
            }
            let path = folder.join(side).join(format!("c{case:03}.nii"));
            // The writer of masks writes labels as they are.
            write_nifti_mask(&path, &Volume { geometry, data }).unwrap();
        }
    }
}

fn score(folder: &Path, labels: &[u8], change: impl FnOnce(&mut Request)) -> ScoreReport {
    let mut request = Request::new(MetricTask::Segmentation, &["dice".to_owned()]).unwrap();
    change(&mut request);
    let (reference, prediction, strata) =
        (folder.join("truth"), folder.join("guess"), folder.join("strata.csv"));
    let files = SegmentationFiles {
        reference: &reference,
        prediction: &prediction,
        labels,
        spacing: None,
        plane: false,
        resample: false,
        strata: strata.exists().then_some(&strata),
    };
    segmentation(&files, &request, |_, _| ()).unwrap()
}

fn interval(report: &ScoreReport) -> [f64; 2] {
    report.metrics["dice"].ci95.unwrap()
}

#[track_caller]
fn check([low, high]: [f64; 2], expected: [f64; 2], within: f64) {
    assert!(
        (low - expected[0]).abs() < within && (high - expected[1]).abs() < within,
        "[{low}, {high}] is not {expected:?}"
    );
}

/// Dice 0.75, 1, 18/19, 18/19, 18/19 and 0.75, the same of all labels.
const ALIKE: [usize; 6] = [6, 10, 9, 9, 9, 6];
const EIGHT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn eight_equal_labels_of_six_cases_are_six_cases() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &ALIKE.map(|found| vec![found; 8]));
    let report = score(folder.path(), &EIGHT, |_| ());
    assert_eq!((report.n, report.rows, report.cases.len()), (6, Some(48), 48));
    let mean = report.metrics["dice"].value.unwrap();
    assert!((mean - 0.890_350_877_192_982_4).abs() < 1e-15, "{mean}");
    // scipy's t interval of the six means ends at 1.006, beyond what Dice can be. Of 48 rows it would be [0.861, 0.920].
    check(interval(&report), [0.774_272_983_215_566_1, 1.0], 1e-12);
    let alone = tempfile::tempdir().unwrap();
    write(alone.path(), &ALIKE.map(|found| vec![found]));
    for intervals in [Intervals::Bootstrap, Intervals::Bca] {
        let eight = score(folder.path(), &EIGHT, |r| r.intervals = intervals);
        let one = score(alone.path(), &[1], |r| r.intervals = intervals);
        check(interval(&eight), interval(&one), 1e-12);
    }
}

#[test]
fn cases_of_different_labels_have_the_cluster_robust_interval() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[vec![6, 9], vec![7, 8], vec![7, 5], vec![5, 9]]);
    let report = score(folder.path(), &[1, 2], |_| ());
    // statsmodels 0.15.0: OLS of a constant, cov_type="cluster", use_t=True.
    check(interval(&report), [0.733_216_487_093_786, 0.895_287_984_870_438_1], 1e-12);
}

#[test]
fn strata_count_cases_and_a_stratum_of_one_label_has_its_own_interval() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &ALIKE.map(|found| vec![found; 8]));
    let by = |column: &str| Some(column.to_owned());
    let labels = score(folder.path(), &EIGHT, |r| r.by = by("label")).by.unwrap();
    for group in labels.groups.values() {
        assert_eq!((group.n, group.rows), (6, None));
        check(group.metrics["dice"].ci95.unwrap(), [0.774_272_983_215_566_1, 1.0], 1e-12);
    }
    let alone = tempfile::tempdir().unwrap();
    write(alone.path(), &ALIKE.map(|found| vec![found]));
    let table = "case,arm\nc000,a\nc001,a\nc002,a\nc003,b\nc004,b\nc005,b\n";
    for folder in [&folder, &alone] {
        std::fs::write(folder.path().join("strata.csv"), table).unwrap();
    }
    let eight = score(folder.path(), &EIGHT, |r| r.by = by("arm")).by.unwrap();
    let one = score(alone.path(), &[1], |r| r.by = by("arm")).by.unwrap();
    for arm in ["a", "b"] {
        let (eight, one) = (&eight.groups[arm], &one.groups[arm]);
        assert_eq!((eight.n, eight.rows), (3, Some(24)));
        check(eight.metrics["dice"].ci95.unwrap(), one.metrics["dice"].ci95.unwrap(), 1e-12);
    }
}

#[test]
fn labels_of_one_case_have_no_interval_and_no_summary_that_would_count_them_as_cases() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[vec![6, 9]]);
    for intervals in [Intervals::Auto, Intervals::Bootstrap, Intervals::Bca] {
        let report = score(folder.path(), &[1, 2], |r| r.intervals = intervals);
        assert_eq!((report.n, report.rows, report.metrics["dice"].ci95), (1, Some(2), None));
    }
    let (reference, prediction) = (folder.path().join("truth"), folder.path().join("guess"));
    let files = SegmentationFiles {
        reference: &reference,
        prediction: &prediction,
        labels: &[1, 2],
        spacing: None,
        plane: false,
        resample: false,
        strata: None,
    };
    let mut request = Request::new(MetricTask::Segmentation, &["dice".to_owned()]).unwrap();
    request.summaries = Some(crate::options(1));
    let refused = segmentation(&files, &request, |_, _| ()).unwrap_err().to_string();
    assert!(refused.contains("`--summaries` needs one label"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn labels_that_repeat_what_a_case_says_do_not_narrow_the_interval(
        found in prop::collection::vec(0usize..=10, 3..12), copies in 2usize..6,
    ) {
        let (once, often) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(once.path(), &found.iter().map(|&found| vec![found]).collect::<Vec<_>>());
        write(often.path(), &found.iter().map(|&found| vec![found; copies]).collect::<Vec<_>>());
        // BCa asks how many resamples lie below the mean, and many are equal to it: only doubling leaves all rounding as it was.
        let all = [Intervals::Auto, Intervals::Bootstrap, Intervals::Bca];
        for &intervals in &all[..if copies == 2 { 3 } else { 2 }] {
            let change = |r: &mut Request| (r.intervals, r.replicates) = (intervals, 200);
            let one = score(once.path(), &[1], change).metrics["dice"].ci95;
            let more = score(often.path(), &EIGHT[..copies], change).metrics["dice"].ci95;
            prop_assert_eq!(one.is_some(), more.is_some());
            if let (Some(one), Some(more)) = (one, more) {
                check(more, one, 1e-7);
            }
        }
    }
}
