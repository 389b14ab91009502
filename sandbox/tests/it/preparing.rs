//! Which modules are compiled, and how often.

use std::time::{Duration, Instant};

use fiel_sandbox::{CompileLimits, Refusal, Sandbox};
use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::sha256_hex;

use crate::support::{Bench, bench, config, limits, model, wasm};

fn refused(module: &[u8]) -> Refusal {
    bench(1).prepare(module).unwrap_err()
}

fn refused_text(text: &str) -> Refusal {
    refused(&wat::parse_str(text).unwrap())
}

#[test]
fn what_is_not_a_module_is_refused_with_the_reason() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "not WebAssembly"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0", "not WebAssembly"),
        (b"\0asm\x0d\0\x01\0", "exports neither"),
        (b"\0asm\x0d\0\x01\0\xff\xff\xff", "not a valid component"),
        (b"\0asm\x0c\0\x01\0", "version"),
        (b"\0asm\x02\0\0\0", "version"),
        (b"\0asm\x01\0\0\0\xff\xff\xff", "not a valid module"),
    ];
    for (module, word) in cases {
        let refusal = refused(module);
        assert_eq!(refusal.reason, FailureReason::ArtifactInvalid, "{module:?}");
        assert!(refusal.message.contains(word), "{module:?}: {}", refusal.message);
    }
}

#[test]
fn an_import_that_is_not_offered_is_refused_by_name() {
    let refusal = refused_text(
        r#"(module (import "env" "open_socket" (func)) (import "wasi_snapshot_preview1" "no_such" (func))
            (memory (export "memory") 1) (func (export "_start")))"#,
    );
    assert_eq!(refusal.reason, FailureReason::ImportRefused);
    assert!(
        refusal.message.contains("env::open_socket, wasi_snapshot_preview1::no_such"),
        "{}",
        refusal.message
    );
    let refusal = refused_text(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param f64)))
            (memory (export "memory") 1) (func (export "_start")))"#,
    );
    assert_eq!(refusal.reason, FailureReason::ImportRefused, "{}", refusal.message);
}

#[test]
fn a_module_without_start_or_memory_is_refused() {
    let memory = r#"(memory (export "memory") 1)"#;
    for (text, word) in [
        (format!("(module {memory})"), "_start"),
        (format!(r#"(module {memory} (func (export "_start") (param i32)))"#), "_start"),
        (r#"(module (func (export "_start")))"#.to_owned(), "memory"),
    ] {
        let refusal = refused_text(&text);
        assert_eq!(refusal.reason, FailureReason::ArtifactInvalid);
        assert!(refusal.message.contains(word), "{}", refusal.message);
    }
}

#[test]
fn threads_relaxed_simd_and_second_memories_are_refused() {
    for text in [
        r#"(module (memory (export "memory") 1 2 shared) (func (export "_start")))"#,
        r#"(module (memory (export "memory") i64 1) (func (export "_start")))"#,
        r#"(module (memory (export "memory") 1) (memory 1) (func (export "_start")))"#,
        r#"(module (memory (export "memory") 1) (func (export "_start")
            (drop (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))"#,
    ] {
        assert_eq!(refused_text(text).reason, FailureReason::ArtifactInvalid, "{text}");
    }
}

#[test]
fn another_digest_is_refused() {
    let bench = bench(1);
    let path = bench.folder.path().join("model.wasm");
    std::fs::write(&path, model()).unwrap();
    let refusal = bench.sandbox.prepare(&wasm(&path, &sha256_hex(b"something else"))).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::DigestMismatch);
}

#[test]
fn a_module_is_compiled_once() {
    let first = bench(1);
    let prepared = first.prepare(model()).unwrap();
    assert!(!prepared.cached && prepared.load_s > 0.0);
    assert!(first.prepare(model()).unwrap().cached);
    // Also after a restart; metering is another configuration.
    let again = Sandbox::new(config(first.folder.path(), 1, false)).unwrap();
    let Bench { folder, .. } = first;
    let reopened = Bench { sandbox: again, folder };
    assert!(reopened.prepare(model()).unwrap().cached);
    let metered = Sandbox::new(config(reopened.folder.path(), 1, true)).unwrap();
    let metered = Bench { sandbox: metered, folder: reopened.folder };
    assert!(!metered.prepare(model()).unwrap().cached);
}

#[test]
fn a_damaged_compiled_module_is_made_again() {
    let bench = bench(1);
    bench.prepare(model()).unwrap();
    for entry in std::fs::read_dir(bench.folder.path().join("cache")).unwrap() {
        std::fs::write(entry.unwrap().path(), b"torn").unwrap();
    }
    let results = bench.modes(&["echo"], &limits());
    assert_eq!(results[0].outcome.as_str(), "ok");
}

/// Functions so long that an optimising compiler needs about a second and 100 MiB.
fn bomb() -> Vec<u8> {
    let body = "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.rotl (local.get 0) (i64.const 7))) (i64.const 3)))";
    let function = format!("(func (param i64) {})", body.repeat(60_000));
    let text =
        format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {})"#, function.repeat(2));
    wat::parse_str(text).unwrap()
}

#[test]
fn compiling_is_bounded_in_time_and_memory() {
    let module = bomb();
    let limits = CompileLimits { wall: Duration::from_millis(100), ..CompileLimits::default() };
    let short = bench(1);
    let short = Bench { sandbox: short.sandbox.with_compile_limits(limits), ..short };
    let started = Instant::now();
    let refusal = short.prepare(&module).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::CompileLimit, "{}", refusal.message);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let limits = CompileLimits { memory_bytes: 48 << 20, ..CompileLimits::default() };
    let small = bench(1);
    let small = Bench { sandbox: small.sandbox.with_compile_limits(limits), ..small };
    let refusal = small.prepare(&module).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::CompileLimit, "{}", refusal.message);
    assert!(small.prepare(model()).is_ok(), "a decent module needs less");
    let kept = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    assert!(
        std::fs::read_dir(small.folder.path().join("cache")).unwrap().flatten().all(|entry| kept(&entry)),
        "a draft was left"
    );
}
