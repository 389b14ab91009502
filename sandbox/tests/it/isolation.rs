//! What a model can reach.

use std::fs;

use crate::support::{answer, bench, component, limits, model};

#[test]
fn nothing_but_the_two_folders_can_be_reached() {
    for model in [model(), component()] {
        let report = answer(&bench(1).modes_of(model, &["escape"], &limits())[0]);
        assert_eq!(report.lines().count(), 14, "{report}");
        for line in report.lines() {
            assert!(line.ends_with(" refused"), "{report}");
        }
    }
}

#[test]
fn nothing_is_left_of_the_case_before() {
    for model in [model(), component()] {
        let results = bench(1).modes_of(model, &["peek", "peek", "peek"], &limits());
        for result in &results {
            // A fresh instance (first run), its own answer file, its two input files.
            assert_eq!(answer(result), "runs 1 output 1 input 2");
        }
    }
}

#[test]
fn nothing_is_left_on_the_disk_after_a_run() {
    let bench = bench(2);
    bench.modes(&["peek", "echo", "loop"], &fiel_schemas::challenge::Limits { case_ms: 200, ..limits() });
    let work = bench.folder.path().join("work");
    let inside = fs::read_dir(fs::read_dir(&work).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert_eq!(inside.count(), 0);
    drop(bench.sandbox);
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
}

#[test]
fn the_confinements_in_force_were_tried() {
    let bench = bench(1);
    let prepared = bench.prepare(crate::support::model()).unwrap();
    let info = bench.sandbox.info(&prepared);
    assert_eq!(info.name, "wasmtime");
    let held = |name: &str| info.confinement.iter().any(|held| held == name);
    for name in ["seccomp", "no-new-privs", "rlimits"] {
        assert!(held(name), "{name} is missing in {:?}", info.confinement);
    }
    assert!(held("no-host-files"), "{:?}", info.confinement);
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        assert!(held("nobody"), "{:?}", info.confinement);
    }
    if fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|lsm| lsm.contains("landlock")) {
        assert!(held("landlock"), "{:?}", info.confinement);
    }
}
