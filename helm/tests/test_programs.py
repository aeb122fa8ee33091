"""The programs themselves read what the chart gives them."""

import os
import pathlib
import subprocess
import tempfile
import unittest

import chart

PROGRAMS = chart.ROOT / "target/release"
# Another port than the one that is asked for, so that these tests disturb nobody.
ELSEWHERE = {"COPYMILL_ADMIN__ADDRESS": "127.0.0.1:0", "COPYMILL_LOG_FORMAT": "human"}


def run(program, *arguments, settings=None, **variables):
    """Runs a program with nothing of this process's environment; what it said, and how it ended."""
    if not (PROGRAMS / program).exists():
        raise AssertionError(f"{program} is not built: run `make build` first")
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PATH": os.defpath, "TMPDIR": folder, "COPYMILL_CACHE": folder, **ELSEWHERE, **variables}
        if settings is not None:
            file = pathlib.Path(folder, "settings.yaml")
            file.write_text(settings)
            environment["COPYMILL_CONFIG"] = str(file)
        command = [str(PROGRAMS / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        return done.stdout + done.stderr, done.returncode


def settings_text(case, name):
    return chart.one(chart.rendered(case), "ConfigMap", name)["data"]["settings.yaml"]


class Programs(unittest.TestCase):
    def test_the_scheduler_reads_its_settings_and_goes_on_to_its_store(self):
        for case in chart.CI:
            with self.subTest(case):
                text = settings_text(case, "-scheduler")
                said, _ = run("copymill-scheduler", settings=text, COPYMILL_STORE__URL="/dev/null/none")
                self.assertIn("the store cannot be used", said)

    def test_workers_read_their_settings_and_go_on_to_their_model(self):
        for case in chart.CI:
            for found in chart.workers(chart.rendered(case)):
                name = found["metadata"]["name"]
                with self.subTest(case, worker=name):
                    variables = {"COPYMILL_WORKER__MODEL": "/none/none.gguf", "COPYMILL_STORE__URL": "/dev/null/none"}
                    said, _ = run("copymill-worker", settings=settings_text(case, name), **variables)
                    self.assertIn("there is no model file /none/none.gguf", said)

    def test_the_command_line_reads_a_workers_settings(self):
        with tempfile.TemporaryDirectory() as store:
            said, code = run(
                "copymill", "list", settings=settings_text("minimal", "-worker-demo"), COPYMILL_STORE__URL=store
            )
            self.assertEqual(code, 0, said)

    def test_these_checks_notice_a_setting_that_nobody_knows(self):
        text = settings_text("minimal", "-scheduler").replace("chunk_tokens", "chunk_tokenz")
        said, _ = run("copymill-scheduler", settings=text, COPYMILL_STORE__URL="/dev/null/none")
        self.assertIn("chunk_tokenz", said)

    def test_the_test_campaign_is_valid(self):
        files = chart.one(chart.rendered("minimal"), "ConfigMap", "-test")["data"]
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                pathlib.Path(folder, name).write_text(text)
            said, code = run("copymill", "validate", f"{folder}/campaign.yaml")
            self.assertEqual(code, 0, said)

    def test_the_demo_models_checksum_in_the_examples_is_its_own(self):
        digest = subprocess.run(
            ["sha256sum", chart.ROOT / "examples/demo-model/demo.gguf"], capture_output=True, text=True, check=True
        ).stdout.split()[0]
        (demo,) = chart.values("minimal")["models"]
        self.assertEqual(demo["sha256"], digest)
        self.assertIn(f"sha256: {digest}", (chart.CHART / "values.yaml").read_text())
