{{- /* What an upgrade must not change while Pods of this release run: with another Lease, old and new Pods would act at the same time; with another owner id
or identity, the operator takes its own groups for another installation's. Nothing is compared where the cluster is not asked (`helm template`, Argo CD), in a
rollback, and with a Deployment in an earlier `namespaceOverride`. Pods that are stopped are no reason to refuse. */ -}}
{{- define "connection-group-operator.checkInstallation" -}}
{{- $lease := printf "Lease %s/%s" .Release.Namespace (include "connection-group-operator.leaseName" .) -}}
{{- $identity := include "connection-group-operator.identityNamespace" . -}}
{{- $owner := .Values.ownerId -}}
{{- range include "connection-group-operator.running" . | fromYamlArray -}}
{{- $otherwise := printf "stop the Pods first (docs/upgrade.md, also for Flux and Argo CD): %s" .stop -}}
{{- if ne .lease $lease -}}
{{- fail (printf "the Pods of Deployment %s use %s, and those of this chart %s: both would act at the same time; %s" .name .lease $lease $otherwise) -}}
{{- end -}}
{{- if ne .owner $owner -}}
{{- fail (printf "ownerId is %s, but Deployment %s runs with %s: the operator would treat the connection groups of %s as another owner's, and change none of them; to keep the groups of %s, set ownerId to %s; to change the owner id, or if %s was the mistake, %s" $owner .name .owner .owner .owner .owner .owner $otherwise) -}}
{{- end -}}
{{- if ne .identity $identity -}}
{{- fail (printf "identity.namespace is %s, but Deployment %s runs with %s: the uid of that namespace is the identity of the installation, so the operator would treat its own connection groups as another installation's, and change none of them; to keep its groups, set identity.namespace to %s; to change the identity, or if %s was the mistake, %s" $identity .name .identity .identity .identity $otherwise) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The Deployments of this release that have Pods, whatever their names: what the Pods run with, and the command that stops them. The same chart under another
alias is another installation, unless it has the same owner id. Earlier charts took some flags from variables. */ -}}
{{- define "connection-group-operator.running" -}}
{{- $release := printf "%s/%s" .Release.Name .Release.Namespace -}}
{{- $chart := .Chart.Name -}}
{{- $ownerId := .Values.ownerId -}}
{{- $running := list -}}
{{- range $namespace := list .Release.Namespace (include "connection-group-operator.namespace" .) | uniq -}}
{{- range $deployment := (lookup "apps/v1" "Deployment" $namespace "").items -}}
{{- $annotations := .metadata.annotations | default dict -}}
{{- $label := get (.metadata.labels | default dict) "helm.sh/chart" -}}
{{- $named := printf "%s/%s" (get $annotations "meta.helm.sh/release-name") (get $annotations "meta.helm.sh/release-namespace") -}}
{{- $ours := and (eq $release $named) (dig "spec" "replicas" 1 $deployment) -}}
{{- $sameChart := eq $chart (regexReplaceAll "-[0-9]+[.][0-9].*$" $label "") -}}
{{- range dig "spec" "template" "spec" "containers" list $deployment -}}
{{- if and $ours (eq .name "operator") -}}
{{- $args := .args | default list -}}
{{- $flags := dict "--identity-namespace" "kube-system" -}}
{{- range .env | default list -}}
{{- if hasPrefix "CONNECTION_GROUP_OPERATOR_" .name -}}
{{- $_ := set $flags (trimPrefix "CONNECTION_GROUP_OPERATOR_" .name | lower | replace "_" "-" | printf "--%s") (.value | default "") -}}
{{- end -}}
{{- end -}}
{{- range $index, $arg := $args -}}
{{- $next := index (append $args "") (add1 $index | int) -}}
{{- $_ := set $flags (splitList "=" $arg | first) (contains "=" $arg | ternary (splitList "=" $arg | rest | join "=") $next) -}}
{{- end -}}
{{- $lease := "no Lease" -}}
{{- if hasKey $flags "--leader-election" -}}
{{- $lease = printf "Lease %s/%s" (get $flags "--leader-election-namespace") (get $flags "--leader-election-lease") -}}
{{- end -}}
{{- $labels := list -}}
{{- range $key, $value := $deployment.spec.selector.matchLabels -}}{{- $labels = append $labels (printf "%s=%s" $key $value) -}}{{- end -}}
{{- if or $sameChart (eq (get $flags "--owner-id") $ownerId) -}}
{{- $running = append $running (dict
  "name" (printf "%s/%s" $namespace $deployment.metadata.name)
  "owner" (get $flags "--owner-id")
  "identity" (get $flags "--identity-namespace")
  "lease" $lease
  "stop" (printf "kubectl -n %s scale deployment/%s --replicas=0 && kubectl -n %s wait --for=delete pod --selector %s --timeout=90s" $namespace $deployment.metadata.name $namespace (join "," $labels))
) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $running -}}
{{- end -}}
