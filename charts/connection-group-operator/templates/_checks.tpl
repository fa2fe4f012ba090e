{{- /* What the schema cannot say, or cannot say in words that help. */ -}}
{{- define "connection-group-operator.checks" -}}
{{- if not .Values.ownerId -}}
{{- fail "ownerId is required: choose a name for this installation that is unique among all that share the AWS account, and keep it when the cluster is rebuilt, because it marks which connection groups are its own (for example: --set ownerId=prod-eu)" -}}
{{- end -}}
{{- if eq .Values.ownerId "connection-group" -}}
{{- fail "ownerId must not be connection-group: older versions used the finalizer cloudfront.kube-operators.dev/connection-group for every owner id; choose another name" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled exclude each other: with both, every metric is scraped twice" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.metrics.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs metrics.service.enabled; podMonitor.enabled does without a Service" -}}
{{- end -}}
{{- if and (hasPrefix "http://" (.Values.aws.endpointUrl | default "")) (not .Values.aws.allowInsecureEndpoint) -}}
{{- fail "aws.endpointUrl is plain http: use https, or set aws.allowInsecureEndpoint if the endpoint is a simulator" -}}
{{- end -}}
{{- if eq (int .Values.metrics.port) (int .Values.health.port) -}}
{{- fail "metrics.port and health.port must differ" -}}
{{- end -}}
{{- if not (dig "enabled" true .Values.leaderElection) -}}
{{- fail "leaderElection.enabled is false, which this chart does not support: its Pods always share a Lease; remove the value" -}}
{{- end -}}
{{- range $value := list "leaseName" "namespace" -}}
{{- if dig $value "" $.Values.leaderElection -}}
{{- fail (printf "leaderElection.%s is set, which this chart does not support: the Lease is that of the release, so that no change of values makes two leaders; remove the value" $value) -}}
{{- end -}}
{{- end -}}
{{- include "connection-group-operator.checkFlags" . -}}
{{- include "connection-group-operator.checkOwners" . -}}
{{- include "connection-group-operator.checkInstallation" . -}}
{{- /* The operator refuses these times at its start. What is not set is the operator's own default. */ -}}
{{- $times := dict
  "aws.callTimeout" (.Values.aws.callTimeout | default "30s")
  "inventory.interval" (.Values.inventory.interval | default "60s")
  "inventory.intervalActive" (.Values.inventory.intervalActive | default "10s")
  "reconcile.consistencyWindow" (.Values.reconcile.consistencyWindow | default "60s")
  "reconcile.resyncInterval" (.Values.reconcile.resyncInterval | default "6h")
  "leaderElection.leaseDuration" (.Values.leaderElection.leaseDuration | default "15s")
  "leaderElection.renewDeadline" (.Values.leaderElection.renewDeadline | default "10s")
  "leaderElection.retryPeriod" (.Values.leaderElection.retryPeriod | default "1s")
-}}
{{- $milliseconds := dict -}}
{{- range $value, $time := $times -}}
{{- $long := include "connection-group-operator.milliseconds" $time | int64 -}}
{{- if lt $long 100 -}}
{{- fail (printf "%s (%s) must be at least 100ms: set a longer time, or leave it empty for the operator's default" $value $time) -}}
{{- end -}}
{{- $_ := set $milliseconds $value $long -}}
{{- end -}}
{{- $call := get $milliseconds "aws.callTimeout" -}}
{{- $window := get $milliseconds "reconcile.consistencyWindow" -}}
{{- $grace := mul 1000 (int64 .Values.terminationGracePeriodSeconds) -}}
{{- if lt $window $call -}}
{{- fail (printf "reconcile.consistencyWindow (%s) must not be shorter than aws.callTimeout (%s): a request to create a group may take effect until its answer is given up; raise reconcile.consistencyWindow, or lower aws.callTimeout" (get $times "reconcile.consistencyWindow") (get $times "aws.callTimeout")) -}}
{{- end -}}
{{- if gt (get $milliseconds "inventory.intervalActive") (get $milliseconds "inventory.interval") -}}
{{- fail (printf "inventory.intervalActive (%s) must not be longer than inventory.interval (%s): lower inventory.intervalActive, or raise inventory.interval" (get $times "inventory.intervalActive") (get $times "inventory.interval")) -}}
{{- end -}}
{{- if ge (get $milliseconds "leaderElection.renewDeadline") (get $milliseconds "leaderElection.leaseDuration") -}}
{{- fail (printf "leaderElection.renewDeadline (%s) must be shorter than leaderElection.leaseDuration (%s): a leader must stop before a standby takes over; lower leaderElection.renewDeadline, or raise leaderElection.leaseDuration" (get $times "leaderElection.renewDeadline") (get $times "leaderElection.leaseDuration")) -}}
{{- end -}}
{{- if ge (get $milliseconds "leaderElection.retryPeriod") (get $milliseconds "leaderElection.renewDeadline") -}}
{{- fail (printf "leaderElection.retryPeriod (%s) must be shorter than leaderElection.renewDeadline (%s): a leader must be able to try more than once; lower leaderElection.retryPeriod, or raise leaderElection.renewDeadline" (get $times "leaderElection.retryPeriod") (get $times "leaderElection.renewDeadline")) -}}
{{- end -}}
{{- if lt $grace (add $call 25000) -}}
{{- fail (printf "terminationGracePeriodSeconds (%ds) must be at least aws.callTimeout (%s) plus 25s: a Pod that is killed earlier loses the results of its last calls, and keeps the next leader waiting for its Lease" (div $grace 1000) (get $times "aws.callTimeout")) -}}
{{- end -}}
{{- end -}}

{{- /* How many milliseconds a duration has, such as 1m30s. A leading zero would make a number octal. */ -}}
{{- define "connection-group-operator.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $number := trimSuffix $unit . | regexFind "[1-9][0-9]*$|0$" | int64 -}}
{{- $sum = add $sum (mul (get $units $unit) $number) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{- /* A flag that is given twice keeps the operator from starting, and one that the chart does not see escapes its checks. */ -}}
{{- define "connection-group-operator.checkFlags" -}}
{{- $flags := include "connection-group-operator.flags" . | fromYaml -}}
{{- $fixed := include "connection-group-operator.fixedFlags" . | fromYamlArray -}}
{{- range .Values.extraArgs -}}
{{- $flag := splitList "=" . | first -}}
{{- if has $flag $fixed -}}
{{- fail (printf "extraArgs must not contain %s: the chart sets it, so that all Pods of the release share one Lease; remove it" $flag) -}}
{{- end -}}
{{- with get $flags $flag -}}
{{- fail (printf "extraArgs must not contain %s: set %s instead, which the chart checks and passes on" $flag .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- $flag := .name | default "" | trimPrefix "CONNECTION_GROUP_OPERATOR_" | lower | replace "_" "-" | printf "--%s" -}}
{{- $value := get $flags $flag -}}
{{- if and (hasPrefix "CONNECTION_GROUP_OPERATOR_" (.name | default "")) (has $flag $fixed) -}}
{{- fail (printf "extraEnv must not contain %s: the chart sets %s, so that all Pods of the release share one Lease; remove it" .name $flag) -}}
{{- end -}}
{{- /* A URL may hold a password, which belongs into a Secret. */ -}}
{{- $secret := and .valueFrom (has $flag (list "--aws-endpoint-url" "--otlp-endpoint")) -}}
{{- if and (hasPrefix "CONNECTION_GROUP_OPERATOR_" (.name | default "")) $value (not $secret) -}}
{{- fail (printf "extraEnv must not contain %s: set %s instead, which the chart checks and passes on" .name $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* With `--take-ownership` Helm takes what belongs to another release, and deletes it when this one is uninstalled. The CustomResourceDefinition is
not looked at: it stays when its release is uninstalled, and names that release until another one takes it. */ -}}
{{- define "connection-group-operator.checkOwners" -}}
{{- $objects := list -}}
{{- with .Values.admissionPolicies -}}
{{- if .deletionProtection.enabled -}}
{{- $objects = append $objects (list "admissionregistration.k8s.io/v1" "ValidatingAdmissionPolicy" "deletion-protection.cloudfront.kube-operators.dev") -}}
{{- end -}}
{{- if .crdProtection.enabled -}}
{{- $objects = append $objects (list "admissionregistration.k8s.io/v1" "ValidatingAdmissionPolicy" "crd-protection.cloudfront.kube-operators.dev") -}}
{{- end -}}
{{- end -}}
{{- $name := include "connection-group-operator.fullname" . -}}
{{- if and .Values.rbac.create (not .Values.watchNamespaces) -}}
{{- $objects = append $objects (list "rbac.authorization.k8s.io/v1" "ClusterRole" $name) -}}
{{- end -}}
{{- if .Values.rbac.aggregateClusterRoles -}}
{{- $objects = append $objects (list "rbac.authorization.k8s.io/v1" "ClusterRole" (printf "%s-view" $name)) -}}
{{- end -}}
{{- range $objects -}}
{{- $found := lookup (index . 0) (index . 1) "" (index . 2) | default dict -}}
{{- $annotations := dig "metadata" "annotations" dict $found -}}
{{- $release := get $annotations "meta.helm.sh/release-name" -}}
{{- $namespace := get $annotations "meta.helm.sh/release-namespace" -}}
{{- if and $release (ne (printf "%s/%s" $namespace $release) (printf "%s/%s" $.Release.Namespace $.Release.Name)) -}}
{{- fail (printf "%s %s belongs to release %s in namespace %s: for a second installation in this cluster, use another release name, and set crds.enabled, admissionPolicies.deletionProtection.enabled, admissionPolicies.crdProtection.enabled and rbac.aggregateClusterRoles to false; if that release does not exist any more, delete the object first" (index . 1) (index . 2) $release $namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
