//! Programs that try to get out, stay on, or use up the machine.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bench::{answer, bench, bench_with, case, hostile, limits};

#[test]
fn nothing_leads_out() {
    let bench = bench();
    // What a site has beside the case: the truth, and the folders of other cases.
    let truth = bench.folder.path().join("truth.csv");
    std::fs::write(&truth, "1").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = SocketAddr::from_abstract_name(format!("fiel-canary-{port}")).unwrap();
    let local = UnixListener::bind_addr(&name).unwrap();
    listener.set_nonblocking(true).unwrap();
    local.set_nonblocking(true).unwrap();
    let paths = [
        truth.to_str().unwrap(),
        bench.folder.path().to_str().unwrap(),
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
    let prepared = bench.prepare(&hostile(&json!({})));
    let files = [("mode", "escape"), ("port", &port.to_string()), ("paths", &paths.join("\n"))];
    let results = bench.cases(&prepared, &limits(), vec![case(&files)]);
    let report = answer(&results[0]);
    let bad: Vec<&str> = report.lines().filter(|line| !line.ends_with(" refused")).collect();
    assert_eq!(bad, Vec::<&str>::new());
    assert!(report.lines().count() > 95, "{} attempts", report.lines().count());
    assert!(listener.accept().is_err() && local.accept().is_err(), "the host was reached");
    assert_eq!(std::fs::read_to_string(truth).unwrap(), "1");
    bench.assert_nothing_left("escape");
}

#[test]
fn nothing_is_left_for_the_next_case() {
    let bench = bench_with(2, fiel_sandbox::ContainerConfig::default());
    let results = bench.modes(&["peek", "daemonise", "peek", "kill-all", "peek", "peek"], &limits());
    for index in [0, 2, 4, 5] {
        assert_eq!(answer(&results[index]), "tmp 0 shm 0 output 0 processes 1 input 2", "case {index}");
    }
    assert!(["first", "second"].contains(&answer(&results[1]).as_str()));
    assert_eq!(answer(&results[3]), "alive");
    bench.assert_nothing_left("peek");
}

#[test]
fn processes_memory_and_scratch_are_bounded() {
    let bench = bench();
    let results = bench.modes(&["count-forks", "fill-scratch", "chatter"], &limits());
    let forks: u64 = answer(&results[0]).parse().unwrap();
    assert!((200..256).contains(&forks), "{forks}");
    // Half the memory each, less what the file system itself needs.
    let scratch = answer(&results[1]);
    assert!(["tmp 32 shm 32", "tmp 31 shm 31"].contains(&scratch.as_str()), "{scratch}");
    assert_eq!(answer(&results[2]), "done");
    assert_eq!(results[2].log.len(), 128 * 1024, "64 KiB of each stream");
    for result in &results {
        let peak = result.usage.memory_bytes_peak.unwrap();
        assert!((1 << 20..=64 << 20).contains(&peak), "{peak}");
        assert!((0.0..10.0).contains(&result.usage.cpu_s.unwrap()), "{:?}", result.usage);
    }
}

#[test]
fn a_core_is_all_that_a_case_gets() {
    let bench = bench();
    let result =
        bench.modes(&["fork-bomb"], &Limits { case_ms: 1_000, memory_mib: 1024, ..limits() }).remove(0);
    assert_eq!(result.outcome, Outcome::TimedOut);
    let used = result.usage.cpu_s.unwrap();
    assert!(used <= result.seconds * 1.15 + 0.1, "{used} s of processor time in {} s", result.seconds);
}

#[test]
fn the_image_is_not_changed_by_what_it_runs() {
    let bench = bench();
    let before = bench.modes(&["echo"], &limits());
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
    bench.modes(&["escape-nothing", "peek", "litter", "daemonise"], &Limits { case_ms: 2_000, ..limits() });
    assert_eq!(roots(), first);
}

fn listing(folder: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        all.push(entry.path().to_str().unwrap().to_owned());
        if kind.is_dir() {
            listing(&entry.path(), all);
        }
    }
}
