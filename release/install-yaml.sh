#!/usr/bin/env bash
# Prints install.yaml: the chart's objects with its defaults, for `kubectl apply --server-side -f install.yaml`, in a namespace of their own.
#
#   release/install-yaml.sh ghcr.io/kube-operators/connection-group-operator sha256:... > install.yaml
#
# The owner id comes from a ConfigMap that is not in the file: without it no Pod starts, and applying the next version keeps it. Needs helm in PATH.
set -euo pipefail
repository=$1 digest=$2
cd "$(dirname "$0")/.."
name=connection-group-operator
# Stands for the owner id until it is replaced by a reference to the ConfigMap, which the chart would refuse as a value.
placeholder=owner-id-of-the-config-map

# shellcheck disable=SC2016  # the kubelet replaces it
argument='--owner-id=$(OWNER_ID)'

rendered=$(helm template "$name" charts/"$name" --namespace "$name" --no-hooks --skip-tests \
  --set ownerId="$placeholder" --set image.repository="$repository" --set image.digest="$digest" \
  --set-json 'extraEnv=[{"name":"OWNER_ID","valueFrom":{"configMapKeyRef":{"name":"'"$name"'","key":"owner-id"}}}]' |
  sed -e "s/--owner-id=$placeholder/$argument/" -e '/^ *app.kubernetes.io\/managed-by: Helm$/d')
if grep -q "$placeholder" <<<"$rendered" || ! grep -qF -- "$argument" <<<"$rendered"; then
  echo "release/install-yaml.sh: the chart does not render --owner-id as expected" >&2
  exit 1
fi
cat <<END
# connection-group-operator, without Helm. The owner id names the installation, and is part of the owner tag of each group. Choose one for each
# cluster, and keep it (docs/install.md). Until the ConfigMap exists, no Pod starts. In this order:
#
#   kubectl create namespace $name
#   kubectl -n $name create configmap $name --from-literal=owner-id=<your owner id>
#   kubectl apply --server-side -f install.yaml
#
# The operator also needs an AWS role. With IRSA, annotate the ServiceAccount, then restart the Pods:
#
#   kubectl -n $name annotate serviceaccount $name eks.amazonaws.com/role-arn=<ARN of the role>
#   kubectl -n $name rollout restart deployment $name
apiVersion: v1
kind: Namespace
metadata:
  name: $name
  labels:
    pod-security.kubernetes.io/enforce: restricted
$rendered
END
