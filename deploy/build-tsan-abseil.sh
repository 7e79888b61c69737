#!/usr/bin/env bash
# Builds Abseil with the thread sanitizer into .cache/abseil-tsan, for the preset tsan: Debian's own is not instrumented,
# so the sanitizer would not see its mutexes and report races that are none. The source is that of the libabsl-dev
# installed here, from the Debian archive that it came from (signatures checked by apt); nothing outside .cache changes.
# Idempotent; prints nothing when there is nothing to do.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=$root/.cache/abseil-tsan
version=$(dpkg-query -W -f='${source:Version}' libabsl-dev)
[ "$(cat "$prefix/version" 2>/dev/null)" != "$version" ] || exit 0

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# deb-src lines for the Debian archives that this machine installs from.
source_archives() {
  apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian'
}

# Unpacks the source, with Debian's patches, into $work/source.
fetch_source() {
  [ -n "$(source_archives)" ] || as_root apt-get update -qq
  source_archives >"$work/sources.list"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  local apt=(apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=
             -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache")
  "${apt[@]}" update
  (cd "$work" && "${apt[@]}" source --download-only "abseil=$version" >/dev/null && dpkg-source --no-check -x ./*.dsc source)
}

build() {
  cmake -G Ninja -S "$work/source" -B "$work/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_STANDARD=20 \
    -DCMAKE_CXX_FLAGS="-fsanitize=thread -fno-omit-frame-pointer" -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_TESTING=OFF
  cmake --build "$work/build"
  rm -rf "$prefix"
  cmake --install "$work/build"
}

echo "build-tsan-abseil: building Abseil $version with the thread sanitizer (takes minutes, once)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ fetch_source && build; } >"$work/log" 2>&1 || { tail -50 "$work/log" >&2; exit 1; }
echo "$version" >"$prefix/version"
