"""What the chart renders is what Kubernetes and its operators take."""

import json
import subprocess
import sys
import unittest

import chart

import jsonschema
import kubernetes_validate
from helm_python import Chart

# The oldest that Chart.yaml allows, and the newest known.
KUBERNETES_VERSIONS = ("1.30", "1.37")
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (chart.HERE / "schemas").glob("*.json")}


class Schemas(unittest.TestCase):
    def test_every_kubernetes_object_passes_the_strict_schemas_of_the_oldest_and_the_newest_version(self):
        for case, found in chart.everything():
            if found["kind"] in SCHEMAS:
                continue
            for version in KUBERNETES_VERSIONS:
                with self.subTest(case, kind=found["kind"], name=found["metadata"]["name"], version=version):
                    kubernetes_validate.validate(found, version, strict=True)

    def test_every_custom_resource_has_only_fields_that_its_schema_knows(self):
        seen = set()
        for case, found in chart.everything():
            if found["kind"] in SCHEMAS:
                seen.add(found["kind"])
                with self.subTest(case, kind=found["kind"]):
                    jsonschema.validate(found, SCHEMAS[found["kind"]])
        self.assertEqual(seen, set(SCHEMAS), "every schema is used")

    def test_every_custom_resource_passes_the_models_made_from_its_operators_types(self):
        cases = [(case, found) for case, found in chart.everything() if found["kind"] in SCHEMAS]
        for (case, found), problem in zip(cases, models_of([found for _, found in cases]), strict=True):
            with self.subTest(case, kind=found["kind"]):
                self.assertEqual(problem, "")

    def test_these_checks_notice_what_is_wrong(self):
        scaled = chart.one(chart.rendered("minimal"), "ScaledObject")
        misspelt = {**scaled, "spec": {**scaled["spec"], "coolDownPeriod": 60}}
        self.assertRaises(jsonschema.ValidationError, jsonschema.validate, misspelt, SCHEMAS["ScaledObject"])
        mistyped = {**scaled, "spec": {**scaled["spec"], "minReplicaCount": "none"}}
        self.assertIn("minReplicaCount", models_of([mistyped])[0])
        service = chart.one(chart.rendered("minimal"), "Service")
        extended = {**service, "spec": {**service["spec"], "portz": []}}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(extended, KUBERNETES_VERSIONS[0], strict=True)

    def test_helm_4_renders_what_helm_3_renders(self):
        for case in chart.CI:
            with self.subTest(case), Chart.load(chart.CHART) as loaded:
                files = loaded.render(chart.values(case), name=chart.RELEASE, namespace=chart.NAMESPACE)
                text = "\n---\n".join(text for name, text in files.items() if name.endswith(".yaml"))
                self.assertEqual(by_name(chart.documents(text)), by_name(chart.rendered(case)))

    def test_the_schemas_of_these_tests_and_of_the_values_are_schemas(self):
        files = [chart.CHART / "values.schema.json", *(chart.HERE / "schemas").glob("*.json")]
        command = [sys.executable, "-m", "check_jsonschema", "--check-metaschema", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(chart.TOOLS / "python")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_chart_lints_and_its_package_holds_rules_and_dashboards(self):
        chart.helm("lint", "--strict", chart.CHART, "--values", chart.CI["minimal"])
        with self.subTest("package"), chart.tempfile.TemporaryDirectory() as folder:
            chart.helm("package", chart.CHART, "--destination", folder)
            (archive,) = chart.pathlib.Path(folder).iterdir()
            command = ["template", chart.RELEASE, archive, "--namespace", chart.NAMESPACE]
            text = chart.helm(*command, "--kube-version", chart.KUBERNETES, "--values", chart.CI["minimal"])
            self.assertEqual(by_name(chart.documents(text)), by_name(chart.rendered("minimal")))


def models_of(resources):
    """What the operators' own models say of each: a text that is empty where all is well."""
    command = ["node", str(chart.HERE / "custom_resources.mjs"), str(chart.NODE_MODULES)]
    lines = "".join(json.dumps(resource) + "\n" for resource in resources)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def by_name(objects):
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}
