#!/usr/bin/env bash
# Runs every fuzz target for SECONDS (60 unless told) on the stable compiler, two at a time, and prints executions and
# coverage for each. Exits with 1 if one crashes, takes more than 10 s for an input or needs more than 2 GiB; the
# input then lies in artifacts/TARGET/.
#
#   run.sh [SECONDS] [TARGET...]
#   SANITIZER=address run.sh    with AddressSanitizer (uses the compiler's unstable flag)
#   MERGE=1 run.sh ...          afterwards adds to corpus/TARGET/ the new inputs of up to 4 KiB that reach new code
#
# The readers of tables (csv, parquet, arrow) are one program, tables/main.rs, an example of fiel-metrics.
# What a run finds is kept in work/TARGET/ and used by the next one; corpus/TARGET/ is committed. A new target needs
# fuzz_targets/NAME.rs, its [[bin]] in Cargo.toml, a few files in corpus/NAME/ and, if it helps, dictionaries/NAME.dict.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift
tables='csv parquet arrow'
if [ $# -eq 0 ]; then
    for file in fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
    set -- "$@" $tables
fi

host=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes; only the sanitizer needs more than a stable compiler.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
if [ -n "${SANITIZER:-}" ]; then
    flags="$flags -Zsanitizer=$SANITIZER"
    export RUSTC_BOOTSTRAP=1
fi
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
RUSTFLAGS="$flags" cargo build --release --quiet --bins --target "$host" --target-dir "$target_dir"
export seconds bins="$target_dir/$host/release"
# The readers of tables, among the workspace's examples: its other crates are not instrumented, and are there already where its
# tests have been built.
export FIEL_FUZZ_FLAGS="$flags"
(cd ../.. && RUSTC_WORKSPACE_WRAPPER="$PWD/metrics/fuzz/instrument.sh" \
    cargo build --quiet --workspace --features fiel-metrics/fuzz --example fuzz_tables)
tables_bin="$(cd ../.. && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"
export tables_bin="$tables_bin/debug/examples/fuzz_tables"

fuzz_one() {
    local target=$1 log dict=()
    mkdir -p "work/$target" "artifacts/$target" "corpus/$target"
    log="work/$target.log"
    [ -f "dictionaries/$target.dict" ] && dict=("-dict=dictionaries/$target.dict")
    local state=ok program=$bins/$target
    case $target in csv | parquet | arrow) program=$tables_bin ;; esac
    FIEL_FUZZ_FORMAT=$target "$program" "work/$target" "corpus/$target" "${dict[@]}" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -malloc_limit_mb=2048 -max_len=65536 -print_final_stats=1 -use_value_profile=1 \
        -artifact_prefix="artifacts/$target/" >"$log" 2>&1 || state=FAILED
    local runs edges
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    printf '%-12s %-7s %10s executions %6s edges covered\n' "$target" "$state" "${runs:-0}" "${edges:-0}"
    if [ $state = FAILED ]; then
        grep -m1 -A4 -E 'panicked|ERROR: |SUMMARY' "$log" >&2 || tail -5 "$log" >&2
        return 1
    fi
}
export -f fuzz_one

status=0
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'fuzz_one {}' || status=1

if [ "${MERGE:-}" = 1 ]; then
    for target in "$@"; do
        small=$(mktemp -d)
        find "work/$target" -type f -size -5k -exec cp {} "$small" \;
        program=$bins/$target
        case $target in csv | parquet | arrow) program=$tables_bin ;; esac
        FIEL_FUZZ_FORMAT=$target "$program" -merge=1 "corpus/$target" "$small" >/dev/null 2>&1 || status=1
        rm -r "$small"
    done
fi
rm -f /dev/shm/fiel-fuzz-*
exit $status
