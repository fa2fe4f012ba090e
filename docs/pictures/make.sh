#!/usr/bin/env bash
# Makes the pictures of the documents from what runs: demo.svg from the output of the demo, dashboard.png from what Prometheus scraped of two replicas during
# five minutes of changes, faults and a failover. In: the built programs and tools (`make build tools`). Needs Python 3 with venv, and apt for Prometheus.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
venv=$(tests/venv.sh docs/pictures)

"$target/debug/testbed" demo | "$venv/bin/python" docs/pictures/demo.py docs/pictures/demo.svg

if ! prometheus=$(command -v prometheus); then
  prometheus=$target/pictures/usr/bin/prometheus
  if [ ! -x "$prometheus" ]; then
    mkdir -p "$target/pictures"
    (
      cd "$target/pictures"
      download() { apt-get download -qq -o APT::Sandbox::User=root prometheus; }
      download || { apt-get update -qq && download; }
      dpkg -x prometheus_*.deb .
    )
  fi
fi
"$venv/bin/python" docs/pictures/dashboard.py "$target" "$prometheus" docs/pictures/dashboard.png
