//! The main job, as the README gives it, against scikit-learn's values.

use fiel_tests::database::{Database, assert_used};
use fiel_tests::{fiel, free_port, images, repository};
use serde_json::Value;
use std::process::Command;

/// An image that the demo finds where it looks for images; it leaves the others out.
const IMAGE: (&str, &str) = ("breast-fna", "gc-invoke-image");

/// Runs the demo to its end on the database that the tests were given, and checks that it was this one.
fn demo() -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (challenge, image) = IMAGE;
    let place = folder.path().join("images").join(challenge);
    fs_err::create_dir_all(&place).expect("a new folder");
    let archive = images::archive(challenge, image);
    fs_err::os::unix::fs::symlink(archive, place.join(format!("{image}.tar"))).expect("a link can be made");
    let database = Database::own();
    let data = folder.path().join("demo");
    let mut command = Command::new(fiel());
    command.args(["demo", "--once", "--json", "--port", &free_port().to_string(), "--data"]).arg(&data);
    command.arg("--images").arg(folder.path().join("images"));
    if let Some(database) = &database {
        command.args(["--database-url", &database.url]);
    }
    let output = command.output().expect("fiel starts");
    let errors = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(output.status.success(), "fiel demo failed:\n{errors}");
    for left_out in ["gc-exec-image", "python-image"] {
        let words = format!("left out     lesion-phantom · {left_out}: there is no ");
        assert!(errors.contains(&words), "{words} is missing:\n{errors}");
    }
    assert_used(database.as_ref(), &data.join("hub"));
    if let Some(database) = &database {
        let reported = database.query("select count(*) from assessments");
        assert_ne!(reported, "0", "what the sites reported lies in PostgreSQL");
    }
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else on stdout")
}

fn row<'a>(board: &'a [Value], name: &str) -> &'a Value {
    board.iter().find(|r| r["submission"] == name).unwrap_or_else(|| panic!("{name} is not on the board"))
}

fn value(row: &Value, metric: &str) -> f64 {
    row["metrics"][metric]["value"].as_f64().unwrap_or_else(|| panic!("{metric} is undefined in {row}"))
}

#[test]
fn the_demo_ranks_every_baseline_as_scikit_learn_would() {
    let answer = demo();
    breast_fna(answer["challenges"]["breast-fna"]["leaderboard"].as_array().expect("a list of rows"));
    lesion_phantom(answer["challenges"]["lesion-phantom"]["leaderboard"].as_array().expect("a list of rows"));
}

fn breast_fna(board: &[Value]) {
    let path = repository().join("challenges/breast-fna/reference/expected.json");
    let expected: Value = serde_json::from_slice(&fs_err::read(path).expect("expected.json")).expect("JSON");
    let (logistic, threshold, constant) =
        (row(board, "logistic"), row(board, "threshold"), row(board, "constant"));
    assert!(value(logistic, "auc") > value(threshold, "auc"));
    assert!(value(threshold, "auc") > value(constant, "auc"));
    let rank = |r: &Value| r["rank"].as_u64().expect("a rank");
    assert!(rank(logistic) < rank(threshold) && rank(threshold) < rank(constant));

    for name in ["constant", "threshold", "logistic", "boosted", "overconfident"] {
        let row = row(board, name);
        assert_eq!(row["cases"]["ok"], 400, "{name}");
        let auc = &row["metrics"]["auc"];
        let bound = auc["bound"].as_f64().expect("a bound");
        let reference = &expected["baselines"][name];
        let pooled = reference["pooled"]["metrics"]["auc"].as_f64().expect("a reference value");
        assert!(bound < 1e-3, "{name}: bound {bound}");
        assert!((value(row, "auc") - pooled).abs() <= bound + 1e-12, "{name}: {auc} against {pooled}");
        let brier = reference["pooled"]["metrics"]["brier"].as_f64().expect("a reference value");
        assert!((value(row, "brier") - brier).abs() < 1e-12, "{name}: Brier against {brier}");
        for (site, own) in row["sites"].as_object().expect("sites") {
            let at_site = reference["sites"][site]["metrics"]["auc"].as_f64().expect("a reference value");
            let ours = own["metrics"]["auc"]["value"].as_f64().expect("defined");
            assert!((ours - at_site).abs() < 1e-12, "{name} at {site}: {ours} against {at_site}");
        }
        assert_eq!(row["sites"].as_object().map(serde_json::Map::len), Some(3), "{name}");
    }

    let twin = row(board, "overconfident");
    let apart = (value(twin, "auc") - value(logistic, "auc")).abs();
    assert!(apart < 1e-3, "the twin's AUC is {apart} apart");
    assert_eq!(twin["rank"], logistic["rank"], "the twin shares the rank");
    assert!(value(twin, "brier") > value(logistic, "brier"));

    same_weights(row(board, IMAGE.1), logistic, "runc");
    same_weights(row(board, "logistic-wasi-nn"), logistic, "wasmtime+tract ");

    let broken = row(board, "broken");
    assert!(broken["rank"].is_null());
    for kind in ["crashed", "timed-out", "missing-output", "invalid-output"] {
        assert!(broken["cases"][kind].as_u64() > Some(0), "no {kind} among {}", broken["cases"]);
    }
    let all: u64 = broken["cases"].as_object().expect("counts").values().filter_map(Value::as_u64).sum();
    assert_eq!(all, 400, "every case is accounted for");
}

/// The container and the network have the weights of the module, and print fewer digits or hold fewer.
fn same_weights(image: &Value, module: &Value, by: &str) {
    assert_eq!(image["cases"], module["cases"]);
    assert!((value(image, "brier") - value(module, "brier")).abs() < 2e-6, "{image}");
    let bound = |row: &Value| row["metrics"]["auc"]["bound"].as_f64().expect("a bound");
    let apart = (value(image, "auc") - value(module, "auc")).abs();
    assert!(apart <= bound(image) + bound(module) + 1e-6, "{apart} apart: {image}");
    let engine = image["sites"]["site-a"]["engine"].as_str().expect("a site names its engine");
    assert!(engine.starts_with(by), "{engine}");
}

fn lesion_phantom(board: &[Value]) {
    let (smooth, plain) = (row(board, "smooth-threshold"), row(board, "threshold"));
    assert!(value(smooth, "dice") > value(plain, "dice"));
    assert!(value(plain, "dice") > value(row(board, "empty"), "dice"));
    let undefined = row(board, "empty")["metrics"]["dice"]["undefined"].as_u64();
    assert!(
        undefined > Some(0),
        "cases without a lesion and without a prediction are undefined, and counted"
    );
}
