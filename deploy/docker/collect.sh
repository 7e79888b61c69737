#!/usr/bin/env bash
# Copies the programs and the libraries of the wheels that they load from a builder to a folder that a machine without
# compiler and Python can run: every file at its own path below OUT.
#
#   deploy/docker/collect.sh --build DIR --venv DIR --out DIR [--cuda]
#
# The programs go to OUT/opt/graft/bin. Debian's libraries are not copied: their packages are installed where the image
# runs (deploy/docker/runtime-packages.txt), so that they can be updated there.
set -euo pipefail

cuda=no
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$(realpath "$2"); shift 2 ;;
    --venv) venv=$(realpath "$2"); shift 2 ;;
    --out) out=$(realpath -m "$2"); shift 2 ;;
    --cuda) cuda=yes; shift ;;
    *) echo "collect: unknown argument '$1'" >&2; exit 2 ;;
  esac
done
: "${build:?--build is missing}" "${venv:?--venv is missing}" "${out:?--out is missing}"

site=$(echo "$venv"/lib/python3*/site-packages)
programs=("$build"/bin/{graft-server,graft-worker,graft,graft-weights})
# Opened by name at run time, so no program names them: of OpenVINO the CPU's plugin and the reader of ONNX models, and
# LibTorch's part for GPUs.
opened=("$site"/openvino/libs/libopenvino_{intel_cpu_plugin.so,onnx_frontend.so.*})
if [ "$cuda" = yes ]; then
  opened+=("$site"/torch/lib/libtorch_cuda.so "$site"/torch/lib/libtorch_cuda_linalg.so "$site"/torch/lib/libcaffe2_nvrtc.so)
fi

install -d "$out/opt/graft/bin"
install --strip -m 0755 "${programs[@]}" "$out/opt/graft/bin"
{
  printf '%s\n' "${opened[@]}"
  ldd "${programs[@]}" "${opened[@]}" | awk '/=>/ {print $3}' | grep "^$venv/"
  # What cuDNN and its like open by name in turn.
  [ "$cuda" = no ] || find "$site/nvidia" -name '*.so*'
} | sort -u | while IFS= read -r file; do
  # The same file where OUT is /: it lies where it belongs.
  [ "$file" -ef "$out$file" ] || cp --parents --dereference --target-directory "$out" "$file"
done
