//! Components beside core modules.

use fiel_schemas::api::FailureReason;
use fiel_schemas::outcome::Outcome;

use crate::support::{answer, bench, component, limits};

/// A component around `items` that exports `wasi:cli/run` with a `run` of this core body.
fn command(items: &str, body: &str) -> String {
    format!(
        r#"(component {items}
            (core module $main (func (export "run") (result i32) {body}))
            (core instance $main (instantiate $main))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (instance $entry (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $entry)))"#
    )
}

fn refused(text: &str) -> (FailureReason, String) {
    let refusal = bench(1).prepare(&wat::parse_str(text).unwrap()).unwrap_err();
    (refusal.reason, refusal.message)
}

#[test]
fn a_component_runs_like_a_module() {
    let bench = bench(1);
    let results = bench.modes_of(component(), &["echo", "exit0", "chatter"], &limits());
    assert_eq!(answer(&results[0]), "a,b\n1,2\n");
    assert_eq!(results[0].log, b"mode echo of 1 arguments\n");
    assert_eq!(answer(&results[1]), "", "leaving by exit(0) is a good end");
    assert_eq!((results[2].outcome, results[2].log.len()), (Outcome::Ok, 64 * 1024));
    assert!(bench.prepare(component()).unwrap().cached, "compiled once");
}

#[test]
fn one_lane_and_two_lanes_agree() {
    let modes = ["compute", "echo", "chance", "trap", "nothing", "peek", "exit3", "chance"];
    let run = |parallel| {
        let results = bench(parallel).modes_of(component(), &modes, &limits());
        results.into_iter().map(|r| (r.index, r.outcome, r.reason, r.outputs, r.log)).collect::<Vec<_>>()
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one[2].3, one[7].3, "clocks and random numbers are the same for every case");
    let chance = String::from_utf8(one[2].3["answer"].clone()).unwrap();
    assert!(chance.starts_with("946684800 ") && chance.contains(" 1000 946684800 "), "{chance}");
}

#[test]
fn the_least_component_ends_well_or_badly_as_it_says() {
    let outcome = |items: &str, body: &str| bench(1).text(&command(items, body), &limits()).outcome;
    assert_eq!(outcome("", "i32.const 0"), Outcome::MissingOutput, "a good end without a file");
    assert_eq!(outcome("", "i32.const 1"), Outcome::Crashed, "run answered an error");
    assert_eq!(outcome("", "unreachable"), Outcome::Crashed);
    assert_eq!(outcome("", "i32.const 7"), Outcome::Crashed, "neither of the two answers there are");
}

#[test]
fn sockets_http_and_what_nobody_knows_are_refused_by_name() {
    let import = |name: &str| format!(r#"(import "{name}" (instance (export "f" (func))))"#);
    for name in [
        "wasi:sockets/tcp@0.2.0",
        "wasi:sockets/ip-name-lookup@0.2.6",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:nn/graph@0.2.0-rc-2024-06-25",
        "wasi:nn/training@0.2.0-rc-2024-10-28",
        "wasi:cli/environment@0.3.0",
        "wasi:keyvalue/store@0.2.0",
        "my:own/things",
    ] {
        let (reason, message) = refused(&command(&import(name), "i32.const 0"));
        assert_eq!(reason, FailureReason::ImportRefused, "{name}");
        assert!(message.contains(name), "{message}");
    }
    let both =
        import("wasi:sockets/udp@0.2.0") + &import("wasi:http/types@0.2.0") + &import("wasi:cli/exit@0.2.0");
    let (_, message) = refused(&command(&both, "i32.const 0"));
    assert!(message.contains("(2): wasi:sockets/udp@0.2.0, wasi:http/types@0.2.0;"), "{message}");
    let (reason, message) = refused(&command(&import("wasi:random/random@0.2.0"), "i32.const 0"));
    assert_eq!(reason, FailureReason::ImportRefused, "another type: {message}");
    let function = r#"(import "print" (func (param "text" string)))"#;
    assert_eq!(refused(&command(function, "i32.const 0")).0, FailureReason::ImportRefused);
}

#[test]
fn a_component_that_lies_about_its_entry_is_refused() {
    let export = |interface: &str, function: &str, ty: &str, core: &str| {
        format!(
            r#"(component (core module $m (func (export "f") {core}))
                (core instance $i (instantiate $m))
                (func $f {ty} (canon lift (core func $i "f")))
                (instance $entry (export "{function}" (func $f)))
                (export "{interface}" (instance $entry)))"#
        )
    };
    let number = "(result i32) i32.const 0";
    for (text, word) in [
        (export("wasi:cli/run@0.2.0", "run", "(result u32)", number), "another type"),
        (
            export(
                "wasi:cli/run@0.2.6",
                "run",
                r#"(param "x" u32) (result (result))"#,
                "(param i32) (result i32) i32.const 0",
            ),
            "another type",
        ),
        (export("fiel:model/inference@1.0.0", "predict", "(result u32)", number), "another type"),
        (export("fiel:model/inference@2.0.0", "predict", "(result u32)", number), "exports neither"),
        (export("wasi:cli/run@0.2.0", "walk", "(result (result))", number), "exports neither"),
        (export("wasi:cli/run@0.3.0", "run", "(result (result))", number), "exports neither"),
        (r"(component)".to_owned(), "exports neither"),
        (
            r#"(component (core module $m) (export "wasi:cli/run@0.2.0" (core module $m)))"#.to_owned(),
            "exports neither",
        ),
    ] {
        let (reason, message) = refused(&text);
        assert_eq!(reason, FailureReason::ArtifactInvalid, "{text}");
        assert!(message.contains(word), "{text}: {message}");
    }
}

#[test]
fn memories_tables_and_instances_are_bounded_together() {
    let outcome = |items: &str| {
        let result = bench(1).text(&command(items, "i32.const 0"), &limits());
        (result.outcome, result.reason)
    };
    let many = |part: &str, count: usize| part.repeat(count);
    let memory = "(core module $m (memory 160))".to_owned();
    let fits = memory.clone() + &many("(core instance (instantiate $m))", 6);
    assert_eq!(outcome(&fits).0, Outcome::MissingOutput, "six memories of 10 MiB");
    let exceeds = memory + &many("(core instance (instantiate $m))", 7);
    assert_eq!(outcome(&exceeds), (Outcome::OutOfMemory, "asked for more than 64 MiB of memory".to_owned()));
    for (module, count) in [
        ("(core module $m)", 130),
        ("(core module $m (memory 1))", 33),
        ("(core module $m (table 1 funcref) (table 1 funcref))", 65),
        ("(core module $m (table 600000 funcref))", 2),
        ("(core module $m (table 10000000 funcref))", 1),
    ] {
        let items = module.to_owned() + &many("(core instance (instantiate $m))", count);
        let (outcome, reason) = outcome(&items);
        assert_eq!(outcome, Outcome::Crashed, "{count} of {module}");
        assert_eq!(reason, "failed while it was started or while it called the system");
    }
}

#[test]
fn threads_relaxed_simd_memory64_and_second_memories_are_refused_within_components() {
    for module in [
        "(core module (memory 1 2 shared))",
        "(core module (memory i64 1))",
        "(core module (memory 1) (memory 1))",
        "(core module (func (drop (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))",
        "(type (stream u8))",
        "(type (future u8))",
    ] {
        assert_eq!(refused(&command(module, "i32.const 0")).0, FailureReason::ArtifactInvalid, "{module}");
    }
}
