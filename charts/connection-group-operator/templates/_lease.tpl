{{- /* Which Lease the Pods share; empty without leader election. */ -}}
{{- define "connection-group-operator.leaseArgs" -}}
{{- if .Values.leaderElection.enabled -}}
- --leader-election
- --leader-election-lease={{ include "connection-group-operator.leaseName" . }}
- --leader-election-namespace={{ include "connection-group-operator.leaseNamespace" . }}
{{- end -}}
{{- end -}}

{{- /* Whether the Pods that run use another Lease than the new ones, or none; empty if not. Where the cluster is not asked (`helm template`,
Argo CD) there seem to be none that run: docs/upgrade.md has the step for that, and for `helm rollback`, which renders nothing. */ -}}
{{- define "connection-group-operator.changesLease" -}}
{{- $lease := include "connection-group-operator.leaseArgs" . | fromYamlArray -}}
{{- $running := lookup "apps/v1" "Deployment" (include "connection-group-operator.namespace" .) (include "connection-group-operator.fullname" .) | default dict -}}
{{- range dig "spec" "template" "spec" "containers" list $running -}}
{{- if eq .name "operator" -}}
{{- $used := list -}}
{{- range .args -}}
{{- if regexMatch "^--leader-election($|-lease=|-namespace=)" . -}}{{- $used = append $used . -}}{{- end -}}
{{- end -}}
{{- if ne (join " " $used) (join " " $lease) -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The Deployments of this release that another name or namespace leaves behind until Helm deletes them, at the end of an upgrade. */ -}}
{{- define "connection-group-operator.otherDeployments" -}}
{{- $here := printf "%s/%s" (include "connection-group-operator.namespace" .) (include "connection-group-operator.fullname" .) -}}
{{- $owner := printf "--owner-id=%s" .Values.ownerId -}}
{{- $release := list .Release.Name .Release.Namespace -}}
{{- $others := list -}}
{{- range $namespace := list .Release.Namespace (include "connection-group-operator.namespace" .) | uniq -}}
{{- range $deployment := (lookup "apps/v1" "Deployment" $namespace "").items -}}
{{- $annotations := .metadata.annotations | default dict -}}
{{- $ours := eq (join "/" $release) (printf "%s/%s" (get $annotations "meta.helm.sh/release-name") (get $annotations "meta.helm.sh/release-namespace")) -}}
{{- range dig "spec" "template" "spec" "containers" list $deployment -}}
{{- if and $ours (has $owner (.args | default list)) (ne $here (printf "%s/%s" $namespace $deployment.metadata.name)) -}}
{{- $stop := include "connection-group-operator.stop" (dict "namespace" $namespace "name" $deployment.metadata.name "labels" $deployment.spec.selector.matchLabels) -}}
{{- $others = append $others (dict "namespace" $namespace "name" $deployment.metadata.name "replicas" $deployment.spec.replicas "stop" $stop) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $others -}}
{{- end -}}

{{- /* The command that stops the Pods of a Deployment, and waits until they have ended. */ -}}
{{- define "connection-group-operator.stop" -}}
{{- $labels := list -}}
{{- range $label, $value := .labels -}}{{- $labels = append $labels (printf "%s=%s" $label $value) -}}{{- end -}}
{{- printf "kubectl -n %s scale deployment/%s --replicas=0 && kubectl -n %s wait --for=delete pod --selector %s --timeout=90s" .namespace .name .namespace (join "," $labels) -}}
{{- end -}}
