#!/usr/bin/env bash
# All set-up and all tests, on a bare Debian 12 machine with cargo: `bash tests/run.sh`.
# Packages come from Debian and crates.io by name; everything else is in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian packages: a C++ compiler for the fuzzer, the WebAssembly toolchain of the baselines, a browser with its driver, Python to look into SQLite
# and to run the examples' scripts, PostgreSQL; the container runtimes that the sandbox drives, a client of registries
# and a registry; what builds images.
packages=(g++ clang lld wasi-libc libclang-rt-14-dev-wasm32 chromium chromium-driver python3 python3-venv
  runc crun runsc podman skopeo docker-registry mmdebstrap buildah python3-pip)
command -v initdb >/dev/null || packages+=(postgresql)
bash tests/packages.sh "${packages[@]}"

# An S3 store that checks signatures, for the blob store's tests.
tools="${FIEL_TOOLS:-$HOME/.cache/fiel-tools}"
if [ ! -x "$tools/bin/s3s-fs" ]; then
  cargo install s3s-fs --version 0.14.1 --features binary --locked --debug --root "$tools"
fi
# What the scripts of the container examples import.
if [ ! -x "$tools/python/bin/python3" ]; then
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" install --quiet numpy==2.2.6 SimpleITK==2.5.2
fi
export PATH="$tools/python/bin:$tools/bin:$PATH"

# The rules of accessibility that the browser test holds every page against.
export FIEL_AXE="$tools/axe/node_modules/axe-core/axe.min.js"
if [ ! -s "$FIEL_AXE" ]; then
  command -v npm >/dev/null || { apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends npm; }
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools/axe" axe-core@4.14.1
fi
# The library that a site may install for ONNX models, from its Python wheel (20 MB); no Python runs it here.
runtime="$tools/onnxruntime-1.32.0"
if [ ! -d "$runtime" ]; then
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install -q --no-deps --target "$runtime.new" onnxruntime==1.32.0
  mv "$runtime.new" "$runtime"
fi
FIEL_ONNXRUNTIME="$(echo "$runtime"/onnxruntime/capi/libonnxruntime.so.1.*)"
export FIEL_ONNXRUNTIME

# The examples that are container images, built once for each state of what they are built from: a minute or two, mostly
# downloads, and 165 MB.
sources="$(find challenges/build-images.sh challenges/*/baselines -type f -not -path '*/__pycache__/*' -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16)"
export FIEL_IMAGES="$tools/images-$sources"
if [ ! -d "$FIEL_IMAGES" ]; then
  find "$tools" -maxdepth 1 -name 'images-*' -mtime +30 -exec rm -rf {} +
  built="$(mktemp -d "$tools/building.XXXXXX")"
  challenges/build-images.sh "$built" || { rm -rf "$built"; exit 1; }
  # Whoever built the same meanwhile has put it there.
  mv -T "$built" "$FIEL_IMAGES" || rm -rf "$built"
fi
touch "$FIEL_IMAGES"

cargo fmt --all --check
bash challenges/build-baselines.sh --check
cargo clippy --workspace --all-targets -- -D warnings
cargo build --workspace --all-targets

# Everything on SQLite; then every test that starts a hub again, on a real PostgreSQL. A hub that is not on the
# database that the variable offers fails its test (tests/src/database.rs).
cargo test --workspace --no-fail-fast
bash tests/with-postgres.sh cargo test --workspace --no-fail-fast \
  --test hub --test pages --test cli --test demo --test privacy --test chaos --test browser --test push --test registries --test machine

# Containers once more, on a machine that has control groups of version 2 alone, where this one may mix both: what is
# bounded, what is refused, what is left.
program="$(cargo test --workspace --no-run --message-format=json 2>/dev/null |
  python3 -c 'import json, sys
for line in sys.stdin:
    line = json.loads(line)
    if line.get("executable") and line["target"]["name"] == "it" and "/sandbox/" in line["target"]["src_path"]:
        print(line["executable"])')"
(cd sandbox && bash ../tests/with-cgroup2.sh bash ../tests/cgroup2.sh "$program")

# Every reader of images and of tables, and what sites send, against hostile bytes: a minute each, two at a time.
bash metrics/fuzz/run.sh 60
