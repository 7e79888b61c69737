#!/usr/bin/env bash
# Fails when clang-format would change a file; `--fix` changes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(--dry-run --Werror)
[ "${1:-}" != --fix ] || mode=(-i)
git ls-files '*.h' '*.cc' | xargs -r clang-format-14 "${mode[@]}"
