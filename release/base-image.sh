#!/usr/bin/env bash
# Prints the Dockerfile's base image with the digest that its tag has now: the index, so that it serves both platforms. Needs docker with buildx.
set -euo pipefail
cd "$(dirname "$0")/.."
base=$(sed -n 's/^ARG RUST_IMAGE=//p' Dockerfile)
digest=$(docker buildx imagetools inspect "$base" --format '{{.Manifest.Digest}}')
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "release/base-image.sh: no digest for $base: $digest" >&2; exit 1; }
echo "${base%@*}@$digest"
