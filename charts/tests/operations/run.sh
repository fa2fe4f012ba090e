#!/usr/bin/env bash
# Checks the alerts, the dashboard and the GitOps files. In: Go; STATES is a folder with objects in each situation and a scrape of /metrics, which the
# Rust tests write (default: target/states); TOOLS_DIR is where the tools are (default: target/tools); those that are missing are built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
chart=$root/charts/connection-group-operator
states=${STATES:-$root/target/states}
tools=${TOOLS_DIR:-$root/target/tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
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
  (cd "$1" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -ldflags='-s -w' -o "$tools/$3" "$2")
}
build "$root/charts/tools/operations" . check-operations
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
  "$tools/check-operations" health "$here/expected-health.tsv" "$states" "$root/gitops/argocd/health.lua"
check 'the ConfigMap for Argo CD holds health.lua' \
  "$tools/check-operations" argocd "$root/gitops/argocd/argocd-cm.yaml" "$root/gitops/argocd/health.lua"
check 'the GitOps manifests are valid' "$tools/check-operations" manifests "$root"/gitops/*/*.yaml
exit "$failed"
