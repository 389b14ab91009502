//! Scoring of files for the command line.

use fiel_metrics::image::{Geometry, Volume, write_nifti_mask};
use fiel_metrics::score::{classification, segmentation};
use std::path::Path;

fn csv(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("answers.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_table_gives_the_documented_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path(), "case_id,y,p\na,1,0.9\nb,0,0.25\nc,1,0.5\nd,0,0.5\n");
    let report = serde_json::to_value(classification(&path, "y", "p", None).unwrap()).unwrap();
    assert_eq!(report["task"], "classification");
    assert_eq!(report["n"], 4);
    assert_eq!(report["metrics"]["auc"]["value"], 0.875);
    assert_eq!(report["metrics"]["auc"]["unit"], "1");
    assert_eq!(report["metrics"].as_object().unwrap().len(), 7);
    assert_eq!(report["cases"][1], serde_json::json!({"case": "b", "brier": 0.0625}));
}

#[test]
fn every_problem_names_the_file_and_the_row() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("y,p\n1,0.5\n0,NaN\n", "row 2: `p` is \"NaN\""),
        ("y,p\n1,0.5\n0,inf\n", "row 2: `p`"),
        ("y,p\n1,1.5\n", "row 1: `p` is \"1.5\""),
        ("y,p\n1,\n", "row 1: `p` is empty"),
        ("y,p\n2,0.5\n", "row 1: `y` is \"2\""),
        ("y,p\nyes,0.5\n", "row 1: `y` is \"yes\""),
        ("y,q\n1,0.5\n", "no column `p`"),
        ("y,p\n", "no rows"),
        ("case_id,y,p\na,1,0.5\na,0,0.2\n", "row 2: `case_id` is \"a\", as in row 1"),
    ] {
        let path = csv(folder.path(), text);
        let refused = classification(&path, "y", "p", None).unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("answers.csv"), "{text:?}: {refused}");
    }
    assert!(
        classification(Path::new("none.csv"), "y", "p", None).unwrap_err().to_string().contains("none.csv")
    );
}

#[test]
fn a_parquet_table_scores_as_its_csv_twin() {
    use polars::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let text = csv(folder.path(), "case_id,y,p\na,1,0.9\nb,0,0.1\nc,1,0.30000000000000004\n");
    let path = folder.path().join("answers.parquet");
    let mut frame =
        df!("case_id" => ["a", "b", "c"], "y" => [true, false, true], "p" => [0.9, 0.1, 0.1 + 0.2]).unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
    assert_eq!(
        classification(&path, "y", "p", Some("case_id")).unwrap(),
        classification(&text, "y", "p", Some("case_id")).unwrap()
    );
    let column = fiel_metrics::table::read_f64_column(&path, "p").unwrap();
    assert_eq!(column, [Some(0.9), Some(0.1), Some(0.1 + 0.2)]);
}

fn mask(path: &Path, voxels: &[usize]) {
    let mut volume =
        Volume { geometry: Geometry::axis_aligned([4, 4, 2], [1.0, 1.0, 5.0]), data: vec![0; 32] };
    for &i in voxels {
        volume.data[i] = 1;
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_nifti_mask(path, &volume).unwrap();
}

#[test]
fn folders_of_masks_pair_up_by_name_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mask(&at("truth/a.nii.gz"), &[0, 1, 2, 3]);
    mask(&at("guess/a.nii"), &[2, 3, 4, 5]);
    mask(&at("truth/b.nii.gz"), &[]);
    mask(&at("guess/b.nii.gz"), &[]);
    let mut calls = Vec::new();
    let report = segmentation(&at("truth"), &at("guess"), |done, all| calls.push((done, all))).unwrap();
    assert_eq!(calls, [(0, 2), (1, 2), (2, 2)]);
    let report = serde_json::to_value(report).unwrap();
    assert_eq!(report["metrics"]["dice"]["value"], 0.5);
    assert_eq!(report["metrics"]["dice"]["undefined"], 1);
    assert_eq!(report["metrics"]["volume_error_ml"]["unit"], "mL");
    assert!(report["cases"][1]["dice"].is_null());
    std::fs::remove_file(at("guess/b.nii.gz")).unwrap();
    let refused = segmentation(&at("truth"), &at("guess"), |_, _| ()).unwrap_err().to_string();
    assert!(refused.contains("b.nii.gz"), "{refused}");
    let one = segmentation(&at("truth/a.nii.gz"), &at("guess/a.nii"), |_, _| ()).unwrap();
    assert_eq!((one.n, one.cases[0].case.as_str()), (1, "a"));
}
