#!/usr/bin/env bash
# Changes the operator's code in one place at a time; for each change a test must fail. In: the commit that is checked out, and .cargo/mutants.toml.
#
#   SHARD=k/n      only each n-th of the 512 parts into which all changes are dealt, from the k-th on, counted from 0 (default 0/1: all)
#   CHANGED=1      only changes of lines that differ from BASE (default main), for at most BUDGET seconds (default 540)
#
# It works in a checkout of its own below the target folder. Stopped at any time, it goes on with the first part that is not finished, as long as the
# commit is the same. Out: each change that no test noticed, and the score by folder over all finished parts. Fails if a change was missed.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=27.1.0
parts=512
target=$(realpath "${CARGO_TARGET_DIR:-target}")
commit=$(git rev-parse HEAD)
work=$target/mutants
tree=$work/tree
shard=${SHARD:-0/1}
if [[ -n $(git status --porcelain -- Cargo.toml src tests simulator) ]]; then
  echo "note: only what is committed is tried" >&2
fi

mkdir -p "$work"
if [[ ! -e $tree/.git ]]; then
  git worktree prune
  git worktree add --quiet --detach "$tree" "$commit"
fi
# A run that was cut off leaves its change behind.
git -C "$tree" checkout --quiet --force --detach "$commit"
if [[ ! -d $tree/target && -d $target/debug ]]; then
  # Saves compiling the dependencies again.
  mkdir "$tree/target"
  cp -a "$target/debug" "$tree/target/debug"
  rm -rf "$tree/target/debug/incremental"
fi
cargo install --quiet --debug --locked --root "$target/cargo-tools" "cargo-mutants@$version"
export PATH=$target/cargo-tools/bin:$PATH CARGO_TARGET_DIR=$tree/target

limit=()
# The operator is built once for each change, so without optimization: that takes half the time.
try() { # try FOLDER OPTION...: the outcome of each change, in FOLDER/mutants.out
  local out=$1 code=0
  shift
  rm -rf "$out"
  mkdir -p "$out"
  "${limit[@]}" cargo mutants --dir "$tree" --in-place --baseline=skip --timeout=900 --build-timeout=1800 --test-workspace=true \
    --colors=never --no-times --output "$out" --cargo-arg="--config=profile.dev.package.connection-group-operator.opt-level=0" "$@" || code=$?
  # 2: one was missed, 3: one timed out, 124: the time is up. What was tried counts all the same.
  [[ $code =~ ^(0|2|3|124)$ ]]
}

score() { # score FOLDER...: what was missed, and a table by folder; fails if something was missed
  local files
  mapfile -t files < <(find "$@" -path '*/mutants.out/*' \( -name caught.txt -o -name missed.txt -o -name timeout.txt -o -name unviable.txt \))
  awk '
    FNR == 1 { outcome = FILENAME; sub(".*/", "", outcome); sub(".txt", "", outcome) }
    { if (outcome == "missed") print "missed: " $0 | "sort" }
    { folder = $0; sub(":.*", "", folder); sub("/[^/]*$", "", folder); folders[folder]; number[folder, outcome]++ }
    END {
      close("sort")
      printf "\n%-24s %7s %7s %9s %14s %7s\n", "folder", "caught", "missed", "timed out", "not compiling", "score"
      for (folder in folders) {
        noticed = number[folder, "caught"] + number[folder, "timeout"]; missed = number[folder, "missed"]; all += missed
        printf "%-24s %7d %7d %9d %14d %6.1f%%\n", folder, number[folder, "caught"], missed, number[folder, "timeout"], \
          number[folder, "unviable"], noticed + missed ? 100 * noticed / (noticed + missed) : 100
      }
      exit all > 0
    }' "${files[@]}"
}

if [[ -n ${CHANGED:-} ]]; then
  base=${BASE:-main}
  git diff "$(git merge-base "$base" "$commit")" "$commit" -- src >"$work/changed.diff"
  if [[ ! -s $work/changed.diff ]]; then
    echo "nothing below src differs from $base"
    exit 0
  fi
  limit=(timeout --signal=INT "${BUDGET:-540}")
  try "$work/changed" --in-diff "$work/changed.diff"
  git -C "$tree" checkout --quiet --force --detach "$commit"
  score "$work/changed"
else
  for ((part = ${shard%/*}; part < parts; part += ${shard#*/})); do
    out=$work/$commit/$part
    if [[ ! -e $out/finished ]]; then
      echo "part $part of $parts"
      try "$out" --shard "$part/$parts" --sharding=round-robin
      touch "$out/finished"
    fi
  done
  mapfile -t finished < <(find "$work/$commit" -name finished -printf '%h\n')
  score "${finished[@]}"
fi
