#!/usr/bin/env bash
# All set-up and all tests, on a bare Debian 12 machine with cargo: `bash tests/run.sh`.
# Packages come from Debian and crates.io by name; everything else is in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian packages: a C++ compiler for the fuzzer, the WebAssembly toolchain of the baselines, a browser with its driver, Python to look into SQLite,
# a client of registries, PostgreSQL.
packages=(g++ clang lld wasi-libc libclang-rt-14-dev-wasm32 chromium chromium-driver python3 skopeo)
command -v initdb >/dev/null || packages+=(postgresql)
missing=()
for p in "${packages[@]}"; do dpkg -s "$p" >/dev/null 2>&1 || missing+=("$p"); done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# An S3 store that checks signatures, for the blob store's tests.
tools="${FIEL_TOOLS:-$HOME/.cache/fiel-tools}"
if [ ! -x "$tools/bin/s3s-fs" ]; then
  cargo install s3s-fs --version 0.14.1 --features binary --locked --debug --root "$tools"
fi
export PATH="$tools/bin:$PATH"

cargo fmt --all --check
bash challenges/build-baselines.sh --check
cargo clippy --workspace --all-targets -- -D warnings
cargo build --workspace --all-targets

# Everything on SQLite; then every test that starts a hub again, on a real PostgreSQL. A hub that is not on the
# database that the variable offers fails its test (tests/src/database.rs).
cargo test --workspace
bash tests/with-postgres.sh cargo test --workspace \
  --test hub --test pages --test cli --test demo --test privacy --test chaos --test browser

# Every reader of images, and what sites send, against hostile bytes: a minute each, two at a time.
bash metrics/fuzz/run.sh 60
