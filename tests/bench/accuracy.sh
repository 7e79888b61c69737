#!/usr/bin/env bash
# Test accuracy of presets over seeds, on the same splits, and the difference of each to the first, paired by seed.
#
#   tests/bench/accuracy.sh [--data-dir DIR] [--write-docs] [DATASET...]  default: animals5; needs GRAFT_ASSETS or ../shared/data
#   PRESETS="article fast"   SEEDS="0 1 2 3 4"   BACKBONES="mobilenet_v2 efficientnet_v2_b0"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

data=build/accuracy
if [ "${1:-}" = --data-dir ]; then data=$2; shift 2; fi
report=()
if [ "${1:-}" = --write-docs ]; then report=("$1"); shift; fi
assets=${GRAFT_ASSETS:-../shared/data}
bin=build/release/bin
mkdir -p "$data"
"$bin/graft-weights" import --data-dir "$data" --backbone mobilenet_v2 \
  --file "$assets/weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
"$bin/graft-weights" import --data-dir "$data" --backbone efficientnet_v2_b0 --file "$assets/weights/efficientnetv2-b0_notop.h5"
"$bin/graft-server" --data-dir "$data" --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 2>"$data/server.log" &
trap 'kill %1; wait' EXIT
until GRAFT_SERVER=$(sed -n 's/^listening on //p' "$data/server.log") && [ -n "$GRAFT_SERVER" ]; do sleep 0.1; done
export GRAFT_SERVER

: >"$data/jobs.jsonl"
for dataset in "${@:-animals5}"; do
  "$bin/graft" dataset push "$dataset" "$assets/datasets/$dataset" >/dev/null
  for backbone in ${BACKBONES:-mobilenet_v2 efficientnet_v2_b0}; do
    for seed in ${SEEDS:-0 1 2 3 4}; do
      for preset in ${PRESETS:-article fast}; do
        "$bin/graft" -o json train --dataset "$dataset" --backbone "$backbone" --preset "$preset" --seed "$seed" >>"$data/jobs.jsonl"
      done
    done
  done
done
python3 tests/bench/accuracy.py "${report[@]}" "$data/jobs.jsonl"
