//! One class of several, from tables: scikit-learn's and MetricsReloaded's values, and what is refused.

use fiel_metrics::ScoreError;
use fiel_metrics::registry::MetricTask;
use fiel_metrics::score::{MulticlassFiles, Request, ScoreReport, multiclass};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn request(ids: &[&str]) -> Request {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Request { replicates: 100, ..Request::new(MetricTask::Multiclass, &ids).unwrap() }
}

/// A table with labels in `y` and the probability of class k in `p<k>`; its number of classes.
fn table(path: &Path, case: &Value) -> usize {
    let rows: Vec<Vec<f64>> = serde_json::from_value(case["prob"].clone()).unwrap();
    let labels: Vec<u64> = serde_json::from_value(case["y"].clone()).unwrap();
    let classes = rows[0].len();
    let names: Vec<String> = (0..classes).map(|k| format!("p{k}")).collect();
    let mut text = format!("y,{}\n", names.join(","));
    for (label, row) in labels.iter().zip(rows) {
        let row: Vec<String> = row.iter().map(ToString::to_string).collect();
        writeln!(text, "{label},{}", row.join(",")).unwrap();
    }
    std::fs::write(path, text).unwrap();
    classes
}

fn scored(path: &Path, ids: &[&str]) -> Result<ScoreReport, ScoreError> {
    let files = MulticlassFiles {
        table: path,
        label: "y",
        scores: Some("p"),
        decision: None,
        classes: &[],
        case: None,
    };
    multiclass(&files, &request(ids))
}

#[test]
fn tables_give_the_reference_implementations_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.csv");
    let mut compared = 0;
    let mut check = |case: &Value, id: &str, expected: &Value, tolerance: f64| {
        let report = scored(&path, &[id]).unwrap();
        let found = &report.metrics[id];
        match expected.as_f64() {
            Some(expected) => {
                let value = found.value.unwrap_or_else(|| panic!("{id} is undefined: {:?}", found.reason));
                let apart = (value - expected).abs();
                assert!(apart <= tolerance * expected.abs(), "{} {id}: {value}, not {expected}", case["id"]);
                compared += 1;
            }
            None => {
                assert!(found.value.is_none() && found.reason.is_some(), "{} {id}: {found:?}", case["id"]);
            }
        }
    };
    for case in cases(include_str!("../../golden/classification_labels.json")) {
        if case.get("prob").is_none() {
            continue;
        }
        table(&path, &case);
        for (id, key) in [
            ("multiclass_balanced_accuracy", "balanced_accuracy"),
            ("multiclass_accuracy", "micro_f1"),
            ("multiclass_f1", "macro_f1"),
            ("multiclass_f1.weighted", "weighted_f1"),
            ("multiclass_mcc", "mcc"),
            ("multiclass_kappa", "kappa"),
            ("multiclass_kappa.linear", "kappa_linear"),
            ("multiclass_kappa.quadratic", "kappa_quadratic"),
            ("multiclass_auc", "auc_ovr_macro"),
            ("multiclass_auc.one_vs_rest_weighted", "auc_ovr_weighted"),
            ("multiclass_auc.one_vs_one", "auc_ovo_macro"),
            ("multiclass_log_loss", "log_loss"),
            ("top_k_accuracy", "top2"),
        ] {
            check(&case, id, &case["expected"]["sklearn"][key], 1e-12);
        }
    }
    for case in cases(include_str!("../../golden/calibration_multiclass.json")) {
        table(&path, &case);
        let expected = &case["expected"];
        check(&case, "top_label_ece@10", &expected["own_top_label_ece10"], 1e-12);
        check(&case, "classwise_ece@10", &expected["own_classwise_ece10"], 1e-12);
        check(&case, "multiclass_brier", &expected["MetricsReloaded"]["brier"], 1e-12);
        check(&case, "multiclass_log_loss", &expected["MetricsReloaded"]["nll"], 1e-12);
        for (id, key) in [("kce.median_with_self", "kce"), ("ece_kde", "ece_kde_h0_5")] {
            // MetricsReloaded was not asked for the larger case.
            if !expected["MetricsReloaded"][key].is_null() {
                check(&case, id, &expected["MetricsReloaded"][key], 1e-12);
            }
        }
    }
    assert_eq!(compared, 3 * 13 - 1 + 2 * 4 + 2, "one macro average over a class without cases is undefined");
}

#[test]
fn decisions_alone_are_enough_for_kappa_and_follow_the_order_of_the_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readers.csv");
    std::fs::write(&path, "a,b\n2,2\n10,2\n2,1\n1,1\n10,10\n").unwrap();
    let files = MulticlassFiles {
        table: &path,
        label: "a",
        scores: None,
        decision: Some("b"),
        classes: &[],
        case: None,
    };
    let linear = |files: &MulticlassFiles<'_>| {
        let report = multiclass(files, &request(&["multiclass_kappa.linear"])).unwrap();
        report.metrics["multiclass_kappa.linear"].value.unwrap()
    };
    // In the order 1, 2, 10 (not 1, 10, 2): two disagreements of one step, against those of chance.
    let expected: f64 = [(1.0, [0.0, 1.0, 2.0]), (2.0, [1.0, 0.0, 1.0]), (2.0, [2.0, 1.0, 0.0])]
        .iter()
        .map(|(of, away)| of * away.iter().zip([2.0, 2.0, 1.0]).map(|(d, n)| d * n).sum::<f64>())
        .sum();
    assert!((linear(&files) - (1.0 - 2.0 * 5.0 / expected)).abs() < 1e-15);
    let other: Vec<String> = ["2", "10", "1"].map(str::to_owned).to_vec();
    assert!(linear(&MulticlassFiles { classes: &other, ..files }) < linear(&files));
    let refused = multiclass(&files, &request(&["multiclass_auc"])).unwrap_err().to_string();
    assert!(refused.contains("--scores"), "{refused}");
    let few: Vec<String> = ["1", "2"].map(str::to_owned).to_vec();
    let refused = multiclass(&MulticlassFiles { classes: &few, ..files }, &request(&["multiclass_kappa"]));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("readers.csv") && refused.contains("row 2: `a` is \"10\""), "{refused}");
}

#[test]
fn what_is_wrong_is_named_with_file_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.csv");
    for (text, expected) in [
        ("y,pa,pb\na,0.5,0.5\nc,0.5,0.5\n", "row 2: `y` is \"c\", none of the classes a, b"),
        ("y,pa,pb\na,0.5,0.6\n", "row 1: the probabilities of the classes sum to 1.1"),
        ("y,pa,pb\na,0.5,0.5\nb,NaN,0.5\n", "row 2: `pa` is missing (\"NaN\")"),
        ("y,pa,pb\na,1.5,-0.5\n", "row 1: `pa` is \"1.5\""),
        ("y,pa,pb\n,0.5,0.5\n", "row 1: `y` is missing (the cell is empty)"),
        ("y,pa\na,1\n", "1 columns are named `p`"),
        ("x,pa,pb\na,0.5,0.5\n", "no column `y`"),
        ("y,pa,pb\n", "no rows"),
    ] {
        std::fs::write(&path, text).unwrap();
        let refused = scored(&path, &["multiclass_auc"]).unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("answers.csv"), "{text:?}: {refused}");
    }
}

#[test]
fn a_class_is_the_same_as_a_whole_number_with_and_without_its_fraction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "y,d\n1,1.0\n2,2.0\n2,1.0\n10,10.0\n").unwrap();
    let files = MulticlassFiles {
        table: &path,
        label: "y",
        scores: None,
        decision: Some("d"),
        classes: &[],
        case: None,
    };
    let value = |id: &str| multiclass(&files, &request(&[id])).unwrap().metrics[id].value;
    assert_eq!(value("multiclass_accuracy"), Some(0.75));
    std::fs::write(&path, "y,d,d\n1,1,2\n").unwrap();
    let refused = multiclass(&files, &request(&["multiclass_accuracy"])).unwrap_err().to_string();
    assert!(refused.contains("t.csv") && refused.contains("two columns are called `d`"), "{refused}");
}
