//! The command line, through the real binary: what it prints and how it ends.

mod challenge;
mod help;
mod hub;
mod metrics;
mod models;
mod node;
mod rank;
mod score;
mod verify;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of `fiel` printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Everything at once, for snapshots.
    pub(crate) fn all(&self) -> String {
        format!("exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }

    /// Stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in\n{}", self.all()))
    }
}

/// Runs `fiel` in a folder, without any `FIEL_*` variable of the person who runs the tests.
pub(crate) fn fiel_in<S: AsRef<std::ffi::OsStr>>(folder: &Path, args: &[S]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fiel"));
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("FIEL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    let output = command.current_dir(folder).args(args).stdin(Stdio::null()).output().expect("fiel starts");
    Ran {
        code: output.status.code().expect("fiel ends by itself"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs `fiel`.
pub(crate) fn fiel<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Ran {
    fiel_in(Path::new("."), args)
}

/// Writes a file into a folder and returns its path.
pub(crate) fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder can be made");
    fs_err::write(&path, content).expect("the file can be written");
    path
}

#[test]
fn wrong_usage_ends_with_code_2() {
    for args in [
        &["no-such-command"][..],
        &["submit"],
        &["score", "classification"],
        &["leaderboard", "breast-fna", "--json", "--csv"],
        &["leaderboard", "breast-fna", "--hub", "not-an-address"],
        &["verify", "statement.json"],
    ] {
        let ran = fiel(args);
        assert!(ran.code == 2, "{args:?}: {}", ran.all());
        assert!(ran.err.contains("error:"), "{args:?}: {}", ran.all());
    }
}

#[test]
fn a_hub_that_does_not_answer_is_a_failure_with_a_hint() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let ran = fiel(&["leaderboard", "breast-fna", "--hub", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.err.contains("cannot be reached") && ran.err.contains("hint: "), "{}", ran.all());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fiel"))
        .args(["metrics", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("fiel starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("fiel ends");
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn every_metric_has_a_page() {
    let all = fiel(&["metrics", "--json"]).json();
    let ids: Vec<&str> = all.as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
    assert!(ids.contains(&"auc") && ids.contains(&"dice"), "{ids:?}");
    for id in ids {
        let ran = fiel(&["metrics", id]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert!(ran.out.contains(id) && ran.out.contains("undefined"), "{}", ran.all());
    }
    assert_eq!(fiel(&["metrics", "f1000"]).code, 1);
}

#[test]
fn try_names_what_it_does_not_find() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = fiel_in(folder.path(), &["try", "no-such-challenge", "model.wasm"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.err.contains("no-such-challenge") && ran.err.contains("breast-fna"), "{}", ran.all());
    let ran = fiel_in(folder.path(), &["try", "breast-fna", "model.wasm"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.err.contains("model.wasm"), "{}", ran.all());
}
