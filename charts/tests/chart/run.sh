#!/usr/bin/env bash
# Checks the chart without a cluster. In: Go and Python; TOOLS_DIR is where helm and the other Go tools are
# (default: target/tools); those that are missing are built.
# `run.sh --write` brings the chart's README up to date instead.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
chart=$root/charts/connection-group-operator
tools=${TOOLS_DIR:-$root/target/tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
venv=$("$root/tests/venv.sh" charts/tests/chart)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# build MODULE_FOLDER PACKAGE: the program is named as the package's last part.
build() {
  local program=$tools/${2##*/}
  if [ "$program" -nt "$1/go.mod" ]; then return; fi
  echo "building ${2##*/}"
  (cd "$1" && CGO_ENABLED=0 go build -trimpath -gcflags=all=-dwarf=false -ldflags='-s -w' -o "$program" "$2")
}

values_table() { # values_table CHART
  "$tools/helm-docs" --chart-search-root "$1" --sort-values-order=file --log-level=warning
}

build "$root/charts/tools" github.com/norwoodj/helm-docs/cmd/helm-docs
if [ "${1:-}" = --write ]; then
  values_table "$chart"
  exit
fi
build "$root/charts/tools" github.com/helm-unittest/helm-unittest/cmd/helm-unittest
# `make tools` builds it, and knows when it is outdated.
[ -x "$tools/helm" ] || build "$root/tests/tools" helm.sh/helm/v4/cmd/helm

failed=0
check() { # check SENTENCE COMMAND...
  if "${@:2}" >"$scratch/output" 2>&1; then
    echo "ok      $1"
  else
    echo "FAILED  $1"
    sed 's/^/        /' "$scratch/output"
    failed=1
  fi
}

# Steps are chained: within a condition, bash goes on after a failure.
readme_is_up_to_date() {
  cp -R "$chart" "$scratch/chart" &&
    values_table "$scratch/chart" &&
    diff -u "$chart/README.md" "$scratch/chart/README.md" || { echo 'run: charts/tests/chart/run.sh --write'; return 1; }
}
versions_agree() { # of operator, chart, and what Artifact Hub is told
  local version
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
  grep -x "appVersion: $version" "$chart/Chart.yaml" && grep -x " *image: ghcr.io/.*:$version" "$chart/Chart.yaml" || { echo "the operator is $version"; return 1; }
}
# `--context` is about a kubeconfig, as `--kubeconfig` is: a Pod has one only if its values bring it, and then `extraArgs` names both.
flags_of_the_operator() {
  grep -rhoE 'env = "CONNECTION_GROUP_OPERATOR_[A-Z_]+"' "$root/src" | sed 's/.*_OPERATOR_//; s/"//' | tr A-Z_ a-z- | grep -vx context | sort
}
flags_of_the_chart() { grep -oE -e '--[a-z-]+' "$chart/templates/_pod.tpl" | sed 's/--//' | sort -u; }
every_flag_has_a_value() { diff <(flags_of_the_operator) <(flags_of_the_chart); }
every_value_is_described() { ! grep -E '^\| [^|]+ \| [a-z]+ \|.*\|[[:space:]]*\|$' "$chart/README.md"; }
# A dependency's values are those of its parent, so that example is left out.
examples_render() {
  awk -v file="$scratch/example" '/^```yaml$/ { at = file "-" ++n ".yaml"; next } /^```$/ { at = "" } at { print > at }' "$chart/README.md"
  rendered=0
  for example in "$scratch"/example-*.yaml; do
    if grep -q '^connection-group-operator:' "$example"; then continue; fi
    "$tools/helm" template op "$chart" --set ownerId=prod-eu --values "$example" >"$scratch/rendered" || { cat "$example"; return 1; }
    rendered=$((rendered + 1))
  done
  [ "$rendered" -ge 8 ] || { echo "only $rendered examples were found"; return 1; }
}
# What templates read and people need, and no sources of documents.
package_holds_the_chart() {
  "$tools/helm" package "$chart" --destination "$scratch" &&
    tar -tzf "$scratch"/*.tgz >"$scratch/package" &&
    grep /files/crd.yaml "$scratch/package" &&
    ! grep -E '\.gotmpl$|_test\.yaml$|artifacthub-repo' "$scratch/package"
}

check 'helm finds nothing to complain about' "$tools/helm" lint --strict "$chart" --set ownerId=prod-eu
check "the chart's CustomResourceDefinition is the repository's" diff -u "$root/crds/connectiongroups.yaml" "$chart/files/crd.yaml"
check "the chart installs the operator's version" versions_agree
check 'every flag of the operator can be set, and no other' every_flag_has_a_value
check 'values.schema.json is a valid schema' "$venv/bin/check-jsonschema" --check-metaschema "$chart/values.schema.json"
check 'values.yaml has every key of the schema' "$venv/bin/python" -B "$root/charts/tests/chart/schema_covers_values.py" "$chart"
check 'a value that is left empty renders, or is refused by its name' \
  "$venv/bin/python" -B "$root/charts/tests/chart/empty_values.py" "$tools/helm" "$chart" "$root/tests/chart/everything.yaml"
check 'every value has a description' every_value_is_described
check "the README's table of values is up to date" readme_is_up_to_date
check 'each example of values in the README renders' examples_render
check 'the package holds the chart and nothing else' package_holds_the_chart
check 'its templates do what the tests say' "$tools/helm-unittest" --strict --color=false "$chart" --file '../tests/chart/*_test.yaml'
sed -n '/^Tests:/p' "$scratch/output"
exit "$failed"
