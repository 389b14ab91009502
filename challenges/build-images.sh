#!/bin/sh
# Builds every baseline that is a container image, <challenge>/baselines/<name>/Containerfile, as an OCI archive
# <folder>/<challenge>/<name>.tar; the folder is target/images of the repository unless one is given.
#
#   challenges/build-images.sh [FOLDER]
#
# Debian packages: mmdebstrap, buildah, python3-pip. The root file system comes from the Debian mirror of this machine, the
# wheels of numpy and SimpleITK from its package index; no program of either runs while an image is built.
# Exit codes: 0 success, 1 build failed, 2 wrong usage, 3 a tool is missing.
set -eu

[ $# -le 1 ] || { echo "usage: $0 [FOLDER]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../target/images}
mkdir -p "$out"
out=$(cd "$out" && pwd)
for tool in mmdebstrap buildah python3; do
    command -v "$tool" >/dev/null || {
        echo "cannot build images: $tool is not installed" >&2
        echo "install the tools: apt-get install mmdebstrap buildah python3-pip" >&2
        exit 3
    }
done

SUITE=bookworm
PYTHON=3.11
MIRROR=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\) '"$SUITE"' .*/\2/p; s/^URIs: *\(http[^ ]*debian\)\/\{0,1\}$/\1/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver=vfs "$@"; }

# Files only: no maintainer script runs, which models do not need.
mkdir "$work/plain"
mmdebstrap --quiet --variant=extract --include=python3,python3-minimal,libstdc++6,libgomp1 \
    "$SUITE" "$work/plain/debian.tar" ${MIRROR:+"$MIRROR"}

# The root is a layer of its own: images share it, and a registry that has one of them has it already.
printf 'FROM scratch\nADD debian.tar /\nENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1\n' >"$work/plain/Containerfile"
build bud --quiet --isolation=chroot --tag localhost/fiel-python:plain "$work/plain" >/dev/null
rm -rf "${work:?}/plain"

# wheels NAME WHEEL...: localhost/fiel-python:NAME, which is that root with these wheels in a layer on top.
wheels() {
    name=$1
    shift
    mkdir -p "$work/$name/site"
    python3 -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary=:all: \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --python-version "$PYTHON" \
        --target "$work/$name/site" "$@"
    printf 'FROM localhost/fiel-python:plain\nCOPY site /usr/local/lib/python%s/dist-packages\n' "$PYTHON" \
        >"$work/$name/Containerfile"
    build bud --quiet --isolation=chroot --pull-never --tag "localhost/fiel-python:$name" "$work/$name" >/dev/null
    rm -rf "${work:?}/$name"
}
wheels numpy numpy==2.2.6
wheels itk numpy==2.2.6 SimpleITK==2.5.2

for file in "$here"/*/baselines/*/Containerfile; do
    folder=$(dirname "$file")
    name=$(basename "$folder")
    baselines=$(dirname "$folder")
    challenge=$(basename "$(dirname "$baselines")")
    mkdir -p "$out/$challenge"
    rm -f "$out/$challenge/$name.tar"
    build bud --quiet --isolation=chroot --pull-never --file "$file" --tag "localhost/$name:1" "$baselines" >/dev/null
    build push --quiet "localhost/$name:1" "oci-archive:$out/$challenge/$name.tar"
    echo "built $out/$challenge/$name.tar ($(du -m "$out/$challenge/$name.tar" | cut -f 1) MiB)"
done
