//! Files made to keep a compiler busy. Each is compiled within its bounds, which depends on the machine, or refused; the
//! next model is none the worse.

use std::time::{Duration, Instant};

use fiel_sandbox::{CompileLimits, Refusal};
use fiel_schemas::api::FailureReason;

use crate::support::{Bench, answer, bench, case, limits, model};

/// A bench that gives a compilation 4 s and 512 MiB.
fn strict() -> Bench {
    let limits =
        CompileLimits { wall: Duration::from_secs(4), memory_bytes: 512 << 20, compiled_bytes: 64 << 20 };
    let bench = bench(1);
    Bench { sandbox: bench.sandbox.with_compile_limits(limits), ..bench }
}

/// What becomes of a bomb, after which an ordinary model must compile and run.
fn light(bomb: &[u8]) -> Result<(), Refusal> {
    let bench = strict();
    let started = Instant::now();
    let prepared = bench.prepare(bomb);
    assert!(started.elapsed() < Duration::from_secs(4 + 8), "{:?}", started.elapsed());
    let kept = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let cache = bench.folder.path().join("cache");
    assert!(std::fs::read_dir(cache).unwrap().flatten().all(|entry| kept(&entry)), "a draft was left");
    let decent = bench.prepare(model()).unwrap();
    answer(&bench.cases(&decent, &limits(), vec![case("echo", b"1")])[0]);
    prepared.map(|_| ())
}

/// A bomb that the engine refuses for what it is.
fn is_refused(text: &str) {
    let refusal = light(&wat::parse_str(text).unwrap()).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::ArtifactInvalid, "{}", refusal.message);
}

/// A bomb that is as it should be, only large: a fast machine compiles it, a slow one gives up in time.
fn is_bounded(text: &str) {
    if let Err(refusal) = light(&wat::parse_str(text).unwrap()) {
        assert_eq!(refusal.reason, FailureReason::CompileLimit, "{}", refusal.message);
    }
}

/// A command module around these items, whose `_start` has this body.
fn command(items: &str, body: &str) -> String {
    format!(r#"(module {items} (memory (export "memory") 1) (func $start (export "_start") {body}))"#)
}

#[test]
fn very_many_small_functions() {
    is_bounded(&command(&"(func (param i32) (result i32) local.get 0)".repeat(300_000), ""));
}

#[test]
fn a_function_of_many_megabytes() {
    let line = "(local.set 0 (i64.mul (local.get 0) (i64.add (local.get 0) (i64.const 3))))";
    is_bounded(&command("", &format!("(local i64) {}", line.repeat(500_000))));
    is_refused(&command("", &"nop ".repeat(8_000_000)));
}

#[test]
fn very_many_locals() {
    is_refused(&command("", &format!("(local {})", "i64 ".repeat(60_000))));
}

#[test]
fn blocks_nested_without_end() {
    let depth = 200_000;
    is_bounded(&command("", &format!("{} {}", "block ".repeat(depth), "end ".repeat(depth))));
    is_bounded(&command("", &format!("{} {}", "i32.const 0 if ".repeat(depth), "else end ".repeat(depth))));
}

#[test]
fn branch_tables_of_very_many_targets() {
    let table = |count: usize| {
        let targets: Vec<String> = (0..count).map(|n| (n % 3).to_string()).collect();
        command("", &format!("block block block i32.const 1 br_table {} 0 end end end", targets.join(" ")))
    };
    is_bounded(&table(60_000));
    is_refused(&table(1_000_000));
}

#[test]
fn very_many_types_imports_and_exports() {
    let types: Vec<String> =
        (0..200_000).map(|n| format!("(type (func (param {})))", "i32 ".repeat(n % 8))).collect();
    is_bounded(&command(&types.concat(), ""));
    let exports: Vec<String> = (0..100_000).map(|n| format!("(export \"{n}\" (func $start))")).collect();
    is_bounded(&command(&exports.concat(), ""));
    let import = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    is_bounded(&command(&import.repeat(50_000), ""));
    let unknown = command(&r#"(import "env" "x" (func))"#.repeat(50_000), "");
    let refusal = light(&wat::parse_str(unknown).unwrap()).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::ImportRefused);
}

#[test]
fn data_and_element_segments_without_end() {
    is_refused(&command(&r#"(data (i32.const 0) "x")"#.repeat(150_000), ""));
    let elements = "(elem (i32.const 0) func $start)".repeat(150_000);
    is_refused(&command(&format!("(table 10 funcref) {elements}"), ""));
}

#[test]
fn components_that_instantiate_each_other_exponentially() {
    let run = r#"(core module $main (func (export "run") (result i32) i32.const 0))
        (core instance $main (instantiate $main))
        (func $run (result (result)) (canon lift (core func $main "run")))
        (instance $entry (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $entry))"#;
    let level = |n: usize| {
        let below = n - 1;
        format!("(component $c{n} (instance (instantiate $c{below})) (instance (instantiate $c{below})))")
    };
    let first = "(component $c0 (core module $m (func)) (core instance (instantiate $m)))";
    let levels: Vec<String> = (1..30).map(level).collect();
    let bomb = format!("(component {first} {} (instance (instantiate $c29)) {run})", levels.concat());
    // A billion instances: no machine gets there.
    let refusal = light(&wat::parse_str(bomb).unwrap()).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::CompileLimit, "{}", refusal.message);
}

#[test]
fn components_nested_very_deeply() {
    let refusal = light(&deep(5_000)).unwrap_err();
    assert!(
        matches!(refusal.reason, FailureReason::ArtifactInvalid | FailureReason::CompileLimit),
        "refused once the file is read, unless that takes too long: {}",
        refusal.message
    );
}

#[test]
fn a_type_that_doubles_with_every_line() {
    let line = |n: usize| format!("(type $t{n} (tuple $t{below} $t{below}))", below = n - 1);
    let lines: Vec<String> = (1..40).map(line).collect();
    is_refused(&format!("(component (type $t0 (tuple u8 u8)) {})", lines.concat()));
}

/// A component that holds a component that holds ..., as bytes: the text format gives up earlier.
fn deep(depth: usize) -> Vec<u8> {
    const HEAD: &[u8] = b"\0asm\x0d\0\x01\0";
    (0..depth).fold(HEAD.to_vec(), |inner, _| {
        let mut outer = HEAD.to_vec();
        outer.push(4);
        let mut length = inner.len();
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        [outer, inner].concat()
    })
}
