//! What happens when processes are killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fiel_sandbox::{Expected, Sandbox};
use fiel_schemas::challenge::Limits;

use crate::support::{Bench, config, limits};

/// Set in the processes these tests start: this very program then plays the node.
const NODE: &str = "FIEL_TEST_NODE";

/// Runs three cases, the second of which does not end by itself, and says how each ended.
fn play_node(folder: &Path) {
    let sandbox = Sandbox::new(config(folder, 1, false)).unwrap();
    let bench = Bench { sandbox, folder: tempfile::tempdir().unwrap() };
    let prepared = bench.prepare(crate::support::model()).unwrap();
    let cases = ["echo", "loop", "echo"].map(|mode| crate::support::case(mode, b""));
    let limits = Limits { case_ms: 60_000, ..limits() };
    bench
        .sandbox
        .run_cases(&prepared, &limits, cases.into_iter(), &[Expected::File("answer".to_owned())], &|result| {
            println!("\ncase {} {} {}", result.index, result.outcome, result.reason);
        })
        .unwrap();
}

struct Node {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Node {
    fn start(test: &str, folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([&format!("processes::{test}"), "--exact", "--nocapture"])
            .env(NODE, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// The next line about a case.
    fn case(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the node ended early");
            if let Some(case) = line.strip_prefix("case ") {
                return case.trim().to_owned();
            }
        }
    }

    /// The node's workers.
    fn workers(&self) -> Vec<u32> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|process| {
                state_and_parent(*process).is_some_and(|(_, parent)| parent == self.process.id())
            })
            .collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn state_and_parent(process: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn kill(process: u32) {
    let pid = rustix::process::Pid::from_raw(process.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_worker_killed_in_the_middle_fails_its_case_only() {
    if let Some(folder) = std::env::var_os(NODE) {
        return play_node(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start("a_worker_killed_in_the_middle_fails_its_case_only", folder.path());
    assert_eq!(node.case(), "0 ok");
    std::thread::sleep(Duration::from_millis(200));
    let workers = node.workers();
    assert_eq!(workers.len(), 1);
    kill(workers[0]);
    assert_eq!(node.case(), "1 crashed its process was killed by signal 9");
    assert_eq!(node.case(), "2 ok");
}

#[test]
fn a_node_killed_in_the_middle_leaves_no_worker_and_its_folder_is_cleaned() {
    if let Some(folder) = std::env::var_os(NODE) {
        return play_node(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node =
        Node::start("a_node_killed_in_the_middle_leaves_no_worker_and_its_folder_is_cleaned", folder.path());
    assert_eq!(node.case(), "0 ok");
    std::thread::sleep(Duration::from_millis(200));
    let workers = node.workers();
    assert_eq!(workers.len(), 1);
    kill(node.process.id());
    node.process.wait().unwrap();
    let patience = Instant::now() + Duration::from_secs(5);
    while state_and_parent(workers[0]).is_some_and(|(state, _)| state != 'Z') {
        assert!(Instant::now() < patience, "the worker outlived its node");
        std::thread::sleep(Duration::from_millis(10));
    }
    let work = folder.path().join("work");
    let leftovers = || std::fs::read_dir(&work).unwrap().count();
    assert_eq!(leftovers(), 1);
    let again = Sandbox::new(config(folder.path(), 1, false)).unwrap();
    assert_eq!(leftovers(), 1, "the leftovers went, a new folder came");
    drop(again);
    assert_eq!(leftovers(), 0);
}

#[test]
fn a_program_that_is_no_worker_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let with = |program: &str| {
        let mut config = config(folder.path(), 1, false);
        config.worker.program = program.into();
        Sandbox::new(config).unwrap_err().to_string()
    };
    assert!(with("/no/such/program").contains("cannot start /no/such/program"));
    assert!(with("/bin/true").contains("did not get ready"));
}
