#!/usr/bin/env bash
# Verifies a published release as a user does, with the commands of docs/release.md.
#
#   release/verify.sh 0.2.0 out/
#
# In: the folder with the files of the release; IMAGE and CHARTS as for release/publish.sh. Needs crane, cosign 3 and jq.
#   PUBLIC_KEY  the key that signed; without it, the identity of the workflow in REPOSITORY (such as kube-operators/connection-group-operator) is expected
#   COSIGN2     a cosign of version 2, to verify with that as well
set -euo pipefail
version=$1
out=$(realpath "$2")
name=connection-group-operator
: "${IMAGE:?} ${CHARTS:?}"
if [ -n "${PUBLIC_KEY:-}" ]; then
  who=(--key "$PUBLIC_KEY" --insecure-ignore-tlog=true)
else
  who=(--certificate-oidc-issuer https://token.actions.githubusercontent.com
    --certificate-identity "https://github.com/${REPOSITORY:?}/.github/workflows/release.yml@refs/tags/v$version")
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ok() { printf 'ok  %s\n' "$1"; }
root=()
if [ -n "${PUBLIC_KEY:-}" ] && [ -n "${COSIGN2:-}" ]; then
  # From 2.6 on, it prefers the bundle, and then asks for Sigstore's services even if a key signed: here, there are none.
  cosign trusted-root create --out "$work/root.json"
  root=(--trusted-root "$work/root.json")
fi

digest=$(crane digest "$IMAGE:$version")
chart=$(crane digest "$CHARTS/$name:$version")
for reference in "$IMAGE@$digest" "$CHARTS/$name@$chart"; do
  cosign verify "${who[@]}" "$reference" >/dev/null
  cosign verify --new-bundle-format=false "${who[@]}" "$reference" >/dev/null
  ok "signatures of $reference, in both formats"
  if [ -n "${COSIGN2:-}" ]; then
    "$COSIGN2" verify "${who[@]}" "${root[@]}" "$reference" >/dev/null
    ok "signature of $reference, with cosign 2"
  fi
done
attested() { # attested DIGEST FILES: in both formats, each list that is attested is one of the files, and none is missing
  local bundles
  for bundles in true false; do
    cosign verify-attestation --type cyclonedx "--new-bundle-format=$bundles" "${who[@]}" "$IMAGE@$1" |
      jq --sort-keys --slurp '[.[].payload | @base64d | fromjson | .predicate] | unique' >"$work/attested"
    jq --sort-keys --slurp unique "${@:2}" | cmp - "$work/attested"
  done
}
for platform in amd64 arm64; do
  one=$(crane digest --platform "linux/$platform" "$IMAGE@$digest")
  cosign verify "${who[@]}" "$IMAGE@$one" >/dev/null
  cosign verify --new-bundle-format=false "${who[@]}" "$IMAGE@$one" >/dev/null
  attested "$one" "$out/sbom-linux-$platform.cdx.json"
done
attested "$digest" "$out"/sbom-linux-*.cdx.json
ok "signatures and SBOM of the image of each platform, in both formats"
cosign verify-blob "${who[@]}" --bundle "$out/SHA256SUMS.sigstore.json" "$out/SHA256SUMS"
(cd "$out" && sha256sum --check --strict --quiet SHA256SUMS)
ok "checksums and their signature"
