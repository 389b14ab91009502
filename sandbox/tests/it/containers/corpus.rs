//! The hostile programs, how the case of each ends, and where an engine differs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fiel_sandbox::CaseResult;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome::{self, Crashed, InvalidOutput, MissingOutput, OutOfMemory};

use super::bench::{answer, limits};
use super::engines::{Engine, on_every_engine};
use super::traces::{Host, peak_of};

/// What becomes of a case.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is answered, with one of these texts.
    Answers(&'static [&'static str]),
    /// It fails, for this reason.
    Fails(Outcome, &'static str),
    /// It never ends, and is ended at its deadline.
    Late,
}

use Fate::{Answers, Fails, Late};

const INPUT: &str = "a,b\n1,2\n";
const CLEAN: &str = "tmp 0 shm 0 output 0 processes 1 input 2";

/// Each mode of `models/hostile.c` and what becomes of its case, under 128 MiB of memory and 4 MiB of output. Modes
/// that report numbers or attempts are held against each engine in `hostile.rs`.
const CORPUS: &[(&str, Fate)] = &[
    // Ways to end.
    ("echo", Answers(&[INPUT])),
    ("exit3", Fails(Crashed, "ended with exit code 3")),
    ("exit137", Fails(Crashed, "was killed by signal 9")),
    // The first process of a container is deaf to its own SIGABRT, as in every container; `abort` then faults.
    ("abort", Fails(Crashed, "was killed by signal 11")),
    ("fault", Fails(Crashed, "was killed by signal 11")),
    // Ways not to end: endless loops, deaf to every signal, fork bomb, endless output.
    ("loop", Late),
    ("spin", Late),
    ("deaf", Late),
    ("fork-bomb", Late),
    ("flood", Late),
    // Memory.
    ("eat", Fails(OutOfMemory, "asked for more than 128 MiB of memory")),
    ("eat-in-child", Fails(OutOfMemory, "asked for more than 128 MiB of memory")),
    // Disk: a full file, a sparse one, one of a tebibyte, files without number, folders without depth, a loud log.
    ("fill", Fails(InvalidOutput, "wrote more than 4 MiB")),
    ("sparse", Fails(InvalidOutput, "wrote more than 4 MiB")),
    ("huge", Fails(Crashed, "ended with exit code 9")),
    ("litter", Fails(InvalidOutput, "wrote more than 64 files and folders")),
    ("dig", Fails(InvalidOutput, "wrote more than 64 files and folders")),
    ("chatter", Answers(&["done"])),
    // Answers that are none, or that point elsewhere.
    ("nothing", Fails(MissingOutput, "`answer` was not written")),
    ("folder", Fails(InvalidOutput, "`answer` is not a regular file")),
    ("link", Fails(InvalidOutput, "`answer` is or lies behind a link")),
    ("link-input", Fails(InvalidOutput, "`answer` is or lies behind a link")),
    ("two-names", Fails(InvalidOutput, "`answer` has more than one name")),
    ("hard-link-input", Fails(Crashed, "ended with exit code 18")),
    ("fifo", Fails(InvalidOutput, "`answer` is not a regular file")),
    ("socket", Fails(InvalidOutput, "`answer` cannot be opened: No such device or address (os error 6)")),
    ("setuid", Answers(&[INPUT])),
    // Staying on: processes that leave their parent, and files in every place that can be written.
    ("daemonise", Answers(&["first", "second"])),
    ("kill-all", Answers(&["alive"])),
    ("peek", Answers(&[CLEAN])),
    // Decent, for comparison: pipes, shared memory, local and loopback sockets.
    ("neighbours", Answers(&["shared 7"])),
];

/// Where an engine makes something else of a mode, and why that is as good.
const DIFFERENCES: &[(Engine, &str, Fate, &str)] = &[
    (
        Engine::Runsc,
        "abort",
        Fails(Crashed, "was killed by signal 6"),
        "its kernel does not make the first process of a container deaf to its own signals",
    ),
    (
        Engine::Runsc,
        "huge",
        Fails(Crashed, "was killed by signal 25"),
        "the same: SIGXFSZ, for too large a file",
    ),
    (
        Engine::Runsc,
        "fork-bomb",
        Fails(Crashed, "ended with exit code 2"),
        "its kernel needs threads of the host for processes of its own, and ends when it gets no more of them",
    ),
    (
        Engine::Runsc,
        "fifo",
        Fails(MissingOutput, "`answer` was not written"),
        "its kernel keeps pipes to itself: none comes into a folder of the host",
    ),
    (
        Engine::Runsc,
        "socket",
        Fails(MissingOutput, "`answer` was not written"),
        "the same, for local sockets",
    ),
];

/// Bytes by which a control group's peak may stand above its limit: cores charge pages in batches of 32.
pub(super) const CHARGED_AHEAD: u64 = 256 << 10;

/// Modes of `models/hostile.c` that are not in the table, since their answers are longer than a table's cell.
const ELSEWHERE: [&str; 4] = ["escape", "count-forks", "fill-scratch", "environment"];

/// What becomes on an engine of each mode that ends, or of each that usually does not, and why where it differs.
fn fates(engine: Engine, late: bool) -> impl Iterator<Item = (&'static str, Fate, &'static str)> {
    let rows = CORPUS.iter().filter(move |(_, usual)| matches!(usual, Late) == late);
    rows.map(move |&(mode, usual)| {
        let differs = DIFFERENCES.iter().find(|(other, name, ..)| *other == engine && *name == mode);
        differs.map_or((mode, usual, ""), |&(_, _, fate, why)| (mode, fate, why))
    })
}

/// What is wrong with how a case ended, if anything. Its program must have been there to try what it does.
fn deviation(
    engine: Engine,
    result: &CaseResult,
    limits: &Limits,
    (mode, fate, why): (&str, Fate, &str),
) -> Option<String> {
    let log = String::from_utf8_lossy(&result.log);
    let peak = result.usage.memory_bytes_peak.unwrap_or(u64::MAX);
    let text = result.outputs.get("answer").map(|bytes| String::from_utf8_lossy(bytes));
    let late = format!("ran longer than {} ms", limits.case_ms);
    let (outcome, reason, texts): (_, _, &[&str]) = match fate {
        Answers(texts) => (Outcome::Ok, "", texts),
        Fails(outcome, reason) => (outcome, reason, &[]),
        Late => (Outcome::TimedOut, late.as_str(), &[]),
    };
    let fits = result.outcome == outcome
        && result.reason == reason
        && text.as_ref().map_or(texts.is_empty(), |text| texts.contains(&text.as_ref()))
        && (log.starts_with(&format!("mode {mode}\n")) || engine.loses_words() && outcome != Outcome::Ok)
        && log.len() <= 128 * 1024
        && peak <= (limits.memory_mib << 20) + engine.own_memory() + CHARGED_AHEAD;
    let ended = (result.outcome, &result.reason, text);
    (!fits).then(|| format!("{mode}: {fate:?} {why}, but {ended:?}, {peak} bytes of memory, log {log:.100}"))
}

fn every_program_has_its_outcome_and_the_next_case_finds_nothing(engine: Engine) {
    let bench = engine.bench();
    let host = Host::watched(&bench);
    let limits = Limits { memory_mib: 128, ..limits() };
    let rows: Vec<_> = fates(engine, false).collect();
    let modes: Vec<&str> = rows.iter().flat_map(|(mode, ..)| [*mode, "peek"]).collect();
    let (results, disk) = peak_of(bench.folder.path(), || bench.modes(&modes, &limits));
    assert_eq!(results.len(), modes.len());
    let next = |(pair, row): (&[CaseResult], &(&str, Fate, &str))| {
        let wrong = deviation(engine, &pair[1], &limits, ("peek", Answers(&[CLEAN]), ""))?;
        Some(format!("after {}: {wrong}", row.0))
    };
    let own =
        results.chunks(2).zip(&rows).filter_map(|(pair, row)| deviation(engine, &pair[0], &limits, *row));
    let wrong: Vec<String> = own.chain(results.chunks(2).zip(&rows).filter_map(next)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The image and its archive, and one file that grew to the largest a program may write before it was seen.
    assert!(disk < 80 << 20, "{disk} bytes of disk were used at once");
    bench.assert_nothing_left("the corpus");
    host.assert_untouched("the corpus");
}

fn what_does_not_end_is_ended_at_its_deadline(engine: Engine) {
    let bench = engine.bench();
    let host = Host::watched(&bench);
    let patience = engine.patience();
    for row in fates(engine, true) {
        let (mode, started) = (row.0, Instant::now());
        let result = bench.modes(&[mode], &patience).remove(0);
        let seconds = Duration::from_millis(patience.case_ms).as_secs_f64();
        assert!(started.elapsed().as_secs_f64() < seconds + 8.0, "{mode}: {:?}", started.elapsed());
        let least = if matches!(row.1, Late) { seconds } else { 0.0 };
        assert!((least..seconds + 2.5).contains(&result.seconds), "{mode}: {} s", result.seconds);
        assert_eq!(deviation(engine, &result, &patience, row), None);
        bench.assert_nothing_left(mode);
        assert_eq!(answer(&bench.modes(&["peek"], &engine.limits())[0]), CLEAN, "the case after {mode}");
    }
    bench.assert_nothing_left("programs that do not end");
    host.assert_untouched("programs that do not end");
}

on_every_engine!(
    every_program_has_its_outcome_and_the_next_case_finds_nothing,
    what_does_not_end_is_ended_at_its_deadline,
);

#[test]
fn the_table_is_the_whole_corpus() {
    let source = include_str!("../../models/hostile.c");
    let modes = source.split("MODE(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let modes: BTreeSet<&str> = modes.collect();
    let listed: Vec<&str> = CORPUS.iter().map(|(mode, _)| *mode).chain(ELSEWHERE).collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), modes);
    assert_eq!(listed.len(), modes.len(), "each once");
    for (engine, mode, fate, why) in DIFFERENCES {
        let usual = CORPUS.iter().find(|(name, _)| name == mode).expect("a difference is about a mode").1;
        assert_ne!(format!("{fate:?}"), format!("{usual:?}"), "{engine:?} does not differ in {mode}");
        assert!(!why.is_empty(), "{engine:?} {mode}");
    }
}
