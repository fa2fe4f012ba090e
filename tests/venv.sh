#!/usr/bin/env bash
# Makes a Python environment once for each version of its requirements, and prints its folder.
#
#   venv=$(tests/venv.sh image)
#
# In: the folder that has requirements.txt. Out: the environment, below cargo's target folder. Needs Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=$1/requirements.txt
mkdir -p "${CARGO_TARGET_DIR:-target}"
venv=$(realpath "${CARGO_TARGET_DIR:-target}")/venv/${1//\//-}
if ! cmp --silent "$wanted" "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" >&2
  cp "$wanted" "$venv/requirements.txt"
fi
echo "$venv"
