"""Executes the Dockerfiles and starts what is in the images, as their user and with a read-only root.

Without a container engine: see run_dockerfile.py. COPYMILL_IMAGES=full compiles the programs in the images' build stages;
otherwise `make build` has compiled them, and they are copied in place of that one step. CUDA is never compiled: its image
gets the programs of the CPU's. A few minutes; the report at the end says how long each step took.
"""

import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import roots
from run_dockerfile import PROJECT, WORK, Options, Substitute, build, report

FULL = os.environ.get("COPYMILL_IMAGES") == "full"
FOLDER = PROJECT / "deploy" / "docker"
WRITABLE = ["/var/lib/copymill", "/var/cache/copymill", "/tmp"]
PROGRAMS = {"scheduler": ["copymill-scheduler"], "worker": ["copymill-worker", "copymill"]}
PROGRAMS["worker-cuda"] = PROGRAMS["worker"]
# Seconds until a program answers, and until it has ended; the demo model is loaded in between.
PATIENCE_S = 60


def setUpModule():
    if reason := roots.has_tools():
        raise unittest.SkipTest(reason)


@functools.cache
def images_of(name):
    """Builds an image, once; returns its stages."""
    options = Options(caches={"copymill-registry": registry()}, arguments={"REVISION": "0123abc"}, quiet=not FULL)
    if name == "worker-cuda" or not FULL:
        programs = made("worker" if name == "worker-cuda" else name)
        options.substitutes = [Substitute("build.py", programs, "/out/usr/local"), Substitute("cargo chef", no_recipe(), "/")]
        options.substitutes.append(Substitute("cargo-chef", no_recipe(), "/"))
    images = build(FOLDER / f"{name}.Dockerfile", options)
    print(f"\n{name}.Dockerfile\n{report(images)}", file=sys.stderr)
    return images


def registry():
    """Cargo's downloads, as links to the host's: no crate is fetched twice, and the host's folder is not written to."""
    target = WORK / "caches" / "copymill-registry"
    source = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
    if not target.exists() and source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        linked = subprocess.run(["cp", "-al", str(source), str(target)], stderr=subprocess.DEVNULL)
        if linked.returncode != 0:
            roots.remove(target)
    return target


def no_recipe():
    """A folder with what `cargo chef` would write, empty: it is only copied where nothing is compiled."""
    folder = WORK / "made" / "recipe"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text("{}")
    return folder


def made(name):
    """A folder with the programs of an image, as its build stage leaves them."""
    if FULL:
        return images_of(name)["build"].root / "out/usr/local"
    folder = WORK / "made" / name / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS[name]:
        shutil.copy2(PROJECT / "target" / "release" / program, folder / program)
    return folder.parent


class ImageTests:
    """What holds of every image; each class below is one of them."""

    name = None

    @classmethod
    def setUpClass(cls):
        cls.images = images_of(cls.name)
        cls.image = list(cls.images.values())[-1]
        print(f"{cls.name}: {roots.size(cls.image.root) / 1e6:.0f} MB", file=sys.stderr)

    def run_inside(self, *command):
        return self.image.room(writable=WRITABLE).output(list(command))

    def test_programs_start_and_explain_themselves(self):
        for program in PROGRAMS[self.name]:
            for flag, said in (("--version", r"copymill.* \d+\.\d+\.\d+"), ("--help", "COPYMILL_STORE__URL")):
                with self.subTest(program=program, flag=flag):
                    status, output = self.run_inside(program, flag)
                    self.assertEqual(status, 0, output)
                    self.assertRegex(output, said)

    def test_the_user_may_write_where_programs_do_and_nowhere_else(self):
        status, output = self.run_inside("sh", "-c", "id -u; touch /var/lib/copymill/a /var/cache/copymill/a /tmp/a && echo written")
        self.assertEqual((status, output.split()), (0, ["10001", "written"]))
        for place in ("/usr/local/bin/copymill-healthy", "/etc/passwd", "/usr/share/copymill/sbom.cdx.json"):
            self.assertNotEqual(self.image.room().output(["sh", "-c", f"echo >> {place}"])[0], 0, place)

    def test_nothing_of_the_build_is_left(self):
        for left in ("usr/local/cargo", "src", "out", "usr/bin/gcc", "usr/bin/python3"):
            self.assertFalse((self.image.root / left).exists(), left)
        self.assertEqual(list((self.image.root / "var/lib/apt/lists").glob("*Packages*")), [])

    def test_the_bill_of_materials_and_the_licences_are_in_it(self):
        folder = self.image.root / "usr/share/copymill"
        bill = json.loads((folder / "sbom.cdx.json").read_text())
        self.assertEqual(bill["metadata"]["component"]["name"], " ".join(PROGRAMS[self.name]))
        self.assertGreater(len(bill["components"]), 100)
        for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
            self.assertEqual((folder / licence).read_bytes(), (PROJECT / licence).read_bytes())

    def test_labels_name_the_revision(self):
        self.assertEqual(self.image.labels["org.opencontainers.image.revision"], "0123abc")
        self.assertEqual(self.image.labels["org.opencontainers.image.title"], f"copymill-{self.name}")

    def test_it_is_healthy_without_its_broker_and_ends_when_it_is_asked_to(self):
        with Container(self.image) as container:
            container.wait_until_healthy()
            with urllib.request.urlopen(f"http://127.0.0.1:{container.port}/metrics") as metrics:
                self.assertIn(b"build_info", metrics.read())
            self.assertEqual(container.users(), {10001})
            self.look_at(container)
            container.signal(signal.SIGTERM)
            self.assertEqual(container.process.wait(PATIENCE_S), 0, container.log())
            # Nobody answers any more, and the check says so.
            self.assertNotEqual(container.check()[0], 0)

    def look_at(self, container):
        """What else is to be seen of a program that runs."""


class SchedulerImage(ImageTests, unittest.TestCase):
    name = "scheduler"

    def test_llama_cpp_is_not_in_it(self):
        program = (self.image.root / "usr/local/bin/copymill-scheduler").read_bytes()
        self.assertNotIn(b"llama_backend_init", program)
        self.assertFalse((self.image.root / "usr/local/lib/copymill").exists())


class WorkerImage(ImageTests, unittest.TestCase):
    name = "worker"

    def test_the_command_line_writes_text(self):
        status, output = self.run_inside("copymill", "generate", "Our new", "--max-tokens", "4", "--temperature", "0")
        self.assertEqual(status, 0, output)

    @unittest.skipUnless(FULL, "compiled with COPYMILL_IMAGES=full only")
    def test_there_is_a_backend_for_every_generation_of_cpus(self):
        folder = self.image.root / "usr/local/lib/copymill/backends"
        variants = {file.name.removeprefix("libggml-cpu-").removesuffix(".so") for file in folder.glob("libggml-cpu-*.so")}
        if os.uname().machine == "x86_64":
            self.assertLessEqual({"x64", "haswell", "skylakex", "icelake", "zen4", "sapphirerapids"}, variants)
        self.assertGreater(len(variants), 5)

    def look_at(self, container):
        if FULL:
            maps = container.file("maps")
            loaded = set(re.findall(r"libggml-cpu-(\w+)\.so", maps))
            self.assertEqual(len(loaded), 1, loaded)
            wide = " avx2 " in Path("/proc/cpuinfo").read_text()
            self.assertEqual(loaded <= {"x64", "sse42", "sandybridge", "ivybridge", "piledriver"}, not wide)


class CudaImage(ImageTests, unittest.TestCase):
    name = "worker-cuda"

    def test_the_stand_ins_are_named(self):
        steps = [(words.split()[0], how) for image in self.images.values() for _, _, words, _, how in image.steps]
        bases = [how for name, how in steps if name == "FROM"]
        self.assertEqual(bases, ["executed", "stood in for", "executed", "executed", "stood in for"])
        # What installs and runs cargo-chef, and what compiles the programs.
        self.assertEqual([how for _, how in steps].count("copied instead"), 4)


class Container:
    """A program that runs as the first process of its namespace, with a store in a folder and no broker."""

    def __init__(self, image):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.room = image.room(writable=WRITABLE)
        self.room.environment |= {
            "COPYMILL_STORE__URL": "/var/lib/copymill/store",
            "COPYMILL_BROKER__URL": "amqp://127.0.0.1:1/%2f",
            "COPYMILL_ADMIN__ADDRESS": f"127.0.0.1:{self.port}",
        }
        if "COPYMILL_SCHEDULER__HTTP" in self.room.environment:
            self.room.environment["COPYMILL_SCHEDULER__HTTP"] = "127.0.0.1:0"
        self.image = image

    def __enter__(self):
        self.output = tempfile.TemporaryFile("w+")
        self.process = self.room.start(self.image.entrypoint + self.image.command, self.output)
        return self

    def __exit__(self, *_):
        # The process outside takes the program inside with it.
        self.process.kill()
        self.process.wait()
        self.output.close()

    def log(self):
        self.output.seek(0)
        return self.output.read()

    def check(self):
        return self.room.output(self.image.health)

    def wait_until_healthy(self):
        until = time.monotonic() + PATIENCE_S
        while self.check()[0] != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"it never became healthy:\n{self.log()}")
            time.sleep(0.2)

    def program(self):
        outside = self.process.pid
        return int(Path(f"/proc/{outside}/task/{outside}/children").read_text().split()[0])

    def file(self, name):
        return Path(f"/proc/{self.program()}/{name}").read_text()

    def users(self):
        return {int(number) for number in re.search(r"^Uid:\s+(.*)$", self.file("status"), re.MULTILINE).group(1).split()}

    def signal(self, number):
        os.kill(self.program(), number)


if __name__ == "__main__":
    unittest.main()
