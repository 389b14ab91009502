//! `fiel metrics`, and what is said of ids that are none.

use crate::{fiel, fiel_in, write};

#[test]
fn the_page_of_a_metric_keeps_names_and_texts_apart() {
    for (id, names) in [
        ("multiclass_auc", &[".one_vs_rest", ".one_vs_rest_weighted", "reference", "task"][..]),
        ("icc", &[".consistency", ".agreement", "undefined"]),
        ("c_index_uno", &["@", "range"]),
        ("dice", &["better", "version"]),
    ] {
        let ran = fiel(&["metrics", id]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let mut starts = Vec::new();
        for line in ran.out.lines().skip(1) {
            let (name, text) = line.trim_start().split_once("  ").unwrap_or_else(|| panic!("{line}"));
            starts.push((name.to_owned(), line.len() - text.trim_start().len()));
        }
        assert!(starts.iter().all(|s| s.1 == starts[0].1), "one column of texts: {}", ran.out);
        for name in names {
            assert!(starts.iter().any(|s| s.0 == *name), "{name}: {}", ran.out);
        }
    }
}

#[test]
fn an_optional_parameter_has_no_default() {
    let ran = fiel(&["metrics", "c_index_uno@365"]);
    assert!(ran.out.contains("(c_index_uno@365/1)"), "{}", ran.all());
    assert!(ran.out.contains("tau: a number above 0; may be left out"), "{}", ran.all());
    let parameter = fiel(&["metrics", "pq", "--json"]).json()["parameter"].clone();
    assert!(parameter["default"].is_null() && parameter["name"].is_string(), "{parameter}");
    assert_eq!(fiel(&["metrics", "nsd", "--json"]).json()["parameter"]["default"], 1.0);
}

#[test]
fn other_names_and_wrong_forms_lead_to_the_metric() {
    for (id, said) in [
        ("ace", "did you mean `ece`?"),
        ("AUC", "did you mean `auc`?"),
        ("hd95@90", "it takes no parameter; `hd95` takes conventions: `hd95.max_directed` (the default)"),
    ] {
        let ran = fiel(&["metrics", id]);
        assert!(ran.code != 0 && ran.out.is_empty() && ran.err.contains(said), "{}", ran.all());
    }
    assert!(fiel(&["metrics", "ece"]).out.contains("ACE"));
}

#[test]
fn spaces_around_the_commas_of_metrics_are_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "t.csv", "y,p\n1,0.9\n0,0.2\n");
    let task = ["score", "classification", "--table", "t.csv", "--label", "y", "--score", "p", "--ci", "off"];
    let with = |more: &[&str]| fiel_in(folder.path(), &[&task[..], more].concat());
    let spaced = with(&["--metrics", " auc , brier", "--json"]);
    assert_eq!(spaced.code, 0, "{}", spaced.all());
    assert_eq!(spaced.out, with(&["--metrics", "auc,brier", "--json"]).out);
    write(folder.path(), "t.csv", "y,p\n1,0.9\n");
    let one = with(&["--metrics", "brier"]);
    assert!(one.out.starts_with("classification, 1 case\n"), "{}", one.all());
}
