#!/usr/bin/env bash
# Builds one program of this workspace as the images need it: static, with the list of its crates inside, and the same bytes wherever it is built.
#
#   image/build.sh connection-group-operator out/
#   image/build.sh connection-group-operator out/ linux/arm64
#
# In: the name of the package, a folder, and the platform: linux/amd64 or linux/arm64, by default this machine's. Out: the program in that folder.
# The same compiler and C compiler are needed for the same bytes; the folders of the sources, of cargo and of the build do not matter.
#
# For another platform than this machine's, it needs Rust's standard library and a C compiler for that platform. It takes them from PATH,
# or from the folder that image/arm64-toolchain.sh makes. ARM64_TOOLCHAIN is another place of that folder, CARGO_AUDITABLE another one of the tool.
set -euo pipefail
auditable=0.7.7 # cargo-auditable: scanners read the crates from the program, see `rust-audit-info`

program=$1
mkdir -p "$2"
out=$(realpath "$2")
host=$(rustc -vV | sed -n 's/^host: //p')
case ${3:-$host} in
  linux/amd64 | x86_64-unknown-linux-gnu) triple=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu-gcc package=gcc-x86-64-linux-gnu ;;
  linux/arm64 | aarch64-unknown-linux-gnu) triple=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu-gcc package=gcc-aarch64-linux-gnu ;;
  *) echo "image/build.sh: ${3:-$host} is neither linux/amd64 nor linux/arm64 with glibc" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."

# Before the folders of the sources are looked for.
cargo fetch --locked --target "$triple"
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
tools=${CARGO_AUDITABLE:-$target/cargo-auditable-$auditable}
if [ ! -x "$tools/bin/cargo-auditable" ]; then
  cargo install --quiet --locked --root "$tools" "cargo-auditable@$auditable"
fi

# Runs this script once more, in a mount namespace of its own, so that nothing has to be unmounted. It is another cargo, with a folder of its own.
in_toolchain() { # in_toolchain ROOT
  local root=$1 folder
  for folder in "$PWD" "$target/arm64" "$tools" "$out" "${CARGO_HOME:-$HOME/.cargo}"; do
    mkdir -p "$folder" "$root$folder"
    mount --bind "$folder" "$root$folder"
  done
  mount --bind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  exec chroot "$root" env --ignore-environment PATH=/usr/bin:/bin HOME=/root CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" \
    CARGO_TARGET_DIR="$target/arm64" CARGO_NET_OFFLINE=true CARGO_AUDITABLE="$tools" "$PWD/image/build.sh" "$program" "$out" "$triple"
}
if [ "$triple" != "$host" ]; then
  toolchain=${ARM64_TOOLCHAIN:-$target/arm64-toolchain}
  if [ -d "$(rustc --print target-libdir --target "$triple")" ] && command -v "$gcc" >/dev/null; then
    linker=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$triple")_LINKER
    export "$linker=$gcc" "CC_${triple//-/_}=$gcc"
  elif [ "$triple" = aarch64-unknown-linux-gnu ] && [ -e "$toolchain/complete" ]; then
    export program out triple target tools
    export -f in_toolchain
    exec unshare --mount bash -euc 'in_toolchain "$1"' bash "$toolchain"
  else
    echo "image/build.sh: no compiler for $triple on $host. Either run: rustup target add $triple && apt-get install $package" >&2
    if [ "$triple" = aarch64-unknown-linux-gnu ]; then echo "or, where rustup cannot: image/arm64-toolchain.sh" >&2; fi
    exit 2
  fi
fi

# Panics name their source file: each folder that could differ gets one name. The registry's folder is named after its address.
flags="-C target-feature=+crt-static --remap-path-prefix=$target=/target --remap-path-prefix=$PWD=/src"
c_flags="-ffile-prefix-map=$target=/target"
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  flags+=" --remap-path-prefix=$sources=/crates"
  c_flags+=" -ffile-prefix-map=$sources=/crates"
done

# The program is position-independent on x86-64 only: for aarch64-unknown-linux-gnu, Rust 1.97 links a static program at a fixed address, also with
# `-C relocation-model=pie`.
# A static program needs a target that is named, so that build scripts and macros are not linked statically as well.
PATH=$tools/bin:$PATH RUSTFLAGS=$flags CFLAGS=$c_flags cargo auditable build --release --locked --target "$triple" --package "$program"
install -m 0755 "$target/$triple/release/$program" "$out/"
