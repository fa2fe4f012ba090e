{{- /* The value that sets each flag of the operator. charts/tests/chart/run.sh compares this list with the operator's own. */ -}}
{{- define "connection-group-operator.flags" -}}
--allow-adoption: adoption.allowed
--allow-insecure-endpoint: aws.allowInsecureEndpoint
--aws-burst: budget.burst
--aws-call-timeout: aws.callTimeout
--aws-endpoint-url: aws.endpointUrl
--aws-rate: budget.callsPerSecond
--aws-region: aws.region
--consistency-window: reconcile.consistencyWindow
--health-addr: bindAddress and health.port
--identity-namespace: identity.namespace
--inventory-interval: inventory.interval
--inventory-interval-active: inventory.intervalActive
--leader-election-lease-duration: leaderElection.leaseDuration
--leader-election-renew-deadline: leaderElection.renewDeadline
--leader-election-retry-period: leaderElection.retryPeriod
--log-format: log.format
--log-level: log.level
--metrics-addr: bindAddress and metrics.port
--metrics-per-object: metrics.perObject
--otlp-endpoint: tracing.otlpEndpoint
--owner-id: ownerId
--resync-interval: reconcile.resyncInterval
--take-over-installation: identity.takeOver
--watch-namespace: watchNamespaces
{{- end -}}

{{- /* The flags that no value sets. */ -}}
{{- define "connection-group-operator.fixedFlags" -}}
- --leader-election
- --leader-election-lease
- --leader-election-namespace
{{- end -}}

{{- /* A value that is not set becomes no argument: then the operator's own default holds. */ -}}
{{- define "connection-group-operator.args" -}}
{{- $values := .Values -}}
{{- $host := contains ":" $values.bindAddress | ternary (printf "[%s]" $values.bindAddress) $values.bindAddress -}}
- {{ printf "--owner-id=%s" $values.ownerId | quote }}
{{- range $values.watchNamespaces }}
- --watch-namespace={{ . }}
{{- end }}
- --metrics-addr={{ $host }}:{{ $values.metrics.port }}
- --health-addr={{ $host }}:{{ $values.health.port }}
- --log-format={{ $values.log.format }}
- --log-level={{ $values.log.level }}
- --leader-election
- --leader-election-lease={{ include "connection-group-operator.leaseName" . }}
- --leader-election-namespace={{ .Release.Namespace }}
{{- if $values.adoption.allowed }}
- --allow-adoption
{{- end }}
{{- if $values.aws.allowInsecureEndpoint }}
- --allow-insecure-endpoint
{{- end }}
{{- if $values.metrics.perObject }}
- --metrics-per-object
{{- end }}
{{- $flags := include "connection-group-operator.flags" . | fromYaml -}}
{{- $optional := omit $flags "--owner-id" "--watch-namespace" "--metrics-addr" "--health-addr" "--log-format" "--log-level" "--allow-adoption"
  "--allow-insecure-endpoint" "--metrics-per-object"
-}}
{{- range $flag, $path := $optional }}
{{- with index $values (splitList "." $path | first) (splitList "." $path | last) }}
- {{ printf "%s=%v" $flag . | quote }}
{{- end }}
{{- end }}
{{- with $values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "connection-group-operator.topologySpreadConstraints" -}}
{{- $selector := dict "matchLabels" (include "connection-group-operator.selectorLabels" . | fromYaml) -}}
{{- $constraints := deepCopy .Values.topologySpreadConstraints -}}
{{- range $constraints -}}
{{- if not .labelSelector -}}
{{- /* Each revision is spread by itself: the Pods that a rolling update replaces must not decide where the new ones go. */ -}}
{{- $_ := set . "labelSelector" $selector -}}
{{- $_ := set . "matchLabelKeys" (.matchLabelKeys | default (list "pod-template-hash")) -}}
{{- end -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end -}}

{{- define "connection-group-operator.affinity" -}}
{{- $selector := dict "matchLabels" (include "connection-group-operator.selectorLabels" . | fromYaml) -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- range $kind := list "podAffinity" "podAntiAffinity" -}}
{{- $rules := get $affinity $kind | default dict -}}
{{- $terms := $rules.requiredDuringSchedulingIgnoredDuringExecution | default list -}}
{{- range $rules.preferredDuringSchedulingIgnoredDuringExecution -}}
{{- $terms = append $terms .podAffinityTerm -}}
{{- end -}}
{{- range $terms -}}
{{- if not .labelSelector -}}
{{- $_ := set . "labelSelector" $selector -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $affinity -}}
{{- end -}}
