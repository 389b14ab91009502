#!/usr/bin/env bash
# Compares Fiel's kernels with other packages on the same seeded inputs and prints one table (Markdown).
#
#   metrics/peers/run.sh [--json FILE] [--ours-only] [WORKLOAD ...]
#
# From a clean clone: makes a virtual environment with the pinned peers (7 GB, torch among them), builds our side,
# makes the inputs (0.8 GB), runs everything on one core in fresh processes. About 15 minutes in all.
#
# FIEL_PEERS_VENV    virtual environment (default ~/.cache/fiel-tools/peers)
# FIEL_PEERS_INPUTS  folder of the inputs (default ~/.cache/fiel-tools/peers-inputs)
# FIEL_PEERS_CORE    the core to run on (default 1)
# FIEL_PEERS_PYTHON  the Python that makes the environment (default python3; the pins are for 3.11)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${FIEL_PEERS_VENV:-$HOME/.cache/fiel-tools/peers}
inputs=${FIEL_PEERS_INPUTS:-$HOME/.cache/fiel-tools/peers-inputs}
target=${CARGO_TARGET_DIR:-$root/target}

[ -x "$venv/bin/python" ] || "${FIEL_PEERS_PYTHON:-python3}" -m venv "$venv"
if ! cat "$here"/requirements*.txt | cmp -s - "$venv/installed.txt"; then
    if "$venv/bin/pip" install --quiet -r "$here/requirements.txt" >&2; then
        "$venv/bin/pip" install --quiet --no-deps -r "$here/requirements-alone.txt" >&2 &&
            cat "$here"/requirements*.txt >"$venv/installed.txt"
    else
        # One by one: a peer that cannot be installed must not keep the others away. The table names what is missing.
        grep -hv '^#' "$here"/requirements*.txt | while read -r package; do
            "$venv/bin/pip" install --quiet "$package" >&2 || echo "run.sh: $package is not installed" >&2
        done
    fi
fi

(cd "$root" && CARGO_TARGET_DIR="$target" cargo build --release --quiet -p fiel-kernels --example workloads) >&2
"$venv/bin/python" "$here/inputs.py" "$inputs"
exec "$venv/bin/python" "$here/compare.py" --binary "$target/release/examples/workloads" --inputs "$inputs" "$@"
