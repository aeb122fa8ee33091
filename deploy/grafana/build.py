#!/usr/bin/env python3
"""Writes the dashboards from `source/`; with `--check`, says which are out of date and fails."""

import json
import pathlib
import sys

from source import cost, overview, reliability, workers

FOLDER = pathlib.Path(__file__).parent / "dashboards"
DASHBOARDS = {module.__name__.rsplit(".", 1)[1]: module.DASHBOARD for module in (overview, workers, reliability, cost)}


def main():
    checking = sys.argv[1:] == ["--check"]
    outdated = []
    for name, dashboard in DASHBOARDS.items():
        path = FOLDER / f"{name}.json"
        text = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
        if not path.exists() or path.read_text() != text:
            outdated.append(path.name)
            if not checking:
                path.write_text(text)
    if checking and outdated:
        sys.exit(f"out of date: {', '.join(outdated)}; run deploy/grafana/build.py")


if __name__ == "__main__":
    main()
