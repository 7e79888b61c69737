#!/usr/bin/env bash
# Installs what Graft needs to build and run on Debian 12: system packages, and a project venv with the
# LibTorch and OpenVINO wheels. Idempotent; prints nothing when there is nothing to do.
#
#   deploy/install-deps.sh [--cuda] [--tests]
#
#   --cuda           also the CUDA libraries that libtorch_cuda.so loads (a machine with an NVIDIA GPU)
#   --tests          also a second venv with tests/requirements.txt, Triton's perf_analyzer, Prometheus and nginx
#   GRAFT_VENV       where the venv lives (default: .venv in the checkout)
#   GRAFT_TEST_VENV  where that of the tests lives (default: .venv-tests in the checkout)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${GRAFT_VENV:-$root/.venv}
test_venv=${GRAFT_TEST_VENV:-$root/.venv-tests}
with_cuda=no
with_tests=no
for argument in "$@"; do
  case $argument in
    --cuda) with_cuda=yes ;;
    --tests) with_tests=yes ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install-deps: unknown argument '$argument' (see --help)" >&2; exit 2 ;;
  esac
done

# Versions are those of Debian 12 (bookworm); the release pins them.
packages=(
  build-essential cmake ninja-build ccache git ca-certificates pkg-config python3 python3-venv
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev libonnx-dev
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev libjpeg62-turbo-dev
  libsoci-dev libsqlite3-dev libboost-dev prometheus-cpp-dev zlib1g-dev libcurl4-openssl-dev
  libhdf5-dev libarchive-dev libcsv-dev nlohmann-json3-dev libcli11-dev libspdlog-dev libssl-dev
  libgtest-dev libgmock-dev libbenchmark-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 curl
)

# For perf_analyzer, and for the tests of deploy/ (libpcre2: nginx; sqlite3: backups; iproute2: another host).
test_packages=(iproute2 libb64-0d libpcre2-8-0 openssl procps systemd sqlite3)

# What the wheels are pinned to. --no-deps: LibTorch's CPU libraries need none of the Python packages, and its
# dependency list would pull in gigabytes of CUDA.
wheels=(torch==2.11.0 openvino==2026.4.1)
cuda_runtime_wheels=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
# What torch 2.11.0's own metadata asks for on a machine with a GPU.
cuda_wheels=(
  nvidia-cudnn-cu13==9.19.0.56 nvidia-cusparselt-cu13==0.8.0 nvidia-nccl-cu13==2.28.9 nvidia-nvshmem-cu13==3.4.5
)
cuda_toolkit='cuda-toolkit[cublas,cudart,cufft,cufile,cupti,curand,cusolver,cusparse,nvjitlink,nvrtc,nvtx]==13.0.2'

# Carries the perf_analyzer program, built for the C library of Debian 12; the wheels after 2.60 carry none.
perf_analyzer_wheel=tritonclient==2.50.0

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
  local missing=()
  for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "install-deps: installing ${#missing[@]} Debian packages"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# LibTorch's CPU libraries name libcudart and libcupti even where there is no GPU; a CUDA toolkit brings both.
toolkit_has_cuda_runtime() {
  { ldconfig -p; ls /usr/local/cuda/lib64 /usr/local/cuda/extras/CUPTI/lib64 2>/dev/null; } >"$scratch"
  grep -q 'libcudart\.so\.13' "$scratch" && grep -q 'libcupti\.so\.13' "$scratch"
}

# Also mends one that was interrupted while it was made: it has no pip.
make_venv() {
  "$1/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv "$1"
}

install_wheels() {
  local wanted=("${wheels[@]}")
  toolkit_has_cuda_runtime || wanted+=("${cuda_runtime_wheels[@]}")
  [ "$with_cuda" = no ] || wanted+=("${cuda_wheels[@]}")
  make_venv "$venv"
  "$venv/bin/python" -m pip freeze --disable-pip-version-check >"$scratch"
  if [ "$with_cuda" = yes ] && ! grep -qx 'cuda-toolkit==13.0.2' "$scratch"; then
    echo "install-deps: installing CUDA 13.0.2 libraries into $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$cuda_toolkit"
  fi
  local missing=()
  for wheel in "${wanted[@]}"; do
    grep -qxF "$wheel" "$scratch" || missing+=("$wheel")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "install-deps: installing ${missing[*]} into $venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "${missing[@]}"
}

# The program out of the wheel alone: its Python package is older than the tests' tritonclient.
install_perf_analyzer() {
  local folder
  folder=$(mktemp -d -p "$test_venv")
  "$test_venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" \
    --platform manylinux1_x86_64 --only-binary=:all: "$perf_analyzer_wheel"
  "$test_venv/bin/python" - "$folder" "$test_venv/bin/perf_analyzer" <<'PYTHON'
import glob, os, sys, zipfile
folder, target = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    member = next(name for name in wheel.namelist() if name.endswith("/data/bin/perf_analyzer"))
    with open(target, "wb") as program:
        program.write(wheel.read(member))
os.chmod(target, 0o755)
PYTHON
  rm -r "$folder"
}

# The programs out of Debian's packages alone: installed as a whole these would start services.
install_prometheus_and_nginx() {
  local folder
  folder=$(mktemp -d -p "$test_venv")
  as_root apt-get update -qq
  (
    cd "$folder"
    apt-get download -qq -o APT::Sandbox::User=root prometheus nginx
    for package in *.deb; do dpkg-deb -x "$package" .; done
  )
  cp "$folder"/usr/bin/{prometheus,promtool} "$folder/usr/sbin/nginx" "$test_venv/bin/"
  rm -r "$folder"
}

# A copy of what was asked for, written last, says that all of it is there.
install_test_venv() {
  local done_file=$test_venv/installed.txt
  { cat "$root/tests/requirements.txt"; echo "# perf_analyzer of $perf_analyzer_wheel, Debian's prometheus and nginx"; } >"$scratch"
  ! cmp -s "$scratch" "$done_file" || return 0
  echo "install-deps: installing tests/requirements.txt into $test_venv"
  make_venv "$test_venv"
  "$test_venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$root/tests/requirements.txt"
  install_perf_analyzer
  install_prometheus_and_nginx
  cp "$scratch" "$done_file"
}

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
[ "$with_tests" = no ] || packages+=("${test_packages[@]}")
install_packages
install_wheels
[ "$with_tests" = no ] || install_test_venv
