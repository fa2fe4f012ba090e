#!/usr/bin/env bash
# Lints the Dockerfiles, and the scripts that build and try the images. Seconds; needs Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${CARGO_TARGET_DIR:-target}/image-venv
if ! cmp --silent image/requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement image/requirements.txt
  cp image/requirements.txt "$venv/requirements.txt"
fi
"$venv/bin/hadolint" --failure-threshold style Dockerfile simulator/Dockerfile
"$venv/bin/shellcheck" --severity warning image/*.sh tests/e2e/run.sh tests/mutants/run.sh
