#!/usr/bin/env bash
# Installs what the tests of the images need: debootstrap, and a Python environment in .venv beside this file.
# Safe to run again: what is there is left alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

packages=()
command -v debootstrap >/dev/null 2>&1 || packages+=(debootstrap)
/usr/bin/python3 -c "import ensurepip" 2>/dev/null || packages+=(python3-venv)
if [ ${#packages[@]} -ne 0 ]; then
  run=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then run=(sudo); else
      echo "missing: install ${packages[*]} with your system's package manager, then run the same command again" >&2
      exit 1
    fi
  fi
  "${run[@]}" apt-get update -qq
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# The list that was installed is kept beside it, so that a change of the list is noticed.
if ! cmp -s "$here/requirements.txt" "$here/.venv/installed.txt"; then
  /usr/bin/python3 -m venv --clear "$here/.venv"
  "$here/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$here/.venv/installed.txt"
fi
echo "image test tools: all there"
