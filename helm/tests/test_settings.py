"""The settings files are those that the programs read."""

import re
import unittest

import chart

# The table's cell in the first column: `store.s3.endpoint`.
DOCUMENTED = re.compile(r"^\| `([a-z0-9_.]+)` \|", re.MULTILINE)


def keys(tree, before=""):
    """The dotted names of all settings in a file."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from keys(value, f"{before}{key}.")
        else:
            yield before + key


class Settings(unittest.TestCase):
    def test_every_setting_is_one_of_docs_operations(self):
        documented = set(DOCUMENTED.findall((chart.ROOT / "docs/OPERATIONS.md").read_text()))
        self.assertGreater(len(documented), 30, "the tables were not found")
        for case in chart.CI:
            for found in chart.of_kind(chart.rendered(case), "ConfigMap"):
                if "settings.yaml" not in found["data"]:
                    continue
                with self.subTest(case, name=found["metadata"]["name"]):
                    given = set(keys(chart.settings(chart.rendered(case), found["metadata"]["name"])))
                    self.assertEqual(given - documented, set())

    def test_each_program_gets_its_own_section_and_no_other(self):
        objects = chart.rendered("tls")
        shared = {"store", "broker", "admin"}
        self.assertEqual(set(chart.settings(objects, "-scheduler")), shared | {"scheduler"})
        self.assertEqual(set(chart.settings(objects, "-worker-demo")), shared | {"worker"})

    def test_probes_and_prometheus_reach_the_admin_port_and_logs_are_json(self):
        for case in chart.CI:
            objects = chart.rendered(case)
            self.assertEqual(chart.settings(objects, "-scheduler")["admin"]["address"], "0.0.0.0:9090")
            for found in chart.of_kind(objects, "Deployment"):
                container = found["spec"]["template"]["spec"]["containers"][0]
                environment = {entry["name"]: entry.get("value") for entry in container["env"]}
                self.assertEqual(environment["COPYMILL_LOG_FORMAT"], "json", found["metadata"]["name"])
                endpoint = chart.values(case).get("tracing", {}).get("otlpEndpoint")
                self.assertEqual(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"), endpoint)

    def test_campaigns_over_http_may_name_the_models_that_workers_have(self):
        def models(case):
            return chart.settings(chart.rendered(case), "-scheduler")["scheduler"]["http_models"]

        self.assertEqual(models("minimal"), ["demo"])
        # A path is one in the workers' cache: schedulers do not have it. An adapter's model has other workers.
        sources = [model["source"] for model in chart.values("multi-model")["models"] if "adapter" not in model]
        self.assertEqual(models("multi-model"), [source for source in sources if not source.startswith("/")])

    def test_a_models_engine_is_told_what_is_given_and_nothing_else(self):
        worker = chart.settings(chart.rendered("gpu"), "-worker-qwen-7b")["worker"]
        self.assertEqual(worker["engine"], {"slots": 64, "kv_cells": 131072, "batch": 2048})
        self.assertNotIn("engine", chart.settings(chart.rendered("minimal"), "-worker-demo")["worker"])

    def test_every_pod_finds_its_settings_where_it_looks(self):
        for case in chart.CI:
            for name, pod in chart.pods(chart.rendered(case)):
                with self.subTest(case, pod=name):
                    (container,) = pod["containers"]
                    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
                    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
                    self.assertEqual(environment["COPYMILL_CONFIG"], mounts["settings"] + "/settings.yaml")
                    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "settings"]
                    chart.settings(chart.rendered(case), volume["configMap"]["name"])
