//! Programs that try to get out, stay on, or use up the machine, and report how far they came.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use fiel_sandbox::CaseResult;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bench::{answer, case, hostile};
use super::corpus::CHARGED_AHEAD;
use super::engines::{Engine, on_every_engine};
use super::traces::Host;

/// Attempts that gVisor's own kernel answers where the host's refuses, and what is true of the answer. Runc and crun
/// must refuse every attempt. `then:` names an attempt that was made again by the root of a new namespace, if there
/// was one: that no other attempt is in the list is what makes these harmless.
const GVISOR_ANSWERS: &[(&str, &str)] = &[
    ("socket-family-16", "netlink, which tells of its own network: loopback"),
    ("oom-score", "a number of its own; the host's stays"),
    ("device-in-tmp", "a name without a device: it cannot be opened, see `device-opened`"),
    ("/sys/class/net", "a folder of its own; see the interfaces that the canary found"),
    ("/dev/fuse", "a device of its own, useless where `mount` and `then:mount` are refused"),
    ("unshare-user", "a namespace of its own, whose root is nobody to the host: see `then:`"),
    ("unshare-mounts", "the same; `then:mount` and `then:bind` are refused in it"),
    ("setns", "fails: there is no such call for a descriptor that is none"),
    ("ptrace", "tracing of its own processes, each of which belongs to this container"),
    ("io-uring", "a queue to its own kernel, not to the host's"),
    ("perf", "fails: it has no such device"),
    ("handle", "fails: it does not open files by handles"),
    ("syslog", "a log of its own, without a word of the host's"),
    ("32-bit-personality", "fails: it knows Linux's own personality only"),
    ("raise-priority", "a number of its own; the control group bounds the processor's time"),
    ("then:socket-family-16", "as before"),
    ("then:socket-family-17", "packets of its own network, loopback: `then:outside` is refused"),
    ("then:raw-ip", "the same"),
    ("then:oom-score", "as before"),
    ("then:/sys/class/net", "as before"),
    ("then:/dev/fuse", "as before"),
    ("then:pivot-root", "fails: its root is busy"),
    ("then:chroot", "a smaller view of the same files"),
];

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
    assert!(report.lines().count() > 160, "{} attempts", report.lines().count());
    let possible: BTreeSet<&str> = report
        .lines()
        .filter(|line| !line.ends_with(" refused"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let expected: BTreeSet<&str> = if engine == Engine::Runsc {
        // What follows holds because none of these calls reaches the host's kernel.
        let found = engine.report(&bench).protections;
        let detail = |name| found.iter().find(|protection| protection.name == name).unwrap().detail.as_str();
        assert!(detail("seccomp").starts_with("a kernel of its own answers: "), "{}", detail("seccomp"));
        assert_eq!(detail("no-network"), "interfaces: lo; reached: none");
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

fn processes_are_bounded(engine: Engine) {
    let bench = engine.bench();
    // Room for as many processes as a case may have, so that their number alone is what ends it.
    let limits = Limits { memory_mib: 1_024, ..engine.limits() };
    let result = bench.modes(&["count-forks"], &limits).remove(0);
    if engine == Engine::Runsc {
        // Its kernel needs threads of the host for processes of its own, and ends when it gets no more of them.
        assert_eq!((result.outcome, result.reason.as_str()), (Outcome::Crashed, "ended with exit code 2"));
    } else {
        let forks: u64 = answer(&result).parse().unwrap();
        // Podman's own count with the model's, and have room for as many as they ever are.
        let most = if engine == Engine::Podman { 320 } else { 256 };
        assert!((200..most).contains(&forks), "{forks}");
    }
    check_usage(engine, &result, &limits);
    bench.assert_nothing_left("programs that start all they may");
}

fn memory_scratch_and_log_are_bounded(engine: Engine) {
    let bench = engine.bench();
    let limits = engine.limits();
    let results = bench.modes(&["fill-scratch", "chatter"], &limits);
    // Half the memory each, less what the file system itself needs.
    let half = limits.memory_mib / 2;
    let scratch = answer(&results[0]);
    let fits = |mib: u64| scratch == format!("tmp {mib} shm {mib}");
    assert!(fits(half) || fits(half - 1), "{scratch}");
    assert_eq!(answer(&results[1]), "done");
    assert_eq!(results[1].log.len(), 128 * 1024, "64 KiB of each stream");
    for result in &results {
        check_usage(engine, result, &limits);
    }
    bench.assert_nothing_left("programs that use all there is");
}

fn check_usage(engine: Engine, result: &CaseResult, limits: &Limits) {
    let peak = result.usage.memory_bytes_peak.unwrap();
    let most = (limits.memory_mib << 20) + engine.own_memory() + CHARGED_AHEAD;
    assert!((1 << 20..=most).contains(&peak), "{peak}");
    assert!((0.0..10.0).contains(&result.usage.cpu_s.unwrap()), "{:?}", result.usage);
}

fn a_core_is_all_that_a_case_gets(engine: Engine) {
    let bench = engine.bench();
    let result = bench.modes(&["spin"], &Limits { case_ms: 1_000, ..engine.patience() }).remove(0);
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
    processes_are_bounded,
    memory_scratch_and_log_are_bounded,
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
