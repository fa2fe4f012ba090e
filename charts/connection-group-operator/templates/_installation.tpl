{{- /* With another owner id, or an identity from another namespace, the operator takes its own groups for another installation's. Where the cluster is not
asked (`helm template`, Argo CD), or for a Deployment of another name, nothing is compared. Pods that are stopped are no reason to refuse. */ -}}
{{- define "connection-group-operator.checkInstallation" -}}
{{- $namespace := include "connection-group-operator.namespace" . -}}
{{- $name := include "connection-group-operator.fullname" . -}}
{{- $identity := include "connection-group-operator.identityNamespace" . -}}
{{- $owner := .Values.ownerId -}}
{{- $deployment := lookup "apps/v1" "Deployment" $namespace $name | default dict -}}
{{- $stop := printf "kubectl -n %s scale deployment/%s --replicas=0" $namespace $name -}}
{{- range dig "spec" "template" "spec" "containers" list $deployment -}}
{{- if and (eq .name "operator") (dig "spec" "replicas" 1 $deployment) -}}
{{- $usedOwner := $owner -}}
{{- $usedIdentity := "kube-system" -}}
{{- range .args -}}
{{- if hasPrefix "--owner-id=" . -}}{{- $usedOwner = trimPrefix "--owner-id=" . -}}{{- end -}}
{{- if hasPrefix "--identity-namespace=" . -}}{{- $usedIdentity = trimPrefix "--identity-namespace=" . -}}{{- end -}}
{{- end -}}
{{- if ne $usedOwner $owner -}}
{{- fail (printf "ownerId is %s, but Deployment %s/%s runs with %s: the operator would treat the connection groups of %s as another owner's, and change none of them; set ownerId to %s, or, if another owner id is intended (docs/disaster-recovery.md), stop the Pods first: %s" $owner $namespace $name $usedOwner $usedOwner $usedOwner $stop) -}}
{{- end -}}
{{- if ne $usedIdentity $identity -}}
{{- fail (printf "identity.namespace is %s, but Deployment %s/%s runs with %s: the uid of that namespace is the identity of the installation, so the operator would treat its own connection groups as another installation's, and change none of them; set identity.namespace to %s, or, if another identity is intended (docs/disaster-recovery.md), stop the Pods first: %s" $identity $namespace $name $usedIdentity $usedIdentity $stop) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
