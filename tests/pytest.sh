#!/usr/bin/env bash
# Runs Python tests against the programs of a build.
#
#   tests/pytest.sh client/python/tests --build build/release [pytest arguments]
#   tests/pytest.sh tests/deploy --build build/release
#
#   GRAFT_TEST_VENV  what deploy/install-deps.sh --tests made (default: .venv-tests in the checkout)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$root/${1:?"a folder of tests"}
shift
exec "${GRAFT_TEST_VENV:-$root/.venv-tests}/bin/python" -B -m pytest -q -p no:cacheprovider "$folder" "$@"
