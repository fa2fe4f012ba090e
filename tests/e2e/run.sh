#!/usr/bin/env bash
# The chart and the images on a real cluster: Pods, Services, probes, rolling updates. docs/e2e.md says how to get a cluster.
# In: KUBECONFIG; IMAGE and SIMULATOR_IMAGE, already loaded; optionally IMAGE_NEXT, the next version, to upgrade to, and CHART, another chart than ours.
# Out: a sentence for each step. Makes the namespaces cgo-e2e-* and the CustomResourceDefinition, and takes them away at the end.
# Logs are in target/e2e/. KEEP=1 leaves everything in place after a failure; PATIENCE=SECONDS (60) is for each thing that is waited for.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."
here=tests/e2e
chart=${CHART:-charts/connection-group-operator}
operator=cgo-e2e-operator cloudfront=cgo-e2e-cloudfront groups=cgo-e2e-groups
release=connection-group-operator
crd=connectiongroups.cloudfront.kube-operators.dev
simulator=/api/v1/namespaces/$cloudfront/services/http:cloudfront:80/proxy/_admin
logs=${CARGO_TARGET_DIR:-target}/e2e
patience=${PATIENCE:-60}
began=$SECONDS

# --- what is needed

refuse() {
  echo "e2e: $*" >&2
  exit 2
}
for tool in kubectl helm jq curl; do
  command -v "$tool" >/dev/null || refuse "$tool is not in PATH"
done
for name in IMAGE SIMULATOR_IMAGE; do
  [[ ${!name:-} == *:* ]] || refuse "set $name to an image, as NAME:TAG, that the cluster's nodes have already; docs/e2e.md says how"
done
kubectl get --raw /readyz >/dev/null || refuse "no API server answers: set KUBECONFIG"
if kubectl get crd "$crd" >/dev/null 2>&1; then
  refuse "this cluster has the CustomResourceDefinition $crd already: run on a cluster without the operator"
fi
# Helm 3 says --atomic.
roll_back=--rollback-on-failure
helm upgrade --help | grep -q -- "$roll_back" || roll_back=--atomic

# --- how it is told

mkdir -p "$logs"
log=$logs/run.log
: >"$log"
sentence=
step() { # step SENTENCE COMMAND...
  local start=$SECONDS
  sentence=$1
  shift
  printf '%-100s ' "$sentence"
  printf '\n=== %s\n' "$sentence" >>"$log"
  note=
  "$@" >>"$log" 2>&1
  printf 'ok %3d s%s\n' "$((SECONDS - start))" "${note:+, $note}"
  sentence=
}
diagnose() {
  kubectl get all,leases,events,connectiongroups --all-namespaces --output wide
  kubectl get connectiongroups --all-namespaces --output yaml
  kubectl describe pods --namespace "$operator"
  for pod in $(kubectl get pods --namespace "$operator" --output name); do kubectl logs --namespace "$operator" "$pod" --prefix; done
  kubectl get --raw "$simulator/requests?since=0"
}
clean_up() {
  helm uninstall "$release" --namespace "$operator" --ignore-not-found --wait
  for object in $(kubectl get connectiongroups --namespace "$groups" --output name); do
    kubectl patch --namespace "$groups" "$object" --type merge --patch '{"metadata":{"finalizers":null}}'
  done
  remove_crd
  kubectl delete namespace "$operator" "$cloudfront" "$groups" --ignore-not-found
}
finish() {
  local code=$?
  trap - EXIT
  set +e
  if [ "$code" != 0 ]; then
    if [ -n "$sentence" ]; then echo FAILED; fi
    diagnose >"$logs/cluster.txt" 2>&1
    tail -n 8 "$log"
    echo "e2e: FAILED after $((SECONDS - began)) s; logs: $logs"
    if [ -n "${KEEP:-}" ]; then exit "$code"; fi
  fi
  (
    set -e
    clean_up
  ) >>"$log" 2>&1
  # shellcheck disable=SC2181 # `if (...)` would let a failure inside pass
  if [ "$?" != 0 ]; then echo "e2e: could not clean up; see $log"; code=1; fi
  if [ "$code" = 0 ]; then echo "e2e: all ok after $((SECONDS - began)) s"; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- the words of the steps

# Waits for a command to succeed. What it prints the last time is what went wrong.
eventually() {
  local until=$((SECONDS + patience)) said
  until said=$("$@" 2>&1); do
    [ "$SECONDS" -lt "$until" ] || { printf 'not within %s s: %s\n%s\n' "$patience" "$*" "$said"; return 1; }
    sleep 0.2
  done
}
same() { # same WHAT WANTED GOT
  [ "$2" = "$3" ] || { printf '%s: wanted "%s", got "%s"\n' "$1" "$2" "$3"; return 1; }
}
k() { kubectl --namespace "$groups" "$@"; }
field() { k get connectiongroup "$1" --output "jsonpath={$2}"; }
await() { k wait "connectiongroup/$1" --timeout "${patience}s" --for "$2"; }
# Ready is worth something only of the generation that was last written.
settled() { # settled NAME [REASON]
  await "$1" "jsonpath={.status.observedGeneration}=$(field "$1" .metadata.generation)"
  await "$1" condition=Ready
  same "the reason" "${2:-Deployed}" "$(field "$1" '.status.conditions[?(@.type=="Ready")].reason')"
}
# Until then a new leader reads the group. An edit in the first minute of a leader counts as carried out only once reads must show all tags, a minute later.
at_rest() { k wait "connectiongroup/$1" --timeout "$((patience + 60))s" --for "jsonpath={.status.syncedGeneration}=$(field "$1" .metadata.generation)"; }
edit() { k patch connectiongroup "$1" --type merge --patch "{\"spec\":$2}"; }

at_cloudfront() { kubectl get --raw "$simulator/state" | jq --compact-output "$@"; }
group() { at_cloudfront --raw-output ".groups[] | select(.name == \"$1\") | $2"; }
# What a call could change: all of the account.
account() { at_cloudfront --sort-keys '[.groups, .tenants, .anycast_ip_lists]'; }
calls() { kubectl get --raw "$simulator/requests?since=$1" | jq --compact-output "$2"; }
latest() { calls 0 'map(.seq) | max // 0'; }
writes_since() { calls "$1" '[.[] | .operation | select(test("^(Create|Update|Delete|Tag|Untag)"))]'; }
acted_since() { [ "$(calls "$1" length)" -gt 0 ]; }
acted_other_than() { # acted_other_than POD SINCE
  [ "$(calls "$2" "map(select(.access_key_id != \"$1\")) | length")" -gt 0 ]
}
# Waits for another Pod than OLD to act, and sets `gap` to the time without a leader: from the last call of the one to the first of the other.
handed_on() { # handed_on OLD SINCE
  eventually acted_other_than "$1" "$2"
  gap=$(calls 0 "(map(select(.access_key_id == \"$1\")) | last.time) as \$last | (map(select(.time > \$last)) | first.time) - \$last")
  note="$gap ms between the last call of the one and the first of the other"
}

leader() { kubectl get lease "$release" --namespace "$operator" --output 'jsonpath={.spec.holderIdentity}' | sed 's/_.*//'; }
pods() { kubectl get pods --namespace "$operator" --selector app.kubernetes.io/name=connection-group-operator --output "$1"; }
two_ready() {
  kubectl rollout status "deployment/$release" --namespace "$operator" --timeout "${patience}s"
  same "ready replicas" 2 "$(kubectl get deployment "$release" --namespace "$operator" --output 'jsonpath={.status.readyReplicas}')"
}
running_images() { pods json | jq --raw-output '[.items[] | select(.metadata.deletionTimestamp == null) | .spec.containers[0].image] | unique | join(" ")'; }

chart_of() { # chart_of IMAGE: the values that name it
  printf -- '--set-string image.repository=%s,image.tag=%s' "${1%:*}" "${1##*:}"
}
install() {
  installing=$(date +%s%3N)
  # shellcheck disable=SC2046 # two words are meant
  helm install "$release" "$chart" --namespace "$operator" --values "$here/values.yaml" $(chart_of "$IMAGE") --wait --timeout "${patience}s"
  two_ready
}
upgrade() { # upgrade IMAGE FLAGS...
  local image=$1
  shift
  # shellcheck disable=SC2046 # two words are meant
  helm upgrade "$release" "$chart" --namespace "$operator" --values "$here/values.yaml" $(chart_of "$image") --wait "$@"
}
# The policy that guards it goes with the release, and the API server takes a moment to notice.
remove_crd() { eventually kubectl delete crd "$crd" --ignore-not-found --timeout "${patience}s"; }
# Helm does not remove the Pod of `helm test`.
uninstall() {
  helm uninstall "$release" --namespace "$operator" --wait --timeout "${patience}s"
  kubectl delete pod "$release-test" --namespace "$operator" --ignore-not-found
}

# --- the steps

simulator_up() {
  sed "s|SIMULATOR_IMAGE|$SIMULATOR_IMAGE|" "$here/simulator.yaml" | kubectl apply --filename -
  kubectl wait pod/simulator --namespace "$cloudfront" --for condition=Ready --timeout "${patience}s"
  kubectl create namespace "$operator"
  kubectl label namespace "$operator" pod-security.kubernetes.io/enforce=restricted
  kubectl create namespace "$groups"
}

one_leads() {
  eventually acted_since 0
  same "Pods" 2 "$(pods json | jq '.items | length')"
  same "Pods that called CloudFront" "[\"$(leader)\"]" "$(calls 0 'map(.access_key_id) | unique')"
}

create() { # create NAME
  k apply --filename - <<YAML
apiVersion: cloudfront.kube-operators.dev/v1alpha1
kind: ConnectionGroup
metadata: {name: $1}
spec: {enabled: true, ipv6Enabled: true, tags: {team: edge}}
YAML
}
created() {
  create edge
  settled edge
  ready=$(date +%s%3N)
  same "the ETag" "$(group edge .etag)" "$(field edge .status.eTag)"
  same "the endpoint" "$(group edge .routing_endpoint)" "$(field edge .status.routingEndpoint)"
  same "the calls that write" '["CreateConnectionGroup"]' "$(writes_since 0)"
}

soon_ready() {
  local took=$((ready - installing))
  note="$took ms"
  if [ "$took" -gt "$((patience * 1000))" ]; then echo "$took ms from helm install to Ready"; return 1; fi
}

checked() {
  local said passed
  said=$(helm test "$release" --namespace "$operator" --logs --timeout "${patience}s")
  echo "$said"
  passed=$(grep --count '^ok ' <<<"$said")
  if grep '^FAILED ' <<<"$said"; then return 1; fi
  note="$passed checks"
}

edited() { # edited PATCH FIELD_AT_CLOUDFRONT WANTED [REASON]
  local since etag
  since=$(latest)
  etag=$(field edge .status.eTag)
  edit edge "$1"
  settled edge "${4:-Deployed}"
  same "at CloudFront" "$3" "$(group edge "$2")"
  same "the calls that write" '["UpdateConnectionGroup"]' "$(writes_since "$since")"
  same "the ETag" "$(group edge .etag)" "$(field edge .status.eTag)"
  if [ "$etag" = "$(field edge .status.eTag)" ]; then echo "the ETag is still $etag"; return 1; fi
}
# `kubectl create --raw` names no content type, which the simulator insists on.
anycast_list() (
  : >"$logs/proxy.log"
  kubectl proxy --port 0 >"$logs/proxy.log" &
  # shellcheck disable=SC2064 # this process, not a later one
  trap "kill $!" EXIT
  eventually grep --quiet 'serve on' "$logs/proxy.log"
  address=$(sed 's/.* on //' "$logs/proxy.log")
  curl --silent --show-error --fail --noproxy '*' --json '{"name": "ips", "ip_address_type": "dualstack"}' "http://$address$simulator/anycast-lists" |
    jq --raw-output .id
)
anycast() {
  local list
  list=$(anycast_list)
  edited "{\"anycastIpListId\":\"$list\"}" .anycast_ip_list_id "$list"
  edited '{"anycastIpListId":null}' .anycast_ip_list_id null
}

deleted() { # deleted NAME
  k delete connectiongroup "$1" --wait --timeout "${patience}s"
  same "groups of that name at CloudFront" 0 "$(at_cloudfront ".groups | map(select(.name == \"$1\")) | length")"
}
brief_life() {
  create brief
  settled brief
  deleted brief
}

leader_killed() {
  local old since
  old=$(leader)
  since=$(latest)
  kubectl delete pod "$old" --namespace "$operator" --grace-period 0 --force
  handed_on "$old" "$since"
  edited '{"ipv6Enabled":true}' .ipv6_enabled true
  two_ready
}

upgraded() {
  local since before old
  at_rest edge
  old=$(leader)
  since=$(latest)
  before=$(account)
  upgrade "$1" --set log.level=debug --timeout "${patience}s"
  two_ready
  handed_on "$old" "$since"
  # A Lease that nobody hands on is over after 15 s.
  if [ "$gap" -gt 10000 ]; then echo "$gap ms without a leader"; return 1; fi
  same "the image" "$1" "$(running_images)"
  same "the log level of the Pods" true "$(pods json | jq '[.items[] | select(.metadata.deletionTimestamp == null) | .spec.containers[0].args | contains(["--log-level=debug"])] | all')"
  same "the account" "$before" "$(account)"
  same "the calls" '["ListConnectionGroups"]' "$(calls "$since" 'map(.operation) | unique')"
}

bad_upgrade() {
  local image since before
  image=$(running_images)
  since=$(latest)
  before=$(account)
  if upgrade "${IMAGE%:*}:does-not-exist" "$roll_back" --timeout 20s; then echo "helm took it for good"; return 1; fi
  two_ready
  eventually same "the image" "$image" "$(running_images)"
  same "helm's last word" "Rollback" "$(helm history "$release" --namespace "$operator" --output json | jq --raw-output '.[-1].description | split(" ")[0]')"
  same "the account" "$before" "$(account)"
  same "the calls that write" '[]' "$(writes_since "$since")"
  edited '{"ipv6Enabled":false}' .ipv6_enabled false
}

# What is left of a release; the CustomResourceDefinition stays by intention.
nothing_left() {
  local inside outside
  inside=$(kubectl get all,serviceaccounts,roles,rolebindings,poddisruptionbudgets --namespace "$operator" \
    --selector app.kubernetes.io/instance="$release" --output name) &&
    outside=$(kubectl get clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings \
      --selector app.kubernetes.io/instance="$release" --output name) &&
    same "what is left" "" "$inside$outside"
}
uninstalled_with_groups() {
  local before
  before=$(account)
  uninstall
  eventually nothing_left
  same "the account" "$before" "$(account)"
  settled edge
}

installed_again() {
  local since before
  since=$(latest)
  before=$(account)
  install
  eventually acted_since "$since"
  k annotate connectiongroup edge cloudfront.kube-operators.dev/reconcile-requested-at=again
  await edge 'jsonpath={.status.lastHandledReconcileAt}=again'
  settled edge
  same "the account" "$before" "$(account)"
  same "the calls that write" '[]' "$(writes_since "$since")"
}

uninstalled_without_groups() {
  deleted edge
  same "groups at CloudFront" 0 "$(at_cloudfront '.groups | length')"
  uninstall
  eventually nothing_left
  remove_crd
}

# The Pod of `helm test` only reads, beside the leader.
one_at_a_time() {
  same "a Pod that acted again after another" '[]' "$(calls 0 "map(.access_key_id | select(. != \"$release-test\"))"' | [foreach .[] as $key ({}; {turn: ($key != .last), last: $key}; select(.turn).last)]
    | group_by(.) | map(select(length > 1)[0])')"
}
no_restarts() { same "restarts" 0 "$(pods json | jq '[.items[].status.containerStatuses[].restartCount] | add')"; }

step "The simulator runs as a Pod" simulator_up
step "helm install --wait: two replicas are ready, under the Pod Security Standard restricted" install
step "A group is created: Ready, with CloudFront's ETag and endpoint, by one call" created
step "From helm install to Ready: at most $patience s, of which CloudFront takes 3 s" soon_ready
step "One of the Pods leads, the other makes no call" one_leads
step "helm test: the operator has its rights, its credentials and its connections" checked
step "ipv6Enabled is edited: one update, a new ETag" edited '{"ipv6Enabled":false}' .ipv6_enabled false
step "The group is disabled" edited '{"enabled":false}' .enabled false Disabled
step "The group is enabled" edited '{"enabled":true}' .enabled true
step "An Anycast list is attached, and detached" anycast
step "A second group comes, and goes from CloudFront as well" brief_life
step "No Pod has restarted" no_restarts
step "The leader's Pod is killed: the standby goes on, and is joined by a new one" leader_killed
step "Rolling upgrade with new values: nothing but lists at CloudFront" upgraded "$IMAGE"
if [ -n "${IMAGE_NEXT:-}" ]; then
  step "Rolling upgrade to the next image: nothing but lists at CloudFront" upgraded "$IMAGE_NEXT"
fi
step "A bad upgrade is rolled back, and the operator works on" bad_upgrade
step "None of the new Pods has restarted" no_restarts
step "Uninstall with a group left: the group and its object stay as they are" uninstalled_with_groups
step "Installed again: nothing is changed at CloudFront" installed_again
step "Over all that, no two Pods acted at the same time" one_at_a_time
step "The last group is deleted, uninstall leaves nothing, the resource can go" uninstalled_without_groups
