#!/usr/bin/env bash
# Checks the words of the documents, and of all comments. Seconds; needs Go and a C compiler, which build vale once.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "${CARGO_TARGET_DIR:-target}/tools"
tools=$(cd "${CARGO_TARGET_DIR:-target}/tools" && pwd)
if ! cmp --silent docs/prose/go.mod "$tools/vale.mod"; then
  echo "building vale; takes minutes"
  # The grammars are C code with warnings.
  (cd docs/prose && CGO_ENABLED=1 CGO_CFLAGS='-O2 -w' go build -trimpath -gcflags=all=-dwarf=false -ldflags='-s -w' -o "$tools/vale" github.com/vale-cli/vale/v3/cmd/vale)
  cp docs/prose/go.mod "$tools/vale.mod"
fi
"$tools/vale" --config docs/prose/vale.ini --output line --glob '*.{md,rs}' ./*.md charts docs simulator src tests benches
