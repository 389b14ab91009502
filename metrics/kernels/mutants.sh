#!/usr/bin/env bash
# Changes the kernels in small ways (cargo-mutants' list) and tells which changes no test notices.
#
#   mutants.sh                    every mutant: a build of about 3 minutes, then some 0.1 s of one core for each
#   SAMPLE=400 mutants.sh         400 of them, drawn at random; SEED=n (1) chooses which
#   WITHIN=image/ mutants.sh      those of files in whose path that occurs
#   ONE_BY_ONE=1 mutants.sh ...   with cargo-mutants alone, which builds the crate anew for each mutant (20 s): what
#                                 follows goes to it as it is, as in `-f area.rs --shard 3/500`; SAMPLE counts as well
#
# All mutants are built into one copy of the tests, each behind a switch (mutants/at_once.py), and switched on one after
# the other against the tests that reach them (mutants/measure.py). A few per cent cannot be switched; they are listed
# in left_out.json and can be run with ONE_BY_ONE=1. A run that was stopped goes on where it was, as long as neither the
# kernels nor their tests have changed.
#
# Works on the tracked files alone, in a copy in which the bodies of `vectorized!` are plain functions, because
# cargo-mutants does not look into macros. Needs cargo-mutants (`cargo install cargo-mutants --locked`) and Python 3.
#
# FIEL_MUTANTS  folder of the copy, its build and the outcomes (default ~/.cache/fiel-tools/mutants)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${FIEL_MUTANTS:-$HOME/.cache/fiel-tools/mutants}
copy=$work/copy
export CARGO_TARGET_DIR=$work/target CARGO_INCREMENTAL=1
mkdir -p "$work"

# What the outcomes depend on.
state=$(cd "$root" && git ls-files -z metrics Cargo.lock Cargo.toml .cargo | xargs -0 sha256sum | sha256sum)

fresh_copy() {
    rm -rf "$copy"
    mkdir -p "$copy"
    (cd "$root" && git ls-files -z | tar --null -T - -cf -) | tar -xf - -C "$copy"
    grep -rl '^vectorized! {$' "$copy/metrics/kernels/src" | while read -r file; do
        # Keeps the numbers of the lines.
        awk '/^vectorized! \{$/ { inside = 1; print ""; next } inside && /^\}$/ { inside = 0; print ""; next }
            { print }' "$file" >"$work/unwrapped.rs"
        mv "$work/unwrapped.rs" "$file"
    done
}

if [ -n "${ONE_BY_ONE:-}" ]; then
    fresh_copy
    cd "$copy"
    # Shrinking a failure and remembering it cost more than finding it.
    export PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
    # Stops at the first test that fails.
    tool=cargo
    command -v cargo-nextest >/dev/null && tool=nextest
    if [ -n "${SAMPLE:-}" ]; then
        cargo mutants -p fiel-kernels --list --json "$@" >"$work/list.json"
        python3 - "$SAMPLE" "${SEED:-1}" "$work/list.json" >"$work/sample.toml" <<'PYTHON'
import json, random, re, sys
size, seed, names = int(sys.argv[1]), int(sys.argv[2]), sorted(m["name"] for m in json.load(open(sys.argv[3])))
chosen = random.Random(seed).sample(names, min(size, len(names)))
print(open(".cargo/mutants.toml").read())
print("examine_re =", json.dumps(["^" + re.escape(name) + "$" for name in chosen]))
print(f"{len(chosen)} of {len(names)} mutants, seed {seed}", file=sys.stderr)
PYTHON
        set -- --config "$work/sample.toml" "$@"
    fi
    exec cargo mutants -p fiel-kernels --in-place --test-tool "$tool" --output "$work" "$@"
fi

venv=$work/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet -r "$here/mutants/requirements.txt"
if [ "$(cat "$work/state" 2>/dev/null)" != "$state" ]; then
    rm -f "$work"/{state,reached.jsonl,outcomes.jsonl}
    fresh_copy
    (cd "$copy" && cargo mutants -p fiel-kernels --list --json) >"$work/list.json"
    [ "$(head -c 3 "$work/list.json")" != "[]" ] || { echo "cargo-mutants lists nothing: look at .cargo/mutants.toml" >&2; exit 1; }
    "$venv/bin/python" "$here/mutants/at_once.py" "$work/list.json" "$copy" "$work"
    # The tests' binaries, whose names Cargo tells.
    (cd "$copy" && cargo test --profile mutants -p fiel-kernels --lib --test it --no-run --message-format=json) |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$work/binaries"
    echo "$state" >"$work/state"
fi
mapfile -t binaries <"$work/binaries"
"$venv/bin/python" "$here/mutants/measure.py" "$work" "$copy/metrics/kernels" "${binaries[@]}" \
    ${SAMPLE:+--sample "$SAMPLE"} --seed "${SEED:-1}" --within "${WITHIN:-}"
