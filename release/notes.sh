#!/usr/bin/env bash
# Prints the release notes of a version: its section of the changelog, and how to install and verify it.
#
#   release/notes.sh 0.2.0 ghcr.io/kube-operators/connection-group-operator@sha256:... oci://ghcr.io/kube-operators/charts rust:...@sha256:...
set -euo pipefail
version=$1 image=$2 charts=$3 base=$4
cd "$(dirname "$0")/.."

section=$(awk -v heading="## [$version]" '/^## \[/ { on = index($0, heading) == 1; next } on' CHANGELOG.md)
[ -n "${section//[[:space:]]/}" ] || { echo "release/notes.sh: CHANGELOG.md says nothing about $version" >&2; exit 1; }
printf '%s\n' "$section"
cat <<END

## Install

| | |
|---|---|
| Chart | \`$charts/connection-group-operator\`, version \`$version\` |
| Image, linux/amd64 and linux/arm64 | \`$image\` |
| Without Helm | \`install.yaml\`; it says how to set the owner id |
| Programs | \`connection-group-operator-$version-linux-amd64.tar.gz\`, \`connection-group-operator-$version-linux-arm64.tar.gz\` |
| kubectl plug-in, for krew | \`connection-group.yaml\` |
| Built with | \`$base\` |

\`docs/release.md\` says how to verify the signatures, the SBOM and the provenance.
END
