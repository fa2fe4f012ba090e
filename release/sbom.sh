#!/usr/bin/env bash
# Writes the list of what is in the program (SBOM), as CycloneDX 1.5: the crates of the lock file that are linked into it.
#
#   release/sbom.sh out/sbom.cdx.json
#
# Needs Rust, and builds cargo-cyclonedx once. One list serves both platforms: the script fails if they link different crates.
set -euo pipefail
mkdir -p "$(dirname "$1")"
sbom=$(realpath -m "$1")
cd "$(dirname "$0")/.."
version=0.5.9
root=${CARGO_TARGET_DIR:-target}/cargo-cyclonedx-$version
[ -x "$root/bin/cargo-cyclonedx" ] || cargo install --quiet --locked "cargo-cyclonedx@$version" --root "$root"

crates() { cargo tree --locked --package connection-group-operator --edges normal --prefix none --target "$1-unknown-linux-gnu" | sed 's/ (\*)$//' | sort -u; }
diff <(crates x86_64) <(crates aarch64) >&2 || { echo "release/sbom.sh: the platforms link different crates" >&2; exit 1; }

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
"$root/bin/cargo-cyclonedx" cyclonedx --quiet --format json --describe binaries --no-build-deps --spec-version 1.5 --target x86_64-unknown-linux-gnu
# The folder in which the list was made is nobody's business.
sed "s|$PWD|.|g" connection-group-operator_bin.cdx.json >"$sbom"
# One file for each program of the workspace.
git ls-files --others --ignored --exclude-standard --exclude='*.cdx.json' -z -- '*.cdx.json' | xargs -0 --no-run-if-empty rm
