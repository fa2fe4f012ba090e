#!/usr/bin/env bash
# Checks the crates: licences, duplicates, banned crates and sources; deny.toml has the rules. Builds cargo-deny once.
#
#   release/deny.sh               all that needs no network
#   release/deny.sh advisories    known vulnerabilities, with RustSec's database
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
root=${CARGO_TARGET_DIR:-target}/cargo-deny-$version
if [ ! -x "$root/bin/cargo-deny" ]; then
  echo "building cargo-deny $version; takes minutes"
  # Unoptimized builds in a third of the time, and checks in seconds all the same.
  cargo install --quiet --locked "cargo-deny@$version" --root "$root" --profile dev --config 'profile.dev.debug=false'
fi
if [ "${1:-}" = advisories ]; then
  "$root/bin/cargo-deny" --locked --workspace check advisories
else
  "$root/bin/cargo-deny" --locked --offline --workspace check bans licenses sources
fi
