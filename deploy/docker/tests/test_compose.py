"""The compose file is valid, and what it names is there."""

import re
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path

import yaml
from run_dockerfile import PROJECT

FILE = PROJECT / "deploy" / "compose.yaml"


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = yaml.safe_load(FILE.read_text())
        cls.services = cls.compose["services"]

    def test_the_specifications_schema_accepts_it(self):
        command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_images_are_pinned_and_ours_have_the_workspaces_version(self):
        version = tomllib.loads((PROJECT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        for name, service in self.services.items():
            with self.subTest(service=name):
                tag = service["image"].rpartition(":")[2]
                self.assertRegex(tag, r"\d+\.\d+")
                if service["image"].startswith("copymill"):
                    self.assertEqual(tag, version)
                    self.assertTrue((FILE.parent / service["build"]["context"] / service["build"]["dockerfile"]).exists())

    def test_ports_are_this_machines_alone(self):
        ports = [port for service in self.services.values() for port in service.get("ports", [])]
        self.assertTrue(ports)
        for port in ports:
            self.assertRegex(port, r"^127\.0\.0\.1:\d+:\d+$")
        hosts = [port.split(":")[1] for port in ports]
        self.assertEqual(len(hosts), len(set(hosts)))

    def test_every_service_that_stays_is_asked_whether_it_is_well(self):
        for name, service in self.services.items():
            with self.subTest(service=name):
                stays = service["restart"] != "no"
                self.assertEqual("test" in service["healthcheck"], stays)

    def test_whoever_needs_a_service_waits_until_it_is_well(self):
        for name, service in self.services.items():
            for needed, how in service.get("depends_on", {}).items():
                with self.subTest(service=name, needs=needed):
                    self.assertEqual(how, {"condition": "service_healthy"})
                    self.assertIn(needed, self.services)

    def test_there_are_two_workers_one_scheduler_and_a_command_that_submits(self):
        self.assertEqual(self.services["worker"]["deploy"]["replicas"], 2)
        submit = self.services["submit"]
        self.assertEqual((submit["profiles"], submit["entrypoint"]), (["submit"], ["copymill"]))
        campaign = submit["command"][1].removeprefix("/examples/")
        self.assertTrue((PROJECT / "examples" / campaign).exists())

    def test_programs_are_confined(self):
        for name in ("scheduler", "worker", "submit"):
            with self.subTest(service=name):
                service = self.services[name]
                self.assertEqual((service["read_only"], service["cap_drop"]), (True, ["ALL"]))
                self.assertIn("/tmp", service["tmpfs"])
                places = {volume.split(":")[1] for volume in service["volumes"]}
                self.assertIn("/var/cache/copymill", places)

    def test_what_is_mounted_exists(self):
        for service in self.services.values():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                with self.subTest(source=source):
                    self.assertTrue((FILE.parent / source).exists() if source.startswith(".") else source in self.compose["volumes"])

    def test_settings_are_documented(self):
        documented = (PROJECT / "docs" / "OPERATIONS.md").read_text()
        for name in self.compose["x-cluster"]:
            if name.startswith("COPYMILL_"):
                setting = name.removeprefix("COPYMILL_").lower().replace("__", ".")
                self.assertIn(f"`{setting}`", documented)

    def test_prometheus_asks_services_that_are_there(self):
        text = (FILE.parent / "prometheus" / "prometheus.yml").read_text()
        asked = set(re.findall(r"targets: \[([a-z0-9-]+):\d+\]", text)) | set(re.findall(r"names: \[([a-z0-9-]+)\]", text))
        # The exporter of GPU numbers is there where a machine has GPUs.
        self.assertEqual(asked - {"dcgm-exporter"}, {"scheduler", "worker", "rabbitmq"})
        plugins = (FILE.parent / "compose" / "enabled_plugins").read_text()
        self.assertIn("rabbitmq_prometheus", plugins)


if __name__ == "__main__":
    unittest.main()
