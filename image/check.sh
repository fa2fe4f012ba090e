#!/usr/bin/env bash
# Holds the operator's image to what it promises, for both platforms. Makes it twice from the Dockerfile (image/assemble.sh), looks inside,
# and takes a connection group through its life with each program; leaves the image at target/image/operator.tar, an OCI archive.
# cargo compiles the program once only: image/reproducible.sh compiles it twice.
# Needs what image/assemble.sh needs, jq, readelf, and for the platform that is not this machine's, qemu's user emulation.
# The first build takes minutes for each platform. PLATFORMS=linux/amd64 checks one platform only.
set -euo pipefail
cd "$(dirname "$0")/.."
# First the one whose compiler may be missing.
platforms=${PLATFORMS:-linux/arm64,linux/amd64}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
archive=$target/image/operator.tar
most_bytes=16000000
audit_info=0.5.4 # rust-audit-info

work=$(mktemp -d)

step=
finish() {
  local code=$?
  rm -rf "$work"
  if [ "$code" != 0 ]; then echo "FAILED: $step" >&2; fi
}
trap finish EXIT
promise() { step="${platform:+$platform: }$1"; }
kept() { printf 'ok  %s%s\n' "$step" "${1:+ ($1)}"; }
same() { # same WANTED GOT
  [ "$1" = "$2" ] || { printf 'wanted %s\ngot    %s\n' "$1" "$2" >&2; return 1; }
}

machine_of() { # machine_of PLATFORM: as uname and qemu call it
  case $1 in
    linux/amd64) echo x86_64 ;;
    linux/arm64) echo aarch64 ;;
    *) echo "$1 is neither linux/amd64 nor linux/arm64" >&2; return 1 ;;
  esac
}
# Sets `runner` to the program that runs programs of a platform, or to nothing for this machine's own.
runner_for() { # runner_for PLATFORM
  local machine
  machine=$(machine_of "$1")
  runner=
  if [ "$machine" = "$(uname -m)" ]; then return; fi
  runner=$(command -v "qemu-$machine-static") ||
    { echo "qemu-$machine-static is not in PATH (Debian: apt-get install qemu-user-static); PLATFORMS names what to check" >&2; return 1; }
}

platform=
promise "what the check needs is here"
for each in ${platforms//,/ }; do runner_for "$each"; done
tools=$target/rust-audit-info-$audit_info
if [ ! -x "$tools/bin/rust-audit-info" ]; then
  cargo install --quiet --locked --no-default-features --root "$tools" "rust-audit-info@$audit_info"
fi
kept

promise "the image made twice has the same bytes"
unpack() { # unpack ARCHIVE FOLDER
  mkdir "$2"
  tar -x -C "$2" -f "$1"
}
name=localhost/connection-group-operator:dev
image/assemble.sh Dockerfile connection-group-operator "$name" "$archive" "$platforms"
image/assemble.sh Dockerfile connection-group-operator "$name" "$work/again.tar" "$platforms"
unpack "$archive" "$work/image"
unpack "$work/again.tar" "$work/again"
diff -r "$work/image" "$work/again"
blobs=$work/image/blobs/sha256
blob() { echo "$blobs/${1#sha256:}"; }
index=$(blob "$(jq -r '.manifests[0].digest' "$work/image/index.json")")
kept "index $(basename "$index" | cut -c1-12)"

promise "it has an image for each of $platforms"
same "$platforms" "$(jq -r '[.manifests[].platform | "\(.os)/\(.architecture)"] | join(",")' "$index")"
kept

version=$(cargo metadata --locked --no-deps --format-version 1 | jq -r '.packages[] | select(.name == "connection-group-operator").version')

# Runs the program without a single right, on a file system that it cannot write to. In a mount namespace of its own, nothing has to be unmounted.
start() { # start ROOT RUNNER ARGUMENTS...
  mount --bind "$1" "$1"
  if [ -n "$2" ]; then
    touch "$1/runner"
    mount --bind "$2" "$1/runner"
  fi
  mount -o remount,bind,ro "$1"
  chroot --userspec=65532:65532 "$1" ${2:+/runner} /connection-group-operator "${@:3}"
}
export -f start

check() { # check: the image of `platform`
  local manifest config root program machine bytes headers
  manifest=$(blob "$(jq -r --arg platform "$platform" '.manifests[] | select("\(.platform.os)/\(.platform.architecture)" == $platform).digest' "$index")")
  config=$(blob "$(jq -r .config.digest "$manifest")")
  machine=$(machine_of "$platform")
  root=$work/root-$machine
  program=$root/connection-group-operator
  runner_for "$platform"

  promise "it runs the program, as a numeric user who is not root"
  same '["/connection-group-operator"] ["run"] "65532:65532"' "$(jq -r '.config | "\(.Entrypoint) \(.Cmd) \(.User | tojson)"' "$config")"
  kept

  promise "its labels say what it is, where it comes from and under which licence"
  same "$version Apache-2.0 https://github.com/kube-operators/connection-group-operator" \
    "$(jq -r '.config.Labels | [."org.opencontainers.image.version", ."org.opencontainers.image.licenses", ."org.opencontainers.image.source"] | join(" ")' "$config")"
  kept

  promise "it holds the program and the CA bundle, and nothing else"
  mkdir "$root"
  for layer in $(jq -r '.layers[].digest' "$manifest"); do tar -x -z -C "$root" -f "$(blob "$layer")"; done
  same "./connection-group-operator ./etc/ssl/certs/ca-certificates.crt" "$(cd "$root" && find . ! -type d | sort | xargs)"
  same /etc/ssl/certs/ca-certificates.crt "$(jq -r '.config.Env[] | select(startswith("SSL_CERT_FILE=")) | ltrimstr("SSL_CERT_FILE=")' "$config")"
  kept

  promise "it has at most $most_bytes bytes"
  bytes=$(find "$root" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
  [ "$bytes" -le "$most_bytes" ] || { echo "it has $bytes" >&2; return 1; }
  kept "$bytes, compressed $(jq '[.layers[].size] | add' "$manifest")"

  promise "the program is made for its platform, and linked statically"
  headers=$(readelf --file-header --program-headers --wide "$program")
  same "$machine" "$(sed -n 's/^ *Machine: *//p' <<<"$headers" | sed 's/Advanced Micro Devices X86-64/x86_64/; s/AArch64/aarch64/')"
  if grep INTERP <<<"$headers" >&2; then return 1; fi
  kept

  promise "the program lists the crates in it, for scanners"
  "$tools/bin/rust-audit-info" "$program" >"$work/crates.json"
  cargo metadata --locked --format-version 1 >"$work/metadata.json"
  same "$(jq -r '.packages[] | select(.name == "aws-sdk-cloudfront").version' "$work/metadata.json")" \
    "$(jq -r '.packages[] | select(.name == "aws-sdk-cloudfront").version' "$work/crates.json")"
  kept "$(jq '.packages | length' "$work/crates.json") crates"

  promise "the program names no folder of the machine that built it"
  if grep --text --only-matching --max-count 3 -e "$PWD/[a-z]*" -e "${CARGO_HOME:-$HOME/.cargo}/[a-z]*" "$program" >&2; then return 1; fi
  kept

  promise "the program starts without a single right, on a file system that it cannot write to"
  says=$(unshare --mount bash -euc 'start "$@"' bash "$root" "$runner" --version)
  same "connection-group-operator $version" "$says"
  kept

  promise "the program prints the CustomResourceDefinition of this repository"
  unshare --mount bash -euc 'start "$@"' bash "$root" "$runner" crd | cmp - crds/connectiongroups.yaml
  kept
}

# The tests of the life cycle take the operator from the folder of their own binary.
live() { # live: with the program of `platform`
  local machine folder
  machine=$(machine_of "$platform")
  folder=$target/image-life-$machine
  runner_for "$platform"
  promise "a group is created, edited, disabled and deleted, with a real API server"
  rm -rf "$folder"
  mkdir -p "$folder"
  printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$runner" "$work/root-$machine/connection-group-operator" >"$folder/connection-group-operator"
  chmod +x "$folder/connection-group-operator"
  cp "$built/cloudfront-simulator" "$built/testbed-guard" "$test" "$folder/"
  "$folder/$(basename "$test")" --test-threads 2 "${life[@]}" | tee "$folder/tests.log"
  grep --quiet "^test result: ok. ${#life[@]} passed" "$folder/tests.log"
  kept
}
life=(
  lifecycle::an_applied_object_becomes_ready_with_one_create_and_otherwise_only_lists
  lifecycle::each_edit_is_one_update_of_the_whole_group_with_the_previous_etag
  lifecycle::a_deletion_waits_for_tenants_and_then_removes_group_and_object
)

for platform in ${platforms//,/ }; do check; done

platform=
promise "no deliberate bug is compiled in"
same "" "$(cargo tree --locked --package connection-group-operator --edges normal,build --depth 0 --format '{f}')"
kept

promise "the tests of the life cycle are built"
cargo test --quiet --locked --workspace --test cluster --no-run --message-format json >"$work/built.json"
test=$(jq -r 'select(.reason == "compiler-artifact" and .target.name == "cluster").executable' "$work/built.json")
built=$target/debug
kept

for platform in ${platforms//,/ }; do live; done

echo "$archive"
