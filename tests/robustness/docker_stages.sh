#!/usr/bin/env bash
# Runs the commands of the Dockerfiles, stage by stage, in chroots made with debootstrap, then the programs of the image
# as it would: as its user, on a read-only root, with its health check. As root.
#
#   tests/robustness/docker_stages.sh [--work DIR] [--file deploy/docker/Dockerfile] [--device cpu|cuda]
#                                     [--programs BUILD --venv VENV]
#
#   --work      where chroots go (default /tmp/graft-docker-stages), and are kept for the next run
#   --file      only this one
#   --programs  instead of the builder stage, which takes half an hour: the programs of a build on this machine
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${GRAFT_TEST_VENV:-$here/../../.venv-tests}/bin/python" -B "$here/docker_stages.py" "$@"
