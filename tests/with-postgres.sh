#!/usr/bin/env bash
# Runs a command with FIEL_TEST_DATABASE_URL naming a PostgreSQL of its own, removed afterwards.
set -euo pipefail
bin="$(dirname "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")"
dir="$(mktemp -d /tmp/fiel-postgres.XXXXXX)"
# A port that nobody listens on, so that two of these may run at once.
port="${FIEL_TEST_POSTGRES_PORT:-$((20000 + RANDOM % 10000))}"
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 10000)); done
as=()
if [ "$(id -u)" = 0 ]; then chown nobody "$dir"; as=(setpriv --reuid nobody --regid nogroup --clear-groups); fi
stop() { (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1) || true; rm -rf "$dir"; }
trap stop EXIT
(
  cd "$dir"
  HOME="$dir" "${as[@]}" "$bin/initdb" -D "$dir/data" -U fiel -A trust -E UTF8 --locale=C --no-sync >"/dev/null"
  HOME="$dir" "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w \
    -o "-k $dir -h 127.0.0.1 -p $port -F -c max_connections=300" start >/dev/null
)
export FIEL_TEST_DATABASE_URL="postgres://fiel@127.0.0.1:$port/postgres"
"$@"
