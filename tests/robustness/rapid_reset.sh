#!/usr/bin/env bash
# HTTP/2 rapid resets against a server behind deploy/nginx, and, to see what they do, against one without it.
#
#   tests/robustness/rapid_reset.sh --build DIR [--seconds 30] [--attackers 2]
#
# Prints streams a second, memory of server and nginx, and what another client saw before and during the attack. Ends
# with 0 when the server behind nginx grew by less than 256 MiB and every call of the other client was answered. The
# server without proxy is shown, not judged.
#
#   GRAFT_TEST_VENV  what deploy/install-deps.sh --tests made (default: .venv-tests in the checkout)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${GRAFT_TEST_VENV:-$here/../../.venv-tests}/bin/python" -B "$here/rapid_reset_attack.py" "$@"
