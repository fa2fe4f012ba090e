#!/usr/bin/env bash
# Prints an object in mode Observe for each connection group of the account that has no owner and is not the default group. In: the namespace, and
# credentials for the AWS CLI. It only reads. AWS_ENDPOINT_URL_CLOUDFRONT leads it to another endpoint, such as the simulator.
set -euo pipefail
namespace=${1:?usage: observe-all.sh NAMESPACE}
prefix=cloudfront.kube-operators.dev

groups=$(aws cloudfront list-connection-groups --query 'ConnectionGroups[].[Id,Arn]' --output text)
while read -r id arn; do
  if [ -z "$arn" ]; then continue; fi
  group=$(aws cloudfront get-connection-group --identifier "$id" --query 'ConnectionGroup.[Name,Enabled,Ipv6Enabled,AnycastIpListId,IsDefault]' --output text)
  IFS=$'\t' read -r name enabled ipv6 list default <<<"$group"
  if [ "$default" = True ]; then continue; fi
  tags=$(aws cloudfront list-tags-for-resource --resource "$arn" --query 'Tags.Items[].[Key,Value]' --output text)
  if grep --quiet "^$prefix/owner" <<<"$tags"; then
    echo "$name already has an owner" >&2
    continue
  fi
  cat <<YAML
---
apiVersion: $prefix/v1alpha1
kind: ConnectionGroup
metadata:
  name: $(tr '[:upper:]_' '[:lower:]-' <<<"$name")
  namespace: $namespace
  labels:
    migration: observed
spec:
  name: "$name"
  mode: Observe
  adoptionPolicy: IfUnchanged
  deletionProtection: true
  enabled: ${enabled,,}
  ipv6Enabled: ${ipv6,,}
YAML
  if [ "$list" != None ] && [ -n "$list" ]; then echo "  anycastIpListId: $list"; fi
  # Tags of AWS and of the operator are reserved.
  tags=$(grep --extended-regexp --invert-match "^(None|aws:.*|$prefix/.*)?$" <<<"$tags" || true)
  if [ -n "$tags" ]; then
    echo "  tags:"
    while IFS=$'\t' read -r key value; do printf '    "%s": "%s"\n' "$key" "$value"; done <<<"$tags"
  fi
done <<<"$groups"
