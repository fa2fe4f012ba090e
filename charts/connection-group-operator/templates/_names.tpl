{{- define "connection-group-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* What Services and the PodDisruptionBudget do not select. */ -}}
{{- define "connection-group-operator.testName" -}}
{{- printf "%s-test" (include "connection-group-operator.name" . | trunc 58 | trimSuffix "-") -}}
{{- end -}}

{{- /* The name of a Service has at most 63 characters, and `-metrics` is appended. */ -}}
{{- define "connection-group-operator.fullname" -}}
{{- $name := include "connection-group-operator.name" . -}}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $both | trunc 55 | trimSuffix "-" -}}
{{- end -}}

{{- define "connection-group-operator.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "connection-group-operator.serviceAccountName" -}}
{{- $default := .Values.serviceAccount.create | ternary (include "connection-group-operator.fullname" .) "default" -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{- /* The Lease is in the namespace of the release. No value changes it: the Pods of all revisions share one Lease, also those of a Deployment of another
name or namespace. Nothing is left out of the two names, so that no other installation gets the same Lease, and stands by for ever. */ -}}
{{- define "connection-group-operator.leaseName" -}}
{{- eq .Release.Name .Chart.Name | ternary .Chart.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{- end -}}

{{- define "connection-group-operator.identityNamespace" -}}
{{- .Values.identity.namespace | default "kube-system" -}}
{{- end -}}

{{- /* Releases of one name in several namespaces share that namespace. */ -}}
{{- define "connection-group-operator.identityRole" -}}
{{- printf "%s-%s-identity" (include "connection-group-operator.fullname" .) (include "connection-group-operator.namespace" .) -}}
{{- end -}}

{{- define "connection-group-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "connection-group-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "connection-group-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "connection-group-operator.labels" -}}
{{- $labels := include "connection-group-operator.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $labels "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- merge $labels (.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{- /* Without the chart's version, so that a new chart with the same Pods replaces none. */ -}}
{{- define "connection-group-operator.podLabels" -}}
{{- merge (include "connection-group-operator.selectorLabels" . | fromYaml) (.Values.podLabels | default dict) (.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{- /* Not those that the selectors of the Service, the PodDisruptionBudget and the Deployment have. */ -}}
{{- define "connection-group-operator.testLabels" -}}
{{- $name := dict "app.kubernetes.io/name" (include "connection-group-operator.testName" .) -}}
{{- merge $name (include "connection-group-operator.podLabels" . | fromYaml) | toYaml -}}
{{- end -}}
