#!/usr/bin/env bash
# Makes a folder with a Rust and a C compiler that build for linux/arm64 on linux/amd64, from Debian packages: for machines where
# `rustup target add aarch64-unknown-linux-gnu` is not possible. image/build.sh uses it. Takes 3 minutes and 1.6 GB; does nothing if it is there.
#
#   image/arm64-toolchain.sh
#
# Out: target/arm64-toolchain. Needs root and Debian's debootstrap. DEBIAN_MIRROR is another mirror than deb.debian.org.
set -euo pipefail
command -v debootstrap >/dev/null || { echo "image/arm64-toolchain.sh: debootstrap is not in PATH (Debian: apt-get install debootstrap)" >&2; exit 2; }
cd "$(dirname "$0")/.."
root=$(realpath -m "${CARGO_TARGET_DIR:-target}")/arm64-toolchain
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
# Only unstable has a Rust that the AWS SDK accepts.
suite=sid

if [ -e "$root/complete" ]; then exit 0; fi
rm -rf "$root"
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror"
# A mirror that lags behind has an expired list of packages. Its signature is checked all the same.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/50-lagging-mirror"
inside() { DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
inside dpkg --add-architecture arm64
inside apt-get update --quiet
inside apt-get install --quiet --yes --no-install-recommends \
  cargo gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross libstd-rust-dev:arm64 make rustc
inside apt-get clean
inside rustc --version
touch "$root/complete"
