#!/usr/bin/env bash
# Holds the operator's image to what it promises. Builds it twice from the Dockerfile (image/assemble.sh) and looks inside; leaves it at
# target/image/operator.tar. Needs what image/assemble.sh needs, jq and a C compiler's readelf. The first build takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/image
archive=$folder/operator.tar
most_bytes=16000000

work=$(mktemp -d)

step=
finish() {
  local code=$?
  rm -rf "$work"
  if [ "$code" != 0 ]; then echo "FAILED: $step" >&2; fi
}
trap finish EXIT
promise() { step=$1; }
kept() { printf 'ok  %s%s\n' "$step" "${1:+ ($1)}"; }
same() { # same WANTED GOT
  [ "$1" = "$2" ] || { printf 'wanted %s\ngot    %s\n' "$1" "$2" >&2; return 1; }
}

promise "two builds give the same bytes"
image/assemble.sh Dockerfile connection-group-operator localhost/connection-group-operator:dev "$work/again.tar"
image/assemble.sh Dockerfile connection-group-operator localhost/connection-group-operator:dev "$archive"
cmp "$archive" "$work/again.tar"
tar -x -C "$work" -f "$archive"
config=$work/$(jq -r '.[0].Config' "$work/manifest.json")
kept "image id $(sha256sum "$config" | cut -c1-12)"

promise "it runs the program, as a numeric user who is not root"
same '["/connection-group-operator"] ["run"] "65532:65532"' "$(jq -r '.config | "\(.Entrypoint) \(.Cmd) \(.User | tojson)"' "$config")"
kept

promise "its labels say what it is, where it comes from and under which licence"
version=$(cargo metadata --locked --no-deps --format-version 1 | jq -r '.packages[] | select(.name == "connection-group-operator").version')
same "$version Apache-2.0 https://github.com/kube-operators/connection-group-operator" \
  "$(jq -r '.config.Labels | [."org.opencontainers.image.version", ."org.opencontainers.image.licenses", ."org.opencontainers.image.source"] | join(" ")' "$config")"
kept

promise "it holds the program and the CA bundle, and nothing else"
mkdir "$work/root"
for layer in $(jq -r '.[0].Layers[]' "$work/manifest.json"); do tar -x -C "$work/root" -f "$work/$layer"; done
same "./connection-group-operator ./etc/ssl/certs/ca-certificates.crt" "$(cd "$work/root" && find . ! -type d | sort | xargs)"
same /etc/ssl/certs/ca-certificates.crt "$(jq -r '.config.Env[] | select(startswith("SSL_CERT_FILE=")) | ltrimstr("SSL_CERT_FILE=")' "$config")"
kept

promise "it has at most $most_bytes bytes"
bytes=$(find "$work/root" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
[ "$bytes" -le "$most_bytes" ] || { echo "it has $bytes" >&2; false; }
kept "$bytes"

promise "no deliberate bug is compiled in"
same "" "$(cargo tree --locked --package connection-group-operator --edges normal,build --depth 0 --format '{f}')"
kept

promise "the program is linked statically"
readelf --program-headers --wide "$work/root/connection-group-operator" >"$work/headers"
if grep INTERP "$work/headers" >&2; then false; fi
kept

promise "the program names no folder of the machine that built it"
if grep --text --only-matching --max-count 3 -e "$PWD/[a-z]*" -e "${CARGO_HOME:-$HOME/.cargo}/[a-z]*" "$work/root/connection-group-operator" >&2; then false; fi
kept

promise "the program starts without a single right, on a file system that it cannot write to"
start() { # start ROOT: in a mount namespace of its own, so that nothing has to be unmounted
  mount --bind "$1" "$1"
  mount -o remount,bind,ro "$1"
  chroot --userspec=65532:65532 "$1" /connection-group-operator --version
}
export -f start
says=$(unshare --mount bash -euc "start '$work/root'")
same "connection-group-operator $version" "$says"
kept

echo "$archive"
