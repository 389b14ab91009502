//! Models that ask the system for too much, too often.

use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;

use crate::support::{answer, bench, component, limits, model};

#[test]
fn floods_of_calls_end_at_the_deadline_and_harm_nobody() {
    for model in [model(), component()] {
        let bench = bench(1);
        bench.modes_of(model, &["echo"], &limits());
        let modes = ["print-forever", "echo", "open-forever", "echo"];
        let results = bench.modes_of(model, &modes, &Limits { case_ms: 700, ..limits() });
        for pair in results.chunks(2) {
            assert_eq!(
                (pair[0].outcome, pair[0].reason.as_str()),
                (Outcome::TimedOut, "ran longer than 700 ms")
            );
            assert_eq!(answer(&pair[1]), "a,b\n1,2\n");
        }
    }
}

#[test]
fn open_files_are_bounded_and_closed_after_the_case() {
    for model in [model(), component()] {
        let results = bench(1).modes_of(model, &["hoard", "hoard", "echo"], &limits());
        assert_eq!((answer(&results[0]), answer(&results[1])), ("bounded".to_owned(), "bounded".to_owned()));
        answer(&results[2]);
    }
}

#[test]
fn a_sparse_file_counts_in_full() {
    for model in [model(), component()] {
        let result = bench(1).modes_of(model, &["sparse"], &limits()).remove(0);
        assert_eq!(answer(&result), "refused refused");
    }
}

#[test]
fn four_gibibytes_of_random_numbers_are_not_made() {
    for model in [model(), component()] {
        let results = bench(1).modes_of(model, &["noise", "echo"], &limits());
        assert_eq!(results[0].outcome, Outcome::Crashed, "{}", results[0].reason);
        assert!(results[0].seconds < 1.0, "{} s", results[0].seconds);
        answer(&results[1]);
    }
}

#[test]
fn bulk_instructions_beyond_the_end_trap() {
    let trap = |body: &str| {
        let text = format!(
            r#"(module (memory (export "memory") 1) (table $t 4 funcref) (elem $e func $f $f) (data $d "1234")
                (func $f) (func (export "_start") {body}))"#
        );
        let result = bench(1).text(&text, &limits());
        (result.outcome, result.reason)
    };
    let memory = "trapped: out of bounds memory access";
    let table = "trapped: undefined element: out of bounds table access";
    for (body, reason) in [
        ("(memory.fill (i32.const 1) (i32.const 0) (i32.const 65536))", memory),
        ("(memory.copy (i32.const 0) (i32.const 65535) (i32.const -1))", memory),
        ("(memory.init $d (i32.const 0) (i32.const 3) (i32.const 2))", memory),
        ("(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))", memory),
        ("(table.fill $t (i32.const 3) (ref.null func) (i32.const 2))", table),
        ("(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 4))", table),
        ("(table.init $t $e (i32.const 3) (i32.const 0) (i32.const 2))", table),
        ("(call_indirect $t (i32.const 9))", table),
    ] {
        assert_eq!(trap(body), (Outcome::Crashed, reason.to_owned()), "{body}");
    }
}

#[test]
fn a_memory_of_four_gibibytes_is_out_of_memory_and_its_own_maximum_is_not() {
    let grow = |memory: &str, pages: i32, answer: i32| {
        let text = format!(
            r#"(module (memory (export "memory") {memory}) (func (export "_start")
                (if (i32.ne (memory.grow (i32.const {pages})) (i32.const {answer})) (then unreachable))))"#
        );
        bench(1).text(&text, &limits()).outcome
    };
    assert_eq!(grow("1", 65_535, 1), Outcome::OutOfMemory);
    assert_eq!(grow("1", 1024, 1), Outcome::OutOfMemory);
    assert_eq!(grow("1 2", 2, -1), Outcome::MissingOutput, "the module's own limit answers -1");
    assert_eq!(grow("1", 1023, 1), Outcome::MissingOutput, "64 MiB are allowed");
    let whole = r#"(module (memory (export "memory") 65536) (func (export "_start")))"#;
    assert_eq!(bench(1).text(whole, &limits()).outcome, Outcome::OutOfMemory);
}
