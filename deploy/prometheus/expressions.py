#!/usr/bin/env python3
"""Lists every expression of dashboards, rules and runbook, so that a test can ask a real Prometheus for each.

Two arguments, where given, are the namespace and the model that somebody has chosen in Grafana, in place of all.

Prints a JSON list of `{"where", "expr", "optional"}`. `optional` names what must be at hand for the expression to return
data (`gpu`: NVIDIA's DCGM exporter), and is null for what must always return some.
Of an alert, each side of its comparisons stands alone: a healthy system makes the whole alert empty.
"""

import json
import pathlib
import re
import sys

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
RUNBOOK = DEPLOY.parent / "docs/RUNBOOK.md"
# What Grafana puts in for its variables.
VARIABLES = {
    "$__rate_interval": "1m",
    "$__interval": "15s",
    "$__range": "10m",
    "$namespace": ".*",
    "$model": ".*",
    "$price": "2",
}
LABELS_OF_OPERATOR = re.compile(r"\s*(bool\b|(on|ignoring|group_left|group_right)\s*(\([^)]*\))?)")
OPERATOR = re.compile(r"(and|or|unless)\b|==|!=|>=|<=|>|<")
NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", re.IGNORECASE)


def main():
    VARIABLES.update(zip(("$namespace", "$model"), sys.argv[1:]))
    print(json.dumps(expressions(), indent=2, ensure_ascii=False))


def expressions():
    return [
        {"where": where, "expr": expression, "optional": "gpu" if "DCGM_FI_" in expression else None}
        for where, expression in [*of_dashboards(), *of_rules(), *of_runbook()]
    ]


def of_dashboards():
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                name = f"{path.name}: variable {variable['name']}"
                yield name, substituted(re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])[1])
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']} {target['refId']}", substituted(target["expr"])


def of_rules():
    for path in sorted((DEPLOY / "prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                name = f"{path.name}: {rule.get('alert') or rule['record']}"
                parts = sides(rule["expr"]) if "alert" in rule else [rule["expr"]]
                yield from ((f"{name} {number}", part) for number, part in enumerate(parts, 1))


def of_runbook():
    """Yields the lines of its blocks of PromQL."""
    for section in RUNBOOK.read_text().split("\n## ")[1:]:
        lines = "".join(re.findall(r"```promql\n(.*?)```", section, re.DOTALL)).splitlines()
        parts = [part for line in lines for part in sides(line)]
        yield from ((f"{RUNBOOK.name}: {section.splitlines()[0]} {number}", part) for number, part in enumerate(parts, 1))


def substituted(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def sides(expression):
    """Splits an expression at its comparisons and set operators; numbers alone are left out."""
    expression = expression.strip()
    parts, start, position, depth = [], 0, 0, 0
    while position < len(expression):
        character = expression[position]
        operator = OPERATOR.match(expression, position)
        if character == '"':
            position = expression.index('"', position + 1) + 1
        elif character in "([{":
            depth, position = depth + 1, position + 1
        elif character in ")]}":
            depth, position = depth - 1, position + 1
        elif depth == 0 and operator and _begins_word(expression, position):
            parts.append(expression[start:position])
            position = operator.end()
            while labels := LABELS_OF_OPERATOR.match(expression, position):
                position = labels.end()
            start = position
        else:
            position += 1
    parts.append(expression[start:])
    if len(parts) > 1:
        return [side for part in parts for side in sides(part)]
    wrapped = re.fullmatch(r"(?:absent)?\((.*)\)", expression, re.DOTALL)
    if wrapped and _balanced(wrapped[1]):
        return sides(wrapped[1])
    return [] if NUMBER.fullmatch(expression) else [expression]


def _balanced(expression):
    """Says whether parentheses close in order: not so in what is left of `(a) / (b)` without its first and last sign."""
    depth = 0
    for character in expression:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return True


def _begins_word(expression, position):
    before = expression[position - 1 : position]
    return not expression[position].isalpha() or not (before.isalnum() or before == "_")


if __name__ == "__main__":
    main()
