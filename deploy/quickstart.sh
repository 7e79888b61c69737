#!/usr/bin/env bash
# From a fresh machine to two trained, compared and served classifiers.
#
#   deploy/quickstart.sh [--photos FOLDER] [--keep] [--data-dir DIR]
#
#   --photos FOLDER   your own photos: one sub-folder per class (or a .zip / .tar.gz of that)
#   --keep            leave the server running and say how to stop it
#   --data-dir DIR    where the server keeps everything (default build/quickstart)
#   GRAFT_ASSETS      a folder with weights/ and datasets/ (default ../shared/data when it exists)
#
# Weights and photos come from GRAFT_ASSETS, else from the publishers named in deploy/assets.json, else they are
# generated: then the run only shows the workflow, and says so. Run again, it takes seconds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
photos=
keep=no
# The absolute path of what the user named, before anything is installed.
existing() {
  [ -e "$2" ] || { echo "quickstart: $1: '$2' does not exist" >&2; exit 2; }
  realpath "$2"
}
data=$root/build/quickstart
while [ $# -gt 0 ]; do
  case $1 in
    --photos) photos=$(existing --photos "${2:-}"); shift 2 ;;
    --data-dir) data=$(realpath -m "${2:?--data-dir needs a folder}"); shift 2 ;;
    --keep) keep=yes; shift ;;
    -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart: unknown argument '$1' (see --help)" >&2; exit 2 ;;
  esac
done
cd "$root"

say() { printf '\n== %s\n' "$*"; }
warn() { printf '\n!! %s\n' "$*" >&2; }

bin=$root/build/release/bin
assets=${GRAFT_ASSETS:-}
[ -z "$assets" ] || assets=$(existing GRAFT_ASSETS "$assets")
if [ -z "$assets" ] && [ -d ../shared/data ]; then assets=$(cd ../shared/data && pwd); fi
downloads=$root/.cache/downloads

build() {
  bash deploy/install-deps.sh
  mkdir -p build
  local configure=(--preset release)
  [ -z "${GRAFT_VENV:-}" ] || configure+=(-DGRAFT_VENV="$GRAFT_VENV")
  cmake "${configure[@]}" >build/configure-release.log 2>&1 || { cat build/configure-release.log; exit 1; }
  local targets=(graft-server graft-worker graft graft-weights)
  if [ -t 1 ]; then  # Ninja counts along in one line
    cmake --build --preset release --target "${targets[@]}"
    return
  fi
  echo "what the build says goes to build/build-release.log"
  cmake --build --preset release --target "${targets[@]}" >build/build-release.log 2>&1 ||
    { tail -50 build/build-release.log; exit 1; }
}

# The value of a field in deploy/assets.json: asset_field BACKBONE|photos FIELD
asset_field() {
  python3 - "$1" "$2" <<'PYTHON'
import json, sys
assets = json.load(open("deploy/assets.json"))
entries = {entry["backbone"]: entry for entry in assets["weights"]} | {"photos": assets["photos"]}
print(entries[sys.argv[1]][sys.argv[2]] or "")
PYTHON
}

# Fetches an asset once, checks it against the publisher's MD5 or against the digest of the first download.
download() {
  local file url md5 target
  file=$(asset_field "$1" file); url=$(asset_field "$1" url); md5=$(asset_field "$1" md5)
  target=$downloads/$file
  mkdir -p "$downloads"
  if [ ! -f "$target" ]; then
    curl --fail --silent --location --connect-timeout 5 --max-time 600 --output "$target.part" "$url" || return 1
    if [ -n "$md5" ] && ! echo "$md5  $target.part" | md5sum --check --status; then
      warn "$file: the download does not have the MD5 its publisher gives; not used"
      rm -f "$target.part"
      return 1
    fi
    mv "$target.part" "$target"
  fi
  if [ -z "$md5" ] && [ ! -f "$target.sha256" ]; then
    (cd "$downloads" && sha256sum "$file" >"$file.sha256")
    echo "quickstart: $file has no published checksum; pinned at first download: $(cut -c1-16 <"$target.sha256")..." >&2
  fi
  [ -n "$md5" ] || (cd "$downloads" && sha256sum --check --status "$file.sha256") || { warn "$file changed since its first download"; return 1; }
  echo "$target"
}

import_weights() {
  local backbone=$1 file
  file=$(asset_field "$backbone" file)
  if [ -n "$assets" ] && [ -f "$assets/weights/$file" ]; then
    file=$assets/weights/$file
  elif ! file=$(download "$backbone"); then
    warn "no pretrained weights for $backbone: using RANDOM ones. This shows the workflow, not the accuracy."
    "$bin/graft-weights" random --data-dir "$data" --backbone "$backbone"
    return
  fi
  "$bin/graft-weights" import --data-dir "$data" --backbone "$backbone" --file "$file"
}

# Sets `photos` and `dataset`.
choose_photos() {
  if [ -n "$photos" ]; then
    dataset=photos
  elif [ -n "$assets" ] && [ -d "$assets/datasets/animals5" ]; then
    photos=$assets/datasets/animals5 dataset=animals5
  elif photos=$(download photos); then
    dataset=$(asset_field photos name)
  else
    warn "no photos at hand and no way to fetch any: using GENERATED pictures. This only demonstrates the workflow."
    photos=$root/.cache/generated dataset=generated
    [ -d "$photos" ] || python3 deploy/make_pictures.py "$photos"
  fi
}

stop_server() {
  [ -n "${server_pid:-}" ] || return 0
  kill "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
}

# Starts the server on a free port and waits until it listens. Sets `server_pid` and GRAFT_SERVER.
start_server() {
  local log=$data/server.log
  : >"$log"
  if [ "$keep" = yes ]; then
    setsid "$bin/graft-server" --data-dir "$data" --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 2>>"$log" >&2 &
  else
    "$bin/graft-server" --data-dir "$data" --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 2>>"$log" >&2 &
  fi
  server_pid=$!
  for _ in $(seq 300); do
    if address=$(sed -n 's/^listening on //p' "$log") && [ -n "$address" ]; then
      export GRAFT_SERVER=$address
      return
    fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "quickstart: the server did not start:" >&2
  tail -20 "$log" >&2
  exit 1
}

# The version a job published: train MODEL BACKBONE
train() {
  "$bin/graft" -o json train --dataset "$dataset" --backbone "$2" --model "$1" --preset article >"$data/job.json"
  python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["result"]["modelVersion"])' "$data/job.json"
}

started=$(date +%s)
say "Installing what is missing and building (the first time this takes minutes)"
build
mkdir -p "$data"
chmod 700 "$data"

say "Pretrained weights"
import_weights mobilenet_v2
import_weights efficientnet_v2_b0

choose_photos
say "Starting the server"
trap stop_server EXIT
start_server
echo "graft-server listens on $GRAFT_SERVER, its data is in $data"

say "Uploading $photos as data set '$dataset'"
"$bin/graft" dataset push "$dataset" "$photos"

say "Training MobileNetV2 (10 epochs at most) and EfficientNetV2-B0 (25), early stopping"
mobilenet=$(train "$dataset-mobilenet" mobilenet_v2)
efficientnet=$(train "$dataset-efficientnet" efficientnet_v2_b0)

say "Comparison"
"$bin/graft" compare "$mobilenet" "$efficientnet"

say "What is in this picture?"
if [ -d "$photos" ]; then
  photo=$(find "$photos" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) -print -quit)
else
  mkdir -p "$data/sample"
  member=$(tar -tzf "$photos" | grep -m1 -E '\.(jpg|jpeg|png)$' || true)
  tar -xzf "$photos" -C "$data/sample" "$member"
  photo=$data/sample/$member
fi
"$bin/graft" classify "$mobilenet" "$photo" --top-k 3
"$bin/graft" classify "$efficientnet" "$photo" --top-k 3

say "Done in $(($(date +%s) - started)) s"
if [ "$keep" = yes ]; then
  trap - EXIT
  echo "The server keeps running:  export GRAFT_SERVER=$GRAFT_SERVER   stop it with: kill $server_pid"
fi
