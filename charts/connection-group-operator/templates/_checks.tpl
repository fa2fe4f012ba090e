{{- /* What the schema cannot say, or cannot say in words that help. */ -}}
{{- define "connection-group-operator.checks" -}}
{{- if not .Values.ownerId -}}
{{- fail "ownerId is required: choose a name for this installation that is unique among all that share the AWS account, and keep it when the cluster is rebuilt, because it marks which connection groups are its own (for example: --set ownerId=prod-eu)" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail (printf "replicas is %d, which needs leaderElection.enabled: without it every replica acts" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled exclude each other: with both, every metric is scraped twice" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.metrics.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs metrics.service.enabled; podMonitor.enabled does without a Service" -}}
{{- end -}}
{{- if and (hasPrefix "http://" .Values.aws.endpointUrl) (not .Values.aws.allowInsecureEndpoint) -}}
{{- fail "aws.endpointUrl is plain http: use https, or set aws.allowInsecureEndpoint if the endpoint is a simulator" -}}
{{- end -}}
{{- if eq (int .Values.metrics.port) (int .Values.health.port) -}}
{{- fail "metrics.port and health.port must differ" -}}
{{- end -}}
{{- /* What is not set is the operator's own default. */ -}}
{{- $callTimeout := .Values.aws.callTimeout | default "30s" -}}
{{- $consistencyWindow := .Values.reconcile.consistencyWindow | default "60s" -}}
{{- $call := include "connection-group-operator.milliseconds" $callTimeout | int64 -}}
{{- $settle := include "connection-group-operator.milliseconds" $consistencyWindow | int64 -}}
{{- $grace := mul 1000 (int64 .Values.terminationGracePeriodSeconds) -}}
{{- if lt $settle $call -}}
{{- fail (printf "reconcile.consistencyWindow (%s) must not be shorter than aws.callTimeout (%s): a request to create a group may take effect until its answer is given up" $consistencyWindow $callTimeout) -}}
{{- end -}}
{{- if lt $grace (add $call 25000) -}}
{{- fail (printf "terminationGracePeriodSeconds (%ds) must be at least aws.callTimeout (%s) plus 25s: a Pod that is killed earlier loses the results of its last calls, and keeps the next leader waiting for its Lease" (div $grace 1000) $callTimeout) -}}
{{- end -}}
{{- end -}}

{{- /* How many milliseconds a duration has, such as 1m30s. */ -}}
{{- define "connection-group-operator.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $sum = add $sum (mul (get $units $unit) (trimSuffix $unit . | int64)) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}
