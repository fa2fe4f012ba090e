#!/usr/bin/env bash
# Checks the workflows, the scripts of a release, and that all places name the same version. Seconds; needs Go, and Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${CARGO_TARGET_DIR:-target}/release-venv
if ! cmp --silent release/requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement release/requirements.txt
  cp release/requirements.txt "$venv/requirements.txt"
fi
release/version.py check
"$venv/bin/shellcheck" --severity style release/*.sh
# It checks the scripts within the workflows with shellcheck as well.
PATH=$PWD/$venv/bin:$PATH "$(release/tools.sh actionlint)/actionlint"
"$venv/bin/zizmor" --offline --quiet --no-progress --persona pedantic .github
release/version-test.sh
