#!/usr/bin/env bash
# Installs what is missing, builds, runs every test; ends with ctest's summary.
#
#   tests/run.sh [--preset release|dev|asan|tsan|clang] [ctest arguments, e.g. -R Upload or -L unit]
#
#   GRAFT_ASSETS     folder with weights/, datasets/, golden/, odd_images/; default ../shared/data when it exists.
#                    Tests that need it are skipped, visibly, without it.
#   GRAFT_TEST_VENV  the venv of the Python parts (default: .venv-tests in the checkout)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
preset=release
case ${1:-} in -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ "${1:-}" = --preset ]; then
  preset=${2:?"--preset needs a name: release, dev, asan, tsan or clang"}
  shift 2
fi
if [ -z "${GRAFT_ASSETS:-}" ] && [ -d ../shared/data ]; then
  GRAFT_ASSETS=$(cd ../shared/data && pwd)
fi
export GRAFT_ASSETS=${GRAFT_ASSETS:-}

bash deploy/install-deps.sh --tests
configure=(--preset "$preset")
[ "$preset" = asan ] || configure+=(-DGRAFT_WERROR=ON)
[ -z "${GRAFT_VENV:-}" ] || configure+=(-DGRAFT_VENV="$GRAFT_VENV")
[ "$preset" != tsan ] || bash deploy/build-tsan-abseil.sh
mkdir -p build
cmake "${configure[@]}" >"build/configure-$preset.log" 2>&1 || { cat "build/configure-$preset.log"; exit 1; }
cmake --build --preset "$preset"

run=(ctest --preset "$preset" --output-on-failure "$@")
if [ "$preset" = tsan ] && [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ]; then
  # The runtime of GCC 12 knows only the older layout of the address space.
  run=(setarch --addr-no-randomize "${run[@]}")
fi
"${run[@]}"
