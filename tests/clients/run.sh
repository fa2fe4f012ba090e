#!/bin/sh
# Runs the client tests: boto3 and the AWS CLI against the simulator binary named by $SIMULATOR.
# Keeps a virtual environment under target/, made anew when requirements.txt changes. Builds nothing else.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=$("$here/../venv.sh" tests/clients)

export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m pytest -p no:cacheprovider "$here" "$@"
