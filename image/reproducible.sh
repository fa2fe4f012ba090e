#!/usr/bin/env bash
# Builds the operator twice, from nothing, in two folders and with two folders of cargo, and compares the bytes. Takes two release builds.
# The second time only what .dockerignore lets through is there.
#
#   image/reproducible.sh
#   image/reproducible.sh linux/arm64
set -euo pipefail
cd "$(dirname "$0")/.."
platform=("$@")
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export ARM64_TOOLCHAIN=${ARM64_TOOLCHAIN:-$target/arm64-toolchain}

work=$(mktemp -d)
# A tool, not a part of what is compared.
export CARGO_AUDITABLE=$work/cargo-auditable
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/one" "$work/a/longer/path/two"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory "$work/one"
sed -n 's/^!//p' .dockerignore | xargs cp --parents --recursive --target-directory "$work/a/longer/path/two"

build() { # build FOLDER CARGO_HOME
  local start=$SECONDS
  # What is downloaded already is not downloaded again.
  mkdir -p "$2"
  if [ -d "${CARGO_HOME:-$HOME/.cargo}/registry" ]; then cp -r "${CARGO_HOME:-$HOME/.cargo}/registry" "$2/"; fi
  CARGO_HOME=$2 CARGO_TARGET_DIR=$1/target "$1/image/build.sh" connection-group-operator "$1/out" "${platform[@]}"
  printf '%s  %s s\n' "$(sha256sum "$1/out/connection-group-operator" | cut -d' ' -f1)" "$((SECONDS - start))"
}
build "$work/one" "$work/cargo"
build "$work/a/longer/path/two" "$work/another/home/of/cargo"
cmp "$work/one/out/connection-group-operator" "$work/a/longer/path/two/out/connection-group-operator"
echo "the same bytes"
