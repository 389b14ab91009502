//! CSV, Parquet or Arrow IPC, as `FIEL_FUZZ_FORMAT` says: `csv`, `parquet` or `arrow`.
//!
//! An example of `fiel-metrics` rather than a target of the fuzzer's own workspace, so that polars is not built once more: only
//! Fiel's crates are instrumented. A panic of a decoder within polars is caught by the reader and is no finding; one of Fiel's is.
#![no_main]

use fiel_metrics::{MetricError, table};
use libfuzzer_sys::fuzz_target;
use std::panic;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A file in memory, by the name of the format.
static TABLE: LazyLock<PathBuf> = LazyLock::new(|| {
    // libFuzzer ends the process at every panic.
    panic::set_hook(Box::new(|panic| {
        if !panic.location().is_some_and(|at| at.file().contains("/registry/src/")) {
            eprintln!("{panic}");
            std::process::abort();
        }
    }));
    let format = std::env::var("FIEL_FUZZ_FORMAT").expect("FIEL_FUZZ_FORMAT says csv, parquet or arrow");
    PathBuf::from(format!("/dev/shm/fiel-fuzz-{}.{format}", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*TABLE, bytes).expect("memory takes a small file");
    match table::read(&TABLE) {
        Ok(read) => {
            let again = table::read(&TABLE).expect("what was read is read again");
            assert!(again.equals_missing(&read), "the same bytes are the same table");
            assert!(read.columns().iter().all(|column| column.len() == read.height()));
        }
        Err(MetricError::File { problem, .. }) => assert!(!problem.is_empty()),
        Err(other) => panic!("{other}"),
    }
});
