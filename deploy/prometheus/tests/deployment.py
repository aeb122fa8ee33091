"""Where the files under test are, and how they are read."""

import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
GRAFANA = ROOT / "deploy/grafana"
PROMETHEUS = ROOT / "deploy/prometheus"
TESTS = PROMETHEUS / "tests"
RULES = PROMETHEUS / "rules/copymill.yml"
RUNBOOK = ROOT / "docs/RUNBOOK.md"
METRICS = ROOT / "docs/METRICS.md"

sys.path.insert(0, str(PROMETHEUS))


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def dashboards():
    return {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
