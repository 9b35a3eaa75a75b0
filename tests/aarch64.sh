#!/usr/bin/env bash
# Builds for aarch64 and runs it in qemu: the tests of the kernels, then small
# trainings, whose weights and losses must have the bits of this machine's.
#
#   tests/aarch64.sh [--install] [kernels]
#
# `kernels` stops behind the tests of the kernels: a minute, where all takes a
# quarter of an hour. Wanted are aarch64-linux-gnu-gcc, qemu-aarch64, and the
# standard library for aarch64, of the rustc in use (`rustup target add
# aarch64-unknown-linux-gnu`) or of Debian's, unpacked below the target folder
# so that nothing on the machine uses it. Only `--install` gets them, from Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

install=no
all=yes
for word in "$@"; do
  case $word in
    --install) install=yes ;;
    kernels) all=no ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

target=aarch64-unknown-linux-gnu
root=/usr/aarch64-linux-gnu
folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/aarch64
debian=$folder/debian/usr

has() { command -v "$1" >/dev/null; }

# Debian's compiler with the standard libraries of both machines, in a folder: installed, it would take the place
# of rustup's. The libraries that it is linked to are installed.
unpack() {
  local runtime package
  dpkg --add-architecture arm64
  apt-get update -q
  runtime=$(apt-cache depends --important libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-.*\)$/\1/p')
  apt-get install -y --no-install-recommends "$runtime"
  mkdir -p "$folder/packages"
  (cd "$folder/packages" && apt-get download rustc-web libstd-rust-web-dev libstd-rust-web-dev:arm64)
  for package in "$folder"/packages/*.deb; do
    dpkg -x "$package" "${debian%/usr}"
  done
  rm -r "$folder/packages"
}

if [ $install = yes ] && ! { has aarch64-linux-gnu-gcc && has qemu-aarch64; }; then
  apt-get update -q
  apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
fi
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
  if ! has $tool; then
    echo "aarch64: $tool is needed; --install gets it" >&2
    exit 1
  fi
done

if [ ! -d "$(rustc --print target-libdir --target $target)" ]; then
  if [ ! -x "$debian/bin/rustc" ] && [ $install = yes ]; then
    unpack
  fi
  if [ ! -x "$debian/bin/rustc" ]; then
    echo "aarch64: the standard library for $target is needed; --install gets one" >&2
    exit 1
  fi
  printf '#!/bin/sh\nexec %s --sysroot %s "$@"\n' "$debian/bin/rustc" "$debian" >"$folder/rustc"
  chmod +x "$folder/rustc"
  other=(env "RUSTC=$folder/rustc")
else
  other=(env)
fi
other+=(
  "CARGO_TARGET_DIR=$folder"
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L $root"
  CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
)

"${other[@]}" cargo test -p mlc-kernels --lib --target $target
if [ $all = no ]; then
  exit
fi
"${other[@]}" cargo build --no-default-features --bin mlc --target $target
MLC_OTHER="qemu-aarch64 -L $root $folder/$target/debug/mlc" cargo test --test it portable::another_machine
