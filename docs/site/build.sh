#!/usr/bin/env bash
# Builds the documents as a site in target/site, and fails at any link or anchor that leads nowhere. Seconds; needs Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$(tests/venv.sh docs/site)
site=$(realpath "${CARGO_TARGET_DIR:-target}")/site
NO_MKDOCS_2_WARNING=1 "$venv/bin/mkdocs" build --strict --site-dir "$site"
# What Python-Markdown does not understand, it shows as text.
if grep --recursive --include '*.html' --line-number --regexp '```' --regexp '<p>|' "$site"; then
  echo 'docs/site/build.sh: a block of code or a table is shown as text' >&2
  exit 1
fi
