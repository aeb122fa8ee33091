"""Expressions name only metrics that exist, with labels that they have; docs/METRICS.md lists ours."""

import re
import unittest

from deployment import METRICS, PROMETHEUS, TESTS

import expressions

# What Prometheus sets by itself, and what client libraries report of a process.
LABELS_OF_SCRAPES = {"namespace", "instance", "job", "pod"}
OF_PROMETHEUS = {"ALERTS": {"alertname", "alertstate", "severity"}}
OF_PROCESSES = {"process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds"}
ROW = re.compile(r"^\| `(copymill_\w+)` \| (counter|gauge|histogram) \| ([^|]*) \|", re.MULTILINE)
WORDS = {"and", "or", "unless", "bool"}


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.known = {**documented(), **OF_PROMETHEUS}
        cls.known |= {name: set() for name in OF_PROCESSES}
        cls.known |= recorded("dcgm.prom")
        cls.listed = expressions.expressions()

    def test_every_metric_exists_and_has_the_labels_that_it_is_chosen_by(self):
        for entry in self.listed:
            with self.subTest(entry["where"]):
                for name, labels in selectors(entry["expr"]):
                    if name.startswith("rabbitmq_"):
                        continue
                    self.assertIn(name, self.known)
                    self.assertLessEqual(labels, self.known[name] | LABELS_OF_SCRAPES, name)

    def test_what_needs_a_gpu_is_marked_and_nothing_else_is(self):
        for entry in self.listed:
            needs_gpu = any(name.startswith("DCGM_FI_") for name, _ in selectors(entry["expr"]))
            self.assertEqual(entry["optional"], "gpu" if needs_gpu else None, entry["where"])

    def test_no_variable_is_left_in_an_expression(self):
        for entry in self.listed:
            self.assertNotIn("$", entry["expr"], entry["where"])

    def test_most_of_what_is_measured_is_looked_at(self):
        used = {base(name) for entry in self.listed for name, _ in selectors(entry["expr"])}
        unseen = {base(name) for name in documented()} - used
        self.assertEqual(unseen, NOT_SHOWN)


class Sides(unittest.TestCase):
    def test_an_alert_is_taken_apart_at_its_comparisons(self):
        cases = {
            "a > 0": ["a"],
            "sum by (x) (a) > 0 and on (x) b == 1": ["sum by (x) (a)", "b"],
            "(a / b > 0.05) or c < on (x) group_left (y) d": ["a / b", "c", "d"],
            'sum(a{x="and > or"} or b) >= 2': ['sum(a{x="and > or"} or b)'],
            "order_total != 1 or absent(a)": ["order_total", "a"],
            "a unless on (x) sum(increase(b[2m])) > 0": ["a", "sum(increase(b[2m]))"],
        }
        for expression, sides in cases.items():
            self.assertEqual(expressions.sides(expression), sides, expression)


# Measured for whoever looks for a cause; no panel is worth its place.
NOT_SHOWN = {
    "copymill_scheduler_messages_total",
    "copymill_scheduler_planned_chunks_total",
    "copymill_worker_model_bytes",
    "copymill_worker_model_context_tokens",
}


def documented():
    """Returns the labels of every metric of ours; a missing document is a failure."""
    metrics = {}
    for name, kind, labels in ROW.findall(METRICS.read_text()):
        labels = set(re.findall(r"[a-z0-9_]+", labels))
        names = [name]
        if kind == "histogram":
            names = [f"{name}_bucket", f"{name}_sum", f"{name}_count"]
            labels = labels | {"le"}
        metrics |= {each: labels for each in names}
    return metrics


def recorded(file):
    """Returns the labels of every metric of a recorded scrape."""
    lines = [line for line in (TESTS / file).read_text().splitlines() if not line.startswith("#")]
    return {line[: line.index("{")]: set(re.findall(r'(\w+)="', line)) for line in lines}


def selectors(expression):
    """Yields the name of every metric of an expression, and the labels that it is chosen by."""
    without_texts = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", without_texts)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    for found in re.finditer(r"(?<![\w{,.])([A-Za-z_]\w*)\s*(\(|\{[^}]*\})?", bare):
        name, follows = found.groups()
        if follows == "(" or name in WORDS:
            continue
        yield name, set(re.findall(r'(\w+)\s*[=!]~?', follows or ""))


def base(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


if __name__ == "__main__":
    unittest.main()
