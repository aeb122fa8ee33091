"""The bills of materials are valid CycloneDX, and true: they agree with Cargo.lock and with what Cargo compiles."""

import json
import subprocess
import sys
import tomllib
import unittest

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from run_dockerfile import PROJECT

WORKER = ["copymill-worker", "copymill", "--features", "copymill/dynamic-backends"]
CUDA = [*WORKER[:-1], "copymill/dynamic-backends,copymill/cuda"]
PACKAGES = {"scheduler": "copymill-scheduler", "worker": "copymill-worker", "worker-cuda": "copymill-worker"}


def bill(*arguments, **how):
    command = [sys.executable, str(PROJECT / "deploy/docker/sbom.py"), *arguments]
    return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True, **how).stdout


class Bills(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.texts = {"scheduler": bill("copymill-scheduler"), "worker": bill(*WORKER), "worker-cuda": bill(*CUDA)}
        cls.bills = {name: json.loads(text) for name, text in cls.texts.items()}

    def names(self, name):
        return {component["name"] for component in self.bills[name]["components"]}

    def test_they_are_valid(self):
        for name, text in self.texts.items():
            with self.subTest(image=name):
                self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))

    def test_every_component_is_in_the_lock_file_with_its_checksum(self):
        lock = tomllib.loads((PROJECT / "Cargo.lock").read_text())
        locked = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}
        for name, found in self.bills.items():
            for component in found["components"]:
                with self.subTest(image=name, component=component["bom-ref"]):
                    if component["name"] == "llama.cpp":
                        continue
                    checksum = locked[component["name"], component["version"]]
                    hashes = [hash["content"] for hash in component.get("hashes", [])]
                    self.assertEqual(hashes, [checksum] if checksum else [])
                    self.assertTrue(component["licenses"][0])

    def test_they_list_what_the_manifests_name_and_no_more_than_is_compiled(self):
        for name, package in PACKAGES.items():
            manifest = tomllib.loads((PROJECT / "crates" / package / "Cargo.toml").read_text())
            with self.subTest(image=name):
                self.assertLessEqual(set(manifest["dependencies"]), self.names(name))
                # The lock file has them as optional parts of others; a false alarm in every scanner if they were listed.
                self.assertEqual(self.names(name) & {"quinn", "reqwest", "hickory-resolver"}, set())

    def test_whatever_is_depended_on_is_listed(self):
        for name, found in self.bills.items():
            references = {component["bom-ref"] for component in found["components"]}
            used = {other for entry in found["dependencies"] for other in entry["dependsOn"]}
            with self.subTest(image=name):
                self.assertEqual(used, references)

    def test_only_workers_have_llama_cpp(self):
        for name in ("worker", "worker-cuda"):
            self.assertLessEqual({"llama-cpp-sys-2", "llama.cpp"}, self.names(name))
        self.assertEqual([name for name in self.names("scheduler") if "llama" in name], [])
        for name in self.bills:
            self.assertLessEqual({"lapin", "aws-sdk-s3", "tokio"}, self.names(name))

    def test_what_only_tests_need_is_in_none(self):
        for name in self.bills:
            self.assertEqual(self.names(name) & {"proptest", "rcgen", "s3s", "copymill-tests"}, set())

    def test_the_same_sources_give_the_same_bill(self):
        self.assertEqual(self.texts["scheduler"], bill("copymill-scheduler"))

    def test_a_package_that_is_not_there_is_an_error(self):
        with self.assertRaises(subprocess.CalledProcessError):
            bill("copymill-nothing", stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    unittest.main()
