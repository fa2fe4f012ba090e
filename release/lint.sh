#!/usr/bin/env bash
# Checks the workflows, the scripts of a release, and that all places name the same version. Seconds; needs Go, and Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(tests/venv.sh release)
release/version.py check
"$venv/bin/shellcheck" --severity style release/*.sh
# It checks the scripts within the workflows with shellcheck as well.
PATH=$PWD/$venv/bin:$PATH "$(release/tools.sh actionlint)/actionlint"
"$venv/bin/zizmor" --offline --quiet --no-progress --persona pedantic .github
release/version-test.sh
