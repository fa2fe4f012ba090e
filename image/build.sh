#!/usr/bin/env bash
# Builds one program of this workspace as the images need it: static, and the same bytes wherever it is built.
#
#   image/build.sh connection-group-operator out/
#
# In: the name of the package, and a folder. Out: the program in that folder.
# The same compiler and C compiler are needed for the same bytes; the folders of the sources, of cargo and of the build do not matter.
set -euo pipefail
program=$1
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
# Before the folders of the sources are looked for.
cargo fetch --locked --target "$host"
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

# Panics name their source file: each folder that could differ gets one name. The registry's folder is named after its address.
flags="-C target-feature=+crt-static --remap-path-prefix=$target=/target --remap-path-prefix=$PWD=/src"
c_flags="-ffile-prefix-map=$target=/target"
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  flags+=" --remap-path-prefix=$sources=/crates"
  c_flags+=" -ffile-prefix-map=$sources=/crates"
done

# A static program needs a target that is named, so that build scripts and macros are not linked statically as well.
RUSTFLAGS=$flags CFLAGS=$c_flags cargo build --release --locked --target "$host" --package "$program"
install -m 0755 "$target/$host/release/$program" "$out/"
