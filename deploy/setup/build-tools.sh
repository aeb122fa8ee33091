#!/usr/bin/env bash
# Installs what the build needs beside git, make, a C compiler and Rust: cmake, ninja, a C++ compiler and libclang.
# With the argument `test` also what tests need: Python with YAML and Jinja for the demo model's grammar and with pika for
# the producer of inline jobs, RabbitMQ, a clock that jumps, and a Python environment in .venv with servers that others
# wrote. With `cluster` only RabbitMQ of these.
# With apt and root rights (or sudo) it installs what is missing; otherwise it names it and stops.
set -euo pipefail

packages=()
need() { # command, package
  command -v "$1" >/dev/null 2>&1 || packages+=("$2")
}
need cmake cmake
need ninja ninja-build
need c++ g++
need pkg-config pkg-config
# bindgen loads libclang, and takes the compiler's own headers from clang's package.
libclang() { ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*-linux-gnu/libclang*.so* /usr/lib64/libclang*.so* "${LIBCLANG_PATH:-/none}"/libclang*.so* 2>/dev/null; }
[ -n "$(libclang || true)" ] || packages+=(libclang-dev)
need clang clang

# The system's package manager serves the system's Python, whichever comes first in the path.
if [ "${1:-}" = test ] && ! /usr/bin/python3 -c "import yaml, jinja2, pika" 2>/dev/null; then
  packages+=(python3 python3-yaml python3-jinja2 python3-pika)
fi

if [ "${1:-}" = test ]; then
  /usr/bin/python3 -c "import ensurepip" 2>/dev/null || packages+=(python3-venv)
  ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || packages+=(libfaketime)
  need prometheus prometheus
  need promtool prometheus
  # Renders the chart's tools.
  need npm npm
fi

# Tests and the local cluster start nodes of their own; the system's node is never touched.
if [ -n "${1:-}" ] && ! ls /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server >/dev/null 2>&1; then
  packages+=(rabbitmq-server)
fi

if ! command -v cargo >/dev/null 2>&1; then
  echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs, then run the same command again" >&2
  exit 1
fi

install_packages() {
  local run=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then run=(sudo); else packages_only=yes; fi
  fi
  if [ "${packages_only:-no}" = yes ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: ${packages[*]}" >&2
    echo "install them with your system's package manager (Debian, Ubuntu: sudo apt-get install ${packages[*]}), then run the same command again" >&2
    exit 1
  fi
  echo "build tools: installing ${packages[*]}"
  local started=$SECONDS
  "${run[@]}" apt-get update -qq
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  echo "build tools: installed in $((SECONDS - started)) s"
}
if [ ${#packages[@]} -ne 0 ]; then install_packages; fi

# The list that was installed is kept beside it, so that a change of the list is noticed.
if [ "${1:-}" = test ]; then
  here=$(cd "$(dirname "$0")" && pwd)
  environment=$here/../../.venv
  if ! cmp -s "$here/test-requirements.txt" "$environment/installed.txt"; then
    echo "build tools: installing the Python environment .venv"
    /usr/bin/python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/test-requirements.txt"
    cp "$here/test-requirements.txt" "$environment/installed.txt"
  fi
fi
echo "build tools: all there"
