#!/usr/bin/env bash
# Test accuracy of the article's recipe over seeds, beside what Keras measured with the same recipe and files.
#
#   tests/bench/accuracy.sh [--data-dir DIR] [DATASET...]        default: animals5; needs GRAFT_ASSETS or ../shared/data
#   SEEDS="0 1 2 3 4"   BACKBONES="mobilenet_v2 efficientnet_v2_b0"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

data=build/accuracy
if [ "${1:-}" = --data-dir ]; then data=$2; shift 2; fi
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

for dataset in "${@:-animals5}"; do
  "$bin/graft" dataset push "$dataset" "$assets/datasets/$dataset" >/dev/null
  for backbone in ${BACKBONES:-mobilenet_v2 efficientnet_v2_b0}; do
    for seed in ${SEEDS:-0 1 2 3 4}; do
      "$bin/graft" -o json train --dataset "$dataset" --backbone "$backbone" --seed "$seed"
    done | python3 -c '
import json, statistics, sys
jobs = [json.loads(line) for line in sys.stdin if line.strip()]
results = [job["result"] for job in jobs]
accuracy = [result["testAccuracy"] for result in results]
loss = [result["testLoss"] for result in results]
seconds = [result["phaseSeconds"]["total"] for result in results]
deviation = statistics.stdev(accuracy) if len(accuracy) > 1 else 0
print(f"{sys.argv[1]:12} {sys.argv[2]:20} accuracy {statistics.mean(accuracy):.4f} +- {deviation:.4f}"
      f"  loss {statistics.mean(loss):.4f}  seconds first {seconds[0]:.2f}, later {min(seconds[1:] or seconds):.2f}")
' "$dataset" "$backbone"
  done
done
