//! Scoring of files for the command line.

use fiel_metrics::ScoreError;
use fiel_metrics::image::{Geometry, Volume, write_nifti_mask};
use fiel_metrics::registry::MetricTask;
use fiel_metrics::score::{
    ClassificationFiles, Curves, DetectionFiles, Intervals, RegressionFiles, Request, ScoreReport,
    SegmentationFiles, SurvivalFiles, detection, regression, survival,
};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

fn csv(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("answers.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn request(task: MetricTask, ids: &[&str]) -> Request {
    Request::new(task, &ids.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

/// Labels in `y`, probabilities in `p`.
fn classification(table: &Path, case: Option<&str>) -> Result<ScoreReport, ScoreError> {
    let files = ClassificationFiles { table, label: "y", score: "p", compare: None, case };
    fiel_metrics::score::classification(&files, &Request::default_of(MetricTask::Classification)?)
}

fn segmentation(
    reference: &Path,
    prediction: &Path,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<ScoreReport, ScoreError> {
    let files = SegmentationFiles {
        reference,
        prediction,
        labels: &[],
        spacing: None,
        plane: false,
        resample: false,
        strata: None,
    };
    fiel_metrics::score::segmentation(&files, &Request::default_of(MetricTask::Segmentation)?, progress)
}

#[test]
fn a_table_gives_the_documented_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path(), "case_id,y,p\na,1,0.9\nb,0,0.25\nc,1,0.5\nd,0,0.5\n");
    let report = serde_json::to_value(classification(&path, None).unwrap()).unwrap();
    assert_eq!(report["task"], "classification");
    assert_eq!(report["n"], 4);
    assert_eq!(report["metrics"]["auc"]["value"], 0.875);
    assert_eq!(report["metrics"]["auc"]["unit"], "1");
    assert_eq!(report["metrics"].as_object().unwrap().len(), 10);
    assert_eq!(report["metrics"]["ece@15"]["id"], "ece.left_closed@15/1");
    assert_eq!(report["cases"][1]["case"], "b");
    assert_eq!(report["cases"][1]["brier"], 0.0625);
    assert!(report["cases"][1].get("auc").is_none(), "AUC belongs to the set");
}

#[test]
fn every_problem_names_the_file_and_the_row() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("y,p\n1,0.5\n0,NaN\n", "row 2: `p` is missing (\"NaN\")"),
        ("y,p\n1,0.5\n0,inf\n", "row 2: `p`"),
        ("y,p\n1,1.5\n", "row 1: `p` is \"1.5\""),
        ("y,p\n1,\n", "row 1: `p` is missing (the cell is empty); every row needs a probability"),
        ("y,p\n2,0.5\n", "row 1: `y` is \"2\""),
        ("y,p\nyes,0.5\n", "row 1: `y` is \"yes\""),
        ("y,q\n1,0.5\n", "no column `p`"),
        ("y,p\n", "no rows"),
        ("case_id,y,p\na,1,0.5\na,0,0.2\n", "row 2: `case_id` is \"a\", as in row 1"),
    ] {
        let path = csv(folder.path(), text);
        let refused = classification(&path, None).unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("answers.csv"), "{text:?}: {refused}");
    }
    assert!(classification(Path::new("none.csv"), None).unwrap_err().to_string().contains("none.csv"));
}

#[test]
fn parquet_and_arrow_tables_score_as_their_csv_twin() {
    use polars::prelude::*;
    use polars_io::prelude::{IpcWriter, ParquetWriter};
    let folder = tempfile::tempdir().unwrap();
    let text = csv(folder.path(), "case_id,y,p\na,1,0.9\nb,0,0.1\nc,1,0.30000000000000004\n");
    let mut frame =
        df!("case_id" => ["a", "b", "c"], "y" => [true, false, true], "p" => [0.9, 0.1, 0.1 + 0.2]).unwrap();
    let create = |name: &str| {
        let path = folder.path().join(name);
        (std::fs::File::create(&path).unwrap(), path)
    };
    let (file, parquet) = create("answers.parquet");
    ParquetWriter::new(file).finish(&mut frame).unwrap();
    let (file, arrow) = create("answers.arrow");
    IpcWriter::new(file).finish(&mut frame).unwrap();
    for path in [parquet, arrow] {
        assert_eq!(
            classification(&path, Some("case_id")).unwrap(),
            classification(&text, Some("case_id")).unwrap()
        );
        let column = fiel_metrics::table::read_f64_column(&path, "p").unwrap();
        assert_eq!(column, [Some(0.9), Some(0.1), Some(0.1 + 0.2)]);
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..40]).unwrap();
        let refused = classification(&path, None).unwrap_err().to_string();
        assert!(refused.contains("answers."), "{refused}");
    }
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
    let calls = Mutex::new(Vec::new());
    let progress = |done, all| calls.lock().unwrap().push((done, all));
    let report = segmentation(&at("truth"), &at("guess"), progress).unwrap();
    // Two cases end in any order, each with a number of its own.
    let mut calls = calls.into_inner().unwrap();
    calls.sort_unstable();
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

#[test]
fn every_metric_of_classification_has_a_value_and_an_interval_on_ordinary_cases() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "y,p,site\n".to_owned();
    for i in 0..60u32 {
        let p = f64::from(i * 37 % 60) / 61.0 + 0.005;
        let (label, site) =
            (u32::from(i * 7 % 10 < 10 * (i * 37 % 60) / 60), ["north", "south"][i as usize % 2]);
        writeln!(text, "{label},{p},{site}").unwrap();
    }
    let table = csv(folder.path(), &text);
    let ids: Vec<&str> = fiel_metrics::registry::all()
        .filter(|m| m.task == MetricTask::Classification)
        .map(|m| m.id)
        .chain(["ece.equal_mass@5", "ece.right_closed", "mce.equal_mass"])
        .collect();
    let files = ClassificationFiles { table: &table, label: "y", score: "p", compare: None, case: None };
    let by = Some("site".to_owned());
    let asked = Request { by, replicates: 200, ..request(MetricTask::Classification, &ids) };
    let report = fiel_metrics::score::classification(&files, &asked).unwrap();
    for id in ids {
        let metric = &report.metrics[id];
        let value = metric.value.unwrap_or_else(|| panic!("{id} is undefined: {:?}", metric.reason));
        let [low, high] = metric.ci95.unwrap_or_else(|| panic!("{id} has no interval"));
        assert!(low <= high && value.is_finite(), "{id}: {value} in {low} to {high}");
        let spec = fiel_metrics::registry::find(id).unwrap();
        assert!((spec.range.0..=spec.range.1).contains(&value), "{id}: {value}");
    }
    let strata = report.by.unwrap();
    assert_eq!(strata.groups.keys().collect::<Vec<_>>(), ["north", "south"]);
    let auc = |site: &str| strata.groups[site].metrics["auc"].value.unwrap();
    let gap = &strata.gaps["auc"];
    assert!(
        (gap.gap - (auc("north") - auc("south")).abs()).abs() < 1e-15 && auc(&gap.worst) <= auc(&gap.best)
    );
    let again = fiel_metrics::score::classification(&files, &asked).unwrap();
    assert_eq!(again.metrics, report.metrics, "the same seed gives the same intervals");
}

#[test]
fn every_metric_of_masks_is_measured_and_labels_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mask(&at("truth.nii.gz"), &[5, 6, 9, 10]);
    mask(&at("guess.nii.gz"), &[6, 7, 10, 11]);
    let ids: Vec<&str> = fiel_metrics::registry::all()
        .filter(|m| m.task == MetricTask::Segmentation)
        .map(|m| m.id)
        .chain(["hd95.pooled", "hd95.surfel", "nsd.surfel@1.0", "nsd@0.5"])
        .collect();
    let (reference, prediction) = (at("truth.nii.gz"), at("guess.nii.gz"));
    let files = SegmentationFiles {
        reference: &reference,
        prediction: &prediction,
        labels: &[],
        spacing: None,
        plane: false,
        resample: false,
        strata: None,
    };
    let asked = request(MetricTask::Segmentation, &ids);
    let report = fiel_metrics::score::segmentation(&files, &asked, |_, _| ()).unwrap();
    let value = |id: &str| report.metrics[id].value;
    for id in &ids {
        // Two parallel skeletons that do not meet leave nothing to divide by; an IoU of a third matches no instance at 1/2.
        assert!(value(id).is_some() || ["cldice", "sq"].contains(id), "{id} is undefined");
    }
    assert_eq!((value("dice"), value("iou")), (Some(0.5), Some(1.0 / 3.0)));
    assert_eq!((value("hd"), value("hd95"), value("nsd@0.5")), (Some(1.0), Some(1.0), Some(0.5)));
    assert_eq!((value("lesion_f1"), value("pq")), (Some(1.0), Some(0.0)));
    assert_eq!(value("centroid_distance"), Some(1.0));
    let labelled = SegmentationFiles { labels: &[1, 4], ..files };
    let report = fiel_metrics::score::segmentation(&labelled, &asked, |_, _| ()).unwrap();
    assert_eq!(report.cases.iter().map(|c| c.label).collect::<Vec<_>>(), [Some(1), Some(4)]);
    assert_eq!(report.cases[1].values["dice"], None, "label 4 is in neither map");
    let other = SegmentationFiles { labels: &[2], ..files };
    assert!(
        fiel_metrics::score::segmentation(&other, &asked, |_, _| ()).is_err(),
        "label 1 was not declared"
    );
}

#[test]
fn survival_regression_and_detection_are_scored_from_tables() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let table = at(
        "s.csv",
        "t,e,r,s1,s3\n1,1,0.9,0.4,0.1\n2,0,0.5,0.8,0.6\n3,1,0.6,0.7,0.4\n4,0,0.1,0.9,0.8\n5,1,0.2,0.9,0.7\n",
    );
    let files = SurvivalFiles {
        table: &table,
        time: "t",
        event: "e",
        risk: "r",
        curve: Some("s"),
        training: None,
        case: None,
    };
    let ids = ["c_index_harrell", "c_index_uno", "td_auc@2.5", "integrated_brier"];
    let report = survival(&files, &request(MetricTask::Survival, &ids)).unwrap();
    // Pairs with an earlier event: (1; 2, 3, 4, 5) and (3; 4, 5): all six in order.
    assert_eq!(report.metrics["c_index_harrell"].value, Some(1.0));
    assert!(ids.iter().all(|id| report.metrics[*id].value.is_some()), "{report:?}");
    let without = SurvivalFiles { curve: None, ..files };
    let refused = survival(&without, &request(MetricTask::Survival, &ids)).unwrap_err().to_string();
    assert!(refused.contains("--curve"), "{refused}");

    let table = at("r.csv", "case_id,x,y\na,1,2\nb,2,2\nc,4,3\n");
    let files = RegressionFiles { table: &table, reference: "x", prediction: "y", compare: None, case: None };
    let ids = ["mae", "bias", "rmse", "loa_lower", "loa_upper", "r2", "ccc", "icc", "icc.consistency"];
    let report = regression(&files, &request(MetricTask::Regression, &ids)).unwrap();
    assert_eq!(report.metrics["mae"].value, Some(2.0 / 3.0));
    assert_eq!(report.metrics["bias"].value, Some(0.0));
    assert_eq!(report.metrics["rmse"].value, Some((2.0f64 / 3.0).sqrt()));
    assert!(ids.iter().all(|id| report.metrics[*id].value.is_some()), "{report:?}");

    let truth = at("truth.csv", "image,x_min,y_min,x_max,y_max\na,0,0,10,10\nb,0,0,10,10\n");
    let guess = at("guess.csv", "image,x_min,y_min,x_max,y_max,score\na,0,0,10,10,0.9\nc,0,0,5,5,0.3\n");
    let images = at("images.csv", "image\na\nb\nc\nd\n");
    let files = DetectionFiles { reference: &truth, prediction: &guess, images: Some(&images) };
    let ids = ["map", "ap@0.5", "picai_score"];
    let report = detection(&files, &request(MetricTask::Detection, &ids)).unwrap();
    assert_eq!(report.n, 4);
    // One of two objects is found, ahead of the false alarm: precision 1 at 51 of 101 recalls.
    assert_eq!(report.metrics["ap@0.5"].value, Some(51.0 / 101.0));
    assert!(report.metrics["picai_score"].value.is_some());
    let refused = detection(&files, &request(MetricTask::Detection, &["cpm"])).unwrap_err().to_string();
    assert!(refused.contains("diameter_mm"), "{refused}");
    let asked = Request { curves: true, ..request(MetricTask::Detection, &ids) };
    assert!(detection(&files, &asked).unwrap_err().to_string().contains("diameter_mm"));
}

#[test]
fn a_froc_curve_passes_through_the_sensitivities_of_its_cpm() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let nodules = at("nodules.csv", "image,x,y,z,diameter_mm\na,0,0,0,8\nb,5,5,5,6\nc,9,9,9,10\n");
    let marks = at(
        "marks.csv",
        "image,x,y,z,score\na,1,0,0,0.9\na,50,0,0,0.8\nb,5,5,6,0.7\nb,40,0,0,0.6\nc,60,0,0,0.5\nc,9,9,8,0.4\n",
    );
    let files = DetectionFiles { reference: &nodules, prediction: &marks, images: None };
    let asked = Request { curves: true, ..request(MetricTask::Detection, &["cpm"]) };
    let report = detection(&files, &asked).unwrap();
    let Some(Curves::Findings { froc }) = report.curves else { panic!("no curve") };
    assert_eq!(froc.threshold, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]);
    assert_eq!(froc.sensitivity.last(), Some(&1.0));
    assert_eq!(froc.false_positives_per_image.last(), Some(&1.0));
    assert_eq!(froc.rate, [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]);
    let mean = froc.sensitivity_at_rate.iter().sum::<f64>() / 7.0;
    assert!((mean - report.metrics["cpm"].value.unwrap()).abs() < 1e-15);
    let drawn = froc.sensitivity_at_rate_95.unwrap();
    assert!(drawn.iter().zip(&froc.sensitivity_at_rate).all(|(i, s)| i[0] <= *s && *s <= i[1]), "{drawn:?}");
    let without = Request { intervals: Intervals::Off, ..asked };
    let Some(Curves::Findings { froc }) = detection(&files, &without).unwrap().curves else {
        panic!("no curve")
    };
    assert_eq!(froc.sensitivity_at_rate_95, None);
}

#[test]
fn two_models_are_compared_in_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "y,p,q,truth\n".to_owned();
    for i in 0..80u32 {
        let label = i % 2;
        // The first model is a little nearer to the truth on every case than the second, but for a few.
        let hard = f64::from(i * 37 % 80) / 160.0;
        let away = |by: f64| if label == 1 { 1.0 - hard - by } else { hard + by };
        let lead = if i % 9 == 0 { -0.05 } else { 0.05 };
        writeln!(text, "{label},{},{},{}", away(0.05), away(0.05 + lead), f64::from(label)).unwrap();
    }
    let table = csv(folder.path(), &text);
    let files = ClassificationFiles { table: &table, label: "y", score: "p", compare: Some("q"), case: None };
    let asked =
        Request { replicates: 400, ..request(MetricTask::Classification, &["auc", "brier", "f1@0.4"]) };
    let report = fiel_metrics::score::classification(&files, &asked).unwrap();
    let found = report.comparison.unwrap();
    assert_eq!(found.with, "q");
    let brier = &found.metrics["brier"];
    let [low, high] = brier.ci95.unwrap();
    assert!(brier.difference.unwrap() < 0.0 && low < high && high < 0.0, "{brier:?}");
    assert!(brier.p["wilcoxon"] < 1e-3 && brier.p["permutation"] < 1e-3, "{brier:?}");
    let own = report.metrics["brier"].value.unwrap();
    assert!((own - brier.other.unwrap() - brier.difference.unwrap()).abs() < 1e-15);
    let auc = &found.metrics["auc"];
    assert_eq!(auc.p.keys().collect::<Vec<_>>(), [&"delong"]);
    assert!(auc.ci95.unwrap()[0] <= auc.difference.unwrap());
    assert!(found.metrics["f1@0.4"].ci95.is_some() && found.metrics["f1@0.4"].p.is_empty());

    let files = RegressionFiles {
        table: &table,
        reference: "truth",
        prediction: "p",
        compare: Some("q"),
        case: None,
    };
    let report = regression(&files, &request(MetricTask::Regression, &["mae", "r2"])).unwrap();
    let found = report.comparison.unwrap();
    assert!(found.metrics["mae"].difference.unwrap() < 0.0 && found.metrics["mae"].p["wilcoxon"] < 1e-3);
    assert!(found.metrics["r2"].difference.unwrap() > 0.0 && found.metrics["r2"].ci95.is_some());
}

#[test]
fn bca_intervals_and_curves_are_given_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "y,p,t,arm\n".to_owned();
    for i in 0..40u32 {
        let p = (f64::from(i * 17 % 40) + 0.5) / 40.0;
        writeln!(
            text,
            "{},{p},{},{}",
            u32::from(i * 7 % 40 < i * 17 % 40),
            i % 13 + i % 2 * 6,
            ["a", "b"][i as usize % 2]
        )
        .unwrap();
    }
    let table = csv(folder.path(), &text);
    let files = ClassificationFiles { table: &table, label: "y", score: "p", compare: None, case: None };
    let of = |intervals| {
        let asked = Request {
            intervals,
            curves: true,
            ..request(MetricTask::Classification, &["brier", "auc", "average_precision"])
        };
        fiel_metrics::score::classification(&files, &asked).unwrap()
    };
    let (bca, percentile) = (of(Intervals::Bca), of(Intervals::Bootstrap));
    for id in ["brier", "auc"] {
        let (a, b) = (bca.metrics[id].ci95.unwrap(), percentile.metrics[id].ci95.unwrap());
        assert!(a != b && (a[0] - b[0]).abs() < 0.1 && (a[1] - b[1]).abs() < 0.1, "{id}: {a:?} {b:?}");
    }
    let Some(Curves::Forecasts { roc, precision_recall, decision, reliability }) = bca.curves else {
        panic!("no curves")
    };
    // The curves enclose what the metrics say of them.
    let roc = roc.unwrap();
    let (mut from, mut area) = ((0.0, 0.0), 0.0);
    for to in roc.false_positive_rate.iter().copied().zip(roc.sensitivity) {
        area += (to.0 - from.0) * (from.1 + to.1) / 2.0;
        from = to;
    }
    assert_eq!(from, (1.0, 1.0));
    assert!((area - bca.metrics["auc"].value.unwrap()).abs() < 1e-12);
    let curve = precision_recall.unwrap();
    let gains = curve.recall.iter().zip(curve.recall[1..].iter().chain([&0.0])).map(|(a, b)| a - b);
    let sum: f64 = gains.zip(&curve.precision).map(|(gain, precision)| gain * precision).sum();
    assert!((sum - bca.metrics["average_precision"].value.unwrap()).abs() < 1e-12);
    // Below every score, treating by the model is treating everybody.
    assert_eq!(decision.net_benefit[0], decision.treat_all[0]);
    assert!(reliability.recalibrated.windows(2).all(|w| w[0] <= w[1]), "isotonic");
    assert_eq!(reliability.consistency_95.len(), reliability.probability.len());
    let parts = reliability.miscalibration - reliability.discrimination + reliability.uncertainty;
    assert!((parts - bca.metrics["brier"].value.unwrap()).abs() < 1e-12);

    let files = SurvivalFiles {
        table: &table,
        time: "t",
        event: "y",
        risk: "p",
        curve: None,
        training: None,
        case: None,
    };
    let asked = request(MetricTask::Survival, &["c_index_harrell"]);
    let by = Request { curves: true, by: Some("arm".to_owned()), ..asked.clone() };
    let Some(Curves::Times(found)) = survival(&files, &by).unwrap().curves else { panic!("no curves") };
    assert_eq!(found.groups.iter().map(|g| g.group.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found.groups.iter().map(|g| g.at_risk[0]).sum::<u64>(), 40);
    // Observed less expected events over the hypergeometric variance, by hand in Python.
    assert!(found.log_rank_p.is_some_and(|p| (p - 0.150_622_542_041).abs() < 1e-11), "{found:?}");
    let Some(Curves::Times(whole)) = survival(&files, &Request { curves: true, ..asked }).unwrap().curves
    else {
        panic!("no curves")
    };
    assert_eq!((whole.groups.len(), whole.log_rank_p), (1, None));
}

#[test]
fn numbers_of_a_scale_that_sums_would_lose_are_refused_and_one_case_has_no_agreement() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = folder.path().join("t.csv");
    let files = RegressionFiles { table: &table, reference: "a", prediction: "b", compare: None, case: None };
    let mut request = request(MetricTask::Regression, &["mae", "icc"]);
    std::fs::write(&table, "a,b\n1e-25,3e-25\n3e-25,2e-25\n").expect("a file");
    let refused = regression(&files, &request).expect_err("far below what sums keep").to_string();
    assert!(refused.contains("2.3e-10") && refused.contains("smaller unit"), "{refused}");
    std::fs::write(&table, "a,b,site\n1,2,x\n2,2.5,x\n5,5.5,x\n6,7,y\n0,0,z\n0,0,z\n").expect("a file");
    request.by = Some("site".to_owned());
    let report = regression(&files, &request).expect("scored");
    let strata = report.by.expect("strata");
    let icc = |name: &str| strata.groups[name].metrics["icc"].value;
    assert!(icc("x").is_some() && icc("y").is_none() && icc("z").is_none());
}

#[test]
fn means_of_any_size_are_exact_whatever_the_order_of_the_cases() {
    let folder = tempfile::tempdir().unwrap();
    // Differences of a million million in some cases, and of a few millions in many.
    for (n, base) in [(1000_u32, 1e12), (40_000, 4e6)] {
        let row = |i: u32| {
            format!("{},{}\n", f64::from(i % 7), base * [0.75, 1.25][i as usize % 2] + f64::from(i % 7))
        };
        let rows: Vec<String> = (0..n).map(row).collect();
        let scored = |rows: &[String]| {
            let table = csv(folder.path(), &format!("a,b\n{}", rows.concat()));
            let files =
                RegressionFiles { table: &table, reference: "a", prediction: "b", compare: None, case: None };
            regression(&files, &request(MetricTask::Regression, &["mae", "bias"])).unwrap().metrics
        };
        let found = scored(&rows);
        assert_eq!((found["mae"].value, found["bias"].value), (Some(base), Some(base)));
        // Student's interval of differences that lie a quarter from their mean.
        let [low, high] = found["bias"].ci95.unwrap();
        let half = 1.96 * 0.25 * base / f64::from(n).sqrt();
        assert!((high - low - 2.0 * half).abs() < 0.01 * half, "{low} to {high}, not {half} from {base}");
        let turned: Vec<String> = rows.iter().rev().cloned().collect();
        assert_eq!(scored(&turned), found);
    }
}

#[test]
fn a_confidence_of_zero_is_refused_by_picai_with_its_row_and_taken_by_average_precision() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("images.csv"), "image\na\nb\n").unwrap();
    std::fs::write(at("ref.csv"), "image,x_min,y_min,x_max,y_max\na,1,1,5,5\n").unwrap();
    std::fs::write(at("pred.csv"), "image,x_min,y_min,x_max,y_max,score\na,1,1,5,5,0.9\nb,1,1,5,5,0.0\n")
        .unwrap();
    let (reference, prediction, images) = (at("ref.csv"), at("pred.csv"), at("images.csv"));
    let files = DetectionFiles { reference: &reference, prediction: &prediction, images: Some(&images) };
    let refused =
        detection(&files, &request(MetricTask::Detection, &["picai_score"])).unwrap_err().to_string();
    assert!(
        refused.contains("pred.csv, row 2: `score` is") && refused.contains("a finite number above 0"),
        "{refused}"
    );
    assert!(
        detection(&files, &request(MetricTask::Detection, &["ap"])).unwrap().metrics["ap"].value.is_some()
    );
}

#[test]
fn a_label_that_was_not_asked_for_names_its_own_file_and_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, label: u8| {
        let map =
            Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, label, 3, 0] };
        write_nifti_mask(&at(name), &map).unwrap();
    };
    write("seven.nii", 7);
    write("three.nii", 3);
    let (seven, three) = (at("seven.nii"), at("three.nii"));
    for (reference, prediction) in [(&seven, &three), (&three, &seven)] {
        let files = SegmentationFiles {
            reference,
            prediction,
            labels: &[3],
            spacing: None,
            plane: false,
            resample: false,
            strata: None,
        };
        let asked = request(MetricTask::Segmentation, &["dice"]);
        let refused = fiel_metrics::score::segmentation(&files, &asked, |_, _| ()).unwrap_err().to_string();
        assert!(refused.contains("seven.nii") && !refused.contains("three.nii"), "{refused}");
        assert!(refused.contains("label 7") && refused.contains("`--labels`"), "{refused}");
    }
}

#[test]
fn boxes_of_any_unit_count_and_a_time_dependent_auc_needs_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    // One finding found and one false alarm ahead of it, in millimetres and in micrometres.
    let found = [1.0, 1000.0].map(|unit| {
        let of = |[from, to]: [f64; 2]| {
            let ends = [from, from, from, to, to, to].map(|v| (v * unit).to_string());
            format!("a,{}", ends.join(","))
        };
        let columns = "image,x_min,y_min,z_min,x_max,y_max,z_max";
        let reference = at("ref.csv", &format!("{columns}\n{}\n", of([1.0, 4.0])));
        let rows = format!("{columns},score\n{},0.9\n{},0.5\n", of([20.0, 23.0]), of([1.0, 4.0]));
        let prediction = at("pred.csv", &rows);
        let files = DetectionFiles { reference: &reference, prediction: &prediction, images: None };
        let report = detection(&files, &request(MetricTask::Detection, &["map", "ap@0.5"])).unwrap();
        [report.metrics["map"].value, report.metrics["ap@0.5"].value]
    });
    assert_eq!(found, [[Some(0.5); 2]; 2]);
    let table = at("patients.csv", "days,died,risk\n100,1,0.9\n200,1,0.5\n300,0,0.1\n400,1,0.2\n");
    let files = SurvivalFiles {
        table: &table,
        time: "days",
        event: "died",
        risk: "risk",
        curve: None,
        training: None,
        case: None,
    };
    let scored = |id: &str| survival(&files, &request(MetricTask::Survival, &[id]));
    let refused = scored("td_auc").unwrap_err().to_string();
    assert!(refused.contains("td_auc@365"), "{refused}");
    assert_eq!(scored("td_auc@250").unwrap().metrics["td_auc@250"].value, Some(1.0));
}

#[test]
fn of_one_case_no_calibration_error_has_an_interval() {
    let folder = tempfile::tempdir().unwrap();
    let table = csv(folder.path(), "y,p\n1,0.9\n");
    let files = ClassificationFiles { table: &table, label: "y", score: "p", compare: None, case: None };
    let ids = ["ece@15", "ece.right_closed@15", "ece.equal_mass@15", "mce@15", "brier", "smece"];
    let report =
        fiel_metrics::score::classification(&files, &request(MetricTask::Classification, &ids)).unwrap();
    for id in ids {
        assert!(report.metrics[id].value.is_some() && report.metrics[id].ci95.is_none(), "{id}");
    }
}

#[test]
fn a_number_too_large_to_be_squared_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("r.csv");
    for (cells, place) in
        [("1,2\n3,1e300", "row 2: `y` is \"1e300\""), ("-1e200,1\n3,1", "row 1: `x` is \"-1e200\"")]
    {
        std::fs::write(&table, format!("x,y\n{cells}\n")).unwrap();
        let files =
            RegressionFiles { table: &table, reference: "x", prediction: "y", compare: None, case: None };
        let refused =
            regression(&files, &request(MetricTask::Regression, &["rmse"])).unwrap_err().to_string();
        assert!(refused.contains("r.csv") && refused.contains(place), "{refused}");
        assert!(refused.contains("at most 1e150 in size") && refused.len() < 300, "{refused}");
    }
}
