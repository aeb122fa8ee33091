"""Reads Dockerfiles: the instructions and flags that this project's use, and an error for every other."""

import json
import re
from dataclasses import dataclass, field

KNOWN = {
    "FROM": set(),
    "ARG": set(),
    "ENV": set(),
    "WORKDIR": set(),
    "COPY": {"from", "chown", "chmod"},
    "RUN": {"mount"},
    "USER": set(),
    "LABEL": set(),
    "EXPOSE": set(),
    "ENTRYPOINT": set(),
    "CMD": set(),
    "HEALTHCHECK": {"interval", "timeout", "start-period", "retries"},
}


class DockerfileError(Exception):
    """What is wrong, with the line."""


@dataclass
class Instruction:
    name: str
    value: str
    line: int
    flags: list = field(default_factory=list)

    def flag(self, name):
        """The last value of a flag, or none."""
        return next((value for key, value in reversed(self.flags) if key == name), None)


@dataclass
class Stage:
    base: str
    name: str
    line: int
    steps: list = field(default_factory=list)


def read(text):
    """Returns the stages of a Dockerfile."""
    stages = []
    for instruction in instructions(text):
        if instruction.name == "FROM":
            words = instruction.value.split()
            if len(words) not in (1, 3) or len(words) == 3 and words[1].upper() != "AS":
                raise DockerfileError(f"line {instruction.line}: FROM IMAGE [AS NAME]")
            name = words[2] if len(words) == 3 else str(len(stages))
            stages.append(Stage(words[0], name, instruction.line))
        elif not stages:
            raise DockerfileError(f"line {instruction.line}: {instruction.name} before the first FROM")
        else:
            stages[-1].steps.append(instruction)
    if not stages:
        raise DockerfileError("there is no FROM")
    return stages


def instructions(text):
    """Joins continued lines, leaves out comments, and takes flags apart."""
    found, parts, start = [], [], 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not parts):
            continue
        start = start if parts else number
        continued = line.rstrip().endswith("\\")
        parts.append(line.rstrip().removesuffix("\\"))
        if not continued:
            found.append(instruction(" ".join(part.strip() for part in parts), start))
            parts = []
    if parts:
        raise DockerfileError(f"line {start}: the last line ends with a backslash")
    return found


def instruction(text, line):
    name, _, value = text.partition(" ")
    name, value = name.upper(), value.strip()
    if name not in KNOWN:
        raise DockerfileError(f"line {line}: unknown instruction {name}")
    if "<<" in value and name in ("RUN", "COPY"):
        raise DockerfileError(f"line {line}: here-documents are not read")
    flags = []
    while match := re.match(r"--([a-z-]+)=(\S+)\s*", value):
        if match.group(1) not in KNOWN[name]:
            raise DockerfileError(f"line {line}: unknown flag --{match.group(1)} of {name}")
        flags.append((match.group(1), match.group(2)))
        value = value[match.end() :]
    return Instruction(name, value, line, flags)


def mount(text):
    """The options of --mount; only caches are used."""
    options = dict(part.partition("=")[::2] for part in text.split(","))
    unknown = set(options) - {"type", "id", "target", "sharing"}
    if options.get("type") != "cache" or "id" not in options or "target" not in options or unknown:
        raise DockerfileError(f"--mount={text}: only type=cache with id and target is read")
    return options


def command(value):
    """A command in exec form, or in shell form as Docker runs it."""
    if value.startswith("["):
        words = json.loads(value)
        if not all(isinstance(word, str) for word in words):
            raise DockerfileError(f"not a list of strings: {value}")
        return words
    return ["/bin/sh", "-c", value]


def pairs(value):
    """The `key=value` pairs of ENV and LABEL, quotes removed, not yet expanded."""
    found = []
    pattern = re.compile(r'\s*([\w.\-]+)=("(?:[^"\\]|\\.)*"|\S*)')
    position = 0
    while position < len(value.rstrip()):
        match = pattern.match(value, position)
        if not match:
            raise DockerfileError(f"not KEY=VALUE: {value[position:]}")
        text = match.group(2)
        found.append((match.group(1), text[1:-1].replace('\\"', '"') if text.startswith('"') else text))
        position = match.end()
    return found


def expand(text, variables):
    """Replaces `$NAME`, `${NAME}` and `${NAME:-default}`."""

    def value(match):
        name = match.group(1) or match.group(2)
        default = match.group(3)
        return variables.get(name) or default or ""

    return re.sub(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})", value, text)
