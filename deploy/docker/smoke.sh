#!/usr/bin/env bash
# Does with the composed services what a user does: trains on generated pictures, classifies over TLS, looks at metrics.
#
#   deploy/docker/smoke.sh [--profile cpu|gpu]     starts the services with docker compose, and stops them
#   deploy/docker/smoke.sh --running               only uses services that run already, where they are:
#     GRAFT_ADDRESS     default localhost:8443     GRAFT_CA          file with the proxy's certificate
#     PROMETHEUS_URL    default none: not asked    GRAFANA_URL       default none: not asked
#     PYTHON            one with client/python installed (default python3)
#     GRAFT_TOKEN       where callers need one (--running; else with GRAFT_PUBLISH it is made)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
profile=cpu
running=no
while [ $# -gt 0 ]; do
  case $1 in
    --profile)
      case ${2:-} in cpu | gpu) profile=$2 ;; *) echo "smoke: --profile needs cpu or gpu" >&2; exit 2 ;; esac
      shift 2 ;;
    --running) running=yes; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "smoke: unknown argument '$1' (see --help)" >&2; exit 2 ;;
  esac
done
cd "$root"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { printf '== %s\n' "$*"; }

# Asks URL (and curl's further arguments) until it answers with TEXT, for a minute.
wait_for() {
  local text=$1
  shift
  for _ in $(seq 60); do
    if curl --fail --silent "$@" >"$scratch/answer" && grep -q "$text" "$scratch/answer"; then return; fi
    sleep 1
  done
  echo "smoke: no '$text' within a minute from: $*" >&2
  return 1
}

compose() { docker compose --profile "$profile" "$@"; }

start_services() {
  suffix=
  [ "$profile" = cpu ] || suffix=-gpu
  say "Building and starting"
  compose build
  trap 'rm -rf "$scratch"; compose down' EXIT  # also when only some of them start
  compose run --rm --no-deps --entrypoint /opt/graft/bin/graft-weights "graft$suffix" \
    random --data-dir /var/lib/graft --backbone mobilenet_v2
  compose up --detach --wait
  compose cp "nginx$suffix:/etc/graft-nginx/tls/tls.crt" "$scratch/tls.crt"
  python3 -m venv "$scratch/venv"
  "$scratch/venv/bin/pip" install --quiet ./client/python
  PYTHON=$scratch/venv/bin/python GRAFT_CA=$scratch/tls.crt
  PROMETHEUS_URL=
  GRAFANA_URL=http://127.0.0.1:3000
  if [ -n "${GRAFT_PUBLISH:-}" ]; then
    GRAFT_TOKEN=$(compose exec -T "graft$suffix" graft-server token create "smoke-$(date +%s)" --role admin --expires 1h)
    export GRAFT_TOKEN
    sleep 1  # until the server knows it
  fi
}

[ "$running" = yes ] || start_services

say "Training and classifying through the proxy"
python3 deploy/make_pictures.py "$scratch/shapes" 12
"${PYTHON:-python3}" - "${GRAFT_ADDRESS:-localhost:8443}" "${GRAFT_CA:?the CA file is missing}" "$scratch/shapes" <<'PYTHON'
import os, pathlib, sys
import graft

address, ca_file, photos = sys.argv[1:]
with graft.Client(address, tls=graft.Tls(ca_file=ca_file), token=os.environ.get("GRAFT_TOKEN")) as client:
    print(client.push_dataset("smoke", photos).version.name)
    job = client.submit_job({"dataset": "smoke", "backbone": "mobilenet_v2", "model": "smoke", "alias": "production"})
    print(client.follow_job(job.name).result.model_version)
    answer = client.classify("smoke@production", sorted(pathlib.Path(photos).rglob("*.png"))[0])
    print(", ".join(f"{one.label} {one.probability:.2f}" for one in answer.predictions))
PYTHON

if [ -n "${PROMETHEUS_URL:-}" ]; then
  say "Prometheus has server and worker"
  wait_for '"2"' "$PROMETHEUS_URL/api/v1/query" --get --data-urlencode 'query=sum(up{job=~"graft-.*"})'
fi
if [ -n "${GRAFANA_URL:-}" ]; then
  say "Grafana has the dashboards, and their data source answers"
  wait_for '"Graft' "$GRAFANA_URL/api/search?type=dash-db"
  wait_for '"2"' "$GRAFANA_URL/api/datasources/proxy/uid/graft-prometheus/api/v1/query" \
    --get --data-urlencode 'query=sum(up{job=~"graft-.*"})'
fi
say "All of it works"
