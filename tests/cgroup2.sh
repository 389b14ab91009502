#!/usr/bin/env bash
# What tests/with-cgroup2.sh runs on its machine: the containers' tests, given as PROGRAM, by root and then by an
# ordinary user's service to which a group was delegated, as systemd does with `Delegate=yes`. The machine is emulated,
# so that tests which count milliseconds stay away.
set -euo pipefail
program="$1"
tests() { "$@" "$program" --color never --test-threads 2 "${filters[@]}" --skip runsc --skip podman; }

filters=(containers::machine containers::{hostile,decent}::{runc,crun}
  --skip python_model --skip a_core_is_all --skip image_is_not_changed)
tests

groups=/sys/fs/cgroup
echo "+memory +pids +cpu" >$groups/cgroup.subtree_control
mkdir $groups/fiel.service
chown 1000:1000 $groups/fiel.service{,/cgroup.procs,/cgroup.threads,/cgroup.subtree_control}
echo $$ >$groups/fiel.service/cgroup.procs
# The program and its sources may lie where only root looks; the machine's files are its own.
for folder in "$(dirname "$program")" "$PWD"; do
  while [ "$folder" != / ]; do chmod o+rx "$folder" && folder="$(dirname "$folder")"; done
done
mkdir /tmp/user && chown 1000:1000 /tmp/user
export HOME=/tmp/user TMPDIR=/tmp/user
# A model is called root there, which it is in its own namespace only: what counts users is another test.
filters=(containers::{machine,starts}::{runc,crun} containers::hostile::{runc,crun}::{processes,nothing_is_left,memory})
tests setpriv --reuid 1000 --regid 1000 --clear-groups
