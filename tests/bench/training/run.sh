#!/usr/bin/env bash
# The article's two trainings beside Keras: same photos, same epochs, from uploaded photos to a published version.
#
#   tests/bench/training/run.sh [--backbone mobilenet_v2]... [--photos 7000] [--write-docs]      more: --help
#
# Needs GRAFT_ASSETS or ../shared/data, and a release build of `all` and `bench`. Keras lives in a venv of its own, the
# one of tests/bench/serving. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

venv=${GRAFT_BENCH_VENV:-.venv-bench}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
exec "$venv/bin/python" tests/bench/training/run.py "$@"
