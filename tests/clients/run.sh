#!/bin/sh
# Runs the client tests: boto3 and the AWS CLI against the simulator binary named by $SIMULATOR.
# Keeps a virtual environment under target/, made anew when requirements.txt changes. Builds nothing else.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv="$here/../../target/clients-venv"
wanted="$here/requirements.txt"

if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$venv/requirements.txt"
fi

export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m pytest -p no:cacheprovider "$here" "$@"
