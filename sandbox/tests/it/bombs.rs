//! Files made to keep a compiler busy. Each is compiled within its bounds or refused; the next model is none the worse.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fiel_sandbox::{CompileLimits, Refusal};
use fiel_schemas::api::FailureReason;

use crate::support::{Bench, answer, bench, case, limits, model};

/// A bench that gives a compilation 4 s and 512 MiB.
fn strict() -> Bench {
    let limits = CompileLimits { wall: Duration::from_secs(4), memory_bytes: 512 << 20, compiled_bytes: 64 << 20 };
    let bench = bench(1);
    Bench { sandbox: bench.sandbox.with_compile_limits(limits), ..bench }
}

/// What becomes of a bomb, after which an ordinary model must compile and run.
fn light(bomb: &[u8]) -> Result<(), Refusal> {
    let bench = strict();
    let started = Instant::now();
    let prepared = bench.prepare(bomb);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    let kept = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let cache = bench.folder.path().join("cache");
    assert!(std::fs::read_dir(cache).unwrap().flatten().all(|entry| kept(&entry)), "a draft was left");
    let decent = bench.prepare(model()).unwrap();
    answer(&bench.cases(&decent, &limits(), vec![case("echo", b"1")])[0]);
    prepared.map(|_| ())
}

fn light_text(text: &str) -> Result<(), Refusal> {
    light(&wat::parse_str(text).unwrap())
}

fn reason(result: Result<(), Refusal>) -> FailureReason {
    result.unwrap_err().reason
}

/// A command module around these items, whose `_start` has this body.
fn command(items: &str, body: &str) -> String {
    format!(r#"(module {items} (memory (export "memory") 1) (func $start (export "_start") {body}))"#)
}

#[test]
fn very_many_small_functions() {
    let functions = "(func (param i32) (result i32) local.get 0)".repeat(300_000);
    assert_eq!(reason(light_text(&command(&functions, ""))), FailureReason::CompileLimit);
}

#[test]
fn a_function_of_many_megabytes() {
    let body = "(local.set 0 (i64.mul (local.get 0) (i64.add (local.get 0) (i64.const 3))))".repeat(500_000);
    assert_eq!(reason(light_text(&command("", &format!("(local i64) {body}")))), FailureReason::CompileLimit);
    let too_large = "nop ".repeat(8_000_000);
    assert_eq!(reason(light_text(&command("", &too_large))), FailureReason::ArtifactInvalid);
}

#[test]
fn very_many_locals() {
    let body = format!("(local {})", "i64 ".repeat(60_000));
    assert_eq!(reason(light_text(&command("", &body))), FailureReason::ArtifactInvalid);
}

#[test]
fn blocks_nested_without_end() {
    let depth = 200_000;
    let body = format!("{} {}", "block ".repeat(depth), "end ".repeat(depth));
    light_text(&command("", &body)).unwrap();
    let body = format!("{} {}", "i32.const 0 if ".repeat(depth), "else end ".repeat(depth));
    assert_eq!(reason(light_text(&command("", &body))), FailureReason::CompileLimit);
}

#[test]
fn a_branch_table_of_a_million_targets() {
    let targets = (0..1_000_000).fold(String::new(), |mut text, n| {
        let _infallible = write!(text, "{} ", n % 3);
        text
    });
    let body = format!("block block block i32.const 1 br_table {targets} 0 end end end");
    light_text(&command("", &body)).unwrap();
}

#[test]
fn very_many_types_imports_and_exports() {
    let types = (0..200_000).fold(String::new(), |mut text, n| {
        let _infallible = write!(text, "(type (func (param {})))", "i32 ".repeat(n % 8));
        text
    });
    light_text(&command(&types, "")).unwrap();
    let exports = (0..100_000).fold(String::new(), |mut text, n| {
        let _infallible = write!(text, "(export \"{n}\" (func $start))");
        text
    });
    light_text(&command(&exports, "")).unwrap();
    let import = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    light_text(&command(&import.repeat(50_000), "")).unwrap();
    let unknown = r#"(import "env" "x" (func))"#.repeat(50_000);
    assert_eq!(reason(light_text(&command(&unknown, ""))), FailureReason::ImportRefused);
}

#[test]
fn data_and_element_segments_without_end() {
    let data = r#"(data (i32.const 0) "x")"#.repeat(150_000);
    assert_eq!(reason(light_text(&command(&data, ""))), FailureReason::ArtifactInvalid);
    let elements = "(table 10 funcref)".to_owned() + &"(elem (i32.const 0) func $start)".repeat(150_000);
    assert_eq!(reason(light_text(&command(&elements, ""))), FailureReason::ArtifactInvalid);
}

#[test]
fn components_that_instantiate_each_other_exponentially() {
    let run = r#"(core module $main (func (export "run") (result i32) i32.const 0))
        (core instance $main (instantiate $main))
        (func $run (result (result)) (canon lift (core func $main "run")))
        (instance $entry (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $entry))"#;
    let levels = (1..30).fold(
        "(component $c0 (core module $m (func)) (core instance (instantiate $m)))".to_owned(),
        |text, level| {
            let below = level - 1;
            format!("{text} (component $c{level} (instance (instantiate $c{below})) (instance (instantiate $c{below})))")
        },
    );
    let bomb = format!("(component {levels} (instance (instantiate $c29)) {run})");
    assert_eq!(reason(light_text(&bomb)), FailureReason::CompileLimit);
}

#[test]
fn components_nested_very_deeply() {
    assert_eq!(reason(light(&deep(5_000))), FailureReason::ArtifactInvalid);
}

#[test]
fn a_type_that_doubles_with_every_line() {
    let types = (1..40).fold("(type $t0 (tuple u8 u8))".to_owned(), |text, level| {
        let below = level - 1;
        format!("{text} (type $t{level} (tuple $t{below} $t{below}))")
    });
    assert_eq!(reason(light_text(&format!("(component {types})"))), FailureReason::ArtifactInvalid);
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
