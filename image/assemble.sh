#!/usr/bin/env bash
# Makes an image where no container engine runs: buildah follows the Dockerfile, and takes what its stage `build` would have made from a folder.
#
#   image/assemble.sh Dockerfile connection-group-operator localhost/operator:dev operator.tar
#   image/assemble.sh Dockerfile connection-group-operator localhost/operator:dev operator.tar linux/amd64,linux/arm64
#
# In: a Dockerfile, the package it builds, the image's name, where to write, and the platforms. Out: without platforms, an archive of an
# image for this machine's, for `docker load`, `kind load image-archive` or `ctr images import`. With platforms, an OCI archive: an index with
# one image for each, for `ctr images import` or `skopeo copy --all`.
# Needs buildah (Debian package of that name), root or `buildah unshare`, and what image/build.sh needs. The CA bundle is this machine's.
set -euo pipefail
command -v buildah >/dev/null || { echo "image/assemble.sh: buildah is not in PATH (Debian: apt-get install buildah)" >&2; exit 2; }
dockerfile=$1 program=$2 name=$3 platforms=${5:-}
archive=$(realpath -m "$4")
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/empty" "$(dirname "$archive")"

# Nothing of this machine's images is read or left behind; chroot isolation, as nothing is run.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah=(buildah --root "$work/storage" --runroot "$work/run")
build() { # build [PLATFORM]: sets `image` to its id
  local stage=$work/stage${1:+/$1}
  mkdir -p "$stage/etc/ssl/certs"
  cp /etc/ssl/certs/ca-certificates.crt "$stage/etc/ssl/certs/"
  image/build.sh "$program" "$stage/out" "$@"
  "${buildah[@]}" build --quiet --timestamp "${SOURCE_DATE_EPOCH:-0}" --build-context build="$stage" ${1:+--platform "$1"} \
    --iidfile "$work/id" --file "$dockerfile" "$work/empty" >/dev/null
  image=$(cat "$work/id")
}

rm -f "$archive"
if [ -z "$platforms" ]; then
  build
  "${buildah[@]}" push --quiet "$image" "docker-archive:$archive:$name"
else
  "${buildah[@]}" manifest create index >/dev/null
  for platform in ${platforms//,/ }; do
    build "$platform"
    "${buildah[@]}" manifest add index "$image" >/dev/null
  done
  "${buildah[@]}" manifest push --quiet --all index "oci-archive:$archive:$name"
fi
