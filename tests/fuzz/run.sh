#!/usr/bin/env bash
# Fuzzes from the seeds in tests/fuzz/NAME and, for pictures, in GRAFT_ASSETS; what it finds on the way is kept beside
# the program and continued from next time.
#
#   tests/fuzz/run.sh build/clang/fuzz/NAME [libFuzzer arguments, e.g. -max_total_time=600]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$(realpath "${1:?"needs the fuzz program, e.g. build/clang/fuzz/image_fuzz"}")
shift
name=$(basename "$program")
found=$program.corpus
seeds=("$here/$name")
[ "$name" != image_fuzz ] || [ -z "${GRAFT_ASSETS:-}" ] || seeds+=("$GRAFT_ASSETS/odd_images")
mkdir -p "$found"
cd "$(dirname "$program")" # where crash-* files land
exec "$program" -rss_limit_mb=2048 -timeout=20 "$@" "$found" "${seeds[@]}"
