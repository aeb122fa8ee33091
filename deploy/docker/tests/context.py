"""The files that a build may copy: the project's folder without what .dockerignore excludes."""

import os
import re
from pathlib import Path


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        ignored = self.folder / ".dockerignore"
        lines = ignored.read_text().splitlines() if ignored.exists() else []
        lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        self.rules = [(not line.startswith("!"), pattern(line.lstrip("!"))) for line in lines]
        self.kept = [line[1:].strip("/") for line in lines if line.startswith("!")]
        if any("*" in kept for kept in self.kept):
            raise ValueError(".dockerignore: an exception with a wildcard is not read")

    def excludes(self, path):
        """Whether the last rule that fits a path, or a folder above it, excludes it."""
        parts = path.split("/")
        ways = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        excluded = False
        for excluding, rule in self.rules:
            if any(rule.fullmatch(way) for way in ways):
                excluded = excluding
        return excluded

    def files(self):
        """Paths of all files, relative to the folder, sorted."""
        found = []
        for folder, folders, files in os.walk(self.folder):
            below = os.path.relpath(folder, self.folder)
            prefix = "" if below == "." else f"{below}/"
            folders[:] = [name for name in folders if self.leads_somewhere(prefix + name)]
            found += [prefix + name for name in files if not self.excludes(prefix + name)]
        return sorted(found)

    def leads_somewhere(self, folder):
        return not self.excludes(folder) or any(kept.startswith(folder + "/") for kept in self.kept)


def pattern(text):
    """Docker's patterns: `*` within a name, `**` across folders."""
    parts = []
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", text.strip("/")):
        parts.append({"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)))
    return re.compile("".join(parts))
