#!/usr/bin/env bash
# Publishes, verifies and installs a release with a registry on this machine and a key pair, and sees that tampering is noticed.
# In: `make tools` and the debug build. Builds crane, cosign (2 and 3) and krew once, which takes minutes. The images hold a small script, which starts
# the program if it has arguments. Needs curl and jq.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
testbed=$(realpath "${TESTBED:-$target/debug/testbed}")
programs=$(dirname "$testbed")
tools=$(release/tools.sh helm crane cosign cosign2 krew)
export PATH=$tools:$PATH
work=$(mktemp -d)
step=
pids=()
finish() {
  local code=$?
  for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  wait
  if [ "$code" != 0 ]; then
    echo "FAILED  $step" >&2
    tail -n 20 "$work"/*.log >&2
  fi
  rm -rf "$work"
}
trap finish EXIT
begin() { step=$1; }
ok() { echo "ok      $step"; }
same() { [ "$1" = "$2" ] || { printf 'wanted %s\ngot    %s\n' "$1" "$2" >&2; return 1; }; }
fails() { # fails COMMAND...: what it says goes to a log
  if "$@" >"$work/fails.log" 2>&1; then echo "it succeeded: $*" >&2; return 1; fi
}
wait_for() { # wait_for PATTERN FILE: prints the line, once it is there
  for _ in $(seq 600); do
    if grep -m 1 -E "$1" "$2" 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "no line $1 in $2" >&2
  return 1
}

begin "the SBOM of each platform lists the crates of its program, the CloudFront client among them, and names no folder of this machine"
release/sbom.sh "$work/out" >"$work/sbom.log" 2>&1
for platform in amd64 arm64; do
  jq -e '.components | length > 100 and any(.[]; .name == "aws-sdk-cloudfront")' "$work/out/sbom-linux-$platform.cdx.json" >/dev/null
done
if grep -F "$PWD" "$work"/out/*.cdx.json >&2; then false; fi
same "" "$(git ls-files --others -- '*.cdx.json')"
ok

# Nothing of the user's own settings, and no Sigstore service: a key pair signs.
export HOME=$work/home DOCKER_CONFIG=$work/home/.docker COSIGN_PASSWORD='' HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
mkdir -p "$HOME"
crane registry serve --address 127.0.0.1:0 >"$work/registry.log" 2>&1 &
pids+=($!)
address=127.0.0.1:$(wait_for 'serving on port' "$work/registry.log" | sed 's/.*port //')
export IMAGE=$address/test/connection-group-operator CHARTS=$address/test/charts HELM_FLAGS=--plain-http REPOSITORY=test/connection-group-operator
(cd "$work" && cosign generate-key-pair >"$work/keys.log" 2>&1 && mkdir other && cd other && cosign generate-key-pair >>"$work/keys.log" 2>&1)
export KEY=$work/cosign.key PUBLIC_KEY=$work/cosign.pub COSIGN2=$tools/cosign2
version=$(release/version.py check)

image() { # image PLATFORM TEXT: pushes an image of one small program, and prints its digest
  mkdir -p "$work/layer"
  printf '#!/bin/sh\n[ $# = 0 ] || exec %s/connection-group-operator "$@"\necho %s\n' "$programs" "$2" >"$work/layer/connection-group-operator"
  chmod 0755 "$work/layer/connection-group-operator"
  tar --create --owner=0 --group=0 --mtime=@0 --file "$work/layer.tar" -C "$work/layer" connection-group-operator
  crane append --new_layer "$work/layer.tar" --oci-empty-base --new_tag "$IMAGE:scratch" >/dev/null 2>&1
  crane mutate "$IMAGE:scratch" --set-platform "linux/$1" --tag "$IMAGE:scratch-$1" >/dev/null 2>&1
  crane digest "$IMAGE:scratch-$1"
}
amd64=$(image amd64 amd64)
arm64=$(image arm64 arm64)

begin "a release is published, and verifies in both formats, with cosign 3 and cosign 2"
release/publish.sh "$version" "$amd64" "$arm64" "$work/out" >"$work/publish.log" 2>&1
release/verify.sh "$version" "$work/out" >"$work/verify.log" 2>&1
same 5 "$(grep -c '^ok  signature' "$work/verify.log")"
ok

begin "each platform gets its own program"
for platform in amd64 arm64; do
  tar -xf "$work/out/connection-group-operator-$version-linux-$platform.tar.gz" -C "$work/layer" connection-group-operator
  same "$platform" "$("$work/layer/connection-group-operator")"
done
ok

begin "publishing again changes nothing"
before=$(crane digest "$IMAGE:$version") chart=$(crane digest "$CHARTS/connection-group-operator:$version")
release/publish.sh "$version" "$amd64" "$arm64" "$work/out" >"$work/publish.log" 2>&1
same "$before $chart" "$(crane digest "$IMAGE:$version") $(crane digest "$CHARTS/connection-group-operator:$version")"
release/verify.sh "$version" "$work/out" >"$work/verify.log" 2>&1
ok

begin "a version that is published is never replaced by another image"
evil=$(image amd64 evil)
fails release/publish.sh "$version" "$evil" "$arm64" "$work/out"
grep -q 'a release is never replaced' "$work/fails.log"
same "$before" "$(crane digest "$IMAGE:$version")"
ok

begin "a registry that does not answer is not taken for one without the release"
fails env IMAGE=127.0.0.1:1/test/connection-group-operator release/publish.sh "$version" "$amd64" "$arm64" "$work/out"
grep -q 'cannot tell whether 127.0.0.1:1/test/connection-group-operator' "$work/fails.log"
ok

begin "a tag that was moved to another image does not verify"
crane index append --manifest "$IMAGE@$evil" --manifest "$IMAGE@$arm64" --tag "$IMAGE:$version" >"$work/crane.log" 2>&1
fails release/verify.sh "$version" "$work/out"
grep -qi 'no \(matching \)\?signatures' "$work/fails.log"
fails "$COSIGN2" verify --key "$PUBLIC_KEY" --insecure-ignore-tlog=true "$IMAGE:$version"
crane tag "$IMAGE@$before" "$version" >>"$work/crane.log" 2>&1
ok

begin "a chart that was replaced does not verify"
cp -r charts/connection-group-operator "$work/chart"
sed -i 's/^description: .*/description: another chart/' "$work/chart/Chart.yaml"
helm package "$work/chart" --destination "$work" >"$work/helm.log"
helm push "$work/connection-group-operator-$version.tgz" "oci://$CHARTS" --plain-http >>"$work/helm.log" 2>&1
fails release/verify.sh "$version" "$work/out"
fails release/publish.sh "$version" "$amd64" "$arm64" "$work/out"
grep -q 'is another chart' "$work/fails.log"
crane tag "$CHARTS/connection-group-operator@$chart" "$version" >>"$work/crane.log" 2>&1
ok

begin "a file that was changed does not verify, nor do changed checksums, nor does the signature of another key"
cp -r "$work/out" "$work/changed"
echo '# more' >>"$work/changed/install.yaml"
fails release/verify.sh "$version" "$work/changed"
(cd "$work/changed" && sha256sum ./*.yaml ./*.cdx.json ./*.tar.gz >SHA256SUMS)
fails release/verify.sh "$version" "$work/changed"
fails env PUBLIC_KEY="$work/other/cosign.pub" release/verify.sh "$version" "$work/out"
release/verify.sh "$version" "$work/out" >"$work/verify.log" 2>&1
ok

begin "a changed SBOM does not verify: neither as a file, nor attested by another key, nor with its content replaced in the registry"
rm -r "$work/changed"
cp -r "$work/out" "$work/changed"
sbom=$work/changed/sbom-linux-amd64.cdx.json
jq '(.components[] | select(.name == "aws-sdk-cloudfront").version) = "0.0.1"' "$work/out/sbom-linux-amd64.cdx.json" >"$sbom"
fails release/verify.sh "$version" "$work/changed"
grep -q ' differ: ' "$work/fails.log"
# Whoever may push may attach an attestation. It does not count beside the right one, nor alone.
attach() { # attach KEY PREDICATE REFERENCE: in both formats
  cosign attest --key "$1" --signing-config "$work/no-services.json" --type cyclonedx --predicate "$2" "$3"
  cosign attest --key "$1" --new-bundle-format=false --use-signing-config=false --tlog-upload=false --type cyclonedx --predicate "$2" "$3"
}
cosign signing-config create --out "$work/no-services.json"
attach "$work/other/cosign.key" "$sbom" "$IMAGE@$amd64" >"$work/attest.log" 2>&1
release/verify.sh "$version" "$work/out" >"$work/verify.log" 2>&1
fails release/verify.sh "$version" "$work/changed"
attach "$work/other/cosign.key" "$sbom" "$IMAGE@$evil" >>"$work/attest.log" 2>&1
not_attested() { # not_attested DIGEST: in either format
  for verifier in "cosign verify-attestation" "cosign verify-attestation --new-bundle-format=false"; do
    read -ra verifier <<<"$verifier"
    fails "${verifier[@]}" --type cyclonedx --key "$PUBLIC_KEY" --insecure-ignore-tlog=true "$IMAGE@$1"
    grep -qE 'no(ne of the|( matching)?) attestations|invalid signature' "$work/fails.log"
  done
}
not_attested "$evil"
api=http://$address/v2/test/connection-group-operator
changed() { # changed MANIFEST: the manifest of the same attestations with another content below the same signatures
  local manifest=$1 layer sum
  for layer in $(jq -r '.layers[].digest' <<<"$1"); do
    crane blob "$IMAGE@$layer" | jq --compact-output 'def other: .payload |= (@base64d | gsub("aws-sdk-cloudfront"; "aws-sdk-another") | @base64);
      if .dsseEnvelope then .dsseEnvelope |= other else other end' >"$work/blob"
    sum=sha256:$(sha256sum <"$work/blob" | cut -d ' ' -f 1)
    curl --silent --show-error --fail --request POST --data-binary "@$work/blob" "$api/blobs/uploads/?digest=$sum"
    manifest=$(jq --compact-output --arg old "$layer" --arg new "$sum" --argjson size "$(wc -c <"$work/blob")" \
      '(.layers[] | select(.digest == $old)) |= (.digest = $new | .size = $size)' <<<"$manifest")
  done
  echo "$manifest"
}
put() { # put MANIFEST TAG
  curl --silent --show-error --fail --request PUT --header "Content-Type: $(jq -r .mediaType <<<"$1")" --data-binary "$1" "$api/manifests/$2"
}
tag=${amd64/:/-}
put "$(changed "$(crane manifest "$IMAGE:$tag.att")")" "$tag.att"
fails release/verify.sh "$version" "$work/out"
index=$(crane manifest "$IMAGE:$tag")
for old in $(jq -r '.manifests[].digest' <<<"$index"); do
  manifest=$(changed "$(crane manifest "$IMAGE@$old")")
  sum=sha256:$(printf %s "$manifest" | sha256sum | cut -d ' ' -f 1)
  put "$manifest" "$sum"
  index=$(jq --compact-output --arg old "$old" --arg new "$sum" --argjson size "${#manifest}" '(.manifests[] | select(.digest == $old)) |= (.digest = $new | .size = $size)' <<<"$index")
done
put "$index" "$tag"
not_attested "$amd64"
fails release/verify.sh "$version" "$work/out"
ok

begin "the chart installs from the registry"
"$testbed" up >"$work/testbed.log" 2>&1 &
pids+=($!)
KUBECONFIG=$(wait_for '^export KUBECONFIG=' "$work/testbed.log" | sed 's/.*=//')
kubectl=$(wait_for ' get namespaces$' "$work/testbed.log" | sed 's/ get namespaces$//')
export KUBECONFIG
namespace=connection-group-operator
operator() { "$kubectl" --namespace "$namespace" get deployment connection-group-operator --output jsonpath="$1"; }
helm install connection-group-operator "oci://$CHARTS/connection-group-operator" --version "$version" --plain-http \
  --namespace "$namespace" --create-namespace --set ownerId=prod-eu --set image.repository="$IMAGE" --set image.digest="$before" >"$work/install.log" 2>&1
same "$IMAGE@$before" "$(operator '{.spec.template.spec.containers[0].image}')"
"$kubectl" get crd connectiongroups.cloudfront.kube-operators.dev >/dev/null
helm uninstall connection-group-operator --namespace "$namespace" --wait=hookOnly >>"$work/install.log" 2>&1
fails operator '{.metadata.name}'
ok

begin "install.yaml is applied, takes the owner id from a ConfigMap that it does not hold, and can be applied again"
"$kubectl" --namespace "$namespace" create configmap "$namespace" --from-literal=owner-id=prod-eu >"$work/apply.log"
for _ in first again; do "$kubectl" apply --server-side --filename "$work/out/install.yaml" >>"$work/apply.log" 2>&1; done
same "$IMAGE@$before" "$(operator '{.spec.template.spec.containers[0].image}')"
# shellcheck disable=SC2016  # the kubelet replaces it
operator '{.spec.template.spec.containers[0].args}' | grep -qF -- '"--owner-id=$(OWNER_ID)"'
same "{\"key\":\"owner-id\",\"name\":\"$namespace\"}" "$(operator '{.spec.template.spec.containers[0].env[?(@.name=="OWNER_ID")].valueFrom.configMapKeyRef}')"
same prod-eu "$("$kubectl" --namespace "$namespace" get configmap "$namespace" --output jsonpath='{.data.owner-id}')"
same 1 "$(operator '{.metadata.generation}')"
ok

begin "krew installs the program of each platform from its archive, with the license; as a plug-in of kubectl, it prints the resource and checks the installation"
for platform in arm64 amd64; do
  archive=$work/out/connection-group-operator-$version-linux-$platform.tar.gz
  export KREW_ROOT=$work/krew-$platform KREW_OS=linux KREW_ARCH=$platform KREW_NO_UPGRADE_CHECK=1
  krew install --manifest="$work/out/connection-group.yaml" --archive="$archive" >"$work/krew.log" 2>&1
  plugin=$(realpath "$KREW_ROOT/bin/kubectl-connection_group")
  same "$platform" "$("$plugin")"
  cmp LICENSE "$(dirname "$plugin")/LICENSE"
  grep -qF "uri: https://github.com/$REPOSITORY/releases/download/v$version/$(basename "$archive")" "$work/out/connection-group.yaml"
done
fails env KREW_ROOT="$work/krew-other" krew install --manifest="$work/out/connection-group.yaml" --archive="$work/out/connection-group-operator-$version-linux-arm64.tar.gz"
grep -qi 'checksum' "$work/fails.log"
export PATH=$KREW_ROOT/bin:$PATH
"$kubectl" connection-group crd | cmp - crds/connectiongroups.yaml
"$programs/cloudfront-simulator" --addr 127.0.0.1:0 >"$work/simulator.log" 2>&1 &
pids+=($!)
cloudfront=$(wait_for '^listening on ' "$work/simulator.log" | sed 's/.* //')
AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none "$kubectl" connection-group check --owner-id=prod-eu \
  --aws-endpoint-url="$cloudfront" --allow-insecure-endpoint >"$work/check.log" 2>&1
grep -q '^ok      CloudFront' "$work/check.log"
ok
