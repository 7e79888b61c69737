#!/usr/bin/env bash
# Graft beside the in-process limit, Python gRPC servers and Keras, in one run with interleaved rounds.
#
#   tests/bench/serving/run.sh [--quick] [--backbone mobilenet_v2]... [--write-docs]      more: --help
#
# Needs GRAFT_ASSETS or ../shared/data, and a release build of `all` and `bench`. The peers live in a venv of their own:
# GRAFT_BENCH_VENV (default .venv-bench), made here from tests/bench/requirements.txt. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

venv=${GRAFT_BENCH_VENV:-.venv-bench}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
exec "$venv/bin/python" tests/bench/serving/run.py "$@"
