//! Programs that try to get out, stay on, or use up the machine, and report how far they came.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bench::{answer, case, hostile};
use super::engines::{Engine, on_every_engine};
use super::traces::Host;

/// Attempts that gVisor's own kernel answers where the host's refuses, and what is true of the answer. Runc and crun
/// must refuse every attempt.
const GVISOR_ANSWERS: &[(&str, &str)] = &[];

/// Places of the host that no container may see.
const PLACES: [&str; 16] = [
    "/run/fiel",
    "/run/fiel/0",
    "/etc/passwd",
    "/etc/shadow",
    "/root",
    "/home",
    "/input/../../etc/passwd",
    "/proc/1/root/etc/passwd",
    "/proc/1/cwd/etc/passwd",
    "/sys/fs/cgroup/memory",
    "/sys/firmware/dmi",
    "/sys/class/net",
    "/dev/vda",
    "/dev/kvm",
    "/dev/fuse",
    "/dev/mapper",
];

fn nothing_leads_out(engine: Engine) {
    let bench = engine.bench();
    // What a site has beside the case: the truth, and the folders of other cases.
    let host = Host::watched(&bench);
    let folder = bench.folder.path().to_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = SocketAddr::from_abstract_name(format!("fiel-canary-{port}")).unwrap();
    let local = UnixListener::bind_addr(&name).unwrap();
    listener.set_nonblocking(true).unwrap();
    local.set_nonblocking(true).unwrap();
    let paths: Vec<&str> = host.files().chain([folder]).chain(PLACES).collect();
    let prepared = bench.prepare(&hostile(&json!({})));
    let files = [("mode", "escape"), ("port", &port.to_string()), ("paths", &paths.join("\n"))];
    let results = bench.cases(&prepared, &engine.limits(), vec![case(&files)]);
    let report = answer(&results[0]);
    assert!(report.lines().count() > 98, "{} attempts", report.lines().count());
    let possible: BTreeSet<&str> =
        report.lines().filter(|line| !line.ends_with(" refused")).filter_map(|line| line.split(' ').next()).collect();
    let expected: BTreeSet<&str> = if engine == Engine::Runsc {
        // What follows holds because none of these calls reaches the host's kernel.
        let report = engine.report(&bench);
        let filter = report.protections.into_iter().find(|protection| protection.name == "seccomp").unwrap();
        assert!(filter.holds && filter.detail.starts_with("a kernel of its own answers: "), "{filter:?}");
        GVISOR_ANSWERS.iter().map(|(attempt, _)| *attempt).collect()
    } else {
        BTreeSet::new()
    };
    assert_eq!(possible, expected, "{report}");
    assert!(listener.accept().is_err() && local.accept().is_err(), "the host was reached");
    host.assert_untouched("escape");
    bench.assert_nothing_left("escape");
}

fn nothing_is_left_for_the_next_case(engine: Engine) {
    let bench = engine.bench_with(2);
    let modes = ["peek", "daemonise", "peek", "kill-all", "peek", "peek"];
    let results = bench.modes(&modes, &engine.limits());
    for index in [0, 2, 4, 5] {
        assert_eq!(answer(&results[index]), "tmp 0 shm 0 output 0 processes 1 input 2", "case {index}");
    }
    assert!(["first", "second"].contains(&answer(&results[1]).as_str()));
    assert_eq!(answer(&results[3]), "alive");
    bench.assert_nothing_left("peek");
}

fn processes_memory_and_scratch_are_bounded(engine: Engine) {
    let bench = engine.bench();
    let limits = engine.limits();
    let results = bench.modes(&["count-forks", "fill-scratch", "chatter"], &limits);
    let forks: u64 = answer(&results[0]).parse().unwrap();
    assert!((200..256).contains(&forks), "{forks}");
    // Half the memory each, less what the file system itself needs.
    let half = limits.memory_mib / 2;
    let scratch = answer(&results[1]);
    let fits = |mib: u64| scratch == format!("tmp {mib} shm {mib}");
    assert!(fits(half) || fits(half - 1), "{scratch}");
    assert_eq!(answer(&results[2]), "done");
    assert_eq!(results[2].log.len(), 128 * 1024, "64 KiB of each stream");
    for result in &results {
        let peak = result.usage.memory_bytes_peak.unwrap();
        assert!((1 << 20..=limits.memory_mib << 20).contains(&peak), "{peak}");
        assert!((0.0..10.0).contains(&result.usage.cpu_s.unwrap()), "{:?}", result.usage);
    }
    bench.assert_nothing_left("programs that use all there is");
}

fn a_core_is_all_that_a_case_gets(engine: Engine) {
    let bench = engine.bench();
    let result = bench.modes(&["fork-bomb"], &Limits { case_ms: 1_000, ..engine.patience() }).remove(0);
    assert_eq!(result.outcome, Outcome::TimedOut);
    let used = result.usage.cpu_s.unwrap();
    assert!(used <= result.seconds * 1.15 + 0.1, "{used} s of processor time in {} s", result.seconds);
}

fn the_image_is_not_changed_by_what_it_runs(engine: Engine) {
    let bench = engine.bench();
    let limits = Limits { case_ms: engine.patience().case_ms, ..engine.limits() };
    let before = bench.modes(&["echo"], &limits);
    answer(&before[0]);
    let roots = || {
        let images = bench.folder.path().join("cache/images");
        let mut all = Vec::new();
        listing(&images, &mut all);
        all.sort();
        all
    };
    let first = roots();
    assert!(first.iter().any(|path| path.ends_with("rootfs/model")), "{first:?}");
    bench.modes(&["escape-nothing", "peek", "litter", "daemonise"], &limits);
    assert_eq!(roots(), first);
}

on_every_engine!(
    nothing_leads_out,
    nothing_is_left_for_the_next_case,
    processes_memory_and_scratch_are_bounded,
    a_core_is_all_that_a_case_gets,
    the_image_is_not_changed_by_what_it_runs,
);

fn listing(folder: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        all.push(entry.path().to_str().unwrap().to_owned());
        if kind.is_dir() {
            listing(&entry.path(), all);
        }
    }
}
