#!/usr/bin/env bash
# Writes the lists of what is in the programs (SBOM), as CycloneDX 1.5: the crates of the lock file that are linked into them.
#
#   release/sbom.sh out/
#
# Out: out/sbom-linux-amd64.cdx.json and out/sbom-linux-arm64.cdx.json; some crates are for one of them only. Needs Rust, and builds cargo-cyclonedx once.
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "$0")/.."
version=0.5.9
root=${CARGO_TARGET_DIR:-target}/cargo-cyclonedx-$version
if [ ! -x "$root/bin/cargo-cyclonedx" ]; then
  # It reads a few files: optimizing it takes longer than it saves.
  cargo install --quiet --locked "cargo-cyclonedx@$version" --root "$root" --profile dev --config 'profile.dev.debug=false'
fi

# Without it, the lists would hold the time and a random number.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
sbom() { # sbom PLATFORM TARGET
  "$root/bin/cargo-cyclonedx" cyclonedx --quiet --format json --describe binaries --no-build-deps --spec-version 1.5 --target "$2"
  # The folder in which the list was made is nobody's business.
  sed "s|$PWD|.|g" connection-group-operator_bin.cdx.json >"$out/sbom-linux-$1.cdx.json"
}
sbom amd64 x86_64-unknown-linux-gnu
sbom arm64 aarch64-unknown-linux-gnu
# There is one for each program of the workspace.
git ls-files -z --others -- '*.cdx.json' | grep --null-data -v "^out/" | xargs -0 --no-run-if-empty rm
