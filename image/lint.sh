#!/usr/bin/env bash
# Lints the Dockerfiles, and the scripts that build and try the images. Seconds; needs Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(tests/venv.sh image)
"$venv/bin/hadolint" --failure-threshold style Dockerfile simulator/Dockerfile
"$venv/bin/shellcheck" --severity warning image/*.sh tests/e2e/run.sh tests/mutants/run.sh tests/venv.sh
