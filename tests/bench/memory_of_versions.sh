#!/usr/bin/env bash
# Resident memory of a server with one and with ten published versions of one backbone: idle after its start, and idle
# after twenty calls spread over them.
#
#   tests/bench/memory_of_versions.sh [VERSIONS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

versions=${1:-10}
bin=build/release/bin
data=$(mktemp -d)
python3 deploy/make_pictures.py "$data/pictures" 12
"$bin/graft-weights" random --data-dir "$data" --backbone mobilenet_v2 2>/dev/null >&2

start_server() {
  "$bin/graft-server" --data-dir "$data" --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 2>"$data/server.log" &
  server=$!
  until GRAFT_SERVER=$(sed -n 's/^listening on //p' "$data/server.log") && [ -n "$GRAFT_SERVER" ]; do sleep 0.1; done
  export GRAFT_SERVER
}
stop_server() {
  [ -z "$server" ] || { kill "$server" && wait "$server"; } || true
  server=
}
trap 'stop_server; rm -rf "$data"' EXIT

# In a fresh process, with versions 1..N published.
measure() {
  start_server
  before=$(awk '/VmRSS/{print $2}' "/proc/$server/status")
  for call in $(seq 20); do
    "$bin/graft" classify "shapes:$((call % $1 + 1))" "$data/pictures/disc/disc_000.png" >/dev/null
  done
  sleep 2
  echo "$1 versions: idle at start $before kB, after 20 calls $(awk '/VmRSS/{print $2}' "/proc/$server/status") kB"
  stop_server
}

train() { "$bin/graft" train --dataset shapes --backbone mobilenet_v2 --model shapes --epochs 2 --seed "$1" >/dev/null 2>&1; }
start_server
"$bin/graft" dataset push shapes "$data/pictures" >/dev/null 2>&1
train 1
stop_server
measure 1
start_server
for seed in $(seq 2 "$versions"); do train "$seed"; done
stop_server
measure "$versions"
