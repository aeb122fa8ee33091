#!/usr/bin/env python3
"""Executes the steps of a Dockerfile in bare Debian roots, where there is no container engine.

    run_dockerfile.py deploy/docker/scheduler.Dockerfile
    run_dockerfile.py deploy/docker/worker.Dockerfile --cache copymill-registry=FOLDER --build-arg VERSION=0.1.0
    run_dockerfile.py FILE --instead build.py FOLDER /out/usr/local

Needs root rights and debootstrap. Base images are stood in for by Debian 12 and the host's Rust toolchain. `--instead`
copies a folder in place of the step that holds a text, such as a compilation that was done before.
"""

import argparse
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import dockerfile
import roots
from context import Context

PROJECT = Path(__file__).resolve().parents[3]
WORK = PROJECT / "target" / "images"


@dataclass
class Substitute:
    """A folder that is copied to `target` in place of the RUN steps that hold `text`."""

    text: str
    folder: Path
    target: str


@dataclass
class Options:
    context: Path = PROJECT
    work: Path = WORK
    arguments: dict = field(default_factory=dict)
    caches: dict = field(default_factory=dict)
    substitutes: list = field(default_factory=list)
    quiet: bool = True


@dataclass
class Image:
    """A root, and how a container of it is started."""

    root: Path
    environment: dict = field(default_factory=lambda: {"PATH": roots.PATH})
    arguments: dict = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    labels: dict = field(default_factory=dict)
    ports: list = field(default_factory=list)
    entrypoint: list = field(default_factory=list)
    command: list = field(default_factory=list)
    health: list = field(default_factory=list)
    # What was done: (stage, line, words, seconds, how).
    steps: list = field(default_factory=list)

    def room(self, **changes):
        return roots.Room(self.root, self.user, self.folder, dict(self.environment), **changes)


def build(file, options):
    """Executes a Dockerfile; returns the images of its stages, the last one being the result."""
    options.work.mkdir(parents=True, exist_ok=True)
    context = Context(options.context)
    stages = dockerfile.read(Path(file).read_text())
    images = {}
    for stage in stages:
        images[stage.name] = build_stage(stage, images, (Path(file).stem, context, options))
    return images


def build_stage(stage, images, setting):
    started = time.monotonic()
    image, how = begin_stage(stage, images, setting)
    image.steps.append((stage.name, stage.line, f"FROM {stage.base}", time.monotonic() - started, how))
    for step in stage.steps:
        started = time.monotonic()
        how = STEPS[step.name](step, image, images, setting) or "executed"
        image.steps.append((stage.name, step.line, f"{step.name} {step.value}", time.monotonic() - started, how))
    return image


def begin_stage(stage, images, setting):
    """The image that a stage begins with: an earlier stage's, or what stands in for a base."""
    name, _, options = setting
    root = options.work / "stages" / f"{name}-{stage.name}"
    root.parent.mkdir(parents=True, exist_ok=True)
    if earlier := images.get(stage.base):
        roots.remove(root)
        roots.copy_tree(earlier.root, root)
        return Image(root, dict(earlier.environment), dict(earlier.arguments), earlier.folder, earlier.user), "executed"
    roots.make_root(stage.base, options.work, root)
    base, image = roots.base_of(stage.base), Image(root)
    image.environment.update(base.environment)
    return image, "stood in for" if base.stands_in else "executed"


def do_arg(step, image, images, setting):
    name, _, default = step.value.partition("=")
    image.arguments[name] = setting[2].arguments.get(name, default.strip('"'))


def do_env(step, image, images, setting):
    known = {**image.arguments, **image.environment}
    image.environment.update({name: dockerfile.expand(value, known) for name, value in dockerfile.pairs(step.value)})


def do_label(step, image, images, setting):
    known = {**image.arguments, **image.environment}
    image.labels.update({name: dockerfile.expand(value, known) for name, value in dockerfile.pairs(step.value)})


def do_workdir(step, image, images, setting):
    image.folder = os.path.join(image.folder, step.value)
    (image.root / image.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)


def do_user(step, image, images, setting):
    image.user = step.value


def do_expose(step, image, images, setting):
    image.ports += step.value.split()


def do_entrypoint(step, image, images, setting):
    image.entrypoint = dockerfile.command(step.value)


def do_cmd(step, image, images, setting):
    image.command = dockerfile.command(step.value)


def do_healthcheck(step, image, images, setting):
    word, _, value = step.value.partition(" ")
    if word != "CMD":
        raise dockerfile.DockerfileError(f"line {step.line}: HEALTHCHECK … CMD …")
    image.health = dockerfile.command(value.strip())


def do_run(step, image, images, setting):
    options = setting[2]
    for substitute in options.substitutes:
        if substitute.text in step.value:
            copy_folder(substitute.folder, image.root / substitute.target.lstrip("/"))
            return "copied instead"
    mounts = []
    for text in (value for flag, value in step.flags if flag == "mount"):
        mount = dockerfile.mount(text)
        mounts.append((cache_folder(mount["id"], options), mount["target"]))
    room = image.room(mounts=mounts, quiet=options.quiet)
    room.environment = {**image.arguments, **image.environment}
    room.run(dockerfile.command(step.value))
    return "executed"


def cache_folder(id, options):
    folder = Path(options.caches.get(id, options.work / "caches" / id)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def do_copy(step, image, images, setting):
    *sources, target = step.value.split()
    place = image.root / os.path.join(image.folder, target).lstrip("/")
    context = setting[1]
    copied = []
    for source in sources:
        into_folder = target.endswith("/") or len(sources) > 1
        if stage := step.flag("from"):
            copied += copy_folder_or_file(images[stage].root / source.lstrip("/"), place, into_folder)
        else:
            copied += copy_from_context(context, source, place, into_folder)
    for file in copied:
        if mode := step.flag("chmod"):
            os.chmod(file, int(mode, 8))
        if owner := step.flag("chown"):
            shutil.chown(file, *(int(number) for number in owner.split(":")))


def copy_from_context(context, source, place, into_folder):
    folder = os.path.normpath(source)
    inside = [file for file in context.files() if folder == "." or file == folder or file.startswith(folder + "/")]
    if not inside:
        raise FileNotFoundError(f"COPY {source}: not in the build context")
    if inside == [folder]:
        return copy_folder_or_file(context.folder / folder, place, into_folder)
    targets = [place / os.path.relpath(file, folder) for file in inside]
    for file, target in zip(inside, targets):
        copy_folder_or_file(context.folder / file, target, False)
    return targets


def copy_folder_or_file(source, place, into_folder):
    if source.is_dir():
        return copy_folder(source, place)
    target = place / source.name if into_folder or place.is_dir() else place
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
    return [target]


def copy_folder(source, place):
    """Copies what is in a folder, owned by root, and returns what it put there."""
    shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    return [place / path.relative_to(source) for path in source.rglob("*")]


STEPS = {
    "ARG": do_arg,
    "ENV": do_env,
    "LABEL": do_label,
    "WORKDIR": do_workdir,
    "USER": do_user,
    "EXPOSE": do_expose,
    "ENTRYPOINT": do_entrypoint,
    "CMD": do_cmd,
    "HEALTHCHECK": do_healthcheck,
    "RUN": do_run,
    "COPY": do_copy,
}


def report(images):
    """A line for each step: seconds, how it was done, stage, line, words."""
    lines = []
    for image in images.values():
        for stage, line, words, seconds, how in image.steps:
            lines.append(f"{seconds:8.1f} s  {how:14}  {stage:6} {line:3}  {' '.join(words.split())[:90]}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dockerfile")
    parser.add_argument("--context", type=Path, default=PROJECT)
    parser.add_argument("--work", type=Path, default=WORK, help="folder for roots and caches (target/images)")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", action="append", default=[], metavar="ID=FOLDER")
    parser.add_argument("--instead", action="append", default=[], nargs=3, metavar=("TEXT", "FOLDER", "TARGET"))
    arguments = parser.parse_args()
    reason = roots.has_tools()
    if reason:
        raise SystemExit(reason)
    options = Options(arguments.context, arguments.work.resolve(), quiet=False)
    options.arguments = dict(pair.split("=", 1) for pair in arguments.build_arg)
    options.caches = dict(pair.split("=", 1) for pair in arguments.cache)
    options.substitutes = [Substitute(text, Path(folder), target) for text, folder, target in arguments.instead]
    try:
        images = build(arguments.dockerfile, options)
    except RuntimeError as error:
        raise SystemExit(f"a step failed: {error}") from error
    print(report(images))
    result = list(images.values())[-1]
    print(f"{roots.size(result.root) / 1e6:.0f} MB in {result.root}")


if __name__ == "__main__":
    main()
