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
mkdir -p build
cmake "${configure[@]}" >"build/configure-$preset.log" 2>&1 || { cat "build/configure-$preset.log"; exit 1; }
cmake --build --preset "$preset"

# gRPC, LibTorch and OpenCV keep memory for the life of the process: leaks of ours are looked for in unit tests.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:detect_odr_violation=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}
ctest --preset "$preset" --output-on-failure "$@"
