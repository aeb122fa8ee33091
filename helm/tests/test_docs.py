"""What docs/DEPLOY.md shows is what the chart and the operators take."""

import re
import unittest

import chart
from test_schemas import SCHEMAS, models_of

PAGE = (chart.ROOT / "docs/DEPLOY.md").read_text()
VALUES = chart.yaml.safe_load((chart.CHART / "values.yaml").read_text())
# Kinds of RabbitMQ's operators, which have no models here: only that their objects name each other is looked at.
OF_RABBITMQ = {"RabbitmqCluster", "Vhost", "User", "Permission"}


def examples():
    """The documents of the page's blocks of YAML."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [document for block in blocks for document in chart.documents(block)]


class Examples(unittest.TestCase):
    def test_every_example_of_values_renders(self):
        rendered = 0
        for example in examples():
            if set(example) <= set(VALUES):
                given = example if "models" in example else chart.merged("minimal", example)
                with self.subTest(keys=list(example)):
                    self.assertGreater(len(chart.render(given)), 10)
                    rendered += 1
        self.assertGreaterEqual(rendered, 2)

    def test_every_example_of_an_object_is_one_that_its_operator_takes(self):
        objects = [example for example in examples() if "kind" in example]
        known = [found for found in objects if found["kind"] in SCHEMAS]
        self.assertEqual({found["kind"] for found in objects} - OF_RABBITMQ, {found["kind"] for found in known})
        self.assertGreater(len(known), 0)
        for found, problem in zip(known, models_of(known), strict=True):
            with self.subTest(found["kind"]):
                self.assertEqual(problem, "")

    def test_the_objects_of_rabbitmq_belong_to_one_cluster_and_the_vhost_of_the_values(self):
        by_kind = {found["kind"]: found for found in examples() if found.get("kind") in OF_RABBITMQ}
        self.assertEqual(set(by_kind), OF_RABBITMQ)
        cluster = by_kind.pop("RabbitmqCluster")["metadata"]["name"]
        for found in by_kind.values():
            self.assertEqual(found["spec"]["rabbitmqClusterReference"]["name"], cluster)
        (least,) = [example for example in examples() if "models" in example]
        vhost = by_kind["Vhost"]["spec"]["name"]
        self.assertEqual(by_kind["Permission"]["spec"]["vhost"], vhost)
        self.assertTrue(least["broker"]["url"].endswith(f"/{vhost}"))
        user = by_kind["User"]["metadata"]["name"]
        self.assertEqual(least["broker"]["secret"]["name"], f"{user}-user-credentials")


class Names(unittest.TestCase):
    def test_every_value_that_the_page_names_is_there(self):
        named = set(re.findall(r"`([a-z]\w*(?:\[\])?(?:\.\w+)+)`", PAGE))
        paths = {name for name in named if name.split(".")[0].removesuffix("[]") in VALUES}
        self.assertGreater(len(paths), 10)
        for path in paths - chart_settings():
            with self.subTest(path):
                first, *rest = path.split(".")
                found = VALUES["modelDefaults" if first == "models[]" else first]
                for key in rest:
                    self.assertIn(key, found)
                    found = found[key]


def chart_settings():
    """Settings of the programs whose first word is a value of the chart, too."""
    return set(re.findall(r"^\| `(\w+\.\w+)` \|", (chart.ROOT / "docs/OPERATIONS.md").read_text(), re.MULTILINE))
