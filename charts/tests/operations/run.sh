#!/usr/bin/env bash
# Checks the alerts, the dashboard and the GitOps files. In: Go; STATES is a folder with objects in each situation and a scrape of /metrics, which the
# Rust tests write (default: target/states); TOOLS_DIR is where the tools are (default: target/tools); those that are missing are built. TESTBED starts
# a control plane (default: debug/testbed beside TOOLS_DIR; `make build` builds it).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
chart=$root/charts/connection-group-operator
states=${STATES:-$root/target/states}
tools=${TOOLS_DIR:-$root/target/tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
testbed=${TESTBED:-$(dirname "$tools")/debug/testbed}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ ! -e "$states/metrics.txt" ] || ! ls "$states"/*.json >/dev/null; then
  echo "$states lacks objects or metrics.txt: the Rust tests write them (make test)" >&2
  exit 1
fi

# build MODULE_FOLDER PACKAGE PROGRAM
build() {
  if [ -x "$tools/$3" ] && [ -z "$(find "$1" -newer "$tools/$3" -type f)" ]; then return; fi
  echo "building $3"
  (cd "$1" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -gcflags=all=-dwarf=false -ldflags='-s -w' -o "$tools/$3" "$2")
}
build "$root/charts/tools/operations" . check-operations
build "$root/charts/tools/gitops" . check-gitops
[ -x "$tools/helm-unittest" ] || build "$root/charts/tools" github.com/helm-unittest/helm-unittest/cmd/helm-unittest helm-unittest
[ -x "$tools/helm" ] || build "$root/tests/tools" helm.sh/helm/v4/cmd/helm helm

# As a Go module promtool comes with all of Prometheus; Debian 12 has it built. Versions differ in what they accept, so it is this one.
version=2.42.0
package=prometheus=$version+ds-5+deb12u1
is_pinned() { [ -x "$1" ] && [[ $("$1" --version 2>&1) == "promtool, version $version"[+\ ]* ]]; }
promtool=$tools/promtool
if ! is_pinned "$promtool"; then
  if is_pinned "$(command -v promtool)"; then
    promtool=$(command -v promtool)
  else
    echo "fetching promtool $version"
    (
      cd "$scratch"
      download() { apt-get download -qq -o APT::Sandbox::User=root "$package"; }
      download || { apt-get update -qq && download; }
      dpkg -x prometheus_*.deb package
      mv package/usr/bin/promtool "$promtool"
    )
    is_pinned "$promtool"
  fi
fi

failed=0
check() { # check SENTENCE COMMAND...
  if "${@:2}" >"$scratch/output" 2>&1; then
    echo "ok      $1 ($(grep . "$scratch/output" | tail -n 1 | xargs))"
  else
    echo "FAILED  $1"
    sed 's/^/        /' "$scratch/output"
    failed=1
  fi
}

# on_a_cluster COMMAND...: with a control plane of its own.
on_a_cluster() {
  local pid code=0 deadline=$((SECONDS + 60)) up=$scratch/up
  "$testbed" up >"$up" &
  pid=$!
  until grep -q '^export KUBECONFIG=' "$up"; do
    if [ "$SECONDS" -gt "$deadline" ] || ! kill -0 "$pid"; then
      echo "no control plane after 60 s" && kill "$pid"
      return 1
    fi
    sleep 0.1
  done
  KUBECONFIG=$(sed -n "s/^export KUBECONFIG=//p" "$up") "$@" || code=$?
  kill -INT "$pid"
  wait "$pid" || true
  return "$code"
}

# What Prometheus gets: the spec of the PrometheusRule is a file of rules, indented once.
"$tools/helm" template op "$chart" --set ownerId=prod-eu --set prometheusRule.enabled=true --show-only templates/prometheusrule.yaml |
  sed -n '/^spec:/,$ s/^  //p' >"$scratch/rules.yaml"
cp "$here/alerts_test.yaml" "$scratch"
metrics_are_well_named() { "$promtool" check metrics <"$states/metrics.txt" && echo 'promtool has no remark'; }

check 'the chart brings alerts and dashboard as its values say' "$tools/helm-unittest" --strict --color=false "$chart" --file ../tests/operations/chart_test.yaml
check 'the alerts are valid rules' "$promtool" check rules --lint-fatal "$scratch/rules.yaml"
check 'the alerts fire where they have to and nowhere else' "$promtool" test rules "$scratch/alerts_test.yaml"
check 'each alert is complete, tested, in the runbook, and about metrics that exist' \
  "$tools/check-operations" alerts "$scratch/rules.yaml" "$here/alerts_test.yaml" "$root/docs/runbook.md" "$states/metrics.txt"
check 'the metrics are named as Prometheus asks' metrics_are_well_named
check 'each panel is complete and about metrics that exist' \
  "$tools/check-operations" dashboard "$chart/files/dashboard.json" "$states/metrics.txt"
check 'kstatus and Argo CD see each situation as it is' \
  "$tools/check-gitops" health "$here/expected-health.tsv" "$states" "$root/gitops/argocd/health.lua"
check 'the ConfigMap for Argo CD holds health.lua' \
  "$tools/check-gitops" argocd "$root/gitops/argocd/argocd-cm.yaml" "$root/gitops/argocd/health.lua"
check 'the GitOps manifests are valid, and none deletes objects together with the operator' \
  "$tools/check-gitops" manifests "$root"/gitops/*/*.yaml "$root"/examples/gitops/*.yaml
check 'each group has the annotation with which every version of Argo CD keeps it when its Application is deleted' \
  "$tools/check-gitops" argocd-groups "$root/gitops/argocd/connection-groups/kustomization.yaml" "$root/examples/connection-group.yaml"
"$tools/helm" template connection-group-operator "$chart" --namespace connection-group-operator --set ownerId=prod-eu >"$scratch/chart.yaml"
objects=("$scratch/chart.yaml" "$root/examples/gitops/move-3-done.yaml" "$root/examples/connection-group-all-fields.yaml" "$root/examples/connection-group.yaml")
check 'Flux applies chart and objects, finds no drift in defaults, and leaves a suspended object alone' \
  on_a_cluster "$tools/check-gitops" flux-sync "${objects[@]}"
check 'Argo CD syncs, finds no difference in defaults, waits between waves, and prunes in reverse order' \
  on_a_cluster "$tools/check-gitops" argocd-sync "$root/gitops/argocd/health.lua" "$states" "${objects[@]}"
exit "$failed"
