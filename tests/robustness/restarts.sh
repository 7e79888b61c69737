#!/usr/bin/env bash
# Two servers with the same published versions behind deploy/nginx, under load, restarted in turns: no call is lost.
#
#   tests/robustness/restarts.sh --build DIR [--restarts 20] [--clients 8]
#
# A call is lost when it fails with anything that a client may not simply send again: all but UNAVAILABLE, and
# RESOURCE_EXHAUSTED with RetryInfo. Ends with 0 when none was, and every server ended with 0 within 30 seconds.
#
#   GRAFT_TEST_VENV  what deploy/install-deps.sh --tests made (default: .venv-tests in the checkout)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${GRAFT_TEST_VENV:-$here/../../.venv-tests}/bin/python" -B "$here/restarts_under_load.py" "$@"
