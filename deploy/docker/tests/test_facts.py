"""What a reviewer looks for in the Dockerfiles, without executing them."""

import json
import re
import tomllib
import unittest

import dockerfile
from run_dockerfile import PROJECT

LABELS = {"title", "description", "licenses", "source", "version", "revision"}


def stages(name):
    return dockerfile.read((PROJECT / "deploy" / "docker" / f"{name}.Dockerfile").read_text())


class ImageFacts:
    """Facts of every image; each class below is one of them."""

    image = None

    def setUp(self):
        self.stages = stages(self.image)
        self.result = self.stages[-1].steps

    def values(self, name, steps=None):
        """The values of all instructions of a name, in the result or in other steps."""
        return [step.value for step in (self.result if steps is None else steps) if step.name == name]

    def steps(self):
        return [step for stage in self.stages for step in stage.steps]

    def test_bases_are_pinned_and_the_compiler_is_the_projects(self):
        channel = tomllib.loads((PROJECT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
        names = [stage.name for stage in self.stages]
        for stage in (stage for stage in self.stages if stage.base not in names):
            self.assertRegex(stage.base, r"^[a-z/]+:[a-z0-9][\w.-]+$")
            self.assertNotIn("latest", stage.base)
        self.assertIn(f"rust:{channel}-bookworm", [stage.base for stage in self.stages])

    def test_programs_run_as_a_number_that_is_not_root(self):
        self.assertEqual(self.values("USER"), ["10001:10001"])
        self.assertIn("useradd --uid 10001 --gid 10001", " ".join(self.values("RUN")))
        after = self.result[[step.name for step in self.result].index("USER") + 1 :]
        self.assertEqual([*self.values("RUN", after), *self.values("COPY", after)], [])

    def test_entrypoint_and_health_check_are_in_exec_form(self):
        (entrypoint,), (health,) = self.values("ENTRYPOINT"), self.values("HEALTHCHECK")
        self.assertIsInstance(json.loads(entrypoint), list)
        self.assertEqual(json.loads(health.removeprefix("CMD ")), ["copymill-healthy"])

    def test_labels_are_complete_and_the_version_is_the_workspaces(self):
        version = tomllib.loads((PROJECT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        labels = dict(pair for value in self.values("LABEL") for pair in dockerfile.pairs(value))
        self.assertEqual(set(labels), {f"org.opencontainers.image.{label}" for label in LABELS})
        self.assertIn(f"VERSION={version}", self.values("ARG"))

    def test_package_lists_do_not_stay_and_only_what_is_named_is_installed(self):
        for value in (value for value in self.values("RUN", self.steps()) if "apt-get" in value):
            self.assertIn("--no-install-recommends", value)
            self.assertTrue(value.endswith("rm -rf /var/lib/apt/lists/*"))

    def test_compilers_stay_behind(self):
        installed = " ".join(self.values("RUN")).split()
        self.assertEqual(set(installed) & {"clang", "cmake", "g++", "curl", "python3"}, set())

    def test_dependencies_are_a_layer_that_does_not_change_with_the_sources(self):
        (build,) = (stage.steps for stage in self.stages if stage.name == "build")
        words = [f"{step.name} {step.value}" for step in build]
        self.assertEqual(words[0], "COPY /recipe.json /recipe.json")
        cook, sources, compiling = (next(at for at, text in enumerate(words) if word in text) for word in ("chef cook", "COPY . .", "build.py"))
        self.assertLess(cook, sources)
        self.assertLess(sources, compiling)
        # What a cache holds is no layer.
        mounts = [dockerfile.mount(value) for step in self.steps() for flag, value in step.flags if flag == "mount"]
        self.assertEqual({mount["target"] for mount in mounts}, {"/usr/local/cargo/registry"})
        # Cargo's lock is not in the registry's folder, so two builds would unpack the same crates.
        self.assertEqual({mount.get("sharing") for mount in mounts}, {"locked"})
        made = re.search(r"build\.py /out/usr/local (.*)", words[compiling]).group(1)
        packages, _, features = made.partition(" --features ")
        wanted = [f"--package {package}" for package in packages.split()] + ([f"--features {features}"] if features else [])
        self.assertTrue(words[cook].endswith(f"/recipe.json {' '.join(wanted)}"), words[cook])

    def test_the_bill_of_materials_is_of_the_programs_that_are_compiled(self):
        text = "\n".join(self.values("RUN", self.steps()))
        made = re.search(r"build\.py /out/usr/local (.*)", text).group(1)
        self.assertIn(f"sbom.py {made} > /out/usr/share/copymill/sbom.cdx.json", text)

    def test_only_workers_have_an_engine(self):
        text = "\n".join(self.values("RUN", self.steps()))
        self.assertEqual("copymill/dynamic-backends" in text, self.image != "scheduler")
        self.assertEqual("copymill/cuda" in text, self.image == "worker-cuda")


class SchedulerFacts(ImageFacts, unittest.TestCase):
    image = "scheduler"


class WorkerFacts(ImageFacts, unittest.TestCase):
    image = "worker"

    def test_both_workers_end_alike(self):
        """The CUDA image's last steps were executed only in a stand-in for its base: they are those of this image."""

        def ends(name):
            return [(step.name, step.value) for step in stages(name)[-1].steps if step.name != "LABEL"]

        self.assertEqual(ends("worker"), ends("worker-cuda"))


class CudaFacts(ImageFacts, unittest.TestCase):
    image = "worker-cuda"

    def test_compiler_and_libraries_are_of_one_version(self):
        bases = [stage.base for stage in self.stages if stage.base.startswith("nvidia/cuda:")]
        self.assertEqual([base.partition("-")[2] for base in bases], ["devel-ubuntu24.04", "runtime-ubuntu24.04"])
        self.assertEqual(len({base.partition("-")[0] for base in bases}), 1)

    def test_architectures_reach_the_compiler_and_the_newest_is_kept_as_intermediate_code(self):
        (architectures,) = (value for value in self.values("ARG", self.steps()) if value.startswith("CUDA_ARCHITECTURES="))
        self.assertRegex(architectures.split("=")[1].strip('"'), r"^(\d+-real;)+\d+$")
        self.assertIn("CMAKE_CUDA_ARCHITECTURES=$CUDA_ARCHITECTURES", " ".join(self.values("ENV", self.steps())))


if __name__ == "__main__":
    unittest.main()
