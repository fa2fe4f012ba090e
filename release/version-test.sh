#!/usr/bin/env bash
# Tests release/version.py and release/notes.sh in a copy of the repository. Seconds; needs what they need.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory "$copy"
cd "$copy"
git init --quiet
git add --all
refuses() { # refuses SENTENCE PART_OF_THE_MESSAGE COMMAND...
  local said
  if said=$("${@:3}" 2>&1); then echo "FAILED  $1: no refusal" >&2; exit 1; fi
  grep -qF -- "$2" <<<"$said" || { printf 'FAILED  %s: the message is\n%s\n' "$1" "$said" >&2; exit 1; }
  echo "ok      $1"
}

old=$(release/version.py check)
# The same test before and after a release: this version has none, and something is to be released.
awk -v heading="## [$old]" 'index($0, heading) == 1 { $0 = "## [0.0.0] - 2000-01-01" }
  /^## \[/ && ++headings == 2 { print "- An entry of the test.\n" }
  { print }
  END { if (headings < 2) print "\n- An entry of the test." }' CHANGELOG.md >CHANGELOG.new
mv CHANGELOG.new CHANGELOG.md
refuses "a version that no release has is refused" "CHANGELOG.md has no heading" release/version.py check "$old"
refuses "a word that is no version is refused" "is not a version" release/version.py bump 0.2
unreleased=$(awk '/^## \[/ { on = /Unreleased/; next } on' CHANGELOG.md | grep -v '^To be released')
new=8.7.6
release/version.py bump "$new" >/dev/null
[ "$(release/version.py check "$new")" = "$new" ]
cargo metadata --locked --offline --no-deps --format-version 1 >/dev/null
if left=$(git grep -nF "connection-group-operator:$old" -- ':!release/tools'); then echo "$left" >&2; exit 1; fi
if left=$(git grep -nE "(^|[^0-9.])${old//./[.]}([^0-9.]|$)" -- charts/connection-group-operator); then echo "$left" >&2; exit 1; fi
echo "ok      one command changes the version everywhere"
[ "$(release/notes.sh "$new" image charts base | awk '/^## Install/ { exit } NF')" = "$(grep . <<<"$unreleased")" ]
echo "ok      the notes of the new version are what was unreleased"
refuses "a version that was released is refused" "has $new already" release/version.py bump "$new"
refuses "notes of a version that the changelog does not know are refused" "says nothing about" release/notes.sh 1.2.3 image charts base
sed -i "s/^ARG VERSION=.*/ARG VERSION=$old/" Dockerfile
refuses "a place that was left behind is named" "Dockerfile: ARG VERSION= $old" release/version.py check

# As docs/release.md has it.
git grep -lzI 'kube-operators' | xargs -0 perl -pi -e 's/kube-operators(?!\.dev)/example-org/g'
grep -qx '  repository: ghcr.io/example-org/connection-group-operator' charts/connection-group-operator/values.yaml
if left=$(git grep -nwE 'kube-operator[s]' | grep -v 'kube-operator[s]\.dev'); then echo "$left" >&2; exit 1; fi
echo "ok      one command changes the owner in all addresses, and leaves the API group"
