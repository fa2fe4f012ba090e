#!/usr/bin/env bash
# Builds programs that a release needs, each once for each version, and prints the folder that holds them.
#
#   PATH=$(release/tools.sh helm crane cosign):$PATH
#
# In: names of crane, cosign (version 3), cosign2 (version 2, for the test), helm, actionlint, krew. Needs Go. The pins are in the go.mod of each module.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${CARGO_TARGET_DIR:-target}/release-tools
mkdir -p "$tools"
tools=$(realpath "$tools")

for name in "$@"; do
  case $name in
    crane) module=release/tools package=github.com/google/go-containerregistry/cmd/crane ;;
    cosign) module=release/tools package=github.com/sigstore/cosign/v3/cmd/cosign ;;
    cosign2) module=release/tools/cosign2 package=github.com/sigstore/cosign/v2/cmd/cosign ;;
    helm) module=tests/tools package=helm.sh/helm/v4/cmd/helm ;;
    krew) module=release/tools/krew package=sigs.k8s.io/krew/cmd/krew ;;
    actionlint) module=release/tools/actionlint package=github.com/rhysd/actionlint/cmd/actionlint ;;
    *) echo "release/tools.sh: there is no $name" >&2; exit 2 ;;
  esac
  # `make tools` builds this one, too.
  if [ "$name" = helm ] && [ -x "$tools/../tools/helm" ]; then ln -sf ../tools/helm "$tools/helm"; continue; fi
  if [ -x "$tools/$name" ] && cmp --silent "$module/go.sum" "$tools/$name.stamp"; then continue; fi
  echo "release/tools.sh: building $name" >&2
  start=$SECONDS
  (cd "$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -gcflags=all=-dwarf=false -ldflags='-s -w' -o "$tools/$name" "$package") >&2
  cp "$module/go.sum" "$tools/$name.stamp"
  echo "release/tools.sh: $name took $((SECONDS - start)) s" >&2
done
echo "$tools"
