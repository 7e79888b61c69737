#!/usr/bin/env bash
# The kill-and-resume matrix: a job that is killed at any moment and resumed ends with the bytes of an undisturbed one.
#
#   tests/robustness/resume.sh [--build DIR] [--runs 10] [--kills 3] [--seed N] [--cells BACKBONE/TRAINED...]
#
# Three backbones x {head, last blocks, all} x 10 runs. Each run submits a job to a real server, sends kill -9 to worker,
# server or both at three random moments, starts what is gone, and compares the SHA-256 of head and backbone. Prints a
# line per cell; ends with 0 when all runs agree. Needs python3 alone; weights and pictures are generated.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/resume.py" "$@"
