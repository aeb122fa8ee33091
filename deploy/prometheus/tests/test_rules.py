"""Alerts: valid, each with a case that fires and one that stays silent, and with its section in the runbook."""

import re
import subprocess
import unittest

import yaml

from deployment import PROMETHEUS, RULES, RUNBOOK, TESTS, alerts


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


class Rules(unittest.TestCase):
    def assert_succeeds(self, *command):
        done = run(*command)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rules_and_configuration_are_valid(self):
        self.assert_succeeds("promtool", "check", "rules", "--lint-fatal", RULES)
        self.assert_succeeds("promtool", "check", "config", "--lint-fatal", PROMETHEUS / "prometheus.yml")

    def test_alerts_fire_when_they_should_and_only_then(self):
        self.assert_succeeds("promtool", "test", "rules", *cases())

    def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent(self):
        fired, silent = set(), set()
        for path in cases():
            for test in yaml.safe_load(path.read_text())["tests"]:
                moments = test["alert_rule_test"]
                firing = {moment["alertname"] for moment in moments if moment.get("exp_alerts")}
                fired |= firing
                # Silence before an alert fires in the same story is no story of its own.
                silent |= {moment["alertname"] for moment in moments} - firing
        names = {alert["alert"] for alert in alerts()}
        self.assertEqual(fired, names)
        self.assertEqual(silent, names)

    def test_every_alert_says_how_urgent_it_is_and_what_it_is_about(self):
        for alert in alerts():
            with self.subTest(alert["alert"]):
                self.assertIn(alert["labels"]["severity"], ("page", "ticket"))
                self.assertEqual(set(alert["annotations"]), {"summary", "description", "runbook_url"})

    def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert(self):
        sections = re.findall(r"^## (Copymill\w+)$", RUNBOOK.read_text(), re.MULTILINE)
        self.assertEqual(sorted(sections), sorted(alert["alert"] for alert in alerts()))
        for alert in alerts():
            anchor = f"docs/RUNBOOK.md#{alert['alert'].lower()}"
            self.assertEqual(alert["annotations"]["runbook_url"], anchor)

    def test_every_section_says_what_it_means_how_to_look_and_what_to_do(self):
        for section in re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]:
            if section.startswith("Copymill"):
                with self.subTest(section.splitlines()[0]):
                    headings = re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE)
                    self.assertEqual(headings, ["What it means", "How to look", "What to do"])


def cases():
    return sorted(TESTS.glob("*.yml"))


if __name__ == "__main__":
    unittest.main()
