"""Dashboards: up to date, laid out without overlaps, complete, and right by Grafana's own types."""

import json
import re
import shutil
import subprocess
import sys
import unittest

import yaml

from deployment import GRAFANA, ROOT, RUNBOOK, dashboards

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Dashboards(unittest.TestCase):
    def each_panel(self):
        for name, dashboard in dashboards().items():
            for panel in dashboard["panels"]:
                with self.subTest(dashboard=name, panel=panel["title"]):
                    yield dashboard, panel

    def test_they_are_what_their_sources_say(self):
        done = subprocess.run([sys.executable, GRAFANA / "build.py", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_each_has_a_stable_name_and_the_variables_that_links_hand_on(self):
        self.assertEqual(set(dashboards()), {"overview", "workers", "reliability", "cost"})
        for name, dashboard in dashboards().items():
            with self.subTest(name):
                self.assertEqual(dashboard["uid"], f"copymill-{name}")
                self.assertNotIn("id", dashboard)
                self.assertGreaterEqual(dashboard["schemaVersion"], 39)
                variables = [variable["name"] for variable in dashboard["templating"]["list"]]
                self.assertEqual(variables[:3], ["datasource", "namespace", "model"])
                self.assertEqual([link["type"] for link in dashboard["links"]], ["dashboards"])
                self.assertIn(dashboard["links"][0]["tags"][0], dashboard["tags"])

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self):
        for name, dashboard in dashboards().items():
            with self.subTest(name):
                numbers = [panel["id"] for panel in dashboard["panels"]]
                self.assertEqual(len(numbers), len(set(numbers)))
                taken = set()
                for panel in dashboard["panels"]:
                    cells = cells_of(panel["gridPos"])
                    self.assertFalse(taken & cells, panel["title"])
                    taken |= cells
                self.assertLess(max(x for x, _ in taken), 24)

    def test_titles_are_unique_within_their_kind_of_panel(self):
        for name, dashboard in dashboards().items():
            titles = [(panel["type"], panel["title"]) for panel in dashboard["panels"]]
            self.assertEqual(len(titles), len(set(titles)), name)

    def test_every_panel_has_a_unit_a_description_and_the_chosen_datasource(self):
        for _, panel in self.each_panel():
            if panel["type"] == "row":
                continue
            self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
            self.assertGreater(len(panel["description"]), 5)
            self.assertEqual(panel["datasource"], DATASOURCE)
            self.assertTrue(panel["targets"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"], DATASOURCE)
            letters = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(letters), len(set(letters)))

    def test_expressions_use_only_variables_that_exist(self):
        for dashboard, panel in self.each_panel():
            known = {variable["name"] for variable in dashboard["templating"]["list"]} | {"__rate_interval", "__range"}
            for target in panel.get("targets", []):
                self.assertLessEqual(set(re.findall(r"\$(\w+)", target["expr"])), known)

    def test_panels_that_the_runbook_names_exist(self):
        titles = {name: {panel["title"] for panel in dashboard["panels"]} for name, dashboard in dashboards().items()}
        named = re.findall(r"\*(Overview|Workers|Reliability|Cost) / ([^*]+)\*", RUNBOOK.read_text())
        self.assertTrue(named)
        for dashboard, panel in named:
            self.assertIn(panel, titles[dashboard.lower()])

    def test_provisioning_names_the_folder_and_the_datasource(self):
        datasources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())
        self.assertEqual([source["type"] for source in datasources["datasources"]], ["prometheus"])
        providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/copymill.yaml").read_text())
        self.assertEqual(providers["providers"][0]["options"]["path"], "/var/lib/grafana/dashboards")

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed")
    def test_they_are_right_by_grafanas_own_types(self):
        folder = ROOT / "target/grafana-schema"
        install(folder)
        for name, dashboard in dashboards().items():
            text = f"export const dashboard: CheckedDashboard = {json.dumps(dashboard)};\n"
            (folder / f"{name}.ts").write_text(f"import type {{ CheckedDashboard }} from './dashboard';\n{text}")
        options = ["--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "node", "--target", "es2022"]
        sources = ["dashboard.ts", *(f"{name}.ts" for name in dashboards())]
        done = subprocess.run(["node_modules/.bin/tsc", *options, *sources], cwd=folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)


def cells_of(place):
    columns = range(place["x"], place["x"] + place["w"])
    return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}


def install(folder):
    """Fetches Grafana's types once, in the versions that the lock file names; scripts of packages do not run."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (GRAFANA / "schema/package-lock.json").read_text()
    for source in (GRAFANA / "schema").iterdir():
        shutil.copy(source, folder)
    if not (folder / "installed.json").exists() or (folder / "installed.json").read_text() != wanted:
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
        (folder / "installed.json").write_text(wanted)


if __name__ == "__main__":
    unittest.main()
