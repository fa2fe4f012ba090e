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
{{- end -}}
