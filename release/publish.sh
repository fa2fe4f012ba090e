#!/usr/bin/env bash
# Publishes a release: joins the images of both platforms, signs and attests them, pushes and signs the chart, and writes the files of the release.
#
#   release/publish.sh 0.2.0 sha256:<image of linux/amd64> sha256:<image of linux/arm64> out/
#
# In: images that were pushed to $IMAGE by digest; the lists that release/sbom.sh wrote to out. Needs crane, cosign 3, helm, jq, and a login to the registry.
#   IMAGE   such as ghcr.io/kube-operators/connection-group-operator
#   CHARTS  such as ghcr.io/kube-operators/charts
#   REPOSITORY  on GitHub, such as kube-operators/connection-group-operator: where the files of the release will be
#   KEY     a private key to sign with; without it, the identity of the workflow (keyless)
#   HELM_FLAGS  more flags for `helm push`
# Out: out/digest, out/install.yaml, the programs, krew's manifest, and checksums with their signature. Runs again after a failure; never replaces what is published.
set -euo pipefail
version=$1 amd64=$2 arm64=$3
out=$(realpath "$4")
cd "$(dirname "$0")/.."
name=connection-group-operator
: "${IMAGE:?} ${CHARTS:?} ${REPOSITORY:?}"
read -ra helm_flags <<<"${HELM_FLAGS:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export COSIGN_YES=true

refuse() { echo "release/publish.sh: $1" >&2; exit 1; }
# Only the registry's own "not there" is a no: taking a failure for one would replace what is published.
exists() { # exists REFERENCE
  local said
  if said=$(crane digest "$1" 2>&1); then return 0; fi
  grep -qE 'MANIFEST_UNKNOWN|NAME_UNKNOWN|status code 404' <<<"$said" || refuse "cannot tell whether $1 exists: $said"
  return 1
}

# Two formats: a bundle that is attached as an OCI referrer, which cosign 3 looks for, and the tags that cosign 2 and older admission controllers know.
bundle=() tags=(--new-bundle-format=false --use-signing-config=false)
if [ -n "${KEY:-}" ]; then
  # A key needs no transparency log.
  cosign signing-config create --out "$work/no-services.json"
  bundle+=(--key "$KEY" --signing-config "$work/no-services.json")
  tags+=(--key "$KEY" --tlog-upload=false)
fi
sign() { # sign REFERENCE
  cosign sign "${bundle[@]}" "$1"
  cosign sign "${tags[@]}" "$1"
}
attest() { # attest REFERENCE PLATFORM
  cosign attest "${bundle[@]}" --type cyclonedx --predicate "$out/sbom-linux-$2.cdx.json" "$1"
  cosign attest "${tags[@]}" --type cyclonedx --predicate "$out/sbom-linux-$2.cdx.json" "$1"
}

# The image. A tag that exists is kept if it is this very release, from an earlier try. Whoever moves the tag meanwhile gets no signature: what is signed is
# what was compared, by its digest.
exists "$IMAGE:$version" || crane index append --manifest "$IMAGE@$amd64" --manifest "$IMAGE@$arm64" --tag "$IMAGE:$version"
digest=$(crane digest "$IMAGE:$version")
images=$(crane manifest "$IMAGE@$digest" | jq -r '[.manifests[] | "\(.platform.os)/\(.platform.architecture)=\(.digest)"] | sort | join(" ")')
[ "$images" = "linux/amd64=$amd64 linux/arm64=$arm64" ] || refuse "$IMAGE:$version exists and holds other images; a release is never replaced"
for one in "$digest" "$amd64" "$arm64"; do sign "$IMAGE@$one"; done
attest "$IMAGE@$amd64" amd64
attest "$IMAGE@$arm64" arm64
# For those who ask for the tag.
attest "$IMAGE@$digest" amd64
attest "$IMAGE@$digest" arm64
echo "$digest" >"$out/digest"

# The chart. Its archive differs with each packaging, so what is published is compared by its files.
chart=$CHARTS/$name
helm package charts/"$name" --destination "$work" >/dev/null
exists "$chart:$version" || helm push "$work/$name-$version.tgz" "oci://$CHARTS" "${helm_flags[@]}"
chart_digest=$(crane digest "$chart:$version")
archive=$(crane manifest "$chart@$chart_digest" | jq -r '.layers[] | select(.mediaType | startswith("application/vnd.cncf.helm.chart.content")) | .digest')
mkdir "$work/a" "$work/b"
tar -xf "$work/$name-$version.tgz" -C "$work/a"
crane blob "$chart@$archive" | tar -xz -C "$work/b"
diff -r "$work/a" "$work/b" >/dev/null || refuse "$chart:$version exists and is another chart; a release is never replaced"
sign "$chart@$chart_digest"
echo "$chart_digest" >"$out/chart-digest"

# The files.
for platform in amd64 arm64; do
  crane export --platform "linux/$platform" "$IMAGE@$digest" - | tar -x -C "$work" "$name"
  cp LICENSE "$work/"
  tar --create --gzip --owner=0 --group=0 --mtime="@${SOURCE_DATE_EPOCH:-0}" --sort=name --file "$out/$name-$version-linux-$platform.tar.gz" -C "$work" "$name" LICENSE
  rm "$work/$name"
done
release/install-yaml.sh "$IMAGE" "$digest" >"$out/install.yaml"
cp crds/connectiongroups.yaml "$out/"
archive_sum() { sha256sum <"$out/$name-$version-linux-$1.tar.gz" | cut -d ' ' -f 1; }
# krew wants it to have the name of the plug-in.
sed -e "/^#/d; s|@VERSION@|$version|g; s|@REPOSITORY@|$REPOSITORY|g; s|@SHA256_AMD64@|$(archive_sum amd64)|; s|@SHA256_ARM64@|$(archive_sum arm64)|" \
  release/krew.yaml >"$out/connection-group.yaml"
(cd "$out" && sha256sum connection-group.yaml connectiongroups.yaml install.yaml sbom-linux-*.cdx.json "$name-$version"-linux-*.tar.gz >SHA256SUMS)
cosign sign-blob "${bundle[@]}" --bundle "$out/SHA256SUMS.sigstore.json" "$out/SHA256SUMS"
echo "published $IMAGE:$version ($digest) and oci://$CHARTS/$name:$version ($chart_digest)"
