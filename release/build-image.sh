#!/usr/bin/env bash
# Builds the image on a machine of its platform, pushes it to $IMAGE by digest, without a tag, and prints the digest.
#
#   release/build-image.sh amd64 0.2.0 rust:1.95.0-bookworm@sha256:...
#
# In: the platform (amd64, arm64), the version, the base image; SOURCE_DATE_EPOCH is the time of everything in the image. Needs docker with buildx.
set -euo pipefail
platform=$1 version=$2 base=$3
: "${IMAGE:?} ${SOURCE_DATE_EPOCH:?}"
cd "$(dirname "$0")/.."

buildkit=moby/buildkit:v0.32.0@sha256:1f8167fcb0eca5b7126353d35299386945cbb8949cc516c592a49f80cfce4fa2
metadata=$(mktemp)
builder=release-$platform
trap 'rm -f "$metadata"; docker buildx rm "$builder" >/dev/null 2>&1 || true' EXIT
# The engine's own builder cannot push by digest.
docker buildx create --name "$builder" --driver docker-container --driver-opt "image=$buildkit" >/dev/null
# One manifest, not an index: what buildx would attest, cosign attests for the index of both platforms.
docker buildx build . --builder "$builder" --platform "linux/$platform" \
  --build-arg RUST_IMAGE="$base" --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse HEAD)" \
  --provenance=false --sbom=false --metadata-file "$metadata" \
  --output "type=image,name=$IMAGE,push-by-digest=true,name-canonical=true,push=true,rewrite-timestamp=true,oci-mediatypes=true" >&2
digest=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' "$metadata")
[ -n "$digest" ] || { echo "release/build-image.sh: buildx reported no digest" >&2; exit 1; }
echo "$digest"
