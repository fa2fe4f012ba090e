#!/usr/bin/env bash
# Makes an image where no container engine runs: buildah follows the Dockerfile, and takes what its stage `build` would have made from a folder.
#
#   image/assemble.sh Dockerfile connection-group-operator localhost/operator:dev operator.tar
#
# In: a Dockerfile, the package it builds, the image's name, and where to write. Out: an archive for `docker load`, `kind load image-archive` or
# `ctr images import`. Needs buildah (Debian package of that name), and root or `buildah unshare`. The CA bundle is this machine's.
set -euo pipefail
command -v buildah >/dev/null || { echo "image/assemble.sh: buildah is not in PATH (Debian: apt-get install buildah)" >&2; exit 2; }
dockerfile=$1 program=$2 name=$3
archive=$(realpath -m "$4")
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/stage/etc/ssl/certs" "$work/empty" "$(dirname "$archive")"
cp /etc/ssl/certs/ca-certificates.crt "$work/stage/etc/ssl/certs/"
image/build.sh "$program" "$work/stage/out"

# Nothing of this machine's images is read or left behind; chroot isolation, as nothing is run.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah=(buildah --root "$work/storage" --runroot "$work/run")
"${buildah[@]}" build --quiet --timestamp "${SOURCE_DATE_EPOCH:-0}" --build-context build="$work/stage" \
  --iidfile "$work/id" --file "$dockerfile" "$work/empty" >/dev/null
rm -f "$archive"
"${buildah[@]}" push --quiet "$(cat "$work/id")" "docker-archive:$archive:$name"
