#!/bin/sh
# Builds every baseline of every challenge that is C: <challenge>/baselines/<name>/*.c -> <challenge>/baselines/<name>.wasm,
# and writes <challenge>/baselines/SHA256SUMS. The source's name says what is made of it:
#   model.c       a core module, a WASI preview 1 command
#   nn.c          the same, which runs a network through wasi-nn
#   component.c   a component, a WASI 0.2 command
#   predict.c     a component of the world `predictor` of sandbox/wit/model.wit
#
#   challenges/build-baselines.sh           build
#   challenges/build-baselines.sh --check   build elsewhere and compare with the committed digests
#
# Debian packages: clang lld wasi-libc libclang-rt-14-dev-wasm32; components are linked by the wasm-component-ld that comes
# with Rust. The digests belong to clang 14 of Debian 12 and to Rust 1.95.
# Exit codes: 0 success, 1 build failed or digests differ, 2 wrong usage, 3 toolchain missing.
set -eu

cd "$(dirname "$0")"
export LC_ALL=C
check=no
case "${1-}" in
'') ;;
--check) check=yes ;;
*)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac

CLANG=${CLANG:-clang}
FLAGS="--target=wasm32-wasi -std=c99 -O2 -s -Wall -Wextra -Werror -ffp-contract=off"
linker=$(rustc --print target-libdir 2>/dev/null)/../bin/wasm-component-ld
COMPONENT="-fuse-ld=$linker -Wl,--wasm-ld-path,wasm-ld"
PREDICTOR="-std=c11 -mexec-model=reactor -Wl,--component-type,../sandbox/wit/model.wit"

missing() {
    echo "cannot build WebAssembly baselines: $1" >&2
    echo "install the toolchain: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32" >&2
    exit 3
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v "$CLANG" >/dev/null || missing "$CLANG is not installed"
echo 'int main(void) { return 0; }' >"$work/probe.c"
"$CLANG" $FLAGS "$work/probe.c" -o "$work/probe.wasm" 2>"$work/probe.log" ||
    missing "$CLANG cannot link for wasm32-wasi: $(head -n 1 "$work/probe.log")"
[ -x "$linker" ] || {
    echo "cannot build component baselines: Rust's wasm-component-ld is missing; install Rust 1.95 with rustup" >&2
    exit 3
}

status=0
for source in */baselines/*/model.c */baselines/*/nn.c */baselines/*/component.c */baselines/*/predict.c; do
    name=$(basename "$(dirname "$source")")
    baselines=$(dirname "$(dirname "$source")")
    out=$work/$baselines
    mkdir -p "$out"
    case $source in
    */model.c | */nn.c) kind= ;;
    */component.c) kind=$COMPONENT ;;
    */predict.c) kind="$COMPONENT $PREDICTOR" ;;
    esac
    "$CLANG" $FLAGS $kind "$source" -lm -o "$out/$name.wasm"
done

for baselines in */baselines; do
    (cd "$work/$baselines" && sha256sum -- *.wasm >SHA256SUMS)
    if [ "$check" = no ]; then
        install -m 644 "$work/$baselines"/*.wasm "$work/$baselines/SHA256SUMS" "$baselines/"
        echo "built $(ls "$work/$baselines"/*.wasm | wc -l) baselines in $baselines"
    elif ! cmp -s "$work/$baselines/SHA256SUMS" "$baselines/SHA256SUMS"; then
        echo "$baselines: rebuilding gives other digests than $baselines/SHA256SUMS" >&2
        diff "$baselines/SHA256SUMS" "$work/$baselines/SHA256SUMS" >&2 || true
        echo "compiler: $("$CLANG" --version | head -n 1); the committed files were built by Debian clang 14.0.6" >&2
        echo "linker of components: $("$linker" --version | head -n 1); theirs was that of Rust 1.95" >&2
        status=1
    elif ! (cd "$baselines" && sha256sum --quiet -c SHA256SUMS); then
        echo "$baselines: a committed .wasm does not match SHA256SUMS; run $0" >&2
        status=1
    else
        echo "$baselines: digests as committed"
    fi
done
exit $status
